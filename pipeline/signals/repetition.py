"""Repetition: how much of a document repeats itself, by lines, paragraphs, sentences and character n-grams.

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

SENTENCE_CHARS = 4
"""Visible characters of the shortest sentence that counts, by hand: `好的。` comes again in every dialogue."""

_COLUMNS = (
    *("duplicate_line_share", "duplicate_paragraph_share", "top_ngram_share", "duplicate_ngram_share"),
    "duplicate_sentence_share",
)
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)


class Repetition(Signal):
    """Shares of characters that are repeated.

    - `duplicate_line_share`: characters in lines that stood before in the document.
    - `duplicate_paragraph_share`: the same of paragraphs, which blank lines divide.
    - `duplicate_sentence_share`: the same of sentences of four characters or more, which 。！？…!? or a line break end:
      a page whose text is one line has neither of the other two.
    - `top_ngram_share`: characters covered by the one n-gram of `n` characters that covers most, if it occurs twice.
    - `duplicate_ngram_share`: characters covered by n-grams of `long_n` characters that occurred before.

    Source: the repetition measures of Gopher (Rae et al. 2021, appendix A1.1), over characters instead of words.
    """

    kind: ClassVar[str] = "repetition"
    revision: ClassVar[int] = 2

    n: int = Field(5, ge=2, le=32, description="characters of the n-gram whose best single cover is measured")
    long_n: int = Field(10, ge=2, le=64, description="characters of the n-grams whose repetition is measured")
    max_chars: int = Field(500_000, ge=1_000, description="characters of a document that are measured")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Five shares, float64."""
        return dict.fromkeys(_COLUMNS, pa.float64())

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        text = CodePoints.of(batch.column("text"))
        out = np.zeros((len(_COLUMNS), len(text)))
        _measure(text.points, text.starts, self.n, self.long_n, self.max_chars, out)
        return [pa.array(row) for row in out]


@njit(cache=True, nogil=True)
def _slot(key: Any, keys: Any, mask: Any) -> Any:
    """Return the slot that holds a key (not 0), or the free one (0) where it belongs."""
    slot = ((key ^ (key >> np.uint64(32))) * _MIX >> np.uint64(20)) & mask
    while keys[slot] != key and keys[slot]:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _mask(entries: int) -> Any:
    """Return the mask of a table for some entries, which is at most half full."""
    slots = 64
    while slots < 2 * entries:
        slots *= 2
    return np.uint64(slots - 1)


@njit(cache=True, nogil=True)
def _seen(key: Any, keys: Any, mask: Any) -> bool:
    """Put a key into a table and tell whether it was there."""
    key += np.uint64(key == 0)
    slot = _slot(key, keys, mask)
    known = keys[slot] != 0
    keys[slot] = key
    return bool(known)


@njit(cache=True, nogil=True)
def _ends_sentence(point: Any) -> bool:
    """Tell whether a character is 。 ！ ？ … ! or ?."""
    return bool(point == 0x3002 or point == 0xFF01 or point == 0xFF1F or point == 0x2026 or point == 33 or point == 63)


@njit(cache=True, nogil=True)
def _blocks(points: Any, begin: int, end: int, visible: Any, tables: Any, repeated: Any) -> int:
    """Write the visible characters to `visible` and return how many there are.

    `repeated` gets how many of them stand in repeated lines, paragraphs and sentences, whose hashes go into the rows
    of `tables`, uint64, (3, room). Blank lines divide paragraphs.
    """
    entries = 1
    for i in range(begin, end):
        entries += points[i] == 10 or _ends_sentence(points[i])
    mask = _mask(entries)
    lines, paragraphs, sentences = tables[0], tables[1], tables[2]
    for table in (lines, paragraphs, sentences):
        table[: mask + np.uint64(1)] = 0
    repeated[:] = 0
    count = line_begin = paragraph_begin = sentence_begin = breaks = 0
    line = paragraph = sentence = np.uint64(0)
    for i in range(begin, end + 1):
        point = points[i] if i < end else np.uint32(10)
        if point > 32 and point != 0x3000:
            # A break inside a paragraph counts as a character of its hash, so lines cut elsewhere differ.
            if breaks:
                paragraph = (paragraph + np.uint64(10)) * _BASE if count > paragraph_begin else paragraph
                breaks = 0
            value = np.uint64(point) + np.uint64(1)
            line = (line + value) * _BASE
            paragraph = (paragraph + value) * _BASE
            sentence = (sentence + value) * _BASE
            visible[count] = point
            count += 1
        elif point == 10:
            breaks += 1
            if count > line_begin:
                repeated[0] += count - line_begin if _seen(line, lines, mask) else 0
                line_begin, line = count, np.uint64(0)
            if count > paragraph_begin and (breaks >= 2 or i == end):
                repeated[1] += count - paragraph_begin if _seen(paragraph, paragraphs, mask) else 0
                paragraph_begin, paragraph = count, np.uint64(0)
        if point == 10 or _ends_sentence(point):
            if count >= sentence_begin + SENTENCE_CHARS:
                repeated[2] += count - sentence_begin if _seen(sentence, sentences, mask) else 0
            sentence_begin, sentence = count, np.uint64(0)
    return count


