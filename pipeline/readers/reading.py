"""Reading any input file, or a dataset of a hub, into document batches with an account of what became of it.

`read_file` never raises for bad input: a file that cannot be read has the outcome `failed` with a reason that names
what was found and the remedy; bad records are listed in the quarantine. A fault of the machine (a full disk, a broken
mount, a network that is gone) says nothing about the file, so it is raised and no outcome is noted. Batches hold about
1 MB of text, whatever the number of rows.

Trade-off: where the recipe names an id field, the keys of one file are held in memory (about 60 bytes a record) to
find repeated ones.
"""

import errno
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from xxhash import xxh3_128_digest

import pipeline.readers
from pipeline.readers.archive import MEMBERS, read_members
from pipeline.readers.block import Block
from pipeline.readers.content import PACKINGS, Content, Skipped, Unreadable, opened
from pipeline.readers.formats import (
    detect_format,
    kind_of_bytes,
    misnamed,
    page_of_office,
    proven_format,
    sniff,
    unsupported,
)
from pipeline.readers.isolation import read_records
from pipeline.readers.reader import Bad, Intake, Reader, Record, encodable, excerpt
from pipeline.step import of_role
from schemas.decision import Outcome, bad_records
from schemas.document import DOCUMENT, document_id
from schemas.errors import SourceError, unknown_name
from schemas.source import InputFile, Limits, Source

