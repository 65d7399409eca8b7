"""JSON: lines, an array, or an object that holds one list; which of them is seen from the content, not the name.

UTF-8 lines are parsed by orjson straight from the file's bytes. What orjson refuses is tried with Python's `json`,
which takes raw control characters, NaN and lone surrogates; what that refuses is a bad record. Nothing else is
repaired. Arrays are read value by value, so a large one needs little memory; after a broken value the rest is lost.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from types import NoneType
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
from numba import njit

from pipeline.readers.block import Block
from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import Encoding, blocks
from pipeline.readers.fields import Columns, choose, missing, paths_of, with_paths
from pipeline.readers.lines import TooLong, byte_lines, line_borders, text_lines
from pipeline.readers.reader import Bad, Intake, Reader, Record, decided, excerpt, record_of, within

BETWEEN = re.compile(r"[\s,\ufeff]*")
LENIENT = json.JSONDecoder(strict=False)
BLANK = " \t\r\n\f\v\ufeff"
BLOCK_BYTES = 1 << 20
TYPES = {str: pa.string(), int: pa.int64(), NoneType: pa.string()}
KEY_SETS = 1000  # sets of keys whose columns are remembered

Line = bytes | str | TooLong


class Json(Reader):
    """JSON lines and JSON files."""

    kind: ClassVar[str] = "json"
    formats: ClassVar[tuple[str, ...]] = ("json", "jsonl")

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        """Yield a record for each line, element of the array, or value."""
        encoding = decided(content, intake)
        by_lines = _by_lines(list(islice(_lines(content, encoding, intake), 2)), intake)
        intake.format = ".".join(filter(None, ["jsonl" if by_lines else "json", content.packing]))
        if by_lines and _is_plain(encoding):
            yield from _blocks(content, encoding.mark, intake)
        elif by_lines:
            yield from _of_lines(_lines(content, encoding, intake), Rows(intake))
        else:
            yield from _of_values(blocks(content.data, encoding), intake)

    def borders(self, content: Content, intake: Intake, places: Sequence[int]) -> list[tuple[int, int]] | None:
        """Return the borders of lines of UTF-8; None for anything else."""
        encoding = decided(content, intake)
        first = list(islice(_lines(content, encoding, intake), 2))
        if not _is_plain(encoding) or not _by_lines(first, intake):
            return None
        return line_borders(content.data, encoding.mark, places, intake.limits.record_bytes)


class Rows:
    """Makes records of the objects of one file, all with the same text fields."""

    def __init__(self, intake: Intake) -> None:
        self._fields = intake.fields
        self._paths = paths_of(intake.fields)
        self.limit = intake.limits.record_bytes
        self._text: tuple[str, ...] | None = None
        self._columns: Columns | None = None
        self.types: pa.Schema | None = None
        self._known: dict[tuple[str, ...], Columns] = {}

    @property
    def found(self) -> bool:
        """Whether a readable record came before."""
        return self._columns is not None

    def record(self, number: int, value: Any) -> Record | Bad:
        """Return the record of a value, or why it makes none."""
        if not isinstance(value, dict):
            return Bad(number, f"a JSON {type(value).__name__} where an object should be", excerpt(value))
        if self._paths:
            value = with_paths(value, self._paths)
        names = tuple(value)
        columns = self._known.get(names) or self._choose(names)
        if columns is None:
            return Bad(number, missing(self._fields, names), excerpt(value))
        if self._columns is None and not isinstance(record := record_of(number, value, columns), Bad):
            # Arrow knows no paths: records with them are read one by one.
            self._columns, self.types = columns, None if self._paths else _types(columns, value)
            return record
        return record_of(number, value, columns)

    def knows(self, table: pa.Table) -> bool:
        """Say whether every record of a table has its fields where the first readable record has them."""
        if self._columns is None or len(self._columns.text) > 1:
            return False
        names = table.schema.names
        if len({name.strip().lower() for name in names}) < len(names):
            return False
        # What is null may be missing: then no other name may be chosen in its place.
        absent = [name for name in names if table.column(name).null_count]
        return all(
            (found := self._choose(tuple(name for name in names if name not in gone))) is not None
            and all(
                getattr(found, role) == value or (value in gone and getattr(found, role) is None)
                for role, value in asdict(self._columns).items()
            )
            for gone in [(), *([name] for name in absent), absent]
            if not set(gone) & set(self._columns.text)
        )

    def block(self, number: int, table: pa.RecordBatch, careful: Callable[[], Iterator[Record | Bad]]) -> Block:
        """Return the block of a table that is known."""
        assert self._columns is not None, "a table is only parsed after a first record"
        columns = self._columns

        def column(name: str | None) -> pa.Array | None:
            return None if name is None else table.column(name)

        times = column(columns.original_time), column(columns.last_modified_time)
        others = column(columns.title), column(columns.url)
        return Block(number, table.column(columns.text[0]), *others, *times, column(columns.id), careful)

    def holds_text(self, value: dict[str, Any]) -> bool:
        """Say whether an object is a record rather than a frame round records."""
        return choose(self._fields, with_paths(value, self._paths)) is not None

    def _choose(self, names: tuple[str, ...]) -> Columns | None:
        fields = self._fields if self._text is None else self._fields.model_copy(update={"text": list(self._text)})
        columns = choose(fields, names)
        if columns is None:
            return None if self._text is None else Columns(self._text)
        self._text = self._text or columns.text
        columns = replace(columns, text=self._text)
        if len(self._known) < KEY_SETS:
            self._known[names] = columns
        return columns


def _types(columns: Columns, value: dict[str, Any]) -> pa.Schema | None:
    """Return the types that the fields of a first record ask for; None where they are none that Arrow reads alike."""
    fields = []
    for name in (
        *columns.text,
        columns.title,
        columns.url,
        columns.original_time,
        columns.last_modified_time,
        columns.id,
    ):
        if name is None:
            continue
        kind = TYPES.get(type(value.get(name)))
        if kind is None:
            return None
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


def _lines(content: Content, encoding: Encoding, intake: Intake) -> Iterator[Line]:
    """Yield the lines that are not blank."""
    limit = intake.limits.record_bytes
    lines: Iterable[Line]
    if _is_plain(encoding):
        lines = byte_lines(content.data, encoding.mark, limit)
    else:
        lines = text_lines(blocks(content.data, encoding), limit, encoding.name)
    return _not_blank(lines)


def _is_plain(encoding: Encoding) -> bool:
    """Say whether the bytes are UTF-8 throughout."""
    return encoding.name == "utf-8" and not encoding.errors and not encoding.legacy


def _not_blank(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        if isinstance(line, TooLong) or (line.strip() and (isinstance(line, bytes) or line.strip(BLANK))):
            yield line


def _by_lines(first: list[Line], intake: Intake) -> bool:
    """Say, from the first two lines, whether every line is a value of its own."""
    named = intake.format.startswith("jsonl")
    values = [None if isinstance(line, TooLong) else _parsed(line) for line in first]
    if len(values) < 2:
        framed = isinstance(values[0], list) or _framed(values[0], Rows(intake)) is not None if values else False
        return named and not framed
    if isinstance(values[0], dict) or isinstance(values[1], dict):
        return True
    head = first[0].head if isinstance(first[0], TooLong) else first[0]
    opening = head.decode("utf-8", "replace") if isinstance(head, bytes) else head
    return named and opening.strip(BLANK) not in ("[", "{")


def _parsed(line: bytes | str) -> Any:
    """Return the value of a line. Returns the ValueError, as a value, for what is no JSON."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    try:
        return LENIENT.decode(text.strip(BLANK))
    except ValueError as error:
        return error
    except RecursionError:
        return ValueError("nested too deeply")


