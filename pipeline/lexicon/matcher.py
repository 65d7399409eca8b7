"""The matcher: which terms of some lexicons stand where in a column of texts.

From each place the longest term counts, and hits do not overlap. Terms flagged `allow` cancel every hit inside of them.
Latin terms end where words do; borders of Chinese ones are judged by `borders`, unless the term is flagged `anywhere`.

Trade: a text with hits is walked twice, once to learn which windows must be cut into words, once to choose. So a text
without hits costs one walk, and memory is what the hits need, whatever overlaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.lexicon.borders import INSIDE, WINDOW, as_text, cut, function_characters, in_doubt, keeps, word_parts
from pipeline.lexicon.files import LONGEST, Lexicon, Term
from pipeline.lexicon.folding import HARD, LABEL, SOFT, label_of, labels
from pipeline.lexicon.trie import GAP, Trie, entry, touches, walk
from pipeline.signals import classes
from pipeline.signals.segmentation import words_of
from pipeline.text import CodePoints
from schemas.errors import RecipeError

ALLOW, ANYWHERE, EXACT, WORD, SINGLE = 1, 2, 4, 8, 16
_BITS = {"allow": ALLOW, "anywhere": ANYWHERE, "exact": EXACT, "word": WORD}
_LABEL = np.uint32(LABEL)
_HAN = np.uint32(classes.HAN)


@dataclass(frozen=True, slots=True)
class Form:
    """Terms that are one when folded: the first spelling, every category, the greatest weight, the flags as bits."""

    text: str
    categories: tuple[str, ...]
    weight: float
    flags: int


@dataclass(frozen=True, slots=True)
class Hits:
    """Hits in the order of rows and places.

    `rows`, `starts`, `ends`: int64; places are code points of the row's text as it was given. `forms`: int64, place in
    `Matcher.forms`. `stepped`: whether marks stand between the term's characters.
    """

    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    forms: npt.NDArray[np.int64]
    stepped: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)


class Matcher:
    """Terms made ready to be found. `disguised`: also in look-alikes and with marks between their characters."""

    def __init__(self, lexicons: Sequence[Lexicon], disguised: bool = False) -> None:
        """Raises RecipeError for a term of marks alone, and for one that is listed twice with different flags."""
        self._table, self._plain, self._gap = labels(disguised), labels(False), GAP if disguised else 0
        folded = _folded([term for lexicon in lexicons for term in lexicon.terms], self._table)
        self.forms = tuple(map(_form, folded.values()))
        starts = np.concatenate([[0], np.cumsum([len(key) for key in folded])]).astype(np.int64)
        flat = np.array([label for key in folded for label in key], np.uint32)
        self._trie = Trie.of(flat, starts, self._table)
        single = [SINGLE if len(key) == 1 and _is_han(key[0]) else 0 for key in folded]
        self._flags = np.array([form.flags for form in self.forms], np.uint8) | np.array(single, np.uint8)

    @cached_property
    def _known(self) -> npt.NDArray[np.bool_]:
        """Which terms jieba knows as words."""
        points = np.frombuffer("\n".join(form.text for form in self.forms).encode("utf-32-le"), np.uint32)
        plain = self._plain[np.minimum(points, len(self._plain) - 1)] & _LABEL
        joined = as_text(np.where(points == 10, points, plain))
        texts, words = joined.split("\n"), words_of(joined)
        lines, known = 0, np.zeros(len(texts), bool)
        for before, word in zip(["\n", *words], words, strict=False):
            lines += word == "\n"
            known[lines] = before == "\n" and word == texts[lines]
        return known

    def find(self, column: pa.Array) -> Hits:
        """Return the hits in a string column without nulls."""
        texts = CodePoints.of(column)
        points, starts, trie = texts.points, texts.starts, (self._trie.first, self._trie.edges, self._trie.term)
        places, firsts = self._trie.places(texts, self._gap)
        wanted, some = np.zeros(len(points), np.bool_), np.zeros(len(texts), np.bool_)
        of_text = (self._table, self._plain, classes.table(), word_parts())
        _mark(points, starts, places, firsts, *trie, *of_text, self._flags, self._gap, wanted, some)
        rows = np.flatnonzero(some)
        if not len(rows):
            return _hits(np.empty((0, 5), np.int64))
        marks = cut(texts, wanted, self._plain)
        known = self._known if wanted.any() else np.zeros(len(self.forms), bool)
        of_words = (self._table, self._plain, word_parts(), function_characters(), self._flags, known, marks)
        room = len(points) // 8 + 64
        while True:
            out, doubts = np.empty((room, 5), np.int64), np.empty((room, 5), np.int64)
            counts = _choose(points, starts, places, firsts, rows, *trie, *of_words, self._gap, out, doubts)
            if max(counts) <= room:
                break
            room = max(counts)
        return _hits(self._with_doubts(out[: counts[0]], doubts[: counts[1]], texts, marks))

    def _with_doubts(self, sure: Any, doubts: Any, texts: CodePoints, marks: Any) -> Any:
        """Return the sure hits and those of the doubtful that overlap none and are words of their own."""
        if not len(doubts):
            return sure
        starts, ends = sure[:, 1] + texts.starts[sure[:, 0]], sure[:, 2] + texts.starts[sure[:, 0]]
        begin, end = doubts[:, 1] + texts.starts[doubts[:, 0]], doubts[:, 2] + texts.starts[doubts[:, 0]]
        free = np.flatnonzero(np.searchsorted(starts, end) == np.searchsorted(ends, begin, "right"))
        if not len(free):
            return sure
        begin, end = begin[free], end[free]
        lows, highs = np.empty_like(begin), np.empty_like(end)
        points = np.empty(_pieces(texts.points, marks, begin, end, lows, highs, np.empty(0, np.uint32)), np.uint32)
        _pieces(texts.points, marks, begin, end, lows, highs, points)
        whole = as_text(self._plain[np.minimum(points, len(self._plain) - 1)] & LABEL)
        places = zip(begin.tolist(), end.tolist(), lows.tolist(), highs.tolist(), strict=True)
        added, until, size = [], 0, 0
        for k, (i, j, low, high) in zip(free.tolist(), places, strict=True):
            piece = whole[size : size + high - low]
            size += high - low
            if i >= until and keeps(piece, i - low, j - low, bool(self._known[doubts[k, 3]])):
                added.append(k)
                until = j
        both = np.concatenate([sure, doubts[added]])
        return both[np.lexsort((both[:, 1], both[:, 0]))]


def _hits(lines: npt.NDArray[np.int64]) -> Hits:
    return Hits(lines[:, 0], lines[:, 1], lines[:, 2], lines[:, 3], lines[:, 4] > 0)


@njit(cache=True, nogil=True)
def _pieces(points: Any, marks: Any, begin: Any, end: Any, lows: Any, highs: Any, pieces: Any) -> int:
    """Write where the words of the cut begin and end that hits break, and their characters where there is room.

    Returns how many characters that are, end to end.
    """
    size = 0
    for k in range(len(begin)):
        low, high = begin[k], end[k]
        while marks[low] == INSIDE:
            low -= 1
        while marks[high] == INSIDE:
            high += 1
        lows[k], highs[k] = low, high
        if size + high - low <= len(pieces):
            pieces[size : size + high - low] = points[low:high]
        size += high - low
    return int(size)


@lru_cache(maxsize=8)
def matcher(lexicons: tuple[Lexicon, ...], disguised: bool = False) -> Matcher:
    """Return the matcher of some lexicons, made once a process."""
    return Matcher(lexicons, disguised)


def _is_han(label: int) -> bool:
    return bool(classes.table()[min(label, classes.SIZE - 1)] & classes.HAN)


def _folded(terms: Sequence[Term], table: npt.NDArray[np.uint32]) -> dict[tuple[int, ...], list[Term]]:
    """Return the terms by their labels; soft marks are left out, the flags of terms that fold to one must agree."""
    folded: dict[tuple[int, ...], list[Term]] = {}
    for term in terms:
        entries = [label_of(char, table) for char in term.text]
        key = tuple(code & int(LABEL) for code in entries if not code & int(HARD | SOFT))
        if not key:
            raise RecipeError(f"{term.place}: {term.text!r} holds nothing but marks that are passed over; take it out")
        there = folded.setdefault(key, [])
        if there and there[0].flags != term.flags:
            other = there[0].place
            raise RecipeError(f"{term.place}: {term.text!r} is listed with other flags in {other}; make them agree")
        there.append(term)
    return folded


def _form(terms: Sequence[Term]) -> Form:
    flags = sum(_BITS[flag] for flag in terms[0].flags)
    categories = tuple(dict.fromkeys(term.category for term in terms))
    return Form(terms[0].text, categories, max(term.weight for term in terms), flags)


@njit(cache=True, nogil=True, inline="always")
def _latin_fits(points: Any, i: Any, j: Any, begin: Any, end: Any, table: Any, flag: Any) -> bool:
    """Tell whether the Latin edges of a term at i to j are borders of words."""
    loose = flag & ANYWHERE != 0
    if i > begin and touches(entry(points[i - 1], table) & _LABEL, entry(points[i], table) & _LABEL, loose):
        return False
    return not (j < end and touches(entry(points[j - 1], table) & _LABEL, entry(points[j], table) & _LABEL, loose))


@njit(cache=True, nogil=True)
def _mark(
    points: Any, starts: Any, places: Any, firsts: Any, first: Any, edges: Any, term: Any,
    table: Any, plain: Any, kinds: Any, bits: Any, flags: Any, gap: int, wanted: Any, some: Any,
) -> None:  # fmt: skip
    """Set `wanted` where windows must be cut into words, and `some` for rows that hold a term that counts.

    A longest term without doubt will be chosen, so what begins inside it is not looked at, unless a doubtful one or an
    allowed one before may yet take its place.
    """
    ends, terms, over = np.empty(LONGEST, np.int64), np.empty(LONGEST, np.int64), np.empty(LONGEST, np.bool_)
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        marked = until = reach = begin
        for i in places[firsts[row] : firsts[row + 1]]:
            if i < until:
                continue
            for k in range(walk(points, i, end, first, edges, term, table, gap, ends, terms, over) - 1, -1, -1):
                flag, j = flags[terms[k]], ends[k]
                some[row] = some[row] or not flag & ALLOW
                doubtful = not flag & (ALLOW | ANYWHERE) and not over[k]
                doubtful = doubtful and (
                    in_doubt(points, i, begin, end, plain, bits) or in_doubt(points, j, begin, end, plain, bits)
                )
                if doubtful:
                    low, high = i, j
                    while low > max(begin, i - WINDOW) and _is_han_point(points[low - 1], kinds):
                        low -= 1
                    while high < min(end, j + WINDOW) and _is_han_point(points[high], kinds):
                        high += 1
                    for p in range(max(low, min(marked, i)), high):
                        wanted[p] = True
                    marked = max(marked, high)
                if doubtful or flag & (ALLOW | EXACT):
                    reach = max(reach, j)
                elif i >= reach and _latin_fits(points, i, j, begin, end, table, flag):
                    until = j
                    break


@njit(cache=True, nogil=True, inline="always")
def _is_han_point(point: Any, kinds: Any) -> bool:
    han: bool = point < len(kinds) and kinds[point] & _HAN != 0
    return han


@njit(cache=True, nogil=True, inline="always")
def _alone(points: Any, i: Any, begin: Any, end: Any, plain: Any, bits: Any, function: Any) -> bool:
    """Tell whether a single character stands apart from its neighbours, or next to function characters."""
    for p, neighbour in ((i, i - 1), (i + 1, i + 1)):
        if in_doubt(points, p, begin, end, plain, bits):
            label = entry(points[neighbour], plain) & _LABEL
            place = np.searchsorted(function, label)
            if place == len(function) or function[place] != label:
                return False
    return True


@njit(cache=True, nogil=True, inline="always")
def _is_broken(marks: Any, i: Any, j: Any) -> bool:
    """Tell whether a word of the cut begins between i and j, both left out."""
    broken = False
    for p in range(i + 1, j):
        broken = broken or marks[p] == 1
    return broken


@njit(cache=True, nogil=True)
def _choose(
    points: Any, starts: Any, places: Any, firsts: Any, rows: Any, first: Any, edges: Any, term: Any,
    table: Any, plain: Any, bits: Any, function: Any, flags: Any, known: Any, marks: Any, gap: int,
    out: Any, doubts: Any,
) -> tuple[int, int]:  # fmt: skip
    """Write hits to `out`, doubtful ones to `doubts`, as far as there is room, and return how many of each there are.

    A line is row, start, end, term, and whether marks stand in it.
    """
    ends, terms, over = np.empty(LONGEST, np.int64), np.empty(LONGEST, np.int64), np.empty(LONGEST, np.bool_)
    count = doubtful = 0
    for row in rows:
        begin, end = starts[row], starts[row + 1]
        until = allowed = begin
        for i in places[firsts[row] : firsts[row + 1]]:
            found = walk(points, i, end, first, edges, term, table, gap, ends, terms, over)
            doubt, taken = -1, i < until
            for k in range(found):
                if flags[terms[k]] & ALLOW and _latin_fits(points, i, ends[k], begin, end, table, flags[terms[k]]):
                    allowed = max(allowed, ends[k])
            for k in range(found - 1, -1, -1):
                flag, j = flags[terms[k]], ends[k]
                if taken or flag & ALLOW or j <= allowed or (over[k] and flag & EXACT):
                    continue
                if not _latin_fits(points, i, j, begin, end, table, flag):
                    continue
                if not (flag & ANYWHERE or over[k]):
                    if marks[i] == INSIDE or (j < end and marks[j] == INSIDE):
                        lost = flag & (WORD | SINGLE) or (known[terms[k]] and _is_broken(marks, i, j))
                        if doubt < 0 and not lost:
                            doubt = k
                        continue
                    if flag & SINGLE and not _alone(points, i, begin, end, plain, bits, function):
                        continue
                _write(out, count, row, i - begin, j - begin, terms[k], over[k])
                count, until, taken = count + 1, j, True
            if doubt >= 0 and not taken:
                _write(doubts, doubtful, row, i - begin, ends[doubt] - begin, terms[doubt], False)
                doubtful += 1
    return count, doubtful


@njit(cache=True, nogil=True, inline="always")
def _write(out: Any, place: Any, row: Any, start: Any, end: Any, term: Any, over: Any) -> None:
    if place < len(out):
        out[place, 0], out[place, 1], out[place, 2], out[place, 3], out[place, 4] = row, start, end, term, over
