"""The work of each stage: read a shard's files; clean, measure and sign its documents; find pairs over all shards.

The only loop over batches.

A shard is a group of input files of one source (about 16 MB, so that the cost of a task is small beside its work).
Each stage writes a folder named by everything its content depends on, its report last: a folder with a report is done,
and whoever needs the same content again, in this run or a later one, finds it.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import parts
from pipeline.keys import Rows, by_priority, greatest_first, words16
from pipeline.plan import ENGINE_COLUMNS, Plan
from pipeline.snapshot import Snapshot, check_unchanged
from pipeline.step import Step, apply
from pipeline.storage import (
    ParquetSink,
    batches,
    digest,
    read_columns,
    read_json,
    write_json,
    write_parquet,
)
from schemas.decision import FILES, QUARANTINE
from schemas.document import DOCUMENT, content_hashes
from schemas.errors import ContractError, ShardError
from schemas.recipe import Dedup
from schemas.source import InputFile, Limits, Source

if TYPE_CHECKING:
    from pipeline.publish.version import Version
    from pipeline.readers.reading import Reading

SHARD_BYTES = 16 << 20
SHARD_FILES = 1024
REPORT = "report.json"
GROUPS = pa.schema([pa.field("group", pa.int64(), nullable=False)])


@dataclass(frozen=True)
class Shard:
    """A group of input files of one source and batch, in uri order, with the keys of its two stages."""

    number: int
    batch: int
    source: str
    files: tuple[InputFile, ...]
    read_key: str
    measure_key: str


@dataclass(frozen=True)
class ReadJob:
    """Everything `read_shard` needs: small, picklable, no data. `kept`: the documents are a result by themselves."""

    folder: Path
    source: Source
    files: tuple[InputFile, ...]
    limits: Limits
    memory: int
    raw_ids: bool = False
    kept: bool = False


@dataclass(frozen=True)
class MeasureJob:
    """Everything `measure_shard` needs. `max_id` bounds a sample: only ids up to it are measured.

    `dedup`: how documents are signed; None where nobody looks for duplicates. `columns`: those of `documents.parquet`
    that are wanted; None for all. `kept`: these are a result by themselves.
    """

    folder: Path
    read: Path
    steps: tuple[Step, ...]
    dedup: Dedup | None
    max_id: str | None
    memory: int
    columns: frozenset[str] | None = None
    kept: bool = False


@dataclass(frozen=True)
class PairsJob:
    """Everything `find_pairs_of` needs: measured folders with the ranks of their sources, and the version whose
    documents stay, if any.
    """  # noqa: D205

    folder: Path
    measured: tuple[Path, ...]
    ranks: tuple[int, ...]
    published: "Version | None"
    dedup: Dedup
    threads: int
    memory: int


def plan_shards(plan: Plan, snapshot: Snapshot, numbers: Iterable[int]) -> list[Shard]:
    """Group the files of some batches into shards, in (batch, source, uri) order."""
    shards: list[Shard] = []
    for batch in sorted(numbers):
        shards += [
            _shard(plan, len(shards) + i, batch, group) for i, group in enumerate(group_files(snapshot.batch(batch)))
        ]
    return shards


def group_files(files: Sequence[InputFile], *, parted: bool = True) -> Iterator[list[InputFile]]:
    """Yield files in order in groups of one source, about `SHARD_BYTES` and at most `SHARD_FILES` each.

    A part of a large file is a group by itself; `parted`: whether there are such.
    """
    group: list[InputFile] = []
    size = 0
    for file in chain.from_iterable(map(parts.planned, files)) if parted else files:
        full = size + file.bytes > SHARD_BYTES or len(group) >= SHARD_FILES or file.part is not None
        if group and (full or group[0].source != file.source or group[0].part is not None):
            yield group
            group, size = [], 0
        group.append(file)
        size += file.bytes
    if group:
        yield group


def _shard(plan: Plan, number: int, batch: int, group: list[InputFile]) -> Shard:
    source = plan.source(group[0].source)
    read_key = digest("read", plan.reading_identity(source), [(f.uri, f.sha256, *parts.name(f)) for f in group])
    measure_key = digest("measure", read_key, plan.measuring_identity(source.id))
    return Shard(number, batch, source.id, tuple(group), read_key, measure_key)


def with_borders(jobs: Iterable[ReadJob]) -> list[ReadJob]:
    """Return jobs of reading that can be handed out: large files that they read parts of are looked through first.

    Raises SourceError where such a file is not what the snapshot hashed.
    """
    cut: dict[tuple[str, str, str], list[InputFile]] = {}
    ready = []
    for job in jobs:
        file = job.files[0]
        if file.part is not None:
            key = (file.source, file.uri, file.sha256)
            if key not in cut:
                cut[key] = parts.cut(file, file.part.count, job.source, job.limits)
            job = replace(job, files=(cut[key][file.part.number],))
        ready.append(job)
    return ready


def is_done(folder: Path) -> bool:
    """Whether a stage's folder holds its report, which is written last."""
    return (folder / REPORT).exists()


