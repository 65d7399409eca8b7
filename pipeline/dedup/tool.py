"""The standalone tool: documents in, `duplicates.parquet` out, with no recipe, run or store.

What is needed again goes to a temporary folder: ids and texts (as they are, as packing them took as long as signing),
and 4 bytes a band and 32 bytes of hashes for each document. Held in memory: 20 bytes a document while pairs are found,
then about 100 bytes for each document that has a candidate or an equal, and texts only a few parts of 8 MB at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedup.buckets import Rows, Signed, distinct, group_rows, rows_of
from pipeline.dedup.index import Index, Segment, write_segment
from pipeline.dedup.pairs import MEMORY, Found, Progress, Run, ended_by, find_pairs, in_threads, scratch_folder
from pipeline.dedup.signature import fingerprints, parameters, sign_for
from pipeline.dedup.survivors import EXACT, NEAR, survivors
from pipeline.storage import ParquetSink, write_json
from pipeline.text import CodePoints
from schemas.errors import SourceError
from schemas.recipe import Dedup

# One row a removed document; every survivor stays. `uri` and `record` say where each lies, `survivor_index` in which
# of the indexes given the survivor is, null where it came with these documents.
DUPLICATES: pa.Schema = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("survivor_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("jaccard", pa.float64(), nullable=False),
        pa.field("uri", pa.string()),
        pa.field("record", pa.int64()),
        pa.field("survivor_uri", pa.string()),
        pa.field("survivor_record", pa.int64()),
        pa.field("survivor_index", pa.string()),
    ]
)
PART_BYTES = 8_000_000
SEGMENT_ROWS = 500_000
# Scratch a document beside its texts: 4 bytes a band, sketches, two hashes of 16 bytes, a fingerprint, its id.
SCRATCH_BYTES = 240
_PLACES = pa.schema([pa.field("id", pa.large_string()), pa.field("uri", pa.large_string()), ("record", pa.int64())])
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


def dedup_documents(
    documents: Iterable[pa.RecordBatch],
    out: Path,
    dedup: Dedup,
    *,
    against: Sequence[Index] = (),
    index: bool = False,
    scratch: Path | None = None,
    memory: int = MEMORY,
    run: Run | None = None,
    progress: Progress | None = None,
) -> DedupReport:
    """Find exact and verified near-duplicates and write `out/duplicates.parquet` and `out/summary.json`.

    Args:
        documents: batches with columns `id` and `text`, and `uri` and `record` where they are known (a missing text
            is empty). The longest text of a group stays, then the first id; order and batch borders have no effect.
        out: the folder to write to, made if absent; files appear whole or not at all.
        dedup: threshold and parameters; `keep` plays no part here.
        against: indexes of documents that stay and are not judged. Ids there and here may be the same.
        index: whether to leave an index of what is kept in `out/index`, for later batches.
        scratch: a folder for temporary files (default: `out`).
        memory: ceiling of this process in bytes, as `find_pairs` has it.
        run: how tasks are run; default: in as many threads as there are cores.
        progress: called with a stage's name, tasks done, and tasks in all (0: not known).

    Raises:
        SourceError: an id comes twice in `documents`, so that a row of the output would not say which one it means.
        StoreError: an index has other parameters, memory does not suffice, or the disk is full.
    """
    run, progress = run or in_threads, progress or (lambda *_: None)
    out.mkdir(parents=True, exist_ok=True)
    segments = [segment for one in against for segment in one.segments]
    with scratch_folder(scratch or out, "dedup") as folder, ExitStack() as stack:
        run = ended_by(stack, run)
        with Corpus(folder, dedup) as corpus:
            corpus.read(documents, run, progress)
        corpus.check_ids()
        found = find_pairs(
            corpus.signed,
            corpus.starts,
            corpus.texts,
            dedup,
            against=segments,
            priority=lambda rows: _priority(corpus, rows, 0),
            scratch=folder,
            memory=memory,
            run=run,
            progress=progress,
        )
        corpus.signed.release()
        removed = _Removed.among(corpus, found, segments, dedup)
        _write_duplicates(out / "duplicates.parquet", removed, corpus, against)
        pairs = found.pairs.num_rows
        del found
        pa.default_memory_pool().release_unused()
        if index:
            progress("index", 0, 0)
            _write_index(out / "index", corpus, removed.rows, dedup, run)
    exact, near = int((removed.kind == EXACT).sum()), int((removed.kind == NEAR).sum())
    total = corpus.signed.rows
    stay = sum(len(segment) - len(segment.removed) for segment in segments)
    report = DedupReport(total, stay, total - exact - near, exact, near, pairs)
    values = {**dedup.model_dump(exclude={"keep"}), **parameters(dedup)}
    write_json(out / "summary.json", {**asdict(report), "parameters": values})
    return report


class Corpus:
    """All documents in scratch files, row for row in the order they came: texts, places, hashes, band keys."""

    def __init__(self, folder: Path, dedup: Dedup) -> None:
        self.signed = Signed(folder / "signed", dedup)
        self._folder, self._dedup = folder, dedup
        self._starts = [0]
        self._stack = ExitStack()

    def __enter__(self) -> "Corpus":
        self._stack.enter_context(self.signed)
        self._ids = self._stack.enter_context((self._folder / "ids").open("wb"))
        self._content = self._stack.enter_context((self._folder / "content").open("wb"))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def read(self, documents: Iterable[pa.RecordBatch], run: Run, progress: Progress) -> None:
        """Sign all documents in parts; texts and places are written in threads, the rest in order."""
        for done, (signed, ids, content) in enumerate(run(self._part, enumerate(_gathered(documents))), 1):
            for batch in signed:
                self.signed.add(batch)
            self._ids.write(ids.data)
            self._content.write(content.data)
            self._starts.append(self.signed.rows)
            progress("signatures", done, 0)
        self.signed.done()

    def _part(self, job: tuple[int, pa.Table]) -> tuple[list[pa.RecordBatch], npt.NDArray[Any], npt.NDArray[Any]]:
        """Write texts and places of a part; return its signatures, hashes of its ids, fingerprints of its texts."""
        number, table = job
        signed, ids, content = [], [], []
        with _writer(self._folder / f"texts-{number}", _TEXTS) as texts:
            for batch in table.to_batches():
                text = batch.column("text")
                content.append(fingerprints(CodePoints.of(text))[:, 0])  # decoded once for both
                signed.append(sign_for(self._dedup, text))
                ids.append(fingerprints(CodePoints.of(batch.column("id"))))
                texts.write_batch(batch.select(["text"]))
        with _writer(self._folder / f"places-{number}", _PLACES) as places:
            places.write_table(table.select(_PLACES.names).combine_chunks())
        return signed, np.concatenate(ids), np.concatenate(content)

    @property
    def starts(self) -> Rows:
        """The first row of each part, and after them the number of rows."""
        return np.array(self._starts, np.int64)

    def content(self, rows: Rows) -> npt.NDArray[np.uint64]:
        """Return numbers that are equal for equal texts, of ascending rows."""
        return rows_of(self._folder / "content", 1, rows)[:, 0]

    def check_ids(self) -> None:
        """Raise SourceError when an id comes twice."""
        rows = self.signed.rows
        first = group_rows(self._folder / "ids", np.zeros(rows, bool))
        again = np.flatnonzero(first != np.arange(rows, dtype=np.uint32))
        if len(again):
            row, earlier = int(again[0]), int(first[again[0]])
            before, one = self.places(np.array([earlier, row])).to_pylist()
            raise SourceError(
                "{where}: the id '{id}' is that of {earlier} ({n} such records in all); ids must be unique over all "
                "inputs: leave out a file that was given twice, or make ids from path and place by `--id-column none`",
                where=_where(one, row),
                id=one["id"],
                earlier=_where(before, earlier),
                n=len(again),
            )

    def texts(self, part: int, rows: Rows) -> Iterator[tuple[slice, pa.Array]]:
        """Yield the texts of ascending rows of a part in pieces, with their places in `rows`."""
        seen = done = 0
        for batch in _batches(self._folder / f"texts-{part}") if len(rows) else ():
            last = int(np.searchsorted(rows, seen + len(batch)))
            if last > done:
                yield slice(done, last), batch.column("text").take(pa.array(rows[done:last] - seen))
            seen, done = seen + len(batch), last

    def documents(self, rows: Rows) -> Iterator[pa.Table]:
        """Yield texts, ids and places of ascending rows."""
        edges = np.searchsorted(rows, self.starts)
        for part in np.flatnonzero(np.diff(edges)).tolist():
            wanted = rows[edges[part] : edges[part + 1]]
            places = self.places(wanted)
            for here, text in self.texts(part, wanted - self._starts[part]):
                yield places.slice(here.start, len(text)).append_column("text", text)

    def places(self, rows: Rows) -> pa.Table:
        """Return id, uri and record of ascending rows."""
        tables = []
        edges = np.searchsorted(rows, self.starts)
        for part in np.flatnonzero(np.diff(edges)).tolist():
            wanted = rows[edges[part] : edges[part + 1]] - self._starts[part]
            (batch,) = _batches(self._folder / f"places-{part}")
            tables.append(pa.Table.from_batches([batch.take(pa.array(wanted))]))
        return pa.concat_tables(tables) if tables else _PLACES.empty_table()


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield ids, texts and places as tables of about PART_BYTES."""
    held: list[pa.Table] = []
    size = 0
    for batch in filter(len, batches):
        columns = [batch.column(n) if n in batch.schema.names else pa.nulls(len(batch)) for n in _PLACES.names]
        if columns[0].null_count:
            raise SourceError("a document has no id; give every document one, or leave out the id column")
        columns = [column.cast(field.type) for column, field in zip(columns, _PLACES, strict=True)]
        # Wide offsets: a part may be more than 2 GiB where one batch is.
        text = pc.fill_null(batch.column("text").cast(pa.large_string()), "")
        held.append(pa.table([*columns, text], schema=pa.schema([*_PLACES, *_TEXTS])))
        size += held[-1].nbytes
        if size >= PART_BYTES:
            yield pa.concat_tables(held)
            held, size = [], 0
    if held:
        yield pa.concat_tables(held)


