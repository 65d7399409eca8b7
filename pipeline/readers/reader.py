"""The contract of readers: content in, records and bad records out, and what was found on the way.

A reader is a step: defining a subclass of `Reader` registers it. It never raises for bad input except `Unreadable`,
whose message becomes the file's reason; what it yielded before stays.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import BinaryContent, Encoding, decode, detect
from pipeline.readers.fields import Columns, parse_time, text_of
from pipeline.step import Step
from schemas.errors import ContractError
from schemas.source import Fields, Limits, Part

if TYPE_CHECKING:
    from pipeline.readers.archive import Budget
    from pipeline.readers.block import Block

EXCERPT = 200  # characters of a bad record that are kept
SAMPLE = 4096  # bytes that tell whether a text was broken before it was written


class Record(NamedTuple):
    """A record that was read; `record`: its ordinal in the file, bad ones counted; `key`: the value of its id field."""

    record: int
    text: str
    title: str | None = None
    url: str | None = None
    original_time: datetime | None = None
    last_modified_time: datetime | None = None
    key: str | None = None
    member: str = ""  # of an archive, as it stands behind the uri: `!name`


class Bad(NamedTuple):
    """A record that could not be read, and why."""

    record: int
    reason: str
    excerpt: str
    member: str = ""


@dataclass(slots=True)
class Intake:
    """What a reader is told (`uri`, `fields`, `limits`, `ocr`) and what it tells about the file (the rest).

    `losses` are reasons why the file was not read in full; each makes the outcome `partial`. `nothing` is the reason
    of a file that is sound and yet gave no record. `notes` are facts that are no losses: what the file holds besides
    texts, what its pages reserve. `part`: all of the file that is asked for, for readers that have `borders`.
    """

    uri: str
    fields: Fields
    limits: Limits
    format: str
    encoding: str | None = None
    bom: bool | None = None
    evidence: str | None = None
    losses: list[str] = field(default_factory=list)
    nothing: str = "no text in it"
    notes: list[str] = field(default_factory=list)
    ocr: str | None = None  # the function that reads pages without a text layer
    budget: "Budget | None" = None  # inside an archive: what may still be unpacked
    part: Part | None = None


class Reader(Step):
    """Turns the content of one file into records. Subclasses name the `formats` they read and define `records`."""

    formats: ClassVar[tuple[str, ...]] = ()
    hostile: ClassVar[bool] = False  # parse in a limited process of its own
    needs: ClassVar[tuple[str, ...]] = ()

    def records(self, content: Content, intake: Intake) -> "Iterator[Record | Bad | Block]":  # noqa: ARG002 - contract
        """Yield the records in order, a table's in blocks if it likes.

        Raises Unreadable for a file, or the rest of it, that cannot be read.
        """
        raise ContractError(f"the reader '{self.kind}' does not define records")

    def borders(self, content: Content, intake: Intake, places: Sequence[int]) -> list[tuple[int, int]] | None:  # noqa: ARG002 - contract
        """Return for each place in the bytes where the first record behind it begins, and its ordinal.

        None where the content cannot be read in parts with the same result. Raises as `records`.
        """
        return None


def decided(content: Content, intake: Intake, hint: str | None = None) -> Encoding:
    """Return the encoding of the content and note it. Raises Unreadable for binary data."""
    part = intake.part
    try:
        encoding = (
            detect(content.data, hint)
            if part is None
            else Encoding("utf-8", part.evidence, len(BOM_UTF8) if part.bom else 0)
        )
    except BinaryContent as error:
        raise Unreadable(
            f"named as {intake.format} but the content is binary ({error}); give it its right name or remove it"
        ) from None
    intake.encoding, intake.bom, intake.evidence = encoding.name, encoding.mark > 0, encoding.evidence
    if encoding.legacy:
        intake.losses.append(f"two encodings in one file, decoded line by line: {encoding.evidence}")
    if encoding.errors:
        intake.losses.append(f"{encoding.errors} byte sequences are no {encoding.name} and were read as U+FFFD")
    if _is_misread(decode(content.data[:SAMPLE], encoding)):
        intake.notes.append(
            "its text was read in a wrong encoding before it was written; the cleaner `mojibake` mends it"
        )
    return encoding


def _is_misread(sample: str) -> bool:
    from pipeline.clean.mojibake import is_misread

    return not sample.isascii() and is_misread(sample)


def whole_text(content: Content, intake: Intake, hint: str | None = None) -> str:
    """Return the text of a file that is one document. Raises Unreadable past the limit on a record."""
    if len(content.data) > intake.limits.record_bytes:
        raise Unreadable(
            f"one document of {len(content.data):,} bytes, over limits.record_bytes {intake.limits.record_bytes:,}; "
            "split the file or raise the limit"
        )
    return decode(content.data, decided(content, intake, hint))


def collected(lines: Iterable[str], intake: Intake) -> str:
    """Return the lines of one document that are not blank; damage behind the first of them is noted as a loss.

    Raises Unreadable past the limit on a record, and what `lines` raises before it gave any.
    """
    kept: list[str] = []
    size, most = 0, intake.limits.record_bytes
    try:
        for line in lines:
            if line.strip():
                kept.append(line.rstrip())
                size += len(line.encode("utf-8", "surrogatepass")) + 1
                if size > most:
                    break
    except Unreadable as error:
        if not kept:
            raise
        intake.losses.append(str(error))
    if size > most:
        raise Unreadable(f"one document of more than limits.record_bytes {most:,}; split the file or raise the limit")
    return "\n".join(kept)


def record_of(number: int, row: dict[str, Any], columns: Columns) -> Record | Bad:
    """Return the record that a row of named values makes, or why it makes none."""
    values = [row.get(name) for name in columns.text]
    text = text_of(values)
    if text is None:
        return Bad(number, _why_no_text(row, columns), excerpt(row))
    if not text.strip():
        return Bad(number, f"the text in '{columns.text[0]}' is empty", excerpt(row))
    key = row.get(columns.id) if columns.id else None
    return Record(
        number,
        text,
        _string(row, columns.title),
        _string(row, columns.url),
        parse_time(row.get(columns.original_time)) if columns.original_time else None,
        parse_time(row.get(columns.last_modified_time)) if columns.last_modified_time else None,
        None if key is None or not str(key).strip() else str(key),
    )


def within(record: Record | Bad, limits: Limits) -> Record | Bad:
    """Return the record, or a bad one where its text, read from a column, is over the limit."""
    if not isinstance(record, Bad) and 4 * len(record.text) > limits.record_bytes:
        size = len(record.text.encode("utf-8", "surrogatepass"))
        if size > limits.record_bytes:
            reason = f"a record of {size:,} bytes, over limits.record_bytes {limits.record_bytes:,}"
            return Bad(record.record, reason, excerpt(record.text))
    return record


def encodable(text: str) -> str:
    """Join surrogate pairs, and replace lone surrogates, which no UTF-8 can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def excerpt(value: Any) -> str:
    """Return the first characters of what could not be read."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return (text if isinstance(text, str) else repr(text)[: 4 * EXCERPT])[:EXCERPT]


def _why_no_text(row: dict[str, Any], columns: Columns) -> str:
    for name in columns.text:
        if name not in row:
            return f"no text field '{name}'; the record has: {', '.join(map(str, list(row)[:10])) or 'nothing'}"
        if row[name] is None:
            return f"the text in '{name}' is null"
        if not isinstance(row[name], str):
            return f"the text in '{name}' is no string but {type(row[name]).__name__}"
    return "no text"


def _string(row: dict[str, Any], name: str | None) -> str | None:
    value = row.get(name) if name else None
    return value.strip() or None if isinstance(value, str) else None
