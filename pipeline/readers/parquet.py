"""Parquet: row groups are streamed, the columns that hold nothing of a document are not read.

Text columns may be strings, dictionaries of strings, or binary in any encoding (decided batch by batch).
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pyarrow as pa

from pipeline.readers.block import Block
from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import BinaryContent, decode, detect
from pipeline.readers.fields import Columns, choose, missing
from pipeline.readers.reader import Bad, Intake, Reader, Record, record_of, within

BATCH_BYTES = 4 << 20
STRINGS = ("utf-8", False, "string column")  # encoding, mark, evidence
FOOTER_TAIL = 16  # a whole footer never ends in so many zeros, but a zeroed one can be parsed


class Parquet(Reader):
    """A Parquet file with a text column."""

    kind: ClassVar[str] = "parquet"
    formats: ClassVar[tuple[str, ...]] = ("parquet",)

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        """Yield a record for each row, in blocks. Raises Unreadable for a damaged file or one without a text column."""
        file, columns = _opened(content, intake)
        wanted = named(columns)
        size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        rows = max(1, min(4096, BATCH_BYTES * file.metadata.num_rows // max(1, size)))
        number, groups = 0, range(file.metadata.num_row_groups)
        if intake.part is not None:
            begins = _begins(file)
            number = intake.part.record
            groups = range(bisect_left(begins, intake.part.start), bisect_left(begins, intake.part.end))
        try:
            for batch in _ahead(file.iter_batches(rows, groups, columns=wanted, use_threads=False)):
                yield block_of(batch, number, columns, intake)
                number += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"damaged from row {number} on ({error}); fetch the file again") from None

    def borders(self, content: Content, intake: Intake, places: Sequence[int]) -> list[tuple[int, int]] | None:
        """Return the borders of row groups; None where a column is binary, whose encoding all its values decide."""
        file, columns = _opened(content, intake)
        types = [file.schema_arrow.field(name).type for name in named(columns)]
        if any(
            textual(dtype) and not (pa.types.is_string(dtype) or pa.types.is_large_string(dtype)) for dtype in types
        ):
            return None
        begins = [*_begins(file), len(content.data)]
        if begins != sorted(begins):
            return None
        rows = [0]
        for i in range(file.metadata.num_row_groups):
            rows.append(rows[-1] + file.metadata.row_group(i).num_rows)
        return [(begins[group], rows[group]) for group in (bisect_left(begins, place) for place in places)]


def _opened(content: Content, intake: Intake) -> tuple[Any, Columns]:
    """Return the opened file and its columns. Raises Unreadable for a damaged file or one without a text column."""
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(content.data)), pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        size = len(content.data)
        raise Unreadable(f"{size:,} bytes that are no whole Parquet file ({error}); fetch the file again") from None
    if content.data[-8 - FOOTER_TAIL : -8] == bytes(FOOTER_TAIL):
        raise Unreadable("the footer of the Parquet file is overwritten with zeros; fetch the file again")
    schema = file.schema_arrow
    columns = choose(intake.fields, schema.names, [field.name for field in schema if textual(field.type)])
    if columns is None:
        raise Unreadable(missing(intake.fields, [f"{field.name} ({field.type})" for field in schema]))
    return file, columns


def _begins(file: Any) -> list[int]:
    """Return where the first column of each row group begins, in bytes."""
    first = [file.metadata.row_group(i).column(0) for i in range(file.metadata.num_row_groups)]
    return [min(filter(None, (one.dictionary_page_offset, one.data_page_offset))) for one in first]


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches, unpacking the next in a thread while one is worked on."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def named(columns: Columns) -> list[str]:
    """Return the names of the columns that a document is made of."""
    others = (columns.title, columns.url, columns.id, columns.original_time, columns.last_modified_time)
    return [name for name in (*columns.text, *others) if name is not None]


def textual(dtype: pa.DataType) -> bool:
    """Say whether a column of this type can hold texts."""
    inner = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
    )
    return any(test(inner) for test in tests)


def block_of(batch: pa.RecordBatch, number: int, columns: Columns, intake: Intake) -> Block:
    """Return the block of a batch whose first row has this number."""

    def careful() -> Iterator[Record | Bad]:
        for record, row in enumerate(_rows(batch, columns, intake), number):
            yield within(record_of(record, row, columns), intake.limits)

    def column(name: str | None) -> pa.Array | None:
        return None if name is None else batch.column(name)

    # Several text columns are joined record by record; so is what is no plain string.
    text = batch.column(columns.text[0]) if len(columns.text) == 1 else pa.nulls(len(batch))
    if pa.types.is_large_string(text.type) and text.nbytes < 1 << 31:
        text = text.cast(pa.string())
    if pa.types.is_string(text.type) and intake.encoding is None:
        intake.encoding, intake.bom, intake.evidence = STRINGS
    times = column(columns.original_time), column(columns.last_modified_time)
    return Block(number, text, column(columns.title), column(columns.url), *times, column(columns.id), careful)


def _rows(batch: pa.RecordBatch, columns: Columns, intake: Intake) -> Iterator[dict[str, Any]]:
    values = {name: _values(batch.column(name), name in columns.text, intake) for name in batch.schema.names}
    for row in zip(*values.values(), strict=True):
        yield dict(zip(values, row, strict=True))


def _values(column: Any, is_text: bool, intake: Intake) -> list[Any]:
    """Return the values of a column, bytes decoded."""
    if is_text and intake.encoding is None:
        intake.encoding, intake.bom, intake.evidence = STRINGS
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError as error:
        loss = f"a string column holds bytes that are no UTF-8 ({error.reason}), read as U+FFFD"
        if loss not in intake.losses:
            intake.losses.append(loss)
        raw = column.cast(pa.binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "replace") for value in raw]
    if not any(isinstance(value, bytes) for value in values):
        return values
    return _decoded(values, is_text, intake)


def _decoded(values: list[bytes | None], is_text: bool, intake: Intake) -> list[str | None]:
    """Decode a binary column by the encoding of all its values together."""
    try:
        encoding = detect(b"\n".join(value for value in values if value))
    except BinaryContent:
        return [None if value is None else value.decode("utf-8", "replace") for value in values]
    if is_text:
        intake.encoding, intake.evidence = encoding.name, f"binary column: {encoding.evidence}"
        if encoding.errors or encoding.legacy:
            intake.losses.append(f"binary column with bytes that do not fit: {encoding.evidence}")
    return [None if value is None else decode(value, encoding) for value in values]
