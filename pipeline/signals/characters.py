"""Character and line shares: everything that one walk over the code points can tell of a document.

Twenty-nine columns from one kernel call. Characters are counted one by one and looked up once for each different one,
so that another class costs next to nothing. Shares of kinds of
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
    FULL,
    HAN,
    HANGUL,
    HANS,
    HANT,
    KANA,
    LATIN,
    LATIN_1,
    LEVEL,
    PAIR,
    PRIVATE,
    PUNCTUATION,
    RADICAL,
    RARE,
    SENTENCE_END,
    SIZE,
    SPACE,
    STOP,
    SYMBOL,
    WATCHED,
)
from pipeline.step import Signal
from pipeline.tables import resource
from pipeline.text import CodePoints
from schemas.manifest import Resource

SHORT_LINE = 10
"""Visible characters below which a line is short; ChineseWebText asks ten characters of a line on average."""

_SMALL = 256  # times that a character stands in a text whose share of the entropy is kept
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
    "han_level1_share",
    "han_level2_share",
    "han_level3_share",
    "hant_share",
    "script_mix_share",
    "full_punctuation_share",
    "half_punctuation_share",
    "radical_share",
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
    - `han_level1_share`, `han_level2_share`, `han_level3_share`: Han characters of the 3,500, 3,000 and 1,605 of
      通用规范汉字表 (2013), of the Han; a Traditional character has the level of its Simplified form. What is left to 1
      is in none: variants, characters of ancient books, mojibake.
    - `hant_share`: Traditional forms, of the characters that only one script uses; `script_mix_share`: the rarer of the
      two scripts, of the same.
    - `full_punctuation_share`, `half_punctuation_share`: punctuation as wide as a Han character (UAX 11, ambiguous ones
      taken as wide) and the rest, of the visible characters. `radical_share`: radicals and strokes (U+2E80 to U+2FDF,
      U+31C0 to U+31EF), which PDF fonts leave in the place of characters.
    """

    kind: ClassVar[str] = "characters"
    revision: ClassVar[int] = 2

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Counts are int64, the rest float64."""
        return {name: pa.int64() if name in _COUNTS else pa.float64() for name in _COLUMNS}

    def resources(self) -> Sequence[Resource]:
        """The tables behind the classes."""
        return (
            resource(__package__, "han_common.txt", "MIT AND Apache-2.0"),
            resource(__package__, classes.LEVELS, "MIT"),
            resource("pipeline.dedup", "simplified.tsv", "Apache-2.0"),
            resource(__package__, "hans_only.txt", "Apache-2.0"),
            resource(__package__, "hant_only.txt", "Apache-2.0"),
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
def _url_begin(points: Any, i: int, begin: int, table: Any) -> int:
    """Return where the letters of the scheme begin that end before i."""
    while i > begin and points[i - 1] < 128 and table[points[i - 1]] & LATIN:
        i -= 1
    return i


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
def _traces(points: Any, begin: int, end: int, table: Any, pairs: Any, counts: Any, seen: Any, traces: Any) -> int:
    """Count every character in `counts`, list the different ones in `seen`, return how many, and fill `traces`.

    Those are characters of mojibake (runs and pairs), stops, clashes of stops, characters of addresses, and characters
    of the private planes.
    """
    traces[:] = 0
    # What is counted for every character is a local, which stays in a register.
    different = latin_run = mark_run = private = 0
    latin_next = mark_next = url_until = begin
    for i in range(begin, end):
        point = min(points[i], np.uint32(SIZE - 1))
        seen[different] = point
        different += counts[point] == 0
        counts[point] += 1
        bits = table[point]
        if not bits & WATCHED:
            private += points[i] >= 0xF0000
            continue
        # A run counts whole from its third (fifth) character on.
        if bits & LATIN_1:
            latin_run = latin_run + 1 if latin_next == i else 1
            latin_next = i + 1
            traces[0] += 3 if latin_run == 3 else (1 if latin_run > 3 else 0)
        elif point == 63:
            mark_run = mark_run + 1 if mark_next == i else 1
            mark_next = i + 1
            traces[0] += 5 if mark_run == 5 else (1 if mark_run > 5 else 0)
        elif bits & STOP:
            before = points[i - 1] if i > begin else np.uint32(32)
            traces[1] += 1
            traces[2] += (table[min(before, np.uint32(SIZE - 1))] & STOP) != 0 and not before == point == 0x3002
        if bits & PAIR and i + 1 < end:
            for k in range(len(pairs)):
                traces[0] += pairs[k, 0] == point and pairs[k, 1] == points[i + 1]
        if (point == 58 or point == 119) and i >= url_until:
            url_until = _url_end(points, i, begin, end, table)
            if url_until > i:
                traces[3] += url_until - _url_begin(points, i, begin, table)
    traces[4] = private
    return different


@njit(cache=True, nogil=True)
def _sorted_out(seen: Any, table: Any, counts: Any, weights: Any, kinds: Any) -> float:
    """Fill `kinds` from the `counts` of `seen`, zero afterwards; return the sum of n * log2(n) of the visible.

    `weights`: n * log2(n) for small n. Han, the most of them, are counted by themselves.
    """
    kinds[:] = 0
    weighted = 0.0
    han = rare = hans = hant = broken = radicals = 0
    for point in seen:
        times = counts[point]
        counts[point] = 0
        bits = table[point]
        if times > 1 and not bits & SPACE:
            weighted += weights[times] if times < len(weights) else times * math.log2(times)
        broken += times if bits & (BROKEN | PRIVATE) else 0
        radicals += times if bits & RADICAL else 0
        if bits & HAN:
            han += times
            kinds[1 + ((bits >> LEVEL) & 3)] += times
            rare += times if bits & RARE else 0
            hans += times if bits & HANS else 0
            hant += times if bits & HANT else 0
        else:
            _count_other(bits, times, kinds)
    kinds[0], kinds[5], kinds[6], kinds[7], kinds[17], kinds[18] = han, rare, hans, hant, broken, radicals
    return weighted


@njit(cache=True, nogil=True)
def _count_other(bits: Any, times: Any, kinds: Any) -> None:
    """Add a character that is no Han to its kinds."""
    kinds[8] += times if bits & LATIN else 0
    kinds[9] += times if bits & DIGIT else 0
    kinds[10] += times if bits & PUNCTUATION else 0
    kinds[11] += times if bits & FULL else 0
    kinds[12] += times if bits & SYMBOL else 0
    kinds[13] += times if bits & KANA else 0
    kinds[14] += times if bits & HANGUL else 0
    kinds[15] += times if bits & PRIVATE else 0
    kinds[16] += times if bits & SPACE else 0


@njit(cache=True, nogil=True)
def _measure(points: Any, starts: Any, table: Any, pairs: Any, out: Any) -> None:
    """Fill `out`, float64, (columns in the order of `_COLUMNS`, rows)."""
    counts, seen = np.zeros(SIZE, np.int32), np.empty(SIZE + 1, np.uint32)
    lines = np.zeros(6, np.int64)
    traces = np.zeros(5, np.int64)
    kinds = np.zeros(19, np.int64)
    weights = np.zeros(_SMALL)
    for times in range(2, _SMALL):
        weights[times] = times * math.log2(times)
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        out[0, row] = end - begin
        if begin == end:
            continue
        different = _traces(points, begin, end, table, pairs, counts, seen, traces)
        weighted = _sorted_out(seen[:different], table, counts, weights, kinds)
        total = end - begin - kinds[16]
        visible = max(1, total)
        shares = (kinds[0], kinds[8], kinds[9], kinds[10], kinds[12], kinds[13], kinds[14])
        for k in range(len(shares)):
            out[1 + k, row] = shares[k] / visible
        out[8, row] = (kinds[15] + traces[4]) / visible
        out[9, row] = (kinds[17] + traces[0]) / visible
        han, telling = max(1, kinds[0]), max(1, kinds[6] + kinds[7])
        out[10, row] = kinds[5] / han
        out[11, row] = traces[2] / max(1, traces[1])
        out[12, row] = traces[3] / visible
        out[13, row] = kinds[16] / (end - begin)
        out[14, row] = max(0.0, math.log2(visible) - weighted / visible)
        _line_shares(points, begin, end, table, lines)
        out[15, row] = lines[0]
        counted = max(1, lines[0])
        out[16, row] = lines[1] / counted
        out[17, row] = lines[2] / counted
        out[18, row] = lines[3] / max(1, lines[1])
        out[19, row] = lines[4] / counted
        out[20, row] = lines[5] / counted
        for level in range(1, 4):
            out[20 + level, row] = kinds[1 + level] / han
        out[24, row] = kinds[7] / telling
        out[25, row] = min(kinds[6], kinds[7]) / telling
        out[26, row] = kinds[11] / visible
        out[27, row] = (kinds[10] - kinds[11]) / visible
        out[28, row] = kinds[18] / visible
