"""Classical against modern written Chinese: log-odds of characters and of pairs of neighbours, summed over a text.

Characters are folded to Simplified first, so that one table serves both scripts, and every mark of punctuation is one
and the same. `benchmarks/classical.py` trains the table on texts of both kinds and names them.

Trade: two neighbours are all the context there is. Vernacular novels and plays before 1900 lie between the two kinds
and go by their wording; modern prose that quotes more than it says counts as classical.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.signals import classes
from pipeline.tables import lines_of

TABLE = "classical_weights.tsv"
SCALE = 16
"""Weights in the table are natural log-odds for Classical Chinese times this, rounded."""

PUNCTUATION = 1
"""What `folds` says of a mark of punctuation."""

_SLOTS = 1 << 16


class Weights(NamedTuple):
    """What the kernel looks up. A pair is `first << 16 | second`, in an open hash table that is less than half full."""

    folds: npt.NDArray[np.uint16]
    single: npt.NDArray[np.int8]
    pairs: npt.NDArray[np.uint32]
    paired: npt.NDArray[np.int8]
    bias: int


@cache
def folds() -> npt.NDArray[np.uint16]:
    """Return what each code point counts as: its Simplified form, PUNCTUATION, or 0 (also beyond U+FFFF); uint16."""
    table = classes.table()
    points = np.arange(classes.SIZE, dtype=np.uint32)
    out = np.where((table & classes.HAN > 0) & (points < 0x10000), points, 0)
    out[(table & classes.PUNCTUATION) > 0] = PUNCTUATION
    for line in lines_of("pipeline.dedup", "simplified.tsv"):
        traditional, simplified = line.split("\t")
        out[ord(traditional)] = out[ord(simplified)]
    return out.astype(np.uint16)


@cache
def weights() -> Weights:
    """Return the table as the kernel wants it."""
    fold = folds()
    single = np.zeros(0x10000, np.int8)
    pairs = np.zeros(_SLOTS, np.uint32)
    paired = np.zeros(_SLOTS, np.int8)
    bias = 0
    for line in lines_of(__package__, TABLE):
        length, weight, chars = line.split("\t")
        if length == "0":
            bias = int(weight)
        elif length == "1":
            single[fold[[ord(char) for char in chars]]] = int(weight)
        else:
            for first, second in zip(chars[::2], chars[1::2], strict=True):
                key = np.uint32(fold[ord(first)]) << np.uint32(16) | np.uint32(fold[ord(second)])
                slot = slot_of(pairs, key)
                pairs[slot], paired[slot] = key, int(weight)
    return Weights(fold, single, pairs, paired, bias)


@njit(cache=True, nogil=True, inline="always")
def slot_of(pairs: Any, key: Any) -> Any:
    """Return where a pair stands in the open hash table `pairs`, or the empty slot where it would."""
    last = np.uint32(len(pairs) - 1)
    # Knuth's multiplicative hash: the golden ratio of 2**32.
    slot = (np.uint32(key * np.uint32(2654435769)) >> np.uint32(12)) & last
    while pairs[slot] != 0 and pairs[slot] != key:
        slot = (slot + np.uint32(1)) & last
    return slot
