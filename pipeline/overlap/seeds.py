"""The kernels of decontamination: seeds in documents, and the alignment of a question with the place they point at.

A document is hashed once, one look at a small filter a character. Where 5-grams of a question lie together, the
question is aligned with that place (Smith and Waterman 1981: +1 for an equal character, -1 for a different, left out or
added one), in a band about the diagonals of the seeds, which finds edited and halved questions alike.

Memory: the seeds of PIECE characters at a time, whatever the length of a document. Cost: the lookups, and for each
candidate question times band.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

U64 = np.uint64
PIECE = 1 << 18  # characters of a document whose seeds are held at once
# A seed is one number: question, place in the piece, place in the question; 22, 21 and 21 bits.
QUESTION, PLACE, MASK = U64(42), U64(21), U64((1 << 21) - 1)
# A candidate has at least that share of its question's seeds in one place: at 15 % scattered edits 44 % of the
# 5-grams are whole (0.85^5), of a half question about 45 %.
SEED_SHARE = 0.15
SLACK = 16  # characters that edits may shift a question by, beside what its seeds show and an eighth of its own
# What is said to be an overlap: most of the question, or less of it in nearly unchanged words that are enough to tell.
# Weights are in characters of words that few questions share.
MOST_SHARE, MOST_ALIKE, MOST_WEIGHT = 0.6, 0.6, 5.0
PART_SHARE, PART_ALIKE, PART_WEIGHT = 0.4, 0.8, 12.0
# Of a question that is known only with its options: the least of the stem, and of the options in any order.
STEM_SHARE, OPTIONS_SHARE = 0.6, 0.6
WHOLE = 0.95
FIELDS = 7


class Index(NamedTuple):
    """Questions as the kernels search them; all arrays.

    A question is one part, or several that may stand in any order (stem, options), end to end in `points`.
    `filter`: uint64, a bit for each hash in the table, by its upper bits; `table`: uint64, open addressing, 0 for a
    free slot; `slots`: int32, the number of the gram in each. Postings of gram g are `rows[begins[g]:begins[g + 1]]`
    (questions) and the same of `places` (the first one in each).
    """

    points: npt.NDArray[np.uint32]
    parts: npt.NDArray[np.int64]  # where each part begins in `points`, and the end
    starts: npt.NDArray[np.int64]  # which part is the first of each question, and how many there are
    filter: npt.NDArray[np.uint64]
    table: npt.NDArray[np.uint64]
    slots: npt.NDArray[np.int32]
    begins: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    places: npt.NDArray[np.int32]
    grams: npt.NDArray[np.float32]  # the weight of the seed at each point
    seeds: npt.NDArray[np.float32]  # of all seeds of each question
    weights: npt.NDArray[np.float64]  # of the characters before each point, and of all


@njit(cache=True, nogil=True)
def hash_shingles(points: Any, starts: Any, coefficients: Any) -> Any:
    """Return the hash of the 5-gram that begins at each code point, uint64, never 0; 0 where none does."""
    hashes = np.zeros(len(points), np.uint64)
    for row in range(len(starts) - 1):
        for i in range(starts[row], starts[row + 1] - 4):
            hashes[i] = _hash(points, i, coefficients)
    return hashes


@njit(inline="always")
def _hash(points: Any, i: Any, coefficients: Any) -> Any:
    total = coefficients[0]
    for k in range(5):
        total += coefficients[k + 1] * U64(points[i + k])
    return max(total, U64(1))


@njit(cache=True, nogil=True)
def fill(table: Any, slots: Any, filter: Any, hashes: Any, numbers: Any) -> None:
    """Put hashes with their numbers into a table of a power of two, at most half full, and into the filter."""
    for k in range(len(hashes)):
        slot = _slot(table, hashes[k])
        table[slot] = hashes[k]
        slots[slot] = numbers[k]
        bit = _bit(filter, hashes[k])
        filter[bit >> 6] |= U64(1) << U64(bit & 63)


@njit(inline="always")
def _bit(filter: Any, value: Any) -> Any:
    return np.int64(value >> U64(24)) & (64 * len(filter) - 1)


@njit(inline="always")
def _slot(table: Any, value: Any) -> Any:
    slot = np.int64((value * U64(0x9E3779B97F4A7C15)) >> U64(20)) & (len(table) - 1)
    while table[slot] != U64(0) and table[slot] != value:
        slot = (slot + 1) & (len(table) - 1)
    return slot


@njit(cache=True, nogil=True)
def find(points: Any, starts: Any, coefficients: Any, index: Any) -> Any:
    """Return the overlaps of documents, float64, (found, FIELDS).

    The fields: document, question, begin and end in the match form, matched characters, matched minus edits, weight.
    Of questions found at one place only the best are told, and those that are there whole.
    """
    found = np.empty((64, FIELDS), np.float64)
    total = 0
    seeds = np.empty(1024, np.uint64)
    longest: Any = 0
    for row in range(len(index.starts) - 1):
        longest = max(longest, _size(index, row))
    counts = np.zeros(longest + 1, np.int32)
    for document in range(len(starts) - 1):
        first = total
        begin = starts[document]
        while begin + 4 < starts[document + 1]:
            # Pieces share what the widest window needs, so that each window lies in one of them.
            end = min(begin + PIECE + _width(longest), starts[document + 1])
            seeds, many = _seeds(points, begin, end, coefficients, index, seeds)
            at = 0
            while at < many:
                question = np.int64(seeds[at] >> QUESTION)
                last = at + 1
                while last < many and np.int64(seeds[last] >> QUESTION) == question:
                    last += 1
                found, total = _in_piece(
                    points, starts[document : document + 2], begin, seeds[at:last], counts, index, found, total
                )
                at = last
            begin = end if end == starts[document + 1] else begin + PIECE
        for k in range(first, total):
            found[k, 0] = document
        total = first + _best(found[first:total], index)
    return found[:total]


@njit(inline="always")
def _size(index: Any, question: Any) -> Any:
    return index.parts[index.starts[question + 1]] - index.parts[index.starts[question]]


@njit(inline="always")
def _width(size: Any) -> Any:
    """Return the characters within which the seeds of a question lie."""
    return size + size // 3 + SLACK


@njit(cache=True, nogil=True)
def _seeds(points: Any, begin: Any, end: Any, coefficients: Any, index: Any, seeds: Any) -> Any:
    """Return the sorted seeds of a piece, in an array that may be longer, and how many there are."""
    many = 0
    for i in range(begin, end - 4):
        value = _hash(points, i, coefficients)
        bit = _bit(index.filter, value)
        if not index.filter[bit >> 6] >> U64(bit & 63) & U64(1):
            continue
        gram = index.slots[_slot(index.table, value)]
        if gram < 0:
            continue
        for k in range(index.begins[gram], index.begins[gram + 1]):
            if many == len(seeds):
                seeds = np.concatenate((seeds, np.empty(many, np.uint64)))
            seeds[many] = U64(index.rows[k]) << QUESTION | U64(i - begin) << PLACE | U64(index.places[k])
            many += 1
    seeds[:many].sort()
    return seeds, many


@njit(cache=True, nogil=True)
def _in_piece(points: Any, bounds: Any, begin: Any, seeds: Any, counts: Any, index: Any, found: Any, total: Any) -> Any:
    """Add what is found of one question by its seeds, sorted by place; return `found` and how many it holds."""
    question = np.int64(seeds[0] >> QUESTION)
    base = index.parts[index.starts[question]]
    width = _width(_size(index, question))
    least = np.float32(SEED_SHARE) * index.seeds[question]
    weight, best = np.float32(0), np.float32(0)
    tail = low = high = 0
    for head in range(len(seeds) + 1):
        done = head == len(seeds)
        place = np.int64(seeds[min(head, len(seeds) - 1)] >> PLACE & MASK)
        # The densest place of a stretch is judged when the next one begins, and its seeds are used up.
        while best > 0 and (done or place - np.int64(seeds[low] >> PLACE & MASK) > width):
            if best >= least:
                row, there = _judge(points, bounds, begin, seeds[low : high + 1], index, question)
                if there:
                    if total == len(found):
                        found = np.concatenate((found, np.empty((total, FIELDS), np.float64)))
                    found[total] = row
                    total += 1
            while tail <= high:
                weight -= _left(seeds[tail], counts, index, base)
                tail += 1
            weight = weight if tail < head else np.float32(0)
            best, low, high = weight, tail, head - 1
        if done:
            break
        own = np.int64(seeds[head] & MASK)
        weight += index.grams[base + own] if counts[own] == 0 else np.float32(0)
        counts[own] += 1
        while place - np.int64(seeds[tail] >> PLACE & MASK) > width:
            weight -= _left(seeds[tail], counts, index, base)
            tail += 1
        if weight > best:
            best, low, high = weight, tail, head
    for k in range(len(seeds)):
        counts[np.int64(seeds[k] & MASK)] = 0
    return found, total


@njit(inline="always")
def _left(seed: Any, counts: Any, index: Any, base: Any) -> Any:
    """Take a seed out of the window and return the weight that goes with it."""
    own = np.int64(seed & MASK)
    counts[own] -= 1
    return index.grams[base + own] if counts[own] == 0 else np.float32(0)


@njit(cache=True, nogil=True)
def _judge(points: Any, bounds: Any, begin: Any, seeds: Any, index: Any, question: Any) -> Any:
    """Align a question with the place of its seeds; return a row of `find` and whether the question is there."""
    row = np.zeros(FIELDS, np.float64)
    row[1] = question
    one, parts = index.starts[question], index.starts[question + 1] - index.starts[question]
    base, size = index.parts[one], _size(index, question)
    row[2] = bounds[1]
    stem = options = 0
    for part in range(one, one + parts):
        first, last = index.parts[part], index.parts[part + 1]
        if parts == 1:
            low, high = _diagonals(seeds, size >> 3)
            low, high = low + begin, high + begin
        else:
            low = begin + np.int64(seeds[0] >> PLACE & MASK) - size - SLACK - last + first
            high = begin + np.int64(seeds[-1] >> PLACE & MASK) + size + SLACK
        score, same, left, right, above, below = _align(index.points[first:last], points, bounds, low, high)
        span = max(right - left, below - above)
        if parts > 1 and (score < STEM_SHARE * (last - first) or same < MOST_ALIKE * span):
            continue
        stem += same if part == one else 0
        options += same if part > one else 0
        share = same / max(below - above, 1)
        row[6] += share * (index.weights[first + below] - index.weights[first + above])
        row[2], row[3] = min(row[2], left), max(row[3], right)
        row[4] += same
        row[5] += score
    length = index.parts[one + 1] - base
    if parts > 1:
        there = stem >= STEM_SHARE * length and options >= OPTIONS_SHARE * (size - length) and row[6] >= MOST_WEIGHT
    else:
        whole = index.weights[base + size] - index.weights[base]
        most = row[5] >= MOST_SHARE * size and row[4] >= MOST_ALIKE * span and row[6] >= MOST_SHARE * whole
        part = row[5] >= PART_SHARE * size and row[4] >= PART_ALIKE * span and row[6] >= PART_SHARE * whole
        there = (most and row[6] >= MOST_WEIGHT) or (part and row[6] >= PART_WEIGHT)
    row[2] -= bounds[0]
    row[3] -= bounds[0]
    return row, there


@njit(cache=True, nogil=True)
def _diagonals(seeds: Any, reach: Any) -> Any:
    """Return the band of diagonals (place in the piece less place in the question) about the middle one of seeds."""
    diagonals = np.empty(len(seeds), np.int64)
    for k in range(len(seeds)):
        diagonals[k] = np.int64(seeds[k] >> PLACE & MASK) - np.int64(seeds[k] & MASK)
    diagonals.sort()
    middle = diagonals[len(seeds) // 2]
    return max(diagonals[0], middle - reach) - SLACK, min(diagonals[-1], middle + reach) + SLACK


@njit(cache=True, nogil=True)
def _align(one: Any, points: Any, bounds: Any, low: Any, high: Any) -> Any:
    """Align `one` with a document in the diagonals `low` to `high` (place in `points` less place in `one`).

    Returns score, equal characters, and the spans in `points` and in `one` of the best local alignment.
    """
    # Of each cell: score, equal characters, where its alignment begins in `points` and in `one`. The row above is read
    # before it is written over; the last cell stays empty.
    width = high - low + 1
    cells = np.zeros((width + 1, 4), np.int64)
    best: Any = (0, 0, 0, 0, 0, 0)
    score: Any
    for i in range(len(one)):
        start, stop = max(0, bounds[0] - i - low), min(width, bounds[1] - i - low)
        score = same = left = above = np.int64(0)
        for d in range(start, stop):
            place = low + d + i
            side = score - 1, same, left, above
            equal = one[i] == points[place]
            if cells[d, 0] > 0:
                score, same = cells[d, 0] + (1 if equal else -1), cells[d, 1] + equal
                left, above = cells[d, 2], cells[d, 3]
            else:
                score, same, left, above = np.int64(1 if equal else -1), np.int64(equal), place, np.int64(i)
            if cells[d + 1, 0] - 1 > score:
                score, same = cells[d + 1, 0] - 1, cells[d + 1, 1]
                left, above = cells[d + 1, 2], cells[d + 1, 3]
            if side[0] > score:
                score, same, left, above = side
            score = max(score, 0)
            cells[d, 0], cells[d, 1], cells[d, 2], cells[d, 3] = score, same, left, above
            if score > best[0]:
                best = (score, same, left, place + 1, above, i + 1)
    return best


@njit(cache=True, nogil=True)
def _best(found: Any, index: Any) -> int:
    """Keep, in place, what no better one at the same place contradicts, and return how many are kept.

    Questions made from one another (7 and 8 of two papers) share most of their words; the document holds the one that
    fits best. Equally good ones stay, and so do those that are there whole. Of one question found twice at a place the
    better one stays.
    """
    order = np.argsort(found[:, 2], kind="mergesort")
    found[:] = found[order]
    kept = np.zeros(len(found), np.bool_)
    at = 0
    while at < len(found):
        end, last = found[at, 3], at + 1
        while last < len(found) and found[last, 2] < end:
            end = max(end, found[last, 3])
            last += 1
        _best_of(found[at:last], kept[at:last], index)
        at = last
    count = 0
    for k in range(len(found)):
        if kept[k]:
            found[count] = found[k]
            count += 1
    return count


@njit(cache=True, nogil=True)
def _best_of(found: Any, kept: Any, index: Any) -> None:
    """Mark those of one stretch, each of which overlaps another, that are kept."""
    order = np.argsort(-found[:, 5], kind="mergesort")
    for k in order:
        better = equal = again = False
        for other in order:
            if not kept[other]:
                continue
            shared = min(found[k, 3], found[other, 3]) - max(found[k, 2], found[other, 2])
            if shared > 0.5 * min(found[k, 3] - found[k, 2], found[other, 3] - found[other, 2]):
                better = True
                again |= found[k, 1] == found[other, 1]
                equal |= found[k, 5] == found[other, 5] and found[k, 4] == found[other, 4]
        whole = found[k, 5] >= WHOLE * _size(index, np.int64(found[k, 1]))
        kept[k] = not again and (not better or equal or whole)
