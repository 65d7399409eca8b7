"""Arrow IPC files whose record batches carry a checksum, so that what a disk or a copy did to one is noticed.

Each batch has the XXH3 (64 bits) of its values in its own metadata, so one batch is checked without the rest of the
file: it takes 0.1 s a gigabyte. Any Arrow reader opens such a file. What a footer says is not covered; a file that was
cut or grown has no footer where one is looked for.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64

from schemas.errors import StoreError

_CHECKSUM = "xxh3"
_UNREADABLE = "{path}: cannot be read ({error}); {remedy}"


class CheckedWriter:
    """Writes one file, batch by batch."""

    def __init__(self, path: Path, schema: pa.Schema, *, compression: str | None = None) -> None:
        self._writer = pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(compression=compression))

    def __enter__(self) -> "CheckedWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch without nulls."""
        self._writer.write_batch(batch, custom_metadata={_CHECKSUM: _checksum(batch)})


def write_checked(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write a file of batches without nulls."""
    with CheckedWriter(path, schema) as writer:
        for batch in batches:
            writer.write(batch)


class CheckedFile:
    """An open file; `remedy` is what its errors tell to do. Raises StoreError where it is missing or broken."""

    def __init__(self, path: Path, remedy: str, way: Callable[[str], Any] = pa.memory_map) -> None:
        self.path, self._remedy = path, remedy
        try:
            self._source = way(str(path))
            self._reader = pa.ipc.open_file(self._source)
        except FileNotFoundError:
            raise self.broken("{path}: is missing; {remedy}") from None
        except (OSError, pa.ArrowException) as error:
            raise self.broken(_UNREADABLE, error=error) from error

    def __enter__(self) -> "CheckedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def broken(self, template: str, **values: object) -> StoreError:
        """The error that says what is wrong with this file."""
        return StoreError(template, path=self.path, remedy=self._remedy, **values)

    def table(self) -> pa.Table:
        """Return all batches, unread where the file is mapped, and so unchecked."""
        return self._reader.read_all()

    def batch(self, number: int) -> pa.RecordBatch:
        """Return a batch. Raises StoreError where it is not what was written."""
        try:
            batch, metadata = self._reader.get_batch_with_custom_metadata(number)
            # The values may be out of bounds in what was changed, so these are looked at before anybody uses them.
            right = (metadata or {}).get(_CHECKSUM.encode(), b"").decode("ascii", "replace") == _checksum(batch)
        except (OSError, pa.ArrowException, ValueError) as error:
            raise self.broken(_UNREADABLE, error=error) from error
        if not right:
            raise self.broken("{path}: does not hold what was written (its checksum differs); {remedy}")
        return batch

    def check(self) -> None:
        """Read every batch. Raises StoreError at the first that is not what was written."""
        for number in range(self._reader.num_record_batches):
            self.batch(number)


def note_of(schema: pa.Schema, name: bytes) -> dict[str, Any]:
    """Return what the metadata of a file say under a name; nothing where they do not, or no longer, say it."""
    try:
        return dict(json.loads((schema.metadata or {}).get(name, b"{}")))
    except ValueError:
        return {}


def _checksum(batch: pa.RecordBatch) -> str:
    """XXH3 of the lengths and values of each column, in hex; the same however the batch was sliced."""
    total = xxh3_64()
    for column in batch.columns:
        kind = column.type
        if pa.types.is_large_string(kind):
            offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset :][: len(column) + 1]
            total.update(np.diff(offsets).data)
            if len(column) and (values := column.buffers()[2]) is not None:
                total.update(memoryview(values)[offsets[0] : offsets[-1]])
        elif pa.types.is_fixed_size_binary(kind):
            width = kind.byte_width
            total.update(memoryview(column.buffers()[1])[column.offset * width : (column.offset + len(column)) * width])
        else:
            total.update(column.to_numpy(zero_copy_only=False).data)
    return str(total.hexdigest())
