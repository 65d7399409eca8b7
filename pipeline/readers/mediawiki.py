"""Dumps and exports of MediaWiki (XML): the articles, each with its title, address and time of its last revision.

Only the main namespace is read. Pages of others, redirects and pages that are no wikitext are counted in the file's
notes. A record's number counts all pages of the file. The XML is cut at its page marks, which cannot stand inside a
text, rather than parsed: no entity can grow, and what breaks off costs the last page alone.

Trade-off: of a page's revisions the last one in the file is read, the others are not looked at.
"""

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import ClassVar
from urllib.parse import quote

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import Data
from pipeline.readers.fields import parse_time
from pipeline.readers.reader import Bad, Intake, Reader, Record, excerpt
from pipeline.readers.wikitext import Names, known_names, plain_text

HEAD = 1 << 20  # bytes in which the description of the wiki ends
MAIN = b"0"
FILES, CATEGORIES, MEDIA = b"6", b"14", b"-2"
_NAMESPACE = re.compile(rb'<namespace key="(-?\d+)"[^<>]*>([^<]*)</namespace>')
_BASE = re.compile(rb"<base>([^<]+)</base>")
_TITLE = re.compile(rb"<title>([^<]*)</title>")
_NUMBER = re.compile(rb"<ns>(-?\d+)</ns>")
_TIME = re.compile(rb"<timestamp>([^<]*)</timestamp>")
_MODEL = re.compile(rb"<model>([^<]*)</model>")
_TEXT = re.compile(rb"<text\b[^<>]*?(/>|>([^<]*)</text>)")


class MediaWiki(Reader):
    """A dump or an export of a MediaWiki."""

    kind: ClassVar[str] = "mediawiki"
    formats: ClassVar[tuple[str, ...]] = ("mediawiki-xml",)

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield a record for each article. Raises Unreadable for other XML and where the file breaks off."""
        data = content.data
        head = data[:HEAD]
        if b"<mediawiki" not in head[:4096]:
            raise Unreadable("named as a MediaWiki dump but no <mediawiki> begins it; give it its right name")
        intake.encoding, intake.bom, intake.evidence = "utf-8", False, "XML of MediaWiki"
        wiki = Wiki(head[: head.find(b"<page>")] if b"<page>" in head else head)
        number = -1
        for number, page in enumerate(_pages(data, intake.limits.record_bytes)):
            item = wiki.article(number, page, intake)
            if item is not None:
                yield item
        if left := wiki.left_out():
            intake.notes.append(left)
        tail = data[max(0, len(data) - 64) :]
        if b"</mediawiki>" not in tail and not content.damage:
            raise Unreadable(f"the dump breaks off behind page {number} (no </mediawiki>); fetch the file again")


class Wiki:
    """What the head of a dump says of its wiki, and what was left out of it so far."""

    def __init__(self, head: bytes) -> None:
        names = {key: _string(name) for key, name in _NAMESPACE.findall(head)}
        self._names = {key.decode(): name for key, name in names.items()}
        self._known: Names = known_names(name for key, name in names.items() if key in (FILES, CATEGORIES, MEDIA))
        base = _BASE.search(head)
        self._address = _string(base[1]).rpartition("/")[0] + "/" if base else None
        self._others: Counter[str] = Counter()
        self._redirects = self._empty = 0

    def article(self, number: int, page: bytes | int, intake: Intake) -> Record | Bad | None:
        """Return the record of a page, None where it is no article. `page`: its bytes, or their number past a limit."""
        limit = intake.limits.record_bytes
        if isinstance(page, int):
            return Bad(number, f"a page of {page:,} bytes, over limits.record_bytes {limit:,}", "")
        title = _TITLE.search(page)
        if title is None:
            return Bad(number, "a page without a title", excerpt(page))
        name = _string(title[1])
        space = _NUMBER.search(page)
        if space is not None and space[1] != MAIN:
            key = space[1].decode()
            self._others[self._names.get(key) or f"namespace {key}"] += 1
            return None
        revision = page[max(0, page.rfind(b"<revision>")) :]
        if b"<redirect " in page[: len(page) - len(revision)]:
            self._redirects += 1
            return None
        model = _MODEL.search(revision)
        if model is not None and model[1] != b"wikitext":
            self._others[model[1].decode("utf-8", "replace")] += 1
            return None
        text = _TEXT.search(revision)
        if text is None:
            return Bad(number, "a page without a whole text", excerpt(page))
        plain = plain_text(text[2] or b"", self._known)
        if not plain:
            self._empty += 1
            return None
        time = _TIME.search(revision)
        address = self._address + quote(name.replace(" ", "_"), safe="/:()!,;*'") if self._address else None
        return Record(number, plain, name, address, None, parse_time(_string(time[1])) if time else None)

    def left_out(self) -> str:
        """Return in words which pages are no articles; empty where all are."""
        parts = [f"{count} of {name}" for name, count in self._others.most_common()]
        parts += [f"{self._redirects} redirects"] if self._redirects else []
        parts += [f"{self._empty} without prose"] if self._empty else []
        return f"pages that are no articles, not read: {', '.join(parts)}" if parts else ""


def _string(value: bytes) -> str:
    return unescape(value.decode("utf-8", "replace"))


def _pages(data: Data, limit: int) -> Iterator[bytes | int]:
    """Yield the pages one after the other, the size of one past the limit; what breaks off is left out."""
    at = 0
    while (begin := data.find(b"<page>", at)) >= 0 and (end := data.find(b"</page>", begin)) >= 0:
        yield data[begin:end] if end - begin <= limit else end - begin
        at = end