@njit(cache=True, nogil=True)
def _best(chars: Any, count: int, n: int, keys: Any, covers: Any, ends: Any) -> int:
    """Return how many characters the n-gram covers that covers most, of those that are repeated.

    `covers` and `ends`: characters that the n-gram in a slot covers so far, and where that cover ends.
    """
    mask = _mask(count)
    keys[: mask + np.uint64(1)] = 0
    power = np.uint64(1)
    for _ in range(n):
        power *= _BASE
    best = 0
    key = np.uint64(0)
    for i in range(count):
        key = key * _BASE + np.uint64(chars[i]) + np.uint64(1)
        if i >= n:
            key -= (np.uint64(chars[i - n]) + np.uint64(1)) * power
        if i < n - 1:
            continue
        gram = key + np.uint64(key == 0)
        slot = _slot(gram, keys, mask)
        if keys[slot]:
            covers[slot] += min(n, i + 1 - ends[slot])
            best = max(best, covers[slot])
        else:
            keys[slot] = gram
            covers[slot] = n
        ends[slot] = i + 1
    return int(best)


@njit(cache=True, nogil=True)
def _covered(chars: Any, count: int, n: int, keys: Any) -> int:
    """Return how many characters all n-grams cover that occurred before."""
    mask = _mask(count)
    keys[: mask + np.uint64(1)] = 0
    power = np.uint64(1)
    for _ in range(n):
        power *= _BASE
    covered = until = 0
    key = np.uint64(0)
    for i in range(count):
        key = key * _BASE + np.uint64(chars[i]) + np.uint64(1)
        if i >= n:
            key -= (np.uint64(chars[i - n]) + np.uint64(1)) * power
        if i < n - 1:
            continue
        gram = key + np.uint64(key == 0)
        slot = _slot(gram, keys, mask)
        if keys[slot]:
            covered += min(n, i + 1 - until)
            until = i + 1
        keys[slot] = gram
    return int(covered)


@njit(cache=True, nogil=True)
def _measure(points: Any, starts: Any, n: int, long_n: int, max_chars: int, out: Any) -> None:
    """Fill `out`, float64, (columns in the order of `_COLUMNS`, rows)."""
    longest = 1
    for row in range(len(starts) - 1):
        longest = max(longest, min(max_chars, starts[row + 1] - starts[row]))
    room = _mask(longest + 1) + np.uint64(1)
    tables = np.empty((3, room), np.uint64)
    keys = tables[0]
    covers, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    visible, repeated = np.empty(longest, np.uint32), np.empty(3, np.int64)
    for row in range(len(starts) - 1):
        begin = starts[row]
        # A table no larger than the document needs keeps short documents in the fast caches.
        count = _blocks(points, begin, min(starts[row + 1], begin + longest), visible, tables, repeated)
        if count:
            out[0, row] = repeated[0] / count
            out[1, row] = repeated[1] / count
            out[2, row] = _best(visible, count, n, keys, covers, ends) / count
            out[3, row] = _covered(visible, count, long_n, keys) / count
            out[4, row] = repeated[2] / count
