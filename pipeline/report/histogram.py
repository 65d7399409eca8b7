"""Histograms whose bins never straddle a threshold, so that what a rule drops and keeps can be read off exactly.

Between two thresholds all bins are equally wide (in the logarithm where the values are skewed); widths differ a little
from one side of a threshold to the other, which is the price. The outermost bins are open: they also count what lies
beyond them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Side = Literal["low", "high"]

BINS = 48
# Values beyond these quantiles go to the open bins at the ends: single outliers do not squeeze the picture.
TAIL = 0.001
ALIKE = 1e-9  # of each other, where values are shown with 12 digits
# Thresholds are in the picture up to so many times the values' range away: mostly they are what it is looked at for.
FAR = 100
# Positive values whose 99th percentile lies this many times above their median are shown on a logarithmic scale.
SKEW = 12.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A threshold in the picture: `side` low fails below it, high above it; `position` in bins from the left."""

    side: Side
    value: float
    position: float | None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Documents by value. Bin i holds edges[i] <= value < edges[i + 1], the first and last also what is beyond.

    `ticks`: (position in bins, value) of round values. `missing`: documents without a value. `quantiles`: of the
    documents with one: min, p10, median, p90, max.
    """

    scale: Literal["linear", "log"]
    edges: list[float]
    kept: list[int]
    dropped: list[int]
    ticks: list[tuple[float, float]]
    marks: list[Mark]
    missing: int
    quantiles: list[float]


def histogram(
    values: Floats, kept: Mask, marks: Sequence[tuple[Side, float]] = (), whole: bool = False
) -> Histogram | None:
    """Count values by bin, kept and dropped apart; None where no document has a finite value.

    `values`: float64, (documents,), NaN where missing. `kept`: bool, the same shape. `marks`: thresholds with the side
    that fails. `whole`: the values are integers; few different ones get one bin each.
    """
    there = np.isfinite(values)
    if not there.any():
        return None
    known, kept_known = values[there], kept[there]
    quantiles = np.quantile(known, [0, TAIL, 0.1, 0.5, 0.9, 1 - TAIL, 1])
    low, high = float(quantiles[1]), float(quantiles[5])
    if whole and high - low < BINS:
        scale, edges = "linear", _whole_edges(low, high, marks)
    else:
        scale, edges = _edges(known, low, high, marks)
    index = np.searchsorted(edges[1:-1], known, side="right")
    bins = len(edges) - 1
    shown = _shown(edges)
    return Histogram(
        "log" if scale == "log" else "linear",
        [float(edge) for edge in shown],
        np.bincount(index[kept_known], minlength=bins).tolist(),
        np.bincount(index[~kept_known], minlength=bins).tolist(),
        _ticks(shown, scale, whole and high - low < BINS),
        [Mark(side, value, _position(edges, side, value, whole)) for side, value in marks],
        int(len(values) - len(known)),
        [float(quantiles[i]) for i in (0, 2, 3, 4, 6)],
    )


def _cut(side: Side, value: float) -> float:
    """Return the edge that separates passing from failing: a value equal to its threshold passes."""
    return value if side == "low" else float(np.nextafter(value, np.inf))


def _whole_edges(low: float, high: float, marks: Sequence[tuple[Side, float]]) -> Floats:
    """One bin a whole number, widened to thresholds that lie near."""
    span = max(high - low, 4)
    near = [value for _, value in marks if low - span <= value <= high + span]
    return np.arange(np.floor(min([low, *near])) - 0.5, np.ceil(max([high, *near])) + 1)


def _edges(known: Floats, low: float, high: float, marks: Sequence[tuple[Side, float]]) -> tuple[str, Floats]:
    log = _is_skewed(known) and all(value > 0 for _, value in marks)
    if log:
        low = float(np.quantile(known[known > 0], TAIL))
        high = max(high, low)
    if high - low <= ALIKE * max(abs(low), abs(high)):  # scores of 1.0 and 0.9999999999999 are one value to a reader
        low, high = (low / 2, high * 2) if log else (low - abs(low) / 2 - 0.5, high + abs(high) / 2 + 0.5)
    forward = np.log10 if log else np.asarray
    first, last = float(forward(low)), float(forward(high))
    span = last - first
    cuts = sorted({_cut(side, value) for side, value in marks})
    far = span * (1 if log else FAR)
    cuts = [cut for cut in cuts if first - far <= float(forward(cut)) <= last + far]
    first = min([first, *(float(forward(cut)) - span / 20 for cut in cuts)])
    last = max([last, *(float(forward(cut)) + span / 20 for cut in cuts)])
    if not log and known.min() >= 0:
        # Counts and shares never look negative, nor shares more than whole.
        first = max(first, 0.0) if first >= (last - first) / 4 else 0.0
        last = min(last, 1.0) if known.max() <= 1 and all(cut <= 1 for cut in cuts) else last
    stops = sorted({first, *(float(forward(cut)) for cut in cuts), last})
    pieces = []
    for start, stop in pairwise(stops):
        count = max(1, round(BINS * (stop - start) / (last - first)))
        pieces.append(np.linspace(start, stop, count, endpoint=False))
    scaled = np.append(np.concatenate(pieces), last)
    edges = np.asarray(10.0**scaled if log else scaled, np.float64)
    # Going through the logarithm must not move a threshold by a rounding error.
    for cut in cuts:
        edges[int(np.argmin(np.abs(edges - cut)))] = cut
    return ("log" if log else "linear"), np.unique(edges)


def _is_skewed(known: Floats) -> bool:
    positive = known[known > 0]
    if len(positive) < len(known) / 2 or known.min() < 0:
        return False
    median, top = np.quantile(positive, [0.5, 0.99])
    return bool(top > SKEW * median and top > 2)


def _shown(edges: Floats) -> Floats:
    """Undo the step past a threshold: edges that differ in the last bits are written as the threshold itself."""
    return np.asarray([float(f"{edge:.12g}") for edge in edges])


def _position(edges: Floats, side: Side, value: float, whole: bool) -> float | None:
    cut = _cut(side, value)
    found = np.flatnonzero(edges == cut)
    if len(found):
        return float(found[0])
    if whole and edges[0] < value < edges[-1]:
        return float((np.ceil(value) if side == "low" else np.floor(value) + 1) - edges[0] - 0.5)
    return None


def _ticks(edges: Floats, scale: str, whole: bool) -> list[tuple[float, float]]:
    """Round values inside the picture with their positions, about six of them."""
    if scale == "log":
        bottom, top = np.floor(np.log10(edges[0])), np.ceil(np.log10(edges[-1]))
        steps = [1] if top - bottom > 4 else [1, 3] if top - bottom > 2 else [1, 2, 5]
        values = [step * 10.0**power for power in range(int(bottom), int(top) + 1) for step in steps]
        places = np.interp(np.log10(values), np.log10(edges), np.arange(len(edges)))
    else:
        rough = (edges[-1] - edges[0]) / 8
        unit = 10.0 ** np.floor(np.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
        step = max(step, 1.0) if whole else step
        start, stop = int(np.ceil(edges[0] / step)), int(np.floor(edges[-1] / step))
        values = [float(f"{number * step:.12g}") for number in range(start, stop + 1)]
        places = np.interp(values, edges, np.arange(len(edges)))
    return [
        (round(float(place), 4), value)
        for place, value in zip(places, values, strict=True)
        if edges[0] <= value <= edges[-1]
    ]
