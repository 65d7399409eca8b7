"""Which leaders of a large bucket hold a shingle: what a member shares with all of them is found at once.

Every shingle of a bucket's leaders stands in one table with a bit for each leader that holds it; a member's shingles
are looked up once, and adding the bits column by column (carry-save, as in bit-sliced counting) gives what it shares
with every leader. About four microseconds for 200 characters and up to 128 leaders.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.dedup.buckets import Packed, Rows, distinct
from pipeline.dedup.candidates import LEADERS
from pipeline.dedup.verify import EMPTY, find_slot, halves, shingle_sets
from schemas.recipe import MatchForm

U64 = np.uint64
Pairs = tuple[Packed, npt.NDArray[np.float64]]  # lower row << 32 | higher, and their exact Jaccard
ENTRY_BYTES = 24  # of a table, which is at most half full: a hash and a bit for each leader
WORDS = LEADERS // 64
PIECE_BYTES = 4_000_000  # of texts compared in one task
PLANES = 24  # the leaders of a bucket have fewer than 2^24 characters together, so no more shingles are shared
# A member makes pairs with the first leaders that it resembles: so many of those that no leader before them removes,
# one of which survives, and so many of the others, should rules drop the former.
CHIEFS, OTHERS = 2, 1


@dataclass
class Tables:
    """Which leaders of a bucket hold a shingle, for consecutive buckets from `first` on.

    `rows`: int64, the leaders, those of bucket b from `starts[b]` on; `counts`: of their shingles. `hashes` and `bits`
    are hash tables of one bucket after the other, that of bucket b from `places[b]` on, each a power of two in size.
    `chiefs`: the bits of those leaders that no chief before them resembles. `pairs`: those among leaders.
    """

    first: int
    form: MatchForm
    threshold: float
    rows: Rows
    starts: Rows
    counts: Rows
    hashes: Packed
    bits: npt.NDArray[np.uint64]
    places: Rows
    chiefs: npt.NDArray[np.uint64]
    pairs: Pairs

    @classmethod
    def of(cls, leaders: Packed, begin: int, end: int, path: Path, form: MatchForm, threshold: float) -> "Tables":
        """Return the tables of the buckets `begin` to `end - 1`.

        `leaders`: bucket << 32 | row, in order of bucket and then of priority; their texts are in `path`.
        """
        bucket, rows = halves(leaders)
        wanted = distinct(rows)
        sets, counts = _sets_of(path, wanted, form)
        at = np.searchsorted(wanted, rows)
        begins, counts = (np.cumsum(counts) - counts)[at], counts[at]
        starts = np.searchsorted(bucket, np.arange(begin, end + 1))
        entries = _distinct_shingles(sets, begins, counts, starts)
        sizes = 1 << np.ceil(np.log2(np.maximum(2 * entries, 2))).astype(np.int64)
        places = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        hashes, bits = np.zeros(places[-1], U64), np.zeros((places[-1], WORDS), U64)
        chiefs = np.zeros((end - begin, WORDS), U64)
        found = _fill(sets, begins, counts, rows, starts, hashes, bits, places, threshold, chiefs)
        return cls(begin, form, threshold, rows, starts, counts, hashes, bits, places, chiefs, found)

    def compare(self, batch: pa.RecordBatch, members: Packed) -> Pairs:
        """Return pairs with their leaders of the members (row << 32 | bucket, sorted) that a batch holds."""
        rows = batch.column("row").to_numpy()
        low, high = np.searchsorted(members, np.array([rows[0], int(rows[-1]) + 1], U64) << U64(32))
        row, bucket = halves(members[low:high])
        own = distinct(row)
        sets, counts = shingle_sets(batch.column("text").take(pa.array(np.searchsorted(rows, own))), self.form)
        found = np.empty((CHIEFS + OTHERS) * len(row), U64)
        jaccard = np.empty(len(found))
        count = _compare(
            *(sets, np.cumsum(counts) - counts, counts, np.searchsorted(own, row), row, bucket - self.first),
            *(self.rows, self.starts, self.counts, self.hashes, self.bits, self.places, self.chiefs),
            *(self.threshold, found, jaccard),
        )
        # Buckets share leaders, so a pair may come from several.
        order = np.argsort(found[:count])
        ordered = found[order]
        new = np.ones(count, bool)
        np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
        return ordered[new], jaccard[order[new]]


def texts_in(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield rows and texts of a file that `verify.deal` wrote, about PIECE_BYTES at a time."""
    held: list[pa.RecordBatch] = []
    with pa.OSFile(str(path)) as file:
        for batch in pa.ipc.open_stream(file):
            held.append(batch)
            if sum(one.nbytes for one in held) >= PIECE_BYTES:
                yield _joined(held)
                held = []
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _sets_of(path: Path, wanted: Rows, form: MatchForm) -> tuple[Packed, Rows]:
    """Return the shingle sets of ascending rows, all of which are in a file, end to end, and how many each has."""
    sets, counts = [np.empty(0, U64)], [np.empty(0, np.int64)]
    for batch in texts_in(path):
        rows = batch.column("row").to_numpy()
        here = wanted[np.searchsorted(wanted, rows[0]) : np.searchsorted(wanted, rows[-1], "right")]
        if len(here):
            found = shingle_sets(batch.column("text").take(pa.array(np.searchsorted(rows, here))), form)
            sets.append(found[0])
            counts.append(found[1])
    return np.concatenate(sets), np.concatenate(counts)


