"""From the lines of printed pages to paragraphs: heads, feet and page numbers away, broken lines joined.

A line goes on in the next one when it is full: when the first word (or Han character) of the next had no room on it.
Lengths are in points of 1/72 inch; the numbers here were chosen by hand on pages of TeX, LibreOffice and Chromium.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

EDGE = 0.13  # share of a page's height, at either end, in which heads and feet stand
BORDER = 24.0  # points from the first or last line of a page in which they may stand, too
SAME = 3.0  # points by which the place of a head may differ between pages
INDENT = 0.9  # em from which a line is indented
ROOM = 2.3  # em that may be free at the end of a full line of Han: marks are never put at a line's beginning
WIDE = 1.6  # times the usual size that characters seem to have in a row of a table
LEADING = 2.3  # em between two lines of a paragraph at most
PAGE_NUMBER = re.compile(
    r"[\s\-–—·•.第]*(?:\d{1,4}|[ivxlc]{1,7}|[IVXLC]{1,7})[\s\-–—·•.页頁]*"
    r"(?:(?:[/／]|of|[,，]?\s*[共总])\s*\d{1,4}[\s\-–—页頁]*)?|Page \d+(?: of \d+)?",
    re.IGNORECASE,
)
HAN = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]")
ITEM = re.compile(r"第[〇零一二三四五六七八九十百千\d]+[条條章节節款编編]|[(（][一二三四五六七八九十\d]+[)）]|[•●■◆]")
CLOSED = re.compile(r"[。！？；：.!?;:”’」』]$")
HYPHEN = "\x02\ufffe\u00ad"


class Line(NamedTuple):
    """A line and where it stands; `height` is the page's."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    height: float

    @property
    def em(self) -> float:
        """The size of its characters, from how many of them fill it."""
        units = sum(1.0 if HAN.match(character) else 0.5 for character in self.text)
        return max((self.right - self.left) / units, 1.0)


def body(pages: list[list[Line]]) -> list[list[Line]]:
    """Return the pages, in part empty now, without what recurs at their edges and without page numbers."""
    least = 2 if len(pages) <= 5 else 3
    edges = [_edges(lines) for lines in pages]
    places: dict[str, list[float]] = {}
    for line in (line for lines in edges for line in lines):
        places.setdefault(_key(line), []).append(line.top)
    for tops in places.values():
        tops.sort()

    def recurs(line: Line) -> bool:
        tops = places[_key(line)]
        return bisect_right(tops, line.top + SAME) - bisect_left(tops, line.top - SAME) >= least

    kept = []
    for lines, at_edge in zip(pages, edges, strict=True):
        kept.append([line for line in lines if not (line in at_edge and (recurs(line) or _is_number(line)))])
    return kept


def paragraphs(pages: list[list[Line]]) -> Iterator[str]:
    """Yield the paragraphs of the pages, going on over columns and pages."""
    text, before, margin = "", None, 0.0
    for block in (block for lines in pages for block in _blocks(lines)):
        left, right = min(line.left for line in block), max(line.right for line in block)
        usual = sorted(line.em for line in block)[len(block) // 2]
        if len(block) == 1:
            right = max(right, margin)
        for at, line in enumerate(block):
            if before is not None and _goes_on(before, line, margin, left, usual, beside=at > 0):
                text = _joined(text, line.text)
            else:
                yield _clean(text)
                text = line.text
            before, margin = line, right
    yield _clean(text)


def _blocks(lines: list[Line]) -> Iterator[list[Line]]:
    """Yield the runs of lines that go down the page: columns."""
    block: list[Line] = []
    for line in lines:
        if block and line.bottom > block[-1].top:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _goes_on(line: Line, after: Line, right: float, left: float, usual: float, *, beside: bool) -> bool:
    """Say whether a paragraph goes on from a line to the one after it.

    `right`, `left`: ends of their columns; `usual`: em of the later one; `beside`: both in one column.
    """
    em = line.em
    if not 0.7 < after.em / em < 1.4 and min(len(line.text), len(after.text)) > 4:
        return False
    if max(em, after.em) > WIDE * usual:  # the cells of a row, far from each other
        return False
    if beside and line.bottom - after.bottom > LEADING * max(em, after.em):
        return False
    if ITEM.match(after.text) and (CLOSED.search(line.text) or len(line.text) * em < 0.5 * (right - left)):
        return False
    if after.left > left + INDENT * after.em or after.text[0] == "\u3000":
        return False
    if HAN.match(after.text[0]):
        room = ROOM * em
    else:
        room = (len(re.split(r"[\s\u2e80-\u9fff]", after.text, maxsplit=1)[0]) + 2) * 0.6 * em
    return line.right > right - room


def _joined(text: str, line: str) -> str:
    if text[-1:] in HYPHEN:
        return text[:-1] + line
    if text[-1:] == "-" and text[-2:-1].isalpha() and line[:1].islower():
        return text[:-1] + line
    if HAN.match(text[-1:]) or HAN.match(line[:1]):
        return text + line
    return f"{text} {line}"


def _clean(text: str) -> str:
    return re.sub(f"[{HYPHEN}]", "", text)


def _edges(lines: list[Line]) -> set[Line]:
    """Return the lines that stand in the margins of the page, or first or last on it."""
    low, high = min(line.bottom for line in lines), max(line.top for line in lines)
    return {
        line
        for line in lines
        if line.bottom < max(EDGE * line.height, low + BORDER)
        or line.top > min((1 - EDGE) * line.height, high - BORDER)
    }


def _key(line: Line) -> str:
    return re.sub(r"\d+", "#", re.sub(r"\s+", "", line.text))


def _is_number(line: Line) -> bool:
    """Say whether a line in the margins is a page's number."""
    in_margin = line.bottom < EDGE * line.height or line.top > (1 - EDGE) * line.height
    return in_margin and PAGE_NUMBER.fullmatch(line.text) is not None
