"""The exact Jaccard of candidate pairs, out of memory: texts are dealt into bins, and each bin is compared by itself.

A bin holds the texts of all pairs that are compared in it, about `bin_bytes` of them; documents that hang together
come into one bin, so nearly every text is dealt once, and each part is read once. Disk: the UTF-8 bytes of the
documents that have a candidate. Memory: for each bin at work about six times its bytes (texts, code points, sets).

Two shingles count as one when all 64 bits of their multilinear hashes agree: at most 2^-43 for given shingles, so of
10^9 compared shingles fewer than one in a thousand runs would count one wrongly.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.dedup.buckets import Packed, Rows, distinct, runs
from pipeline.dedup.candidates import LOW
from pipeline.dedup.matchform import compared_forms
from pipeline.dedup.signature import shingle_coefficients
from pipeline.dedup.table import DEFAULT_FORM
from schemas.recipe import MatchForm

U64 = np.uint64
EMPTY = U64(0)
# Beyond that a set is a sorted array instead of what a hash table gave, so that no table is larger than 32 MB.
LARGE = 1 << 20
DEALT = pa.schema([pa.field("row", pa.uint32(), nullable=False), pa.field("text", pa.large_string(), nullable=False)])
# Texts of one part that are wanted: given its number and ascending rows, in pieces (places in the rows, texts).
Fetch = Callable[[int, Rows], Iterable[tuple[slice, pa.Array]]]


class Bins:
    """Which pairs are compared where."""

    def __init__(
        self,
        pairs: Packed,
        chars: Callable[[Rows], npt.NDArray[Any]],
        bin_bytes: int,
        form: MatchForm = DEFAULT_FORM,
    ) -> None:
        """`pairs`: distinct `one << 32 | other`; `chars`: the characters of ascending rows."""
        self.form = form
        one, other = halves(pairs)
        nodes = distinct(np.concatenate([one, other]))
        at = np.searchsorted(nodes, one).astype(np.uint32), np.searchsorted(nodes, other).astype(np.uint32)
        bytes_of = 3 * chars(nodes).astype(np.int64)
        bin_of = _bins(*at, bytes_of, np.int64(bin_bytes))
        mine = bin_of[at[0]]
        self._order = np.argsort(mine, kind="stable")
        self._pairs = pairs
        self.count = int(mine.max()) + 1 if len(mine) else 0
        self._edges = np.searchsorted(mine, np.arange(self.count + 1), sorter=self._order)
        wanted = [pack_two(one, mine), pack_two(other, mine)]
        self.dealt: Packed = distinct(np.concatenate(wanted))  # row << 32 | bin

    def pairs(self, number: int) -> tuple[Rows, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the pairs of a bin: their places in all pairs, and the rows of both sides."""
        places = self._order[self._edges[number] : self._edges[number + 1]]
        return places, *halves(self._pairs[places])


def halves(pairs: Packed) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the upper and lower halves of packed numbers, int64."""
    return (pairs >> U64(32)).astype(np.int64), (pairs & LOW).astype(np.int64)


def pack_two(upper: npt.NDArray[Any], lower: npt.NDArray[Any]) -> Packed:
    """Return `upper << 32 | lower`."""
    return (upper.astype(np.uint64) << U64(32)) | lower.astype(np.uint64)


def deal(
    dealt: Packed, bins: int, starts: Rows, fetch: Fetch, folder: Path, run: Callable[..., Iterable[Any]]
) -> Iterator[int]:
    """Write the texts of `dealt` (row << 32 | bin, sorted) to a file a bin in `folder`, rows ascending.

    Every part is read once; yields the parts as they are done.
    """
    rows, to = halves(dealt)
    edges = np.searchsorted(rows, starts)
    writers = {n: pa.ipc.new_stream(str(bin_file(folder, n)), DEALT) for n in range(bins)}

    def read(part: int) -> list[tuple[int, pa.Table]]:
        here = slice(edges[part], edges[part + 1])
        return list(_dealt(fetch, part, rows[here] - starts[part], to[here], int(starts[part])))

    try:
        for done, pieces in enumerate(run(read, range(len(starts) - 1)), 1):
            for number, table in pieces:
                writers[number].write_table(table)
            yield done
    finally:
        for writer in writers.values():
            writer.close()


def _dealt(
    fetch: Fetch, part: int, rows: npt.NDArray[np.int64], to: npt.NDArray[np.int64], start: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield (bin, rows and texts) of one part; `rows` may come several times, for several bins."""
    wanted = distinct(rows)
    for here, texts in fetch(part, wanted):
        low, high = np.searchsorted(rows, (wanted[here.start], wanted[here.stop - 1] + 1))
        by_bin = np.argsort(to[low:high], kind="stable")
        place = np.searchsorted(wanted, rows[low:high][by_bin]) - here.start
        numbers = to[low:high][by_bin]
        taken = texts.cast(pa.large_string()).take(pa.array(place))
        table = pa.table([(rows[low:high][by_bin] + start).astype(np.uint32), taken], schema=DEALT)
        for begin, end in runs(numbers):
            yield int(numbers[begin]), table.slice(begin, end - begin)


