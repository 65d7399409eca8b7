"""Pairs of a bucket worth a comparison, and who leads a large one.

A sketch is the lowest bit of each minimum, and the number of equal bits of two estimates their Jaccard.
"""

from typing import Any

import numpy as np
from numba import njit

U64 = np.uint64
LOW = U64(0xFFFFFFFF)

# Buckets up to this size are compared pair by pair.
WHOLE = 64
# In a larger bucket (a template) members are compared with leaders only: up to LEADERS members, first priority first,
# that resemble fewer than KIN leaders before them. Whoever resembles the template has several leaders to resemble, so
# one that is dropped by a rule is not missed, and a bucket costs its size times LEADERS.
LEADERS, KIN = 128, 8
# Whom a bucket is led by is seen from its first so many members: a kind that comes later is small, or has leaders.
SCANNED = 1 << 14
# How many keys are looked at one by one before the search doubles its steps.
STEPS = 32


@njit(inline="always")
def bits_of(x: Any) -> Any:
    """Count the bits of a 64-bit word."""
    x -= (x >> U64(1)) & U64(0x5555555555555555)
    x = (x & U64(0x3333333333333333)) + ((x >> U64(2)) & U64(0x3333333333333333))
    x = (x + (x >> U64(4))) & U64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * U64(0x0101010101010101)) >> U64(56))


@njit(inline="always")
def equal_bits(one: Any, other: Any) -> Any:
    """Count the equal bits of two rows of 64-bit words."""
    total = np.int64(64 * len(one))
    for k in range(len(one)):
        total -= bits_of(one[k] ^ other[k])
    return total


@njit(inline="always")
def bucket_end(packed: Any, begin: Any) -> Any:
    """Return where the bucket that begins at `begin` of sorted `key << 32 | row` ends."""
    end = begin + 1
    while end < len(packed) and packed[end] >> U64(32) == packed[begin] >> U64(32):
        end += 1
    return end


@njit(cache=True, nogil=True)
def compare_buckets(packed: Any, sketches: Any, least: Any) -> Any:
    """Return the pairs (lower row << 32 | higher) of small buckets of sorted `packed` whose sketches agree in `least`
    bits, and the entries of large buckets.
    """  # noqa: D205
    found, large = np.empty(1024, np.uint64), np.empty(1024, np.uint64)
    count = entries = 0
    begin = 0
    while begin < len(packed):
        end = bucket_end(packed, begin)
        if end - begin > WHOLE:
            if entries + end - begin > len(large):
                large = np.concatenate((large, np.empty(len(large) + end - begin, np.uint64)))
            large[entries : entries + end - begin] = packed[begin:end]
            entries += end - begin
            begin = end
            continue
        if count + WHOLE * WHOLE > len(found):
            found = np.concatenate((found, np.empty(len(found) + WHOLE * WHOLE, np.uint64)))
        for i in range(begin + 1, end):
            one = np.int64(packed[i] & LOW)
            for k in range(begin, i):
                other = np.int64(packed[k] & LOW)
                if equal_bits(sketches[one], sketches[other]) >= least:
                    found[count] = (U64(other) << U64(32)) | U64(one)
                    count += 1
        begin = end
    return found[:count], large[:entries]


@njit(inline="always")
def lead(members: Any, sketches: Any, chars: Any, least: Any, most_chars: Any, leaders: Any) -> Any:
    """Write who leads a large bucket to `leaders`, as many as fit, its members given by priority; return how many.

    `least`: equal bits of those that count as kin. `most_chars`: characters of all leaders together.
    """
    led, held = 0, np.int64(0)
    for i in range(min(len(members), SCANNED)):
        if led == len(leaders):
            break
        row = members[i]
        if held + chars[row] > most_chars:
            continue
        kin = 0
        for k in range(led):
            kin += equal_bits(sketches[row], sketches[leaders[k]]) >= least
            if kin == KIN:
                break
        if kin < KIN:
            leaders[led] = row
            led += 1
            held += np.int64(chars[row])
    return led


