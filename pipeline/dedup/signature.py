"""MinHash signatures of texts, equal bit for bit to datasketch 2.0's `affine32` scheme, and hashes of match forms.

A shingle is five code points of the match form (a shorter match form is one shingle). Its element hash is multilinear,
`c0 + c1*p1 + ... + c5*p5 mod 2^64`: the top 32 bits feed MinHash (2-universal), all 64 the exact shingle sets.
A datasketch user queries our signatures with `MinHash(permutations, seed, scheme="affine32", hashfunc=shingle_hash)`.

Signatures see at most the first `CAP` characters of a match form, about 12 MB of Chinese. Beyond it one in a thousand
32-bit element hashes would meet another by chance, a document takes longer than 15 ms, and nothing is gained: the
verification, which decides, is never capped.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.dedup.matchform import MATCH_FORM_REVISION, UNICODE, compared_forms
from pipeline.dedup.table import DEFAULT_FORM
from pipeline.text import CodePoints
from schemas.recipe import Dedup, MatchForm

SCHEME = "affine32"
SHINGLE = 5
CAP = 1 << 22

# Numba widens uint32 arithmetic to 64 bits; every step is cast back, and the test against datasketch would notice.
U32, U64 = np.uint32, np.uint64
FMIX32 = (U32(0x85EBCA6B), U32(0xC2B2AE35))
BLOCK = 1024


def signatures_schema(permutations: int = 128) -> pa.Schema:
    """Return the schema of `sign`: `match_hash`, 16 bytes, null for a blank text; `signature`, 4 bytes a permutation,
    little-endian uint32, all ones for a blank text (as datasketch has it for an empty set); `char_count`, the
    characters of the text.
    """  # noqa: D205
    return pa.schema(
        [
            pa.field("match_hash", pa.binary(16)),
            pa.field("signature", pa.binary(4 * permutations), nullable=False),
            pa.field("char_count", pa.int64(), nullable=False),
        ]
    )


SIGNATURES: pa.Schema = signatures_schema()


def parameters(dedup: Dedup) -> dict[str, Any]:
    """Return everything that must be equal where signatures and band keys are compared."""
    return {
        "scheme": SCHEME,
        "shingle": SHINGLE,
        "match_form_revision": MATCH_FORM_REVISION,
        "unicode": UNICODE,
        **dedup.model_dump(include={"permutations", "seed", "bands", "rows", "match"}),
    }


def differences(
    stored: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, stored and wanted value of each parameter that differs; options of the match form one by one."""
    for name in {**wanted, **stored}:
        one, other = stored.get(name), wanted.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from differences(one, other, f"{prefix}{name}.")
        elif one != other:
            yield prefix + name, one, other


def sign(column: pa.Array, *, permutations: int = 128, seed: int = 1, form: MatchForm = DEFAULT_FORM) -> pa.RecordBatch:
    """Return match hash and signature of every row of a string column without nulls, as `signatures_schema` says."""
    counts = CodePoints.of(column).counts  # first: what is decoded here is used again below
    forms = compared_forms(column, form)
    minima = np.empty((len(forms), permutations), U32)
    _minhash(forms.points, forms.starts, shingle_coefficients(), *affine32(permutations, seed), CAP, minima)
    hashes = fingerprints(forms)
    empty = pa.py_buffer(np.packbits(forms.counts > 0, bitorder="little"))
    rows = len(forms)
    return pa.RecordBatch.from_arrays(
        [
            pa.Array.from_buffers(pa.binary(16), rows, [empty, pa.py_buffer(hashes)]),
            pa.Array.from_buffers(pa.binary(4 * permutations), rows, [None, pa.py_buffer(minima)]),
            counts,
        ],
        schema=signatures_schema(permutations),
    )


def sign_for(dedup: Dedup, column: pa.Array) -> pa.RecordBatch:
    """Return what `sign` does with the parameters of a recipe."""
    return sign(column, permutations=dedup.permutations, seed=dedup.seed, form=dedup.match)


def shingle_hash(shingle: str | bytes) -> int:
    """Return the 32-bit element hash of one shingle of a match form (at most five characters; bytes are UTF-8).

    The plain twin of the kernel, for `datasketch.MinHash(hashfunc=shingle_hash)`.
    """
    text = shingle.decode("utf-8") if isinstance(shingle, bytes) else shingle
    if not 1 <= len(text) <= SHINGLE:
        raise ValueError(f"a shingle has 1 to {SHINGLE} characters, got {text!r}")
    first, *factors = map(int, shingle_coefficients())
    total = first + sum(factor * ord(char) for factor, char in zip(factors, text, strict=False))
    return (total % (1 << 64)) >> 32


def fingerprints(texts: CodePoints) -> npt.NDArray[np.uint64]:
    """Return a 128-bit hash of each row, uint64, (rows, 2).

    Two multilinear hashes mod 2^64 of blocks of 1,024 code points, chained by a mixing bijection. Two given texts
    that differ collide with odds of at most 2^-86 for coefficients drawn at random (each half 2^-43: differences of
    code points hold at most 2^20 as a factor), 2^-128 where any difference is odd; so among 10^9 documents the
    expected number of false matches stays below 2^-26. Not meant against somebody who chooses texts to collide.
    """
    hashes = np.empty((len(texts), 2), U64)
    _fingerprint(texts.points, texts.starts, *_block_coefficients(), hashes)
    return hashes


