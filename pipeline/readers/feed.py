"""XML of the web: entries of feeds (RSS 0.9 to 2.0, RDF, Atom) are records; sitemaps hold addresses and no text.

Feeds are often broken XML, so what libxml2 can recover is read. Nothing outside the file is ever loaded and no entity
of a document type is resolved, so that neither a bomb of entities nor an address in one does anything; names of HTML
such as `&nbsp;` are replaced before, and libxml2's own limits on depth and size stay on. That is why it needs no
process of its own.

Trade-off: an entry gives the longest text it has, which for many feeds is the beginning of the article, or its title
where there is nothing else.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any, ClassVar

from pipeline.readers.content import Content, Skipped, Unreadable
from pipeline.readers.fields import parse_time
from pipeline.readers.html import fragment_text
from pipeline.readers.reader import Bad, Intake, Reader, Record, whole_text

DECLARED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE)
DECLARATION = re.compile(r"^\s*<\?xml.*?\?>", re.DOTALL)
DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.DOTALL | re.IGNORECASE)
NAMED = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z]\w{1,31});")
CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f]")
FEEDS = frozenset(("rss", "rdf", "feed", "channel"))
SITEMAPS = {"urlset": "a sitemap", "sitemapindex": "an index of sitemaps"}
# Elements of an entry by their local names. Of several texts the longest counts, of times and addresses the first.
TEXTS = frozenset(("encoded", "content", "description", "summary", "body"))
PUBLISHED = ("pubdate", "published", "issued", "date", "created")
CHANGED = ("updated", "modified")


class Feed(Reader):
    """The entries of a feed in order."""

    kind: ClassVar[str] = "feed"
    formats: ClassVar[tuple[str, ...]] = ("xml",)

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield a record for each entry. Raises Skipped for XML of other kinds."""
        declared = DECLARED.search(content.data[:400])
        root = _parsed(whole_text(content, intake, declared[1].decode("ascii") if declared else None), intake)
        kind = _name(root)
        if kind in SITEMAPS:
            count = sum(_name(element) == "loc" for element in root.iter())
            intake.notes.append(f"{SITEMAPS[kind]}, {count:,} addresses")
            return
        if kind not in FEEDS:
            raise Skipped(f"XML of an unknown kind (its root is '{kind}'); convert to txt or JSON lines")
        entries = [element for element in root.iter() if _name(element) in ("item", "entry")]
        intake.notes.append(f"a feed of {len(entries):,} entries")
        for number, entry in enumerate(entries):
            yield _record(number, entry)


def _parsed(text: str, intake: Intake) -> Any:
    """Return the root of a document, as far as it can be read. Raises Unreadable where there is none."""
    from lxml import etree

    text = DOCTYPE.sub("", DECLARATION.sub("", text.lstrip("\ufeff")), count=1)
    text = NAMED.sub(_character, CONTROL.sub("", text))
    parser = etree.XMLParser(
        encoding="utf-8", recover=True, resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"no XML can be made of it ({error}); name it .txt if it is plain text") from None
    if root is None:
        raise Unreadable("no XML can be made of it: it has no element; name it .txt if it is plain text")
    ends = [entry for entry in parser.error_log if entry.type_name in ("ERR_DOCUMENT_END", "ERR_TAG_NOT_FINISHED")]
    if ends and not re.search(rf"</\s*[\w.:-]*{re.escape(_name(root))}\s*>\s*\Z", text, re.IGNORECASE):
        intake.losses.append(f"the XML breaks off in line {ends[-1].line:,}; fetch the file again")
    return root


def _character(entity: re.Match[str]) -> str:
    """Return the character that an entity of HTML names, and any other as it stands, escaped."""
    found = unescape(entity[0])
    return found if found != entity[0] else f"&amp;{entity[1]};"


def _record(number: int, entry: Any) -> Record:
    found: dict[str, str] = {}
    texts = []
    for element in entry:
        name = _name(element)
        if name in TEXTS:
            texts.append(_text(element))
        elif name == "link":
            if element.get("rel", "alternate") == "alternate":
                found.setdefault(name, element.get("href") or (element.text or "").strip())
        elif isinstance(element.tag, str):
            found.setdefault(name, " ".join("".join(element.itertext()).split()))
    title = " ".join(fragment_text(found.get("title", "")).split())
    address = found.get("link") or found.get("guid") or entry.get("about") or ""
    return Record(
        number,
        max(texts, key=len, default="").strip() or title,
        title or None,
        address if address.startswith(("http://", "https://")) else None,
        _time(found, PUBLISHED),
        _time(found, CHANGED),
    )


def _text(element: Any) -> str:
    """Return the text of an element that holds plain text, escaped markup, or markup as elements."""
    from lxml import etree

    if len(element):
        return fragment_text(etree.tostring(element, encoding="unicode", with_tail=False))
    return fragment_text(element.text or "")


def _time(found: dict[str, str], names: tuple[str, ...]) -> Any:
    return next((time for name in names if (time := parse_time(found.get(name)))), None)


def _name(element: Any) -> str:
    """Return the local name of an element in lower case; empty for what is none."""
    return element.tag.rpartition("}")[2].rpartition(":")[2].lower() if isinstance(element.tag, str) else ""
