"""Which texts share 13 characters in a row with texts that must not be trained on.

Characters are those of the match form (width, case, script and marks do not count), and seven of the 13 at least are
Han: 13 Latin letters or digits are a word or a number, and any two manuals share one. Trade: hashes of 64 bits stand
for the characters, so a chance meeting would leave out a text that shares nothing.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.dedup.matchform import match_forms

SIZE = 13
HAN = 7
_FIRST, _LAST = np.uint32(0x4E00), np.uint32(0x9FFF)
BLOCK = 20_000  # texts that are hashed at once


@dataclass(frozen=True)
class Grams:
    """Hashes of all runs of SIZE characters, sorted, uint64."""

    hashes: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, files: Sequence[Path]) -> "Grams":
        """Return the runs of the `text` of every line of some files of JSON lines."""
        found = [np.unique(hashed(block)) for block in _blocks(files)]
        return cls(np.unique(np.concatenate([np.empty(0, np.uint64), *found])))

    def shared(self, text: str) -> bool:
        """Tell whether a text has one of the runs."""
        own = hashed([text])
        places = np.minimum(np.searchsorted(self.hashes, own), max(len(self.hashes) - 1, 0))
        return bool(len(self.hashes) and (self.hashes[places] == own).any())


def _blocks(files: Sequence[Path]) -> Iterator[list[str]]:
    block: list[str] = []
    for path in files:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                block.append(json.loads(line)["text"])
                if len(block) == BLOCK:
                    yield block
                    block = []
    yield block


def hashed(texts: list[str]) -> npt.NDArray[np.uint64]:
    """Return the hash of every run of SIZE characters of some texts."""
    forms = match_forms(pa.array(texts, pa.string()))
    out = np.empty(len(forms.points), np.uint64)
    return out[: _hash(forms.points, forms.starts, out)]


@njit(cache=True, nogil=True)
def _hash(points: Any, starts: Any, out: Any) -> int:
    count = 0
    for row in range(len(starts) - 1):
        for i in range(starts[row], starts[row + 1] - SIZE + 1):
            key, han = np.uint64(0), 0
            for k in range(SIZE):
                han += _FIRST <= points[i + k] <= _LAST
                key = (key ^ np.uint64(points[i + k])) * np.uint64(0x9E3779B97F4A7C15)
                key ^= key >> np.uint64(29)
            if han >= HAN:
                out[count] = key
                count += 1
    return count
