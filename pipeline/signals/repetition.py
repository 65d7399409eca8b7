"""Repetition: how much of a document repeats itself, by lines, paragraphs and character n-grams.

Every share is of characters that are covered, each counted once, so it lies in 0 to 1 whatever the language (a peer
joins words by spaces before it measures and reaches 1.6 for Chinese). White space takes no part: neither re-wrapping
nor indentation changes a share. Two documents of the same text, one twice as long because it is pasted twice, differ:
the second has a duplicate share of about one half.

Trade: texts are compared by 64-bit hashes, so a chance meeting would count as repetition (once in 10^12 documents of
a thousand characters); and no more than `max_chars` of a document are measured, so that memory stays bounded.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numba import njit
from pydantic import Field

from pipeline.step import Signal
from pipeline.text import CodePoints

_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)


class Repetition(Signal):
    """Shares of characters that are repeated.

    - `duplicate_line_share`: characters in lines that stood before in the document.
    - `duplicate_paragraph_share`: the same of paragraphs, which blank lines divide.
    - `top_ngram_share`: characters covered by the one n-gram of `n` characters that covers most, if it occurs twice.
    - `duplicate_ngram_share`: characters covered by n-grams of `long_n` characters that occurred before.

    Source: the repetition measures of Gopher (Rae et al. 2021, appendix A1.1), over characters instead of words.
    """

    kind: ClassVar[str] = "repetition"

    n: int = Field(5, ge=2, le=32, description="characters of the n-gram whose best single cover is measured")
    long_n: int = Field(10, ge=2, le=64, description="characters of the n-grams whose repetition is measured")
    max_chars: int = Field(500_000, ge=1_000, description="characters of a document that are measured")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Four shares, float64."""
        names = ("duplicate_line_share", "duplicate_paragraph_share", "top_ngram_share", "duplicate_ngram_share")
        return dict.fromkeys(names, pa.float64())

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        text = CodePoints.of(batch.column("text"))
        longest = min(max([1, *text.counts.tolist()]), self.max_chars)
        slots = 1 << max(8, int(longest * 2 - 1).bit_length())
        # A slot, one look at memory: hash, stamp (which pass filled it), characters covered, end of that cover.
        marks = np.zeros((slots, 4), np.int64)
        out = np.zeros((4, len(text)))
        visible = np.empty(longest, np.uint32)
        _measure(text.points, text.starts, self.n, self.long_n, visible, marks, out)
        return [pa.array(row) for row in out]


@njit(cache=True, nogil=True)
def _find(key: Any, stamp: int, marks: Any, mask: Any) -> int:
    """Return the slot of a key in this pass; a new key takes a free one, its cover set to -1."""
    slot = np.int64(((key ^ (key >> np.uint64(32))) * _MIX >> np.uint64(20)) & mask)
    while marks[slot, 1] == stamp and marks[slot, 0] != np.int64(key):
        slot = (slot + 1) & np.int64(mask)
    if marks[slot, 1] != stamp:
        marks[slot, 0] = np.int64(key)
        marks[slot, 1] = stamp
        marks[slot, 2] = -1
    return int(slot)


@njit(cache=True, nogil=True)
def _blocks(points: Any, begin: int, end: int, ends: int, stamp: int, marks: Any, mask: Any) -> int:
    """Return the visible characters in repeated blocks; a block is closed by `ends` line breaks (blanks between)."""
    repeated = size = 0
    breaks = 0
    key = np.uint64(0)
    for i in range(begin, end + 1):
        point = points[i] if i < end else np.uint32(10)
        if point == 10:
            breaks += 1
            if size and (breaks >= ends or i == end):
                slot = _find(key, stamp, marks, mask)
                repeated += size if marks[slot, 2] >= 0 else 0
                marks[slot, 2] = 0
                size = 0
                key = np.uint64(0)
        elif point > 32 and point != 0x3000:
            # A break inside a paragraph counts as a character of its hash, so lines cut elsewhere differ.
            if breaks and size:
                key = (key + np.uint64(10)) * _BASE
            breaks = 0
            key = (key + np.uint64(point) + np.uint64(1)) * _BASE
            size += 1
    return repeated


@njit(cache=True, nogil=True)
def _ngrams(chars: Any, count: int, n: int, stamp: int, marks: Any, mask: Any) -> Any:
    """Return how many characters the best n-gram covers (when repeated), and all n-grams that occurred before."""
    best = covered = 0
    until = 0
    power = np.uint64(1)
    for _ in range(n - 1):
        power *= _BASE
    key = np.uint64(0)
    for i in range(count):
        if i >= n:
            key -= (np.uint64(chars[i - n]) + np.uint64(1)) * power
        key = key * _BASE + np.uint64(chars[i]) + np.uint64(1)
        if i < n - 1:
            continue
        slot = _find(key, stamp, marks, mask)
        if marks[slot, 2] >= 0:
            marks[slot, 2] += min(n, i + 1 - marks[slot, 3])
            best = max(best, marks[slot, 2])
            covered += min(n, i + 1 - until)
            until = i + 1
        else:
            marks[slot, 2] = n
        marks[slot, 3] = i + 1
    return best, covered


@njit(cache=True, nogil=True)
def _measure(points: Any, starts: Any, n: int, long_n: int, visible: Any, marks: Any, out: Any) -> None:
    """Fill `out`, float64, (4, rows)."""
    stamp = 0
    for row in range(len(starts) - 1):
        begin = starts[row]
        end = min(starts[row + 1], begin + len(visible))
        count = 0
        for i in range(begin, end):
            if points[i] > 32 and points[i] != 0x3000:
                visible[count] = points[i]
                count += 1
        if count == 0:
            continue
        # A table no larger than the document needs keeps short documents in the fast caches.
        slots = 256
        while slots < 2 * count:
            slots *= 2
        mask = np.uint64(slots - 1)
        out[0, row] = _blocks(points, begin, end, 1, stamp + 1, marks, mask) / count
        out[1, row] = _blocks(points, begin, end, 2, stamp + 2, marks, mask) / count
        best, _ = _ngrams(visible, count, n, stamp + 3, marks, mask)
        _, covered = _ngrams(visible, count, long_n, stamp + 4, marks, mask)
        out[2, row] = best / count
        out[3, row] = covered / count
        stamp += 4
