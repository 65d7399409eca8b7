"""Which documents are worth comparing: rows grouped by match form, band keys, and candidate pairs from buckets.

Everything here works on signatures alone. Memory held: 24 bytes a row to group, then about 40 bytes a representative
for each band being worked on; band keys (8 bytes a band) and sketches (1 byte a permutation) of representatives lie in
scratch files that are mapped, so they may be dropped from memory again.

A sketch is the low byte of each minimum. Equal bytes estimate the Jaccard nearly as well as equal minima (measured
RMSE .0321 against .0319), and the estimate may only reject: four standard errors below the threshold.
"""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.storage import open_parquet
from schemas.errors import StoreError
from schemas.recipe import Dedup

Rows = npt.NDArray[np.int64]

# Buckets up to this size are compared pair by pair.
WHOLE = 64
# In a larger bucket (a template) each member is compared with leaders only: members that came before it and resembled
# fewer than KIN leaders. So a bucket costs its size times LEADERS estimates, keeps up to KIN leaders of a kind, and
# gives at most NEAREST pairs a member, those of the highest estimates (more only where estimates tie).
LEADERS, KIN, NEAREST = 128, 8, 16
U64 = np.uint64


def group_rows(signatures: Sequence[Path]) -> Rows:
    """Return for each row of all parts the lowest row number with the same match hash, -1 for empty match forms."""
    hashes, empty = [], []
    for path in signatures:
        column = _column(path, "match_hash")
        empty.append(column.is_null().to_numpy(zero_copy_only=False))
        hashes.append(_fixed(column.fill_null(bytes(16)), np.uint64))
    if not hashes:
        return np.empty(0, np.int64)
    both = np.concatenate(hashes)
    order = np.lexsort((both[:, 1], both[:, 0]))
    ordered = both[order]
    first = np.ones(len(order), bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    groups = np.empty(len(order), np.int64)
    # The sort is stable, so the first of a run is its lowest row.
    groups[order] = order[first][np.cumsum(first) - 1]
    groups[np.concatenate(empty)] = -1
    return groups


def _column(path: Path, name: str) -> pa.Array:
    with open_parquet(path) as file:
        if name not in file.schema_arrow.names:
            raise StoreError(f"{path}: has no column '{name}'; signatures hold match_hash and signature, sign it again")
        column = file.read(columns=[name]).column(0).combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def _fixed(column: pa.Array, dtype: Any) -> npt.NDArray[Any]:
    """View a fixed-size binary column without nulls as numbers, (rows, numbers)."""
    width = column.type.byte_width
    data = column.buffers()[1]
    flat = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    flat = flat[column.offset * width : (column.offset + len(column)) * width]
    numbers: npt.NDArray[Any] = flat.view(dtype).reshape(len(column), width // np.dtype(dtype).itemsize)
    return numbers


class Sketches:
    """Band keys and sketches of group representatives, in scratch files.

    `rows` are the global row numbers of the representatives, ascending; other methods speak of positions in it.
    """

    def __init__(self, signatures: Sequence[Path], groups: Rows, dedup: Dedup, scratch: Path) -> None:
        self.rows: Rows = np.flatnonzero(groups == np.arange(len(groups)))
        self.dedup = dedup
        self._folder = scratch
        _reserve(scratch / "keys.u64", 8 * dedup.bands * len(self.rows))
        keys, start, done = self._keys(), 0, 0
        with (scratch / "sketches.u8").open("wb") as sketches:
            for path in signatures:
                part = _fixed(_column(path, "signature"), np.uint32)
                self._check(path, part)
                chosen = part[groups[start : start + len(part)] == np.arange(start, start + len(part))]
                keys[:, done : done + len(chosen)] = _band_keys(chosen, dedup).T
                sketches.write(_packed(chosen).data)
                start, done = start + len(part), done + len(chosen)

    def _check(self, path: Path, part: npt.NDArray[Any]) -> None:
        if part.shape[1] != self.dedup.permutations:
            raise StoreError(
                f"{path}: signatures of {part.shape[1]} permutations, the recipe asks for {self.dedup.permutations}; "
                "set dedup.permutations to what the version was made with, or build it again"
            )

    def candidates(self, band: int, place: Rows, published: int) -> npt.NDArray[np.uint64]:
        """Return the pairs of one band that pass the estimate, as `left << 32 | right` of positions, sorted, unique.

        `place` lists positions in the order in which members of a large bucket become leaders. Positions below
        `published` are not paired with each other.
        """
        keys = self._keys()[band][place]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        same = keys[1:] == keys[:-1]
        edges = np.diff(np.concatenate(([False], same, [False])).astype(np.int8))
        begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) + 1
        found = _compare_buckets(place[order], begins, ends, self._sketches(), self._least_equal(), published)
        return distinct(found)

    def _keys(self) -> npt.NDArray[np.uint64]:
        return _mapped(self._folder / "keys.u64", np.uint64, (self.dedup.bands, len(self.rows)))

    def _sketches(self) -> npt.NDArray[np.uint64]:
        return _mapped(self._folder / "sketches.u8", np.uint64, (len(self.rows), -(-self.dedup.permutations // 8)))

    def _least_equal(self) -> int:
        """Return the least number of equal bytes of two sketches, padding included, that is not rejected."""
        n = self.dedup.permutations
        chance = self.dedup.threshold + (1 - self.dedup.threshold) / 256
        least = n * chance - 4 * (n * chance * (1 - chance)) ** 0.5
        return int(np.ceil(least)) + -n % 8


def distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return sorted distinct values. `np.unique` hashes since NumPy 2.3: 0.5 to 1 s for 1.3 M pairs, sorting 0.01 s."""
    ordered = np.sort(values)
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def _reserve(path: Path, size: int) -> None:
    """Make a file of zeros that has its room on the disk, so that writing to it when mapped cannot fail.

    A mapped file with holes would end the process by SIGBUS on a full disk. Raises OSError (ENOSPC) instead; where
    the system or the file system cannot reserve room, the file is made with holes.
    """
    with path.open("wb") as file:
        # Asked first, as a reservation that fails has by then taken all the room there is from every other process.
        free = os.fstatvfs(file.fileno())
        if size > free.f_bavail * free.f_frsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if not size or not hasattr(os, "posix_fallocate"):  # macOS has no such call
            file.truncate(size)
            return
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            file.truncate(0)
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
            file.truncate(size)


def _mapped(path: Path, dtype: Any, shape: tuple[int, int]) -> npt.NDArray[Any]:
    if not shape[0] * shape[1]:
        return np.empty(shape, dtype)
    return np.asarray(np.memmap(path, dtype, "r+", shape=shape))


def _band_keys(signatures: npt.NDArray[np.uint32], dedup: Dedup) -> npt.NDArray[np.uint64]:
    """Return one 64-bit key a band, uint64, (rows, bands): multilinear; a collision costs one comparison."""
    used = signatures[:, : dedup.bands * dedup.rows].astype(np.uint64)
    factors = np.arange(1, dedup.rows + 1, dtype=np.uint64) * U64(0x9E3779B97F4A7C15) | U64(1)
    return used.reshape(len(used), dedup.bands, dedup.rows) @ factors


def _packed(signatures: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """Return the low bytes of signatures, padded with zeros to whole 64-bit words."""
    return np.pad(signatures.astype(np.uint8), ((0, 0), (0, -signatures.shape[1] % 8)))


@njit(cache=True, nogil=True)
def _compare_buckets(members: Any, begins: Any, ends: Any, sketches: Any, least: Any, published: Any) -> Any:
    """Return pairs (uint64, left << 32 | right) of buckets `members[begin:end]` that share at least `least` bytes."""
    found = np.empty(1024, np.uint64)
    count = 0
    leaders, equal = np.empty(max(LEADERS, WHOLE), np.int64), np.empty(max(LEADERS, WHOLE), np.int64)
    for bucket in range(len(begins)):
        whole = ends[bucket] - begins[bucket] <= WHOLE
        led = 0
        for i in range(begins[bucket], ends[bucket]):
            one = members[i]
            kin = 0
            if count + led > len(found):
                found = np.concatenate((found, np.empty(len(found) + led, np.uint64)))
            for k in range(led):
                equal[k] = _equal_bytes(sketches[one], sketches[leaders[k]])
                kin += equal[k] >= least
            enough = least if whole or kin <= NEAREST else np.sort(equal[:led])[led - NEAREST]
            for k in range(led):
                other = leaders[k]
                if equal[k] >= enough and (one >= published or other >= published):
                    found[count] = (U64(min(one, other)) << U64(32)) | U64(max(one, other))
                    count += 1
            if whole or (kin < KIN and led < LEADERS):
                leaders[led] = one
                led += 1
    return found[:count]


@njit(inline="always")
def _equal_bytes(one: Any, other: Any) -> Any:
    """Count the equal bytes of two rows of 64-bit words."""
    low = U64(0x7F7F7F7F7F7F7F7F)
    total = np.int64(0)
    for k in range(len(one)):
        x = one[k] ^ other[k]
        zero = ~(((x & low) + low) | x | low)  # 0x80 in every byte of x that is zero, exactly
        total += np.int64(((zero >> U64(7)) * U64(0x0101010101010101)) >> U64(56))
    return total
