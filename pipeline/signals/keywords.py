"""Lists of search keywords: short phrases in a row that repeat each other's words, written for search engines.

北京搬家公司 北京搬家价格 北京搬家电话: no sentence, and not the same phrase again, so neither the words nor the
repeated n-grams of a text tell it. A list of items (苹果、香蕉、梨) shares no words and counts for nothing.

Trade: a keyword that is worked into whole sentences is not found; enumerations of 财政部门、税务部门 are, where four
stand side by side, so a rule wants a share of the text.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.signals import classes
from pipeline.signals.classes import CLAUSE_END, DIGIT, HAN, LATIN, SENTENCE_END, SIZE, SPACE
from pipeline.step import Signal
from pipeline.text import CodePoints

SHORTEST, LONGEST, LEAST_RUN = 2, 16, 4


class Keywords(Signal):
    """Share of a text that is a list of search keywords.

    `keyword_share`: visible characters in runs of four or more phrases of 2 to 16 characters, each of which holds two
    adjacent Han characters of the one before it, of all visible characters. Ends of sentences end a run.
    """

    kind: ClassVar[str] = "keywords"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """One share, from 0 to 1."""
        return {"keyword_share": pa.float64()}

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the column of `adds`."""
        text = CodePoints.of(batch.column("text"))
        out = np.zeros(len(text))
        _measure(text.points, text.starts, classes.table(), out)
        return [pa.array(out)]


@njit(cache=True, nogil=True)
def _repeats(points: Any, before: Any, before_end: Any, i: Any, end: Any, table: Any) -> bool:
    """Tell whether two phrases share two adjacent Han characters."""
    for k in range(i, end - 1):
        if not table[min(points[k], np.uint32(SIZE - 1))] & HAN:
            continue
        for j in range(before, before_end - 1):
            if points[j] == points[k] and points[j + 1] == points[k + 1]:
                return True
    return False


@njit(cache=True, nogil=True)
def _measure(points: Any, starts: Any, table: Any, out: Any) -> None:
    """Fill `out`, float64, (rows,)."""
    for row in range(len(starts) - 1):
        end = starts[row + 1]
        visible = listed = run = run_chars = 0
        before = before_end = starts[row]
        i = starts[row]
        while i < end:
            bits = table[min(points[i], np.uint32(SIZE - 1))]
            if not bits & (HAN | LATIN | DIGIT):
                visible += not bits & SPACE
                if bits & (SENTENCE_END | CLAUSE_END) and points[i] > 127:
                    listed += run_chars if run >= LEAST_RUN else 0
                    run = run_chars = 0
                    before_end = before
                i += 1
                continue
            begin = i
            while i < end and table[min(points[i], np.uint32(SIZE - 1))] & (HAN | LATIN | DIGIT):
                i += 1
            size = i - begin
            visible += size
            fits = SHORTEST <= size <= LONGEST
            if fits and run > 0 and _repeats(points, before, before_end, begin, i, table):
                run += 1
                run_chars += size
            else:
                listed += run_chars if run >= LEAST_RUN else 0
                run, run_chars = (1, size) if fits else (0, 0)
            before, before_end = begin, i
        listed += run_chars if run >= LEAST_RUN else 0
        out[row] = listed / max(1, visible)
