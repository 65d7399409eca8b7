"""Tables read in bulk give what they give record by record."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.readers import jsonl, reading
from pipeline.readers.block import Block
from pipeline.readers.reading import read_file
from schemas.document import DOCUMENT
from schemas.source import Fields, InputFile, Limits, Source

TEXT = "国家保障自然资源的合理利用，保护珍贵的动物和植物。"
texts = st.one_of(
    st.text(st.sampled_from("汉字文本，。 \t\n\r\0\ufeff\u3000あ“abc1😀"), max_size=12),
    st.sampled_from([TEXT, "\ufeff" + TEXT, "第一行\r\n第二行\r第三行", " \u3000", "", "\x85\x1c"]),
)
times = st.sampled_from(["2023年4月1日", "2024-01-02T03:04:05+08:00", "not a time", 1700000000, None, ""])
odd = st.sampled_from([None, 7, 1.5, True, ["x"], {"a": 1}, 1 << 70])

WHOLE = reading.Reading._whole


def mostly(usual: st.SearchStrategy[Any], unusual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 19).flatmap(lambda dice: unusual if dice == 7 else usual)


rows = st.fixed_dictionaries(
    {"id": mostly(st.integers(0, 400).map(str), odd), "text": mostly(texts, odd)},
    optional={
        "title": mostly(st.sampled_from(["标题", " 标题 ", "", "\u3000"]), odd),
        "headline": st.just("别的标题"),
        "Title": st.just("另一种写法"),
        "url": mostly(st.just("https://example.org/1"), odd),
        "time": mostly(times, odd),
        "extra": st.one_of(st.text(max_size=3), st.integers(), st.none()),
    },
)
BROKEN = """\

  \x20
no json
{"id": "x", "text": "\\ud800"}
{"id": "y", "text": "甲"} {"id": "z", "text": "乙"}
[1]
{"id": "d", "id": "e", "text": "重复的键"}
{"id": "n", "text": NaN}
{"id": "t", "text": "制\t表"}
{
{"id": "w", "title": "\\udc00", "text": "标题有孤立的代理字符"}
{"id": "\\udc00", "text": "编号有孤立的代理字符"}
"""
broken = st.sampled_from([*BROKEN.split("\n"), json.dumps({"id": "big", "text": "长" * 900})])
lines = st.lists(mostly(rows.map(lambda row: json.dumps(row, ensure_ascii=False)), broken), max_size=60)


def both_ways(
    monkeypatch: pytest.MonkeyPatch, path: Path, fields: Fields, *, raw_ids: bool = True, limit: int = 2000
) -> tuple[int, list[Any]]:
    """Read a file in bulk and record by record; return how many blocks were taken whole, and both results."""
    taken = 0
    results = []

    def counted(self: reading.Reading, block: Block) -> pa.RecordBatch | None:
        nonlocal taken
        found = WHOLE(self, block)
        taken += found is not None
        return found

    for function in (counted, lambda *_: None):
        monkeypatch.setattr(reading.Reading, "_whole", function)
        source = Source(id="s", path=["x"], fields=fields, license="internal")
        file = InputFile("s", path.name, str(path), path.stat().st_size, "")
        found = read_file(file, source, Limits(record_bytes=limit), raw_ids=raw_ids)
        documents = pa.Table.from_batches(list(found), DOCUMENT)
        documents.validate(full=True)
        results.append((documents.to_pylist(), found.outcome, found.quarantine))
    return taken, results


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans(), st.sampled_from([60, 300, 1 << 20]))
def test_json_lines_in_blocks_give_what_single_records_give(tmp_path, monkeypatch, lines, end, named, mark, size):
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", size)
    path = tmp_path / "a.jsonl"
    path.write_bytes((("\ufeff" if mark else "") + end.join(lines)).encode("utf-8"))
    fields = Fields(id="id", text="text", original_time="time") if named else Fields()
    _, (bulk, single) = both_ways(monkeypatch, path, fields)
    assert bulk == single


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 60), mostly(texts, st.none()), st.sampled_from(["题", " ", None])), max_size=30),
    st.sampled_from([pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]),
    st.sampled_from([pa.int64(), pa.string()]),
    st.booleans(),
)
def test_parquet_in_blocks_gives_what_single_records_give(tmp_path, monkeypatch, rows, kind, key, raw):
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    ids = pa.array(columns[0], pa.int64()).cast(key)
    values = pa.array(columns[1], pa.string())
    values = values.dictionary_encode() if pa.types.is_dictionary(kind) else values.cast(kind)
    table = pa.table({"id": ids, "text": values, "title": pa.array(columns[2], pa.string())})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=7)
    _, (bulk, single) = both_ways(monkeypatch, tmp_path / "a.parquet", Fields(id="id"), raw_ids=raw)
    assert bulk == single


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_good_tables_are_read_in_bulk(tmp_path, monkeypatch, name):
    rows = [{"id": str(n), "text": f"第{n}篇，{TEXT}", "title": None, "time": "2024-01-02"} for n in range(300)]
    if name == "a.jsonl":
        monkeypatch.setattr(jsonl, "BLOCK_BYTES", 4000)
        (tmp_path / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name, row_group_size=50)
    taken, (bulk, single) = both_ways(monkeypatch, tmp_path / name, Fields(id="id"))
    assert taken == (1 if name == "a.parquet" else 12)
    assert len(bulk[0]) == 300
    assert bulk == single


def test_bytes_that_are_no_utf8_in_a_string_column_are_read_with_a_loss(tmp_path, monkeypatch):
    raw = pa.array([TEXT.encode(), b"\xd6\xd0\xb9\xfa" * 9], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": broken}), stream)
    (tmp_path / "a.parquet").write_bytes(stream.getvalue())
    taken, (bulk, single) = both_ways(monkeypatch, tmp_path / "a.parquet", Fields())
    assert (taken, bulk) == (0, single)
    assert "no UTF-8" in bulk[1]["reason"]


def test_tables_of_the_evaluation_tree_are_read_alike(monkeypatch: pytest.MonkeyPatch, shared: Path):
    folder = shared / "data"
    found = [path for path in folder.rglob("*.jsonl.zst") if path.stat().st_size < 4_000_000]
    assert found
    blocks = 0
    for path in found:
        taken, (bulk, single) = both_ways(monkeypatch, path, Fields(), limit=1 << 24)
        assert bulk == single, path.name
        blocks += taken
    assert blocks > 10
