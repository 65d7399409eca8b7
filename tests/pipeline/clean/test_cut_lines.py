"""The rules of single characters say what these patterns say."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support import same_unicode

from pipeline.clean import cut_lines

OPEN = re.compile(r"[^\W_]$|[，、,]$|[A-Za-z]-$")
PHRASE = re.compile(r"[^\W_]$|[A-Za-z]-$")
INNER = re.compile("[，。、；：？！,.;?!’”』」）) ]")
SIGNED = re.compile(r"——[^\W_]{1,6}$")
FENCE = re.compile("[ \t]*(?:```|~~~)")
CODE = re.compile(r"\t|\S  |[|{}<>=\\]|^ |;$|://|\S[#$%] ")
BEGINS = re.compile(
    r"[-*+•·●○◆◇■□▪▫►▶※★☆→#\u2460-\u2473]|[（(]?[0-9０-９a-zA-Z一二三四五六七八九十百]{1,4}[)）.．、:：]"
    r"|第\s?[0-9０-９一二三四五六七八九十百千零〇]{1,6}\s?[条條章节節款项項编編篇回卷部页頁]|[^：:，。、]{1,24}[：:]|【|附[件录錄]|[0-9]+$"
)
TOKEN = re.compile("[!-~\u00c0-\u024f\u1e00-\u1eff]+")
LINES = st.lists(
    st.sampled_from(
        [
            *"一甲1２aZé-_—，。：:;、（()）.第条章附件录【①#$% \t\u3000`~|=/é𠀀😀ガ",
            "——",
            "```",
            "://",
            "第一条",
            "甲" * 24,
        ]
    ),
    min_size=1,
    max_size=8,
).map("".join)


def points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


@settings(deadline=None)
@given(LINES)
def test_lines_are_judged_as_patterns_do(line: str) -> None:
    chars = points(line)
    size, last = len(chars), len(chars) - 1
    classes = cut_lines._classes()
    letters = cut_lines._letters()
    assert cut_lines._is_fence(chars, 0, size) == (FENCE.match(line) is not None)
    assert cut_lines._is_code(chars, 0, size, classes) == (CODE.search(line) is not None)
    assert cut_lines._begins(chars, 0, size, classes) == (BEGINS.match(line) is not None)
    assert cut_lines._is_open(chars, 0, last, letters) == (OPEN.search(line) is not None)
    word = TOKEN.match(line)
    assert cut_lines._token(chars, 0, size) == (min(len(word[0]) + 1, 20) if word else 2)
    for after in "甲A":
        capital = after == "A" and line[-1].isascii()
        evidence = PHRASE.search(line) and not SIGNED.search(line) and INNER.search(line) and not capital
        assert cut_lines._is_evidence(chars, 0, last, ord(after), classes, letters) == bool(evidence)


@same_unicode
@settings(deadline=None)
@given(st.characters(codec="utf-8"))
def test_white_space_and_letters_are_those_of_python(char: str) -> None:
    chars = points(char)
    assert cut_lines._is_space(chars[0]) == char.isspace()
    assert cut_lines._letters()[chars[0]] == char.isalnum()
