"""Archives of crawls (WARC, and the WET and WAT made of them): each page that was answered is a record.

Every other record (requests, images, answers other than 200, revisits) is counted in the file's notes, so nothing is
lost silently. The format is ISO 28500; it is parsed here and not by a library, since the bytes are unpacked already,
a header is a few lines, and a broken one must cost only its own record: behind it reading goes on at the next line
that begins a record.

Trade-off: a page has the date of its fetch where it states none of its own, as it was published then at the latest.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

from pipeline.readers.answer import Answer, answer, body_of, is_html, reserved
from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import BinaryContent, Data, Encoding, decode, detect
from pipeline.readers.fields import parse_time
from pipeline.readers.html import declared_charset, read_page
from pipeline.readers.reader import Bad, Intake, Reader, Record, excerpt

HEAD = 64 << 10  # most bytes of a record's header
MARK = b"WARC/"
VERSION = re.compile(rb"WARC/\d+\.\d+\s*\n?")
KINDS = 8  # kinds of other records that the notes name


class Entry(NamedTuple):
    """A record of an archive: its header by lower-case names, where its block lies, and what is wrong with it."""

    header: dict[str, str]
    start: int
    end: int
    fault: str = ""


class Warc(Reader):
    """The pages of an archive in order; a WET's texts."""

    kind: ClassVar[str] = "warc"
    formats: ClassVar[tuple[str, ...]] = ("warc", "wet", "wat")
    revision: ClassVar[int] = 2

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield a record for each answered page or converted text."""
        crawl = Crawl(intake)
        yield from crawl.records(content.data)
        crawl.close()


class Crawl:
    """Reads the archives of one file, one after the other, and tells at the end what they hold besides pages."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._pages = 0
        self._blank = 0
        self._others: Counter[str] = Counter()
        self._encodings: Counter[str] = Counter()
        self._reserved: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._repaired = 0

    def records(self, data: Data) -> Iterator[Record | Bad]:
        """Yield the pages of an archive."""
        for entry in entries(data):
            if isinstance(entry, str):
                self._intake.losses.append(entry)
                continue
            for record in self._of(data, entry):
                self._pages += 1
                self._blank += not isinstance(record, Bad) and not record.text.strip()
                yield record

    def close(self) -> None:
        """Note what there was."""
        intake, notes = self._intake, self._intake.notes
        if self._others:
            named = [f"{count:,} {kind}" for kind, count in self._others.most_common(KINDS)]
            more = len(self._others) - KINDS
            rest = f" and {more} more kinds" if more > 0 else ""
            notes.append(f"{self._others.total():,} other records: {', '.join(named)}{rest}")
        for word, count in self._reserved.most_common():
            notes.append(f"{count:,} pages say {word}, the first is {self._first[word]}")
        if self._blank:
            notes.append(f"{self._blank:,} pages without text")
        if self._encodings:
            named = [f"{count:,} {name}" for name, count in self._encodings.most_common()]
            intake.evidence = f"pages by encoding: {', '.join(named)}"
            intake.encoding = next(iter(self._encodings)) if len(self._encodings) == 1 else None
        if self._repaired:
            intake.losses.append(f"{self._repaired:,} pages hold bytes that are no text and were read as U+FFFD")

    def _of(self, data: Data, entry: Entry) -> Iterator[Record | Bad]:
        """Yield the record that an entry makes, if any."""
        kind = entry.header.get("warc-type", "unknown").lower()
        media = entry.header.get("content-type", "").lower()
        if kind == "conversion" and media.startswith("text/plain"):
            yield self._made(entry, lambda: self._converted(data, entry))
        elif (kind == "response" and "http" in (media or "http")) or (kind == "resource" and is_html(media)):
            yield from self._page(data, entry, kind, media)
        else:
            self._count(entry, kind)

    def _page(self, data: Data, entry: Entry, kind: str, media: str) -> Iterator[Record | Bad]:
        head = data[entry.start : min(entry.end, entry.start + HEAD)]
        found = answer(head) if kind == "response" else Answer(200, {"content-type": media}, 0)
        if found is None:
            self._count(entry, f"{kind} without an HTTP header")
        elif found.status != 200:
            self._count(entry, f"{kind} {found.status}")
        elif not is_html(found.headers.get("content-type", ""), head[found.begin : found.begin + 512]):
            self._count(entry, f"{kind} {found.headers.get('content-type', 'of no type').split(';')[0].strip()}")
        else:
            yield self._made(entry, lambda: self._answered(data, entry, found))

    def _made(self, entry: Entry, make: Callable[[], Record]) -> Record | Bad:
        """Return what `make` makes of a sound entry, a bad record with the reason where it cannot."""
        address = entry.header.get("warc-target-uri", "")
        try:
            if entry.fault:
                raise Unreadable(entry.fault)
            size, most = entry.end - entry.start, self._intake.limits.record_bytes
            if size > most:
                raise Unreadable(f"a record of {size:,} bytes, over limits.record_bytes {most:,}")
            return make()
        except (Unreadable, BinaryContent) as error:
            return Bad(self._pages, str(error), excerpt(address))

    def _answered(self, data: Data, entry: Entry, found: Answer) -> Record:
        block = data[entry.start + found.begin : entry.end]
        body = body_of(found, block, self._intake.limits.record_bytes)
        text = self._decoded(body, found.charset or declared_charset(body))
        page = read_page(text)
        address = _address(entry)
        for word in reserved(found.headers) | page.reserved:
            self._reserved[word] += 1
            self._first.setdefault(word, address or f"record {self._pages}")
        return page.record._replace(
            record=self._pages,
            url=address or page.record.url,
            original_time=page.record.original_time or parse_time(entry.header.get("warc-date")),
            last_modified_time=parse_time(found.headers.get("last-modified")),
        )

    def _converted(self, data: Data, entry: Entry) -> Record:
        text = self._decoded(data[entry.start : entry.end], None)
        return Record(self._pages, text, None, _address(entry), original_time=parse_time(entry.header.get("warc-date")))

    def _decoded(self, body: bytes, hint: str | None) -> str:
        encoding: Encoding = detect(body, hint)
        self._encodings[encoding.name] += 1
        self._repaired += encoding.errors > 0
        return decode(body, encoding)

    def _count(self, entry: Entry, kind: str) -> None:
        self._others[kind] += 1
        if entry.fault:
            self._intake.losses.append(f"a record ({kind}) is {entry.fault}")


