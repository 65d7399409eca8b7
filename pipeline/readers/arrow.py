"""Arrow files and streams, which Feather files are: batches are mapped and read as Parquet's are.

Trade-off: every batch is checked in full before it is used, since offsets of a damaged file may point anywhere.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa

from pipeline.readers.block import Block
from pipeline.readers.content import Content, Unreadable
from pipeline.readers.fields import choose, missing
from pipeline.readers.parquet import block_of, named, textual
from pipeline.readers.reader import Bad, Intake, Reader, Record

FILE = b"ARROW1"
ROWS = 4096  # of a block


class Arrow(Reader):
    """An Arrow file, an Arrow stream or a Feather file (version 2) with a text column."""

    kind: ClassVar[str] = "arrow"
    formats: ClassVar[tuple[str, ...]] = ("arrow",)
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        """Yield a record for each row, in blocks. Raises Unreadable for a damaged file or one without a text column."""
        number = 0
        try:
            opened = _opened(content)
            columns = choose(intake.fields, opened.schema.names, [f.name for f in opened.schema if textual(f.type)])
            if columns is None:
                raise Unreadable(missing(intake.fields, [f"{field.name} ({field.type})" for field in opened.schema]))
            for batch in _batches(opened):
                batch.validate(full=True)
                wanted = batch.select(list(dict.fromkeys(named(columns))))
                for start in range(0, len(wanted), ROWS):
                    part = wanted.slice(start, ROWS)
                    yield block_of(part, number, columns, intake)
                    number += len(part)
        except (pa.ArrowException, OSError, ValueError) as error:
            where = f"damaged from row {number} on" if number else "no whole Arrow file"
            raise Unreadable(f"{where} ({error}); fetch the file again") from None


def _opened(content: Content) -> Any:
    source = pa.BufferReader(pa.py_buffer(content.data))
    return pa.ipc.open_file(source) if content.data[: len(FILE)] == FILE else pa.ipc.open_stream(source)


def _batches(opened: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(opened, pa.ipc.RecordBatchFileReader):
        for place in range(opened.num_record_batches):
            yield opened.get_batch(place)
    else:
        yield from opened
