"""The kernels of decontamination: seeds in documents, and the alignment of a question with the place they point at.

A document is hashed once, one lookup a character. Where 5-grams of a question lie together, the question is aligned
with that place (Smith and Waterman 1981: +1 for an equal character, -1 for a different, left out or added one), which
finds edited and halved questions alike. Cost: the lookups, and question times place for each candidate.
"""

from typing import Any

import numpy as np
from numba import njit

U64 = np.uint64
# A candidate has at least that share of its question's weight in one place: at 15 % scattered edits 44 % of the
# 5-grams are whole (0.85^5), of a half question about 45 %.
SEED_SHARE = 0.15
# What is said to be an overlap: most of the question, or less of it in nearly unchanged words that are enough to tell.
MOST_SHARE, MOST_ALIKE = 0.6, 0.6
PART_SHARE, PART_ALIKE, PART_WEIGHT = 0.4, 0.8, 12.0
WHOLE = 0.95
FIELDS = 7


@njit(cache=True, nogil=True)
def hash_shingles(points: Any, starts: Any, coefficients: Any) -> Any:
    """Return the hash of the 5-gram that begins at each code point, uint64, never 0; 0 where none does."""
    hashes = np.zeros(len(points), np.uint64)
    for row in range(len(starts) - 1):
        for i in range(starts[row], starts[row + 1] - 4):
            total = coefficients[0]
            for k in range(5):
                total += coefficients[k + 1] * U64(points[i + k])
            hashes[i] = max(total, U64(1))
    return hashes


@njit(cache=True, nogil=True)
def fill(table: Any, slots: Any, hashes: Any, numbers: Any) -> None:
    """Put hashes with their numbers into a table of a power of two, at most half full."""
    for k in range(len(hashes)):
        slot = _slot(table, hashes[k])
        table[slot] = hashes[k]
        slots[slot] = numbers[k]


@njit(inline="always")
def _slot(table: Any, value: Any) -> Any:
    slot = np.int64((value * U64(0x9E3779B97F4A7C15)) >> U64(20)) & (len(table) - 1)
    while table[slot] != U64(0) and table[slot] != value:
        slot = (slot + 1) & (len(table) - 1)
    return slot


