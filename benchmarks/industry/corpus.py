"""The gathered texts of `gather.py`, and their words.

Trade: words are jieba's cut of the folded text, so a word that its dictionary lacks is no candidate for the list of
terms; users may add it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from seeds import held, seeds

from pipeline.models.form import MAX_CHARS, Folded
from pipeline.signals.words import segment
from pipeline.text import CodePoints, encode

LABELS = (
    "agriculture",
    "culture",
    "education",
    "finance",
    "government",
    "health",
    "law",
    "manufacturing",
    "software",
    "other",
)


@dataclass(frozen=True)
class Corpus:
    """Texts with sources and labels. `labels`: places in LABELS, int64; `trainable`: may be trained on."""

    texts: pa.Array
    sources: npt.NDArray[np.object_]
    labels: npt.NDArray[np.int64]
    trainable: npt.NDArray[np.bool_]

    @classmethod
    def read(cls, path: Path) -> "Corpus":
        """Read the file that `gather.py` wrote."""
        with path.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        labels = np.array([LABELS.index(row["label"]) for row in rows])
        trainable = np.array([row["use"] == "train" for row in rows])
        sources = np.array([row["source"] for row in rows], object)
        return cls(pa.array([row["text"] for row in rows], pa.string()), sources, labels, trainable)

    def take(self, rows: npt.NDArray[np.int64]) -> "Corpus":
        """Return some rows."""
        return Corpus(self.texts.take(pa.array(rows)), self.sources[rows], self.labels[rows], self.trainable[rows])

    def folded(self) -> Folded:
        """Return the texts as models read them."""
        return Folded.of(CodePoints.of(self.texts))

    def words(self) -> list[frozenset[str]]:
        """Return the different words of each text that may be terms: two to eight letters, no digit; and its seeds."""
        folded = Folded.of(CodePoints.of(self.texts), MAX_CHARS)
        texts = encode(CodePoints(folded.points, folded.starts))
        cut = (frozenset(filter(_may_be_term, segment(text))) - seeds().keys() for text in texts.to_pylist())
        return [words | own for words, own in zip(cut, held(texts), strict=True)]

    def __len__(self) -> int:
        return len(self.labels)


def _may_be_term(word: str) -> bool:
    if word.isascii():
        return 3 <= len(word) <= 12 and word.isalpha()
    return 2 <= len(word) <= 8 and all("\u4e00" <= char <= "\u9fff" for char in word)
