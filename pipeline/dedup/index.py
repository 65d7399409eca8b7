"""The index: what documents that stay are searched by, one immutable segment for every shard.

A segment is a folder of three Arrow IPC files that any Arrow reader opens: `keys.arrow` (for each band, and for the
match hash, the sorted keys with their rows), `rows.arrow` (ids, hashes, sketches) and `texts.arrow` (texts in small
compressed blocks, so that one document is read without its neighbours; about a third of the text's size). Keys are
searched, not scanned, so a batch costs in proportion to itself. A folder appears whole or not at all.

Keys and texts are checked against their checksums whenever they are read. Opening looks at the three sizes only, since
it must not read what a search does not need: rows, which are used here and there, are checked by `faults`.

What is removed later stands in `removed.arrow`, replaced as a whole; a published version needs none, as its shards,
and with them its segments, are written anew.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedup.buckets import (
    Packed,
    Rows,
    column_of,
    cut,
    fixed,
    least_equal,
    pack,
    rows_of,
    runs,
    words_of,
)
from pipeline.dedup.candidates import LOW, agree, leaders, matches
from pipeline.dedup.checked import CheckedFile, CheckedWriter, note_of, write_checked
from pipeline.dedup.signature import differences, fingerprints, parameters, sign_for
from pipeline.storage import ASIDE, read_json, replacing, sync_folder, write_json
from pipeline.text import CodePoints
from schemas.errors import StoreError
from schemas.recipe import Dedup

U64 = np.uint64
# A block of texts is what reading one document unpacks.
BLOCK_BYTES = 64_000
KEYS = pa.schema([pa.field("key", pa.uint32(), nullable=False), pa.field("row", pa.uint32(), nullable=False)])
TEXTS = pa.schema([pa.field("text", pa.large_string(), nullable=False)])
REMOVED = pa.schema([pa.field("row", pa.uint32(), nullable=False)])
LIST = "index.json"
REMEDY = "make the index again with `yuliao dedup INPUT -o OUT --index`"
SEGMENT_REVISION = 3  # raised whenever a segment of the same documents comes out otherwise
_PARAMETERS, _SIZES = b"yuliao.signatures", b"yuliao.sizes"
# Keys and rows are written after the texts, and rows last, as they say how long the others are.
FILES = ("texts.arrow", "keys.arrow", "rows.arrow")


@dataclass(frozen=True)
class Segment:
    """The index of one shard; rows are those of the shard, in its order. `remedy`: what to do when it is broken."""

    folder: Path
    dedup: Dedup
    remedy: str

    @classmethod
    def open(cls, folder: Path, dedup: Dedup, remedy: str) -> "Segment":
        """Open a segment. Raises StoreError when it is broken, or was made with other parameters."""
        segment = cls(folder, dedup, remedy)
        schema = segment._table.schema
        check_parameters_match(note_of(schema, _PARAMETERS), dedup, folder)
        sizes = note_of(schema, _SIZES)
        for name in FILES[:-1]:
            path = folder / name
            if not path.exists():
                raise StoreError("{path}: is missing; {remedy}", path=path, remedy=remedy)
            if path.stat().st_size != sizes.get(name):
                raise StoreError("{path}: is cut, or of another version of yuliao; {remedy}", path=path, remedy=remedy)
        return segment

    @cached_property
    def _table(self) -> pa.Table:
        return self._file("rows.arrow").table()

    def _file(self, name: str, way: Any = pa.memory_map) -> CheckedFile:
        return CheckedFile(self.folder / name, self.remedy, way)

    def faults(self) -> Iterator[StoreError]:
        """Read everything, and yield what is wrong with each file, with the remedy."""
        for name in (*FILES, *(("removed.arrow",) if (self.folder / "removed.arrow").exists() else ())):
            try:
                with self._file(name, pa.OSFile) as file:
                    file.check()
            except StoreError as error:
                yield error

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @cached_property
    def sketches(self) -> npt.NDArray[np.uint64]:
        """Sketches, uint64, (rows, words)."""
        return fixed(column_of(self._table, "sketch"), np.uint64)

    @cached_property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """Match hashes, uint64, (rows, 2)."""
        return fixed(column_of(self._table, "match_hash"), np.uint64)

    def _numbers(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        numbers: npt.NDArray[Any] = column_of(self._table, name).to_numpy()[rows]
        return numbers

    @cached_property
    def removed(self) -> npt.NDArray[np.uint32]:
        """The rows that were removed, ascending."""
        path = self.folder / "removed.arrow"
        rows = self._file(path.name, pa.OSFile).batch(0).column("row") if path.exists() else []
        return np.asarray(rows, np.uint32)

    def places(self, rows: Rows) -> pa.Table:
        """Return id, uri and record of some rows; uri and record are null where the index was given none."""
        table = self._table.select(["id", "uri", "record"]).take(pa.array(rows))
        known = pc.not_equal(table.column("uri"), "")
        nulls = [pc.if_else(known, table.column(name), None) for name in ("uri", "record")]
        return pa.table([table.column("id"), *nulls], names=table.column_names)

    def content(self, rows: Rows) -> npt.NDArray[np.uint64]:
        """Return numbers that are equal for equal texts, uint64."""
        return self._numbers("content", rows)

    def chars(self, rows: Rows) -> npt.NDArray[np.uint32]:
        """Return the characters of some rows, uint32."""
        return self._numbers("char_count", rows)

    def twins(self, packed: Packed, hashes: Path) -> Packed:
        """Return `row << 32 | row here` of rows with an equal match hash.

        `packed`: its upper 32 bits and the row, sorted; `hashes`: a file of two 64-bit numbers a row.
        """
        found = np.sort(self._lookup(self.dedup.bands, packed))
        one, other = (found >> U64(32)).astype(np.int64), (found & LOW).astype(np.int64)
        equal: npt.NDArray[np.bool_] = (rows_of(hashes, 2, one) == self.hashes[other]).all(axis=1)
        return found[equal]

    def candidates(self, band: int, packed: Packed, sketches: npt.NDArray[np.uint64]) -> Packed:
        """Return `row << 32 | row here` of rows that share a key of a band and pass the estimate."""
        found = self._lookup(band, packed)
        near: npt.NDArray[np.bool_] = agree(found, sketches, self.sketches, least_equal(self.dedup))
        return found[near]

    def _lookup(self, band: int, packed: Packed) -> Packed:
        # Read, not mapped: a batch of any size touches most of a band, and what is mapped counts as memory.
        batch = self._file("keys.arrow", pa.OSFile).batch(band)
        found: Packed = matches(packed, batch.column("key").to_numpy(), batch.column("row").to_numpy())
        return found[~np.isin(found & LOW, self.removed)] if len(self.removed) else found

    def texts(self, rows: Rows) -> Iterator[tuple[slice, pa.Array]]:
        """Yield the texts of ascending rows, block by block, with their places in `rows`."""
        if not len(rows):
            return
        starts = column_of(self._table, "block").to_numpy()
        with self._file("texts.arrow", pa.OSFile) as file:
            for begin, end in runs(starts[rows]):
                block = starts[rows[begin]]
                texts = file.batch(int(block)).column("text")
                yield slice(begin, end), texts.take(pa.array(rows[begin:end] - np.searchsorted(starts, block)))

    def remove(self, ids: pa.Array) -> int:
        """Remove documents by id, for good, and return how many there were; a kill leaves it done or not done."""
        rows = np.flatnonzero(pc.is_in(column_of(self._table, "id"), ids).to_numpy(zero_copy_only=False))
        gone = np.union1d(self.removed, rows.astype(np.uint32))
        count = len(gone) - len(self.removed)
        if count:
            with replacing(self.folder / "removed.arrow") as aside:
                write_checked(aside, REMOVED, [pa.record_batch([gone], schema=REMOVED)])
            self.__dict__.pop("removed", None)
        return count


@dataclass(frozen=True)
class Index:
    """The segments of a version, or of what a standalone tool kept; `name` says which in outputs and messages."""

    name: str
    segments: tuple[Segment, ...]

    @classmethod
    def open(cls, folder: Path, name: str, dedup: Dedup) -> "Index":
        """Open the index that a standalone tool left. Raises StoreError: broken, or made with other parameters."""
        names = _listed(folder)["segments"]
        return cls(name, tuple(Segment.open(folder / segment, dedup, REMEDY) for segment in names))

    @staticmethod
    def write(folder: Path, segments: list[str], dedup: Dedup) -> None:
        """Note which segments of a folder make the index; it is there from then on."""
        write_json(folder / LIST, {"segments": segments, "parameters": parameters(dedup)})

    def remove(self, ids: pa.Array) -> int:
        """Remove documents by id from all segments and return how many there were."""
        return sum(segment.remove(ids) for segment in self.segments)


def parameters_of(folder: Path) -> dict[str, Any]:
    """Return the parameters that the index in a folder was made with. Raises StoreError when its list is broken."""
    return dict(_listed(folder)["parameters"])


def _listed(folder: Path) -> dict[str, Any]:
    listed = read_json(folder / LIST)
    try:
        names, stored = list(map(str, listed["segments"])), dict(listed["parameters"])
        Dedup(**{name: value for name, value in stored.items() if name in Dedup.model_fields})
    except (KeyError, TypeError, ValueError):
        raise StoreError(
            "{path}: does not list the segments of an index; {remedy}", path=folder / LIST, remedy=REMEDY
        ) from None
    return {"segments": names, "parameters": stored}


def check_parameters_match(stored: dict[str, Any], dedup: Dedup, where: object) -> None:
    """Raise StoreError, naming each difference, when an index was made with parameters other than those of `dedup`."""
    other = "; ".join(f"{name} {one}, not {wanted}" for name, one, wanted in differences(stored, parameters(dedup)))
    if other:
        raise StoreError(
            "{where}: made with {differences}; compare with the same parameters, or make the index again",
            where=where,
            differences=other,
        )


def write_segment(folder: Path, dedup: Dedup, documents: Iterable[pa.Table | pa.RecordBatch]) -> None:
    """Write a segment. Held: 8 bytes a band and about 60 bytes for each row.

    Args:
        folder: where it appears, whole, when all is written.
        dedup: the parameters of the signatures, and the threshold for leaders of large buckets.
        documents: columns id and text, and uri and record if any, in row order. They are signed here: that costs less
            than to keep, or to read, 512 bytes a document.

    Raises:
        StoreError: the folder cannot be written, or the disk is full.
    """
    aside = folder.with_name(f".{folder.name}.{os.getpid()}{ASIDE}")
    try:
        aside.mkdir(parents=True)
        _write(aside, dedup, documents)
        for path in sorted(aside.iterdir()):
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        aside.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        if not (folder / "rows.arrow").exists():  # else another process wrote the same meanwhile
            raise StoreError(
                f"{folder}: the index cannot be written ({error.strerror}); make room there, or copy what it lies in "
                "to where you may write"
            ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(folder: Path, dedup: Dedup, documents: Iterable[pa.Table | pa.RecordBatch]) -> None:
    keys, tables = [], []
    with _Blocks(folder / "texts.arrow") as blocks:
        for table in documents:
            text = column_of(table, "text").cast(pa.large_string())
            signed = sign_for(dedup, text)
            part, sketches, _ = cut(fixed(signed.column("signature"), np.uint32), dedup)
            keys.append(part)
            block_of = blocks.write(text)
            hashes = signed.column("match_hash")
            tables.append(
                pa.table(
                    {
                        "id": column_of(table, "id").cast(pa.large_string()),
                        **_uri_and_record(table),
                        "content": fingerprints(CodePoints.of(text))[:, 0],
                        "match_hash": hashes.fill_null(bytes(16)),
                        "blank": hashes.is_null(),
                        "sketch": pa.Array.from_buffers(
                            pa.binary(sketches.shape[1] * 8), len(text), [None, pa.py_buffer(sketches)]
                        ),
                        "char_count": signed.column("char_count").cast(pa.uint32()),
                        "block": block_of,
                    }
                )
            )
    rows = pa.concat_tables(tables).combine_chunks() if tables else _no_rows(dedup)
    write_checked(folder / "keys.arrow", KEYS, _sorted_keys(rows, joined_keys(keys, dedup), dedup))
    notes = {_PARAMETERS: parameters(dedup), _SIZES: {name: (folder / name).stat().st_size for name in FILES[:-1]}}
    rows = rows.replace_schema_metadata({name: json.dumps(note, sort_keys=True) for name, note in notes.items()})
    write_checked(folder / "rows.arrow", rows.schema, rows.to_batches(max_chunksize=max(1, rows.num_rows)))


def _uri_and_record(table: pa.Table | pa.RecordBatch) -> dict[str, pa.Array]:
    """Return the place of each row, an empty uri where there is none."""
    if "uri" not in table.schema.names:
        table = pa.table({"uri": pa.nulls(len(table)), "record": pa.nulls(len(table))})
    uri = column_of(table, "uri").cast(pa.large_string()).fill_null("")
    return {"uri": uri, "record": column_of(table, "record").cast(pa.int64()).fill_null(0)}


def joined_keys(keys: list[npt.NDArray[np.uint32]], dedup: Dedup) -> npt.NDArray[np.uint32]:
    """Return band keys of all rows, uint32, (bands, rows)."""
    return np.concatenate(keys, axis=1) if keys else np.empty((dedup.bands, 0), np.uint32)


def _no_rows(dedup: Dedup) -> pa.Table:
    types = {
        "id": pa.large_string(),
        "uri": pa.large_string(),
        "record": pa.int64(),
        "content": pa.uint64(),
        "match_hash": pa.binary(16),
        "blank": pa.bool_(),
        "sketch": pa.binary(8 * words_of(dedup)),
        "char_count": pa.uint32(),
        "block": pa.uint32(),
    }
    return pa.table({name: pa.array([], kind) for name, kind in types.items()})


def _sorted_keys(rows: pa.Table, keys: npt.NDArray[np.uint32], dedup: Dedup) -> Iterator[pa.RecordBatch]:
    """Yield for each band, then for the match hash, sorted keys and rows; large buckets hold their leaders only."""
    there = ~column_of(rows, "blank").to_numpy(zero_copy_only=False)
    hashes = fixed(column_of(rows, "match_hash"), np.uint64)
    sketches = fixed(column_of(rows, "sketch"), np.uint64)
    chars = column_of(rows, "char_count").to_numpy()
    for band in range(dedup.bands):
        yield _batch(leaders(pack(keys[band], there), sketches, chars, hashes, least_equal(dedup, 0.0)))
    yield _batch(pack((hashes[:, 0] >> U64(32)).astype(np.uint32), there))


def _batch(packed: Packed) -> pa.RecordBatch:
    halves = [(packed >> U64(32)).astype(np.uint32), (packed & LOW).astype(np.uint32)]
    return pa.record_batch(halves, schema=KEYS)


class _Blocks:
    """Texts in compressed blocks of about BLOCK_BYTES."""

    def __init__(self, path: Path) -> None:
        self._writer = CheckedWriter(path, TEXTS, compression="zstd")
        self._count = 0

    def __enter__(self) -> "_Blocks":
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.__exit__(*error)

    def write(self, texts: pa.Array) -> npt.NDArray[np.uint32]:
        """Append texts and return the block of each, uint32."""
        block_of = np.empty(len(texts), np.uint32)
        for begin, end in runs(np.cumsum(pc.binary_length(texts).to_numpy()) // BLOCK_BYTES):
            self._writer.write(pa.record_batch([texts.slice(begin, end - begin)], schema=TEXTS))
            block_of[begin:end] = self._count
            self._count += 1
        return block_of
