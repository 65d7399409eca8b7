"""Where terms stand: borders of words, folding, disguise, allow-lists, and what holds for any text."""

import time
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.lexicon.files import Lexicon, Term
from pipeline.lexicon.folding import HARD, LABEL, SOFT, label_of, labels
from pipeline.lexicon.matcher import Matcher
from schemas.errors import RecipeError

Maker = Callable[..., Lexicon]


def found(matcher: Matcher, text: str) -> list[str]:
    hits = matcher.find(pa.array([text], pa.string()))
    return [text[start:end] for start, end in zip(hits.starts.tolist(), hits.ends.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("term", "text", "hits"),
    [
        ("性", "性能很好，可用性与男性。", []),
        ("性", "关于性的知识。", ["性"]),
        ("性", "性", ["性"]),
        ("市长", "南京市长江大桥", []),
        ("市长", "上海市长会见了来宾", ["市长"]),
        ("江大桥", "南京市长江大桥", []),
        ("江大", "武汉长江大桥", []),
        ("国人", "中国人民", []),
        ("人民", "中华人民共和国", ["人民"]),
        ("成人", "完成人数", []),
        ("成人", "成人教育", ["成人"]),
        ("性交", "男性交友", []),
        ("赌博", "构成赌博罪的", ["赌博"]),
        ("人流", "车站人流量大", []),
        ("微信", "请加微信号码", ["微信"]),
        ("微信", "微信", ["微信"]),
    ],
)
def test_knows_where_words_end(lexicon: Maker, term: str, text: str, hits: list[str]) -> None:
    assert found(Matcher([lexicon(term)]), text) == hits


@pytest.mark.parametrize(
    ("line", "text", "hits"),
    [
        ("赌博\t\t\tword", "构成赌博罪的", []),
        ("性\t\t\tanywhere", "性能与男性", ["性", "性"]),
        ("市长\t\t\tanywhere", "南京市长江大桥", ["市长"]),
        ("qq\t\t\tanywhere", "QQ123 加qq群", ["QQ", "qq"]),
        ("qq", "QQ123 加qq群", ["qq"]),
    ],
)
def test_flags_choose_how_strictly(lexicon: Maker, line: str, text: str, hits: list[str]) -> None:
    assert found(Matcher([lexicon(line)]), text) == hits


@pytest.mark.parametrize(
    ("term", "text", "hits"),
    [
        ("ai", "ＡＩ与AI，mail、AID、A I", ["ＡＩ", "AI"]),
        ("发票", "發票與发\u200b票", ["發票", "发\u200b票"]),
        ("機器學習", "机器学习", ["机器学习"]),
        ("machine learning", "Machine\u3000Learning machinelearning", ["Machine\u3000Learning"]),
        ("５", "第5条", ["5"]),
        ("𠮷野家", "去𠮷野家", ["𠮷野家"]),
        ("微信", "微-信", []),
    ],
)
def test_folds_width_case_script_and_invisible_characters(
    lexicon: Maker, term: str, text: str, hits: list[str]
) -> None:
    assert found(Matcher([lexicon(term)]), text) == hits


@pytest.mark.parametrize(
    ("line", "text", "hits"),
    [
        ("加v信", "+ 我加 Ｖ 信", ["加 Ｖ 信"]),
        ("微信", "薇信、徽信、微❀信、微\u200b-信", ["薇信", "徽信", "微❀信", "微\u200b-信"]),
        ("威心", "威❤", ["威❤"]),
        ("qq", "ＱＱ 🐧🐧，ⓠⓠ号🆀🆀", ["ＱＱ", "🐧🐧", "ⓠⓠ", "🆀🆀"]),
        ("博彩", "博.彩 愽-綵", ["博.彩", "愽-綵"]),
        ("123", "①②③ １·２·３ 1️⃣2️⃣3️⃣", ["①②③", "１·２·３", "1️⃣2️⃣3"]),
        ("一夜", "壹/夜", ["壹/夜"]),
        ("微信", "安徽信用社", []),
        ("微信", "细微。信号", []),
        ("微信", "微----信", []),
        ("微信\t\t\texact", "微-信 微信", ["微信"]),
    ],
)
def test_sees_through_disguise_when_asked(lexicon: Maker, line: str, text: str, hits: list[str]) -> None:
    assert found(Matcher([lexicon(line)], disguised=True), text) == hits


def test_allowed_terms_cancel_what_they_hold(lexicon: Maker) -> None:
    matcher = Matcher([lexicon("牡丹", "牡丹江\t\t\tallow", "江")])
    assert found(matcher, "牡丹江畔，牡丹花开") == ["牡丹"]


def test_the_longest_term_counts_once_and_keeps_every_category(lexicon: Maker) -> None:
    matcher = Matcher([lexicon("银杏\t树\t1", "银杏树\t树\t2"), lexicon("銀杏樹\t药\t3")])
    hits = matcher.find(pa.array(["一棵银杏树。"]))
    assert [matcher.forms[form].categories for form in hits.forms.tolist()] == [("树", "药")]
    assert matcher.forms[int(hits.forms[0])].weight == 3


def test_contradicting_lines_are_told(lexicon: Maker) -> None:
    with pytest.raises(RecipeError, match=r"trees.tsv: line 9: '銀杏' is listed with other flags in .* line 8"):
        Matcher([lexicon("银杏", "銀杏\t\t\tallow")])
    with pytest.raises(RecipeError, match="nothing but marks"):
        Matcher([lexicon("❀")], disguised=True)


TERMS = ("性", "市长", "微信", "加v信", "qq", "人民", "的", "a", "银行卡", "大桥")
ANYWHERE = Lexicon(
    "t", "1", "CC0-1.0", "zh", tuple(Term(t, "c", 1.0, frozenset({"anywhere"}), "t") for t in TERMS), "0" * 64
)
DEFAULT = Lexicon("t", "1", "CC0-1.0", "zh", tuple(Term(t, "c", 1.0, frozenset(), "t") for t in TERMS), "0" * 64)
PIECES = st.one_of(
    st.sampled_from([*TERMS, "能", "南京", "江", "加 Ｖ\u200b信", "徽信", "，", "-", "\n", "️", "\U000e0100"]),
    st.text(max_size=4),
)


@settings(max_examples=200, deadline=None)
@given(parts=st.lists(PIECES, max_size=12), disguised=st.booleans())
def test_hits_are_where_they_say_and_a_batch_is_its_rows(parts: list[str], disguised: bool) -> None:
    table = labels(disguised)
    for lexicon in (ANYWHERE, DEFAULT):
        matcher = Matcher([lexicon], disguised)
        text = "".join(parts)
        hits = matcher.find(pa.array(["大桥", text, "微信"], pa.string()))
        own = matcher.find(pa.array([text], pa.string()))
        assert own.starts.tolist() == hits.starts[hits.rows == 1].tolist()
        until = 0
        for start, end, form in zip(own.starts.tolist(), own.ends.tolist(), own.forms.tolist(), strict=True):
            assert until <= start < end <= len(text)
            until = end
            codes = [label_of(char, table) for char in text[start:end]]
            kept = [code & int(LABEL) for code in codes if not code & int(HARD | SOFT)]
            assert kept == [label_of(char, table) & int(LABEL) for char in matcher.forms[form].text]


def test_one_character_over_and_over_costs_in_proportion(lexicon: Maker) -> None:
    matcher = Matcher([lexicon("哈", "哈哈", "哈" * 64, "发发")], disguised=True)

    def seconds(text: str) -> float:
        begin = time.process_time()
        matcher.find(pa.array([text], pa.string()))
        return time.process_time() - begin

    seconds("哈" * 1000)
    for text in ("哈", "发\u200b"):
        small, large = seconds(text * 60_000), seconds(text * 600_000)
        assert large < 30 * small + 0.5
