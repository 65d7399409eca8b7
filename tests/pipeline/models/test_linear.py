"""The linear model: learns, judges scripts alike, gives the same bytes, and refuses broken files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.file import read_model, write_model
from pipeline.models.form import REVISION, Folded
from pipeline.models.linear import KIND, Linear, Training, train
from pipeline.text import CodePoints
from schemas.errors import RecipeError

SMALL = Training(bits=12, epochs=4)
LAW = [
    "第一条 为了加强管理，制定本条例。",
    "本办法自发布之日起施行。",
    "违反本条例规定的，处以罚款。",
    "国务院规定的其他事项。",
]
SHOP = [
    "全场五折，加微信下单包邮！",
    "限时抢购，点击领取优惠券！",
    "厂家直销，量大从优，欢迎来电！",
    "特价促销，买一送一！",
]
FOOD = ["锅中倒油，放入葱姜爆香。", "鸡蛋打散，加少许盐。", "小火焖煮二十分钟即可。", "豆腐切块，焯水备用。"]


def folded(texts: list[str], max_chars: int = 10_000) -> Folded:
    return Folded.of(CodePoints.of(pa.array(texts, pa.string())), max_chars)


def labels(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


def stored(model: Linear, path: Path) -> Linear:
    parameters = {"form": REVISION, "letters": model.letters}
    header = {"kind": KIND, "labels": list(model.labels), "parameters": parameters}
    write_model(path, header, model.arrays)
    return Linear.of(read_model(str(path), "", KIND, "quality"))


def test_two_labels_are_told_apart_in_both_scripts_and_widths() -> None:
    model = train(folded([*SHOP, *LAW]), labels(4, 4), ("ad", "law"), SMALL)
    scores = model.scores(
        folded(["本条例由国务院制定。", "本條例由國務院制定。", "優惠促銷，加微信！", "優惠促銷,加微信!"])
    )
    assert scores.shape == (4, 2)
    assert scores.sum(axis=1) == pytest.approx(np.ones(4))
    assert (scores.argmax(axis=1) == [1, 1, 0, 0]).all()
    assert scores[0].tolist() == scores[1].tolist()
    assert scores[2].tolist() == scores[3].tolist()


def test_many_labels_have_a_score_each(tmp_path: Path) -> None:
    model = train(folded([*SHOP, *LAW, *FOOD]), labels(4, 4, 4), ("ad", "law", "food"), SMALL)
    texts = folded(["放入鸡蛋和豆腐，小火煮。", "为加强管理，制定本办法。", "欢迎来电，优惠促销！"])
    assert (model.scores(texts).argmax(axis=1) == [2, 1, 0]).all()
    again = stored(model, tmp_path / "a.model")
    assert again.labels == ("ad", "law", "food")
    assert (again.scores(texts) == model.scores(texts)).all()


def test_the_same_texts_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    texts, truth = folded([*SHOP, *LAW]), labels(4, 4)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        stored(train(texts, truth, ("ad", "law"), Training(bits=12, seed=seed)), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


MODEL = train(folded([*SHOP, *LAW]), labels(4, 4), ("ad", "law"), SMALL)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_text_has_a_score_that_depends_on_it_alone(texts: list[str]) -> None:
    scores = MODEL.scores(folded(texts))
    assert scores.shape == (len(texts), 2)
    assert ((scores >= 0) & (scores <= 1)).all()
    for text, score in zip(texts, scores, strict=True):
        assert MODEL.scores(folded([text])).tolist() == [score.tolist()]


@pytest.mark.parametrize("text", ["", " \n\u3000\u200b"])
def test_a_text_without_characters_is_undecided(text: str) -> None:
    assert MODEL.scores(folded([text])).tolist() == [[0.5, 0.5]]


def test_a_long_text_is_judged_by_its_beginning_and_repetition_counts_once() -> None:
    head = "优惠促销加微信"
    assert MODEL.scores(folded([head + "制定本条例" * 9], 7)).tolist() == MODEL.scores(folded([head])).tolist()
    huge = MODEL.scores(folded(["促" * 10_000_000, "促" * 20, "𠮷" * 20]))
    assert huge[0].tolist() == huge[1].tolist()
    assert np.isfinite(huge).all()


def test_digits_are_one_class_and_blanks_do_not_count() -> None:
    one, other = MODEL.scores(folded(["电话 13912345678 下单", "电话１８０00000000\n下单"]))
    assert one.tolist() == other.tolist()


def test_a_model_of_few_characters_hears_nothing_but_these() -> None:
    marks = train(
        folded(["，。的" * 9, "甲，乙。丙，"] * 4), np.tile([0, 1], 4), ("a", "b"), Training(listed=3, bits=10)
    )
    assert sorted(map(chr, marks.listed)) == [",", "。", "的"]
    one, other = marks.scores(folded(["天，地。人，", "你，我。他，"]))
    assert one.tolist() == other.tolist()


def test_a_label_without_texts_is_named() -> None:
    with pytest.raises(RecipeError, match="no training text has the label: law"):
        train(folded(SHOP), labels(4), ("ad", "law"), SMALL)


def test_a_broken_file_says_which_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    stored(MODEL, path)
    whole = path.read_bytes()
    for broken in (b"", b"PK\x03\x04", whole[:40], whole[:-9], whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:]):
        path.write_bytes(broken)
        with pytest.raises(RecipeError, match=r"step 'quality': model .*m\.model: .*`yuliao train`"):
            read_model(str(path), "", KIND, "quality")
    path.write_bytes(whole)
    with pytest.raises(RecipeError, match="it is of kind 'linear', and 'ngram' is needed"):
        read_model(str(path), "", "ngram", "perplexity")
    with pytest.raises(RecipeError, match=r"none\.model: No such file"):
        read_model(str(tmp_path / "none.model"), "", KIND, "quality")


def test_a_model_of_letters_hears_neither_marks_nor_digits_and_words_whole(tmp_path: Path) -> None:
    texts = ["依法判决 java"] * 4 + ["患者咳嗽 javascript"] * 4
    model = stored(
        train(folded(texts), labels(4, 4), ("health", "law"), Training(bits=12, letters=True)), tmp_path / "a"
    )
    bare, marked, word, part, nothing = model.scores(
        folded(["依法判决", "1. **依法判决**！", "java", "jav", "！2"])
    ).tolist()
    assert bare == marked
    assert word[0] > 0.5
    assert part == nothing
