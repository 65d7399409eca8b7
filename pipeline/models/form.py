"""What models read: the folded characters of a text, so that a reprint in another script or width is judged alike.

It is the match form with punctuation kept: NFKC, case folded, Traditional folded to Simplified, white space left out.
Every decimal digit counts as 0. Only the first characters of a text are read, so that a long one costs no more.

Trade: line breaks and blanks say nothing here; how a page is cut into lines is the business of other signals, and a
model that saw it would learn the files it was trained on. Each thread keeps the texts that it folded last, so that all
models of a batch share the work.
"""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.dedup.matchform import forms_of
from pipeline.text import CodePoints
from schemas.recipe import MatchForm

FORM = MatchForm(punctuation="keep")
REVISION = 1
MAX_CHARS = 10_000
_ZERO, _NINE = np.uint32(0x30), np.uint32(0x39)


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded texts, end to end: `points` uint32, (characters,); `starts` int64, (rows + 1,)."""

    points: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, texts: CodePoints, max_chars: int = MAX_CHARS) -> "Folded":
        """Fold the first `max_chars` characters of every row; what the thread folded last is given again."""
        last = getattr(_folded, "last", None)
        if last is None or last[0] is not texts or last[1] != max_chars:
            forms = forms_of(_heads(texts, max_chars), FORM)
            _even_digits(forms.points)
            last = _folded.last = (texts, max_chars, cls(forms.points, forms.starts))
        found: Folded = last[2]
        return found

    def __len__(self) -> int:
        return len(self.starts) - 1


_folded = threading.local()


@njit(cache=True, nogil=True)
def _even_digits(points: Any) -> None:
    """Let every digit be 0, in place."""
    for i in range(len(points)):
        points[i] = _ZERO if _ZERO <= points[i] <= _NINE else points[i]


def _heads(texts: CodePoints, most: int) -> CodePoints:
    """Return the first `most` characters of each row."""
    counts = texts.counts
    if not len(counts) or counts.max() <= most:
        return texts
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.minimum(counts, most))])
    points = np.empty(starts[-1], np.uint32)
    _copy(texts.points, texts.starts, points, starts)
    return CodePoints(points, starts)


@njit(cache=True, nogil=True)
def _copy(source: Any, begins: Any, points: Any, starts: Any) -> None:
    """Copy the beginning of each row, as long as `starts` says."""
    for row in range(len(starts) - 1):
        size = starts[row + 1] - starts[row]
        points[starts[row] : starts[row + 1]] = source[begins[row] : begins[row] + size]
