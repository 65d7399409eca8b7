"""A linear model over hashed character n-grams: one logistic regression for each label, against the rest.

A text is the set of its n-grams of 1 to 4 folded characters (`form.py`), hashed into 2^bits places, each worth
1 / sqrt(size of the set); so texts of every length have the length 1, and what a text repeats counts once. With two
labels there is one regression, for the second.

A model of letters takes Han characters alone, up to three that stand together, and whole runs from a to z (blanks do
not part them): marks and digits tell who wrote a text and in what form, more than what it is about.

A model may know only the commonest characters, and then every other one is the same to it: what is left is how
function words, marks and gaps follow each other, whatever the text is about.

Trained by AdaGrad (Duchi, Hazan, Singer 2011) on the logistic loss with L2 on the places a text touches, in an order
drawn from the seed; one thread, so that the same texts give the same weights. Weights are stored as bytes, a scale for
each label. Trade: places are shared by chance (about one n-gram in three at 2^20 and a large training set), which costs
a little accuracy and bounds the size of the file whatever it is trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.dedup.table import CODE_POINTS
from pipeline.models.file import ModelFile
from pipeline.models.form import REVISION, Folded
from schemas.errors import RecipeError

KIND = "linear"
ORDERS = 4
LETTER_ORDERS, LONGEST_WORD = 3, 20

Weights = npt.NDArray[np.float32]
Points = npt.NDArray[np.uint32]
_ARRAYS = ("listed", "weights", "scales", "bias")
_BLOCK = 1024  # characters whose hashes are made at a time, so that they stay in the fastest cache
_ANY = np.uint32(1)  # stands for characters that are not known; no folded text holds it
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_A, _Z, _HAN, _HAN_END = np.uint32(97), np.uint32(122), np.uint32(0x4E00), np.uint32(0x9FFF)


@dataclass(frozen=True, slots=True)
class Training:
    """How a linear model is trained.

    `listed`: how many of the commonest characters are known, 0 for all; `bits`: places are 2^bits; `epochs`: times
    that every text is seen; `rate`: AdaGrad's step; `l2`: weight of the penalty; `floor`: weights smaller than this
    share of the largest are stored as zero; `seed`: of the order; `letters`: only Han characters and words from a to z.
    """

    listed: int = 0
    bits: int = 20
    epochs: int = 6
    rate: float = 0.5
    l2: float = 1e-6
    floor: float = 0.0
    seed: int = 1
    letters: bool = False

    def __post_init__(self) -> None:
        if not 8 <= self.bits <= 24 or self.epochs < 1 or self.rate <= 0:
            raise RecipeError(f"a linear model takes bits 8 to 24, epochs and rate above 0, got {self}")


@dataclass(frozen=True)
class Linear:
    """A trained model.

    `labels`: names in order; `listed`: uint32, the characters it knows, empty for all; `weights`: int8,
    (2^bits, regressions); `scales`, `bias`: float32, (regressions,); `letters`: as it was trained.
    """

    labels: tuple[str, ...]
    listed: Points
    weights: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    letters: bool = False

    @classmethod
    def of(cls, file: ModelFile) -> "Linear":
        """Return the model in a file of kind `linear`. Raises RecipeError where it was made for other folding."""
        header = file.header
        parameters = header["parameters"]
        if parameters["form"] != REVISION:
            raise RecipeError("the model reads text in a form of another revision; train it again with `yuliao train`")
        listed, weights, scales, bias = (file.arrays[name] for name in _ARRAYS)
        return cls(tuple(header["labels"]), listed, weights, scales, bias, parameters.get("letters", False))

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What `write_model` stores."""
        return {name: getattr(self, name) for name in _ARRAYS}

    @cached_property
    def _known(self) -> npt.NDArray[np.bool_]:
        return _membership(self.listed)

    def scores(self, texts: Folded) -> npt.NDArray[np.float64]:
        """Return the probability of each label, float64, (rows, labels); with more than two they need not add to 1.

        An empty text has 0.5 of two labels, and 0 of more.
        """
        count = self.weights.shape[1]
        out = np.zeros((len(texts), count))
        texts = _masked(texts, self._known) if len(self.listed) else texts
        _score(texts.points, texts.starts, self.letters, self.weights, self.scales, self.bias, out)
        empty = np.diff(texts.starts) == 0
        chances = 1 / (1 + np.exp(-out))
        chances[empty] = 0.5 if len(self.labels) == 2 else 0.0
        return np.hstack([1 - chances, chances]) if len(self.labels) == 2 else chances


