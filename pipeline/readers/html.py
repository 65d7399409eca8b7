"""HTML pages: the main text, the title, the canonical address and the stated time.

A declared charset is only a hint; what the bytes are is decided on the bytes. lxml parses whatever browsers do.
"""

import re
from collections.abc import Iterator, Set
from datetime import datetime
from functools import lru_cache
from html import unescape
from typing import Any, ClassVar, NamedTuple

from pipeline.readers.answer import reserved
from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import Data
from pipeline.readers.fields import parse_time
from pipeline.readers.main_text import main_text
from pipeline.readers.reader import Bad, Intake, Reader, Record, whole_text

CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([a-zA-Z0-9_:.-]+)", re.IGNORECASE)
TAG = re.compile(r"<\s*/?[a-zA-Z!]")
REFRESH = re.compile(r"(?i)url\s*=\s*[\"']?\s*([^\s\"';]+)")
UNSEEN = ("script", "style", "noscript", "noframes", "template", "iframe", "svg", "canvas", "object", "embed", "map",
          "audio", "video", "select", "datalist", "textarea")  # fmt: skip
HEAD = re.compile(rf"(?is)<!--.*?-->|<(head|title|{'|'.join(UNSEEN)})\b.*?(?:</\1\s*>|\Z)")
BREAK = re.compile(
    r"(?i)<\s*/?\s*(?:p|div|br|li|ul|ol|tr|td|th|table|h[1-6]|dt|dd|section|article|blockquote|pre|hr)\b"
)
CONTROL = bytes((*range(9), *range(14, 28)))  # none of them is white space
ANY_TAG = re.compile(r"<[^<>]*>")
TIMES = frozenset(
    [
        "article:published_time",
        "og:published_time",
        "og:release_date",
        "pubdate",
        "publishdate",
        "publish-date",
        "publish_date",
        "pub_date",
        "datepublished",
        "date",
        "dc.date",
        "dc.date.issued",
        "dcterms.created",
        "firstpublishedtime",
        "weibo:article:create_at",
    ]
)
SAID = re.compile(
    r"(?:发布|發布|发表|發表|公布|刊登|更新)?(?:时间|時間|日期)?\s*[:：]?\s*"
    r"(\d{4}(?:年|[-/.])\d{1,2}(?:月|[-/.])\d{1,2}日?(?:\s*\d{1,2}:\d{2}(?::\d{2})?)?)"
)
DATED = frozenset(("time", "date", "pubtime", "publish", "info", "source", "meta", "byline", "pubdate", "riqi"))


