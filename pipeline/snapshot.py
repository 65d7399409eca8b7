"""Snapshots: the exact input files of a run, by content, and the batch in which each was first seen.

A snapshot is what makes a run repeatable and the next one incremental: a file whose bytes were read before keeps its
batch, a new or changed one gets the next. Only content counts; times serve a cache that saves hashing a file again.
"""

import os
from collections.abc import Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.listing import list_files, list_remote
from pipeline.parts import is_as_it_was as part_is_as_it_was
from pipeline.storage import Workspace, digest, read_columns, sha256_file, write_parquet
from schemas.errors import SourceError
from schemas.source import UNREADABLE, InputFile, Source

if TYPE_CHECKING:
    from pipeline.stores.remote import Entry

_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("path", pa.binary(), nullable=False),  # names of old systems are no UTF-8
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("gone", pa.bool_(), nullable=False),
        pa.field("batch", pa.int64(), nullable=False),
        pa.field("tag", pa.string()),
    ]
)
# One row a file that is not what the version before was made from; empty values: not there then, or now.
CHANGES = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("source", "uri", "change")),
        *(pa.field("bytes", pa.int64()), pa.field("sha256", pa.string())),
        *(pa.field("earlier_bytes", pa.int64()), pa.field("earlier_sha256", pa.string())),
    ]
)
_CACHE = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("mtime_ns", pa.int64()), ("sha256", pa.string())])


@dataclass(frozen=True)
class Snapshot:
    """Input files in (source, uri, batch) order with the batch of each, parallel lists."""

    files: list[InputFile]
    batches: list[int]

    @property
    def sha256(self) -> str:
        """Identity: sources, uris, content hashes and batches, not paths."""
        return digest([(f.source, f.uri, f.sha256, f.gone, b) for f, b in zip(self.files, self.batches, strict=True)])

    def of_source(self, source: str) -> "Snapshot":
        """The part that belongs to a source."""
        rows = [(f, b) for f, b in zip(self.files, self.batches, strict=True) if f.source == source]
        return Snapshot([f for f, _ in rows], [b for _, b in rows])

    def batch(self, number: int) -> list[InputFile]:
        """The files first seen in a batch."""
        return [f for f, b in zip(self.files, self.batches, strict=True) if b == number]

    def following(self, earlier: "Snapshot | None") -> "Snapshot":
        """The same files with the batches that an earlier snapshot gave them; what is new or changed comes after.

        A file of the earlier snapshot that is gone, or holds something else now, stays in its batch, marked `gone`:
        groups of files never shift, and what was read from it can be kept or retracted knowingly.
        """
        if earlier is None:
            return self
        known = {(f.source, f.uri, f.sha256): b for f, b in zip(earlier.files, earlier.batches, strict=True)}
        fresh = max(earlier.batches, default=0) + 1
        now = {(f.source, f.uri, f.sha256) for f in self.files}
        rows = [(f, known.get((f.source, f.uri, f.sha256), fresh)) for f in self.files]
        rows += [
            (replace(f, gone=True), b)
            for f, b in zip(earlier.files, earlier.batches, strict=True)
            if (f.source, f.uri, f.sha256) not in now
        ]
        rows.sort(key=lambda row: (row[0].source, row[0].uri, row[1]))
        return Snapshot([f for f, _ in rows], [b for _, b in rows])

    def compare(self, earlier: "Snapshot") -> tuple[int, int]:
        """Return how many files of an earlier snapshot went since then, and how many that had gone came back."""
        before = {(f.source, f.uri, f.sha256, b): f.gone for f, b in zip(earlier.files, earlier.batches, strict=True)}
        now = {(f.source, f.uri, f.sha256, b): f.gone for f, b in zip(self.files, self.batches, strict=True)}
        went = sum(now.get(key, True) and not gone for key, gone in before.items())
        return went, sum(gone and not now.get(key, True) for key, gone in before.items())

    def changes(self, earlier: "Snapshot | None") -> pa.Table:
        """Return the files that are `new`, `changed` or `gone` since an earlier snapshot, as `CHANGES`."""
        before = {(f.source, f.uri): f for f in (earlier.present if earlier else [])}
        now = {(f.source, f.uri): f for f in self.present}
        rows = []
        for key in sorted(before.keys() | now.keys()):
            old, new = before.get(key), now.get(key)
            if old and new and old.sha256 == new.sha256:
                continue
            change = "gone" if new is None else "changed" if old else "new"
            sizes = (new.bytes if new else None, old.bytes if old else None)
            hashes = (new.sha256 if new else None, old.sha256 if old else None)
            rows.append((*key, change, sizes[0], hashes[0], sizes[1], hashes[1]))
        return pa.Table.from_pylist([dict(zip(CHANGES.names, row, strict=True)) for row in rows], CHANGES)

    @property
    def present(self) -> list[InputFile]:
        """The files that are there now."""
        return [file for file in self.files if not file.gone]

    def save(self, workspace: Workspace) -> None:
        """Write the listing of each source into the workspace, under its hash."""
        for source in sorted({file.source for file in self.files}):
            part = self.of_source(source)
            path = workspace.snapshot(part.sha256)
            if path.exists():
                continue
            rows = [
                {**asdict(f), "path": os.fsencode(f.path), "batch": b}
                for f, b in zip(part.files, part.batches, strict=True)
            ]
            write_parquet(path, _SCHEMA, [pa.Table.from_pylist(rows, _SCHEMA)])

    @classmethod
    def load(cls, workspace: Workspace, hashes: Iterable[str]) -> "Snapshot | None":
        """Read the listings of several sources back; None where the workspace no longer has one of them."""
        paths = [workspace.snapshot(sha256) for sha256 in hashes if sha256 != _EMPTY.sha256]
        if not all(path.exists() for path in paths):
            return None
        rows = [row for path in paths for row in read_columns(path).to_pylist()]
        rows.sort(key=lambda r: (r["source"], r["uri"], r["batch"]))
        batches = [row.pop("batch") for row in rows]
        return cls([InputFile(**{**row, "path": os.fsdecode(row["path"])}) for row in rows], batches)