BATCH_BYTES = 1 << 20
SHA256 = 64  # hex digits; where a file could not be hashed, something else stands in their place
JUNK = "no document: operating-system file"
# What the system says of one path alone; anything else it says of the machine.
OF_THE_FILE = frozenset(
    (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
)

Produce = Callable[[Intake], Iterator[Record | Bad | Block]]


class Reading:
    """One input being read. Iterate it once; afterwards `outcome` and `quarantine` tell what became of it.

    Batches have the schema `schemas.document.DOCUMENT`, rows in record order. `outcome` is one row of
    `schemas.decision.FILES`, `quarantine` rows of `schemas.decision.QUARANTINE`.
    """

    def __init__(self, file: InputFile, source: Source, limits: Limits, produce: Produce, *, raw_ids: bool) -> None:
        self.outcome: dict[str, Any] = {}
        self.quarantine: list[dict[str, Any]] = []
        self._file, self._source, self._produce, self._raw_ids = file, source, produce, raw_ids
        self._intake = Intake(file.uri, source.fields, limits, detect_format(file.uri) or "unknown")
        self._intake.ocr = source.ocr
        self._intake.part = file.part
        self._seen: set[bytes] = set()
        self._records = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        failure, skipped = None, None
        rows: list[tuple[Any, ...]] = []
        size = 0
        try:
            for item in self._produce(self._intake):
                if isinstance(item, Block):
                    whole = self._whole(item)
                    if whole is not None:
                        self._records += len(whole)
                        yield pa.concat_batches([self._batch(rows), whole]) if rows else whole
                        rows, size = [], 0
                        continue
                for row in map(self._row, item.careful() if isinstance(item, Block) else (item,)):
                    if row is None:
                        continue
                    rows.append(row)
                    size += _utf8_size(row[1])
                    if size >= BATCH_BYTES:
                        yield self._batch(rows)
                        rows, size = [], 0
        except Skipped as error:
            skipped = str(error)
        except Unreadable as error:
            failure = str(error)
        except OSError as error:
            failure = _not_opened(error, self._file)
        if rows:
            yield self._batch(rows)
        self._close(failure, skipped)

    def _whole(self, block: Block) -> pa.RecordBatch | None:
        """Return the documents of a block; None where it has to be read record by record."""
        text = block.texts(self._intake.limits.record_bytes)
        if text is None:
            return None
        try:
            keys = block.keys()
            others: dict[str, Any] = {name: block.strings(name) for name in ("title", "url")}
            others |= {name: block.times(name) for name in ("original_time", "last_modified_time")}
        except UnicodeDecodeError:
            return None
        if block.key is not None and (keys is None or not self._are_new(keys)):
            return None
        records = range(block.record, block.record + len(text))
        uri = self._file.uri + block.member
        made = [f"{uri}#{record}" for record in records] if keys is None else keys
        raw = self._raw_ids and keys is not None
        values: dict[str, Any] = {
            "id": made if raw else [document_id(self._source.id, key) for key in made],
            "text": text,
            "source": pa.repeat(self._source.id, len(text)),
            "uri": pa.repeat(uri, len(text)),
            "record": records,
            **others,
        }
        arrays = [
            values[field.name] if isinstance(values[field.name], pa.Array) else pa.array(values[field.name], field.type)
            for field in DOCUMENT
        ]
        return pa.record_batch(arrays, schema=DOCUMENT)

    def _are_new(self, keys: list[str]) -> bool:
        """Note the keys of a block; False, with nothing noted, where one came before or comes twice."""
        digests = set(map(xxh3_128_digest, map(str.encode, keys)))
        if len(digests) < len(keys) or not self._seen.isdisjoint(digests):
            return False
        self._seen |= digests
        return True

    def _row(self, item: Record | Bad) -> tuple[Any, ...] | None:
        """Return the row of a good record; put a bad, empty or repeated one into the quarantine."""
        if isinstance(item, Bad):
            self._bad(item)
            return None
        text = normalised(item.text)
        if not text.strip():
            return None
        uri = self._file.uri + item.member
        key = f"{uri}#{item.record}" if item.key is None else item.key
        if item.key is not None and not self._is_new(key):
            reason = f"the id '{excerpt(key)}' occurs again in this file"
            self._bad(Bad(item.record, reason, excerpt(text), item.member))
            return None
        raw = self._raw_ids and item.key is not None
        identity = encodable(key) if raw else document_id(self._source.id, key)
        origin = (self._source.id, uri, item.record)
        title, url = (None if value is None else encodable(value) for value in (item.title, item.url))
        return (identity, text, title, *origin, url, item.original_time, item.last_modified_time)

    def _is_new(self, key: str) -> bool:
        digest = _key_digest(key)
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True

    def _bad(self, bad: Bad) -> None:
        uri, said = self._file.uri + bad.member, encodable(bad.excerpt)
        row = {"source": self._source.id, "uri": uri, "record": bad.record, "reason": bad.reason, "excerpt": said}
        self.quarantine.append(row)

    def _batch(self, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
        self._records += len(rows)
        columns = zip(*rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, DOCUMENT, strict=True)]
        return pa.record_batch(arrays, schema=DOCUMENT)

    def _close(self, failure: str | None, skipped: str | None) -> None:
        bad = len(self.quarantine)
        reasons = [skipped or failure or "", *self._intake.losses]
        if bad:
            first = self.quarantine[0]
            reasons.append(f"{bad_records(bad)}{first['record']}: {first['reason']}")
        lost = bool(failure or bad or self._intake.losses)
        if skipped:
            outcome = Outcome.SKIPPED
        elif self._records:
            outcome = Outcome.PARTIAL if lost else Outcome.OK
        else:
            outcome = Outcome.FAILED if lost else Outcome.EMPTY
            reasons.append("" if lost else ": ".join((self._intake.nothing, *self._intake.notes[:1])))
        intake, file = self._intake, self._file
        self.outcome = {
            "source": self._source.id,
            "uri": file.uri,
            "format": intake.format,
            "encoding": intake.encoding,
            "bom": intake.bom,
            "evidence": intake.evidence,
            "outcome": outcome.value,
            "records": self._records,
            "bad_records": bad,
            "bytes": file.bytes,
            "sha256": file.sha256 if len(file.sha256) == SHA256 else None,
            "reason": encodable("; ".join(reason for reason in reasons if reason)),
            "notes": encodable("; ".join(intake.notes)) or None,
        }


def read_file(file: InputFile, source: Source, limits: Limits, *, raw_ids: bool = False) -> Reading:
    """Return the reading of one file, in whatever format and encoding it is.

    `raw_ids`: the value of the id field is the id as it stands; otherwise it, or `uri#record`, is the key that
    `document_id` hashes. Never raises for bad input. Iterating raises StoreError when the temporary folder is full, and
    SourceError when a disk or the network fails.
    """

    def produce(intake: Intake) -> Iterator[Record | Bad | Block]:
        if file.part is not None and file.part.start == file.part.end:
            return
        if intake.format == "junk":
            raise Skipped(JUNK)
        if source.reader == "auto":
            _refuse_unread(partial(_first_bytes, file.path), intake.format)
        with opened(file, limits) as content:
            yield from _records(content, source, intake)

    return Reading(file, source, limits, produce, raw_ids=raw_ids)


def not_given(file: InputFile, source: Source, limits: Limits, reason: str) -> Reading:
    """Return the reading of a file that its store does not give, for the reason."""

    def produce(_: Intake) -> Iterator[Record | Bad | Block]:
        raise Unreadable(reason)
        yield

    return Reading(file, source, limits, produce, raw_ids=False)


def borders_of(file: InputFile, source: Source, limits: Limits, places: Sequence[int]) -> tuple[Intake, Any] | None:
    """Return what was found of a file, and for each place the first record behind it, as `Reader.borders` does.

    None where the file can only be read as a whole. Raises nothing for bad input, OSError when it cannot be read.
    """
    intake = Intake(file.uri, source.fields, limits, detect_format(file.uri))
    head = _first_bytes(file.path)
    if any(head.startswith(magic) for magic, _ in PACKINGS.values()):
        return None
    try:
        with opened(file, limits) as content:
            base = proven_format(content.data) or intake.format
            reader = None if misnamed(content.data, base) or base in MEMBERS else _reader(source.reader, base)
            borders = None if reader is None or reader.hostile else reader.borders(content, intake, places)
    except Unreadable:
        return None
    return None if borders is None else (intake, borders)


def read_hub(source: Source, limits: Limits, *, raw_ids: bool = False, file: InputFile | None = None) -> Reading:
    """Return the reading of a Hugging Face dataset: a local folder or a name on a hub, streamed.

    The uri is `hub/NAME/CONFIG/SPLIT` (of a local folder its last name), without the revision, so that ids stay.
    `file`: what the snapshot holds of the dataset, for the bytes and hash of the outcome. Iterating raises SourceError
    when the dataset cannot be loaded: a wrong name, config or split, or no network.
    """
    from pipeline.readers.hub import hub_records, hub_uri

    assert source.hub is not None, f"the source '{source.id}' names no hub dataset"
    file = file or InputFile(source.id, hub_uri(source.hub), source.hub.name, 0, "")
    hub = source.hub
    reading = Reading(file, source, limits, lambda intake: hub_records(hub, intake), raw_ids=raw_ids)
    reading._intake.format = "hub"
    return reading


def read_sql(file: InputFile, source: Source, limits: Limits, *, raw_ids: bool = False) -> Reading:
    """Return the reading of a table or query of a database, streamed. Iterating raises SourceError as it says."""
    from pipeline.readers.sql import sql_records

    reading = Reading(file, source, limits, partial(sql_records, source, file), raw_ids=raw_ids)
    reading._intake.format = "sql"
    return reading


def _not_opened(error: OSError, file: InputFile) -> str:
    """Return the reason of a file that cannot be opened. Raises SourceError for a fault of the machine."""
    of_the_file = error.errno in OF_THE_FILE or isinstance(error, (FileNotFoundError, PermissionError))
    if of_the_file or error.errno is None:  # without a number it is what a library says of the bytes
        return f"cannot be opened or read ({error}); check that it is there and readable"
    raise SourceError(
        f"{file.path}: reading broke off ({error}); nothing is noted of it, run again when its disk works"
    ) from error


def _key_digest(key: str) -> bytes:
    return xxh3_128_digest(key.encode("utf-8", "surrogatepass"))


def _utf8_size(text: str) -> int:
    """Return about how many bytes a text takes, without encoding it."""
    return len(text) if text.isascii() else 3 * len(text)


def normalised(text: str) -> str:
    """Return the text with line feeds for line ends, without NUL characters and without a leading byte order mark."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "")
    return encodable(text.removeprefix("\ufeff"))


@cache
def _own_readers() -> dict[str, type[Reader]]:
    """Return the readers of this package by kind; the rest of the catalogue is dear to import."""
    for module in pkgutil.iter_modules(pipeline.readers.__path__):
        importlib.import_module(f"pipeline.readers.{module.name}")
    return {reader.kind: reader for reader in Reader.__subclasses__() if reader.kind}


def _first_bytes(path: str) -> bytes:
    with Path(path).open("rb") as stream:
        return stream.read(16)


def _refuse_unread(first: Callable[[], bytes], name: str) -> None:
    """Raise Skipped for a format that is known but not read yet, Unreadable where the content is not even that."""
    known = unsupported(name)
    if known is None:
        return
    head = first()
    packing = name.rsplit(".", 1)[-1] if "." in name else ""
    magic = PACKINGS[packing][0] if packing in PACKINGS else known.magic
    if not packing and known.magic and not head.startswith(magic):
        return  # the whole content tells what it is
    if not head.startswith(magic):
        found = kind_of_bytes(head) or ("nothing (0 bytes)" if not head else "something else")
        raise Unreadable(f"named as {name} but the content is {found}; give it its right name or fetch it again")
    raise Skipped(f"reading {name} is not supported yet; convert to {known.remedy}")


def _records(content: Content, source: Source, intake: Intake) -> Iterator[Record | Bad | Block]:
    """Yield the records of an opened file by the reader that its name or, where that says nothing, its content asks."""
    base = proven_format(content.data) or intake.format.split(".")[0]
    base = page_of_office(content.data, base) or base
    if reason := misnamed(content.data, base):
        raise Unreadable(reason)
    if base in MEMBERS:
        intake.format = f"{base}.{content.packing}" if content.packing else base
        yield from read_members(base, content, intake, partial(_member, source=source))
        return
    reader = _reader(source.reader, base)
    if reader is None:
        base = sniff(content.data)
        reader = _reader("auto", base)
    assert reader is not None, f"no reader for {base}"
    intake.format = f"{base}.{content.packing}" if content.packing else base
    if content.damage:
        intake.losses.append(content.damage)
    if len(content.data) or base == "parquet":
        yield from read_records(reader, content, intake)


def _member(content: Content, intake: Intake, source: Source) -> Iterator[Record | Bad | Block]:
    """Yield the records of an archive's member. Raises as the reading of a file does."""
    if intake.format == "junk":
        raise Skipped(JUNK)
    if source.reader == "auto":
        _refuse_unread(lambda: bytes(content.data[:16]), intake.format)
    yield from _records(content, source, intake)


def _reader(kind: str, base: str) -> Reader | None:
    """Return the reader of a kind, or for `auto` of a format; None where there is none for the format."""
    own = _own_readers()
    if kind != "auto":
        return (own.get(kind) or _foreign(kind))()
    found = next((reader for reader in own.values() if base in reader.formats), None)
    if found is None and base not in ("", "unknown", *PACKINGS):
        found = next((reader for reader in of_role(Reader).values() if base in reader.formats), None)
    return found() if found else None


def _foreign(kind: str) -> type[Reader]:
    known = of_role(Reader)
    if kind not in known:
        raise Unreadable(unknown_name("reader", kind, ["auto", *known]))
    return known[kind]
