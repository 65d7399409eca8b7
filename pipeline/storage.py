"""Files on disk: atomic appearance, hashes, Parquet settings, locks, and where everything in a workspace lies.

A file is written aside in its own folder, synced and renamed, so a reader sees all of it or nothing, after any kill.
"""

import fcntl
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import BusyError, StoreError

# zstd 3 wrote 156 MB/s and read 503 MB/s on Chinese text, 21 % smaller than zstd 1; a page index costs nothing.
# LZ4 wrote 450 and read 1,700 MB/s, half as large again as zstd 3: for what the next stage reads once.
LASTING = {"compression": "zstd", "compression_level": 3}
PASSING = {"compression": "lz4"}
# Text never repeats within a page, so a dictionary on it only costs time; these columns hold few values.
DICTIONARY_COLUMNS = frozenset({"source", "uri", "license", "lang", "script", "first_version", "grade", "decision"})
ASIDE = ".aside"


def digest(*parts: Any) -> str:
    """Return the SHA-256 in hex of parts as canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write aside; on success it is synced and renamed to `path`, on an error it is removed.

    Raises StoreError with the remedy when the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}{ASIDE}")
    try:
        yield aside
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        aside.unlink(missing_ok=True)
        if error.errno == 28:
            raise StoreError(
                "{path}: the disk is full; free some space and run again, finished shards stay", path=path
            ) from error
        raise
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(folder: Path, owned: Sequence[str]) -> Iterator[Path]:
    """Yield an empty folder to fill aside; on success its content takes the place of what an earlier call left.

    `owned`: subfolders that are ours to replace whole. Anything else that lies in `folder` stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep_folder(folder)
    aside = folder / f".{os.getpid()}{ASIDE}"
    shutil.rmtree(aside, ignore_errors=True)  # of a killed process that had the same number, as 1 in a container
    aside.mkdir()
    try:
        yield aside
        new = sorted(aside.iterdir())
        for name in owned:
            if (folder / name).exists():  # out of the way at once, and removed at the end
                (folder / name).replace(aside / f".old-{name}")
        for path in new:
            path.replace(folder / path.name)
        sync_folder(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def sweep_folder(folder: Path) -> None:
    """Remove what processes of this machine that are no more left aside in a folder."""
    for path in folder.glob(f".*{ASIDE}"):
        process = path.name.removesuffix(ASIDE).rpartition(".")[2]
        if process.isdecimal() and not _is_alive(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with replacing(path) as aside:
        aside.write_bytes(data)


def json_bytes(value: Any) -> bytes:
    """Return readable JSON with sorted keys, UTF-8, a line break at the end: the same bytes for equal values."""
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode("utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write_bytes(path, json_bytes(value))


def read_json(path: Path) -> Any:
    """Return the value of a JSON file. Raises StoreError naming the file when it is not JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise StoreError(
            "{path}: not valid JSON ({error}); it was changed from outside, restore or remove it",
            path=path,
            error=str(error),
        ) from error


class ParquetSink:
    """Writes batches to one Parquet file that appears, whole, when the `with` block ends without an error.

    Row groups are cut by the bytes of their rows, never by how rows came in batches, so equal rows in equal order give
    equal bytes.
    """

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        *,
        row_group_bytes: int = 32_000_000,
        metadata: Mapping[str, str] | None = None,
        passing: bool = False,
    ) -> None:
        """`passing`: for another stage rather than to be kept, so faster and larger."""
        self.path, self.limit, self.rows = path, row_group_bytes, 0
        self._compression: dict[str, Any] = PASSING if passing else LASTING
        self.schema = schema.with_metadata({**(schema.metadata or {}), **metadata}) if metadata else schema
        self._held: list[pa.Table] = []
        self._weight = 0
        self._stack = ExitStack()

    def __enter__(self) -> "ParquetSink":
        self._stack.__enter__()
        aside = self._stack.enter_context(replacing(self.path))
        dictionary = [name for name in self.schema.names if name in DICTIONARY_COLUMNS]
        self._writer = self._stack.enter_context(
            pq.ParquetWriter(aside, self.schema, use_dictionary=dictionary, write_page_index=True, **self._compression)
        )
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            if error[0] is None and self._held:
                self._flush()
        except BaseException as failed:
            self._stack.__exit__(type(failed), failed, failed.__traceback__)
            raise
        self._stack.__exit__(*error)

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Append rows; their columns must be those of the schema."""
        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        table = table.select(self.schema.names).replace_schema_metadata(None).cast(self.schema.remove_metadata())
        while table.num_rows:
            sums = row_bytes(table).cumsum()
            cut = int((sums + self._weight).searchsorted(self.limit, side="left")) + 1
            self._held.append(table.slice(0, cut))
            self._weight += int(sums[min(cut, table.num_rows) - 1])
            if cut <= table.num_rows:
                self._flush()
            table = table.slice(cut)

    def _flush(self) -> None:
        group = pa.concat_tables(self._held).combine_chunks().replace_schema_metadata(self.schema.metadata)
        self._writer.write_table(group, row_group_size=group.num_rows)
        self.rows += group.num_rows
        self._held, self._weight = [], 0


def write_parquet(
    path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch | pa.Table], *, passing: bool = False
) -> int:
    """Write batches to one Parquet file atomically and return its rows; `passing` as for a sink."""
    with ParquetSink(path, schema, passing=passing) as sink:
        for batch in batches:
            sink.write(batch)
    return sink.rows


def row_bytes(table: pa.Table) -> Any:
    """Return the bytes each row's strings and binaries hold plus 8 for every other column, int64, (rows,)."""
    total = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64)
        else:
            total += 8
    return total


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file. Raises StoreError naming it when it is missing or broken."""
    try:
        return pq.ParquetFile(path, memory_map=True)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"{path}: cannot be read as Parquet ({error}); run `yuliao verify` or build it again"
        ) from error


def batches(path: Path, columns: list[str] | None = None, *, limit: int = 1_000_000) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet file as tables of about `limit` bytes, one row group in memory at a time.

    0.5 to 2 MB of text a batch ran twice as fast as 10 MB (it stays in the cache of a core).
    """
    with open_parquet(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns)
            sums = row_bytes(table).cumsum()
            start = 0
            while start < table.num_rows:
                done = int(sums[start - 1]) if start else 0
                stop = max(int(sums.searchsorted(done + limit, side="left")) + 1, start + 1)
                yield table.slice(start, stop - start).combine_chunks()
                start = stop


def read_columns(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Return some columns of a Parquet file."""
    with open_parquet(path) as file:
        return file.read(columns=columns)


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock; the kernel frees it when the process ends, however it ends.

    Raises BusyError, naming who holds it, when another process does; StoreError where no folder can be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            "{folder}: cannot be made ({error}); choose another --workspace", folder=path.parent, error=error.strerror
        ) from error
    with path.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            raise BusyError(
                "{what} is being written by {holder}; wait for it to end, or end it, then run again",
                what=what,
                holder=holder,
            ) from None
        stream.seek(0)
        stream.truncate()
        stream.write(f"process {os.getpid()} on {socket.gethostname()}")
        stream.flush()
        yield


class Workspace:
    """Where things lie under a folder: `workspace/` is private, `store/` is what others may read."""

    def __init__(self, root: Path, also: Sequence[Path] = ()) -> None:
        """`also`: further folders that are never input."""
        self.root = root.resolve()
        self.private = self.root / "workspace"
        self.own = (self.private, self.root / "store", *also)

    def reading(self, key: str) -> Path:
        """The folder of a shard that was read: documents, files, quarantine, report.json last."""
        return self.private / "read" / key[:32]

    def lines(self, key: str) -> Path:
        """The folder of the lines of a shard, counted."""
        return self.private / "lines" / key[:32]

    def passages(self, key: str) -> Path:
        """The folder of the frozen passages of a source: table.tsv, lines.tsv for people, report.json last."""
        return self.private / "passages" / key[:32]

    def measured(self, key: str) -> Path:
        """The folder of a shard that was cleaned and measured: documents, signals, signatures, report.json last."""
        return self.private / "measured" / key[:32]

    def pairs(self, key: str) -> Path:
        """The folder of verified pairs over a set of shards."""
        return self.private / "pairs" / key[:32]

    def run(self, run: str) -> Path:
        """The folder of a run: decisions, ledger, report; run.json last."""
        return self.private / "runs" / run[:16]

    def snapshot(self, sha256: str) -> Path:
        """The listing of a run's input files."""
        return self.private / "snapshots" / f"{sha256}.parquet"

    def store(self, dataset: str) -> Path:
        """The folder of a published dataset."""
        return self.root / "store" / dataset

    def lock(self, dataset: str) -> Path:
        """The lock that a run of a dataset holds."""
        return self.private / "locks" / (dataset.replace("/", "--") + ".lock")

    def runs(self) -> list[dict[str, Any]]:
        """The summaries of finished runs, each with its folder."""
        paths = sorted((self.private / "runs").glob("*/run.json"))
        return [{**read_json(path), "folder": str(path.parent)} for path in paths]

    def sweep(self) -> None:
        """Remove what processes of this machine that are no more left aside; others may be at work right now."""
        for folder in (self.private, self.root / "store"):
            for path in sorted(folder.rglob(f".*{ASIDE}"), reverse=True):
                process = path.name.removesuffix(ASIDE).rpartition(".")[2]
                if process.isdecimal() and _is_alive(int(process)):
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
