"""Which documents are worth comparing: rows grouped by match form, band keys, and candidate pairs from buckets.

Everything here works on signatures alone, out of memory: the keys of each band lie in a file of their own, and a band
is one task that sorts its file (8 bytes a row while it does). Held for all rows: a sketch of one bit a permutation
(16 bytes) and the number of characters (4 bytes).

A sketch is the lowest bit of each minimum; equal bits estimate the Jaccard (b-bit minwise hashing, Li and König 2010).
The estimate may only reject: four standard errors below the threshold. Copies of templates are alike by their form, so
that estimate lets most of them pass; for them the second and third bits, which lie on disk, are looked at, too.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.dedup.candidates import LOW, agreeing, compare_buckets
from schemas.errors import StoreError
from schemas.recipe import Dedup

Rows = npt.NDArray[np.int64]
Packed = npt.NDArray[np.uint64]

# Rows are numbered in 32 bits, those of published documents included.
MOST_ROWS = (1 << 32) - 2
U64, U32 = np.uint64, np.uint32
NOTHING = U32(0xFFFFFFFF)  # the group of a blank row


class Signed:
    """Signatures of all rows, cut into what finding candidates needs; added batch by batch in row order.

    Use as a context; `folder` then holds one file a band (4 bytes a row), `hashes` (16 bytes a row) and `finer` (two
    bits a permutation).
    """

    def __init__(self, folder: Path, dedup: Dedup) -> None:
        self.dedup, self.rows = dedup, 0
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> "Signed":
        self._folder.mkdir(parents=True, exist_ok=True)
        names = [
            "hashes",
            "sketches",
            "finer",
            "chars",
            "blank",
            *(f"band-{band:03d}" for band in range(self.dedup.bands)),
        ]
        self._files = [self._stack.enter_context((self._folder / name).open("wb")) for name in names]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, batch: pa.RecordBatch | pa.Table, where: object = "") -> None:
        """Append rows with the columns of `signature.signatures_schema`. Raises StoreError, naming `where`, when
        their permutations are not those asked for, or when there are more rows than numbers for them.
        """  # noqa: D205
        found = column_of(batch, "match_hash")
        minima = fixed(column_of(batch, "signature"), np.uint32)
        check_width(minima.shape[1], self.dedup, where)
        keys, sketches, finer = cut(minima, self.dedup)
        blank = found.is_null().to_numpy(zero_copy_only=False)
        chars = column_of(batch, "char_count").to_numpy().astype(np.uint32)
        columns = [fixed(found.fill_null(bytes(16)), np.uint8), sketches, finer, chars, blank, *keys]
        for file, column in zip(self._files, columns, strict=True):
            file.write(column.data)
        self.rows += len(minima)
        if self.rows > MOST_ROWS:
            raise StoreError(f"more than {MOST_ROWS:,} documents; split them and compare each part with --against")

    def done(self) -> None:
        """Close the files and load what is held; call when all is added."""
        self._stack.close()
        self.sketches = np.fromfile(self._folder / "sketches", np.uint64).reshape(-1, words_of(self.dedup))
        self.chars = np.fromfile(self._folder / "chars", np.uint32)
        self.blank = np.fromfile(self._folder / "blank", np.bool_)

    def release(self) -> None:
        """Let go of the sketches, when pairs are found."""
        self.sketches = self.sketches[:0].copy()

    @property
    def hashes(self) -> Path:
        """The file of match hashes, two 64-bit numbers a row, zero for blank rows."""
        return self._folder / "hashes"

    def packed(self, band: int, representatives: npt.NDArray[np.bool_], *, alone: bool = True) -> Packed:
        """Return `key << 32 | row` of one band for the representatives, sorted.

        Without `alone`, most rows whose key no other one has are left out: they have no bucket.
        """
        return pack(np.fromfile(self._folder / f"band-{band:03d}", np.uint32), representatives, alone=alone)

    def candidates(self, packed: Packed) -> tuple[Packed, Packed]:
        """Return the pairs of small buckets of one band that pass the estimate, as `lower row << 32 | higher`, sorted,
        distinct; and the entries of `packed` that are in large buckets.
        """  # noqa: D205
        found, large = compare_buckets(packed, self.sketches, least_equal(self.dedup))
        return distinct(found), large

    def finer_estimate(self, rows: npt.NDArray[np.bool_], base: int) -> Callable[[Packed], Packed]:
        """Return what leaves out pairs of two of some rows (bool, of all) that three bits estimate too far apart.

        It rejects from three standard errors below the threshold on; pairs have rows numbered from `base` on.
        """
        place = np.where(rows, np.cumsum(rows, dtype=np.uint32), np.uint32(0))
        finer = rows_of(self._folder / "finer", 2 * words_of(self.dedup), np.flatnonzero(rows))
        least = least_equal(self.dedup, 3.0, bits=3)

        def estimate(pairs: Packed) -> Packed:
            found: Packed = agreeing(pairs, np.int64(base), place, self.sketches, finer, least)
            return found

        return estimate


def column_of(table: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    """Return a column as one array, copied only where it is in several pieces."""
    column = table.column(name)
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def fixed(column: pa.Array, dtype: Any) -> npt.NDArray[Any]:
    """View a fixed-size binary column without nulls as numbers, (rows, numbers)."""
    width = column.type.byte_width
    data = column.buffers()[1]
    flat = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    flat = flat[column.offset * width : (column.offset + len(column)) * width]
    numbers: npt.NDArray[Any] = flat.view(dtype).reshape(len(column), width // np.dtype(dtype).itemsize)
    return numbers


def mapped(path: Path, dtype: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Map a file of numbers for reading."""
    return np.asarray(np.memmap(path, dtype, "r", shape=shape)) if np.prod(shape) else np.empty(shape, dtype)


def distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return sorted distinct values. `np.unique` hashes since NumPy 2.3: 0.5 to 1 s for 1.3 M pairs, sorting 0.01 s."""
    ordered = np.sort(values)
    if not len(ordered):
        return ordered
    new = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]


def runs(values: npt.NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Yield where runs of equal values begin and end."""
    if len(values):
        edges = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist(), len(values)]
        yield from pairwise(edges)


def pack(keys: npt.NDArray[np.uint32], wanted: npt.NDArray[np.bool_], *, alone: bool = True) -> Packed:
    """Return `keys[row] << 32 | row` of the wanted rows, sorted: 10 times faster than sorting arguments.

    Without `alone`, keys that come once are left out, but for those that share their slot of a table of counts, four
    slots a row: a fifth of them. Counting costs a fourth of sorting.
    """
    packed = np.empty(np.count_nonzero(wanted), np.uint64)
    if alone or not len(packed):
        _pack(keys, wanted, packed)
    else:
        bits = min(32, len(packed).bit_length() + 2)
        counts = np.zeros(1 << bits, np.uint8)
        _count(keys, wanted, counts, np.uint32(32 - bits))
        packed = packed[: _pack_again(keys, wanted, packed, counts, np.uint32(32 - bits))].copy()
    packed.sort()
    return packed


@njit(cache=True, nogil=True)
def _pack(keys: Any, wanted: Any, packed: Any) -> None:
    count = 0
    for row in range(len(keys)):
        if wanted[row]:
            packed[count] = (U64(keys[row]) << U64(32)) | U64(row)
            count += 1


@njit(cache=True, nogil=True)
def _count(keys: Any, wanted: Any, counts: Any, shift: Any) -> None:
    for row in range(len(keys)):
        slot = keys[row] >> shift
        if wanted[row] and counts[slot] < 2:
            counts[slot] += 1


@njit(cache=True, nogil=True)
def _pack_again(keys: Any, wanted: Any, packed: Any, counts: Any, shift: Any) -> int:
    count = 0
    for row in range(len(keys)):
        if wanted[row] and counts[keys[row] >> shift] == 2:
            packed[count] = (U64(keys[row]) << U64(32)) | U64(row)
            count += 1
    return count


