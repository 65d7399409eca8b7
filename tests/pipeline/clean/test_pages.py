import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests_support import ARTICLES, texts_of

from pipeline.clean.pages import Pages, _any_pattern, _patterns, without_pages

PROSE = "".join(ARTICLES) * 3
PAGE = 170
BODIES = [PROSE[place : place + PAGE] for place in range(0, len(PROSE) - PAGE, PAGE)]


def paged(number: str, header: str = "", bodies: list[str] = BODIES) -> str:
    parts = []
    for page, body in enumerate(bodies, start=3):
        parts += [header.format(page), body] if header else [body]
        parts.append(number.format(page))
    return "\n".join(parts)


@pytest.mark.parametrize(
    "number",
    [
        "第 {} 页 共 90 页",
        "共90页 第{}页",
        "第{}页/共90页",
        "Page {} of 90",
        "第{}頁",
        "- {} -",
        "— {} —",
        "·{}·",
        "{}",
        "{}/90",
    ],
)
def test_page_numbers_go(number: str) -> None:
    text, count = without_pages(paged(number))
    assert text == "\n".join(BODIES)
    assert count == len(BODIES)


@pytest.mark.parametrize("header", ["全国人民代表大会公报", "某某公司 2023 年度报告", "第{}号公报"])
def test_running_headers_go_with_them(header: str) -> None:
    assert without_pages(paged("- {} -", header))[0] == "\n".join(BODIES)


def test_blank_lines_around_go_where_the_phrase_goes_on() -> None:
    assert (
        without_pages("这一页的最后一行没有写完整的句\n\n第 3 页 共 9 页\n\n子在下一页。")[0]
        == "这一页的最后一行没有写完整的句\n子在下一页。"
    )
    assert (
        without_pages("这一页的最后一行写完了。\n\n第 3 页 共 9 页\n\n下一页。")[0]
        == "这一页的最后一行写完了。\n\n下一页。"
    )


WHOLE = [article * 2 for article in ARTICLES]
UNTOUCHED = {
    "chapters": paged("{}", bodies=WHOLE),
    "chapters-between-dashes": paged("— {} —", bodies=WHOLE),
    "headings": "\n".join(f"{body}\n案例分析" for body in WHOLE),
    "refrain": "\n".join(["坎坎伐檀兮，寘之河之干兮。", "河水清且涟猗。", "不稼不穑，胡取禾三百廛兮"] * 6),
    "list": "\n".join(f"{number}\n苹果和香蕉以及其他的水果" for number in range(1, 9)),
    "near": "\n".join(f"{number}\n苹果和香蕉，以及其他的水果，没有说完的话" for number in range(1, 9)),
    "dialogue": "\n".join(f"客服：您好\n{body}" for body in BODIES),
    "statute": "\n".join(f"第{number}条　{text}" for number, text in enumerate(ARTICLES)),
    "falling": paged("{}").replace("\n3\n", "\n99\n"),
    "mention": "见第 3 页，共 10 页。",
}


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED)
def test_leaves_what_is_no_page(text: str) -> None:
    assert without_pages(text) == (text, 0)


def test_finds_the_rows_that_need_it() -> None:
    texts = [
        *UNTOUCHED.values(),
        paged("{}"),
        paged("- {} -", "某某公司年报"),
        "甲\n第 3 页 共 9 页\n乙",
        "a\nPage 3 of 9",
    ]
    assert texts_of(Pages(), texts) == [without_pages(text)[0] for text in texts]


@given(st.text(alphabet="第页共頁 \t0123９-－·/()（）[]pPageofAGE.", max_size=14))
def test_one_look_at_a_line_tells_what_its_patterns_tell(line):
    assert bool(_any_pattern().fullmatch(line)) == any(pattern.fullmatch(line) for _, pattern in _patterns())
