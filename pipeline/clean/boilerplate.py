"""Boilerplate: lines of page furniture taken out of the running text, one document at a time.

Two tests, both of short lines only: a line matches a pattern of `data/boilerplate.txt` as a whole, or it recurs in the
document and looks like a menu (four or more short items between separators). Lines that recur in statutes, verse and
dialogue have no separators and stay. What recurs over the pages of a site is another matter: it needs counts of the
whole source.

Trade: a line is furniture or it is not; furniture inside a paragraph stays.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from pipeline.clean.rows import with_texts
from pipeline.step import Cleaner, replace_text
from pipeline.tables import lines_of, resource
from pipeline.text import character, utf8_buffers
from schemas.manifest import Resource

LONGEST = 80
"""Characters of the longest line that can be furniture; chosen by hand, the longest footers of Chinese portals."""

_HYPHENS = 10  # of a line at most that Python's patterns read; by hand

_PATTERNS, _HEADS = "boilerplate.txt", "boilerplate_heads.txt"
_HEAD, _FIRST, _SEPARATOR, _BLANK, _NEWLINE = 1, 2, 4, 8, 16  # bits of characters
# Items of at most ten characters between separators; white space alone separates nothing (verse, tables).
_SEPARATORS = "|｜>›»·•/"
_ITEM, _BETWEEN = rf"[^\s{_SEPARATORS}]{{1,10}}", rf"[ \t]*[{_SEPARATORS}][ \t]*"
_MENU = rf"{_ITEM}(?:{_BETWEEN}{_ITEM})(?:{_BETWEEN}{_ITEM})(?:{_BETWEEN}{_ITEM})+(?:{_BETWEEN})?"


class Boilerplate(Cleaner):
    """Takes out page furniture; `boilerplate_char_count`: by how many characters the text became shorter."""

    kind: ClassVar[str] = "boilerplate"
    revision: ClassVar[int] = 2

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many characters went, int64."""
        return {"boilerplate_char_count": pa.int64()}

    def resources(self) -> Sequence[Resource]:
        """The patterns."""
        return (resource(__package__, _PATTERNS, "CC0-1.0"),)

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch without furniture and the count."""
        column = batch.column("text")
        furniture, counts = _furniture(column), np.zeros(len(column), np.int64)
        texts: dict[int, str] = {}
        for row, numbers in furniture.items():
            before = column[row].as_py()
            kept = [line for number, line in enumerate(before.split("\n")) if number not in numbers]
            texts[row] = "\n".join(kept).strip("\n")
            counts[row] = len(before) - len(texts[row])
        batch = replace_text(batch, with_texts(column, texts))
        return batch.append_column("boilerplate_char_count", pa.array(counts))

    def clean_text(self, text: str) -> str:
        """Return the text without its lines of furniture."""
        cleaned: str = self.clean(pa.record_batch({"text": pa.array([text], pa.string())})).column("text")[0].as_py()
        return cleaned


def _furniture(column: pa.Array) -> dict[int, set[int]]:
    """Return the rows that hold furniture, each with the numbers of these lines."""
    data, offsets = utf8_buffers(column)
    lines = np.empty((4, 1 << 10), np.int64)
    while (found := _find(data, offsets, *_tables(), lines)) > lines.shape[1]:
        lines = np.empty((4, found), np.int64)
    _, menu = _compiled()
    furniture: dict[int, set[int]] = {}
    menus: dict[tuple[int, str], list[int]] = {}
    rows, numbers_in_rows, begins, ends = lines[:, :found].tolist()
    bare = [data[begin:end].tobytes().decode("utf-8").strip() for begin, end in zip(begins, ends, strict=True)]
    for row, number, line, matched in zip(rows, numbers_in_rows, bare, _matched(bare), strict=True):
        if matched:
            furniture.setdefault(row, set()).add(number)
        elif menu.fullmatch(line):
            menus.setdefault((row, line), []).append(number)
    for (row, _), numbers in menus.items():
        if len(numbers) > 1:
            furniture.setdefault(row, set()).update(numbers)
    return furniture


def _matched(lines: Sequence[str]) -> list[bool]:
    """Return which lines, without white space around them, match a pattern of furniture.

    A hyphen stands between words and in them, so Python tries twice as many ways for each; RE2 reads a line once.
    """
    pattern, _ = _compiled()
    odd = [place for place, line in enumerate(lines) if line.count("-") > _HYPHENS and line.startswith(_heads())]
    matched = [place not in odd and pattern.fullmatch(line) is not None for place, line in enumerate(lines)]
    if odd:
        found = pc.match_substring_regex(pa.array([lines[place] for place in odd]), rf"\A(?:{pattern.pattern})\z")
        for place, is_furniture in zip(odd, found.to_pylist(), strict=True):
            matched[place] = is_furniture
    return matched


@cache
def _compiled() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the pattern of a line of furniture, and that of a menu."""
    return re.compile("|".join(f"(?:{line})" for line in lines_of(__package__, _PATTERNS))), re.compile(_MENU)


