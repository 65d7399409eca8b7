"""A trie of labels in one hash table, and the kernels that find where in texts its terms may begin and walk it there.

Most places of a text are ruled out by their first two characters, with one bit of a small set.

Trade: a walk begins anew at each place, where an automaton would go on; terms are short, so it takes two or three
steps on average, needs no failure links, can step over marks on the way, and is bounded by the longest term.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.lexicon.folding import HARD, LABEL, SOFT
from pipeline.text import CodePoints
from schemas.errors import RecipeError

GAP = 3
"""Marks or spaces between two characters of a disguised term."""
MOST_NODES = 1 << 22
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Knuth, The Art of Computer Programming 3, 6.4
_HARD, _SOFT, _LABEL = np.uint32(HARD), np.uint32(SOFT), np.uint32(LABEL)
# An edge is one word: 22 bits of the node it leaves, 18 of its label, 22 of the node it leads to, and ENDS.
_KEY, _LABEL_BITS = np.uint64(24), np.uint64(18)
_CHILD = np.uint64((1 << 24) - 1)
BEGINS, ALONE = np.uint32(1 << 28), np.uint32(1 << 29)
_BLOCK = 1024  # characters that are looked at together
ENDS = 1
"""Set beside a node (in bit 0, the node above it) where a term ends."""


@dataclass(frozen=True, slots=True)
class Trie:
    """Terms as paths of labels.

    `edges`: hash table, uint64, a power of two long, 0 where free. `term`: the term that ends at a node, or -1, int32,
    (nodes,). `first`: node and ENDS of every code point as a term's first, 0 for none, int32. `heads`: the entries of
    folding with BEGINS and ALONE. `openings`: set of the first two labels of terms, bits, a power of two long.
    """

    edges: npt.NDArray[np.uint64]
    term: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    heads: npt.NDArray[np.uint32]
    openings: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, flat: npt.NDArray[np.uint32], starts: npt.NDArray[np.int64], table: npt.NDArray[np.uint32]) -> "Trie":
        """Build from labels end to end; term i is `flat[starts[i]:starts[i + 1]]`, no two alike, none empty.

        Raises RecipeError where the terms may need more than MOST_NODES nodes.
        """
        if len(flat) >= MOST_NODES:
            raise RecipeError(
                f"the lexicons have {len(flat):,} characters in all, {MOST_NODES:,} or more; use fewer terms"
            )
        wide = np.zeros(1 << max(4, (2 * len(flat)).bit_length()), np.uint64)
        term = np.full(len(flat) + 1, -1, np.int32)
        nodes = _insert(flat, starts, wide, term)
        # Two thirds full at most: a smaller table stays nearer to the core.
        edges = np.zeros(1 << max(4, (3 * nodes // 2).bit_length()), np.uint64)
        roots = np.zeros(int(LABEL) + 1, np.int32)
        _pack(wide, term, edges, roots)
        first = np.where(table == HARD, 0, roots[table & LABEL]).astype(np.int32)
        openings = np.zeros(1 << min(19, max(6, (2 * len(starts)).bit_length())), np.uint8)
        _open(flat, starts, openings)
        heads = table | np.where(first > 0, BEGINS, np.uint32(0)) | np.where(first & ENDS, ALONE, np.uint32(0))
        return cls(edges, term[:nodes].copy(), first, heads, openings)

    def places(self, texts: CodePoints, gap: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return where in `texts.points` a term may begin, ascending, and where those of each row begin (rows + 1)."""
        found, rows = np.empty(len(texts.points) + 1, np.int64), np.empty(len(texts) + 1, np.int64)
        _places(texts.points, texts.starts, self.heads, self.openings, gap > 0, found, rows)
        return found[: rows[-1]], rows


@njit(cache=True, nogil=True, inline="always")
def _slot(edges: Any, key: Any) -> Any:
    """Return where the edge of a key is in the hash table, or the free place where it would be."""
    mask = np.uint64(len(edges) - 1)
    place = ((key * _MIX) >> np.uint64(32)) & mask
    while edges[place] != np.uint64(0) and edges[place] >> _KEY != key:
        place = (place + np.uint64(1)) & mask
    return place


@njit(cache=True, nogil=True)
def _insert(flat: Any, starts: Any, edges: Any, term: Any) -> int:
    """Fill the table and `term`, and return how many nodes there are; node 0 is the root."""
    nodes = 1
    for i in range(len(starts) - 1):
        node = np.uint64(0)
        for k in range(starts[i], starts[i + 1]):
            key = (node << _LABEL_BITS) | np.uint64(flat[k])
            place = _slot(edges, key)
            if edges[place] == np.uint64(0):
                edges[place] = (key << _KEY) | np.uint64(2 * nodes)
                nodes += 1
            node = (edges[place] & _CHILD) >> np.uint64(1)
        term[node] = i
    return nodes


