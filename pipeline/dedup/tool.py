"""The standalone tool: documents in, `duplicates.parquet` out, with no recipe, run or store.

Texts and signatures go to Parquet parts in a temporary folder inside the output folder, about as large as the input,
and are then treated as a run's are. Held in memory for all documents: ids, two numbers and the group, about 100 bytes
a document; texts only a few parts of 16 MB at a time.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.dedup.buckets import Rows
from pipeline.dedup.matchform import MATCH_FORM_REVISION, UNICODE
from pipeline.dedup.pairs import Progress, Run, find_pairs, in_threads
from pipeline.dedup.signature import SCHEME, SHINGLE, fingerprints, sign, signatures_schema
from pipeline.dedup.survivors import EXACT, NEAR, survivors
from pipeline.storage import write_json, write_parquet
from pipeline.text import CodePoints
from schemas.errors import SourceError
from schemas.recipe import Dedup

# One row a removed document, ascending by id; every survivor stays.
DUPLICATES: pa.Schema = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("survivor_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("jaccard", pa.float64(), nullable=False),
    ]
)
PART_BYTES, BATCH_BYTES = 16_000_000, 1_000_000
_TEXTS = pa.schema([pa.field("text", pa.large_string(), nullable=False)])


@dataclass(frozen=True, slots=True)
class DedupReport:
    """What the tool did, in documents; `pairs` are verified pairs between different match forms."""

    documents: int
    against: int
    kept: int
    exact: int
    near: int
    pairs: int


@dataclass(frozen=True, slots=True)
class _Part:
    texts: Path
    signatures: Path
    ids: pa.Array
    lengths: Rows
    content: Rows


def dedup_documents(
    documents: Iterable[pa.RecordBatch],
    out: Path,
    dedup: Dedup,
    *,
    against: Iterable[pa.RecordBatch] = (),
    run: Run | None = None,
    progress: Progress | None = None,
) -> DedupReport:
    """Find exact and verified near-duplicates and write `out/duplicates.parquet` and `out/summary.json`.

    Args:
        documents: batches with columns `id` and `text` (any more are ignored; a missing text is empty). The longest
            text of a group stays, then the first id; order and batch borders have no effect.
        out: the folder to write to, made if absent; both files appear whole or not at all.
        dedup: threshold and parameters; `keep` plays no part here.
        against: documents that stay and are not judged, e.g. those of a published version.
        run: how tasks are run; default: in as many threads as there are cores.
        progress: called with a stage's name, tasks done, and tasks in all (0: not known).

    Raises:
        SourceError: an id comes twice in `documents`, so that a row of the output would not say which one it means.
    """
    run, progress = run or in_threads, progress or (lambda *_: None)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".dedup-", dir=out) as name:
        scratch = Path(name)
        early = list(_signed(against, scratch / "against", dedup, run, progress))
        late = list(_signed(documents, scratch / "documents", dedup, run, progress))
        parts, published = [*early, *late], sum(len(part.ids) for part in early)
        ids = pa.chunked_array([part.ids for part in parts], pa.large_string())
        _check_unique(ids.slice(published))
        order = _priority(parts, ids, published)
        groups, pairs = find_pairs(
            [part.signatures for part in parts],
            [part.texts for part in parts],
            dedup,
            published=published,
            scratch=scratch,
            order=order,
            run=run,
            progress=progress,
        )
    content = _content(parts, groups)
    selected = np.ones(len(groups), bool)
    survivor, kind, jaccard = survivors(
        order, selected, content, groups, pairs, exact=dedup.exact, near=dedup.near, published=published
    )
    write_parquet(out / "duplicates.parquet", DUPLICATES, [_duplicates(ids, survivor, kind, jaccard)])
    exact, near = int((kind == EXACT).sum()), int((kind == NEAR).sum())
    total = len(groups) - published
    report = DedupReport(total, published, total - exact - near, exact, near, pairs.num_rows)
    write_json(out / "summary.json", {**asdict(report), "parameters": _parameters(dedup)})
    return report


def _signed(
    batches: Iterable[pa.RecordBatch], folder: Path, dedup: Dedup, run: Run, progress: Progress
) -> Iterator[_Part]:
    folder.mkdir()

    def task(job: tuple[int, pa.Table]) -> _Part:
        return _write_part(folder, *job, dedup)

    for done, part in enumerate(run(task, enumerate(_gathered(batches))), 1):
        progress("signatures", done, 0)
        yield part


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield ids and texts as tables of about PART_BYTES."""
    held: list[pa.Table] = []
    for batch in filter(len, batches):
        # Wide offsets: a part may be more than 2 GiB where one batch is.
        ids, texts = (batch.column(name).cast(pa.large_string()) for name in ("id", "text"))
        held.append(pa.table({"id": ids, "text": pc.fill_null(texts, "")}))
        if sum(table.nbytes for table in held) >= PART_BYTES:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _write_part(folder: Path, number: int, table: pa.Table, dedup: Dedup) -> _Part:
    texts, signatures = folder / f"texts-{number}.parquet", folder / f"signatures-{number}.parquet"
    lengths, content = [], []
    schema = signatures_schema(dedup.permutations)
    plain: dict[str, Any] = {"use_dictionary": False, "write_statistics": False}
    with (
        pq.ParquetWriter(texts, _TEXTS, compression="lz4", **plain) as text_file,
        pq.ParquetWriter(signatures, schema, compression="none", **plain) as signature_file,
    ):
        rows = max(1, int(table.num_rows * BATCH_BYTES / max(table.nbytes, 1)))
        signed = []
        for start in range(0, table.num_rows, rows):
            column = table.column("text").slice(start, rows).combine_chunks()
            column = column if isinstance(column, pa.Array) else pa.concat_arrays(column.chunks)
            points = CodePoints.of(column)
            lengths.append(points.counts)
            content.append(fingerprints(points)[:, 0].view(np.int64))
            signed.append(sign(column, permutations=dedup.permutations, seed=dedup.seed))
        text_file.write_table(table.select(["text"]).cast(_TEXTS))
        signature_file.write_table(pa.Table.from_batches(signed, schema))
    ids = table.column("id").combine_chunks()
    return _Part(texts, signatures, ids, np.concatenate(lengths), np.concatenate(content))


