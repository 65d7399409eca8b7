"""Phrasing: function characters, lists of phrases, stuffed words, and how much new a text says, without segmentation.

Chinese prose has a function character (的, 了, 是, 之, 不, …) every few characters; a list of search terms has none for
a whole screen. What is stuffed comes again and again: the few commonest pairs of characters then make up a large part
of the text, and few of its pairs are new.

New pairs stand for compression: over 6,665 documents the share of different pairs told repeated and encoded text from
prose as well as what zlib, zstd or lz4 leave of it or better, at a higher speed (zlib 51, zstd 80 MB/s a core).

Trade: verse, lists of names and statutes that enumerate are told by the same features; a rule needs a high threshold or
a second signal. Pairs are looked at in the first `max_chars` visible characters, since their variety falls with length.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numba import njit
from pydantic import Field

from pipeline.signals import classes
from pipeline.signals.classes import DIGIT, FUNCTION, HAN, LATIN, SENTENCE_END, SIZE, SPACE
from pipeline.step import Signal
from pipeline.tables import resource
from pipeline.text import CodePoints
from schemas.manifest import Resource

STRETCH = 30
"""Han characters from which a stretch without function characters counts; long names of offices have 20."""
PHRASES = 5
"""Phrases in a row that make a list."""
PHRASE_CHARS = 10
"""Visible characters of the longest phrase of a list; four or five words."""
TOP = 5
"""Pairs whose cover is measured."""
LEAST = 3
"""Times that a pair must occur to be one of them: in a short text each occurs once or twice."""

_MIX = np.uint64(0xD6E8FEB86659FD93)
_COLUMNS = ("function_char_share", "functionless_share", "phrase_list_share", "unique_bigram_share", "top_bigram_share")


class Phrasing(Signal):
    """Shares that tell prose from lists of search terms.

    - `function_char_share`: function characters, of the Han characters (Chinese prose: 0.1 to 0.3).
    - `functionless_share`: Han characters in stretches of 30 or more without a function character, of the Han.
    - `phrase_list_share`: visible characters in five or more phrases in a row, of two to ten characters, half of them
      Han and none a function character, between commas, spaces or other marks but sentence ends and line breaks.
    - `unique_bigram_share`: different pairs of neighbouring visible characters, of all pairs.
    - `top_bigram_share`: characters covered by the five pairs of Han without a function character that occur most,
      three times at least, of those looked at.
    """

    kind: ClassVar[str] = "phrasing"

    max_chars: int = Field(4_000, ge=100, description="visible characters of a document whose pairs are counted")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Five shares, float64."""
        return dict.fromkeys(_COLUMNS, pa.float64())

    def resources(self) -> Sequence[Resource]:
        """The function characters."""
        return (resource(__package__, classes.FUNCTIONS, "CC0-1.0"),)

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        text = CodePoints.of(batch.column("text"))
        out = np.zeros((len(_COLUMNS), len(text)))
        _measure(text.points, text.starts, classes.table(), self.max_chars, out)
        return [pa.array(row) for row in out]


@njit(cache=True, nogil=True)
def _phrases(points: Any, begin: int, end: int, table: Any, found: Any) -> None:
    """Fill `found`: Han, function characters, Han in long stretches without one, visible characters, those in lists."""
    found[:] = 0
    han = functions = stretched = visible = listed = 0
    stretch = size = ideographs = chain = chain_chars = 0
    function = False
    for i in range(begin, end + 1):
        point = points[i] if i < end else np.uint32(10)
        bits = table[min(point, np.uint32(SIZE - 1))]
        visible += (bits & SPACE) == 0
        if bits & HAN:
            han += 1
            size += 1
            ideographs += 1
            if bits & FUNCTION:
                functions += 1
                function = True
                stretched += stretch if stretch >= STRETCH else 0
                stretch = 0
            else:
                stretch += 1
            continue
        if bits & (LATIN | DIGIT):
            size += 1
            continue
        if size:
            if 2 <= size <= PHRASE_CHARS and 2 * ideographs >= size and not function:
                chain += 1
                chain_chars += size
            else:
                listed += chain_chars if chain >= PHRASES else 0
                chain = chain_chars = 0
            size = ideographs = 0
            function = False
        if point == 10 or bits & SENTENCE_END:
            listed += chain_chars if chain >= PHRASES else 0
            chain = chain_chars = 0
    stretched += stretch if stretch >= STRETCH else 0
    found[0], found[1], found[2], found[3], found[4] = han, functions, stretched, visible, listed


