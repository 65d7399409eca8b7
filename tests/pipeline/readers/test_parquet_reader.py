import datetime
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.source import Limits

TEXTS = ["第一篇文章的内容。", "第二篇文章的内容。", "第三篇文章的内容。"]


def parquet(columns, **options):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "dtype",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()), pa.binary()],
    ids=str,
)
def test_every_kind_of_text_column_is_read(read, dtype):
    values = [text.encode() for text in TEXTS] if dtype == pa.binary() else TEXTS
    column = pa.array(values).dictionary_encode() if pa.types.is_dictionary(dtype) else pa.array(values, dtype)
    found = read("a.parquet", parquet({"n": [1, 2, 3], "content": column}))
    assert found.texts == TEXTS
    assert found.outcome["outcome"] == "ok"


@pytest.mark.parametrize(("codec", "name"), [("gb18030", "gb18030"), ("utf-8", "utf-8")])
def test_binary_columns_are_decoded(read, codec, name):
    found = read("a.parquet", parquet({"text": pa.array([(text * 9).encode(codec) for text in TEXTS], pa.binary())}))
    assert found.texts == [text * 9 for text in TEXTS]
    assert found.outcome["encoding"] == name


def test_null_and_empty_texts_are_quarantined(read):
    found = read("a.parquet", parquet({"text": [TEXTS[0], None, "", TEXTS[2]]}))
    assert [row["record"] for row in found.rows] == [0, 3]
    assert [(row["record"], row["reason"]) for row in found.quarantine] == [
        (1, "the text in 'text' is null"),
        (2, "the text in 'text' is empty"),
    ]
    assert found.outcome["outcome"] == "partial"


def test_title_url_time_and_id_are_mapped(read):
    table = {
        "key": [11],
        "内容": [TEXTS[0]],
        "标题": ["题"],
        "url": ["https://example.org"],
        "date": [datetime.date(2023, 4, 1)],
        "updated_at": [datetime.datetime(2023, 4, 2, 8)],
    }
    (row,) = read("a.parquet", parquet(table), id="key", raw_ids=True).rows
    assert (row["id"], row["title"], row["url"]) == ("11", "题", "https://example.org")
    assert row["original_time"] == datetime.datetime(2023, 4, 1, tzinfo=datetime.UTC)
    assert row["last_modified_time"] == datetime.datetime(2023, 4, 2, 8, tzinfo=datetime.UTC)


def test_a_text_over_the_limit_is_quarantined(read):
    found = read("a.parquet", parquet({"text": [TEXTS[0], "长" * 1000]}), limits=Limits(record_bytes=2000))
    assert found.texts == TEXTS[:1]
    assert "3,000 bytes, over limits.record_bytes 2,000" in found.quarantine[0]["reason"]


def test_many_row_groups_keep_their_order(read):
    texts = [f"第{i}篇" for i in range(1000)]
    found = read("a.parquet", parquet({"text": texts}, row_group_size=7))
    assert found.texts == texts
    assert [row["record"] for row in found.rows] == list(range(1000))


@pytest.mark.parametrize("columns", [{"x": [1, 2]}, {"text": [1, 2]}, {"text": [["a"], ["b"]]}])
def test_no_text_column_is_said_with_the_columns_there_are(read, columns):
    found = read("a.parquet", parquet(columns))
    assert found.outcome["outcome"] == "failed"
    assert f"found: {next(iter(columns))} (" in found.outcome["reason"]


def test_no_rows_are_empty(read):
    assert read("a.parquet", parquet({"text": pa.array([], pa.string())})).outcome["outcome"] == "empty"


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-8] + bytes(8),
        lambda raw: raw[:-30] + bytes(22) + raw[-8:],
        lambda raw: raw[:-4],
    ],
    ids=["cut", "no-magic", "zeroed-footer", "no-end"],
)
def test_a_damaged_file_is_failed(read, damage):
    found = read("a.parquet", damage(parquet({"text": TEXTS})))
    assert found.outcome["outcome"] == "failed"
    assert "fetch the file again" in found.outcome["reason"]


def test_damaged_pages_keep_what_was_read_before(read):
    raw = bytearray(parquet({"text": [f"{i:09}" * 99 for i in range(9000)]}, row_group_size=3000, use_dictionary=False))
    raw[len(raw) * 3 // 4 : len(raw) * 3 // 4 + 2000] = bytes(2000)
    found = read("a.parquet", bytes(raw))
    assert found.outcome["outcome"] in {"partial", "failed"}
    assert "damaged from row" in found.outcome["reason"]


def test_a_parquet_file_under_another_name_is_read(read):
    assert read("a.txt", parquet({"text": TEXTS})).texts == TEXTS


def test_strings_that_are_no_utf8_are_read_with_replacement(read):
    good = parquet({"text": ["好的文本", "BADBYTES"]}, compression="none", use_dictionary=False, write_statistics=False)
    found = read("a.parquet", good.replace(b"BADBYTES", b"\xff\xfeDBYTES"))
    assert found.texts == ["好的文本", "\ufffd\ufffdDBYTES"]
    assert "no UTF-8" in found.outcome["reason"]
