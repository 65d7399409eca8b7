import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.jsonl import Rows
from pipeline.readers.reader import Bad, Intake
from schemas.source import Fields, Limits

ROWS = [{"id": i, "text": f"第{i}条记录的正文。", "url": f"https://example.org/{i}"} for i in range(5)]
TEXTS = [row["text"] for row in ROWS]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.replace("\n", "\r\n"),
        LINES.rstrip("\n"),
        json.dumps(ROWS),
        json.dumps(ROWS, ensure_ascii=False, indent=2),
        "[\n" + LINES.strip().replace("\n", ",\n") + "\n]\n",
        json.dumps({"total": 5, "data": ROWS}),
        json.dumps({"data": ROWS, "tags": ["a", "b"]}, indent=1),
        "".join(json.dumps(row, indent=2) for row in ROWS),
    ],
    ids=["lines", "crlf", "no-end", "array", "pretty-array", "array-of-lines", "frame", "pretty-frame", "values"],
)
def test_lines_arrays_and_frames_are_read_under_either_name(read, name, content):
    found = read(name, content.encode())
    assert found.texts == TEXTS
    assert found.outcome["outcome"] == "ok"
    assert [row["record"] for row in found.rows] == [0, 1, 2, 3, 4]
    assert found.rows[3]["url"] == "https://example.org/3"


@pytest.mark.parametrize("codec", ["utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_json_in_other_encodings_is_read(read, codec):
    assert read("a.jsonl", LINES.encode(codec)).texts == TEXTS
    assert read("a.json", json.dumps(ROWS, ensure_ascii=False).encode(codec)).texts == TEXTS


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "写到一半', "no valid JSON"),
        ('{"text": "尾随逗号"},', "no valid JSON"),
        ("{'text': '单引号'}", "no valid JSON"),
        ("\0\0\0", "no valid JSON"),
        ("[" * 100000, "nested too deeply"),
        ("null", "NoneType where an object"),
        ("[]", "list where an object"),
        ("12", "int where an object"),
        ('"文"', "str where an object"),
        ('{"id": 1}', "no text field 'text'"),
        ('{"text": null}', "is null"),
        ('{"text": 12345}', "no string but int"),
        ('{"text": ["a"]}', "no string but list"),
        ('{"text": " \\n"}', "is empty"),
    ],
)
def test_a_bad_line_is_quarantined_with_its_ordinal(read, line, words):
    found = read("a.jsonl", (LINES + line + "\n" + LINES).encode())
    assert found.texts == TEXTS * 2
    assert [(row["record"], words in row["reason"]) for row in found.quarantine] == [(5, True)]
    assert [row["record"] for row in found.rows] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert found.outcome["outcome"] == "partial"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (r'{"text": "\u4e2d\u6587"}', "中文"),
        (r'{"text": "\ud842\udfb7"}', "𠮷"),
        (r'{"text": "孤\ud842"}', "孤\ufffd"),
        (r'{"text": "零\u0000字"}', "零字"),
        ('{"text": "制\t表"}', "制\t表"),
        ('{"text": "数", "n": NaN}', "数"),
    ],
)
def test_escapes_and_raw_controls_are_read(read, line, text):
    assert read("a.jsonl", line.encode()).texts == [text]
    assert read("a.jsonl", (line + "\n" + LINES).encode()).texts == [text, *TEXTS]


def test_what_follows_a_broken_array_value_is_reported_lost(read):
    found = read("a.json", json.dumps(ROWS, ensure_ascii=False)[:-30].encode())
    assert found.texts == TEXTS[:4]
    assert "no valid JSON" in found.outcome["reason"]


@pytest.mark.parametrize("content", ['{"a": [1, 2, ', "[", '[{"text": "没有关上"}'])
def test_json_that_does_not_close_is_reported(read, content):
    found = read("a.json", content.encode())
    assert found.outcome["outcome"] in {"failed", "partial"}
    assert found.outcome["bad_records"] == 1


