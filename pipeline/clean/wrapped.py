"""Wrapped lines: paragraphs that PDF, e-mail and old e-texts cut at a width, made whole again.

A text was cut at a width when its lines that end in the middle of a phrase have nearly that width: what begins the next
line would not have fit. The lines of the whole document decide, and where these say nothing, those of a block between
blank lines. Between Han nothing is put, between Latin words a space, and a hyphen at the line's end goes unless the
same word has it elsewhere.

Trade: a line that ends a sentence ends its paragraph, so a break after a full stop stays. Items, articles, labels,
tables, code and indented lines never join what stands before them, and narrow columns (verse) join nothing at all.
"""

import re
from collections.abc import Mapping, Sequence, Set
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.clean.cut_lines import HYPHEN, LEAST, NARROWEST, cut_lines
from pipeline.clean.rows import with_texts
from pipeline.step import Cleaner, replace_text
from pipeline.text import CodePoints, character, utf8_buffers

# What stands between two lines that `cut_lines` joins, by how.
_BETWEEN = ("\n", "", " ", "")
_PLAIN, _WIDE, _NEWLINE, _MARK, _CODE = 1, 2, 4, 8, 16
_HYPHENED = re.compile("(?<![A-Za-z\u00c0-\u024f])[A-Za-z\u00c0-\u024f]{1,40}-[a-z\u00df-\u024f]+")
_LAST = re.compile("([A-Za-z\u00c0-\u024f]+)-$")
_WORD = re.compile("[a-z\u00df-\u024f]+")


class Wrapped(Cleaner):
    """Joins lines that were cut at a width; `wrapped_line_count`: line breaks that went."""

    kind: ClassVar[str] = "wrapped"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many line breaks went, int64."""
        return {"wrapped_line_count": pa.int64()}

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with joined lines and the count."""
        alike = np.zeros(len(batch), np.int64)
        _alike(*utf8_buffers(batch.column("text")), _table(), alike)
        column, counts = batch.column("text"), np.zeros(len(batch), np.int64)
        rows = np.flatnonzero(alike >= LEAST - 1)
        texts, counts[rows] = _unwrapped(column.take(pa.array(rows)).to_pylist())
        changed = {row: text for row, text in zip(rows.tolist(), texts, strict=True) if counts[row]}
        return replace_text(batch, with_texts(column, changed)).append_column("wrapped_line_count", pa.array(counts))


def unwrap(text: str) -> tuple[str, int]:
    """Return the text with its wrapped lines joined, and how many breaks went."""
    (joined,), (count,) = _unwrapped([text])
    return joined, int(count)


def _unwrapped(texts: list[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return texts with their wrapped lines joined, and how many breaks of each went."""
    found = list(texts)
    counts = np.zeros(len(texts), np.int64)
    pending = np.arange(len(texts))
    while len(pending):
        firsts, joins = cut_lines(CodePoints.of(pa.array([found[row] for row in pending], pa.string())))
        gone = np.add.reduceat(joins > 0, firsts[:-1], dtype=np.int64)
        for place in np.flatnonzero(gone).tolist():
            row = pending[place]
            found[row] = _joined(found[row], joins[firsts[place] : firsts[place + 1]].tolist())
        counts[pending] += gone
        pending = pending[gone > 0]
    return found, counts


def _joined(text: str, joins: Sequence[int]) -> str:
    """Return a text with some of its lines joined with the next, each as `cut_lines` says."""
    lines = text.split("\n")
    hyphened = frozenset(_HYPHENED.findall(text)) if HYPHEN in joins else frozenset()
    parts = []
    for line, after, join in zip(lines, [*lines[1:], ""], joins, strict=True):
        if join == HYPHEN and _is_hyphen(line, after, hyphened):
            parts.append(line[:-1])
        else:
            parts += [line, _BETWEEN[join]]
    return "".join(parts[:-1])


def _is_hyphen(line: str, after: str, hyphened: Set[str]) -> bool:
    """Tell whether a line ends in a hyphen that goes: no word of the text has it there."""
    last, word = _LAST.search(line[-64:]), _WORD.match(after)
    return last is not None and word is not None and f"{last[1]}-{word[0]}" not in hyphened


@cache
def _table() -> npt.NDArray[np.uint8]:
    """Return for each code point, uint8, (0x10000,): may end in mid-phrase, two columns, line feed, mark, of code."""
    table = np.zeros(0x10000, np.uint8)
    for first, last in ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x400, 0x52F), (0x1E00, 0x1EFF)):
        table[first : last + 1] = _PLAIN
    for first, last in ((0x2E80, 0xA4CF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFF60)):
        table[first : last + 1] = _WIDE
    for first, last in ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7A3)):
        table[first : last + 1] |= _PLAIN
    table[[ord(mark) for mark in "，。、；：？！’”』」）"]] |= _MARK
    table[[ord(mark) for mark in ",.;?!) "]] = _MARK
    table[[ord(mark) for mark in "\t|{}<>=\\"]] = _CODE
    table[0x2D] = _PLAIN
    table[10] = _NEWLINE
    return table


@njit(cache=True, nogil=True)
def _alike(data: Any, offsets: Any, table: Any, alike: Any) -> None:
    """Count the lines of each row that may have been cut and are, within a quarter, as wide as the one before that may.

    Such a line is wide enough, ends in the middle of a phrase, holds a mark and no code, and has a line after it.
    """
    top = np.uint32(0xFFFF)
    for row in range(len(offsets) - 1):
        count = width = before = pending = 0
        seen = last = np.uint8(0)
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        while i < end:
            bits: Any = np.uint8(_PLAIN | _WIDE)
            if 0xE4 <= data[i] <= 0xE8:  # U+4000 to U+8FFF: Han
                i += np.uint64(3)
            else:
                point, i = character(data, i)
                bits = table[min(point, top)]
            if bits & _NEWLINE:
                pending = 0
                if width >= NARROWEST and last & _PLAIN and seen & (_MARK | _CODE) == _MARK:
                    pending = width
                width = 0
                seen = np.uint8(0)
            else:
                if pending:
                    count += abs(pending - before) * 4 <= pending
                    before = pending
                    pending = 0
                width += 1 + ((bits & _WIDE) >> 1)
                seen |= bits
            last = bits
        alike[row] = count
