"""How much of one dataset is in another, estimated from their signatures alone: no text is needed.

A document of A counts as in B when its match form equals one of B (known by its hash), or when its shingles resemble
those of one of B by a Jaccard of at least the threshold. The latter is only estimated: of 128 minima so many agree. A
document whose estimate is near the threshold may be on either side, so the distribution of the true Jaccard is found
first, by maximum likelihood on a grid (expectation maximisation of a binomial mixture; Laird 1978), and each document
counts by its probability. The 95 % interval comes from resampling the documents and drawing each one's side.

It says nothing of containment: a short text inside a long one resembles it little. Documents whose best partner shares
no band are missed: at Jaccard 0.8 one in 20,000 with 25 bands of 5.

Memory: 21 bytes a document of both sides, and about 80 bytes for each pair of documents that may resemble each other.
Scratch: 128 bytes and 4 bytes a band for each document.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.dedup.buckets import (
    Packed,
    Rows,
    Signed,
    column_of,
    distinct,
    fixed,
    least_equal,
    mapped,
    pack,
    rows_of,
)
from pipeline.dedup.candidates import LOW, agree, leaders, matches
from pipeline.dedup.signature import differences
from pipeline.dedup.verify import halves
from pipeline.storage import batches, open_parquet
from schemas.errors import StoreError
from schemas.recipe import Dedup

METADATA = b"yuliao.signatures"
GRID = np.linspace(0.3, 1.0, 141)  # of the Jaccard
ROUNDS, REPEATS = 200, 200
PIECE = 1 << 18  # pairs whose minima are compared at once
U64 = np.uint64


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a dataset with its 95 % interval; `exact` is the part with equal match forms, which is known."""

    share: float
    low: float
    high: float
    exact: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of one dataset is in another."""

    documents: int
    characters: int
    of_documents: Share
    of_characters: Share


def parameters_of(files: Sequence[Path]) -> dict[str, Any]:
    """Return the parameters that files of signatures were made with.

    Raises StoreError where a file does not say them, or not the same as the first.
    """
    found: dict[str, Any] = {}
    for path in files:
        with open_parquet(path) as file:
            stored = (file.schema_arrow.metadata or {}).get(METADATA)
        if stored is None:
            raise StoreError(
                "{path}: does not say how its signatures were made; publish it again with this yuliao", path=path
            )
        values = json.loads(stored)
        if found and values != found:
            raise StoreError(
                "{path}: made with {differences} in {other}; compare files of one kind",
                path=path,
                differences=_difference(values, found),
                other=files[0],
            )
        found = values
    return found


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    return "; ".join(f"{name} {mine}, but {theirs}" for name, mine, theirs in differences(one, other))


def estimate(
    one: Sequence[Path], other: Sequence[Path], scratch: Path, *, threshold: float = 0.8, seed: int = 1
) -> tuple[Overlap, Overlap]:
    """Return how much of `one` is in `other`, and the other way round.

    Args:
        one: Parquet files of signatures, as they lie beside the shards of a version.
        other: those of the other dataset.
        scratch: an empty folder for temporary files.
        threshold: least Jaccard at which a document counts as the same.
        seed: of the resampling.

    Raises:
        StoreError: files do not say their parameters, or were made with different ones.
    """
    mine, theirs = parameters_of(one), parameters_of(other)
    if mine != theirs:
        raise StoreError(
            "{path}: made with {differences} in {other}; sign one of them again",
            path=one[0],
            differences=_difference(mine, theirs),
            other=other[0],
        )
    fields = {name: value for name, value in mine.items() if name in Dedup.model_fields}
    dedup = Dedup(**{**fields, "threshold": threshold})
    with _Side(one, scratch / "one", dedup) as a, _Side(other, scratch / "other", dedup) as b:
        return _in(a, b, dedup, seed), _in(b, a, dedup, seed)


class _Side:
    """The signatures of one dataset, cut into what is compared; as a context it holds them."""

    def __init__(self, files: Sequence[Path], folder: Path, dedup: Dedup) -> None:
        self.signed = Signed(folder, dedup)
        self._files, self._folder = files, folder

    def __enter__(self) -> "_Side":
        with self.signed, (self._folder / "minima").open("wb") as low:
            for path in self._files:
                for table in batches(path, ["match_hash", "signature", "char_count"]):
                    self.signed.add(table, path)
                    minima = fixed(column_of(table, "signature"), np.uint32).astype(np.uint8)
                    low.write(np.pad(minima, ((0, 0), (0, -minima.shape[1] % 8))).data)
            self.signed.done()
        self.words = -(-self.signed.dedup.permutations // 8)
        return self

    def __exit__(self, *_: object) -> None:
        self.signed.release()

    def minima(self, rows: Rows) -> npt.NDArray[np.uint8]:
        """Return the low bytes of the minima of ascending rows, uint8, (rows, permutations)."""
        found = rows_of(self._folder / "minima", self.words, rows)
        return found.view(np.uint8)[:, : self.signed.dedup.permutations]


def _in(a: _Side, b: _Side, dedup: Dedup, seed: int) -> Overlap:
    """Return how much of `a` is in `b`."""
    rows = a.signed.rows
    chars = a.signed.chars.astype(np.float64)
    exact = np.zeros(rows, bool)
    exact[_twins(a, b)] = True
    best = _best(a, b, dedup)
    best[exact] = -1
    near = np.flatnonzero(best >= 0)
    chance, draws = _resampled(best[near], dedup, seed)
    dice = np.random.default_rng(seed)
    sides = dice.random((REPEATS, len(near))) < draws[:, best[near]] if len(near) else np.zeros((REPEATS, 0), bool)
    weights = (np.ones(rows), chars)
    shares = []
    for weight in weights:
        total, known = max(float(weight.sum()), 1.0), float(weight[exact].sum())
        drawn = known + sides @ weight[near]
        low, high = np.percentile(drawn, [2.5, 97.5]) / total
        share = (known + float(chance[best[near]] @ weight[near])) / total
        shares.append(Share(share, min(low, share), max(high, share), known / total))
    return Overlap(rows, int(chars.sum()), *shares)


def _twins(a: _Side, b: _Side) -> Rows:
    """Return the rows of `a` whose match form `b` has."""
    packed = []
    for side in (a, b):
        upper = (np.fromfile(side.signed.hashes, np.uint64)[::2] >> U64(32)).astype(np.uint32)
        packed.append(pack(upper, ~side.signed.blank))
    found = np.sort(matches(packed[0], *_split(packed[1])))
    one, other = halves(found)
    order = np.argsort(other, kind="stable")
    theirs = np.empty((len(other), 2), np.uint64)
    theirs[order] = rows_of(b.signed.hashes, 2, other[order])
    return distinct(one[(rows_of(a.signed.hashes, 2, one) == theirs).all(axis=1)])


def _split(packed: Packed) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    return (packed >> U64(32)).astype(np.uint32), (packed & LOW).astype(np.uint32)


def _best(a: _Side, b: _Side, dedup: Dedup) -> npt.NDArray[np.int64]:
    """Return for each row of `a` how many minima agree with the row of `b` that agrees most; -1 without a candidate."""
    best = np.full(a.signed.rows, -1, np.int64)
    least = least_equal(dedup)
    hashes = mapped(b.signed.hashes, np.uint64, (b.signed.rows, 2))
    for band in range(dedup.bands):
        mine, theirs = (side.signed.packed(band, ~side.signed.blank) for side in (a, b))
        theirs = leaders(theirs, b.signed.sketches, b.signed.chars, hashes, least_equal(dedup, 0.0))
        pairs = matches(mine, *_split(theirs))
        pairs = np.sort(pairs[agree(pairs, a.signed.sketches, b.signed.sketches, least)])
        for start in range(0, len(pairs), PIECE):
            one, other = halves(pairs[start : start + PIECE])
            wanted, place = np.unique(other, return_inverse=True)
            equal = (a.minima(one) == b.minima(wanted)[place]).sum(axis=1)
            np.maximum.at(best, one, equal)
    return best


def _resampled(
    counts: npt.NDArray[np.int64], dedup: Dedup, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the probability that the Jaccard reaches the threshold by agreeing minima, (permutations + 1,), and that
    of REPEATS samples of the documents, (REPEATS, permutations + 1).
    """  # noqa: D205
    n = dedup.permutations
    bins = np.bincount(counts, minlength=n + 1).astype(np.float64)
    if not len(counts):
        return np.zeros(n + 1), np.zeros((REPEATS, n + 1))
    dice = np.random.default_rng(seed)
    samples = dice.multinomial(len(counts), bins / bins.sum(), REPEATS)
    found = _posterior(np.vstack([bins, samples]), n, dedup.threshold)
    return found[0], found[1:]


def _posterior(bins: npt.NDArray[np.float64], n: int, threshold: float) -> npt.NDArray[np.float64]:
    """Return for each histogram of agreeing minima the probability of each count to stand for the threshold or more."""
    # Low bytes agree by chance once in 256 where minima do not.
    agreeing = GRID + (1 - GRID) / 256
    agreeing = np.clip(agreeing, 1e-9, 1 - 1e-9)
    counts = np.arange(n + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    choose = logs[n] - logs - logs[::-1]
    likely = np.exp(choose[:, None] + counts[:, None] * np.log(agreeing) + (n - counts)[:, None] * np.log1p(-agreeing))
    mixture = np.full((len(bins), len(GRID)), 1 / len(GRID))
    for _ in range(ROUNDS):
        density = mixture @ likely.T
        mixture = mixture * ((bins / np.maximum(density, 1e-300)) @ likely)
        mixture /= mixture.sum(axis=1, keepdims=True)
    upper = mixture * (threshold - 1e-9 <= GRID)
    probability: npt.NDArray[np.float64] = (upper @ likely.T) / np.maximum(mixture @ likely.T, 1e-300)
    return probability
