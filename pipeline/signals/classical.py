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
    """What the kernel looks up.

    `folds`: by code point. `single`, `bases`: by folded character. The pairs that begin with a character lie in `pairs`
    at its base plus the second one, as `first << 8 | weight`: one look-up and no search, since the bases are chosen so
    that no two meet (row displacement: Tarjan, Yao 1979).
    """

    folds: npt.NDArray[np.uint16]
    single: npt.NDArray[np.int8]
    bases: npt.NDArray[np.uint32]
    pairs: npt.NDArray[np.uint32]
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
    keys: list[str] = []
    values: list[int] = []
    bias = 0
    for line in lines_of(__package__, TABLE):
        length, weight, chars = line.split("\t")
        if length == "0":
            bias = int(weight)
        elif length == "1":
            single[fold[[ord(char) for char in chars]]] = int(weight)
        else:
            keys.append(chars)
            values += [int(weight)] * (len(chars) // 2)
    points = np.frombuffer("".join(keys).encode("utf-32-le"), np.uint32)
    first, second = fold[points].astype(np.uint32).reshape(-1, 2).T
    rows = np.bincount(first)[first]
    order = np.lexsort((first, -rows))  # the longest rows first, while there is room
    bases = np.zeros(0x10000, np.uint32)
    pairs = np.zeros(_SLOTS, np.uint32)
    while not _lay(first[order], second[order], np.array(values, np.int8)[order], bases, pairs):
        pairs = np.zeros(2 * len(pairs), np.uint32)
    return Weights(fold, single, bases, pairs, bias)


@njit(cache=True, nogil=True)
def _lay(first: Any, second: Any, values: Any, bases: Any, pairs: Any) -> bool:
    """Choose a base for each first character and lay down its pairs, which stand together; tell whether all fit."""
    last = np.uint32(len(pairs) - 1)
    begin = 0
    while begin < len(first):
        end = begin
        while end < len(first) and first[end] == first[begin]:
            end += 1
        for number in range(len(pairs)):
            base = np.uint32(number * 40503) & last  # an odd number: every base comes once
            free = True
            for i in range(begin, end):
                if pairs[(base + second[i]) & last]:
                    free = False
                    break
            if free:
                break
        if not free:
            return False
        bases[first[begin]] = base
        for i in range(begin, end):
            pairs[(base + second[i]) & last] = first[i] << np.uint32(8) | np.uint32(np.uint8(values[i]))
        begin = end
    return True


@njit(cache=True, nogil=True)
def weight_of(first: Any, second: Any, bases: Any, pairs: Any) -> Any:
    """Return the weight of two neighbours, 0 where the table does not have them."""
    entry = pairs[(bases[first] + second) & np.uint32(len(pairs) - 1)]
    return np.int64(np.int8(entry)) * np.int64(entry >> np.uint32(8) == first)
