"""A file read in parts gives what it gives as a whole: records, ordinals, ids, encoding, bad records, its account."""

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests_support import article, call

from pipeline import parts
from pipeline.curation import Curation
from pipeline.engine import ReadJob, documents_of, group_files, read_shard, with_borders
from pipeline.readers import jsonl
from pipeline.storage import read_columns, sha256_file
from schemas.decision import FILES
from schemas.document import DOCUMENT
from schemas.errors import SourceError
from schemas.source import Fields, InputFile, Limits, Source

TEXT = "国家保障自然资源的合理利用，保护珍贵的动物和植物。"
LIMIT = 300
lines = st.lists(
    st.one_of(
        st.integers(0, 99).map(lambda n: json.dumps({"text": TEXT[: n % 25 + 1], "n": n}, ensure_ascii=False)),
        st.sampled_from(
            [
                "",
                "  \t",
                "no json",
                "[1]",
                '{"text": null}',
                '{"content": "别的名字"}',
                '{"content": "两个", "text": "名字"}',
                '{"title": "无文"}',
                json.dumps({"text": "长" * 99}),
                " " * (LIMIT + 1),
                '{"text": "\ufeff有标记"} ',
            ]
        ),
    ),
    max_size=40,
)


def read(path: Path, *, hashed: bool = True) -> tuple[list[int], list[Any]]:
    """Return how many documents each task reads of a file, and what comes out: documents, its account, bad records."""
    source = Source(id="s", path=".", license="CC0-1.0", fields=Fields())
    file = InputFile("s", path.name, str(path), path.stat().st_size, sha256_file(path) if hashed else "")
    jobs = [ReadJob(path, source, tuple(group), Limits(record_bytes=LIMIT), 8 << 30) for group in group_files([file])]
    outcomes: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    documents = [
        pa.Table.from_batches(documents_of(job, outcomes, bad), DOCUMENT).to_pylist() for job in with_borders(jobs)
    ]
    files = parts.joined(pa.Table.from_pylist(outcomes, FILES)).to_pylist()
    return [len(rows) for rows in documents], [[row for rows in documents for row in rows], files, bad]


def both(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, size: int) -> tuple[int, list[Any]]:
    """Read content whole and in parts of a size; assert that both are alike; return how many parts and what came."""
    path = folder / name
    path.write_bytes(content)
    monkeypatch.setattr(parts, "PART_BYTES", 1 << 30)
    one, whole = read(path)
    assert len(one) == 1
    monkeypatch.setattr(parts, "PART_BYTES", size)
    for hashed in (True, False):
        counts, found = read(path, hashed=hashed)
        expected = [dict(row, sha256=row["sha256"] if hashed else None) for row in whole[1]]
        assert found == [whole[0], expected, whole[2]]
    return len(counts), whole


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]), st.integers(10, 600))
def test_json_lines_in_parts(tmp_path, monkeypatch, lines, end, encoding, size):
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 200)
    content = end.join(lines).encode(encoding, "replace")
    count, _ = both(tmp_path, monkeypatch, "a.jsonl", content, size)
    assert count == max(1, len(content) // size)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([TEXT, "短", "", None, "长" * 150]), max_size=60),
    st.sampled_from([pa.string(), pa.large_string(), pa.binary()]),
    st.integers(1, 20),
    st.integers(60, 900),
)
def test_parquet_in_parts(tmp_path, monkeypatch, texts, kind, group, size):
    table = pa.table({"text": pa.array(texts, pa.string()).cast(kind), "n": range(len(texts))})
    stream = io.BytesIO()
    pq.write_table(table, stream, row_group_size=group)
    both(tmp_path, monkeypatch, "a.parquet", stream.getvalue(), size)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("array.jsonl", json.dumps([{"text": TEXT} for _ in range(20)], indent=1).encode()),
        ("packed.jsonl", b"\x1f\x8b\x08" + bytes(400)),
        ("picture.jsonl", b"\x89PNG\r\n\x1a\n" + bytes(400)),
        ("cut.parquet", b"PAR1" + bytes(400)),
        (
            "mixed.jsonl",
            (json.dumps({"text": TEXT}, ensure_ascii=False) + "\n").encode() * 9 + b'{"text": "\xff\xfe"}\n',
        ),
    ],
)
def test_what_cannot_be_parted_is_read_whole(tmp_path, monkeypatch, name, content):
    count, (_, files, _) = both(tmp_path, monkeypatch, name, content, 100)
    assert count > 1
    assert len(files) == 1