@njit(cache=True, nogil=True)
def _pack(wide: Any, term: Any, edges: Any, roots: Any) -> None:
    """Move edges to a table of their size, with ENDS; those of the root to `roots`, by label."""
    for edge in wide:
        if edge == np.uint64(0):
            continue
        node = (edge & _CHILD) >> np.uint64(1)
        ends = np.uint64(ENDS) if term[node] >= 0 else np.uint64(0)
        key = edge >> _KEY
        if key <= np.uint64(_LABEL):
            roots[key] = np.int32((edge & _CHILD) | ends)
        else:
            edges[_slot(edges, key)] = edge | ends


@njit(cache=True, nogil=True, inline="always")
def _opening(left: Any, right: Any, bits: Any) -> Any:
    """Return the bit of two labels in a set of `bits` bytes."""
    mixed = np.uint64(left) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(right) * np.uint64(0xC2B2AE3D27D4EB4F)
    return (mixed >> np.uint64(40)) & np.uint64(bits * 8 - 1)


@njit(cache=True, nogil=True)
def _open(flat: Any, starts: Any, openings: Any) -> None:
    for i in range(len(starts) - 1):
        if starts[i + 1] - starts[i] > 1:
            bit = _opening(flat[starts[i]], flat[starts[i] + 1], len(openings))
            openings[bit >> np.uint64(3)] |= np.uint8(1 << (bit & np.uint64(7)))


@njit(cache=True, nogil=True)
def _places(points: Any, starts: Any, heads: Any, openings: Any, soft: bool, found: Any, rows: Any) -> None:
    """Write the places to `found`, and where those of each row begin to `rows`; no branch depends on the text.

    A block at a time, a loop for each thing that is looked up.
    """
    over = _HARD | _SOFT if soft else _HARD
    codes, marks = np.empty(_BLOCK + 1, np.uint32), np.empty(_BLOCK, np.uint8)
    count = 0
    for row in range(len(starts) - 1):
        rows[row] = count
        for low in range(starts[row], starts[row + 1], _BLOCK):
            block = points[low : min(low + _BLOCK + 1, starts[row + 1])]
            for i in range(len(block)):
                codes[i] = entry(block[i], heads)
            size = min(_BLOCK, len(block))
            if size == len(block):
                codes[size] = _LABEL
            for i in range(size):
                code, after = codes[i], codes[i + 1]
                bit = _opening(code & _LABEL, after & _LABEL, len(openings))
                opens = (openings[bit >> np.uint64(3)] >> np.uint8(bit & np.uint64(7))) & np.uint8(1) != 0
                marks[i] = (code & BEGINS != 0) & (opens | (after & over != 0) | (code & ALONE != 0))
            for i in range(size):
                found[count] = low + i
                count += marks[i]
    rows[len(starts) - 1] = count


@njit(cache=True, nogil=True, inline="always")
def entry(point: Any, table: Any) -> Any:
    """Return label and bits of a code point; tags and variation selectors beyond the table are passed over."""
    if point < len(table):
        return table[point]
    return _HARD if 0xE0000 <= point < 0xE1000 else _LABEL


@njit(cache=True, nogil=True, inline="always")
def is_word(label: Any) -> bool:
    """Tell whether a label is a Latin letter, an ASCII digit or _, of which words with borders are made."""
    latin = 97 <= label <= 122 or (0xC0 <= label < 0x250 and label not in (0xD7, 0xF7))
    return latin or 48 <= label <= 57 or label == 95


@njit(cache=True, nogil=True, inline="always")
def touches(left: Any, right: Any, loose: bool) -> bool:
    """Tell whether two neighbours are of one Latin word; if `loose`, letters and digits part words."""
    if not (is_word(left) and is_word(right)):
        return False
    return not loose or (48 <= left <= 57) == (48 <= right <= 57)


@njit(cache=True, nogil=True, inline="always")
def walk(
    points: Any, i: Any, end: Any, first: Any, edges: Any, term: Any, table: Any, gap: int,
    ends: Any, terms: Any, over: Any,
) -> int:  # fmt: skip
    """Find the terms that begin at i, one of `places`, and return how many.

    `ends`, `terms`, `over`: where each ends, which it is and whether marks stand in it, shortest first; they have room
    for a term of each length.
    """
    node = first[points[i]]
    found, stepped = 0, False
    j = i + 1
    while node > 0:
        if node & ENDS:
            ends[found], terms[found], over[found] = j, term[node >> 1], stepped
            found += 1
        parent, node, gaps = np.uint64(node >> 1) << _LABEL_BITS, np.int32(0), 0
        while j < end:
            code = entry(points[j], table)
            j += 1
            if code & _HARD:
                continue
            edge = edges[_slot(edges, parent | np.uint64(code & _LABEL))]
            if edge != np.uint64(0):
                node = np.int32(edge & _CHILD)
                stepped = stepped or gaps > 0
                break
            if not code & _SOFT or gaps == gap:
                break
            gaps += 1
    return found
