"""Character and line shares: everything that one walk over the code points can tell of a document.

Twenty-one columns from one kernel call, so that adding the last one cost next to nothing. Shares of kinds of
characters are of the visible characters (not white space), so that they add up; an empty document has share 0.0
everywhere. Lines are counted without blank ones.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.signals import classes
from pipeline.signals.classes import (
    BROKEN,
    BULLET,
    CLAUSE_END,
    CLOSER,
    DIGIT,
    HAN,
    HANGUL,
    KANA,
    LATIN,
    LATIN_1,
    PAIR,
    PRIVATE,
    PUNCTUATION,
    RARE,
    SENTENCE_END,
    SIZE,
    SPACE,
    STOP,
    SYMBOL,
)
from pipeline.step import Signal
from pipeline.tables import resource
from pipeline.text import CodePoints
from schemas.manifest import Resource

SHORT_LINE = 10
"""Visible characters below which a line is short; ChineseWebText asks ten characters of a line on average."""

_COUNTS = ("char_count", "line_count")
_COLUMNS = (
    "char_count",
    "han_share",
    "latin_share",
    "digit_share",
    "punctuation_share",
    "symbol_share",
    "kana_share",
    "hangul_share",
    "private_use_share",
    "mojibake_share",
    "rare_han_share",
    "stop_clash_share",
    "url_share",
    "whitespace_share",
    "entropy",
    "line_count",
    "mean_line_chars",
    "terminal_punctuation_share",
    "sentence_share",
    "short_line_share",
    "bullet_share",
)


class Characters(Signal):
    """Shares of scripts, punctuation, broken characters and kinds of lines.

    - `han_share` … `hangul_share`, `private_use_share`: of the visible characters.
    - `mojibake_share`: visible characters that a wrong decoding leaves: U+FFFD, C1 controls, unassigned and private-use
      code points, runs of three or more Latin-1 characters, runs of five or more question marks, 锟斤拷 and 烫烫.
    - `rare_han_share`: Han characters outside the 3,500 common ones (either script), of the Han characters. A GBK or
      Big5 text read as the other, or UTF-8 read as GBK, has 0.3 to 0.9; classical verse reaches 0.15.
    - `stop_clash_share`: marks of ，。；：、 that follow another at once (。。 apart), of these marks; shuffled or
      machine-made text has them, edited text hardly ever.
    - `url_share`: characters of web addresses. `entropy`: bits a visible character, of single characters.
    - `mean_line_chars`: visible characters a line. `terminal_punctuation_share`: lines that end in 。！？…；： or their
      ASCII twins, closing quotes and brackets after them allowed. `sentence_share`: visible characters that stand in
      lines which hold a sentence's end anywhere. `short_line_share`: lines of fewer than 10 visible characters.
      `bullet_share`: lines that begin with a bullet.
    """

    kind: ClassVar[str] = "characters"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Counts are int64, the rest float64."""
        return {name: pa.int64() if name in _COUNTS else pa.float64() for name in _COLUMNS}

    def resources(self) -> Sequence[Resource]:
        """The tables behind the classes."""
        return (
            resource(__package__, "han_common.txt", "MIT AND Apache-2.0"),
            resource(__package__, "mojibake_pairs.txt", "CC0-1.0"),
        )

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        text = CodePoints.of(batch.column("text"))
        out = np.zeros((len(_COLUMNS), len(text)))
        _measure(text.points, text.starts, classes.table(), classes.pairs(), out)
        return [pa.array(row).cast(dtype) for row, dtype in zip(out, self.adds.values(), strict=True)]


@njit(cache=True, nogil=True)
def _url_end(points: Any, i: int, begin: int, end: int, table: Any) -> int:
    """Return where the web address ends whose `:` (before //) or `www.` stands at i, or i when there is none."""
    if points[i] == 58:
        if i + 3 >= end or points[i + 1] != 47 or points[i + 2] != 47 or i == begin:
            return i
        if points[i - 1] >= 128 or not table[points[i - 1]] & LATIN:
            return i
    elif i + 4 >= end or points[i + 1] != 119 or points[i + 2] != 119 or points[i + 3] != 46:
        return i
    j = i + 3
    # An address holds ASCII without space, quotes, angle brackets and closing parenthesis.
    while j < end and 32 < points[j] < 127 and points[j] not in (34, 39, 41, 60, 62, 96):
        j += 1
    return j


@njit(cache=True, nogil=True)
def _url_begin(points: Any, i: int, begin: int) -> int:
    """Return where the letters of the scheme begin that end before i."""
    while i > begin and (97 <= points[i - 1] <= 122 or 65 <= points[i - 1] <= 90):
        i -= 1
    return i


@njit(cache=True, nogil=True)
def _entropy(points: Any, begin: int, end: int, table: Any, counts: Any) -> float:
    """Return the bits a visible character of single characters; `counts` is zero before and after."""
    total = 0
    for i in range(begin, end):
        point = min(points[i], np.uint32(SIZE - 1))
        if not table[point] & SPACE:
            counts[point] += 1
            total += 1
    weighted = 0.0
    for i in range(begin, end):
        point = min(points[i], np.uint32(SIZE - 1))
        if counts[point] > 1:
            weighted += counts[point] * math.log2(counts[point])
        counts[point] = 0
    return max(0.0, math.log2(total) - weighted / total) if total else 0.0