def _check_unique(ids: pa.ChunkedArray) -> None:
    if ids.null_count:
        raise SourceError("a document has no id; give every document one, or leave out the id column")
    counts = pc.value_counts(ids)
    if len(counts) < len(ids):
        repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
        raise SourceError(
            f"{len(repeated)} ids come more than once, the first is '{repeated[0]}'; ids must be unique over all "
            "inputs (was a file given twice?)"
        )


def _priority(parts: list[_Part], ids: pa.ChunkedArray, published: int) -> Rows:
    """Return global rows: published ones as they come, then longer texts first, then ids in ascending order."""
    lengths = pa.array(np.concatenate([np.empty(0, np.int64), *(part.lengths for part in parts)]))
    table = pa.table({"length": lengths, "id": ids}).slice(published)
    later = pc.sort_indices(table, [("length", "descending"), ("id", "ascending")]).to_numpy().astype(np.int64)
    return np.concatenate([np.arange(published, dtype=np.int64), later + published])


def _content(parts: list[_Part], groups: Rows) -> Rows:
    """Return numbers that are equal for equal texts; a text without a match form equals no other."""
    _, content = np.unique(
        np.concatenate([np.empty(0, np.int64), *(part.content for part in parts)]), return_inverse=True
    )
    return np.where(groups < 0, len(groups) + np.arange(len(groups)), content)


def _duplicates(ids: pa.ChunkedArray, survivor: Rows, kind: Any, jaccard: Any) -> pa.Table:
    removed = np.flatnonzero(kind)
    table = pa.table(
        {
            "id": ids.take(pa.array(removed)),
            "survivor_id": ids.take(pa.array(survivor[removed])),
            "kind": pa.array(np.where(kind[removed] == EXACT, "exact", "near").tolist(), pa.string()),
            "jaccard": jaccard[removed],
        }
    )
    return table.sort_by("id")


def _parameters(dedup: Dedup) -> dict[str, Any]:
    return {
        **dedup.model_dump(exclude={"keep"}),
        "shingle": SHINGLE,
        "scheme": SCHEME,
        "match_form_revision": MATCH_FORM_REVISION,
        "unicode": UNICODE,
    }