@njit(inline="always")
def _count(sets: Any, begin: Any, count: Any, hashes: Any, bits: Any, size: Any, most_missed: Any, planes: Any) -> Any:
    """Count for every leader how many shingles of a set it holds: bit j of the planes 0, 1, ... is its number's digit.

    Returns how many planes are used, or -1 when more than `most_missed` shingles are with no leader.
    """
    planes[:] = U64(0)
    missed = used = 0
    for i in range(begin, begin + count):
        slot = find_slot(hashes, size, sets[i])
        if hashes[slot] == EMPTY:
            missed += 1
            if missed > most_missed:
                return -1
            continue
        for word in range(WORDS):
            carry = bits[slot, word]
            plane = 0
            while carry:
                both = planes[word, plane] & carry
                planes[word, plane] ^= carry
                carry = both
                plane += 1
            used = max(used, plane)
    return used


@njit(inline="always")
def _jaccard_with(leader: Any, planes: Any, used: Any, one: Any, other: Any) -> Any:
    """Return the Jaccard of the counted set, of `one` shingles, with leader number `leader`, of `other` shingles."""
    shared = np.int64(0)
    for plane in range(used):
        shared += np.int64((planes[leader >> 6, plane] >> U64(leader & 63)) & U64(1)) << plane
    union = one + other - shared
    return shared / union if union else 0.0


@njit(inline="always")
def _size(places: Any, bucket: Any) -> Any:
    bits = 0
    while (1 << bits) < places[bucket + 1] - places[bucket]:
        bits += 1
    return bits


@njit(cache=True, nogil=True)
def _distinct_shingles(sets: Any, begins: Any, counts: Any, starts: Any) -> Any:
    """Return how many shingles the leaders of each bucket hold together: a table that fits stays in the cache."""
    found = np.zeros(len(starts) - 1, np.int64)
    table = np.zeros(2, np.uint64)
    for bucket in range(len(found)):
        leaders = range(starts[bucket], starts[bucket + 1])
        every = np.int64(0)
        for one in leaders:
            every += counts[one]
        size = 1
        while (1 << size) < 2 * every:
            size += 1
        if len(table) < 1 << size:
            table = np.zeros(1 << size, np.uint64)
        slots = table[: 1 << size]
        slots[:] = EMPTY
        for one in leaders:
            for i in range(begins[one], begins[one] + counts[one]):
                slot = find_slot(slots, size, sets[i])
                found[bucket] += slots[slot] == EMPTY
                slots[slot] = sets[i]
    return found