def _blocks(content: Content, start: int, intake: Intake) -> Iterator[Record | Bad | Block]:
    """Yield lines of UTF-8 in blocks of about BLOCK_BYTES, and one by one where they are not one object a line."""
    rows, number, limit = Rows(intake), 0, intake.limits.record_bytes
    size, part = len(content.data), intake.part
    if part is not None:
        _find_fields(content, start, part.start, rows)
        start, size, number = max(start, part.start), part.end, part.record
    while start < size:
        end = start + BLOCK_BYTES
        if not rows.found:  # one by one up to the first record, which says where the fields are
            end = content.data.find(b"\n", start, end) + 1 or (0 if end < size else size)
        else:
            end = content.data.rfind(b"\n", start, end) + 1 if end < size else size
        if not end:  # a long line: as it is read anyway
            line = next(byte_lines(content.data, start, limit))
            yield from _of_lines(_not_blank([line]), rows, number)
            number += isinstance(line, TooLong) or bool(line.strip())
            start += _length(line)
            continue
        piece = content.data[start:end]
        start = end
        lines = partial(_not_blank, byte_lines(piece, 0, limit))
        table = _table(piece, rows, limit) if rows.found else None
        if table is None:
            careful = list(_of_lines(lines(), rows, number))
            number = careful[-1].record + 1 if careful else number
            yield from careful
            continue
        yield rows.block(number, table, lambda lines=lines, first=number: _of_lines(lines(), rows, first))  # type: ignore[misc]
        number += len(table)


def _find_fields(content: Content, start: int, end: int, rows: Rows) -> None:
    """Let the records before a part say where the fields are, as they do for the whole file: the first does mostly."""
    while start < end and not rows.found:
        line = next(byte_lines(content.data, start, rows.limit))
        for _ in _of_lines(_not_blank([line]), rows):
            pass
        start += _length(line)


def _length(line: bytes | TooLong) -> int:
    """Return the bytes of a line with its end."""
    return (line.size if isinstance(line, TooLong) else len(line)) + 1


