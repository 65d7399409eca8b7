"""What models read: the folded characters of a text, so that a reprint in another script or width is judged alike.

It is the match form with punctuation kept: NFKC, case folded, Traditional folded to Simplified, white space left out.
Every decimal digit counts as 0. Only the first characters of a text are read, so that a long one costs no more.

Trade: line breaks and blanks say nothing here; how a page is cut into lines is the business of other signals, and a
model that saw it would learn the files it was trained on.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
        """Fold the first `max_chars` characters of every row."""
        forms = forms_of(_heads(texts, max_chars), FORM)
        points = forms.points
        return cls(np.where((points >= _ZERO) & (points <= _NINE), _ZERO, points), forms.starts)

    def __len__(self) -> int:
        return len(self.starts) - 1


def _heads(texts: CodePoints, most: int) -> CodePoints:
    """Return the first `most` characters of each row."""
    counts = texts.counts
    if not len(counts) or counts.max() <= most:
        return texts
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.minimum(counts, most))])
    places = np.arange(starts[-1]) + np.repeat(texts.starts[:-1] - starts[:-1], np.diff(starts))
    return CodePoints(texts.points[places], starts)
