"""Ids and hashes as pairs of words: 16 bytes a document, compared and grouped by the million without strings."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
TRAIN = "train"


def words16(column: pa.ChunkedArray) -> Words:
    """Return the first 16 bytes of hex strings as big-endian words, uint64, (rows, 2)."""
    heads = pc.utf8_slice_codeunits(column, 0, 32).combine_chunks()
    raw = bytes.fromhex("".join(heads.to_pylist()))
    return np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)


def hex_of(words: Words) -> list[str]:
    """Return ids as the hex strings they came from."""
    raw = words.astype(">u8").tobytes().hex()
    return [raw[i : i + 32] for i in range(0, len(raw), 32)]


def number_equal(words: Words) -> Rows:
    """Return an int64 number a row, equal exactly where both words are equal."""
    order = np.lexsort((words[:, 1], words[:, 0]))
    ordered = words[order]
    fresh = np.ones(len(words), np.int64)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    numbers = np.empty(len(words), np.int64)
    numbers[order] = np.cumsum(fresh) - 1
    return numbers


def greatest_first(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return a signal as a key to sort ascending by: its greatest value first, missing ones last."""
    values = column.cast(pa.float64()).to_numpy()
    return np.where(np.isnan(values), np.inf, -values)


def by_priority(
    keep: Sequence[str], keys: Mapping[str, npt.NDArray[np.float64]], ids: Words, age: Rows | None = None
) -> Rows:
    """Return row numbers in the order of a recipe's `dedup.keep`, smallest keys first; ids decide what is left open.

    `keys`: of every name in `keep` but `id`. `age`: goes before all of them.
    """
    names = [*keep, *(["id"] if "id" not in keep else [])]
    found: list[npt.NDArray[np.generic]] = []
    for name in reversed(names):
        found += [ids[:, 1], ids[:, 0]] if name == "id" else [keys[name]]
    return np.lexsort((*found, *([] if age is None else [age]))).astype(np.int64)


def split_of(words: Words, splits: dict[str, float]) -> npt.NDArray[np.object_]:
    """Return the split of each id: shares, in the order of their names, of the range of its last 8 bytes; else `train`.

    Depends on the id alone, so a document stays in its split in any order of runs, as long as the shares stay.
    """
    position = words[:, 1].astype(np.float64) / 2.0**64
    result = np.full(len(words), TRAIN, object)
    low = 0.0
    for name, share in sorted(splits.items()):
        result[(position >= low) & (position < low + share)] = name
        low += share
    return result