def _where(place: dict[str, Any], row: int) -> str:
    """What a person calls a document: its place in its file, or its number from 0 where there is no file."""
    return f"document {row}" if place["uri"] is None else f"{place['uri']}, record {place['record']}"


def _writer(path: Path, schema: pa.Schema) -> Any:
    return pa.ipc.new_stream(str(path), schema)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file:
        yield from pa.ipc.open_stream(file)


@dataclass(frozen=True)
class _Removed:
    """The removed documents: `rows` of the corpus, ascending; `survivor`: a row of the corpus, or minus one more than
    a document that stays (numbered over all segments); kind and Jaccard as `survivors` has them.
    """  # noqa: D205

    rows: Rows
    survivor: Rows
    kind: npt.NDArray[np.int8]
    jaccard: npt.NDArray[np.float64]

    @classmethod
    def among(cls, corpus: Corpus, found: Found, segments: Sequence[Segment], dedup: Dedup) -> "_Removed":
        """Let the documents that have an equal or a pair compete; all others stay."""
        count = len(found.staying)
        groups = found.groups
        # A row takes part when it stays, or its group has another row or a pair; blank rows never do.
        involved = np.zeros(len(groups) + 1, bool)
        involved[:count] = True
        involved[groups[groups != np.arange(len(groups), dtype=np.uint32)].clip(max=len(groups))] = True
        for side in ("left", "right"):
            involved[found.pairs.column(side).to_numpy()] = True
        involved[-1] = False
        involved = involved[np.minimum(groups, len(groups))]
        rows = np.flatnonzero(involved)  # of `found`
        place = np.cumsum(involved, dtype=np.uint32) - np.uint32(1)
        pairs = pa.table(
            [place[found.pairs.column(side).to_numpy()].astype(np.int64) for side in ("left", "right")]
            + [found.pairs.column("jaccard")],
            schema=found.pairs.schema,
        )
        content = np.concatenate([_content_of(segments, found.staying), corpus.content(rows[count:] - count)])
        group = place[groups[rows]].astype(np.int64)
        survivor, kind, jaccard = survivors(
            _priority(corpus, rows[count:] - count, count),
            np.ones(len(rows), bool),
            _equal_content(content, group),
            group,
            pairs,
            exact=dedup.exact,
            near=dedup.near,
            published=count,
        )
        gone = np.flatnonzero(kind)
        stays = survivor[gone]
        outside = stays < count
        its = rows[stays] - count
        its[outside] = -1 - found.staying[stays[outside]]
        return cls(rows[gone] - count, its, kind[gone], jaccard[gone])


