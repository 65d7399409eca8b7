"""Evaluation questions inside documents: which, how much of them, and where."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.matchform import form_lengths, joining, match_forms
from pipeline.dedup.signature import shingle_coefficients
from pipeline.overlap.questions import Questions
from pipeline.overlap.seeds import find
from pipeline.text import CodePoints, encode


@dataclass(frozen=True, slots=True)
class Matches:
    """Overlaps of a batch, in order of documents and places.

    `rows`: of the batch; `questions`: numbers of questions; `starts`, `ends`: characters of the text; `scores`: share
    of the question's characters that stand there, in order. All int64 but `scores`, float64.
    """

    rows: npt.NDArray[np.int64]
    questions: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]


def match(questions: Questions, column: pa.Array) -> Matches:
    """Find questions in every text of a string column without nulls. A result depends on its own text alone."""
    forms = match_forms(column)
    found = find(forms.points, forms.starts, shingle_coefficients(), questions.index)
    found = found[np.lexsort((found[:, 1], found[:, 2], found[:, 0]))]
    rows, numbers = found[:, 0].astype(np.int64), found[:, 1].astype(np.int64)
    scores = np.minimum(found[:, 4] / questions.sizes[numbers], 1.0)
    starts, ends = _in_text(column, rows, found[:, 2].astype(np.int64), found[:, 3].astype(np.int64))
    return Matches(rows, numbers, starts, ends, scores)


def _in_text(
    column: pa.Array, rows: npt.NDArray[np.int64], begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the characters of texts that spans of match forms come from."""
    chosen, place = np.unique(rows, return_inverse=True)
    texts = CodePoints.of(column.take(pa.array(chosen)))
    units, made = _units(texts)
    before = np.concatenate([[0], np.cumsum(made)])
    edges = np.append(units, len(texts.points))
    first = before[np.searchsorted(units, texts.starts[:-1])][place]
    low = np.searchsorted(before, first + begins, side="right") - 1
    high = np.searchsorted(before, first + ends, side="left")
    return edges[low] - texts.starts[place], edges[high] - texts.starts[place]


def _units(texts: CodePoints) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where the units of texts begin, and how many characters of the match form each makes.

    A unit is a character, or one with those that NFKC may join to it.
    """
    begins = ~joining(texts.points)
    begins[texts.starts[:-1][texts.counts > 0]] = True
    units = np.flatnonzero(begins)
    made = form_lengths(CodePoints(texts.points[units], np.array([0, len(units)])))
    sizes = np.diff(np.append(units, len(texts.points)))
    several = np.flatnonzero(sizes > 1)
    if len(several):
        inside = np.repeat(sizes > 1, sizes)
        starts = np.concatenate([[0], np.cumsum(sizes[several])])
        made[several] = match_forms(encode(CodePoints(texts.points[inside], starts))).counts
    return units, made
