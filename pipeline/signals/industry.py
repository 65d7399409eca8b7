"""Industry: which of nine industries of GB/T 4754 a text is about, by a list of terms and a trained linear model.

Each term of the list speaks for one industry, or for there being none, and has a weight. A text's vote for an
industry is the sum of the weights of its different terms, over the cube root of how many different terms it holds, so
that length counts little. It is added to the log odds of the linear model (`pipeline/models/linear.py`), and the scores
of all industries and of none are made to add up to 1. The terms that were found are the evidence.

Trade: one industry a text, whatever it mixes. What is of none of them, or of another section of the standard, is told
only as far as the training texts showed such; `docs/industry.md` says how often that goes wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.lexicon.files import Lexicon, parse, read
from pipeline.lexicon.matcher import Matcher, matcher
from pipeline.models.file import ModelFile, model_resource, read_model
from pipeline.models.form import MAX_CHARS, Folded
from pipeline.models.linear import KIND, Linear
from pipeline.step import Signal
from pipeline.text import CodePoints
from schemas.errors import RecipeError
from schemas.manifest import Resource

OTHER = "other"
EVIDENCE = 5
VOTE, ROOT = 1.0, 1 / 3
"""What a vote of 1 adds to log odds, and the power of the number of terms that it is divided by; of 0.7, 1 and 1.5, and
of 0.3 to 0.7, among the best both on sources that were never trained on and on those left out."""
_MODEL, _LEXICON = "industry.model", "industry.tsv"

Scores = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


class Industry(Signal):
    """The industry that a text is about, how sure that is, and the terms that speak for it.

    - `industry`: agriculture, culture, education, finance, government, health, law, manufacturing, software; empty for
      none of them. `industry_score`: from 0 to 1, of the industry that is named, or of there being none.
    - `industry_evidence`: up to five different terms of that industry in the text, the heaviest first.

    The first 10,000 characters are looked at; width, case and script make no difference. More: docs/industry.md.
    """

    kind: ClassVar[str] = "industry"
    revision: ClassVar[int] = 2

    lexicon: str | None = Field(None, description="path of a list of terms, industries and weights (default: ours)")
    model: str | None = Field(None, description="path of a linear model of industries (default: the shipped one)")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """A label, a score and terms."""
        terms = pa.list_(pa.string())
        return {"industry": pa.string(), "industry_score": pa.float64(), "industry_evidence": terms}

    def resources(self) -> Sequence[Resource]:
        """The list of terms and the model. Raises RecipeError where they cannot be read or do not fit each other."""
        return self._classifier().lexicon.resource, model_resource(self.model, _MODEL, KIND, self.kind)

    def identity(self) -> dict[str, Any]:
        """What enters the fingerprint: the content of list and model, not where they lie."""
        return {**super().identity(), "params": {}}

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`. Raises RecipeError where list or model cannot be read."""
        classifier = self._classifier()
        text = batch.column("text")
        votes = classifier.votes(text)
        scores = classifier.scores(text, votes)
        best = scores.argmax(axis=1)
        names = pa.array(["" if name == OTHER else name for name in classifier.labels])
        score = pa.array(scores[np.arange(len(best)), best], pa.float64())
        return [names.take(pa.array(best)), score, classifier.evidence(votes, best)]

    def _classifier(self) -> "Classifier":
        lexicon = _shipped() if self.lexicon is None else read(Path(self.lexicon))
        model = read_model(self.model, _MODEL, KIND, self.kind)
        return _made(_Parts((lexicon.hash, model.sha256), lexicon, model))


@dataclass(frozen=True, slots=True)
class Votes:
    """Which different terms each row holds.

    `rows`, `terms`: int64, in order of rows; a term is a place in `Classifier.terms`. `sums`: (rows, labels).
    """

    rows: Numbers
    terms: Numbers
    sums: Scores