def read_shard(job: ReadJob) -> dict[str, Any]:
    """Read the files of a shard into `documents.parquet`, `files.parquet`, `quarantine.parquet`; return the report.

    Bad files and records are accounted for in files and quarantine; nothing is raised for them.
    Raises ShardError when the memory ceiling is passed, naming the file.
    """
    started = time.perf_counter()
    outcomes: list[dict[str, Any]] = []
    quarantine: list[dict[str, Any]] = []
    documents = documents_of(job, outcomes, quarantine)
    rows = write_parquet(job.folder / "documents.parquet", DOCUMENT, documents, passing=not job.kept)
    write_parquet(job.folder / "files.parquet", FILES, [pa.Table.from_pylist(outcomes, FILES)])
    write_parquet(job.folder / "quarantine.parquet", QUARANTINE, [pa.Table.from_pylist(quarantine, QUARANTINE)])
    if sum(outcome["records"] for outcome in outcomes) != rows:
        raise ContractError(f"{job.files[0].uri} and {len(job.files) - 1} more files: records do not add up to {rows}")
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome["outcome"]] = counts.get(outcome["outcome"], 0) + 1
    report = {"rows": rows, "files": len(outcomes), "outcomes": counts, "quarantined": len(quarantine)}
    return _finish(job.folder, report, started)


def documents_of(
    job: ReadJob, outcomes: list[dict[str, Any]], quarantine: list[dict[str, Any]]
) -> Iterator[pa.RecordBatch]:
    """Yield the documents of a shard's files; what became of files and bad records is appended to the two lists.

    Those of small files come together: a batch a file costs more than the reading of a page.
    """
    from pipeline.readers.reading import BATCH_BYTES
    from pipeline.stores.remote import at_hand

    held: list[pa.RecordBatch] = []
    size = 0
    with at_hand(job.files, job.source) as files:
        for file, refused in files:
            reading = _reading_of(job, file, refused)
            for batch in reading:
                held.append(batch)
                size += batch.nbytes
                if size < BATCH_BYTES:
                    continue
                check_memory(
                    job.memory, f"reading {file.uri}", "lower `limits.record_bytes` in the recipe, or raise it"
                )
                yield pa.concat_batches(held)
                held, size = [], 0
            check_unchanged(file, job.source)
            outcomes.append(reading.outcome)
            quarantine.extend(reading.quarantine)
    if held:
        yield pa.concat_batches(held)


def _reading_of(job: ReadJob, file: InputFile, refused: str | None) -> "Reading":
    from pipeline.readers.reading import not_given, read_file, read_hub, read_sql

    if refused is not None:
        return not_given(file, job.source, job.limits, refused)
    if job.source.sql is not None:
        return read_sql(file, job.source, job.limits, raw_ids=job.raw_ids)
    if job.source.hub is None:
        return read_file(file, job.source, job.limits, raw_ids=job.raw_ids)
    hub = job.source.hub.model_copy(update={"name": file.path})
    source = job.source.model_copy(update={"hub": hub})
    return read_hub(source, job.limits, raw_ids=job.raw_ids, file=file)


def measure_shard(job: MeasureJob) -> dict[str, Any]:
    """Clean, measure and sign the documents that were read; return the report.

    Writes `documents.parquet` (cleaned text), `signals.parquet` and, where wanted, `signatures.parquet`, row for row.
    """
    started = time.perf_counter()
    hashed = [pa.field(name, dtype, nullable=False) for name, dtype in ENGINE_COLUMNS.items()]
    columns = [field for field in (*DOCUMENT, *hashed) if job.columns is None or field.name in job.columns]
    measured = [pa.field(name, dtype) for step in job.steps for name, dtype in step.adds.items()]
    signals_schema = pa.schema([DOCUMENT.field("id"), *measured])
    with (
        ParquetSink(job.folder / "documents.parquet", pa.schema(columns), passing=not job.kept) as documents,
        ParquetSink(job.folder / "signals.parquet", signals_schema, passing=True) as signals,
        _signing(job) as sign,
    ):
        for table in batches(job.read / "documents.parquet"):
            batch = _one_batch(_sampled(table, job.max_id))
            check_memory(job.memory, f"measuring {job.read.name}", "raise --memory")
            batch = apply(job.steps, batch)
            text = batch.column("text")
            sign(text)
            signals.write(batch.select(signals_schema.names))
            if hashed[0] in columns:
                batch = batch.append_column(hashed[0], content_hashes(text))
            if hashed[1] in columns:
                batch = batch.append_column(hashed[1], pc.binary_length(text).cast(pa.int64()))
            documents.write(batch.select([field.name for field in columns]))
    return _finish(job.folder, {"rows": documents.rows}, started)