@cache
def shingle_coefficients() -> npt.NDArray[np.uint64]:
    """Return the six coefficients of the element hash, uint64; part of the format, never to change."""
    return _splitmix(20261122, 1 + SHINGLE)


@cache
def _block_coefficients() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    return _splitmix(128, BLOCK), _splitmix(256, BLOCK)


def _splitmix(seed: int, count: int) -> npt.NDArray[np.uint64]:
    """Return numbers of the SplitMix64 generator (Steele, Lea, Flood 2014)."""
    state = U64(seed) + np.arange(1, count + 1, dtype=U64) * U64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> U64(27))) * U64(0x94D049BB133111EB)
    return state ^ (state >> U64(31))


@cache
def affine32(permutations: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return datasketch's parameters a (odd) and b of `h -> a*h + b mod 2^32`, uint32, (permutations,)."""
    generator = np.random.RandomState(seed)  # as datasketch does, else no bit is equal
    a = generator.randint(0, 1 << 31, permutations, dtype=U32) * U32(2) + U32(1)
    return a, generator.randint(0, 1 << 32, permutations, dtype=U32)


@njit(cache=True, nogil=True)
def _minhash(points: Any, starts: Any, coefficients: Any, a: Any, b: Any, cap: Any, minima: Any) -> None:
    """Write the signature of each row; `minima` is uint32, (rows, permutations)."""
    hashes = np.empty(BLOCK + 8, np.uint32)
    minima[:] = U32(0xFFFFFFFF)
    c0, c1, c2, c3, c4, c5 = coefficients
    for row in range(len(starts) - 1):
        begin = starts[row]
        length = min(starts[row + 1] - begin, cap)
        if 0 < length < 5:
            total = c0
            for k in range(length):
                total += coefficients[k + 1] * U64(points[begin + k])
            hashes[0] = _fmix32(U32(total >> U64(32)))
            _take_minima(hashes, 1, a, b, minima[row])
        for block in range(0, length - 4, BLOCK):
            size = min(BLOCK, length - 4 - block)
            p = points[begin + block : begin + block + size + 4]
            for i in range(size):
                total = c0 + c1 * U64(p[i]) + c2 * U64(p[i + 1]) + c3 * U64(p[i + 2])
                total += c4 * U64(p[i + 3]) + c5 * U64(p[i + 4])
                hashes[i] = _fmix32(U32(total >> U64(32)))
            _take_minima(hashes, size, a, b, minima[row])


@njit(inline="always")
def _fmix32(h: Any) -> Any:
    """The finalizer of MurmurHash3, which datasketch applies to every element hash."""
    h = U32(h ^ (h >> U32(16)))
    h = U32(h * FMIX32[0])
    h = U32(h ^ (h >> U32(13)))
    h = U32(h * FMIX32[1])
    return U32(h ^ (h >> U32(16)))


@njit(inline="always")
def _take_minima(hashes: Any, size: Any, a: Any, b: Any, least: Any) -> None:
    """Lower `least` to the minima over `hashes[:size]`; eight at a time, so that a, b, least are loaded once."""
    for k in range(size, size + 7):
        hashes[k] = hashes[size - 1]  # the minimum does not mind a hash that comes twice
    for i in range(0, size, 8):
        h0, h1, h2, h3 = hashes[i], hashes[i + 1], hashes[i + 2], hashes[i + 3]
        h4, h5, h6, h7 = hashes[i + 4], hashes[i + 5], hashes[i + 6], hashes[i + 7]
        for k in range(len(a)):
            x, y = a[k], b[k]
            m = min(U32(U32(x * h0) + y), U32(U32(x * h1) + y))
            n = min(U32(U32(x * h2) + y), U32(U32(x * h3) + y))
            o = min(U32(U32(x * h4) + y), U32(U32(x * h5) + y))
            p = min(U32(U32(x * h6) + y), U32(U32(x * h7) + y))
            least[k] = min(least[k], min(min(m, n), min(o, p)))


@njit(cache=True, nogil=True)
def _fingerprint(points: Any, starts: Any, left: Any, right: Any, hashes: Any) -> None:
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        first, second = U64(end - begin), ~U64(end - begin)
        for block in range(begin, end, BLOCK):
            p = points[block : min(block + BLOCK, end)]
            one, two = U64(0), U64(0)
            for i in range(len(p)):
                one += left[i] * U64(p[i])
                two += right[i] * U64(p[i])
            first = _fmix64(first ^ one)
            second = _fmix64(second ^ two)
        hashes[row, 0], hashes[row, 1] = first, second


@njit(inline="always")
def _fmix64(h: Any) -> Any:
    h = (h ^ (h >> U64(33))) * U64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> U64(33))) * U64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> U64(33))
