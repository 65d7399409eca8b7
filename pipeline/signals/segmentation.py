"""Words of a text: the cut of `jieba.cut(text, HMM=False)`, on code points.

The most likely sequence of words of jieba's dictionary, by dynamic programming from the end of the text; of equal ones
the one with the longer word first. Latin letters and digits that are no words stay together; every other character is a
word of its own. Only the lengths of words are returned: whoever wants strings slices.

Trade: the dictionary lies in a trie of 8 MB, made once a process in a tenth of a second, which a core's own caches do
not hold; a text costs about two look-ups there for each character.
"""

import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.text import CodePoints, decode_utf8

_BASIC = 1 << 16
_BITS = 20
# An edge is one word: what it leaves and its character as a key of 37 bits, 25 bits for the word that ends where it
# leads to, and two marks. What an edge leads to is named by its own place; a first character by _ROOT and itself.
_WORD, _MORE = np.uint64(1), np.uint64(2)
_VALUE, _KEY, _CHARACTER = np.uint64(2), np.uint64(27), np.uint64(16)
_VALUES = np.uint64((1 << 25) - 1)
_ROOT = np.uint64(1 << _BITS)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Knuth, The Art of Computer Programming 3, 6.4


class Dictionary(NamedTuple):
    """jieba's dictionary as a trie.

    `roots`: first characters of words, as edges without keys, 0 for none, uint64, (65536,). `edges`: hash table of the
    others, uint64, 0 where free. `weights`: natural logarithm of the share of a word, float64, by what its edge has as
    value. `least`: that of a character which is no word.
    """

    roots: npt.NDArray[np.uint64]
    edges: npt.NDArray[np.uint64]
    weights: npt.NDArray[np.float64]
    least: float