def test_each_part_reads_its_own_share(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 1000)
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"{TEXT}{n}"}) + "\n" for n in range(100)), "utf-8")
    counts, _ = read(path)
    assert sum(counts) == 100
    assert len(counts) > 5
    assert max(counts) <= 100 // len(counts) + 2


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_changes_stops_the_parts_it_concerns(tmp_path, monkeypatch, name, when):
    monkeypatch.setattr(parts, "PART_BYTES", 1000)
    monkeypatch.setattr(parts, "EDGE", 100)
    path = tmp_path / name
    rows = [{"text": f"{TEXT}{n}"} for n in range(100)]
    if name == "a.jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=10, compression="none", use_dictionary=False)
    source = Source(id="s", path=".", license="CC0-1.0")
    file = InputFile("s", name, str(path), path.stat().st_size, sha256_file(path))
    jobs = [ReadJob(tmp_path / f"{n}", source, tuple(g), Limits(), 8 << 30) for n, g in enumerate(group_files([file]))]
    ready = with_borders(jobs) if when == "after" else jobs
    content = path.read_bytes()
    at = content.index(f"{TEXT}50".encode())
    path.write_bytes(content[:at] + "某".encode() + content[at + 3 :])
    changed = "was changed or removed while the run was reading it"
    if when == "before":
        with pytest.raises(SourceError, match=changed):
            with_borders(ready)
        return
    outcomes = [raised(partial(read_shard, job)) for job in ready]
    assert [changed in told for told in outcomes if told] == [True]


def raised(work: Callable[[], object]) -> str:
    try:
        work()
    except SourceError as error:
        return str(error)
    return ""


def test_a_run_is_the_same_in_parts(make_corpus: Callable[..., Path], curate_here: Callable[..., dict], monkeypatch):
    rows = [json.dumps({"text": article(n)}, ensure_ascii=False) for n in range(20)]
    content = "\n".join([*rows[:9], "{broken", *rows[9:], rows[3]]) + "\n"
    found = []
    for name, size in (("whole", 1 << 30), ("parts", 2000)):
        monkeypatch.setattr(parts, "PART_BYTES", size)
        recipe = make_corpus({"a.jsonl": content, "b.txt": article(77)}, name=name)
        summary = curate_here(recipe)
        assert not Curation.open(recipe).read_jobs()
        folder = Path(summary["ledger"]).parent
        ledgers = [read_columns(path) for path in sorted((folder / "ledger").iterdir())]
        tables = [read_columns(folder / f"{table}.parquet") for table in ("files", "quarantine")]
        counts = {key: summary[key] for key in ("read", "published", "files")}
        found.append((len(ledgers), counts, [table.to_pylist() for table in (pa.concat_tables(ledgers), *tables)]))
    assert found[0][0] == 1
    assert found[1][0] > 3
    assert found[0][1:] == found[1][1:]


def test_an_id_that_two_parts_share_is_published_once(make_corpus, curate_here, monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 2000)
    rows = [json.dumps({"key": n % 12, "text": article(n)}, ensure_ascii=False) for n in range(20)]
    recipe = make_corpus(
        {"a.jsonl": "\n".join(rows)},
        "dataset: test/corpus\nsources:\n  - {id: raw, path: raw, license: public-domain, fields: {id: key}}\n"
        "publish: {license: public-domain}\n",
    )
    summary = curate_here(recipe)
    assert (summary["read"], summary["published"]) == (20, 12)
    rules = [
        rule for path in Path(summary["ledger"]).iterdir() for rule in read_columns(path).column("rule").to_pylist()
    ]
    assert rules.count("id.repeated") == 8


@pytest.mark.parametrize("options", [(), ("--id-column", "n")])
def test_ingest_gives_the_same_documents_in_parts(tmp_path, monkeypatch, capsys, options):
    path = tmp_path / "in" / "a.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps({"n": n % 90, "text": f"{TEXT}{n}"}) + "\n" for n in range(100)), "utf-8")
    found = []
    for size, workers in ((1 << 30, 1), (1000, 1), (1000, 2)):
        monkeypatch.setattr(parts, "PART_BYTES", size)
        out = tmp_path / f"{size}-{workers}"
        status, said, told = call(capsys, "ingest", path.parent, "-o", out, "--workers", workers, *options)
        assert status == 0, told
        assert json.loads(said)["files"] == 1, said
        files = sorted((out / "documents").iterdir())
        assert (len(files) > 1) == (size == 1000 and not options)
        tables = [pa.concat_tables(map(read_columns, files))]
        tables += [read_columns(out / f"{name}.parquet") for name in ("files", "quarantine")]
        found.append([table.to_pylist() for table in tables])
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == (90 if options else 100)