@cache
def _heads() -> tuple[str, ...]:
    return tuple(head for line in lines_of(__package__, _HEADS) for head in line.split(" "))


@cache
def _tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return what each code point may be, uint8, (0x10000,), and which two characters furniture may begin with.

    Heads, first of two, separators, blanks, line feeds; and by `_pair` bool, (0x10000,), where others may fall, too.
    """
    table, pairs = np.zeros(0x10000, np.uint8), np.zeros(0x10000, np.bool_)
    for head in _heads():
        table[ord(head[0])] |= _HEAD if len(head) == 1 else _FIRST
        if len(head) == 2:
            pairs[_pair(ord(head[0]), ord(head[1]))] = True
    table[[ord(char) for char in _SEPARATORS]] |= _SEPARATOR
    # What else `str.strip` takes off may stand before a head.
    table[[point for point in range(0x3001) if chr(point).isspace()]] = _HEAD
    table[[9, 32]] = _BLANK
    table[10] = _NEWLINE
    return table, pairs


@njit(cache=True, nogil=True)
def _pair(first: int, second: int) -> int:
    """Return a number of 16 bits for two characters."""
    return (first * 31 + second) & 0xFFFF


@njit(cache=True, nogil=True)
def _find(data: Any, offsets: Any, table: Any, pairs: Any, lines: Any) -> int:
    """Find the short lines that may be furniture, and write row, number, begin and end in bytes of as many as fit.

    These begin as furniture does, or hold three separators, or 版权所 or `all r` (in any case).
    """
    top = np.uint32(0xFFFF)
    count = 0
    for row in range(len(offsets) - 1):
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        begin = i
        number = size = 0
        separators: Any = 0
        head = True
        first: Any = False  # whether a head of two characters may have begun
        wanted: Any = False
        inside: Any = True  # what stands last ends a line, too
        before: Any = np.uint32(0)
        while inside:
            inside = i < end
            stop = i
            point: Any = np.uint32(10)
            bits = np.uint8(_NEWLINE)
            if inside:
                point, i = character(data, i)
                bits = table[min(point, top)]
            if bits & _NEWLINE:
                if size <= LONGEST and (wanted or separators >= 3):
                    if count < lines.shape[1]:
                        lines[0, count], lines[1, count], lines[2, count], lines[3, count] = row, number, begin, stop
                    count += 1
                begin = i
                number += 1
                size = separators = 0
                head, first, wanted = True, False, False
                before = point
                continue
            size += 1
            separators += (bits & _SEPARATOR) > 0
            wanted |= first and pairs[_pair(before, point)]
            first = head and bits & _FIRST > 0
            if head and not bits & _BLANK:
                wanted |= bits & _HEAD > 0
                head = False
            owner = point == 0x6240 and (before == 0x6743 or before == 0x6B0A)
            reserved = point | 0x20 == 0x72 and before == 0x20 and size > 4 and data[stop - np.uint64(2)] | 0x20 == 0x6C
            wanted |= owner or reserved
            before = point
    return count
