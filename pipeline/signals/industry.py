"""Industry: which of nine industries of GB/T 4754 a text is about, by a list of terms and a trained linear model.

Each term of the list belongs to one industry and has a weight; a text's vote for an industry is the sum of the weights
of its different terms, over the square root of how many different terms it holds of all industries, so that length
hardly counts. The vote is added to the log odds of the linear model (`pipeline/models/linear.py`), and the scores of all
industries and of `other` are made to add up to 1. The terms that were found are the evidence.

Trade: one industry a text, whatever it mixes; what is of none of them, of another section of the standard, or not
Chinese should be `other` and is so only as far as the training texts showed such.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit
from pydantic import Field

from pipeline.lexicon.files import Lexicon, parse, read
from pipeline.lexicon.matcher import Matcher, matcher
from pipeline.models.file import ModelFile, model_resource, read_model
from pipeline.models.form import MAX_CHARS, Folded
from pipeline.models.linear import KIND, Linear
from pipeline.step import Signal
from pipeline.text import CodePoints, encode
from schemas.errors import RecipeError
from schemas.manifest import Resource

OTHER = "other"
EVIDENCE = 5
VOTE = 1.0
"""What a unit of vote adds to the log odds of the model."""
_MODEL, _LEXICON = "industry.model", "industry.tsv"

Scores = npt.NDArray[np.float64]


class Industry(Signal):
    """The industry that a text is about, how sure that is, and the terms that speak for it.

    - `industry`: agriculture, culture, education, finance, government, health, law, manufacturing, software; empty for
      none of them. `industry_score`: from 0 to 1, of the industry that is named, or of there being none.
    - `industry_evidence`: up to five different terms of that industry in the text, those of the greatest weight first.
    """

    kind: ClassVar[str] = "industry"

    lexicon: str | None = Field(None, description="path of a list of terms with industry and weight (default: ours)")
    model: str | None = Field(None, description="path of a linear model of industries (default: the shipped one)")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """A label, a score and terms."""
        terms = pa.list_(pa.string())
        return {"industry": pa.string(), "industry_score": pa.float64(), "industry_evidence": terms}

    def resources(self) -> Sequence[Resource]:
        """The list of terms and the model. Raises RecipeError where they cannot be read or do not fit each other."""
        classifier = self._classifier()
        return classifier.lexicon.resource, model_resource(self.model, _MODEL, KIND, self.kind)

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`. Raises RecipeError where list or model cannot be read."""
        classifier = self._classifier()
        text = heads(batch.column("text"))
        votes = classifier.votes(text)
        scores = classifier.scores(text, votes)
        best = scores.argmax(axis=1)
        names = np.array([name.replace(OTHER, "") for name in classifier.labels], object)
        terms = [classifier.evidence(votes, row, label) for row, label in enumerate(best)]
        arrays = names[best], scores[np.arange(len(best)), best], terms
        return [pa.array(array, dtype) for array, dtype in zip(arrays, self.adds.values(), strict=True)]

    def _classifier(self) -> "Classifier":
        lexicon = _shipped() if self.lexicon is None else read(Path(self.lexicon))
        return _made(lexicon, read_model(self.model, _MODEL, KIND, self.kind))


@dataclass(frozen=True, slots=True)
class Votes:
    """Which different terms each row holds. `rows`, `forms`: int64, sorted; `sums`: float64, (rows, labels)."""

    rows: npt.NDArray[np.int64]
    forms: npt.NDArray[np.int64]
    sums: Scores


@dataclass(frozen=True)
class Classifier:
    """A list of terms and a model with the same labels, `other` among them."""

    lexicon: Lexicon
    linear: Linear

    def __post_init__(self) -> None:
        unknown = sorted(set(self.lexicon.categories) - set(self.labels))
        if unknown:
            known = ", ".join(name for name in self.labels if name != OTHER)
            raise RecipeError(
                f"step 'industry': lexicon {self.lexicon.name}: the model knows no industry '{unknown[0]}'; "
                f"use {known}, or name a model that was trained for it"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The industries and `other`, in the order of the columns of scores."""
        return self.linear.labels

    @property
    def matcher(self) -> Matcher:
        """The terms, ready to be found."""
        return matcher((self.lexicon,))

    def votes(self, text: pa.Array) -> Votes:
        """Find the terms in a column and sum their weights, each term once a row."""
        hits, forms = self.matcher.find(text), self.matcher.forms
        size = max(len(forms), 1)
        pairs = np.unique(hits.rows * size + hits.forms)
        rows, found = pairs // size, pairs % size
        weights = np.array([form.weight for form in forms])
        label = np.array([self.labels.index(form.categories[0]) for form in forms], np.int64)
        sums = np.zeros((len(text), len(self.labels)))
        np.add.at(sums, (rows, label[found]), weights[found])
        return Votes(rows, found, sums / np.sqrt(np.maximum(np.bincount(rows, minlength=len(text)), 1))[:, None])

    def scores(self, text: pa.Array, votes: Votes) -> Scores:
        """Return the likelihood of each label, float64, (rows, labels), adding up to 1."""
        chances = np.clip(self.linear.scores(Folded.of(CodePoints.of(text))), 1e-6, 1 - 1e-6)
        odds = np.log(chances / (1 - chances)) + VOTE * votes.sums
        grown = np.exp(odds - odds.max(axis=1, keepdims=True))
        shares: Scores = grown / grown.sum(axis=1, keepdims=True)
        return shares

    def evidence(self, votes: Votes, row: int, label: int) -> list[str]:
        """Return the heaviest terms of a label that a row holds; of equal ones, those first in code point order."""
        begin, end = np.searchsorted(votes.rows, (row, row + 1))
        forms = [self.matcher.forms[k] for k in votes.forms[begin:end].tolist()]
        own = [(-form.weight, form.text) for form in forms if form.categories[0] == self.labels[label]]
        return [text for _, text in sorted(own)[:EVIDENCE]]
