"""Pairs of a bucket worth a comparison: all of a small one, and in a large one (a template) those with its leaders.

A sketch is the lowest bit of each minimum, and the number of equal bits of two estimates their Jaccard.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

U64 = np.uint64
LOW = U64(0xFFFFFFFF)

# Buckets up to this size are compared pair by pair.
WHOLE = 64
# In a larger bucket (a template) each member is compared with leaders only: members that come before it (longer ones
# first) and resemble fewer than KIN leaders. So a bucket costs its size times LEADERS estimates, keeps up to KIN
# leaders of a kind, and gives a member pairs with the first of its kind and with the NEAREST (more where they tie).
LEADERS, KIN, NEAREST = 128, 8, 4
# There the estimate rejects from three standard errors below the threshold on: whoever resembles a template resembles
# several of its leaders, and in a million copies each needless candidate of a member costs a million verifications.
STRICT = 3.0
# A row is compared with leaders in the first so many of its bands that put it into a large bucket.
TURNS = 4


@njit(inline="always")
def equal_bits(one: Any, other: Any) -> Any:
    """Count the equal bits of two rows of 64-bit words."""
    total = np.int64(64 * len(one))
    for k in range(len(one)):
        x = one[k] ^ other[k]
        x -= (x >> U64(1)) & U64(0x5555555555555555)
        x = (x & U64(0x3333333333333333)) + ((x >> U64(2)) & U64(0x3333333333333333))
        x = (x + (x >> U64(4))) & U64(0x0F0F0F0F0F0F0F0F)
        total -= np.int64((x * U64(0x0101010101010101)) >> U64(56))
    return total


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
def lead(rows: Any, sketches: Any, chars: Any, hashes: Any, least: Any) -> Any:
    """Return the members of a large bucket in order, longest first, and which of them lead.

    The order depends on texts alone: characters, then the match hash, so it is the same however rows are numbered.
    """
    order = np.empty(len(rows), np.uint64)
    for i in range(len(rows)):
        order[i] = (U64(0xFFFFFFFF - chars[rows[i]]) << U64(32)) | (hashes[rows[i], 0] >> U64(32))
    sort_by(order, rows)
    leads = np.zeros(len(rows), np.bool_)
    leaders = np.empty(LEADERS, np.int64)
    led = 0
    for i in range(len(rows)):
        kin = 0
        for k in range(led):
            kin += equal_bits(sketches[rows[i]], sketches[leaders[k]]) >= least
        if kin < KIN:
            leads[i] = True
            leaders[led] = rows[i]
            led += 1
            if led == LEADERS:
                break
    return rows, leads


@njit(cache=True, nogil=True)
def compare_buckets(packed: Any, sketches: Any, chars: Any, hashes: Any, compared: Any, least: Any, strict: Any) -> Any:
    """Return pairs (one << 32 | other) of the buckets of sorted `packed` whose sketches agree in `least` bits, in large
    buckets in `strict` bits.
    """  # noqa: D205
    found = np.empty(1024, np.uint64)
    count = 0
    equal, ordered = np.empty(LEADERS, np.int64), np.empty(LEADERS, np.int64)
    begin = 0
    while begin < len(packed):
        end = begin + 1
        while end < len(packed) and packed[end] >> U64(32) == packed[begin] >> U64(32):
            end += 1
        size = end - begin
        if size == 1:
            begin = end
            continue
        if size <= WHOLE:
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
            continue
        rows = (packed[begin:end] & LOW).astype(np.int64)
        rows, leads = lead(rows, sketches, chars, hashes, strict)
        leaders = np.empty(LEADERS, np.int64)
        led = 0
        for i in range(size):
            one = rows[i]
            if not (compared[one] or leads[i]):
                continue
            kin = 0
            if count + led > len(found):
                found = np.concatenate((found, np.empty(len(found) + led, np.uint64)))
            for k in range(led):
                equal[k] = ordered[k] = equal_bits(sketches[one], sketches[leaders[k]])
                kin += equal[k] >= strict
            enough = strict
            if kin > NEAREST:
                sort_by(ordered[:led], ordered[:led])
                enough = ordered[led - NEAREST]
            first = True  # who leads first is the likeliest to survive
            for k in range(led):
                if equal[k] >= enough or (first and equal[k] >= strict):
                    first = False
                    found[count] = (U64(one) << U64(32)) | U64(leaders[k])
                    count += 1
            if leads[i]:
                leaders[led] = one
                led += 1
        begin = end
    return found[:count]


@njit(cache=True, nogil=True)
def mark_large(packed: Any, found: Any) -> None:
    """Mark the rows that stand in large buckets of sorted `packed`."""
    begin = 0
    while begin < len(packed):
        end = begin + 1
        while end < len(packed) and packed[end] >> U64(32) == packed[begin] >> U64(32):
            end += 1
        if end - begin > WHOLE:
            for i in range(begin, end):
                found[np.int64(packed[i] & LOW)] = True
        begin = end


def turns(large: Iterable[npt.NDArray[np.uint8]], rows: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield, as packed bits, the rows of each band that are in a large bucket for one of the first TURNS times."""
    seen = np.zeros(rows, np.uint8)
    for bits in large:
        here = np.unpackbits(bits, count=rows)
        yield np.packbits(here & (seen < TURNS))
        seen += here