@njit(cache=True, nogil=True)
def _ends_sentence(points: Any, i: int, begin: int, end: int, table: Any) -> bool:
    """Tell whether the mark at i ends a sentence: an ASCII one after Han or before space, a stop not after a digit."""
    if points[i] > 127 or (i > begin and table[min(points[i - 1], np.uint32(SIZE - 1))] & HAN):
        return True
    if points[i] == 46 and (i == begin or table[min(points[i - 1], np.uint32(SIZE - 1))] & DIGIT):
        return False
    return i + 1 >= end or (table[min(points[i + 1], np.uint32(SIZE - 1))] & SPACE) != 0


@njit(cache=True, nogil=True)
def _line_shares(points: Any, begin: int, end: int, table: Any, lines: Any) -> None:
    """Fill `lines`: lines, visible characters, ends, characters in sentences, short lines, bullets."""
    lines[:] = 0
    i = begin
    while i < end:
        visible = 0
        bullet = sentence = False
        ended = closed = False
        while i < end and points[i] != 10:
            bits = table[min(points[i], np.uint32(SIZE - 1))]
            if not bits & SPACE:
                if visible == 0:
                    bullet = (bits & BULLET) != 0
                visible += 1
                if bits & SENTENCE_END:
                    sentence = sentence or _ends_sentence(points, i, begin, end, table)
                    ended = True
                elif bits & CLAUSE_END:
                    ended = True
                elif not bits & CLOSER:
                    ended = False
                closed = ended
            i += 1
        i += 1
        if visible:
            lines[0] += 1
            lines[1] += visible
            lines[2] += closed
            lines[3] += visible if sentence else 0
            lines[4] += visible < SHORT_LINE
            lines[5] += bullet


@njit(cache=True, nogil=True)
def _measure(points: Any, starts: Any, table: Any, pairs: Any, out: Any) -> None:
    """Fill `out`, float64, (columns in the order of `_COLUMNS`, rows)."""
    counts = np.zeros(SIZE, np.int32)
    lines = np.zeros(6, np.int64)
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        out[0, row] = end - begin
        if begin == end:
            continue
        han = latin = digit = punctuation = symbol = kana = hangul = private = broken = rare = url = space = 0
        stops = clashes = 0
        latin_run = mark_run = 0
        url_until = begin
        for i in range(begin, end):
            point = points[i]
            if point >= 0xF0000:
                private += 1
                broken += 1
                continue
            bits = table[min(point, np.uint32(SIZE - 1))]
            han += (bits & HAN) != 0
            rare += (bits & RARE) != 0
            latin += (bits & LATIN) != 0
            digit += (bits & DIGIT) != 0
            punctuation += (bits & PUNCTUATION) != 0
            symbol += (bits & SYMBOL) != 0
            kana += (bits & KANA) != 0
            hangul += (bits & HANGUL) != 0
            space += (bits & SPACE) != 0
            private += (bits & PRIVATE) != 0
            broken += (bits & (BROKEN | PRIVATE)) != 0
            # A run counts whole from its third (fifth) character on.
            latin_run = latin_run + 1 if bits & LATIN_1 else 0
            broken += 3 if latin_run == 3 else (1 if latin_run > 3 else 0)
            mark_run = mark_run + 1 if point == 63 else 0
            broken += 5 if mark_run == 5 else (1 if mark_run > 5 else 0)
            if bits & STOP:
                stops += 1
                before = points[i - 1] if i > begin else np.uint32(32)
                clashes += table[min(before, np.uint32(SIZE - 1))] & STOP and not before == point == 0x3002
            if bits & PAIR and i + 1 < end:
                for k in range(len(pairs)):
                    broken += pairs[k, 0] == point and pairs[k, 1] == points[i + 1]
            if (point == 58 or point == 119) and i >= url_until:
                url_until = _url_end(points, i, begin, end, table)
                scheme = i
                while (
                    url_until > i and scheme > begin and points[scheme - 1] < 128 and table[points[scheme - 1]] & LATIN
                ):
                    scheme -= 1
                url += url_until - scheme
        visible = max(1, end - begin - space)
        shares = (han, latin, digit, punctuation, symbol, kana, hangul, private, broken)
        for k in range(len(shares)):
            out[1 + k, row] = shares[k] / visible
        out[10, row] = rare / max(1, han)
        out[11, row] = clashes / max(1, stops)
        out[12, row] = url / visible
        out[13, row] = space / (end - begin)
        out[14, row] = _entropy(points, begin, end, table, counts)
        _line_shares(points, begin, end, table, lines)
        out[15, row] = lines[0]
        counted = max(1, lines[0])
        out[16, row] = lines[1] / counted
        out[17, row] = lines[2] / counted
        out[18, row] = lines[3] / max(1, lines[1])
        out[19, row] = lines[4] / counted
        out[20, row] = lines[5] / counted
