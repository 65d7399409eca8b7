import re
import sys
import unicodedata
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support import same_unicode

from pipeline.dedup import table
from pipeline.dedup.matchform import UNICODE, compared_forms, match_forms
from pipeline.dedup.table import DATA, load_table, simplified
from schemas.recipe import MatchForm

JOINS = [chr(code) for code in load_table()["joins"]]
# Every way in which NFKC looks at neighbours: marks, jamo, half-width voicing, vowels signs of the Brahmic scripts.
chars = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from(JOINS),
    st.sampled_from("ㅎㅏ한한ｶﾞｶﾊﾟéÅßİıﬃ㍿﷽①Ⅳ國国乾臺台ＡＢａ。，　\u200b\ufeff\u0301"),
)


def forms(texts: list[str], column: pa.DataType | None = None, function=match_forms) -> list[str]:
    found = function(pa.array(texts, column or pa.string()))
    return ["".join(map(chr, found.points[a:b])) for a, b in zip(found.starts, found.starts[1:], strict=False)]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", ""),
        ("中华人民共和国", "中华人民共和国"),
        ("中華人民共和國", "中华人民共和国"),
        ("ＡＢＣ，１２３！", "abc123"),
        ("第　一\u200b 条：\n「權利」", "第一条权利"),
        ("Straße ﬃ ①", "strasseffi1"),
        ("ｶﾞﾊﾟ", "ガパ"),
        ("e\u0301", "é"),
        ("\u1112\u1161\u11ab", "한"),
        ("乾坤與乾淨", "干坤与干净"),
        ("——……！", ""),
        ("😀+©", ""),
        ("𠮷野家𩸽", "𠮷野家𩸽"),
    ],
)
def test_match_form_of(text, form):
    assert forms([text]) == [form]


@same_unicode
@settings(max_examples=400, deadline=None)
@given(st.lists(st.text(chars, max_size=12), max_size=6))
def test_equals_the_definition_for_every_text(definition, texts):
    assert forms(texts) == [definition(text) for text in texts]


every_form = st.builds(
    MatchForm,
    script=st.sampled_from(["fold", "keep"]),
    width=st.sampled_from(["fold", "keep"]),
    punctuation=st.sampled_from(["drop", "keep"]),
    digits=st.sampled_from(["keep", "zero", "drop"]),
)


def defined(text: str, form: MatchForm) -> str:
    """The match form by the words of its options, character by character."""
    import opencc

    folded = unicodedata.normalize("NFKC" if form.width == "fold" else "NFC", text).casefold()
    dropped = ("Z", "P", "S") if form.punctuation == "drop" else ("Z",)
    result = ""
    for char in folded:
        category = unicodedata.category(char)
        if category[0] in dropped or category in ("Cc", "Cf") or (category == "Nd" and form.digits == "drop"):
            continue
        result += "0" if category == "Nd" and form.digits == "zero" else char
    if form.digits == "zero":
        result = re.sub("0+", "0", result)
    # Character by character: OpenCC looks at phrases, the match form does not.
    return "".join(map(opencc.OpenCC("t2s").convert, result)) if form.script == "fold" else result


@same_unicode
@settings(max_examples=250, deadline=None)
@given(every_form, st.lists(st.text(st.one_of(chars, st.sampled_from("0129３٣①½")), max_size=12), max_size=4))
def test_every_option_equals_its_definition(form, texts):
    assert forms(texts, function=partial(match_forms, form=form)) == [defined(text, form) for text in texts]


@pytest.mark.parametrize(
    ("options", "text", "form"),
    [
        ({"script": "keep"}, "中華，２０２４年", "中華2024年"),
        ({"width": "keep"}, "中華，２０２４年", "中华２０２４年"),
        ({"width": "keep"}, "ＡＢ①e\u0301", "ａｂ①é"),
        ({"punctuation": "keep"}, "第一条　【權利】。", "第一条【权利】。"),
        ({"digits": "zero"}, "2024年12月1日，共３人，第①项", "0年0月0日共0人第0项"),
        ({"digits": "drop"}, "2024年12月1日，共３人，第①项", "年月日共人第项"),
        ({"digits": "drop"}, "2024", ""),
        ({"digits": "zero"}, "10.5%", "0"),
        ({"digits": "zero", "punctuation": "keep"}, "10.5%", "0.0%"),
    ],
)
def test_match_form_with_options(options, text, form):
    assert forms(["前", text, "後1"], function=partial(match_forms, form=MatchForm(**options)))[1] == form


def test_a_text_of_dropped_digits_alone_is_compared_by_them():
    compared = partial(compared_forms, form=MatchForm(digits="drop"))
    assert forms(["2024", "2025 年", "——"], function=compared) == ["2024", "年", "——"]


@same_unicode
def test_equals_the_scorers_own_for_every_character(shared, monkeypatch):
    monkeypatch.syspath_prepend(str(shared / "tools"))
    import score_neardup

    simplify, _ = score_neardup.simplifier(shared / "tools" / "t2s.txt")
    folding = score_neardup.MatchTable(simplify)
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    expected = [unicodedata.normalize("NFKC", char).casefold().translate(folding) for char in every]
    differing = [char for char, got, want in zip(every, forms(every), expected, strict=True) if got != want]
    # OpenCC has had 𰻞 since 1.3.2; the scorer's table is older.
    assert differing == ["𰻞"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(chars, max_size=8), min_size=1, max_size=6), st.integers(0, 5))
def test_is_independent_of_batch_borders_and_column_type(texts, cut):
    whole = forms(texts)
    assert forms(texts[:cut]) + forms(texts[cut:]) == whole
    assert forms(texts, pa.large_string()) == whole
    sliced = match_forms(pa.array(["前面", *texts, "é"]).slice(1, len(texts)))
    assert sliced.counts.tolist() == [len(form) for form in whole]


def test_a_text_may_grow_past_its_own_length(definition):
    texts = ["ﷺ" * 200, "短", "ﷲ" * 50 + "e\u0301"]
    assert forms(texts) == [definition(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "form"),
    [("", ""), (" \u3000\u200b\n", ""), ("｜－－－｜", "|---|"), ("----- \t-----", "----------"), ("a-b", "ab")],
)
def test_a_text_of_marks_alone_is_compared_by_its_marks(text, form):
    assert forms(["前", text, "後"], function=compared_forms) == ["前", form, "后"]


@same_unicode
def test_the_shipped_table_is_the_one_that_is_built(tmp_path, monkeypatch):
    shipped = load_table()
    simplified()  # read before the data folder is another one
    monkeypatch.setattr(table, "DATA", tmp_path)
    table.write_table()
    built = load_table()
    assert built.keys() == shipped.keys()
    for name, array in built.items():
        np.testing.assert_array_equal(array, shipped[name], name)


def test_the_shipped_table_says_its_unicode_version():
    with (DATA / "matchform.npz").open("rb") as file:
        assert np.load(file)["unicode"] == UNICODE


def test_the_characters_are_those_of_opencc():
    opencc = pytest.importorskip("opencc")
    if opencc.__version__ != "1.4.2":
        pytest.skip(f"the table is of OpenCC 1.4.2, this is {opencc.__version__}")
    letters = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code))[0] in "LNMS" and unicodedata.is_normalized("NFKC", chr(code))
    ]
    converted = opencc.OpenCC("t2s").convert("\n".join(letters)).split("\n")
    assert {a: b for a, b in zip(letters, converted, strict=True) if a != b} == simplified()
