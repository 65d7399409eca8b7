import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.readers.table import is_open, sniff_delimiter


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_quoted_line_breaks_in_every_encoding(read, codec, end):
    content = f'编号,标题,内容{end}1,高血压,"问：怎么办？{end}答：多休息，少吃盐。"{end}2,感冒,多喝热水就好了。{end}'
    found = read("a.csv", content.encode(codec))
    assert found.texts == ["问：怎么办？\n答：多休息，少吃盐。", "多喝热水就好了。"]
    assert [row["title"] for row in found.rows] == ["高血压", "感冒"]
    assert found.outcome["outcome"] == "ok"


def test_several_text_columns_are_joined(read):
    found = read("a.csv", "department,title,ask,answer\n内科,标题,问题,回答\n".encode())
    assert found.texts == ["问题\n回答"]


def test_rows_too_short_are_quarantined_and_extra_columns_do_no_harm(read):
    found = read("a.csv", b"id,text,src\n1,one,a\n2\n3,three,b,extra,more\n")
    assert found.texts == ["one", "three"]
    assert [(row["record"], row["reason"].startswith("no text field")) for row in found.quarantine] == [(1, True)]
    assert [row["record"] for row in found.rows] == [0, 2]


def test_a_stray_quote_costs_no_other_record(read):
    rows = "".join(f"{i},记录{i}\n" for i in range(3000))
    found = read("a.csv", ('id,text\ny,5" 屏幕\nx,"引号没有关\n' + rows).encode())
    assert found.texts[:3] == ['5" 屏幕', '"引号没有关', "记录0"]
    assert len(found.texts) == 3002


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "id\ttext\n1\t一,二\n"),
        ("a.csv", "id\ttext\n1\t一,二\n"),
        ("a.csv", "id;text\n1;一,二\n"),
        ("a.csv", 'id|"text"\n1|一,二\n'),
        ("a.tsv", 'id,text\n1,"一,二"\n'),
    ],
)
def test_the_delimiter_is_seen_from_the_header(read, name, content):
    assert read(name, content.encode()).texts == ["一,二"]


@pytest.mark.parametrize(("header", "delimiter"), [("a,b;c,d", ","), ('"a,b,c"\tb', "\t"), ("text", ",")])
def test_delimiters_inside_quotes_do_not_count(header, delimiter):
    assert sniff_delimiter(header) == delimiter


def test_a_table_without_a_text_column_names_its_columns(read):
    found = read("a.csv", "编号,数值\n1,2\n".encode())
    assert found.outcome["outcome"] == "failed"
    assert "found: 编号, 数值" in found.outcome["reason"]


@pytest.mark.parametrize("content", ["id,text\n", "编号,标题,内容", "\n\nid,text\n\n"])
def test_a_header_alone_is_empty(read, content):
    assert read("a.csv", content.encode("gb18030")).outcome["outcome"] == "empty"


def test_a_large_field_is_read_and_one_over_the_limit_is_not(read):
    from schemas.source import Limits

    content = "text\n" + "长" * 200_000 + "\n短\n" + "超" * 500_000 + "\n"
    found = read("a.csv", content.encode(), limits=Limits(record_bytes=1_000_000))
    assert [len(text) for text in found.texts] == [200_000, 1]
    assert "record_bytes" in found.quarantine[0]["reason"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('1,"a', True),
        ('1,"a"', False),
        ('1,"a""', True),
        ('1,"a"""', False),
        ('1,a"b', False),
        ('"a","b', True),
        ('"a,b",c"d', False),
        ("", False),
    ],
)
def test_only_a_quote_at_the_beginning_of_a_field_opens_it(line, found):
    assert is_open(line, ",") is found


@given(
    st.lists(st.lists(st.text("文字,\"\n ;'", max_size=12), min_size=2, max_size=2), min_size=1, max_size=20),
    st.sampled_from(",\t;|"),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_the_csv_module_writes_is_read_back(read, rows, delimiter):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["text", "title"], *rows])
    wanted = [text for text, _ in rows if text.strip()]
    assert read("a.csv", out.getvalue().encode()).texts == wanted


def test_a_table_of_two_encodings_is_read_whole(read):
    rows = "".join(f"第{number}条,国家保护公民的合法权益，任何组织和个人不得侵犯{number}。\n" for number in range(30))
    found = read("a.csv", "标题,正文\n".encode("gb18030") + rows.encode())
    assert (found.outcome["records"], found.rows[0]["title"]) == (30, "第0条")
    assert "two encodings in one file" in found.outcome["reason"]


def test_a_table_in_gbk_behind_a_mark_of_utf8_is_read(read):
    table = "标题,正文\n" + "第一条,国家保护公民的合法权益。\n" * 9
    found = read("a.csv", b"\xef\xbb\xbf" + table.encode("gb18030"))
    assert (found.outcome["outcome"], found.outcome["encoding"], found.outcome["bom"]) == ("ok", "gb18030", True)
    assert found.rows[0]["title"] == "第一条"
