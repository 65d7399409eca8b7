"""The exact Jaccard of candidate pairs: shingle sets of the documents concerned, then their intersections.

A part's texts are read once. Sets (8 bytes a distinct shingle) go to a scratch file of the size that the candidates
need, which is mapped: memory held is a batch of texts a worker and one hash table of twice the left document's
shingles; the disk must hold about three times the UTF-8 bytes of the documents that have a candidate.

Two shingles count as one when all 64 bits of their multilinear hashes agree: at most 2^-43 for given shingles, so of
10^9 compared shingles fewer than one in a thousand runs would count one wrongly.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.dedup.buckets import Rows
from pipeline.dedup.matchform import compared_forms
from pipeline.dedup.signature import shingle_coefficients
from pipeline.storage import batches, open_parquet

U64 = np.uint64
EMPTY = U64(0)


class ShingleSets:
    """Distinct shingle hashes of chosen rows, in one scratch file; filled part by part, from several threads."""

    def __init__(self, path: Path, rows: Rows) -> None:
        """Hold room for the sets of `rows`, global row numbers in ascending order."""
        self._path, self._rows = path, rows
        self._begins = np.zeros(len(rows), np.int64)
        self._counts = np.zeros(len(rows), np.int64)
        self._lock, self._end = Lock(), 0
        path.write_bytes(b"")

    def add_part(self, path: Path, start: int, rows: int) -> None:
        """Read the texts of the chosen rows of one part, whose first row is the global row `start`."""
        low, high = np.searchsorted(self._rows, (start, start + rows))
        wanted = self._rows[low:high] - start
        seen = done = 0
        if not len(wanted):
            return
        for table in batches(path, ["text"], limit=4_000_000):
            last = int(np.searchsorted(wanted, seen + table.num_rows))
            chosen = wanted[done:last] - seen
            if len(chosen):
                texts = table.column("text").take(pa.array(chosen)).combine_chunks()
                self._add(low + done, texts)
            seen, done = seen + table.num_rows, last

    def _add(self, first: int, texts: pa.Array) -> None:
        forms = compared_forms(texts)
        sets = np.empty(len(forms.points), np.uint64)
        counts = np.empty(len(forms), np.int64)
        size = _shingle_sets(forms.points, forms.starts, shingle_coefficients(), sets, counts)
        with self._lock, self._path.open("r+b") as file:
            begin = self._end
            self._end += size
            file.seek(begin * 8)
            file.write(sets[:size].data)
        here = slice(first, first + len(counts))
        self._counts[here] = counts
        self._begins[here] = begin + np.cumsum(counts) - counts

    def jaccards(self, left: Rows, right: Rows) -> npt.NDArray[np.float64]:
        """Return the exact Jaccard of pairs of global rows; fastest when equal `left` stand together."""
        if not self._end:
            return np.zeros(len(left))
        sets = np.asarray(np.memmap(self._path, np.uint64, "r+"))
        at = [np.searchsorted(self._rows, side) for side in (left, right)]
        return _jaccards(sets, self._begins, self._counts, *at)  # type: ignore[no-any-return]


def count_rows(paths: Sequence[Path]) -> Rows:
    """Return the first global row number of each Parquet part, and after them the number of rows of all."""
    starts = [0]
    for path in paths:
        with open_parquet(path) as file:
            starts.append(starts[-1] + file.metadata.num_rows)
    return np.array(starts, np.int64)


@njit(cache=True, nogil=True)
def _shingle_sets(points: Any, starts: Any, coefficients: Any, sets: Any, counts: Any) -> int:
    """Write each row's distinct shingle hashes end to end to `sets`, and how many to `counts`; return their sum.

    EMPTY is the mark of a free slot, so a shingle that hashes to it (odds 2^-64) is taken for 1.
    """
    end = 0
    for row in range(len(starts) - 1):
        begin = starts[row]
        length = starts[row + 1] - begin
        shingles = max(length - 4, min(length, 1))
        bits = _table_bits(shingles)
        table = np.zeros(1 << bits, np.uint64)
        first = end
        for i in range(shingles):
            total = coefficients[0]
            for k in range(min(length, 5)):
                total += coefficients[k + 1] * U64(points[begin + i + k])
            total = max(total, U64(1))
            slot = _find(table, bits, total)
            if table[slot] == EMPTY:
                table[slot] = total
                sets[end] = total
                end += 1
        counts[row] = end - first
    return end


@njit(cache=True, nogil=True)
def _jaccards(sets: Any, begins: Any, counts: Any, left: Any, right: Any) -> Any:
    """Return |A and B| / |A or B| of sets `sets[begin:begin + count]` numbered by `left` and `right`."""
    result = np.zeros(len(left), np.float64)
    current, bits = -1, 0
    table = np.zeros(1, np.uint64)
    for pair in range(len(left)):
        one, other = left[pair], right[pair]
        if one != current:
            current = one
            bits = _table_bits(counts[one])
            table = np.zeros(1 << bits, np.uint64)
            for i in range(begins[one], begins[one] + counts[one]):
                table[_find(table, bits, sets[i])] = sets[i]
        shared = 0
        for i in range(begins[other], begins[other] + counts[other]):
            shared += table[_find(table, bits, sets[i])] == sets[i]
        union = counts[one] + counts[other] - shared
        result[pair] = shared / union if union else 0.0
    return result


@njit(inline="always")
def _table_bits(count: Any) -> Any:
    bits = 1
    while (1 << bits) < 2 * count:
        bits += 1
    return bits


@njit(inline="always")
def _find(table: Any, bits: Any, value: Any) -> Any:
    """Return the slot that holds `value`, or the free one where it belongs (linear probing, at most half full)."""
    slot = np.int64((value * U64(0x9E3779B97F4A7C15)) >> U64(64 - bits))
    while table[slot] != EMPTY and table[slot] != value:
        slot = (slot + 1) & (len(table) - 1)
    return slot
