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

from pipeline.clean.rows import mended
from pipeline.step import Cleaner
from pipeline.text import character, utf8_buffers

NARROWEST = 32
"""Columns (a Han is two) of the narrowest text that counts as wrapped; two lines of verse in one have 28 to 32."""

# By hand: lines that end in the middle of a phrase which are needed to tell; how many of them must be full; what part
# of the width is full (fonts differ in how wide letters are); how many lines may be wider.
_LINES, _FULL, _TOLERANCE, _WIDER = 4, 0.8, 0.94, 0.1
_PLAIN, _WIDE, _NEWLINE, _MARK, _CODE = 1, 2, 4, 8, 16
_WIDE_CHARACTER = re.compile(
    "[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\U00020000-\U0003ffff]"
)
_OPEN = re.compile(r"[^\W_]$|[，、,]$|[A-Za-z]-$")
_PHRASE = re.compile(r"[^\W_]$|[A-Za-z]-$")
# Lines without any mark or space are verse of a book without marks, or words of a list.
_INNER = re.compile("[，。、；：？！,.;?!’”』」）) ]")
# A name behind a sentence (聯句), a title of a list in English: the line before is whole.
_SIGNED = re.compile(r"——[^\W_]{1,6}$")
_CAPITAL = re.compile("[A-Z]")
_FENCE = re.compile("[ \t]*(?:```|~~~)")
_NEVER = re.compile(r"\t|\S  |[|{}<>=\\]|^ |;$|://|\S[#$%] ")
_BEGINS = re.compile(
    r"[-*+•·●○◆◇■□▪▫►▶※★☆→#\u2460-\u2473]|[（(]?[0-9０-９a-zA-Z一二三四五六七八九十百]{1,4}[)）.．、:：]"
    r"|第\s?[0-9０-９一二三四五六七八九十百千零〇]{1,6}\s?[条條章节節款项編编篇回卷部页頁]|[^：:，。、]{1,24}[：:]|【|附[件录錄]|[0-9]+$"
)
_TOKEN = re.compile("[!-~\u00c0-\u024f\u1e00-\u1eff]+")
_LAST = re.compile("([A-Za-z\u00c0-\u024f]+)-$")
_HYPHENED = re.compile("(?<![A-Za-z\u00c0-\u024f])[A-Za-z\u00c0-\u024f]{1,40}-[a-z\u00df-\u024f]+")
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
        return mended(batch, np.flatnonzero(alike >= _LINES - 1).tolist(), unwrap, "wrapped_line_count")


def unwrap(text: str) -> tuple[str, int]:
    """Return the text with its wrapped lines joined, and how many breaks went."""
    total = 0
    while True:
        lines = text.split("\n")
        joins = _joins(lines)
        if not joins.any():
            return text, total
        total += int(joins.sum())
        hyphened = frozenset(_HYPHENED.findall(text))
        parts = [lines[0]]
        for number, line in enumerate(lines[1:]):
            if not joins[number]:
                parts += ["\n", line]
            elif _is_hyphen(lines[number], line, hyphened):
                parts[-1] = parts[-1][:-1]
                parts.append(line)
            else:
                parts += [_between(lines[number], line), line]
        text = "".join(parts)


def _joins(lines: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return whether each line is joined with the next, bool, (lines,)."""
    never = [*_never(lines), True]
    widths = np.array([len(line) + len(_WIDE_CHARACTER.findall(line)) for line in lines])
    follows = np.array(
        [
            not (never[number] or never[number + 1] or _BEGINS.match(after)) and _OPEN.search(line[-2:]) is not None
            for number, (line, after) in enumerate(zip(lines, [*lines[1:], ""], strict=True))
        ]
    )
    phrase = follows & np.array(
        [_is_evidence(line, after) for line, after in zip(lines, [*lines[1:], ""], strict=True)], np.bool_
    )
    reach = widths + np.array([*(_token(line) for line in lines[1:]), 0])
    blank = np.array([not line.strip() for line in lines])
    joins = np.zeros(len(lines), np.bool_)
    if width := _width(widths[~blank], widths[phrase], reach[phrase]):
        joins |= follows & (reach > _TOLERANCE * width) & (widths >= NARROWEST)
        return joins
    edges = np.flatnonzero(np.diff(np.concatenate([[True], blank, [True]]).astype(np.int8)))
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        block = slice(begin, end)
        here = phrase[block]
        if end - begin > _LINES and (width := _width(widths[block], widths[block][here], reach[block][here])):
            joins[block] = follows[block] & (reach[block] > _TOLERANCE * width) & (widths[block] >= NARROWEST)
    return joins


def _is_evidence(line: str, after: str) -> bool:
    """Tell whether a line ends in the middle of a phrase, so that only a width can have cut it."""
    tail = line[-10:]
    if not _PHRASE.search(tail) or _SIGNED.search(tail) or _INNER.search(line) is None:
        return False
    return not (_CAPITAL.match(after) and tail[-1].isascii())


def _never(lines: Sequence[str]) -> list[bool]:
    """Return which lines are code, tables or blank: these join nothing."""
    fenced, never = False, []
    for line in lines:
        fence = _FENCE.match(line) is not None
        never.append(fenced or fence or not line or _NEVER.search(line) is not None)
        fenced ^= fence
    return never


def _width(all_widths: npt.NDArray[Any], widths: npt.NDArray[Any], reach: npt.NDArray[Any]) -> int:
    """Return the width at which lines were cut, 0 where none can be told.

    `all_widths`: of all lines; `widths`, `reach`: of those that end in the middle of a phrase, without and with what
    comes next.
    """
    if len(widths) < _LINES:
        return 0
    width = int(np.quantile(widths, 0.95, method="lower"))
    full = float((reach > _TOLERANCE * width).mean())
    wider = float((all_widths > width / _TOLERANCE + 2).mean())
    return width if width >= NARROWEST and full >= _FULL and wider <= _WIDER else 0


def _token(line: str) -> int:
    """Return the columns of what may not be parted at the beginning of a line: a Latin word, or one Han."""
    word = _TOKEN.match(line)
    return min(len(word[0]) + 1, 20) if word else 2


def _is_hyphen(line: str, after: str, hyphened: Set[str]) -> bool:
    """Tell whether a line ends in a hyphen that goes: no word of the text has it there."""
    last, word = _LAST.search(line[-64:]), _WORD.match(after)
    return last is not None and word is not None and f"{last[1]}-{word[0]}" not in hyphened


def _between(line: str, after: str) -> str:
    """Return what stands between two joined lines: a space between narrow characters."""
    wide = _WIDE_CHARACTER.match(line[-1]) or _WIDE_CHARACTER.match(after[0])
    return "" if wide or _LAST.search(line[-64:]) else " "


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