def test_values_longer_than_a_block_are_read(read):
    rows = [{"text": "长" * 900_000}, {"text": "短"}, {"text": "长" * 900_000}]
    assert [len(text) for text in read("a.json", json.dumps(rows).encode()).texts] == [900_000, 1, 900_000]


def test_a_value_over_the_limit_ends_the_array(read):
    content = json.dumps([{"text": "短"}, {"text": "a" * 5_000_000}])
    found = read("a.json", content.encode(), limits=Limits(record_bytes=1_000_000))
    assert found.texts == ["短"]
    assert found.outcome["outcome"] == "partial"
    assert "a record over limits.record_bytes 1,000,000; what follows" in found.outcome["reason"]


@pytest.mark.parametrize("frame", ["%s", "[%s]", '{"rows": [%s]}'])
@pytest.mark.parametrize("size", [20_000, 3_000_000])
def test_a_json_file_of_one_line_over_the_limit_is_told_the_limit(read, frame, size):
    content = frame % json.dumps({"text": "长" * size}, ensure_ascii=False)
    found = read("a.json", content.encode(), limits=Limits(record_bytes=10_000))
    assert found.outcome["outcome"] == "failed"
    assert "limits.record_bytes 10,000" in found.outcome["reason"]
    assert "Unterminated" not in found.outcome["reason"]


def test_a_broken_value_before_much_else_is_not_called_too_long(read):
    content = '[{"text": nothing}, ' + json.dumps({"text": "长" * 3_000_000}) + "]"
    found = read("a.json", content.encode(), limits=Limits(record_bytes=10_000))
    assert "no valid JSON (Expecting value" in found.outcome["reason"]


@given(st.lists(st.dictionaries(st.sampled_from(["text", "id", "标题"]), st.text(max_size=9)), max_size=8))
def test_records_and_bad_records_add_up(rows):
    reader = Rows(Intake("a", Fields(), Limits(), "jsonl"))
    for number, row in enumerate(rows):
        record = reader.record(number, row)
        assert isinstance(record, Bad) == (not row.get("text", "").strip())
        assert record.record == number


def test_fields_that_come_later_are_seen():
    reader = Rows(Intake("a", Fields(), Limits(), "jsonl"))
    assert reader.record(0, {"text": "一"}).title is None
    assert reader.record(1, {"text": "二", "title": "题"}).title == "题"
    assert isinstance(reader.record(2, {"content": "别的字段"}), Bad)


def test_fields_may_lie_inside_of_others(read):
    lines = (
        b'{"data":{"body":{"content":"one"},"meta":{"title":"first"}},"key":{"id":7}}\n'
        b'{"data":{"body":{"content":"two"}},"key":{"id":8}}\n'
        b'{"data":{"body":"three"},"key":{"id":9}}\n{"data.body.content":"four","key":{"id":10}}\n'
    )
    found = read("a.jsonl", lines, text="data.body.content", title="data.meta.title", id="key.id", raw_ids=True)
    assert found.texts == ["one", "two", "four"]
    assert [(row["id"], row["title"]) for row in found.rows] == [("7", "first"), ("8", None), ("10", None)]
    assert [row["record"] for row in found.quarantine] == [2]


def test_the_strings_of_a_list_are_one_text(read):
    lines = b'{"turns":[{"text":"ask"},{"role":"x"},{"text":"answer"}]}\n{"turns":[]}\n{"turns":[{"text":1}]}\n'
    found = read("a.jsonl", lines, text="turns[].text")
    assert found.texts == ["ask\nanswer"]
    assert [row["record"] for row in found.quarantine] == [1, 2]
    nested = b'{"pages":[{"lines":[{"text":"a"},{"text":"b"}]},{"lines":[{"text":"c"}]}]}'
    assert read("b.json", nested, text="pages[].lines[].text").texts == ["a\nb\nc"]
