"""Published shards: immutable Parquet files named by their SHA-256, each with its signatures beside it.

A shard is written aside inside the store and renamed to its hash, so what has a name is whole. Writing one again gives
the same bytes and the same name.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedup.signature import signatures_schema
from pipeline.engine import check_memory
from pipeline.storage import ASIDE, ParquetSink, batches, open_parquet, read_json, sha256_file, write_json
from schemas.decision import Decision
from schemas.document import PUBLISHED
from schemas.manifest import Shard
from schemas.source import Source

SHARDS, SIGNATURES = "shards", "signatures"


@dataclass(frozen=True)
class ShardJob:
    """One shard to publish: which rows of which measured parts, and what every row of it shares.

    `parts`: (measured folder, decisions file) in row order. `report`: where the result is noted when done.
    """

    parts: tuple[tuple[Path, Path], ...]
    source: Source
    split: str
    chunk: int
    version: str
    columns: tuple[str, ...]
    schema: pa.Schema
    metadata: dict[str, str]
    permutations: int
    row_group_bytes: int
    dataset: Path
    report: Path
    memory: int


def published_schema(columns: dict[str, pa.DataType]) -> pa.Schema:
    """Return the schema of a version: the fixed columns, then those the recipe adds."""
    return pa.schema([*PUBLISHED, *(pa.field(name, dtype) for name, dtype in columns.items())])


def write_shard(job: ShardJob) -> Shard:
    """Write one shard and its signatures into the store and return its record; a finished one is only looked up."""
    if (done := _noted(job.report, job.dataset)) is not None:
        return done
    return _store(job)


def _noted(report: Path, dataset: Path) -> Shard | None:
    if not report.exists():
        return None
    shard = Shard.model_validate(read_json(report))
    there = (dataset / shard.path).exists() and (dataset / SIGNATURES / Path(shard.path).name).exists()
    return shard if there else None


def _published_rows(job: ShardJob) -> Iterator[tuple[pa.Table, pa.Table]]:
    """(published columns, signature columns) of the rows of a chunk, in order."""
    for folder, decisions_path in job.parts:
        decisions = open_parquet(decisions_path).read(columns=["decision", "split", "chunk", "first_version"])
        wanted = pc.and_(pc.equal(decisions.column("chunk"), job.chunk), pc.equal(decisions.column("split"), job.split))
        wanted = pc.and_(wanted, pc.equal(decisions.column("decision"), Decision.KEEP.value))
        signals = open_parquet(folder / "signals.parquet").read(columns=["lang", "script", "char_count", *job.columns])
        signatures = open_parquet(folder / "signatures.parquet").read()
        start = 0
        for table in batches(folder / "documents.parquet"):
            check_memory(
                job.memory, f"publishing {folder.name}", "lower `publish.row_group_bytes` in the recipe, or raise it"
            )
            here = slice(start, start + table.num_rows)
            start += table.num_rows
            mask = wanted.slice(here.start, table.num_rows)
            rows = table.filter(mask)
            if rows.num_rows:
                measured = signals.slice(here.start, table.num_rows).filter(mask)
                first = decisions.column("first_version").slice(here.start, table.num_rows).filter(mask)
                yield (
                    _columns(job, rows, measured, first),
                    signatures.slice(here.start, table.num_rows).filter(mask).append_column("id", rows.column("id")),
                )


def _columns(job: ShardJob, rows: pa.Table, measured: pa.Table, first: pa.ChunkedArray) -> pa.Table:
    source, count = job.source, rows.num_rows
    values: dict[str, Any] = {name: rows.column(name) for name in rows.column_names}
    values |= {name: measured.column(name) for name in measured.column_names}
    if source.internal:
        values["uri"] = pa.array([""] * count, pa.string())
    values["license"] = pa.array([source.license] * count, pa.string())
    values["generated"] = pa.array([source.generated] * count, pa.bool_())
    values["grade"] = pa.array([source.grade] * count, pa.string())
    values["first_version"] = pc.fill_null(first, job.version)
    return pa.table([values[name] for name in job.schema.names], schema=job.schema)


def _store(job: ShardJob) -> Shard:
    """Write both files aside, hash them, rename them to the hash, note the result last."""
    facts = _Facts()
    name = hashlib.sha256(str(job.report).encode()).hexdigest()[:16]
    aside = job.dataset / SHARDS / f".{name}.{os.getpid()}{ASIDE}"
    aside_signatures = job.dataset / SIGNATURES / aside.name
    beside = pa.schema([pa.field("id", pa.string(), nullable=False), *signatures_schema(job.permutations)])
    try:
        with (
            ParquetSink(aside, job.schema, row_group_bytes=job.row_group_bytes, metadata=job.metadata) as documents,
            ParquetSink(aside_signatures, beside, metadata=job.metadata) as signatures,
        ):
            for table, signed in _published_rows(job):
                documents.write(table)
                signatures.write(signed)
                facts.add(table)
        sha256 = sha256_file(aside)
        final = job.dataset / SHARDS / f"{sha256}.parquet"
        size = aside.stat().st_size
        aside_signatures.replace(job.dataset / SIGNATURES / final.name)
        aside.replace(final)
    finally:
        aside.unlink(missing_ok=True)
        aside_signatures.unlink(missing_ok=True)
    shard = Shard(
        path=f"{SHARDS}/{final.name}",
        rows=documents.rows,
        bytes=size,
        sha256=sha256,
        signatures_sha256=sha256_file(job.dataset / SIGNATURES / final.name),
        rows_sha256=facts.rows.hexdigest(),
        source=job.source.id,
        split=job.split,
        characters=facts.characters,
        text_bytes=facts.text_bytes,
        languages=dict(sorted(facts.languages.items())),
        scripts=dict(sorted(facts.scripts.items())),
    )
    write_json(job.report, shard.model_dump(mode="json"))
    return shard


class _Facts:
    """What a shard's record says about its rows, gathered while they are written."""

    def __init__(self) -> None:
        self.rows = hashlib.sha256()
        self.characters = self.text_bytes = 0
        self.languages: Counter[str] = Counter()
        self.scripts: Counter[str] = Counter()

    def add(self, table: pa.Table) -> None:
        pairs = zip(table.column("id").to_pylist(), table.column("content_hash").to_pylist(), strict=True)
        self.rows.update("".join(f"{id} {content}\n" for id, content in pairs).encode())
        self.characters += int(pc.sum(table.column("char_count")).as_py() or 0)
        self.text_bytes += int(np.sum(pc.binary_length(table.column("text")).to_numpy()))
        self.languages.update(value or "und" for value in table.column("lang").to_pylist())
        self.scripts.update(value or "none" for value in table.column("script").to_pylist())


def rows_sha256(path: Path) -> str:
    """Return the hash of a shard's ids and content hashes in order, as its record states it."""
    found = hashlib.sha256()
    for table in batches(path, ["id", "content_hash"]):
        pairs = zip(table.column("id").to_pylist(), table.column("content_hash").to_pylist(), strict=True)
        found.update("".join(f"{id} {content}\n" for id, content in pairs).encode())
    return found.hexdigest()


def totals(shards: Sequence[Shard]) -> dict[str, int]:
    """Return documents, characters and text bytes of shards."""
    return {
        "documents": sum(shard.rows for shard in shards),
        "characters": sum(shard.characters for shard in shards),
        "bytes": sum(shard.text_bytes for shard in shards),
    }