@njit(cache=True, nogil=True)
def find(
    points: Any,
    starts: Any,
    coefficients: Any,
    questions: Any,
    question_starts: Any,
    table: Any,
    slots: Any,
    begins: Any,
    rows: Any,
    weights: Any,
    totals: Any,
) -> Any:
    """Return the overlaps of documents, float64, (found, FIELDS).

    The fields: document, question, begin and end in the match form, matched characters, matched minus edits, weight.
    Of questions found at one place only the best are told, and those that are there whole.
    """
    found = np.empty((64, FIELDS), np.float64)
    count = 0
    hits = np.empty(1024, np.uint64)
    grams = np.empty(1024, np.int32)
    for document in range(len(starts) - 1):
        begin, end = starts[document], starts[document + 1]
        hit = 0
        for i in range(begin, end - 4):
            total = coefficients[0]
            for k in range(5):
                total += coefficients[k + 1] * U64(points[i + k])
            gram = slots[_slot(table, max(total, U64(1)))]
            if gram < 0:
                continue
            for k in range(begins[gram], begins[gram + 1]):
                if hit == len(hits):
                    hits = np.concatenate((hits, np.empty(hit, np.uint64)))
                    grams = np.concatenate((grams, np.empty(hit, np.int32)))
                hits[hit] = (U64(rows[k]) << U64(40)) | U64(i - begin)
                grams[hit] = gram
                hit += 1
        if hit < 2:
            continue
        order = np.argsort(hits[:hit])
        first = count
        at = 0
        while at < hit:
            question = np.int64(hits[order[at]] >> U64(40))
            last = at
            while last < hit and np.int64(hits[order[last]] >> U64(40)) == question:
                last += 1
            size = question_starts[question + 1] - question_starts[question]
            lowest, highest, weight = _densest(hits, order, grams, weights, at, last, size + size // 3 + 16)
            if weight >= SEED_SHARE * totals[question]:
                low = max(begin, begin + lowest - size - 8)
                high = min(end, begin + highest + size + 13)
                one = questions[question_starts[question] : question_starts[question + 1]]
                score, same, left, right, above, below = _align(one, points[low:high])
                span = max(right - left, below - above)
                weight = _weight(hits, order, grams, weights, at, last, low - begin + left, low - begin + right - 4)
                most = score >= MOST_SHARE * size and same >= MOST_ALIKE * span
                part = score >= PART_SHARE * size and same >= PART_ALIKE * span and weight >= PART_WEIGHT
                if most or part:
                    if count == len(found):
                        found = np.concatenate((found, np.empty((count, FIELDS), np.float64)))
                    found[count, 0], found[count, 1] = document, question
                    found[count, 2], found[count, 3] = low - begin + left, low - begin + right
                    found[count, 4], found[count, 5], found[count, 6] = same, score, weight
                    count += 1
            at = last
        count = first + _best(found[first:count], question_starts)
    return found[:count]


@njit(inline="always")
def _densest(hits: Any, order: Any, grams: Any, weights: Any, at: Any, last: Any, width: Any) -> Any:
    """Return the first and last place and the weight of the hits that weigh most within `width` characters."""
    best = np.float32(-1)
    low = high = np.int64(0)
    total = np.float32(0)
    tail = at
    for head in range(at, last):
        total += weights[grams[order[head]]]
        place = np.int64(hits[order[head]] & U64(0xFFFFFFFFFF))
        while place - np.int64(hits[order[tail]] & U64(0xFFFFFFFFFF)) > width:
            total -= weights[grams[order[tail]]]
            tail += 1
        if total > best:
            best, low, high = total, np.int64(hits[order[tail]] & U64(0xFFFFFFFFFF)), place
    return low, high, best


@njit(inline="always")
def _weight(hits: Any, order: Any, grams: Any, weights: Any, at: Any, last: Any, low: Any, high: Any) -> Any:
    """Return the weight of the hits that begin within a span; a gram that repeats in a row counts once."""
    total = np.float32(0)
    before: Any = -1
    for k in range(at, last):
        place = np.int64(hits[order[k]] & U64(0xFFFFFFFFFF))
        if low <= place < high and place != before:
            total += weights[grams[order[k]]]
            before = place
    return total


@njit(cache=True, nogil=True)
def _align(one: Any, other: Any) -> Any:
    """Return score, equal characters, and the spans in `other` and in `one` of the best local alignment."""
    size = len(other) + 1
    # Of each cell: score, equal characters, where its alignment begins in `other` and in `one`.
    before, now = np.zeros((size, 4), np.int32), np.zeros((size, 4), np.int32)
    best: Any = (0, 0, 0, 0, 0, 0)
    for i in range(len(one)):
        now[0, 0] = 0
        for j in range(1, size):
            equal = one[i] == other[j - 1]
            if before[j - 1, 0] > 0:
                score, same = before[j - 1, 0] + (1 if equal else -1), before[j - 1, 1] + equal
                left, above = before[j - 1, 2], before[j - 1, 3]
            else:
                score, same, left, above = np.int32(1 if equal else -1), np.int32(equal), np.int32(j - 1), np.int32(i)
            if before[j, 0] - 1 > score:
                score, same, left, above = before[j, 0] - 1, before[j, 1], before[j, 2], before[j, 3]
            if now[j - 1, 0] - 1 > score:
                score, same, left, above = now[j - 1, 0] - 1, now[j - 1, 1], now[j - 1, 2], now[j - 1, 3]
            now[j, 0], now[j, 1], now[j, 2], now[j, 3] = max(score, 0), same, left, above
            if score > best[0]:
                best = (score, same, left, j, above, i + 1)
        before, now = now, before
    return best


@njit(cache=True, nogil=True)
def _best(found: Any, question_starts: Any) -> int:
    """Keep, in place, what no better one at the same place contradicts, and return how many are kept.

    Questions made from one another (7 and 8 of two papers) share most of their words; the document holds the one that
    fits best. Equally good ones stay, and so do those that are there whole.
    """
    order = np.argsort(-found[:, 5])
    kept = np.zeros(len(found), np.bool_)
    for k in order:
        size = question_starts[np.int64(found[k, 1]) + 1] - question_starts[np.int64(found[k, 1])]
        better = False
        equal = False
        for other in order:
            if not kept[other]:
                continue
            shared = min(found[k, 3], found[other, 3]) - max(found[k, 2], found[other, 2])
            if shared > 0.5 * min(found[k, 3] - found[k, 2], found[other, 3] - found[other, 2]):
                better = True
                equal |= found[k, 5] == found[other, 5] and found[k, 4] == found[other, 4]
        kept[k] = not better or equal or found[k, 5] >= WHOLE * size
    count = 0
    for k in range(len(found)):
        if kept[k]:
            found[count] = found[k]
            count += 1
    return count
