from datetime import UTC, datetime

import pytest

from pipeline.readers.text import Markdown, Text


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("# 标题一\n\n正文。", "标题一"),
        ("前言。\n\n## 第二级 ##\n正文。", "第二级"),
        ("标题\n====\n\n正文。", "标题"),
        ('---\ntitle: "前置标题"\ndate: 2023-04-01\n---\n# 正文标题\n正文。', "前置标题"),
        ("---\r\ntitle: 回车\r\n---\r\n正文。", "回车"),
        ("没有标题的正文。", None),
        ("#标签 不是标题", None),
    ],
)
def test_the_title_of_markdown(read, content, title):
    (row,) = read("a.md", content.encode()).rows
    assert row["title"] == title
    assert row["text"] == content.replace("\r\n", "\n")


def test_the_time_of_front_matter(read):
    (row,) = read("a.md", "---\ndate: 2023-04-01 08:00:00 +0800\nurl: https://example.org\n---\n文".encode()).rows
    assert row["original_time"] == datetime(2023, 4, 1, tzinfo=UTC)
    assert row["url"] == "https://example.org"


def test_markdown_of_plain_text_has_no_title(read):
    assert read("a.txt", b"# not a title").rows[0]["title"] is None


def test_readers_are_steps_of_the_catalogue():
    assert (Text().spec(), Markdown().spec()) == ({"kind": "text"}, {"kind": "markdown"})


@pytest.mark.parametrize(("codec", "as_if"), [("utf-8", "latin-1"), ("gb18030", "latin-1"), ("utf-8", "gb18030")])
def test_a_text_that_was_broken_before_is_read_as_it_is_and_noted(read, codec, as_if):
    text = ("国家保护公民合法权益\n" * 9).encode(codec).decode(as_if)
    found = read("a.txt", text.encode())
    assert found.texts == [text]
    assert found.outcome["outcome"] == "ok"
    assert "the cleaner `mojibake` mends it" in found.outcome["notes"]


@pytest.mark.parametrize("text", ["Le café était fermé, déjà vu.\n" * 9, "国家保护公民合法权益。\n" * 9, "plain\n" * 9])
def test_a_good_text_has_no_such_note(read, text):
    assert read("a.txt", text.encode()).outcome["notes"] is None