@njit(cache=True, nogil=True)
def _fill(
    sets: Any,
    begins: Any,
    counts: Any,
    rows: Any,
    starts: Any,
    hashes: Any,
    bits: Any,
    places: Any,
    threshold: Any,
    chiefs: Any,
) -> Any:
    """Fill the tables and `chiefs`, and return the pairs among the leaders of each bucket and their Jaccard."""
    planes = np.empty((WORDS, PLANES), np.uint64)
    found, jaccard = np.empty(LEADERS * LEADERS, np.uint64), np.empty(LEADERS * LEADERS)
    count = 0
    for bucket in range(len(starts) - 1):
        table, held = hashes[places[bucket] : places[bucket + 1]], bits[places[bucket] : places[bucket + 1]]
        size = _size(places, bucket)
        first = starts[bucket]
        for one in range(first, starts[bucket + 1]):
            for i in range(begins[one], begins[one] + counts[one]):
                slot = find_slot(table, size, sets[i])
                table[slot] = sets[i]
                held[slot, (one - first) >> 6] |= U64(1) << U64((one - first) & 63)
        if count + LEADERS * LEADERS > len(found):
            found = np.concatenate((found, np.empty(len(found), np.uint64)))
            jaccard = np.concatenate((jaccard, np.empty(len(jaccard))))
        for one in range(first, starts[bucket + 1]):
            used = _count(sets, begins[one], counts[one], table, held, size, counts[one], planes)
            chief = True
            for other in range(first, one):
                value = _jaccard_with(other - first, planes, used, counts[one], counts[other])
                if value >= threshold:
                    found[count] = (U64(min(rows[one], rows[other])) << U64(32)) | U64(max(rows[one], rows[other]))
                    jaccard[count] = value
                    count += 1
                    leader = other - first
                    chief &= not (chiefs[bucket, leader >> 6] >> U64(leader & 63)) & U64(1)
            if chief:
                chiefs[bucket, (one - first) >> 6] |= U64(1) << U64((one - first) & 63)
    return found[:count], jaccard[:count]


@njit(cache=True, nogil=True)
def _compare(
    sets: Any,
    begins: Any,
    sizes: Any,
    at: Any,
    members: Any,
    buckets: Any,
    rows: Any,
    starts: Any,
    counts: Any,
    hashes: Any,
    bits: Any,
    places: Any,
    chiefs: Any,
    threshold: Any,
    found: Any,
    jaccard: Any,
) -> int:
    """Write the pairs of `members[k]`, whose set is number `at[k]`, with leaders of `buckets[k]`; return how many."""
    planes = np.empty((WORDS, PLANES), np.uint64)
    count = 0
    for k in range(len(members)):
        bucket, own = buckets[k], sizes[at[k]]
        table, held = hashes[places[bucket] : places[bucket + 1]], bits[places[bucket] : places[bucket + 1]]
        # A Jaccard of t takes t of a set's own shingles at least.
        most_missed = np.int64((1 - threshold) * own + 1e-9)
        used = _count(sets, begins[at[k]], own, table, held, _size(places, bucket), most_missed, planes)
        if used < 0:
            continue
        told = np.zeros(2, np.int64)
        for leader in range(starts[bucket + 1] - starts[bucket]):
            kind = np.int64((chiefs[bucket, leader >> 6] >> U64(leader & 63)) & U64(1))
            if told[kind] == (CHIEFS if kind else OTHERS):
                continue
            place = starts[bucket] + leader
            value = _jaccard_with(leader, planes, used, own, counts[place])
            if value >= threshold and rows[place] != members[k]:
                one, other = min(members[k], rows[place]), max(members[k], rows[place])
                found[count] = (U64(one) << U64(32)) | U64(other)
                jaccard[count] = value
                count += 1
                told[kind] += 1
    return count