def cut(texts: CodePoints, max_chars: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Cut the first `max_chars` characters of every row.

    Returns where the words of a row end among all, int64, (rows + 1,), and the characters of each word, int32.
    """
    sizes = np.minimum(texts.counts, max_chars)
    ends = np.zeros(len(sizes) + 1, np.int64)
    lengths = np.empty(int(sizes.sum()), np.int32)
    _cut_rows(texts.points, texts.starts, sizes, *dictionary(), ends, lengths)
    return ends, lengths[: ends[-1]]


def words_of(text: str) -> list[str]:
    """Return the words of a text; joined they give the text back."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    size, ends, lengths = np.array([len(points)]), np.zeros(2, np.int64), np.empty(len(points), np.int32)
    _cut_rows(points, ends[:1], size, *dictionary(), ends, lengths)
    words, begin = [], 0
    for length in lengths[: ends[1]].tolist():
        words.append(text[begin : begin + length])
        begin += length
    return words


def lines_of_jieba() -> bytes:
    """Return the dictionary that jieba ships, without importing it, which takes .15 s: word, frequency and class."""
    jieba = find_spec("jieba")
    assert jieba, "jieba is a dependency"
    return Path(str(jieba.origin)).with_name("dict.txt").read_bytes()


@cache
def dictionary() -> Dictionary:
    """Return the dictionary of the installed jieba."""
    data = np.frombuffer(lines_of_jieba(), np.uint8)
    points, starts = np.empty(len(data), np.uint32), np.empty(2, np.int64)
    points = points[: decode_utf8(data, np.array([0, len(data)]), points, starts)]
    roots, edges = np.zeros(_BASIC, np.uint64), np.zeros(1 << _BITS, np.uint64)
    total = _insert(points, roots, edges)
    often: list[npt.NDArray[np.uint64]] = [(some[(some & _WORD) > 0] >> _VALUE) & _VALUES for some in (roots, edges)]
    frequencies = np.unique(np.concatenate(often))
    weights = np.array([math.log(times) - math.log(total) for times in frequencies.tolist()])
    for some, values in zip((roots, edges), often, strict=True):
        some[(some & _WORD) > 0] += (np.searchsorted(frequencies, values).astype(np.uint64) - values) << _VALUE
    return Dictionary(roots, edges, weights, -math.log(total))


@njit(cache=True, nogil=True)
def _is_word_like(point: Any) -> bool:
    """Tell whether a character may stand beside others in a word: Han, ASCII letters and digits, and + # & . _ % -."""
    if point < 128:
        letter = 97 <= (point | 32) <= 122 or 48 <= point <= 57
        return letter or point == 43 or point == 35 or point == 38 or point == 46 or point == 95 or point in (37, 45)
    han: bool = 0x4E00 <= point < 0xA000 or 0x3400 <= point < 0x4DC0 or 0xF900 <= point < 0xFB00
    return han or 0x20000 <= point < 0x2FA20


@njit(cache=True, nogil=True)
def _first_slot(key: Any) -> Any:
    """Return where the search for a key begins in the hash table."""
    return (key * _MIX) >> np.uint64(64 - _BITS)


@njit(cache=True, nogil=True)
def _slot(edges: Any, key: Any, place: Any) -> Any:
    """Return where the edge of a key is in the hash table, or the free place where it would be, from `place` on."""
    mask = np.uint64(len(edges) - 1)
    while edges[place] != np.uint64(0) and edges[place] >> _KEY != key:
        place = (place + np.uint64(1)) & mask
    return place


@njit(cache=True, nogil=True)
def _insert(points: Any, roots: Any, edges: Any) -> int:
    """Read lines of word, frequency and class; return the sum of the frequencies, which are the values for now.

    A word that no text can hold whole, since a character of it parts words, is left out.
    """
    total, i = 0, 0
    while i < len(points):
        begin = i
        fits = True
        while i < len(points) and points[i] != 32:
            fits = fits and points[i] < _BASIC and _is_word_like(points[i])
            i += 1
        end = i
        i += 1
        frequency: Any = 0
        while i < len(points) and 48 <= points[i] <= 57:
            frequency = 10 * frequency + np.int64(points[i]) - 48
            i += 1
        while i < len(points) and points[i] != 10:
            i += 1
        i += 1
        total += frequency
        if fits and end > begin:
            _insert_word(points[begin:end], np.uint64(frequency), roots, edges)
    return total


@njit(cache=True, nogil=True)
def _insert_word(word: Any, frequency: Any, roots: Any, edges: Any) -> None:
    """Put a word into the trie; one that is there gets the new frequency."""
    table, place = roots, np.uint64(word[0])
    node = _ROOT | place
    for k in range(1, len(word)):
        table[place] |= _MORE
        key = node << _CHARACTER | np.uint64(word[k])
        table, place = edges, _slot(edges, key, _first_slot(key))
        edges[place] |= key << _KEY
        node = place
    table[place] = (table[place] & ~(_VALUES << _VALUE)) | frequency << _VALUE | _WORD


@njit(cache=True, nogil=True)
def _look_ahead(points: Any, edges: Any, seconds: Any) -> None:
    """Write what lies where the search for each character and the next one begins: no look-up waits for another."""
    for i in range(len(points) - 1):
        key = (_ROOT | np.uint64(points[i])) << _CHARACTER | np.uint64(points[i + 1])
        seconds[i] = edges[_first_slot(key)]


@njit(cache=True, nogil=True)
def _best_steps(
    points: Any, roots: Any, edges: Any, weights: Any, least: float, route: Any, seconds: Any, steps: Any
) -> None:
    """Write how long the first word of the best cut from each character on is to `steps`.

    `route`: the weight of that cut, as far as the next character that parts words. One place more than characters.
    """
    _look_ahead(points, edges, seconds)
    end = len(points)
    route[end] = 0.0
    for k in range(end):
        i = end - 1 - k
        steps[i] = 1
        if not _is_word_like(points[i]):
            route[i] = 0.0
            steps[i] += points[i] == 13 and i + 1 < end and points[i + 1] == 10
            continue
        best, step = least + route[i + 1], 1
        edge = roots[points[i]] if points[i] < _BASIC else np.uint64(0)
        if edge & _WORD:
            best = weights[(edge >> _VALUE) & _VALUES] + route[i + 1]
        elif edge:
            best = -np.inf
        node, j = _ROOT | np.uint64(points[i]), i + 1
        while edge & _MORE and j < end and points[j] < _BASIC:
            key = node << _CHARACTER | np.uint64(points[j])
            node = _first_slot(key)
            edge = seconds[i] if j == i + 1 else edges[node]
            if edge and edge >> _KEY != key:
                node = _slot(edges, key, node)
                edge = edges[node]
            if not edge:
                break
            j += 1
            if edge & _WORD:
                weight = weights[(edge >> _VALUE) & _VALUES] + route[j]
                if weight >= best:
                    best, step = weight, j - i
        route[i] = best if best > -np.inf else least + route[i + 1]
        steps[i] = step


@njit(cache=True, nogil=True)
def _cut_rows(
    points: Any, starts: Any, sizes: Any, roots: Any, edges: Any, weights: Any, least: float, ends: Any, lengths: Any
) -> None:
    """Fill `ends` and `lengths` as `cut` returns them."""
    longest = 0
    for size in sizes:
        longest = max(longest, size)
    route, seconds, steps = np.empty(longest + 1), np.empty(longest + 1, np.uint64), np.empty(longest + 1, np.int32)
    count = 0
    for row in range(len(sizes)):
        begin, size = starts[row], sizes[row]
        _best_steps(points[begin : begin + size], roots, edges, weights, least, route, seconds, steps)
        k = 0
        joins = False  # whether the word before is of letters and digits that are no words
        while k < size:
            point = points[begin + k]
            loose = steps[k] == 1 and point < 128 and (97 <= (point | 32) <= 122 or 48 <= point <= 57)
            if loose and joins:
                lengths[count - 1] += 1
            else:
                lengths[count] = steps[k]
                count += 1
            joins = loose
            k += steps[k]
        ends[row + 1] = count
