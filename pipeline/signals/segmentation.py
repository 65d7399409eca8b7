"""Words of a text: the cut of `jieba.cut(text, HMM=False)`, on code points.

The most likely sequence of words of jieba's dictionary, by dynamic programming from the end of the text; of equal ones
the one with the longer word first. Latin letters and digits that are no words stay together; every other character is a
word of its own. Only the lengths of words are returned: whoever wants strings slices.

Trade: the dictionary lies in a trie of 8 MB, made once a process in a tenth of a second, which a core's own caches do
not hold; a text costs about two look-ups there for each character.
"""

import math
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.text import CodePoints, decode_utf8

_BASIC = 1 << 16
_BITS = 20
# An edge is one word: 20 bits of the node it leaves, 16 of its character, 20 of the node it leads to, and two marks.
_WORD, _MORE = np.uint64(1), np.uint64(2)
_CHILD, _KEY, _CHARACTER = np.uint64(2), np.uint64(22), np.uint64(16)
_NODE = np.uint64((1 << 20) - 1)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Knuth, The Art of Computer Programming 3, 6.4


class Dictionary(NamedTuple):
    """jieba's dictionary as a trie.

    `roots`: where a character leads to that begins words, as an edge without key, 0 for none, uint64, (65536,).
    `edges`: hash table of the others, uint64, 0 where free. `weights`: natural logarithm of the share of the word that
    ends at a node, float64, (nodes,). `least`: that of a character which is no word.
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
    _, lengths = cut(CodePoints(points, np.array([0, len(points)])), len(points))
    words, begin = [], 0
    for length in lengths.tolist():
        words.append(text[begin : begin + length])
        begin += length
    return words


@cache
def dictionary() -> Dictionary:
    """Return the dictionary of the installed jieba."""
    data = np.frombuffer(files("jieba").joinpath("dict.txt").read_bytes(), np.uint8)
    points, starts = np.empty(len(data), np.uint32), np.empty(2, np.int64)
    points = points[: decode_utf8(data, np.array([0, len(data)]), points, starts)]
    roots, edges = np.zeros(_BASIC, np.uint64), np.zeros(1 << _BITS, np.uint64)
    times, places = np.zeros(1 << _BITS, np.int64), np.zeros(1 << _BITS, np.int64)
    nodes, total = _insert(points, roots, edges, places, times)
    weights = np.zeros(nodes)
    _weigh(times, math.log(total), weights)
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
def _slot(edges: Any, key: Any) -> Any:
    """Return where the edge of a key is in the hash table, or the free place where it would be."""
    mask = np.uint64(len(edges) - 1)
    place = (key * _MIX) >> np.uint64(64 - _BITS)
    while edges[place] != np.uint64(0) and edges[place] >> _KEY != key:
        place = (place + np.uint64(1)) & mask
    return place


@njit(cache=True, nogil=True)
def _insert(points: Any, roots: Any, edges: Any, places: Any, times: Any) -> tuple[int, int]:
    """Read lines of word, frequency and class; return how many nodes there are and the sum of the frequencies.

    `places`: of the edge that leads to a node, with -1 - character for roots. A word that no text can hold whole, since
    a character of it parts words, is left out.
    """
    nodes, total, i = 1, 0, 0
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
        node: Any = 0
        for k in range(begin, end if fits else begin):
            place: Any = -1 - np.int64(points[k])
            if k == begin:
                edge = roots[points[k]]
            else:
                key = np.uint64(node) << _CHARACTER | np.uint64(points[k])
                place = np.int64(_slot(edges, key))
                edge = edges[place]
            if edge == np.uint64(0):
                if k == begin:
                    roots[points[k]] = np.uint64(nodes) << _CHILD
                else:
                    edges[place] = key << _KEY | np.uint64(nodes) << _CHILD
                    _add(roots, edges, places[node], _MORE)
                places[nodes] = place
                node = nodes
                nodes += 1
            else:
                node = np.int64((edge >> _CHILD) & _NODE)
        if node:
            times[node] = frequency
            _add(roots, edges, places[node], _WORD)
    return nodes, total


@njit(cache=True, nogil=True)
def _add(roots: Any, edges: Any, place: int, mark: Any) -> None:
    if place < 0:
        roots[-1 - place] |= mark
    else:
        edges[place] |= mark


@njit(cache=True, nogil=True)
def _weigh(times: Any, whole: float, weights: Any) -> None:
    for node in range(len(weights)):
        if times[node]:
            weights[node] = math.log(times[node]) - whole


@njit(cache=True, nogil=True)
def _best_steps(
    points: Any, begin: int, end: int, roots: Any, edges: Any, weights: Any, least: float, route: Any, steps: Any
) -> None:
    """Write how long the first word of the best cut from each character on is to `steps`.

    `route`: the weight of that cut, as far as the next character that parts words. One place more than characters.
    """
    route[end - begin] = 0.0
    for i in range(end - 1, begin - 1, -1):
        k = i - begin
        steps[k] = 1
        if not _is_word_like(points[i]):
            route[k] = 0.0
            steps[k] += points[i] == 13 and i + 1 < end and points[i + 1] == 10
            continue
        best = -np.inf
        edge = roots[points[i]] if points[i] < _BASIC else np.uint64(0)
        j = i + 1
        while edge:
            node = (edge >> _CHILD) & _NODE
            if edge & _WORD:
                weight = weights[node] + route[j - begin]
                if weight >= best:
                    best, steps[k] = weight, j - i
            if not edge & _MORE or j == end or points[j] >= _BASIC:
                break
            edge = edges[_slot(edges, node << _CHARACTER | np.uint64(points[j]))]
            j += 1
        route[k] = best if best > -np.inf else least + route[k + 1]


@njit(cache=True, nogil=True)
def _cut_rows(
    points: Any, starts: Any, sizes: Any, roots: Any, edges: Any, weights: Any, least: float, ends: Any, lengths: Any
) -> None:
    """Fill `ends` and `lengths` as `cut` returns them."""
    longest = 0
    for size in sizes:
        longest = max(longest, size)
    route, steps = np.empty(longest + 1), np.empty(longest + 1, np.int32)
    count = 0
    for row in range(len(sizes)):
        begin, size = starts[row], sizes[row]
        _best_steps(points, begin, begin + size, roots, edges, weights, least, route, steps)
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
