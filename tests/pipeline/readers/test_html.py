from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.html import page_record

PAGES = Path(__file__).parent / "pages"
NAMES = ["news", "layout_table", "manual"]


def page(name):
    return (PAGES / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_golden_pages_give_their_article_and_nothing_of_the_frame(name):
    golden = (PAGES / f"{name}.txt").read_text(encoding="utf-8")
    assert page_record(page(name)).text + "\n" == golden


def test_title_address_and_time_are_those_the_page_states():
    record = page_record(page("news"))
    assert record.title == "河边新修步道今日开放"
    assert record.url == "https://example.org/2023/0401/12.html"
    assert record.original_time == datetime(2023, 4, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        ("<title>甲 - 某站</title>", "<h1>乙</h1>", "乙"),
        ("<title>甲\n - 某站</title>", "<h1>乙</h1><h1>丙</h1>", "甲 - 某站"),
        ("<title>甲</title>", "", "甲"),
        ("", "", None),
    ],
)
def test_the_title_is_the_only_heading_or_the_name_of_the_page(head, body, title):
    assert page_record(f"<html><head>{head}</head><body>{body}<p>正文。</p></body></html>").title == title


@pytest.mark.parametrize(
    ("body", "time"),
    [
        ('<time datetime="2023-04-01">昨天</time>', datetime(2023, 4, 1, tzinfo=UTC)),
        ('<div class="info">发布时间：2023-04-01 08:30 来源：某报</div>', datetime(2023, 4, 1, 8, 30, tzinfo=UTC)),
        ('<span id="pubtime">2023年4月1日</span>', datetime(2023, 4, 1, tzinfo=UTC)),
        ("<p>2023年4月1日，他出生了。</p>", None),
    ],
)
def test_the_time_comes_from_places_that_state_one(body, time):
    assert page_record(f"<body>{body}<p>正文，有标点。</p></body>").original_time == time


@pytest.mark.parametrize("codec", ["utf-8", "gb18030", "utf-16"])
@pytest.mark.parametrize("declared", ["utf-8", "gb2312", "big5", "iso-8859-1", "x-nonsense", ""])
def test_a_wrong_or_missing_charset_does_no_harm(read, codec, declared):
    text = page("news").replace("charset=utf-8", f"charset={declared}")
    found = read("a.html", text.encode(codec, "xmlcharrefreplace"))
    assert found.texts == [(PAGES / "news.txt").read_text(encoding="utf-8").rstrip("\n")]
    assert found.outcome["encoding"].startswith(codec)


def test_big5_pages_are_read(read):
    raw = page("manual").encode("cp950")
    assert read("a.htm", raw).texts == [(PAGES / "manual.txt").read_text(encoding="utf-8").rstrip("\n")]


def test_a_page_of_plain_text_keeps_its_lines(read, prose):
    assert read("a.html", prose.encode()).texts == [prose]


def test_a_page_without_text_is_empty_and_one_with_a_description_is_not(read):
    assert read("a.html", b"<html><body><script>1</script></body></html>").outcome["outcome"] == "empty"
    content = '<html><head><meta name="description" content="本页讲步道。"></head><body></body></html>'
    assert read("a.html", content.encode()).texts == ["本页讲步道。"]


def test_an_xml_declaration_does_no_harm():
    assert page_record('<?xml version="1.0" encoding="gbk"?><html><body><p>正文。</p></body></html>').text == "正文。"


def test_deeply_nested_pages_are_read():
    page = "<title>题</title><p class='a\n>'>前面，<b>粗</b>。</p>" + "<font><div>" * 3000 + "<p>深处&lt;的文字。</p>"
    assert page_record(page.replace("\n>", "\n")).text == "前面，粗。\n深处<的文字。"


@given(st.text(st.sampled_from("文字，。<>/&;pdivab =\"'-!\n"), max_size=200))
def test_any_markup_gives_a_record(text):
    page_record("<p>" + text)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (
            '<html><head><title>转</title><meta http-equiv="refresh" content="0; URL=http://a.cn/b"></head></html>',
            "a.cn/b",
        ),
        (
            '<html><head><title>框</title></head><frameset><frame src="top.htm"><frame src="m.htm"></frameset></html>',
            "m.htm",
        ),
    ],
)
def test_a_page_that_leads_on_is_empty_and_says_where(read, page, reason):
    found = read("a.html", page.encode())
    assert found.outcome["outcome"] == "empty"
    assert reason in found.outcome["reason"]


def test_what_a_page_reserves_is_noted(read):
    page = '<meta name="robots" content="NOAI"><meta name="tdm-reservation" content="1"><p>正文，有标点。</p>'
    found = read("a.html", page.encode())
    assert found.outcome["notes"] == "it says noai; it says tdm-reservation: 1"
    assert found.outcome["outcome"] == "ok"


def test_pages_of_other_programs_are_read():
    assert page_record(page("chromium")).text + "\n" == (PAGES / "news.txt").read_text(encoding="utf-8")
    made = page_record(page("pandoc"))
    assert made.text.endswith("河边的步道今天开放，市民可以去走一走。\n从北门进入，路程较短。\n从南门进入，风景较好。")
    assert page_record(page("pandoc")[:-16]).text == made.text
