"""Overlap with evaluation sets: which of their questions a document holds, so that it can be dropped or marked."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.step import Signal
from schemas.manifest import Resource

if TYPE_CHECKING:
    from pipeline.overlap.questions import Questions

MOST_TOLD = 50


class Overlap(Signal):
    """Evaluation questions in a document, verbatim or lightly edited; a recipe's `overlap:` puts this step in place.

    - `overlap_score`: share of a question's characters that stand there, of the one that is there most; 0 for none.
    - `overlap_count`: how many questions are there.
    - `overlap_found`: JSON, up to 50 of them: benchmark, id, score, and first and last character in the cleaned text.
    """

    kind: ClassVar[str] = "overlap"

    eval: tuple[str, ...] = Field((), description="files of questions: JSON lines, Parquet or CSV")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """A share, a number and what was found."""
        return {"overlap_score": pa.float64(), "overlap_count": pa.int64(), "overlap_found": pa.string()}

    def resources(self) -> Sequence[Resource]:
        """The questions, known by their content."""
        from pipeline.overlap.questions import identity

        if not self.eval:
            return ()
        names = ", ".join(sorted({Path(path).name for path in self.eval}))
        return (Resource(name=f"evaluation questions: {names}", hash=identity(self._paths), license="not published"),)

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
        questions = _loaded(self._paths)
        found = match(questions, text)
        scores = np.zeros(len(text))
        np.maximum.at(scores, found.rows, found.scores)
        counts = np.bincount(found.rows, minlength=len(text))
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


@cache
def _loaded(paths: tuple[Path, ...]) -> "Questions":
    from pipeline.overlap.questions import Questions

    return Questions.load(paths)
