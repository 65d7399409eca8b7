"""From labelled or clean documents to a model file: split, train, judge on the part held out.

The part held out is drawn by a hash of the seed and of each text without its blanks (copies of a text are on one
side), or of its source (the figures are those of sources that the model never saw: the honest ones, and lower).
Trade: one split, no cross-validation; the model that is written has not seen the part it is judged on.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.models import linear, ngram
from pipeline.models.curve import Point, best, curve
from pipeline.models.form import MAX_CHARS, REVISION, Folded
from pipeline.text import CodePoints
from schemas.errors import SourceError

Split = Literal["hash", "source"]
_STEPS = 10_000


@dataclass(frozen=True)
class Trained:
    """What a training gives: header and arrays of the file, and the curve of each label on the part held out."""

    header: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]
    curves: Mapping[str, Sequence[Point]]


def train_linear(
    texts: Sequence[str],
    labels: Sequence[str],
    sources: Sequence[str],
    *,
    held_share: float = 0.2,
    split: Split = "hash",
    seed: int = 1,
) -> Trained:
    """Train a model of the labels and judge it. `labels`, `sources`: one for each text.

    Two labels are told apart by the second in order, which is `good` where there is one.
    Raises SourceError, naming the remedy, where a label has no text in either part; RecipeError as `linear.train`.
    """
    names = sorted(set(labels), key=lambda name: (name == "good", name))
    held = held_out(texts, sources, held_share, split, seed)
    for name in names if len(names) > 1 else ():
        there = Counter(bool(part) for part, label in zip(held, labels, strict=True) if label == name)
        if len(there) < 2:
            side = "train on" if there[True] else "judge by"
            raise SourceError(
                f"label '{name}': no document is left to {side} after the split by {split}; give more documents, "
                "or split by hash"
            )
    truth = np.array([names.index(label) for label in labels], np.int64)
    folded = fold(texts)
    settings = linear.Training(seed=seed)
    model = linear.train(take(folded, ~held), truth[~held], names, settings)
    scores, judged = model.scores(take(folded, held)), truth[held]
    shown = names[1:] if len(names) == 2 else names
    curves = {name: curve(judged == names.index(name), scores[:, names.index(name)]) for name in shown}
    right = {name: float(asdict(best(points))["threshold"]) for name, points in curves.items()}
    header = {
        "kind": linear.KIND,
        "labels": names,
        "parameters": {**asdict(settings), "form": REVISION, "max_chars": MAX_CHARS, "orders": linear.ORDERS},
        "license": "internal",
        "data": {"documents": dict(sorted(Counter(labels).items())), "held": int(held.sum()), "split": split},
        "figures": {"accuracy": round(float((scores.argmax(axis=1) == judged).mean()), 6), "best_threshold": right},
    }
    return Trained(header, model.arrays, curves)


def train_ngram(
    texts: Sequence[str], sources: Sequence[str], *, held_share: float = 0.2, split: Split = "hash", seed: int = 1
) -> Trained:
    """Train a language model of clean texts and measure the part held out. Raises RecipeError as `ngram.train`."""
    held = held_out(texts, sources, held_share, split, seed)
    folded = fold(texts)
    settings = ngram.Counting()
    model = ngram.train(take(folded, ~held), settings)
    bits = model.bits(take(folded, held))
    figures = {
        name: {str(share): round(float(np.quantile(values, share)), 4) for share in (0.01, 0.05, 0.5, 0.95, 0.99)}
        for name, values in (("char_bits", bits[0]), ("order_bits", bits[1] - bits[0]))
        if len(values)
    }
    header = {
        "kind": ngram.KIND,
        "labels": [],
        "parameters": {**asdict(settings), "seed": seed, "form": REVISION, "max_chars": MAX_CHARS},
        "license": "internal",
        "data": {"documents": len(texts), "characters": len(folded.points), "held": int(held.sum()), "split": split},
        "figures": figures,
    }
    return Trained(header, model.arrays, {})


def held_out(
    texts: Sequence[str], sources: Sequence[str], share: float, split: Split, seed: int
) -> npt.NDArray[np.bool_]:
    """Return which documents are held out: those whose hash, of seed and text, lies in the lowest share, or those of
    that share of the sources with the lowest hashes, at least one.
    """  # noqa: D205
    if split == "source":
        by_hash = sorted(set(sources), key=lambda source: _number(seed, source))
        held = set(by_hash[: max(1, round(share * len(by_hash)))])
        return np.array([source in held for source in sources], np.bool_)
    return np.array([_number(seed, "".join(text.split())) < share * _STEPS for text in texts], np.bool_)


def _number(seed: int, key: str) -> int:
    hashed = hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(hashed[:8], "big") % _STEPS


def fold(texts: Sequence[str]) -> Folded:
    """Return the folded form of strings."""
    return Folded.of(CodePoints.of(pa.array(texts, pa.large_string())))


def take(texts: Folded, rows: npt.NDArray[np.bool_]) -> Folded:
    """Return the rows that a mask chooses."""
    chosen = CodePoints(texts.points, texts.starts).take(np.flatnonzero(rows))
    return Folded(chosen.points, chosen.starts)
