from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from pipeline.readers.fields import Columns, choose, missing, parse_time, text_of
from schemas.source import Fields


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["id", "text"], ("text",)),
        (["编号", "标题", "内容"], ("内容",)),
        (["Title", "Content "], ("Content ",)),
        (["department", "title", "ask", "answer"], ("ask", "answer")),
        (["question", "answer"], ("question", "answer")),
        (["instruction", "input", "output"], ("instruction", "input", "output")),
        (["text", "content"], ("text",)),
        (["正文", "標題"], ("正文",)),
    ],
)
def test_usual_names_of_text_are_found(names, text):
    assert choose(Fields(), names).text == text


def test_usual_names_of_the_rest_are_found():
    found = choose(Fields(), ["标题", "正文", "网址", "发布时间", "update_time"])
    assert found == Columns(("正文",), "标题", "网址", "发布时间", "update_time")


def test_the_recipe_names_fields():
    fields = Fields(text=["a", "b"], id="Key", title="t", original_time="when")
    found = choose(fields, ["key", "a", "b", "t", "when", "text", "title"])
    assert found == Columns(("a", "b"), "t", None, "when", None, "key")


@pytest.mark.parametrize("fields", [Fields(), Fields(text="story"), Fields(text=["q", "story"])])
def test_no_text_field_is_said_with_the_fields_there_are(fields):
    assert choose(fields, ["id", "q"]) is None
    assert "found: id, q" in missing(fields, ["id", "q"])
    assert "fields.text" in missing(fields, [])


def test_only_textual_columns_hold_the_text():
    assert choose(Fields(), ["text", "content", "id"], ["content"]).text == ("content",)


@pytest.mark.parametrize(
    ("values", "text"),
    [(["a"], "a"), (["问", "答"], "问\n答"), (["问", ""], "问"), ([None], None), (["a", 1], None), ([["a"]], None)],
)
def test_texts_are_joined_by_line_breaks(values, text):
    assert text_of(values) == text


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2023-04-01", datetime(2023, 4, 1, tzinfo=UTC)),
        ("2023-04-01T08:30:00+08:00", datetime(2023, 4, 1, 0, 30, tzinfo=UTC)),
        ("2023-04-01 08:30:00", datetime(2023, 4, 1, 8, 30, tzinfo=UTC)),
        ("2023-04-01T08:30:00Z", datetime(2023, 4, 1, 8, 30, tzinfo=UTC)),
        ("20230401", datetime(2023, 4, 1, tzinfo=UTC)),
        ("2023年4月1日", datetime(2023, 4, 1, tzinfo=UTC)),
        ("发布于 2023 年 4 月 1 日 08:30", datetime(2023, 4, 1, 8, 30, tzinfo=UTC)),
        ("2023/4/1 8:30", datetime(2023, 4, 1, 8, 30, tzinfo=UTC)),
        ("2023.4.1", datetime(2023, 4, 1, tzinfo=UTC)),
        (1680307200, datetime(2023, 4, 1, tzinfo=UTC)),
        (1680307200000, datetime(2023, 4, 1, tzinfo=UTC)),
        (date(2023, 4, 1), datetime(2023, 4, 1, tzinfo=UTC)),
        (datetime(2023, 4, 1, 8), datetime(2023, 4, 1, 8, tzinfo=UTC)),
        (datetime(2023, 4, 1, 8, tzinfo=timezone(timedelta(hours=8))), datetime(2023, 4, 1, tzinfo=UTC)),
        ("2023年13月40日", None),
        ("昨天", None),
        ("", None),
        (None, None),
        (True, None),
        (5, None),
        (float("nan"), None),
        (["2023-04-01"], None),
        ("x" * 1000, None),
    ],
)
def test_times_are_parsed_or_null(value, time):
    assert parse_time(value) == time
