"""Snapshots: the exact input files of a run, by content, and the batch in which each was first seen.

A snapshot is what makes a run repeatable and the next one incremental: a file whose bytes were read before keeps its
batch, a new or changed one gets the next. Only content counts; times serve a cache that saves hashing a file again.
"""

import os
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from stat import S_ISREG

import pyarrow as pa

from pipeline.storage import Workspace, digest, read_columns, sha256_file, write_parquet
from schemas.errors import SourceError
from schemas.source import UNREADABLE, InputFile, Source

_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("path", pa.binary(), nullable=False),  # names of old systems are no UTF-8
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("gone", pa.bool_(), nullable=False),
        pa.field("batch", pa.int64(), nullable=False),
    ]
)
_CACHE = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("mtime_ns", pa.int64()), ("sha256", pa.string())])
_WILD = re.compile(r"[*?\[{]")


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


def take(sources: Iterable[Source], base: Path, workspace: Workspace | None, emptied: Container[str] = ()) -> Snapshot:
    """List and hash the files of all sources, every one in batch 1.

    `base` is what relative paths are relative to. With a workspace, hashes of files whose size and modification time
    did not change are taken from its cache, and the workspace and its store are no input. Raises SourceError where a
    source matches no file at all, unless its id is among `emptied`, and where a folder cannot be listed.
    """
    own = workspace.own if workspace else ()
    listed: list[tuple[str, str, Path]] = []
    hub: list[InputFile] = []
    for source in sources:
        if source.hub is not None:
            hub.append(_hub_file(source, base))
        else:
            found = list_files(source, base, own, may_be_empty=source.id in emptied)
            listed += [(source.id, uri, path) for uri, path in found]
    cache_path = workspace.private / "cache" / "hashes.parquet" if workspace else None
    hashes = _hashes([path for _, _, path in listed], cache_path)
    files = [
        InputFile(s, uri, str(path), size, sha) for (s, uri, path), (size, sha) in zip(listed, hashes, strict=True)
    ]
    files = sorted(files + hub, key=lambda f: (f.source, f.uri))
    return Snapshot(files, [1] * len(files))


def list_files(
    source: Source, base: Path, own: Sequence[Path] = (), *, may_be_empty: bool = False
) -> list[tuple[str, Path]]:
    """Return (uri, path) of every file of a source, in uri order; links are followed, each folder once.

    A uri is relative to the part of the path before the first wildcard; to `base` where the recipe gives a list of
    paths, so that another path changes no uri. Files below `own` are none of the source's.
    Raises SourceError when nothing matches or a folder cannot be listed.
    """
    patterns = [os.path.join(base, os.path.expanduser(path)) for path in source.paths]  # noqa: PTH118, PTH111 - may be a glob
    root = _root_of(patterns, base, listed=not isinstance(source.path, str))
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = [path for plain in _braces(pattern) for path in _matches(plain)]
        matches = [path for path in matches if not any(path.is_relative_to(folder) for folder in own)]
        if not matches and not may_be_empty:
            raise SourceError(
                "source '{source}': no file at {path}; check `path` in the recipe", source=source.id, path=pattern
            )
        found.update(dict.fromkeys(matches))
    by_uri: dict[str, Path] = {}
    for path in sorted(found):
        uri = _uri(path, root)
        by_uri[_raw_uri(path, root) if uri in by_uri else uri] = path
    return sorted(by_uri.items())


def list_inputs(source: Source, base: Path) -> list[InputFile]:
    """Return the files of a source without hashing them, for tools that keep nothing. Raises SourceError as above."""
    listed = list_files(source, base)
    return [InputFile(source.id, uri, str(p), p.stat().st_size if p.exists() else 0, "") for uri, p in listed]


def _uri(path: Path, root: Path) -> str:
    """The path below the root; a name that is no UTF-8 is read as GB18030, as old Chinese systems wrote it."""
    raw = os.fsencode(path.relative_to(root) if path != root else path.name)
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return _raw_uri(path, root)


def _raw_uri(path: Path, root: Path) -> str:
    return os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace")


def _root_of(patterns: list[str], base: Path, *, listed: bool) -> Path:
    if listed and all(Path(pattern).is_relative_to(base) for pattern in patterns):
        return base
    return Path(os.path.commonpath([_fixed(pattern) for pattern in patterns]))


def _fixed(pattern: str) -> str:
    """The folder before the first wildcard."""
    folder = Path(*takewhile(lambda part: not _WILD.search(part), Path(pattern).parts))
    return str(folder.parent if folder.is_file() else folder)


def _braces(pattern: str) -> list[str]:
    """`*.{txt,md}` as `*.txt` and `*.md`; innermost first, so nesting works."""
    match = re.search(r"\{([^{}]*,[^{}]*)\}", pattern)
    if not match:
        return [pattern]
    return [
        p for part in match[1].split(",") for p in _braces(pattern[: match.start()] + part + pattern[match.end() :])
    ]


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        return list(_walk(path))
    folder = Path(_fixed(pattern))
    if not _WILD.search(pattern) or not folder.is_dir():
        return []
    wanted = re.compile(_regex(Path(pattern).relative_to(folder).parts))
    return [path for path in _walk(folder) if wanted.fullmatch(path.relative_to(folder).as_posix())]


def _regex(parts: Sequence[str]) -> str:
    """A glob as a regular expression over a relative path: `**` is any number of folders, `*` stays within one."""
    folders = ["(?:[^/]+/)*" if part == "**" else _segment(part) + "/" for part in parts[:-1]]
    return "".join(folders) + (".*" if parts[-1] == "**" else _segment(parts[-1]))


def _segment(part: str) -> str:
    meanings = {"*": "[^/]*", "?": "[^/]", "[": None}
    pieces = re.split(r"(\*+|\?|\[!?[^\]]+\])", part)
    return "".join(
        (meanings[piece[0]] or piece.replace("[!", "[^", 1)) if odd % 2 else re.escape(piece)
        for odd, piece in enumerate(pieces)
    )


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder, be it a broken link or a pipe; through links, each folder once."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_unlisted):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in names:
            yield Path(place) / name


def _unlisted(error: OSError) -> None:
    raise SourceError(
        "{path}: the folder cannot be listed ({error}); check its permissions",
        path=error.filename,
        error=error.strerror,
    ) from error


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


def _hashes(paths: list[Path], cache_path: Path | None) -> list[tuple[int, str]]:
    """(bytes, SHA-256) of each file, from the cache where size and modification time are as they were.

    A file that cannot be read is `UNREADABLE`: its reading will say why, and the run goes on.
    """
    known: dict[tuple[str, int, int], str] = {}
    if cache_path and cache_path.exists():
        rows = read_columns(cache_path).to_pylist()
        known = {(r["path"], r["bytes"], r["mtime_ns"]): r["sha256"] for r in rows}

    def one(path: Path) -> tuple[tuple[str, int, int], str]:
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        try:
            stat = path.stat()
            if not S_ISREG(stat.st_mode):  # a pipe would never end
                return (name, 0, 0), UNREADABLE
            key = (name, stat.st_size, stat.st_mtime_ns)
            return key, known.get(key) or sha256_file(path)
        except OSError:
            return (name, 0, 0), UNREADABLE

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(one, paths))
    fresh = {key: sha for key, sha in results if key not in known and sha != UNREADABLE}
    if cache_path and fresh:
        rows = [{"path": p, "bytes": b, "mtime_ns": m, "sha256": s} for (p, b, m), s in {**known, **fresh}.items()]
        write_parquet(cache_path, _CACHE, [pa.Table.from_pylist(rows, _CACHE)])
    return [(key[1], sha) for key, sha in results]
