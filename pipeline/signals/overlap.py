"""Overlap with evaluation sets: which of their questions a document holds, so that it can be dropped or marked."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, PrivateAttr

from pipeline.step import Signal
from schemas.errors import SourceError
from schemas.manifest import Resource

if TYPE_CHECKING:
    from pipeline.overlap.questions import Questions

MOST_TOLD = 50


class Overlap(Signal):
    """Evaluation questions in a document, verbatim or lightly edited; a recipe's `overlap:` puts this step in place.

    - `overlap_score`: share of a question's characters that stand there, of the one that is there most; 0 for none.
    - `overlap_count`: how many questions are there, each counted once.
    - `overlap_found`: JSON, up to 50 places: benchmark, id, score, first character in the cleaned text, and end.
    """

    kind: ClassVar[str] = "overlap"
    revision: ClassVar[int] = 3

    eval: tuple[str, ...] = Field((), description="files of questions: JSON lines, Parquet or CSV")
    _pinned: str | None = PrivateAttr(None)

    def pinned(self) -> "Overlap":
        """Return the step that holds to the questions as they are now: other ones are refused when it measures."""
        step = self.model_copy()
        step._pinned = self._hash()
        return step

    def _hash(self) -> str:
        from pipeline.overlap.questions import identity

        return self._pinned or identity(self._paths)

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """A share, a number and what was found."""
        return {"overlap_score": pa.float64(), "overlap_count": pa.int64(), "overlap_found": pa.string()}

    def resources(self) -> Sequence[Resource]:
        """The questions, known by their content, and the phrases that tell none of them."""
        from pipeline.overlap.questions import stock

        if not self.eval:
            return (stock(),)
        names = ", ".join(sorted({Path(path).name for path in self.eval}))
        return stock(), Resource(name=f"evaluation questions: {names}", hash=self._hash(), license="not published")

    def identity(self) -> dict[str, Any]:
        """What enters the fingerprint: the content of the questions, not where their files lie."""
        return {**super().identity(), "params": {}}

    @property
    def _paths(self) -> tuple[Path, ...]:
        return tuple(map(Path, self.eval))

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return score, count and what was found."""
        from pipeline.overlap.matches import match

        text = batch.column("text")
        questions = _loaded(self._paths, self._hash())
        found = match(questions, text)
        scores = np.zeros(len(text))
        np.maximum.at(scores, found.rows, found.scores)
        kinds = np.unique(np.stack([found.rows, found.questions]), axis=1)
        counts = np.bincount(kinds[0], minlength=len(text))
        told: list[str] = [""] * len(text)
        for row in np.unique(found.rows).tolist():
            here = np.flatnonzero(found.rows == row)[:MOST_TOLD]
            told[row] = json.dumps([self._told(questions, found, k) for k in here], ensure_ascii=False)
        return [pa.array(scores), pa.array(counts.astype(np.int64)), pa.array(told, pa.string())]

    @staticmethod
    def _told(questions: "Questions", found: Any, k: int) -> list[Any]:
        question = questions.questions[found.questions[k]]
        where = int(found.starts[k]), int(found.ends[k])
        return [question.benchmark, question.id, round(float(found.scores[k]), 4), *where]


@lru_cache(maxsize=2)
def _loaded(paths: tuple[Path, ...], hash: str) -> "Questions":
    """Return the questions that have this hash. Raises SourceError where the files hold others by now."""
    from pipeline.overlap.questions import Questions, identity

    questions = Questions.load(paths)
    if identity(paths) != hash:
        names = ", ".join(map(str, paths))
        raise SourceError(f"{names}: changed since the run began; run again, so that the version says what it used")
    return questions
