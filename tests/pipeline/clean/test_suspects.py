import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clean import leftovers, markup
from pipeline.clean.suspects import Lines

PIECES = [
    *(
        "# 题",
        "[甲](a)",
        "[甲][乙]",
        "[1]: a",
        "```",
        "~~~",
        "---",
        "===",
        "|-|",
        "---|",
        "**甲**",
        "<p>",
        "a<b",
        "<!--",
    ),
    *("&amp;", "&nbsp", "&amp;nbsp", "<![CDATA[", "<a b", "[/b]", "[/quote]", "'''甲'''", "[[甲]]", "{{甲", "== 甲 =="),
    *("var _hmt = 1", "document.write(1)", "window.a = 1;", "})();", "$(document", ".a{b:c}", "@import a;", "mso-a: b"),
    *("false", "EN-US", "7.8 磅", "0 2", "0  2", "hm.baidu.com", "googletagmanager", "cnzz.com", "Normal", "<o:p>"),
    *("\n", "\n\n", " ", "\t", "甲，乙。", "一段", "abc", "12", "-", "="),
]


@pytest.mark.parametrize(
    ("lines", "pattern"),
    [(markup._lines(), markup._LOOKS), (leftovers._lines(), leftovers._anywhere())],
    ids=["markup", "leftovers"],
)
@settings(deadline=None)
@given(texts=st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=4))
def test_a_pattern_finds_in_the_lines_that_may_match_what_it_finds_in_all(lines, pattern, texts):
    column = pa.array(texts, pa.string())
    wanted = pc.indices_nonzero(pc.match_substring_regex(column, pattern)).to_pylist()
    assert lines.matched(column, pattern) == wanted
    # A column that is a part of another has other offsets.
    assert lines.matched(pa.array(["<p>", *texts], pa.string())[1:], pattern) == wanted


def test_a_first_line_that_goes_leaves_no_other_line_at_the_beginning():
    column = Lines.holding("#").of(pa.array(["甲\n# 乙\n丙\n#", "# 甲\n乙", "甲\n乙"]))
    assert column.to_pylist() == ["\n# 乙\n#", "# 甲\n", ""]


def test_lines_by_all_of_some_characters_of_these_alone_and_of_ascii():
    texts = ["7甲.", "7甲", "--", "-甲", "ab", ""]
    assert Lines.holding("", every="7.").of(pa.array(texts)).to_pylist() == ["7甲.", "", "", "", "", ""]
    assert Lines.holding("", only="-").of(pa.array(texts)).to_pylist() == ["", "", "--", "", "", ""]
    assert Lines.holding("", narrow=True).of(pa.array(texts)).to_pylist() == ["", "", "--", "", "ab", ""]