class Html(Reader):
    """A page of the web."""

    kind: ClassVar[str] = "html"
    formats: ClassVar[tuple[str, ...]] = ("html",)
    revision: ClassVar[int] = 2

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the page as one record."""
        page = read_page(whole_text(content, intake, declared_charset(content.data)))
        intake.notes += [f"it leads on to {page.leads_to}"] if page.leads_to and not page.record.text else []
        intake.notes += [f"it says {word}" for word in sorted(page.reserved)]
        yield page.record


class Page(NamedTuple):
    """A page: its record, the address that it leads on to by itself, if any, and what its meta elements reserve."""

    record: Record
    leads_to: str = ""
    reserved: Set[str] = frozenset()


def declared_charset(data: Data) -> str | None:
    """Return the charset that a page says it is in."""
    declared = CHARSET.search(data[:4096])
    return declared[1].decode("ascii", "replace") if declared else None


def page_record(text: str) -> Record:
    """Return the record of a decoded page. Raises Unreadable where lxml makes no tree of it."""
    return read_page(text).record


def read_page(text: str) -> Page:
    """Return a decoded page. Raises Unreadable where lxml makes no tree of it."""
    if not TAG.search(text):
        return Page(Record(0, text))
    tree, whole = _parsed(text)
    body = tree if tree.tag == "body" else tree.find("body")
    if body is None:
        body = tree
    meta = _meta(tree)
    title, url, time = _title(tree, meta), _url(tree, meta), _time(tree, meta)
    main = main_text(body) if whole else ""
    leads_to = _leads_to(tree)
    if leads_to and body is tree:  # no body at all
        return Page(Record(0, "", title, url, time), leads_to, reserved(meta))
    found = (
        main
        or _without_tags(text)
        or ("" if leads_to else meta.get("og:description") or meta.get("description") or title or "")
    )
    return Page(Record(0, found, title, url, time), leads_to, reserved(meta))


def _leads_to(tree: Any) -> str:
    """Return where a page sends its reader: the first address of a refresh or of its frames."""
    for element in tree.iter("meta"):
        if (element.get("http-equiv") or "").lower() == "refresh":
            found = REFRESH.search(element.get("content") or "")
            return found[1] if found else ""
    frames = [frame.get("src") for frame in tree.iter("frame") if frame.get("src")]
    return ", ".join(frames[:3])


def _parsed(text: str) -> tuple[Any, bool]:
    """Return the tree of a page, and whether it is the whole page: libxml2 stops at 2,048 nested elements."""
    from lxml import etree

    # Not the parser of lxml.html, whose elements cost a call in Python each.
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    data = text.encode("utf-8", "replace").translate(None, CONTROL)
    try:
        tree = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"no page can be made of it ({error}); name it .txt if it is plain text") from None
    if tree is None:
        raise Unreadable("no page can be made of it: it has no element; name it .txt if it is plain text")
    etree.strip_elements(tree, *UNSEEN, with_tail=False)
    return tree, all(entry.type_name != "ERR_RESOURCE_LIMIT" for entry in parser.error_log.filter_from_fatals())


def fragment_text(markup: str) -> str:
    """Return the text of a piece of markup (an entry of a feed), all of it."""
    return _without_tags(markup) if "<" in markup or "&" in markup else markup


def _without_tags(text: str) -> str:
    """Return the text of a page by its tags alone, for pages that cannot be parsed as a whole."""
    bare = ANY_TAG.sub(lambda tag: "\n" if BREAK.match(tag[0]) else "", HEAD.sub("", text))
    lines = (" ".join(line.split()) for line in unescape(bare).split("\n"))
    return "\n".join(line for line in lines if line)


def _meta(tree: Any) -> dict[str, str]:
    """Return the contents of the page's meta elements by name, property or itemprop."""
    found: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop") or ""
        value = (element.get("content") or "").strip()
        if name and value:
            found.setdefault(name.strip().lower(), value)
    return found


def _title(tree: Any, meta: dict[str, str]) -> str | None:
    said = meta.get("og:title")
    headings = [" ".join(_content(heading).split()) for heading in tree.iter("h1")]
    headings = [heading for heading in headings if heading]
    name = tree.findtext(".//title") or ""
    return said or (headings[0] if len(headings) == 1 else None) or " ".join(name.split()) or None


def _url(tree: Any, meta: dict[str, str]) -> str | None:
    for link in tree.iter("link"):
        if (link.get("rel") or "").lower() == "canonical" and (link.get("href") or "").startswith("http"):
            return str(link.get("href"))
    said = meta.get("og:url", "")
    return said if said.startswith("http") else None


def _time(tree: Any, meta: dict[str, str]) -> datetime | None:
    """Return the time that the page states: in its head, in a time element, or in a line of its own."""
    for name, value in meta.items():
        if name in TIMES and (time := parse_time(value)):
            return time
    for element in tree.iter("time"):
        if time := parse_time(element.get("datetime") or _content(element)):
            return time
    for element in tree.iter("div", "p", "span", "td", "em"):
        named = f"{element.get('class', '')} {element.get('id', '')}"
        if named != " " and _is_dated(named):
            line = " ".join(_content(element).split())
            said = SAID.search(line) if len(line) <= 200 else None
            if said and (time := parse_time(said[1])):
                return time
    return None


@lru_cache(4096)
def _is_dated(named: str) -> bool:
    return any(word in named.lower() for word in DATED)


def _content(element: Any) -> str:
    return "".join(element.itertext())
