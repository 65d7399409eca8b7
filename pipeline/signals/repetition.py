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
    full = (point == 0x3002) | (point == 0xFF01) | (point == 0xFF1F) | (point == 0x2026)
    return bool(full | (point == 33) | (point == 63))


@njit(cache=True, nogil=True)
def _blocks(points: Any, visible: Any, tables: Any, repeated: Any) -> int:
    """Write the visible characters of a text to `visible` and return how many there are.

    `repeated` gets how many of them stand in repeated lines, paragraphs and sentences, whose hashes go into the rows
    of `tables`, uint64, (3, room). Blank lines divide paragraphs.
    """
    entries = 1
    for point in points:
        entries += (point == 10) | _ends_sentence(point)
    mask = _mask(entries)
    lines, paragraphs, sentences = tables[0], tables[1], tables[2]
    for table in (lines, paragraphs, sentences):
        table[: mask + np.uint64(1)] = 0
    repeated[:] = 0
    count = line_begin = paragraph_begin = sentence_begin = breaks = 0
    line = paragraph = sentence = np.uint64(0)
    end = len(points)
    for i in range(end + 1):
        point = points[i] if i < end else np.uint32(10)
        if point > 32 and point != 0x3000:
            sentence = (sentence + np.uint64(point) + np.uint64(1)) * _BASE
            visible[count] = point
            count += 1
            breaks = 0
            if 0x3002 < point < 0xFF01 or not _ends_sentence(point):
                continue
        elif point != 10:
            continue
        # What a line holds tells where its sentences end, so its hash is made of theirs; a paragraph's of its lines',
        # so that lines cut elsewhere differ.
        if count > sentence_begin:
            if count >= sentence_begin + SENTENCE_CHARS:
                repeated[2] += count - sentence_begin if _seen(sentence, sentences, mask) else 0
            line = (line + (sentence ^ (sentence >> np.uint64(32))) * _MIX) * _BASE
            sentence_begin, sentence = count, np.uint64(0)
        if point == 10:
            breaks += 1
            if count > line_begin:
                repeated[0] += count - line_begin if _seen(line, lines, mask) else 0
                paragraph = (paragraph + (line ^ (line >> np.uint64(32))) * _MIX) * _BASE
                line_begin, line = count, np.uint64(0)
            if count > paragraph_begin and (breaks >= 2 or i == end):
                repeated[1] += count - paragraph_begin if _seen(paragraph, paragraphs, mask) else 0
                paragraph_begin, paragraph = count, np.uint64(0)
    return count


@njit(cache=True, nogil=True)
def _short_grams(chars: Any, count: int, size: int, keys: Any, seen: Any, places: Any) -> int:
    """Write the hash of the n-gram of `size` characters that ends at each character, and list those maybe repeated.

    What a small set of bits has not seen twice is unique, which most n-grams of most texts are: only the others need a
    table. `seen`: a word holds 32 places, seen once (low) and twice (high), uint64. `places`: where those listed end,
    uint32; returns how many.
    """
    words = 16
    while 2 * words < count:
        words *= 2
    seen[:words] = 0
    last, five, low = np.uint64(32 * words - 1), np.uint64(5), np.uint64(31)
    power = np.uint64(1)
    for _ in range(size):
        power *= _BASE
    key = np.uint64(0)
    for i in range(min(size, count)):
        key = key * _BASE + np.uint64(chars[i]) + np.uint64(1)
        keys[i] = key
    old, new = chars[: max(0, count - size)], chars[size:count]
    for i in range(len(new)):
        key = key * _BASE + (np.uint64(new[i]) + np.uint64(1) - (np.uint64(old[i]) + np.uint64(1)) * power)
        keys[i + size] = key
    for i in range(size - 1, count):
        place = ((keys[i] ^ (keys[i] >> np.uint64(32))) * _MIX >> np.uint64(20)) & last
        places[i] = place
        bit, word = np.uint64(1) << (place & low), seen[place >> five]
        seen[place >> five] = word | bit | (word & bit) << np.uint64(32)
    found: Any = 0
    for i in range(size - 1, count):
        place = np.uint64(places[i])
        twice = seen[place >> five] >> (np.uint64(32) + (place & low)) & np.uint64(1)
        places[found] = i
        found += np.int64(twice)
    return int(found)


@njit(cache=True, nogil=True)
def _grams(keys: Any, places: Any, count: int, size: int, n: int, grams: Any, ends: Any) -> int:
    """Write hash and end of each n-gram of `n` characters that may be repeated, and return how many.

    All n-grams of `size` inside of one that is repeated are repeated; the hash is made of enough of them to cover it.
    """
    found = run = 0
    before = np.int64(-1)
    for k in range(count):
        i = np.int64(places[k])
        run = run + 1 if i == before + 1 else 1
        before = i
        if run <= n - size:
            continue
        gram = keys[i]
        place = i
        while place > i - n + size:
            place = max(place - size, i - n + size)
            gram = (gram ^ (gram >> np.uint64(29))) * _MIX + keys[place]
        grams[found], ends[found] = gram + np.uint64(gram == 0), i + 1
        found += 1
    return found


@njit(cache=True, nogil=True)
def _best(grams: Any, ends: Any, count: int, n: int, keys: Any, covers: Any, lasts: Any) -> int:
    """Return how many characters the n-gram covers that covers most, of those that are repeated.

    `covers` and `lasts`: characters that the n-gram in a slot covers so far, and where that cover ends.
    """
    mask = _mask(count)
    keys[: mask + np.uint64(1)] = 0
    best = 0
    for i in range(count):
        slot = _slot(grams[i], keys, mask)
        if keys[slot]:
            covers[slot] += min(n, ends[i] - lasts[slot])
            best = max(best, covers[slot])
        else:
            keys[slot] = grams[i]
            covers[slot] = n
        lasts[slot] = ends[i]
    return int(best)


@njit(cache=True, nogil=True)
def _covered(grams: Any, ends: Any, count: int, n: int, keys: Any) -> int:
    """Return how many characters all n-grams cover that occurred before."""
    mask = _mask(count)
    keys[: mask + np.uint64(1)] = 0
    covered = until = 0
    for i in range(count):
        slot = _slot(grams[i], keys, mask)
        if keys[slot]:
            covered += min(n, ends[i] - until)
            until = ends[i]
        keys[slot] = grams[i]
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
    covers, lasts = np.empty(room, np.int32), np.empty(room, np.int32)
    visible, repeated = np.empty(longest, np.uint32), np.empty(3, np.int64)
    short, seen, places = np.empty(longest, np.uint64), np.empty(room, np.uint64), np.empty(longest + 1, np.uint32)
    grams, ends = np.empty(longest, np.uint64), np.empty(longest, np.int32)
    size = min(n, long_n)
    for row in range(len(starts) - 1):
        begin = starts[row]
        # A table no larger than the document needs keeps short documents in the fast caches.
        text = points[begin : min(starts[row + 1], begin + longest)]
        count = _blocks(text, visible, tables, repeated)
        if count:
            out[0, row] = repeated[0] / count
            out[1, row] = repeated[1] / count
            out[4, row] = repeated[2] / count
            listed = _short_grams(visible, count, size, short, seen, places)
            found = _grams(short, places, listed, size, n, grams, ends)
            out[2, row] = _best(grams, ends, found, n, keys, covers, lasts) / count
            found = _grams(short, places, listed, size, long_n, grams, ends)
            out[3, row] = _covered(grams, ends, found, long_n, keys) / count