def _table(piece: bytes, rows: "Rows", limit: int) -> pa.RecordBatch | None:
    """Return lines parsed by Arrow; None where they are not one object each, of known fields, within the limit."""
    if len(piece) > limit and max(map(len, piece.split(b"\n"))) > limit:
        return None
    # White space at the end is one line end at most.
    if piece[:1] != b"{" or piece[-3:].rstrip()[-1:] != b"}":
        return None
    lines, between, crlf = _line_ends(np.frombuffer(piece, np.uint8))
    ends = lines + (piece[-1:] != b"\n")
    if ends - 1 not in (between, crlf):
        return None
    types = rows.types
    if types is None:
        return None
    import pyarrow.json as pj

    options = pj.ParseOptions(explicit_schema=types, unexpected_field_behavior="infer")
    try:
        table = pj.read_json(
            pa.BufferReader(piece), pj.ReadOptions(use_threads=False, block_size=len(piece) + 1), options
        )
    except pa.ArrowException:
        return None
    batches = table.combine_chunks().to_batches()
    return batches[0] if len(batches) == 1 and table.num_rows == ends and rows.knows(table) else None


@njit(cache=True, nogil=True)
def _line_ends(data: Any) -> tuple[int, int, int]:
    """Count line feeds, and those of them that stand between } and {, without and with a carriage return."""
    lines = between = crlf = 0
    size = np.uint64(len(data))
    for i in range(np.uint64(0), size):
        lines += data[i] == 10
    for i in range(np.uint64(2), size - np.uint64(1)):
        end = (data[i] == 10) & (data[i + np.uint64(1)] == 123)
        before = data[i - np.uint64(1)]
        between += end & (before == 125)
        crlf += end & (before == 13) & (data[i - np.uint64(2)] == 125)
    return lines, between, crlf


def _of_lines(lines: Iterable[Line], rows: "Rows", first: int = 0) -> Iterator[Record | Bad]:
    for number, line in enumerate(lines, first):
        if isinstance(line, TooLong):
            yield Bad(number, line.reason(rows.limit), excerpt(line.head))
            continue
        value = _parsed(line)
        if isinstance(value, ValueError):
            yield Bad(number, f"no valid JSON ({value})", excerpt(line))
        else:
            yield rows.record(number, value)


def _of_values(texts: Iterator[str], intake: Intake) -> Iterator[Record | Bad]:
    """Yield the elements of an array, the values that follow each other, or the list that a single object holds."""
    rows = Rows(intake)
    number = 0
    for value in _values(texts, intake.limits.record_bytes):
        inner = _framed(value, rows) if number == 0 else None
        for item in [value] if inner is None else inner:
            if isinstance(item, ValueError):
                yield Bad(number, f"{item}; what follows in the file is not read", str(item.__cause__))
            else:
                yield within(rows.record(number, item), intake.limits)
            number += 1


def _framed(value: Any, rows: Rows) -> list[Any] | None:
    """Return the records that an object without a text of its own holds as its only list of objects."""
    if not isinstance(value, dict) or rows.holds_text(value):
        return None
    lists = [inner for inner in value.values() if isinstance(inner, list) and inner and isinstance(inner[0], dict)]
    return lists[0] if len(lists) == 1 else None


def _values(texts: Iterator[str], limit: int) -> Iterator[Any]:
    """Yield the values of an array or of values in a row; a ValueError, as the last one, where the text breaks."""
    buffer = next(texts, "")
    at = _after(buffer, 0)
    in_array = buffer[at : at + 1] == "["
    at += in_array
    while True:
        at = _after(buffer, at)
        if at >= len(buffer):
            buffer, at = next(texts, ""), 0
            if not buffer:
                if in_array:
                    yield _broken("no valid JSON (the array is not closed)", "")
                return
            continue
        if in_array and buffer[at] == "]":
            in_array = False
            at += 1
            continue
        try:
            value, at = LENIENT.raw_decode(buffer, at)
        except (ValueError, RecursionError) as error:
            over = len(buffer) - at > limit
            more = "" if over else _more(texts, len(buffer) - at)
            if not more:
                too_long = over and _wants_more(error, len(buffer))
                reason = f"a record over limits.record_bytes {limit:,}" if too_long else f"no valid JSON ({error})"
                yield _broken(reason, buffer[at : at + 200])
                return
            buffer, at = buffer[at:] + more, 0
        else:
            yield value


def _wants_more(error: Exception, end: int) -> bool:
    """Say whether a value breaks off only where the text ends: in a string, or with a few characters of a token."""
    return isinstance(error, json.JSONDecodeError) and (error.msg.startswith("Unterminated") or error.pos > end - 8)


def _after(buffer: str, at: int) -> int:
    match = BETWEEN.match(buffer, at)
    return match.end() if match else at


def _more(texts: Iterator[str], size: int) -> str:
    """Return as much again as there is, so that a long value is tried only a few times."""
    parts: list[str] = []
    while sum(map(len, parts)) < max(1, size) and (part := next(texts, "")):
        parts.append(part)
    return "".join(parts)


def _broken(message: str, text: str) -> ValueError:
    error = ValueError(message)
    error.__cause__ = Unreadable(text)
    return error