def bin_file(folder: Path, number: int) -> Path:
    """Where the texts of a bin lie."""
    return folder / f"bin-{number}"


def compare(folder: Path, bins: Bins, number: int) -> tuple[Rows, npt.NDArray[np.float64]]:
    """Return the places of a bin's pairs in all pairs and their exact Jaccard; its file is removed."""
    path = bin_file(folder, number)
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_stream(file).read_all()
    path.unlink()
    places, one, other = bins.pairs(number)
    rows = table.column("row").to_numpy()
    sets, counts = shingle_sets(table.column("text"), bins.form)
    begins = np.cumsum(counts) - counts
    at = [np.searchsorted(rows, side) for side in (one, other)]
    return places, _jaccards(sets, begins, counts, *at)


def shingle_sets(
    texts: pa.ChunkedArray | pa.Array, form: MatchForm = DEFAULT_FORM
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return the distinct shingle hashes of texts end to end, uint64, and how many each has, int64.

    Hashes of a set of more than LARGE shingles are sorted.
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    sets, counts = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for chunk in chunks:
        forms = compared_forms(chunk, form)
        hashes, count = np.empty(len(forms.points), np.uint64), np.empty(len(forms), np.int64)
        size = _shingle_sets(forms.points, forms.starts, shingle_coefficients(), hashes, count, LARGE)
        for row in np.flatnonzero(count < 0):  # too large for a table: all hashes are there
            size -= _settle(hashes, count, int(row), size)
        sets.append(hashes[:size].copy())
        counts.append(count)
    return np.concatenate(sets), np.concatenate(counts)


def _settle(hashes: npt.NDArray[np.uint64], counts: Rows, row: int, size: int) -> int:
    """Make a sorted set of a row whose hashes all stand there (its count is negative); return how many went."""
    begin = int(np.abs(counts[:row]).sum())
    count = int(-counts[row])
    found = distinct(hashes[begin : begin + count])
    gone = count - len(found)
    hashes[begin : begin + len(found)] = found
    hashes[begin + len(found) : size - gone] = hashes[begin + count : size]
    counts[row] = len(found)
    return gone


@njit(cache=True, nogil=True)
def _bins(one: Any, other: Any, bytes_of: Any, most: Any) -> Any:
    """Return the bin of each node: components that hang together by pairs stay together where `most` bytes allow it.

    In a component that does not fit, a node weighs what all its partners weigh too, as these are dealt with it.
    """
    parent = np.arange(len(bytes_of)).astype(np.uint32)
    for k in range(len(one)):
        a, b = one[k], other[k]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a != b:
            parent[max(a, b)] = min(a, b)
    weight = np.zeros(len(bytes_of), np.int64)
    for node in range(len(bytes_of)):
        root = parent[node]
        while parent[root] != root:
            root = parent[root]
        parent[node] = root
        weight[root] += bytes_of[node]
    # `weight` is of a whole component at its root, which is its lowest node, and of each node in an oversized one.
    large = np.zeros(len(bytes_of), np.bool_)
    for node in range(len(bytes_of)):
        large[node] = weight[parent[node]] > most
    for k in range(len(one)):
        if large[one[k]] and one[k] != parent[one[k]]:
            weight[one[k]] += bytes_of[other[k]]
    result = np.zeros(len(bytes_of), np.int64)
    current, filled = np.int64(0), np.int64(0)
    for node in range(len(bytes_of)):
        if not large[node]:
            if parent[node] != node:
                result[node] = result[parent[node]]
                continue
            added = weight[node]
        else:
            added = bytes_of[node] if parent[node] == node else weight[node] + bytes_of[node]
        if filled and filled + added > most:
            current, filled = current + 1, np.int64(0)
        result[node] = current
        filled += added
    return result


@njit(cache=True, nogil=True)
def _shingle_sets(points: Any, starts: Any, coefficients: Any, sets: Any, counts: Any, large: Any) -> int:
    """Write each row's distinct shingle hashes end to end to `sets`, and how many to `counts`; return their sum.

    Of a row with more than `large` shingles all hashes are written and the count is negative. EMPTY is the mark of a
    free slot, so a shingle that hashes to it (odds 2^-64) is taken for 1.
    """
    end = 0
    c0, c1, c2, c3, c4, c5 = coefficients
    table = np.zeros(2, np.uint64)
    for row in range(len(starts) - 1):
        begin = starts[row]
        length = starts[row + 1] - begin
        shingles = max(length - 4, min(length, 1))
        whole = shingles > large
        bits = 1 if whole else _table_bits(shingles)
        if len(table) < 1 << bits:
            table = np.zeros(1 << bits, np.uint64)
        slots = table[: 1 << bits]
        slots[:] = EMPTY
        first = end
        p = points[begin : starts[row + 1]]
        for i in range(shingles):
            if length < 5:
                total = coefficients[0]
                for k in range(length):
                    total += coefficients[k + 1] * U64(p[k])
            else:
                total = c0 + c1 * U64(p[i]) + c2 * U64(p[i + 1]) + c3 * U64(p[i + 2])
                total += c4 * U64(p[i + 3]) + c5 * U64(p[i + 4])
            total = max(total, U64(1))
            if whole:
                sets[end] = total
                end += 1
                continue
            slot = find_slot(slots, bits, total)
            if slots[slot] == EMPTY:
                slots[slot] = total
                sets[end] = total
                end += 1
        counts[row] = first - end if whole else end - first
    return end


@njit(cache=True, nogil=True)
def _jaccards(sets: Any, begins: Any, counts: Any, left: Any, right: Any) -> Any:
    """Return |A and B| / |A or B| of sets `sets[begin:begin + count]` numbered by `left` and `right`.

    The table of a `left` is kept while it comes again. Two sets over LARGE are sorted, and merged.
    """
    result = np.zeros(len(left), np.float64)
    current, bits = np.int64(-1), 1
    table = np.zeros(2, np.uint64)
    for pair in range(len(left)):
        one, other = left[pair], right[pair]
        if counts[one] > LARGE and counts[other] <= LARGE:
            one, other = other, one
        shared = 0
        if counts[one] > LARGE:
            shared = _merged(
                sets[begins[one] : begins[one] + counts[one]], sets[begins[other] : begins[other] + counts[other]]
            )
        else:
            if one != current:
                current = one
                bits = _table_bits(counts[one])
                if len(table) < 1 << bits:
                    table = np.zeros(1 << bits, np.uint64)
                table[: 1 << bits] = EMPTY
                for i in range(begins[one], begins[one] + counts[one]):
                    table[find_slot(table[: 1 << bits], bits, sets[i])] = sets[i]
            slots = table[: 1 << bits]
            for i in range(begins[other], begins[other] + counts[other]):
                shared += slots[find_slot(slots, bits, sets[i])] == sets[i]
        union = counts[one] + counts[other] - shared
        result[pair] = shared / union if union else 0.0
    return result


@njit(inline="always")
def _merged(one: Any, other: Any) -> Any:
    """Count what two ascending arrays share."""
    i, k, shared = 0, 0, 0
    while i < len(one) and k < len(other):
        a, b = one[i], other[k]
        shared += a == b
        i += a <= b
        k += b <= a
    return shared


@njit(inline="always")
def _table_bits(count: Any) -> Any:
    bits = 1  # at most a quarter full: two thirds of the time that half full takes
    while (1 << bits) < 4 * count:
        bits += 1
    return bits


@njit(inline="always")
def find_slot(table: Any, bits: Any, value: Any) -> Any:
    """Return the slot that holds `value`, or the free one where it belongs (linear probing, never full)."""
    slot = (value * U64(0x9E3779B97F4A7C15)) >> U64(64 - bits)
    while table[slot] != EMPTY and table[slot] != value:
        slot = (slot + U64(1)) & U64(len(table) - 1)
    return slot