@njit(cache=True, nogil=True)
def leaders(packed: Any, sketches: Any, chars: Any, hashes: Any, least: Any) -> Any:
    """Return sorted `packed` with only the leaders of its large buckets, drawn from its longest texts.

    The order depends on texts alone: characters, then the match hash, so it is the same however rows are numbered.
    """
    kept = np.empty(len(packed), np.uint64)
    found = np.empty(LEADERS, np.int64)
    count = 0
    begin = 0
    while begin < len(packed):
        end = bucket_end(packed, begin)
        if end - begin <= WHOLE:
            kept[count : count + end - begin] = packed[begin:end]
            count += end - begin
            begin = end
            continue
        rows = (packed[begin:end] & LOW).astype(np.int64)
        order = np.empty(len(rows), np.uint64)
        for i in range(len(rows)):
            order[i] = (U64(0xFFFFFFFF - chars[rows[i]]) << U64(32)) | (hashes[rows[i], 0] >> U64(32))
        sort_by(order, rows)
        led = lead(rows, sketches, chars, least, np.int64(1) << 62, found)
        key = packed[begin] >> U64(32) << U64(32)
        for k in range(led):
            kept[count] = key | U64(found[k])
            count += 1
        sort_by(kept[count - led : count], kept[count - led : count])
        begin = end
    return kept[:count]


@njit(inline="always")
def sort_by(keys: Any, values: Any) -> None:
    """Sort keys, and values along with them, in place: Shell's sort, as NumPy's take a second to compile."""
    gap = 1
    while gap < len(keys) // 9:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, len(keys)):
            key, value = keys[i], values[i]
            k = i
            while k >= gap and keys[k - gap] > key:
                keys[k], values[k] = keys[k - gap], values[k - gap]
                k -= gap
            keys[k], values[k] = key, value
        gap //= 3


@njit(cache=True, nogil=True)
def agreeing(pairs: Any, base: Any, place: Any, sketches: Any, finer: Any, least: Any) -> Any:
    """Return `pairs` without those of two rows in `finer` that agree in three bits of fewer than `least` minima.

    Rows are numbered from `base` on; `place`: one more than where a row stands in `finer`, 0 where it does not.
    `sketches`: the lowest bit, of all rows; `finer`: the second bits, and after them the third.
    """
    words = sketches.shape[1]
    kept = np.empty(len(pairs), np.uint64)
    count = 0
    for pair in pairs:
        one, other = np.int64(pair >> U64(32)) - base, np.int64(pair & LOW) - base
        stays = one < 0 or other < 0 or place[one] == 0 or place[other] == 0
        if not stays:
            total = np.int64(64 * words)
            a, b = np.int64(place[one]) - 1, np.int64(place[other]) - 1
            for k in range(words):
                x = sketches[one, k] ^ sketches[other, k]
                x |= (finer[a, k] ^ finer[b, k]) | (finer[a, words + k] ^ finer[b, words + k])
                total -= bits_of(x)
            stays = total >= least
        if stays:
            kept[count] = pair
            count += 1
    return kept[:count]


@njit(cache=True, nogil=True)
def matches(packed: Any, keys: Any, rows: Any) -> Any:
    """Return `row << 32 | other` for every row of sorted `packed` and every entry with its key in sorted `keys`.

    The next place is looked for by STEPS single steps, which a processor foresees, and then by doubling ones: many rows
    cost a merge, few their logarithm.
    """
    found = np.empty(1024, np.uint64)
    count = 0
    at = 0
    for i in range(len(packed)):
        key = packed[i] >> U64(32)
        near = min(at + STEPS, len(keys))
        while at < near and U64(keys[at]) < key:
            at += 1
        step = 1
        low = at
        while at < len(keys) and U64(keys[at]) < key:
            low = at + 1
            at += step
            step *= 2
        high = min(at, len(keys))
        while low < high:
            middle = (low + high) // 2
            if U64(keys[middle]) < key:
                low = middle + 1
            else:
                high = middle
        at = low
        k = at
        while k < len(keys) and U64(keys[k]) == key:
            if count == len(found):
                found = np.concatenate((found, np.empty(len(found), np.uint64)))
            found[count] = (packed[i] << U64(32)) | U64(rows[k])
            count += 1
            k += 1
    return found[:count]


@njit(cache=True, nogil=True)
def agree(pairs: Any, sketches: Any, others: Any, least: Any) -> Any:
    """Return which pairs `row << 32 | other` have sketches that agree in at least `least` bits."""
    near = np.zeros(len(pairs), np.bool_)
    for i in range(len(pairs)):
        one, other = pairs[i] >> U64(32), pairs[i] & LOW
        near[i] = equal_bits(sketches[one], others[other]) >= least
    return near
