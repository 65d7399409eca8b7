"""Rows that a pattern of lines may match: found by one look at the bytes, so that the pattern reads few lines.

Most lines of Chinese text hold none of the bytes that markup, scripts or menus need. A kernel copies out those that do
(2 GB/s), and RE2 reads the copy. What it finds there it would have found in the whole text, and nothing else: lines
stay whole, and the first and the last line of a text stay what they are.

Trade: a pattern must match inside one line; a break at its end is allowed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from pipeline.text import utf8_buffers

_ANY, _ONLY, _ALL, _OTHER, _WIDE = 1, 2, 4, 64, 128  # bits of bytes; `_ALL` is the first of several


@dataclass(frozen=True, slots=True)
class Lines:
    """Which lines a pattern may match: `bits` of each byte, uint8, (256,), and whether it may where a line has these.

    `wanted`: bool, (256,), by the bits that the bytes of a line have together.
    """

    bits: npt.NDArray[np.uint8]
    wanted: npt.NDArray[np.bool_]

    @classmethod
    def holding(cls, chars: str, *, every: str = "", only: str = "", narrow: bool = False) -> "Lines":
        """Return the lines that hold one of some ASCII characters, or each of `every` (at most four).

        And those made of `only` these, and those of ASCII alone (`narrow`).
        """
        bits = np.full(256, _WIDE, np.uint8)
        bits[:128] = _OTHER
        bits[[ord(char) for char in only]] = _ONLY
        for place, char in enumerate(every):
            bits[ord(char)] = _ALL << place
        bits[[ord(char) for char in chars]] = _ANY
        seen = np.arange(256)
        whole = (_ALL << len(every)) - _ALL
        wanted = ((seen & _ANY) > 0) | (seen == _ONLY)
        wanted |= (whole > 0) & ((seen & whole) == whole)
        wanted |= narrow & (seen > 0) & (seen < _WIDE)
        return cls(bits, wanted)

    def matched(self, column: pa.Array, pattern: str) -> list[int]:
        """Return the rows of a text column in which an RE2 pattern matches one of these lines."""
        copies = self.of(column)
        rows: list[int] = pc.indices_nonzero(pc.match_substring_regex(copies, pattern)).to_pylist()
        return rows

    def of(self, column: pa.Array) -> pa.Array:
        """Return the column with these lines alone."""
        data, offsets = utf8_buffers(column)
        # A line break more a row, where its first line goes.
        out = np.empty(int(offsets[-1] - offsets[0]) + len(column), np.uint8)
        starts = np.empty(len(offsets), np.int64)
        size = _copy(data, offsets, self.bits, self.wanted, out, starts)
        buffers = [None, pa.py_buffer(starts), pa.py_buffer(out[:size])]
        return pa.Array.from_buffers(pa.large_string(), len(column), buffers)


@njit(cache=True, nogil=True)
def _copy(data: Any, offsets: Any, bits: Any, wanted: Any, out: Any, starts: Any) -> int:
    """Copy the wanted lines of each row with their breaks, write where each row begins, and return the size."""
    one = np.uint64(1)
    size = np.uint64(0)
    for row in range(len(offsets) - 1):
        starts[row] = first = size
        begin, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        line = begin
        while line < end:
            seen = np.uint8(0)
            i = line
            while i < end and data[i] != 10:
                seen |= bits[data[i]]
                i += one
            after = min(i + one, end)
            if wanted[seen]:
                if size == first and line > begin:
                    out[size] = 10
                    size += one
                for k in range(line, after):
                    out[size] = data[k]
                    size += one
            line = after
    starts[len(offsets) - 1] = size
    return int(size)