def _content_of(segments: Sequence[Segment], rows: Rows) -> npt.NDArray[np.uint64]:
    parts = [segment.content(here) for segment, here in _by_segment(segments, rows)]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def _by_segment(segments: Sequence[Segment], rows: Rows) -> Iterator[tuple[Segment, Rows]]:
    """Yield each segment with those of ascending rows that are its own, numbered as it does."""
    bases = np.cumsum([0, *(len(segment) for segment in segments)])
    cuts = np.searchsorted(rows, bases)
    for number, segment in enumerate(segments):
        yield segment, rows[cuts[number] : cuts[number + 1]] - bases[number]


def _equal_content(content: npt.NDArray[np.uint64], group: Rows) -> Rows:
    """Return numbers that are equal where content and group are: 64 bits suffice within a group."""
    order = np.lexsort((content, group))
    new = np.ones(len(order), bool)
    new[1:] = (content[order[1:]] != content[order[:-1]]) | (group[order[1:]] != group[order[:-1]])
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return numbers


def _priority(corpus: Corpus, rows: Rows, staying: int) -> Rows:
    """Return numbers of what competes: documents that stay as they come, then longer texts, then ids ascending."""
    table = pa.table({"chars": corpus.signed.chars[rows], "id": corpus.places(rows).column("id")})
    later = pc.sort_indices(table, [("chars", "descending"), ("id", "ascending")]).to_numpy().astype(np.int64)
    return np.concatenate([np.arange(staying, dtype=np.int64), later + staying])


