"""The main text of a page: the block of the page that holds most of its prose, without furniture.

A compiled pass over the parsed page cuts it into lines and remembers which lines lie in which element. Prose
(characters outside links, in lines with sentence punctuation) decides how deep to go: from the body into the child that
holds most of it, as long as one does. What is named as furniture is left out unless most of the page lies in it.

Trade-off: in doubt text is kept; a cleaner can still drop lines that recur on many pages, nothing restores lost text.
"""

import re
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from pipeline.readers import page_kernel as kernel

# Share of a block's prose from which its child is entered: elements that only lay out, and parts of tables, which may
# be a table in the text as well as the frame of a page.
MOST, MOST_OF_TABLE = 0.8, 0.9
FURNITURE_MOST = 0.4  # a block named as furniture that holds more of the page's text is kept
LINKED = 0.6  # share of link characters from which a line is a link
BORDER = 6  # lines at either end of the text in which border phrases are looked for
LISTED = 0.9  # share of a block's characters in links from which the links are what it is for
BEHIND = 0.5  # most that stands in sentences behind the end of an article, of what stands in sentences before it
SENTENCE = "。"
SHORT = 80  # characters; longer lines are never taken for border phrases
WORD = re.compile(r"[a-z]+")
CAMEL = re.compile(r"([a-z])([A-Z])")
HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
TAG = re.compile(rb"<([^>]*)>")
START_TAG = re.compile(rb"<([^/][^>]*)>")
DIGITS = bytes.maketrans(b"123456789", b"000000000")  # no name that is looked up has any
ATTRIBUTE = re.compile(r'\s(class|id|style|hidden|href)="([^"]*)"')

BITS = {
    **dict.fromkeys(("div", "section", "article", "main", "form", "center", "body"), kernel.MOST),
    **dict.fromkeys(("table", "tbody", "tr", "td"), kernel.MOST_OF_TABLE),
}


class Page(NamedTuple):
    """The lines of a page in order, as `page_kernel` gives them: bytes, and tables of lines and of blocks."""

    out: Any
    lines: Any
    blocks: Any


def main_text(body: Any) -> str:
    """Return the main text of a parsed body as lines; never empty where the page has any text."""
    page = _cut(body, skip=True)
    if len(page.lines):
        return "\n".join(_chosen(page))
    return "\n".join(lines_of(body))


def lines_of(body: Any) -> list[str]:
    """Return all lines of a parsed body, whatever they are; for books and letters, which have no frame."""
    page = _cut(body, skip=False)
    return _between(page, 0, len(page.lines))


def _between(page: Page, first: int, last: int) -> list[str]:
    if first == last:
        return []
    data = page.out[page.lines[first, kernel.START] : page.lines[last - 1, kernel.END]]
    text: str = data.tobytes().decode("utf-8")
    return text.split("\n")


def _chosen(page: Page) -> list[str]:
    first, last, kept = kernel.chosen(page.lines, page.blocks, MOST, MOST_OF_TABLE, LINKED)
    lines = _between(page, first, last)
    if kept.any() and not kept.all() and not _is_list(page.lines[first:last]):
        lines = [lines[i] for i in np.flatnonzero(kept)]
    return _without_border(_without_end(lines))


def _is_list(lines: Any) -> bool:
    """Say whether the lines are an index, which is nearly all links."""
    return bool(lines[:, kernel.IN_LINKS].sum() >= LISTED * lines[:, kernel.CHARACTERS].sum())


def _without_end(lines: list[str]) -> list[str]:
    """Drop the editor's name, or a heading such as "related news", with all that follows, where little does."""
    ends = [i for i, line in enumerate(lines) if len(line) <= SHORT and _ends().search(line)]
    if not ends:
        return lines
    sizes = [len(line) if SENTENCE in line else 0 for line in lines]
    for i in ends:
        if sum(sizes[i:]) < BEHIND * sum(sizes[:i]):
            return lines[:i]
    return lines


def _without_border(lines: list[str]) -> list[str]:
    """Drop phrases such as "you are here", "next page" or a copyright line near the ends of the text."""
    ends = {*range(min(BORDER, len(lines))), *range(max(0, len(lines) - BORDER), len(lines))}
    kept = [line for i, line in enumerate(lines) if not (i in ends and len(line) <= SHORT and _phrases().search(line))]
    return kept or lines


def _cut(body: Any, *, skip: bool) -> Page:
    """Cut a body into lines; `skip` leaves furniture out."""
    from lxml import etree

    markup = etree.tostring(body, encoding="utf-8", with_tail=False)
    data = np.frombuffer(markup, np.uint8)
    kinds = np.array(list(map(_kind, _heads(markup))), np.int64)
    found = kernel.extents(data, kinds)
    most = FURNITURE_MOST * found[0, 0] if skip else -1.0
    rows = 2 * len(kinds) + markup.count(b"\n") + 2
    out, lines = np.empty(len(data) + rows, np.uint8), np.empty((rows, 5), np.int32)
    blocks = np.empty((len(kinds), 4), np.int32)
    state = kernel.cut(data, kinds, found, most, out, lines, blocks)
    return Page(out, lines[: state[kernel.LINES]], blocks[: state[kernel.BLOCKS]])


def _heads(markup: bytes) -> list[bytes]:
    """Return what stands in each start tag: its name and attributes, all digits as 0, so that more are alike."""
    markup = markup.translate(DIGITS)
    if markup.count(b"<") == markup.count(b">"):
        return START_TAG.findall(markup)
    return [head for head in TAG.findall(markup) if not head.startswith(b"/")]  # a name with `<` in it


@lru_cache(1 << 14)
def _kind(head: bytes) -> int:
    """Return what a start tag is (its name and attributes, as XML has them) in the bits of `page_kernel`."""
    name, _, rest = head.decode("utf-8").rstrip("/").partition(" ")
    table = _furniture()
    attributes = dict(ATTRIBUTE.findall(" " + rest))
    inline = name in table["inline"]
    kind = BITS.get(name, 0) | (kernel.INLINE if inline else 0)
    kind |= kernel.LINK if name == "a" and "href" in attributes else 0
    kind |= {"td": kernel.CELL, "th": kernel.CELL, "pre": kernel.PRE}.get(name, 0)
    kind |= kernel.WITHIN if name in ("article", "main") else 0
    if name == "header":
        return kind | kernel.HEADER
    return kind | (kernel.FURNITURE if _is_furniture(name, attributes, inline=inline) else 0)


def _is_furniture(name: str, attributes: dict[str, str], *, inline: bool) -> bool:
    if name in _furniture()["tag"]:
        return True
    if "hidden" in attributes or HIDDEN.search(attributes.get("style", "")):
        return not inline  # inside a sentence it is rather a variant that a script shows
    named = f"{attributes.get('class', '')} {attributes.get('id', '')}"
    return len(named) > 1 and _is_furniture_name(named)


@lru_cache(4096)
def _is_furniture_name(named: str) -> bool:
    table = _furniture()
    words = WORD.findall(CAMEL.sub(r"\1 \2", named).lower())
    return any(word in table["name"] or any(part in word for part in table["name-part"]) for word in words)


@cache
def _furniture() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    text = resources.files("pipeline.readers").joinpath("data/furniture.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            part, value = line.split("\t")
            table.setdefault(part, set()).add(value)
    return {part: frozenset(values) for part, values in table.items()}


@cache
def _phrases() -> re.Pattern[str]:
    return re.compile("|".join(sorted(_furniture()["line"])), re.IGNORECASE)


@cache
def _ends() -> re.Pattern[str]:
    return re.compile("|".join(sorted(_furniture()["end"])), re.IGNORECASE)
