"""Texts as lines: where each begins, a hash of what it is compared by, and which of them a document's edges give up.

A line is compared by its match form with every run of digits as one zero, so that 阅读 87720 and 阅读 102 are the same
line, in whatever script, width and punctuation. Lines end at a line feed: readers turn other breaks into it.

Trade: two hashes of 64 bits may meet. The expected number of pairs that do, among 10^6 lines of a table and 10^9 lines
looked up, is 10^15 / 2^64; a line that is taken for another goes only where it stands at an edge.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.dedup.matchform import forms_of
from pipeline.dedup.signature import fingerprints
from pipeline.text import CodePoints, Offsets
from schemas.recipe import MatchForm

Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.uint8]

LINE_FORM = MatchForm(digits="zero")
# What a table says of a line: nothing; it goes with longer furniture around it, at an edge, or anywhere.
OWN, WITHIN, EDGE, ANYWHERE = range(4)
_LABEL = 8  # characters of a speaker's name at most: 【记者】, 客服, 学生甲
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_BREAK, _COLON, _WIDE_COLON = 0x0A, 0x3A, 0xFF1A


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a batch of texts.

    `starts`: int64, (lines + 1), into `texts.points`; a line keeps its break. `firsts`: int64, (rows + 1), the first
    line of each row. `hashes`: uint64, (lines,). `chars`: int64, (lines,), characters compared: 0 for a line without
    letters or digits. `turns`: bool, (lines,): whether the line is one of several turns of a dialogue.
    """

    texts: CodePoints
    starts: Offsets
    firsts: Offsets
    hashes: Hashes
    chars: Offsets
    turns: Flags

    @classmethod
    def of(cls, texts: CodePoints) -> "Lines":
        """Cut texts into lines; each row has one at least."""
        size = len(texts) + int(np.count_nonzero(texts.points == _BREAK))
        starts, firsts = np.empty(size + 1, np.int64), np.empty(len(texts) + 1, np.int64)
        _cut(texts.points, texts.starts, starts, firsts)
        forms = forms_of(CodePoints(texts.points, starts), LINE_FORM)
        hashes = np.ascontiguousarray(fingerprints(forms)[:, 0])
        return cls(texts, starts, firsts, hashes, forms.counts, _turns(texts, starts, firsts, hashes))

    @property
    def rows(self) -> Offsets:
        """The row of each line, int64, (lines,)."""
        return np.repeat(np.arange(len(self.texts)), np.diff(self.firsts))

    def furniture(self, known: Places) -> Flags:
        """Return which lines go, given what a table says of each (uint8, (lines,)); see `peel`."""
        gone = np.zeros(len(self.chars), np.bool_)
        peel(self.firsts, self.chars, np.where(self.turns, OWN, known).astype(np.uint8), gone)
        return gone

    def without(self, gone: Flags) -> CodePoints:
        """Return the rows without the lines that are `gone`; a row that lost its last line ends without a break."""
        points, starts = np.empty_like(self.texts.points), np.empty_like(self.texts.starts)
        count = _keep(self.texts.points, self.starts, self.firsts, gone, points, starts)
        return CodePoints(points[:count], starts)


def _turns(texts: CodePoints, starts: Offsets, firsts: Offsets, hashes: Hashes) -> Flags:
    """Return which lines begin with a name and a colon, as another, different line of the same row does.

    So turns of a dialogue (客服：不客气。) never count as furniture, however often they recur; a label that stands
    once in a document (责任编辑：…) makes no turn.
    """
    labels = np.zeros(len(hashes), np.uint64)
    _labels(texts.points, starts, labels)
    turns = np.zeros(len(hashes), np.bool_)
    named = np.flatnonzero(labels)
    if len(named):
        row = np.searchsorted(firsts, named, side="right").astype(np.uint64)
        keys = labels[named] ^ (row * _PRIME)
        order = np.lexsort((hashes[named], keys))
        keys, lines = keys[order], hashes[named][order]
        begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        ends = np.append(begins[1:], len(keys)) - 1
        turns[named[order]] = np.repeat(lines[begins] != lines[ends], ends - begins + 1)
    return turns


@njit(cache=True, nogil=True)
def _cut(points: Any, rows: Any, starts: Any, firsts: Any) -> None:
    line = 0
    for row in range(len(rows) - 1):
        firsts[row] = line
        starts[line] = rows[row]
        line += 1
        for i in range(rows[row], rows[row + 1]):
            if points[i] == _BREAK:
                starts[line] = i + 1
                line += 1
    firsts[len(rows) - 1] = line
    starts[line] = rows[len(rows) - 1]


@njit(inline="always")
def _is_space(point: Any) -> Any:
    return point == 0x20 or 0x09 <= point <= 0x0D or point == 0xA0 or point == 0x3000


@njit(cache=True, nogil=True)
def _labels(points: Any, starts: Any, labels: Any) -> None:
    """Write a hash of what stands before the first colon of each line, 0 where no short label does."""
    for line in range(len(starts) - 1):
        i, end = starts[line], starts[line + 1]
        while i < end and (_is_space(points[i]) or points[i] == 0x2A):  # 0x2A: ** of Markdown
            i += 1
        total = np.uint64(0)
        for k in range(i, min(end, i + _LABEL + 1)):
            if points[k] == _COLON or points[k] == _WIDE_COLON:
                if k > i:
                    labels[line] = total | np.uint64(1)
                break
            total = (total ^ np.uint64(points[k])) * _PRIME


@njit(cache=True, nogil=True)
def peel(firsts: Any, chars: Any, known: Any, gone: Any) -> None:
    """Mark the lines that go: the runs of known lines at both ends of each row, and lines known to go anywhere.

    A run ends before the first line that is not known. It begins to count at a line that goes at an edge by itself
    (EDGE, ANYWHERE): lines known to go WITHIN, and lines without letters, go only on its outer side.
    """
    for row in range(len(firsts) - 1):
        first, end = firsts[row], firsts[row + 1]
        top = first
        for i in range(first, end):
            if chars[i] > 0 and known[i] == OWN:
                break
            if known[i] >= EDGE:
                top = i + 1
        bottom = end
        for i in range(end - 1, top - 1, -1):
            if chars[i] > 0 and known[i] == OWN:
                break
            if known[i] >= EDGE:
                bottom = i
        for i in range(first, end):
            gone[i] = i < top or i >= bottom or known[i] == ANYWHERE


@njit(cache=True, nogil=True)
def _keep(points: Any, lines: Any, firsts: Any, gone: Any, kept: Any, starts: Any) -> int:
    """Copy the lines that stay, and return how many characters that are."""
    count = 0
    for row in range(len(firsts) - 1):
        starts[row] = count
        first, end = firsts[row], firsts[row + 1]
        # Blank lines beside a run that goes were there to set it off.
        trim_top, trim_bottom = first < end and gone[first], first < end and gone[end - 1]
        for line in range(first, end):
            if gone[line]:
                continue
            begin, stop = lines[line], lines[line + 1]
            blank = True
            for i in range(begin, stop):
                if not _is_space(points[i]):
                    blank = False
                    break
            if blank and trim_top:
                continue
            trim_top = False
            for i in range(begin, stop):
                kept[count] = points[i]
                count += 1
        if trim_bottom:
            while count > starts[row] and _is_space(kept[count - 1]):
                count -= 1
    starts[len(firsts) - 1] = count
    return count