def train(
    texts: Folded,
    labels: npt.NDArray[np.int64],
    names: Sequence[str],
    settings: Training | None = None,
    importance: npt.NDArray[np.float64] | None = None,
) -> Linear:
    """Train a model.

    `labels`: int64, (rows,), each a place in `names`; `importance`: float64, (rows,), how much a text counts
    (default: every label as much as every other, on the whole).
    Raises RecipeError where there are fewer than two labels or a label has no text.
    """
    chosen = Training() if settings is None else settings
    counts = np.bincount(labels, minlength=len(names))
    if len(names) < 2 or (counts == 0).any():
        missing = ", ".join(name for name, count in zip(names, counts, strict=True) if not count) or "a second label"
        raise RecipeError(f"no training text has the label: {missing}")
    if importance is None:
        importance = (len(labels) / len(names) / counts)[labels]
    listed = _commonest(texts, chosen.listed)
    texts = _masked(texts, _membership(listed)) if len(listed) else texts
    truth = labels[:, None] == np.arange(len(names))
    truth = truth[:, 1:] if len(names) == 2 else truth
    regressions = truth.shape[1]
    weights = np.zeros((1 << chosen.bits, regressions), np.float32)
    bias = np.zeros(regressions, np.float32)
    squares = np.full_like(weights, 1e-6)
    order = np.random.default_rng(chosen.seed)
    for epoch in range(chosen.epochs):
        rate = chosen.rate * (1 - epoch / chosen.epochs)
        rows = order.permutation(len(texts))
        how = (chosen.letters, truth, importance, rate, chosen.l2)
        _learn(texts.points, texts.starts, rows, *how, weights, squares, bias)
    return replace(_stored(tuple(names), listed, weights, bias, chosen.floor), letters=chosen.letters)


def _commonest(texts: Folded, count: int) -> Points:
    """Return the commonest characters, ascending."""
    points, counts = np.unique(texts.points, return_counts=True)
    return np.sort(points[np.lexsort((points, -counts))][:count]).astype(np.uint32)


def _membership(listed: Points) -> npt.NDArray[np.bool_]:
    """Return which code points are listed."""
    known = np.zeros(CODE_POINTS, np.bool_)
    known[listed] = True
    return known


def _masked(texts: Folded, known: npt.NDArray[np.bool_]) -> Folded:
    """Return texts in which every character that is not known is the same one."""
    points = np.empty_like(texts.points)
    _mask(texts.points, known, points)
    return Folded(points, texts.starts)


@njit(cache=True, nogil=True)
def _mask(source: Any, known: Any, points: Any) -> None:
    for i in range(len(source)):
        points[i] = source[i] if known[source[i]] else _ANY


def _stored(
    names: tuple[str, ...], listed: Points, weights: Weights, bias: npt.NDArray[np.float32], floor: float
) -> Linear:
    """Return a model with weights as bytes; those beyond the largest in a hundred thousand are cut to it."""
    size = np.abs(weights)
    largest = np.maximum(np.quantile(size, 1 - 1e-5, axis=0), 1e-12).astype(np.float32)
    scales = (largest / 127).astype(np.float32)
    stored = np.rint(np.clip(weights / scales, -127, 127)).astype(np.int8)
    stored[size < floor * largest] = 0
    return Linear(names, listed, stored, scales, bias)


@njit(cache=True, nogil=True)
def _hash(points: Any, shift: Any, places: Any) -> None:
    """Write the place of the n-gram of each order that ends at each of some characters to `places`, (orders, room).

    Without a branch and with unsigned numbers, so that eight characters go at a time. The first characters have no
    right place in orders that reach behind them.
    """
    first, second, third, fourth = places[0], places[1], places[2], places[3]
    one, two, three, four = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(np.uint64(len(points))):
        point = np.uint64(points[i]) + np.uint64(1)
        four = (three + point) * _BASE
        three = (two + point) * _BASE
        two = (one + point) * _BASE
        one = point * _BASE
        first[i] = _place(one, np.uint64(0), shift)
        second[i] = _place(two, np.uint64(1), shift)
        third[i] = _place(three, np.uint64(2), shift)
        fourth[i] = _place(four, np.uint64(3), shift)


@njit(cache=True, nogil=True, inline="always")
def _place(key: Any, order: Any, shift: Any) -> Any:
    return np.uint32(((key ^ (key >> np.uint64(29)) ^ order) * _MIX) >> shift)


@njit(cache=True, nogil=True, inline="always")
def _note(place: Any, seen: Any, found: Any, count: Any) -> Any:
    """Write a place behind the first `count` of `found`, unless it is there; return the new count, uint64."""
    five = np.uint32(5)
    bit, word = np.uint32(1) << (place & np.uint32(31)), seen[place >> five]
    found[count] = place
    seen[place >> five] = word | bit
    return count + np.uint64((word & bit) == 0)