@njit(cache=True, nogil=True)
def _pairs(chars: Any, count: int, slots: Any, keys: Any, times: Any, mask: Any) -> int:
    """Count the pairs of neighbouring characters, write the slot of each to `slots`, and return how many differ.

    `keys` and `times`, uint64 and int32: the pair in a slot, plus one, and how often it occurs; zero before.
    """
    different = 0
    for i in range(count - 1):
        key = ((np.uint64(chars[i]) << np.uint64(32)) | np.uint64(chars[i + 1])) + np.uint64(1)
        slot = ((key ^ (key >> np.uint64(29))) * _MIX >> np.uint64(32)) & mask
        while keys[slot] != key and keys[slot]:
            slot = (slot + np.uint64(1)) & mask
        different += times[slot] == 0
        keys[slot] = key
        times[slot] += 1
        slots[i] = slot
    return different


@njit(cache=True, nogil=True)
def _cover(chars: Any, count: int, slots: Any, times: Any, table: Any) -> int:
    """Return how many characters the TOP pairs cover, each counted once; of pairs that occur alike the first is taken.

    A pair of a function character or of anything but Han is none of them.
    """
    top = np.full(TOP, -1, np.int64)
    least = LEAST
    for i in range(count - 1):
        often = times[slots[i]]
        if often < least:
            continue
        one, other = table[min(chars[i], np.uint32(SIZE - 1))], table[min(chars[i + 1], np.uint32(SIZE - 1))]
        if not one & other & HAN or (one | other) & FUNCTION:
            continue
        place = TOP
        for k in range(TOP):
            if top[k] == slots[i]:
                place = -1
                break
            if place == TOP and (top[k] < 0 or often > times[top[k]]):
                place = k
        if 0 <= place < TOP:
            for k in range(TOP - 1, place, -1):
                top[k] = top[k - 1]
            top[place] = slots[i]
            least = max(least, times[top[TOP - 1]] + 1) if top[TOP - 1] >= 0 else least
    for k in range(TOP):
        if top[k] >= 0:
            times[top[k]] = 0  # marks them: every pair occurs at least once
    covered = until = 0
    for i in range(count - 1):
        if times[slots[i]] == 0:
            covered += min(2, i + 2 - until)
            until = i + 2
    return covered


@njit(cache=True, nogil=True)
def _measure(points: Any, starts: Any, table: Any, max_chars: int, out: Any) -> None:
    """Fill `out`, float64, (columns in the order of `_COLUMNS`, rows)."""
    longest = 0
    for row in range(len(starts) - 1):
        longest = max(longest, min(max_chars, starts[row + 1] - starts[row]))
    room = 256
    while room < 2 * longest:
        room *= 2
    chars, slots = np.empty(longest + 1, np.uint32), np.empty(longest + 1, np.int64)
    keys, times = np.zeros(room, np.uint64), np.zeros(room, np.int32)
    found = np.zeros(5, np.int64)
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        _phrases(points, begin, end, table, found)
        han, visible = max(1, found[0]), max(1, found[3])
        out[0, row] = found[1] / han
        out[1, row] = found[2] / han
        out[2, row] = found[4] / visible
        count = 0
        i = begin
        while i < end and count < longest:
            if not table[min(points[i], np.uint32(SIZE - 1))] & SPACE:
                chars[count] = points[i]
                count += 1
            i += 1
        if count < 2:
            continue
        used = 256
        while used < 2 * count:
            used *= 2
        keys[:used] = 0
        times[:used] = 0
        out[3, row] = _pairs(chars, count, slots, keys, times, np.uint64(used - 1)) / (count - 1)
        out[4, row] = _cover(chars, count, slots, times, table) / count
