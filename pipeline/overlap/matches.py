"""Evaluation questions inside documents: which, how much of them, and where."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.matchform import form_lengths, match_forms
from pipeline.dedup.signature import shingle_coefficients
from pipeline.overlap.questions import Questions
from pipeline.overlap.seeds import find
from pipeline.text import CodePoints


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
    found = find(
        *(forms.points, forms.starts, shingle_coefficients()),
        *(questions.forms.points, questions.forms.starts, questions.table, questions.slots),
        *(questions.begins, questions.rows, questions.weights, questions.totals),
    )
    found = found[np.lexsort((found[:, 1], found[:, 2], found[:, 0]))]
    rows, numbers = found[:, 0].astype(np.int64), found[:, 1].astype(np.int64)
    scores = np.minimum(found[:, 4] / questions.forms.counts[numbers], 1.0)
    starts, ends = _in_text(column, rows, found[:, 2].astype(np.int64), found[:, 3].astype(np.int64))
    return Matches(rows, numbers, starts, ends, scores)


def _in_text(
    column: pa.Array, rows: npt.NDArray[np.int64], begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the characters of texts that spans of match forms come from.

    Characters that join under NFKC make fewer together than alone: behind such a one a span may end up to that early.
    """
    chosen = np.unique(rows)
    texts = CodePoints.of(column.take(pa.array(chosen)))
    made = np.cumsum(form_lengths(texts))
    first = np.append(0, made)[texts.starts[:-1]]
    place = np.searchsorted(chosen, rows)
    low = np.searchsorted(made, first[place] + begins, side="right")
    high = np.searchsorted(made, first[place] + ends, side="left") + 1
    limit = texts.counts[place]
    return low - texts.starts[place], np.minimum(high - texts.starts[place], limit)