@contextmanager
def _signing(job: MeasureJob) -> Iterator[Callable[[pa.Array], None]]:
    """Yield what signs a column of texts into `signatures.parquet`, or does nothing where nobody wants them signed."""
    if job.dedup is None:
        yield lambda _: None
        return
    from pipeline.dedup.signature import sign_for, signatures_schema

    dedup = job.dedup
    path = job.folder / "signatures.parquet"
    with ParquetSink(path, signatures_schema(dedup.permutations), passing=True) as signatures:
        yield lambda text: signatures.write(sign_for(dedup, text))


def _sampled(table: pa.Table, max_id: str | None) -> pa.Table:
    return table if max_id is None else table.filter(pc.less_equal(table.column("id"), max_id))


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    chunks = table.combine_chunks().to_batches()
    return chunks[0] if chunks else pa.RecordBatch.from_pylist([], table.schema)


def find_pairs_of(job: PairsJob) -> dict[str, Any]:
    """Find groups and verified pairs and write them, the report last.

    Rows are those of the published version, shard by shard, and then those of the measured folders.
    """
    from pipeline.dedup.buckets import Signed
    from pipeline.dedup.pairs import PAIRS, count_rows, fetch_parquet, find_pairs, in_threads, scratch_folder
    from pipeline.publish.indexing import index_version

    started = time.perf_counter()
    run = partial(in_threads, threads=job.threads)
    version = job.published
    segments = index_version(version, version.manifest.version, job.dedup, run).segments if version else ()
    texts = [folder / "documents.parquet" for folder in job.measured]
    with scratch_folder(job.folder, "pairs") as scratch:
        with Signed(scratch / "signed", job.dedup) as signed:
            for folder in job.measured:
                path = folder / "signatures.parquet"
                for table in batches(path):
                    signed.add(table, path)
            signed.done()
        found = find_pairs(
            signed,
            count_rows(texts),
            fetch_parquet(texts),
            job.dedup,
            against=segments,
            priority=partial(_by_priority, job),
            scratch=scratch,
            memory=job.memory,
            run=run,
        )
    groups, pairs = found.among(sum(map(len, segments)))
    write_parquet(job.folder / "groups.parquet", GROUPS, [pa.table({"group": groups}, schema=GROUPS)])
    write_parquet(job.folder / "pairs.parquet", PAIRS, [pairs])
    report = {"rows": len(groups), "pairs": pairs.num_rows, "seconds": round(time.perf_counter() - started, 3)}
    write_json(job.folder / REPORT, report)
    return report


def _by_priority(job: PairsJob, rows: Rows) -> Rows:
    """Return the order of ascending rows that the recipe's `dedup.keep` asks for, as places in them."""
    from pipeline.dedup.pairs import count_rows

    starts = count_rows([folder / "signals.parquet" for folder in job.measured])
    names = [name for name in job.dedup.keep if name not in ("id", "rank")]
    tables = []
    for n, edge in enumerate(np.searchsorted(rows, starts[:-1]).tolist()):
        here = rows[edge : int(np.searchsorted(rows, starts[n + 1]))] - starts[n]
        if len(here):
            table = read_columns(job.measured[n] / "signals.parquet", ["id", *names]).take(pa.array(here))
            tables.append(table.append_column("rank", pa.array(np.full(len(here), -float(job.ranks[n])))))
    table = pa.concat_tables(tables)
    keys = {name: greatest_first(table.column(name)) for name in ("rank", *names)}
    return by_priority(job.dedup.keep, keys, words16(table.column("id")))


def _finish(folder: Path, report: dict[str, Any], started: float) -> dict[str, Any]:
    report = {**report, "seconds": round(time.perf_counter() - started, 3), "peak_memory_bytes": peak_memory()}
    write_json(folder / REPORT, report)
    return report


def peak_memory() -> int:
    """Return the most resident memory this process has had, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def own_memory() -> int:
    """Return the memory of this process that no file backs, bytes: mapped inputs do not count."""
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
        return int(status.split("RssAnon:", 1)[1].split(None, 1)[0]) * 1024
    except (OSError, IndexError):  # no Linux
        import psutil

        return int(psutil.Process().memory_info().rss)


def check_memory(ceiling: int, doing: str, remedy: str) -> None:
    """Raise ShardError when this process holds more than its ceiling (bytes); called once a batch."""
    if own_memory() > ceiling:
        raise ShardError(
            f"{doing}: the process holds {own_memory() >> 20} MiB, more than the ceiling of {ceiling >> 20} MiB "
            f"(--memory); {remedy}"
        )


def smallest_ids(read: Sequence[Path], limit: int) -> str | None:
    """Return the id up to which there are `limit` documents, None where there are not that many."""
    ids = pa.chunked_array(
        [
            chunk
            for folder in read
            for t in batches(folder / "documents.parquet", ["id"])
            for chunk in t.column(0).chunks
        ],
        pa.string(),
    )
    if limit >= len(ids):
        return None
    return str(ids.take(pc.select_k_unstable(ids, limit, [("", "ascending")])).to_pylist()[-1])


def report_of(folder: Path) -> dict[str, Any]:
    """Return the report of a finished stage."""
    return dict(read_json(folder / REPORT))