@njit(cache=True, nogil=True)
def _places(points: Any, begin: int, end: int, room: Any) -> int:
    """Write the places of the n-grams of one text to `found`, each once, and return how many.

    `seen` has a bit for each place, all zero before and after: at 2^20 places it fits into a core's cache, where a
    number for each would not.
    """
    seen, found, places, shift = room
    five = np.uint32(5)
    count = np.uint64(0)
    for start in range(begin, end, _BLOCK):
        low, stop = max(begin, start - ORDERS + 1), min(start + _BLOCK, end)
        _hash(points[low:stop], shift, places)
        # Where a text begins, the longer n-grams would reach before it.
        whole = max(start, min(begin + ORDERS - 1, stop)) - low
        for i in range(start - low, whole):
            for order in range(low + i - begin + 1):
                count = _note(places[order, i], seen, found, count)
        for i in range(np.uint64(whole), np.uint64(stop - low)):
            for order in range(np.uint64(ORDERS)):
                count = _note(places[order, i], seen, found, count)
    if count > np.uint64(len(seen) // 4):
        seen[:] = 0
    else:
        for k in range(count):
            seen[found[k] >> five] = 0
    return int(count)


@njit(cache=True, nogil=True)
def _letter_places(points: Any, begin: int, end: int, room: Any) -> int:
    """Do as `_places` for a model of letters."""
    seen, found, _, shift = room
    count, run, size = 0, 0, 0
    one, two, three, word = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(begin, end + 1):
        point = np.uint32(points[i]) if i < end else np.uint32(0)
        value = np.uint64(point) + np.uint64(1)
        if _A <= point <= _Z:
            word = (word + value) * _BASE
            size += 1
        elif size:
            if 2 <= size <= LONGEST_WORD:
                count = _add(word, ORDERS, shift, seen, found, count)
            word, size = np.uint64(0), 0
        if _HAN <= point <= _HAN_END:
            three, two, one = (two + value) * _BASE, (one + value) * _BASE, value * _BASE
            run += 1
            for order in range(min(run, LETTER_ORDERS)):
                count = _add(one if order == 0 else two if order == 1 else three, order, shift, seen, found, count)
        else:
            one, two, three, run = np.uint64(0), np.uint64(0), np.uint64(0), 0
    for k in range(count):
        seen[found[k] >> 5] = 0
    return count


@njit(cache=True, nogil=True)
def _add(key: Any, order: int, shift: Any, seen: Any, found: Any, count: Any) -> Any:
    """Write the place of an n-gram behind the first `count` of `found`, unless it is there; return the new count."""
    key = (key ^ (key >> np.uint64(29)) ^ np.uint64(order)) * _MIX
    place = np.uint32(key >> shift)
    bit, held = np.uint32(1) << (place & np.uint32(31)), seen[place >> np.uint32(5)]
    found[count] = place
    seen[place >> np.uint32(5)] = held | bit
    return count + np.int64((held & bit) == 0)


@njit(cache=True, nogil=True)
def _room(starts: Any, places: int) -> tuple[Any, Any, Any, Any]:
    """Return what `_places` works with: `seen`, `found` for the longest text, and room and `shift` of its hashes."""
    longest = 1
    for row in range(len(starts) - 1):
        longest = max(longest, starts[row + 1] - starts[row])
    shift = np.uint64(64 - np.int64(np.round(np.log2(places))))
    seen, found = np.zeros((places >> 5) + 1, np.uint32), np.empty(longest * ORDERS + 1, np.uint32)
    return seen, found, np.empty((ORDERS, _BLOCK + ORDERS), np.uint32), shift


@njit(cache=True, nogil=True)
def _score(points: Any, starts: Any, letters: bool, weights: Any, scales: Any, bias: Any, out: Any) -> None:
    """Fill `out`, float64, (rows, regressions), with log odds."""
    room = _room(starts, len(weights))
    found = room[1]
    regressions = weights.shape[1]
    totals = np.empty(regressions, np.int32)
    flat = weights.reshape(-1)
    for row in range(len(starts) - 1):
        here = starts[row], starts[row + 1]
        count = _letter_places(points, *here, room) if letters else _places(points, *here, room)
        totals[:] = 0
        if regressions == 1:  # one sum stays in a register, where an array of sums would not
            total = np.int32(0)
            for k in range(count):
                total += flat[found[k]]
            totals[0] = total
        else:
            for k in range(count):
                place = found[k]
                for label in range(regressions):
                    totals[label] += weights[place, label]
        for label in range(regressions):
            out[row, label] = bias[label] + scales[label] * totals[label] / np.sqrt(max(count, 1))


@njit(cache=True, nogil=True)
def _learn(
    points: Any,
    starts: Any,
    rows: Any,
    letters: bool,
    truth: Any,
    importance: Any,
    rate: float,
    l2: float,
    weights: Any,
    squares: Any,
    bias: Any,
) -> None:
    """Go once over the texts in the order of `rows` and change `weights`, `squares` and `bias`."""
    room = _room(starts, len(weights))
    found = room[1]
    for row in rows:
        here = starts[row], starts[row + 1]
        count = _letter_places(points, *here, room) if letters else _places(points, *here, room)
        if count == 0:
            continue
        value = 1 / np.sqrt(count)
        for label in range(weights.shape[1]):
            odds = np.float64(bias[label])
            for k in range(count):
                odds += weights[found[k], label] * value
            slope = importance[row] * (1 / (1 + np.exp(-odds)) - truth[row, label])
            bias[label] -= np.float32(0.01 * rate * slope)
            for k in range(count):
                place = found[k]
                change = slope * value + l2 * weights[place, label]
                squares[place, label] += np.float32(change * change)
                weights[place, label] -= np.float32(rate * change / np.sqrt(squares[place, label]))