_EMPTY = Snapshot([], [])


def take(
    sources: Iterable[Source],
    base: Path,
    workspace: Workspace | None,
    emptied: Container[str] = (),
    *,
    rehash: bool = False,
) -> Snapshot:
    """List and hash the files of all sources, every one in batch 1.

    `base` is what relative paths are relative to. With a workspace, hashes of files whose size and modification time
    did not change are taken from its cache, and the workspace and its store are no input; `rehash` reads every file
    here again. What lies in a store is known by its tag and size, and fetched only where it has no tag; a table of a
    database is one input, by a hash over its rows or its `revision`.
    Raises SourceError where a source matches no file at all, unless its id is among `emptied`, and where a folder
    cannot be listed.
    """
    own = workspace.own if workspace else ()
    listed: list[tuple[str, str, Path]] = []
    others: list[InputFile] = []
    for source in sources:
        if source.hub is not None:
            others.append(_hub_file(source, base))
        elif source.sql is not None:
            from pipeline.readers.sql import sql_file

            others.append(sql_file(source))
        else:
            found = list_files(source, base, own, may_be_empty=source.id in emptied)
            listed += [(source.id, uri, path) for uri, path in found]
            there = list_remote(source, base, may_be_empty=source.id in emptied)
            others += [_remote_file(source, uri, entry) for uri, entry in there]
    cache_path = workspace.private / "cache" / "hashes.parquet" if workspace else None
    hashes = _hashes([path for _, _, path in listed], cache_path, rehash=rehash)
    files = [
        InputFile(s, uri, str(path), size, sha) for (s, uri, path), (size, sha) in zip(listed, hashes, strict=True)
    ]
    files = sorted(files + others, key=lambda f: (f.source, f.uri))
    return Snapshot(files, [1] * len(files))


def list_inputs(source: Source, base: Path) -> list[InputFile]:
    """Return the files of a source without hashing them, for tools that keep nothing. Raises SourceError as above."""
    listed = list_files(source, base)
    files = [InputFile(source.id, uri, str(p), p.stat().st_size if p.exists() else 0, "") for uri, p in listed]
    there = list_remote(source, base)
    files += [InputFile(source.id, uri, e.address, max(e.bytes, 0), "", tag=e.tag) for uri, e in there]
    return sorted(files, key=lambda file: file.uri)


def _remote_file(source: Source, uri: str, entry: "Entry") -> InputFile:
    """What a store lists, by its tag; without one it is fetched and hashed, and what is not given is unreadable."""
    from pipeline.stores.faults import NotGivenError
    from pipeline.stores.remote import hashed

    file = InputFile(source.id, uri, entry.address, max(entry.bytes, 0), UNREADABLE, tag=entry.tag)
    if entry.tag:
        return replace(file, sha256=f"tag:{digest(entry.tag, entry.bytes)[:60]}")
    try:
        found = hashed(file, source)
    except NotGivenError:
        return file
    return replace(file, bytes=found.bytes, sha256=found.sha256)


