"""CSV and TSV: any delimiter, quoted line breaks, ragged rows, stray quotes.

Rows are put together from physical lines here and only then given to Python's `csv`, so that one stray quote costs
one record: a quoted field that has not ended after 1,000 lines is read as one line with a literal quote.
"""

import csv
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import ClassVar

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import blocks
from pipeline.readers.fields import choose, missing
from pipeline.readers.lines import TooLong, text_lines
from pipeline.readers.reader import Bad, Intake, Reader, Record, decided, excerpt, record_of

DELIMITERS = ",\t;|"
MOST_LINES = 1000  # of one record

Line = str | TooLong


class Table(Reader):
    """A file of delimited columns whose first row names them."""

    kind: ClassVar[str] = "table"
    formats: ClassVar[tuple[str, ...]] = ("csv", "tsv")

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield a record for each row below the header. Raises Unreadable where no column holds text."""
        encoding = decided(content, intake)
        limit = intake.limits.record_bytes
        csv.field_size_limit(max(csv.field_size_limit(), limit))
        lines = text_lines(blocks(content.data, encoding), limit, encoding.name)
        first = next((line for line in lines if isinstance(line, TooLong) or line.strip()), "")
        if isinstance(first, TooLong):
            raise Unreadable(f"the header line is {first.reason(limit)}")
        delimiter = "\t" if intake.format.startswith("tsv") and "\t" in first else sniff_delimiter(first)
        rows = _rows(chain([first], lines), delimiter, limit)
        header = next(rows, None)
        if not isinstance(header, list):
            return
        names = [name.strip() for name in header]
        columns = choose(intake.fields, names)
        if columns is None:
            raise Unreadable(missing(intake.fields, names))
        for number, row in enumerate(rows):
            if isinstance(row, list):
                yield record_of(number, dict(zip(names, row, strict=False)), columns)
            else:
                yield Bad(number, row[0], excerpt(row[1]))


def sniff_delimiter(header: str) -> str:
    """Return the delimiter that cuts a header line into the most columns; a comma when none does."""
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    return max(DELIMITERS, key=bare.count)


def _rows(lines: Iterator[Line], delimiter: str, limit: int) -> Iterator[list[str] | tuple[str, str]]:
    """Yield the cells of each row that is not blank; a pair of reason and text for one that cannot be read."""
    waiting: list[Line] = []  # lines that were taken for a quoted field in vain, the next one last
    while (line := _next(waiting, lines)) is not None:
        if isinstance(line, TooLong):
            yield line.reason(limit), str(line.head)
            continue
        if not line.strip():
            continue
        parts, literal = [line], False
        if is_open(line, delimiter) and not _closed(parts, waiting, lines, delimiter, limit):
            waiting.extend(reversed(parts[1:]))
            parts, literal = [line], True
        try:
            yield next(
                csv.reader(
                    ["\n".join(parts)], delimiter=delimiter, quoting=csv.QUOTE_NONE if literal else csv.QUOTE_MINIMAL
                )
            )
        except csv.Error as error:
            yield f"no valid row ({error})", line


def _next(waiting: list[Line], lines: Iterator[Line]) -> Line | None:
    return waiting.pop() if waiting else next(lines, None)


def _closed(parts: list[str], waiting: list[Line], lines: Iterator[Line], delimiter: str, limit: int) -> bool:
    """Take further lines until the quoted field has ended; False where it does not end in time."""
    size = len(parts[0])
    while len(parts) < MOST_LINES and size <= limit:
        line = _next(waiting, lines)
        if line is None:
            return False
        if isinstance(line, TooLong):
            waiting.append(line)
            return False
        parts.append(line)
        size += len(line)
        if '"' in line and not is_open('"' + line, delimiter):
            return True
    return False


def is_open(line: str, delimiter: str) -> bool:
    """Say whether a quoted field of the line has not ended. A quote opens a field only at its beginning."""
    if line.count('"') % 2 == 0:
        return False
    field = _field(delimiter)
    at = 0
    while at <= len(line) and (match := field.match(line, at)):
        if match[1] == "":
            return True
        at = match.end() + 1
    return False


@cache
def _field(delimiter: str) -> re.Pattern[str]:
    """Return what matches a field; group 1 is the closing quote, empty where it is missing, None where none opened."""
    other = f"[^{re.escape(delimiter)}]*+"
    return re.compile(rf'"(?:[^"]|"")*+("?){other}|{other}')
