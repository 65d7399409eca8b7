"""JSON: lines, an array, or an object that holds one list; which of them is seen from the content, not the name.

UTF-8 lines are parsed by orjson straight from the file's bytes. What orjson refuses is tried with Python's `json`,
which takes raw control characters, NaN and lone surrogates; what that refuses is a bad record. Nothing else is
repaired. Arrays are read value by value, so a large one needs little memory; after a broken value the rest is lost.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar

import orjson

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import Encoding, blocks
from pipeline.readers.fields import Columns, choose, missing
from pipeline.readers.lines import TooLong, byte_lines, text_lines
from pipeline.readers.reader import Bad, Intake, Reader, Record, decided, excerpt, record_of, within

BETWEEN = re.compile(r"[\s,\ufeff]*")
LENIENT = json.JSONDecoder(strict=False)
BLANK = " \t\r\n\f\v\ufeff"
KEY_SETS = 1000  # sets of keys whose columns are remembered

Line = bytes | str | TooLong


class Json(Reader):
    """JSON lines and JSON files."""

    kind: ClassVar[str] = "json"
    formats: ClassVar[tuple[str, ...]] = ("json", "jsonl")

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield a record for each line, element of the array, or value."""
        encoding = decided(content, intake)
        by_lines = _by_lines(list(islice(_lines(content, encoding, intake), 2)), intake)
        intake.format = ".".join(filter(None, ["jsonl" if by_lines else "json", content.packing]))
        if by_lines:
            yield from _of_lines(_lines(content, encoding, intake), intake)
        else:
            yield from _of_values(blocks(content.data, encoding), intake)


class Rows:
    """Makes records of the objects of one file, all with the same text fields."""

    def __init__(self, intake: Intake) -> None:
        self._fields = intake.fields
        self._text: tuple[str, ...] | None = None
        self._known: dict[tuple[str, ...], Columns] = {}

    def record(self, number: int, value: Any) -> Record | Bad:
        """Return the record of a value, or why it makes none."""
        if not isinstance(value, dict):
            return Bad(number, f"a JSON {type(value).__name__} where an object should be", excerpt(value))
        names = tuple(value)
        columns = self._known.get(names) or self._choose(names)
        if columns is None:
            return Bad(number, missing(self._fields, names), excerpt(value))
        return record_of(number, value, columns)

    def holds_text(self, value: dict[str, Any]) -> bool:
        """Say whether an object is a record rather than a frame round records."""
        return choose(self._fields, value) is not None

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


def _lines(content: Content, encoding: Encoding, intake: Intake) -> Iterator[Line]:
    """Yield the lines that are not blank."""
    limit = intake.limits.record_bytes
    lines: Iterable[Line]
    if encoding.name == "utf-8" and not encoding.errors and not encoding.legacy:
        lines = byte_lines(content.data, encoding.mark, limit)
    else:
        lines = text_lines(blocks(content.data, encoding), limit, encoding.name)
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


def _of_lines(lines: Iterable[Line], intake: Intake) -> Iterator[Record | Bad]:
    rows = Rows(intake)
    for number, line in enumerate(lines):
        if isinstance(line, TooLong):
            yield Bad(number, line.reason(intake.limits.record_bytes), excerpt(line.head))
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
