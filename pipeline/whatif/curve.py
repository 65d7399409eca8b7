"""Retention curves: what stays at each of some forty thresholds, counted exactly and all at once.

The thresholds are round numbers over the range that documents have; between two of them nothing is said. One pass puts
each document between two thresholds, and a running sum over these gives every point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
WIDE, CLOSE = 24, 16  # points over all values, and around the threshold
NEAR = 4  # a threshold is looked at from a quarter of it to four times


@dataclass(frozen=True, slots=True)
class Curve:
    """What passes all rules when one threshold is at each of `thresholds`, rising, and the others as they are.

    `at`: places of the threshold in force and of the one before the change, None where there is no such.
    """

    scale: Literal["linear", "log"]
    thresholds: list[float]
    documents: list[int]
    characters: list[int] | None
    at: tuple[int, int | None]


def curve(
    values: Floats,
    others: Mask,
    characters: Floats | None,
    side: Literal["low", "high"],
    span: tuple[float, float, Literal["linear", "log"]],
    marks: tuple[float, float | None],
    whole: bool = False,
) -> Curve:
    """Count what stays at round thresholds.

    `values`: float64, (documents,), NaN where the test does not apply or was not measured: those pass it. `others`:
    bool, what passes every other rule. `side`: low fails below a threshold, high above. `span`: first and last value
    of interest, and how steps grow. `marks`: the threshold, and the one before a change. `whole`: values are integers.
    """
    threshold, before = marks
    close = [max(span[0], threshold / NEAR), min(span[1], threshold * NEAR)] if threshold > 0 else []
    points = {*_round(span[0], span[1], span[2], WIDE, whole), threshold, *([] if before is None else [before])}
    if close and close[0] < close[1]:
        points |= set(_round(close[0], close[1], "linear", CLOSE, whole))
    grid = np.array(sorted(points))
    tested = others & ~np.isnan(values)
    known = values[tested]
    # A value equal to its threshold passes: number of thresholds it passes at least (low), or the first one (high).
    place = np.searchsorted(grid, known, side="right" if side == "low" else "left")
    always = others & ~tested

    def kept(weights: Floats | None) -> list[int]:
        here = np.bincount(place, None if weights is None else weights[tested], minlength=len(grid) + 1)
        run = np.cumsum(here[::-1])[::-1][1:] if side == "low" else np.cumsum(here)[: len(grid)]
        free = always.sum() if weights is None else weights[always].sum()
        return [int(count) for count in np.rint(run + free)]

    places = [None if mark is None else int(np.searchsorted(grid, mark)) for mark in marks]
    return Curve(
        span[2],
        grid.tolist(),
        kept(None),
        None if characters is None else kept(characters),
        (places[0] or 0, places[1]),
    )


def _round(first: float, last: float, scale: str, points: int, whole: bool) -> list[float]:
    """About that many round values from `first` to `last`; more crowded towards small ones on a logarithmic scale."""
    if scale == "log" and first > 0:
        powers = range(int(np.floor(np.log10(first))), int(np.ceil(np.log10(last))) + 1)
        steps: Sequence[float] = (1, 1.5, 2, 3, 5, 7) if len(powers) > 3 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
        found = [float(f"{step * 10.0**power:.12g}") for power in powers for step in steps]
        return sorted({float(round(v)) if whole else v for v in found if first <= v <= last})
    rough = max(last - first, 1e-9) / points
    unit = 10.0 ** np.floor(np.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    step = max(step, 1.0) if whole else step
    return [float(f"{n * step:.12g}") for n in range(int(np.ceil(first / step)), int(np.floor(last / step)) + 1)]