@dataclass(frozen=True)
class Classifier:
    """A list of terms and a model. Raises RecipeError where the model lacks an industry of the list, or `other`."""

    lexicon: Lexicon
    linear: Linear

    def __post_init__(self) -> None:
        if OTHER not in self.labels:
            raise RecipeError(f"step 'industry': the model has no label '{OTHER}'; train one with texts of no industry")
        unknown = sorted(set(self.lexicon.categories) - set(self.labels))
        if unknown:
            raise RecipeError(
                f"step 'industry': lexicon {self.lexicon.name}: the model knows no industry '{unknown[0]}'; "
                f"use {', '.join(self.labels)}, or name a model that was trained for it"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The industries and `other`, in the order of the columns of scores."""
        return self.linear.labels

    @cached_property
    def _matcher(self) -> Matcher:
        return matcher((self.lexicon,))

    @cached_property
    def _order(self) -> Numbers:
        """The terms of the matcher in the order of evidence: the heaviest first, of equal ones by code points."""
        forms = self._matcher.forms
        return np.array(sorted(range(len(forms)), key=lambda k: (-forms[k].weight, forms[k].text)), np.int64)

    @cached_property
    def terms(self) -> pa.Array:
        """The terms as the list has them, the heaviest first."""
        return pa.array([self._matcher.forms[k].text for k in self._order.tolist()], pa.string())

    @cached_property
    def _weights(self) -> Scores:
        return np.array([self._matcher.forms[k].weight for k in self._order.tolist()])

    @cached_property
    def _labels(self) -> Numbers:
        """The label of each of `terms`, int64; a term that is listed for several speaks for the first."""
        categories = (self._matcher.forms[k].categories for k in self._order.tolist())
        return np.array([self.labels.index(names[0]) if names else -1 for names in categories], np.int64)

    def votes(self, text: pa.Array) -> Votes:
        """Find the terms in the first characters of a string column and sum their weights, each term once a row."""
        hits = self._matcher.find(pc.utf8_slice_codeunits(text, 0, MAX_CHARS))
        size = max(len(self._order), 1)
        pairs = np.unique(hits.rows * size + np.argsort(self._order)[hits.forms])
        rows, terms = pairs // size, pairs % size
        sums = np.zeros((len(text), len(self.labels)))
        np.add.at(sums, (rows, self._labels[terms]), self._weights[terms])
        counts = np.bincount(rows, minlength=len(text))
        return Votes(rows, terms, sums / (np.maximum(counts, 1) ** ROOT)[:, None])

    def scores(self, text: pa.Array, votes: Votes) -> Scores:
        """Return the likelihood of each label, float64, (rows, labels), adding up to 1."""
        folded = Folded.of(CodePoints.of(text))
        chances = self.linear.scores(folded)
        chances[np.diff(folded.starts) == 0, self.labels.index(OTHER)] = 1.0
        chances = np.clip(chances, 1e-6, 1 - 1e-6)
        odds = np.log(chances / (1 - chances)) + VOTE * votes.sums
        grown = np.exp(odds - odds.max(axis=1, keepdims=True, initial=-np.inf))
        shares: Scores = grown / grown.sum(axis=1, keepdims=True)
        return shares

    def evidence(self, votes: Votes, labels: Numbers) -> pa.Array:
        """Return the heaviest terms of each row that speak for its industry, a list of strings a row."""
        found, none = self._labels[votes.terms], self.labels.index(OTHER)
        own = (found == labels[votes.rows]) & (found != none)
        rows, terms = votes.rows[own], votes.terms[own]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        counts = np.bincount(rows[place < EVIDENCE], minlength=len(labels))
        offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), self.terms.take(pa.array(terms[place < EVIDENCE])))


@dataclass(frozen=True)
class _Parts:
    """What a classifier is made of, known by its hashes."""

    hashes: tuple[str, str]
    lexicon: Lexicon = field(compare=False)
    model: ModelFile = field(compare=False)


@lru_cache(maxsize=4)
def _made(parts: _Parts) -> Classifier:
    return Classifier(parts.lexicon, Linear.of(parts.model))


@lru_cache(maxsize=1)
def _shipped() -> Lexicon:
    return parse(files(__package__).joinpath("data", _LEXICON).read_bytes(), _LEXICON)