def _hub_file(source: Source, base: Path) -> InputFile:
    """A dataset that `datasets` reads counts as one input; a local folder by its content, a hub name by its commit."""
    from pipeline.readers.hub import hub_uri

    hub = source.hub
    assert hub is not None
    local = base / hub.name
    if local.exists():
        size, content = hub_content(source, local)
        return InputFile(source.id, hub_uri(hub.model_copy(update={"name": str(local)})), str(local), size, content)
    if hub.revision is None:
        raise SourceError(
            f"source '{source.id}': '{hub.name}' is no folder here, and a hub name needs `revision` (a commit), "
            "so that the version can be built again"
        )
    return InputFile(source.id, hub_uri(hub), hub.name, 0, digest(hub.model_dump()))


def hub_content(source: Source, folder: Path) -> tuple[int, str]:
    """Return the bytes and the content hash of a local dataset folder, as a hub source reads it."""
    listing = list_files(source.model_copy(update={"hub": None, "path": str(folder)}), folder)
    hashes = _hashes([path for _, path in listing], None)
    hub = source.hub
    assert hub is not None
    files = [(uri, sha256) for (uri, _), (_, sha256) in zip(listing, hashes, strict=True)]
    return sum(size for size, _ in hashes), digest(hub.config, hub.split, files)


def _hashes(paths: list[Path], cache_path: Path | None, *, rehash: bool = False) -> list[tuple[int, str]]:
    """(bytes, SHA-256) of each file, from the cache where size and modification time are as they were.

    `rehash`: from the files alone, whatever the cache says.

    A file that cannot be read is `UNREADABLE`: its reading will say why, and the run goes on.
    """
    known: dict[tuple[str, int, int], str] = {}
    if cache_path and cache_path.exists():
        rows = read_columns(cache_path).to_pylist()
        known = {(r["path"], r["bytes"], r["mtime_ns"]): r["sha256"] for r in rows}

    def content(place: int) -> str:
        try:
            return sha256_file(paths[place])
        except OSError:
            return UNREADABLE

    results = [_known(path, {} if rehash else known) for path in paths]
    unread = [place for place, (_, sha) in enumerate(results) if not sha]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for place, sha in zip(unread, pool.map(content, unread), strict=True):
            results[place] = (results[place][0] if sha != UNREADABLE else (results[place][0][0], 0, 0), sha)
    fresh = {key: sha for key, sha in results if known.get(key) != sha != UNREADABLE}
    if cache_path and fresh:
        rows = [{"path": p, "bytes": b, "mtime_ns": m, "sha256": s} for (p, b, m), s in {**known, **fresh}.items()]
        write_parquet(cache_path, _CACHE, [pa.Table.from_pylist(rows, _CACHE)])
    return [(key[1], sha) for key, sha in results]


def _known(path: Path, known: dict[tuple[str, int, int], str]) -> tuple[tuple[str, int, int], str]:
    """A file's key in the cache with its hash, empty where it has to be read, `UNREADABLE` where it cannot be."""
    name = os.fspath(path)
    if not name.isascii():
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
    try:
        stat = path.stat()
    except OSError:
        return (name, 0, 0), UNREADABLE
    if not S_ISREG(stat.st_mode):  # a pipe would never end
        return (name, 0, 0), UNREADABLE
    key = (name, stat.st_size, stat.st_mtime_ns)
    return key, known.get(key, "")


def is_as_it_was(file: InputFile, source: Source) -> bool:
    """Whether an input still holds the bytes that the snapshot hashed; a hub name is pinned by its commit."""
    try:
        if "://" in file.path or source.sql is not None:
            return False  # only its store knows, and a copy of it was compared when it was fetched
        if file.part is not None and file.part.digest:
            return part_is_as_it_was(file)
        if source.hub is None:
            return sha256_file(Path(file.path)) == file.sha256
        return not Path(file.path).exists() or hub_content(source, Path(file.path))[1] == file.sha256
    except OSError:
        return False


def check_unchanged(file: InputFile, source: Source) -> None:
    """Raise SourceError when a file is no longer what the snapshot hashed: its shard would not be what it is named.

    A database is asked while it is read.
    """
    if (
        source.sql is None
        and file.sha256 not in ("", UNREADABLE)
        and "://" not in file.path
        and not is_as_it_was(file, source)
    ):
        raise SourceError(
            f"{file.path}: was changed or removed while the run was reading it; run again when it is still"
        )