def entries(data: Data) -> Iterator[Entry | str]:
    """Yield the records of an archive in order, and what is lost between them, in words."""
    place, size = 0, len(data)
    while place < size:
        begin = place if data[place : place + 5] == MARK else _next_mark(data, place)
        if data[place : min(begin, place + 4096)].strip():
            yield f"{begin - place:,} bytes at {place:,} are no record"
        if begin == size:
            return
        # the header ends with an empty line; lines may end in LF alone
        ends = [(data.find(gap, begin, begin + HEAD), len(gap)) for gap in (b"\r\n\r\n", b"\n\n")]
        ends = [(end, width) for end, width in ends if end >= 0]
        if not ends:
            place = _next_mark(data, begin + 1)
            yield f"a record at {begin:,} whose header has no end: {place - begin:,} bytes"
            continue
        end, width = min(ends)
        entry = _entry(data, _header(data[begin:end]), end + width)
        place = entry.end
        yield entry


def _entry(data: Data, header: dict[str, str], start: int) -> Entry:
    """Return the entry whose block begins here. What its length says is believed where a record follows it."""
    said = header.get("content-length", "")
    length = int(said) if said.isascii() and said.isdigit() and len(said) < 19 else -1
    end, size = start + length, len(data)
    if length >= 0 and end <= size:
        behind = data[end : end + 9]
        if behind.strip() in (b"", MARK) or behind.lstrip(b"\r\n").startswith(MARK[: len(behind.lstrip(b"\r\n"))]):
            return Entry(header, start, end)
    follows = _next_mark(data, start)
    if length < 0:
        return Entry(header, start, follows, f"of no known length (Content-Length: {said[:40] or 'none'})")
    if end > size and follows == size:
        return Entry(header, start, size, f"cut off: {size - start:,} of {length:,} bytes are there; fetch it again")
    return Entry(header, start, follows, f"of another length than the {length:,} bytes that its header says")


def _next_mark(data: Data, place: int) -> int:
    """Return where the next record begins: a line that states the version; the end where there is none."""
    while (place := data.find(MARK, place)) >= 0:
        if (place == 0 or data[place - 1 : place] == b"\n") and VERSION.match(data[place : place + 16]):
            return place
        place += 1
    return len(data)


def _header(block: bytes) -> dict[str, str]:
    lines = re.sub(r"\r?\n[ \t]+", " ", block.decode("utf-8", "replace")).splitlines()[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _address(entry: Entry) -> str | None:
    """Return the address of a page; WARC 1.0 as wget writes it has it in angle brackets."""
    address = entry.header.get("warc-target-uri", "").strip("<>")
    return address if address.startswith(("http://", "https://")) else None