def _write_duplicates(path: Path, removed: _Removed, corpus: Corpus, against: Sequence[Index]) -> None:
    """Write one row a removed document, ascending by id."""
    inside = removed.survivor >= 0
    wanted = distinct(np.concatenate([removed.rows, removed.survivor[inside]]))
    places = corpus.places(wanted)
    outside = distinct(-1 - removed.survivor[~inside])
    staying = _staying(against, outside)
    at = np.where(
        inside,
        np.searchsorted(wanted, removed.survivor),
        len(wanted) + np.searchsorted(outside, -1 - removed.survivor),
    )
    here = places.append_column("index", pa.nulls(len(wanted), pa.string()))
    known = pa.concat_tables([here, staying.select(here.column_names)]).combine_chunks()
    mine, its = places.take(pa.array(np.searchsorted(wanted, removed.rows))), known.take(pa.array(at))
    columns = {
        "id": mine.column("id"),
        "survivor_id": its.column("id"),
        "kind": pa.array(np.array(["", "exact", "near"])[removed.kind].tolist(), pa.string()),
        "jaccard": removed.jaccard,
        "uri": mine.column("uri"),
        "record": mine.column("record"),
        **{f"survivor_{name}": its.column(name) for name in ("uri", "record", "index")},
    }
    table = pa.table(columns).cast(DUPLICATES)
    with ParquetSink(path, DUPLICATES) as sink:
        sink.write(table.sort_by("id"))


def _staying(against: Sequence[Index], rows: Rows) -> pa.Table:
    """Return id, place and index of documents that stay, ascending rows over all segments."""
    segments = [segment for index in against for segment in index.segments]
    names = [index.name for index in against for _ in index.segments]
    parts = list(_by_segment(segments, rows))
    places = pa.concat_tables([_PLACES.empty_table(), *(segment.places(here).cast(_PLACES) for segment, here in parts)])
    index = [name for name, (_, here) in zip(names, parts, strict=True) for _ in range(len(here))]
    return places.append_column("index", pa.array(index, pa.string()))


def _write_index(folder: Path, corpus: Corpus, removed: Rows, dedup: Dedup, run: Run) -> None:
    """Write the documents that are kept as segments, one for every SEGMENT_ROWS, and the list of them last."""
    kept = np.ones(corpus.signed.rows, bool)
    kept[removed] = False
    borders = range(0, corpus.signed.rows, SEGMENT_ROWS)

    def write(start: int) -> str:
        name = f"segment-{start // SEGMENT_ROWS:05d}"
        rows = np.flatnonzero(kept[start : start + SEGMENT_ROWS]) + start
        write_segment(folder / name, dedup, corpus.documents(rows))
        return name

    Index.write(folder, list(run(write, borders)), dedup)