def rows_of(path: Path, words: int, rows: Rows) -> npt.NDArray[np.uint64]:
    """Return some rows of a file of 64-bit numbers, `words` a row, uint64, (rows, words); `rows` ascend.

    Read in pieces of 8 MB, not mapped: what is mapped counts as memory of the process.
    """
    found = np.empty((len(rows), words), np.uint64)
    step = (1 << 20) // words
    with path.open("rb") as file:
        for begin, end in runs(rows // step):
            first = int(rows[begin]) // step * step
            file.seek(8 * words * first)
            piece = np.frombuffer(file.read(8 * words * step), np.uint64).reshape(-1, words)
            found[begin:end] = piece[rows[begin:end] - first]
    return found


def check_width(permutations: int, dedup: Dedup, where: object) -> None:
    """Raise StoreError when signatures are not of the permutations that are asked for."""
    if permutations != dedup.permutations:
        raise StoreError(
            f"{where}: signatures of {permutations} permutations, the recipe asks for {dedup.permutations}; "
            "set dedup.permutations to what the version was made with, or build it again"
        )


def words_of(dedup: Dedup) -> int:
    """Return the 64-bit words of a sketch."""
    return -(-dedup.permutations // 64)


def least_equal(dedup: Dedup, errors: float = 4.0, *, bits: int = 1) -> int:
    """Return the least number of minima that agree in their lowest bits, padding included, that is not rejected.

    `errors`: how many standard errors below the threshold an estimate is rejected; `bits`: how many are compared.
    """
    n = dedup.permutations
    chance = dedup.threshold + (1 - dedup.threshold) / 2**bits
    least = n * chance - errors * (n * chance * (1 - chance)) ** 0.5
    return int(np.ceil(least)) + -n % 64


def cut(
    minima: npt.NDArray[np.uint32], dedup: Dedup
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return band keys, uint32, (bands, rows), sketches, uint64, (rows, words), and the second and then the third bits
    of the minima in the same way, uint64, (rows, 2 * words).

    A key is the upper half of a multilinear hash; where two meet by chance, that costs one comparison of sketches.
    """  # noqa: D205
    words = words_of(dedup)
    keys = np.empty((dedup.bands, len(minima)), np.uint32)
    sketches, finer = np.zeros((len(minima), words), np.uint64), np.zeros((len(minima), 2 * words), np.uint64)
    _cut(minima, dedup.rows, keys, sketches, finer)
    return keys, sketches, finer


@njit(cache=True, nogil=True)
def _cut(minima: Any, rows: Any, keys: Any, sketches: Any, finer: Any) -> None:
    words = sketches.shape[1]
    for i in range(len(minima)):
        for band in range(len(keys)):
            total = U64(0)
            for k in range(rows):
                total += (U64(k) * U64(0x9E3779B97F4A7C15) | U64(1)) * U64(minima[i, band * rows + k])
            total *= U64(0x9E3779B97F4A7C15)
            keys[band, i] = U32(total >> U64(32))
        for k in range(minima.shape[1]):
            minimum, place = U64(minima[i, k]), U64(k & 63)
            sketches[i, k >> 6] |= (minimum & U64(1)) << place
            finer[i, k >> 6] |= ((minimum >> U64(1)) & U64(1)) << place
            finer[i, words + (k >> 6)] |= ((minimum >> U64(2)) & U64(1)) << place


def group_rows(path: Path, blank: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Return for each row the lowest row with the same 128-bit hash, NOTHING for blank rows; uint32.

    `path`: two 64-bit numbers a row. Held meanwhile: 16 bytes a row, and as much for each row that has an equal.
    """
    groups = np.arange(len(blank), dtype=np.uint32)
    groups[blank] = NOTHING
    upper = np.empty(len(blank), np.uint32)
    with path.open("rb") as file:
        for start in range(0, len(blank), 1 << 19):
            piece = np.frombuffer(file.read(16 << 19), np.uint64)[::2]
            upper[start : start + len(piece)] = piece >> U64(32)
    packed = pack(upper, ~blank)
    del upper
    packed = packed[_repeated(packed)]
    rows = np.sort((packed & LOW).astype(np.int64))
    _group(packed, rows, rows_of(path, 2, rows), groups)
    return groups


@njit(cache=True, nogil=True)
def _repeated(packed: Any) -> Any:
    """Return which of sorted `packed` share their upper half with a neighbour."""
    found = np.zeros(len(packed), np.bool_)
    for i in range(1, len(packed)):
        if packed[i] >> U64(32) == packed[i - 1] >> U64(32):
            found[i] = found[i - 1] = True
    return found


@njit(inline="always")
def _place(rows: Any, row: Any) -> Any:
    """Return where a row stands among ascending rows."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _group(packed: Any, rows: Any, hashes: Any, groups: Any) -> None:
    """Rows with the same upper 32 bits stand together; those equal in all 128 form a group. `hashes` are of `rows`."""
    firsts = np.empty(16, np.int64)
    begin = 0
    while begin < len(packed):
        known = 0
        i = begin
        while i < len(packed) and packed[i] >> U64(32) == packed[begin] >> U64(32):
            row = _place(rows, np.int64(packed[i] & LOW))
            found = -1
            for k in range(known):
                if hashes[firsts[k], 0] == hashes[row, 0] and hashes[firsts[k], 1] == hashes[row, 1]:
                    found = k
                    break
            if found < 0:
                if known == len(firsts):
                    firsts = np.concatenate((firsts, np.empty(known, np.int64)))
                firsts[known] = row
                found = known
                known += 1
            groups[rows[row]] = rows[firsts[found]]
            i += 1
        begin = i


def merged(paths: list[Path], ranges: int, rows: int) -> Iterator[Packed]:
    """Yield the distinct values of files of sorted pairs, by ranges of their upper half, in order."""
    borders = np.array([(rows * i // ranges) << 32 for i in range(1, ranges)], np.uint64)
    cuts = []
    for path in paths:
        file = np.fromfile(path, np.uint64)
        cuts.append([0, *np.searchsorted(file, borders).tolist(), len(file)])
    for i in range(ranges):
        parts = [
            np.fromfile(path, np.uint64, cut[i + 1] - cut[i], offset=8 * cut[i])
            for path, cut in zip(paths, cuts, strict=True)
        ]
        yield distinct(np.concatenate([np.empty(0, np.uint64), *parts]))
