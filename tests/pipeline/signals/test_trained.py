"""The signals that ask shipped models: which of two texts scores higher, in both scripts; their fingerprints."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.models.file import read_model
from pipeline.step import apply, build
from schemas.errors import RecipeError

GOOD = {
    "statute": "第五十七条　法人是具有民事权利能力和民事行为能力，依法独立享有民事权利和承担民事义务的组织。",
    "prose": "傍晚的时候，他一个人坐在河边，看着水面上的船慢慢地开过去，心里想着明天的事情，谁也没有说话。",
    "manual": "安装之前，请先确认系统的版本，然后打开终端，输入下面的命令；如果出现错误，可以查看日志文件。",
    "answer": "感冒以后要注意休息，多喝水，饮食清淡一些。如果体温超过三十九度，建议到医院做进一步的检查。",
}
BAD = {
    "shop": "全场五折起，加微信立即下单，厂家直销，包邮到家，名额有限，欢迎来电咨询，扫码领取优惠券！",
    "casino": "真人百家乐注册送彩金，时时彩计划群，首存翻倍，日日返水，提款秒到，官网入口，手机版下载。",
    "menu": "首页 | 新闻中心 | 产品展示 | 联系我们 | 在线留言 | 会员登录 | 注册 | 购物车 | 网站地图 | 友情链接",
    "loan": "无抵押信用贷款，不看征信，当天放款，额度高，利息低，急用钱加微信联系张经理，黑户可做！",
}
LONG = "".join(GOOD.values()) * 2


def values(column: str, texts: list[str], **parameters: Any) -> list[float]:
    table = apply([build(parameters)], pa.record_batch({"text": pa.array(texts, pa.string())}))
    found: list[float] = table.column(column).to_pylist()
    return found


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_good_text_has_a_high_quality_score(text: str) -> None:
    assert values("quality_score", [text], kind="quality")[0] > 0.3


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bad_text_has_a_low_quality_score(text: str) -> None:
    assert values("quality_score", [text], kind="quality")[0] < 0.1


def test_shuffled_words_lose_their_order_score_and_half_of_what_order_saves() -> None:
    import rjieba

    words = list(rjieba.cut(LONG, False))
    shuffled = "".join(words[i] for i in np.random.default_rng(1).permutation(len(words)))
    real, mixed = values("order_score", [LONG, shuffled], kind="word_order")
    assert real > 0.5
    assert mixed < 0.05
    real, mixed = values("order_bits", [LONG, shuffled], kind="perplexity")
    assert mixed < real / 2


def test_broken_text_costs_many_bits() -> None:
    broken = LONG.encode("utf-8").decode("gb18030", "replace")
    real, other = values("char_bits", [LONG, broken], kind="perplexity")
    assert real < 9
    assert other > 14


@pytest.mark.parametrize(("column", "kind"), [("quality_score", "quality"), ("order_score", "word_order")])
def test_both_scripts_are_judged_alike(column: str, kind: str) -> None:
    one, other = values(
        column, ["国务院发布通知，要求各地做好防汛工作。", "國務院發布通知，要求各地做好防汛工作。"], kind=kind
    )
    assert one == other


@pytest.mark.parametrize("kind", ["quality", "perplexity"])
def test_a_model_that_is_not_there_is_told_before_data_is_read(kind: str) -> None:
    with pytest.raises(RecipeError, match=rf"step '{kind}': model none\.model: No such file"):
        build({"kind": kind, "model": "none.model"}).identity()


@pytest.mark.parametrize(
    ("name", "kind", "largest"),
    [("quality", "linear", 1_500_000), ("word_order", "linear", 1_500_000), ("perplexity", "ngram", 2_000_000)],
)
def test_shipped_models_say_what_they_learnt_and_stay_small(name: str, kind: str, largest: int) -> None:
    from importlib.resources import files

    file = read_model(None, f"{name}.model", kind, name)
    assert len(files("pipeline.models").joinpath("data", f"{name}.model").read_bytes()) <= largest
    assert file.header["license"] == "Apache-2.0"
    listed = files("pipeline.models").joinpath("data", "sources.tsv").read_text("utf-8")
    for source in file.header["data"]:
        assert {"name", "kind", "origin", "commit", "licence", "texts"} == set(source)
        assert f"{source['name']}\t{source['kind']}\t{source['origin']}\t{source['commit']}" in listed
    assert set(file.header["figures"]["thresholds"]) >= {"quality_score", "order_score", "char_bits"}
