import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests_support import ARTICLES, texts_of

from pipeline.clean.wrapped import Wrapped, unwrap

PROSE = "".join(ARTICLES[:3])
ENGLISH = (
    "The clone tool lets you paint over one part of an image using pixel data taken from another part of it, "
    "or even from a different image, and the trick to using it well is to find a part that can be used to "
    "replace the unwanted one, which is hard if the surrounding area is very different from the rest of the image"
)


def wrapped_at(text: str, width: int) -> str:
    return "\n".join(text[place : place + width] for place in range(0, len(text), width))


@pytest.mark.parametrize("width", [20, 35, 40])
def test_joins_chinese_without_spaces(width: int) -> None:
    broken = wrapped_at(PROSE, width)
    joined, count = unwrap(broken)
    assert joined.replace("\n", "") == PROSE
    # A break after a mark that ends a sentence or clause stays.
    stays = sum(line[-1] in "。；：" for line in broken.split("\n")[:-1])
    assert broken.count("\n") - count == stays


@pytest.mark.parametrize("width", [50, 72])
def test_joins_latin_words_with_spaces(width: int) -> None:
    broken = "\n".join(textwrap.wrap(ENGLISH, width))
    assert unwrap(broken) == (ENGLISH, broken.count("\n"))


def test_a_hyphen_goes_unless_the_word_has_it() -> None:
    lines = [
        "some words that fill the line, up to its end, with an exam-",
        "ple and more words to fill the line, as if it were a well-",
        "known thing, and some words that fill a line up to the end",
    ]
    joined, count = unwrap("\n".join(lines * 3) + "\n\nThis is a well-known thing.")
    assert count == 8
    assert joined.count("with an example and") == 3
    assert joined.count("a well-known thing") == 4


def test_mends_a_block_among_whole_paragraphs() -> None:
    whole = f"{PROSE}{PROSE}\n\n{ARTICLES[4]}\n\n{ARTICLES[5]}"
    joined, count = unwrap(f"{whole}\n\n{wrapped_at(ARTICLES[3] + ARTICLES[4], 19)}\n\n{whole}")
    assert count > 5
    assert joined.startswith(whole)
    assert joined.endswith(whole)


def test_items_of_statutes_begin_a_line() -> None:
    items = [
        f"（{number}）{PROSE[place : place + 95]}" for number, place in zip("一二三四", range(0, 80, 20), strict=True)
    ]
    joined, count = unwrap("\n".join(wrapped_at(item, 30) for item in items))
    assert count > 8
    assert [line[:3] for line in joined.split("\n") if line.startswith("（")] == [
        "（一）",
        "（二）",
        "（三）",
        "（四）",
    ]


UNTOUCHED = {
    "verse": "\n".join(["春眠不觉晓，处处闻啼鸟。", "夜来风雨声，花落知多少。"] * 4),
    "verse-without-marks": "\n".join(["春眠不觉晓处处闻啼鸟夜来风雨声花落知多少"] * 8),
    "signed-verse": "\n".join(
        ["清知思緒斷，爽覺心源徹，清知思緒斷。——皮日休", "高唱戛金奏，朗詠鏗玉節，清知思緒斷。——陸龜蒙"] * 4
    ),
    "statute": "\n".join(f"第{n}条　{text}" for n, text in zip("一二三四五六", ARTICLES, strict=True)),
    "list": "\n".join(f"{n}. 关于第{n}季度工作情况的报告，以及下一季度工作的安排" for n in range(10, 18)),
    "titles": "\n".join(
        ["Learn Basic CSS by Building a Cafe Menu, a Form", "Learn CSS Flexbox by Building a Photo Gallery"] * 4
    ),
    "labels": "\n".join(f"磁盘{n} (Disk {n})：主机上运行实例所在磁盘的空间使用率" for n in "甲乙丙丁戊己"),
    "table": "\n".join(["第一季度  一百二十三万四千元，第二季度  一百二十三万四千元"] * 6),
    "code": "\n".join(["print(first_value, second_value, third_value) = 1a"] * 8),
    "fence": "```\n" + "\n".join(["some words of an output, which has the same width"] * 8) + "\n```",
    "dialogue": "\n".join(
        ["客服：您好，请问有什么可以帮助您的吗，我们一直都在", "用户：我想问一下这附近有没有好吃的餐馆，评分高一点"] * 4
    ),
    "paragraphs": "\n".join(ARTICLES),
}


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED)
def test_leaves_lines_that_nobody_cut(text: str) -> None:
    assert unwrap(text) == (text, 0)


@given(st.lists(st.sampled_from([*ARTICLES, *UNTOUCHED.values(), wrapped_at(PROSE, 30), ""]), max_size=6))
def test_takes_out_nothing_but_line_breaks(parts: list[str]) -> None:
    text = "\n\n".join(parts)
    joined, count = unwrap(text)
    assert joined.replace("\n", "") == text.replace("\n", "")
    assert text.count("\n") - joined.count("\n") == count


def test_finds_the_rows_that_need_it() -> None:
    texts = [*UNTOUCHED.values(), wrapped_at(PROSE, 30)]
    assert texts_of(Wrapped(), texts) == [unwrap(text)[0] for text in texts]
