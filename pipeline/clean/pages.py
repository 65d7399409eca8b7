"""Pages: page numbers and running headers of one document, taken out so that its text goes on.

A line that says page and pages (第 3 页 共 10 页) goes. Other numbers, and short lines that recur, go only where the
document shows its pages: they stand at page distance, the numbers rise by one, and the line before ends in the middle
of a phrase. What recurs over many documents of a source is the cleaner `passages`', what looks like a menu
`boilerplate`'s.

Trade: numbers of chapters and headings, which follow whole sentences, stay, and so do the page numbers of a book whose
pages all end with a sentence.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.clean.rows import mended
from pipeline.step import Cleaner
from pipeline.tables import lines_of, resource
from pipeline.text import character, utf8_buffers
from schemas.manifest import Resource

_PATTERNS = "page_lines.txt"
LONGEST = 40
"""Characters of the longest line that can be a page number or a running header; by hand."""

# By hand: occurrences that show pages; characters between them, least and most; what part of the numbers rises by one,
# and of the lines before ends in the middle of a phrase; how much longer than the median page the longest may be.
_LEAST, _NEAR, _FAR, _RISING, _OPEN, _UNEVEN = 3, 150, 10_000, 0.8, 0.34, 4
# The same of headers: what part stands beside page numbers, or cuts a phrase where there are no numbers.
_BESIDE, _NEARLY_ALL = 0.6, 0.9
_LONG = 12  # characters of a line whose end tells whether its phrase is whole
_UNFINISHED = re.compile(r"(?:[^\W_]|[，、,-])$")
_HEADER = re.compile(r"(?![^\s：:]{1,8}[：:])[^\W_](?:[^\W_]|[ \u3000·—《》（）()\-－0-9]){3,}")
_DIGITS = re.compile(r"\d+")
_NEWLINE, _PLAIN, _DIGIT, _PAGE, _BLANK, _LATIN_PAGE = 1, 2, 4, 8, 16, 32


class Pages(Cleaner):
    """Takes out page numbers and running headers inside one document; `page_line_count`: lines that went."""

    kind: ClassVar[str] = "pages"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many lines went, int64."""
        return {"page_line_count": pa.int64()}

    def resources(self) -> Sequence[Resource]:
        """The patterns."""
        return (resource(__package__, _PATTERNS, "CC0-1.0"),)

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch without page furniture and the count."""
        suspect = np.zeros(len(batch), np.bool_)
        _suspects(*utf8_buffers(batch.column("text")), _table(), suspect)
        return mended(batch, np.flatnonzero(suspect).tolist(), without_pages, "page_line_count")


def without_pages(text: str) -> tuple[str, int]:
    """Return the text without its page numbers and running headers, and how many lines that were."""
    total = 0
    while True:
        lines = [line.strip() for line in text.split("\n")]
        gone = _furniture(lines)
        if not gone:
            return text, total
        total += len(gone)
        text = _without(text.split("\n"), gone)


def _furniture(lines: Sequence[str]) -> set[int]:
    """Return the places of the lines that go."""
    # By form, the places and the numbers there.
    groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
    headers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    gone: set[int] = set()
    # Most lines stand once and hold no digit: these are no header.
    times = Counter(lines)
    for place, line in enumerate(lines):
        if not line or len(line) > LONGEST:
            continue
        if not _DIGITS.search(line):
            if times[line] >= _LEAST:
                headers[line].append((place, 0))
            continue
        for form, (sure, pattern) in enumerate(_patterns() if _any_pattern().fullmatch(line) else ()):
            if match := pattern.fullmatch(line):
                groups[form].append((place, int(match[1])))
                if sure:
                    gone.add(place)
                break
        else:
            headers[_DIGITS.sub("0", line)].append((place, 0))
    # Few lines recur, so that few have to be looked at.
    for header, group in headers.items():
        recurs = len(group) >= _LEAST
        headers[header] = [(place, 0) for place, _ in group if _HEADER.fullmatch(lines[place])] if recurs else []
    every = [group for group in (*groups.values(), *headers.values()) if len(group) >= _LEAST]
    if not every:
        return gone
    starts = np.cumsum([0, *(len(line) + 1 for line in lines)])
    short = gone.union(place for group in every for place, _ in group)
    for group in groups.values():
        if group[0][0] not in gone and _are_pages(group, lines, starts, short):
            gone.update(place for place, _ in group)
    numbers = frozenset(gone)
    for group in headers.values():
        beside = sum(_is_beside(lines, place, numbers) for place, _ in group)
        if len(group) >= _LEAST and (beside >= _BESIDE * len(group) or _are_pages(group, lines, starts, short)):
            gone.update(place for place, _ in group)
    return gone


def _is_beside(lines: Sequence[str], place: int, numbers: Set[int]) -> bool:
    """Tell whether the next line before or after a place that is not blank is a page number."""
    for way in (-1, 1):
        at = place + way
        while 0 <= at < len(lines) and not lines[at] and abs(at - place) < 5:
            at += way
        if at in numbers:
            return True
    return False


def _are_pages(
    group: Sequence[tuple[int, int]], lines: Sequence[str], starts: npt.NDArray[np.int64], short: set[int]
) -> bool:
    """Tell whether lines of one form stand where pages end: at page distance, rising, in the middle of phrases."""
    if len(group) < _LEAST:
        return False
    places, numbers = np.array(group).T
    gaps, steps = np.diff(starts[places]), np.diff(numbers)
    numbered = bool(steps.any())
    median, inside = float(np.median(gaps)), sum(_cuts(lines, place, short) for place in places.tolist())
    if gaps.min() < _NEAR or gaps.max() > min(_FAR, _UNEVEN * median):
        return False
    if numbered:
        rising = (steps >= 1).all() and float((steps <= 2).mean()) >= _RISING
        return bool(rising) and inside >= max(2, _OPEN * len(group))
    # A header without numbers is a heading unless pages are many and even and cut nearly every phrase.
    even = gaps.max() < 1.5 * gaps.min()
    return bool(len(group) > 2 * _LEAST and even and inside >= _NEARLY_ALL * len(group))


def _cuts(lines: Sequence[str], place: int, short: set[int]) -> bool:
    """Tell whether the text before a place ends in the middle of a phrase; other furniture is passed over."""
    for before in range(place - 1, max(-1, place - 8), -1):
        if lines[before] and before not in short:
            return len(lines[before]) >= _LONG and _UNFINISHED.search(lines[before][-2:]) is not None
    return False


def _without(lines: Sequence[str], gone: set[int]) -> str:
    """Return the lines that stay; of blank lines around one that goes one stays, none where the phrase goes on."""
    kept: list[str] = []
    cut = False
    for place, line in enumerate(lines):
        if place in gone:
            cut = True
        elif line.strip():
            if cut:
                blank = bool(kept) and not kept[-1].strip()
                while kept and not kept[-1].strip():
                    kept.pop()
                if blank and kept and not _UNFINISHED.search(kept[-1].rstrip()[-2:]):
                    kept.append("")
            kept.append(line)
            cut = False
        else:
            kept.append(line)
    return "\n".join(kept).strip("\n")


@cache
def _patterns() -> tuple[tuple[bool, re.Pattern[str]], ...]:
    rows = (line.split("\t") for line in lines_of(__package__, _PATTERNS))
    return tuple((kind == "sure", re.compile(pattern, re.ASCII)) for kind, pattern in rows)


@cache
def _any_pattern() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern.pattern})" for _, pattern in _patterns()), re.ASCII)


@cache
def _table() -> npt.NDArray[np.uint8]:
    """Return for each code point, uint8, (0x10000,): line feed, may end in mid-phrase, digit, page, blank."""
    table = np.zeros(0x10000, np.uint8)
    for first, last in ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x3040, 0x30FF), (0x3400, 0x9FFF)):
        table[first : last + 1] = _PLAIN
    table[0x30:0x3A] = _PLAIN | _DIGIT
    table[[ord(char) for char in "，、,-"]] = _PLAIN
    table[[ord(char) for char in "页頁"]] |= _PAGE
    table[[ord(char) for char in "Pp"]] |= _LATIN_PAGE
    table[10] = _NEWLINE
    table[[9, 32]] = _BLANK
    return table


@njit(cache=True, nogil=True)
def _suspects(data: Any, offsets: Any, table: Any, suspect: Any) -> None:
    """Mark rows with a short line that holds a digit and a word for page, or three short ones where pages may end.

    Page is a word for page at the beginning of a line only, by its first letter. Pages may end after a cut phrase, at
    page distance.
    """
    top = np.uint32(0xFFFF)
    for row in range(len(offsets) - 1):
        count = size = 0
        place = counted = 0
        cut = False  # whether the last line that was not short ended in the middle of a phrase
        seen = last = first = np.uint8(0)
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        inside: Any = True  # what stands last ends a line, too
        while inside:
            inside = i < end
            bits = np.uint8(_NEWLINE)
            if inside:
                point, i = character(data, i)
                bits = table[min(point, top)]
            if bits & _NEWLINE:
                if size and size <= LONGEST and cut and place - counted >= _NEAR:
                    count += 1
                    counted = place
                if size > LONGEST or (size >= _LONG and not seen & _DIGIT):
                    cut = bool(last & _PLAIN)
                elif size and seen & _DIGIT and (seen & _PAGE or first & _LATIN_PAGE):
                    count = _LEAST
                size = 0
                seen = last = first = np.uint8(0)
                if count >= _LEAST:
                    break
            elif not bits & _BLANK:
                if size == 0:
                    first = bits
                size += 1
                seen |= bits
                last = bits
            place += 1
        suspect[row] = count >= _LEAST
