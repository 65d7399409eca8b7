"""Histograms: every document in a bin, thresholds on edges, both sides of them exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.report.histogram import BINS, histogram

numbers = st.floats(-1e6, 1e6) | st.integers(0, 50).map(float) | st.just(float("nan"))


@settings(deadline=None)
@given(st.lists(numbers, max_size=80), st.sampled_from(["low", "high"]), st.floats(-1e6, 1e6))
def test_bins_hold_every_document_and_thresholds_part_them_exactly(
    values: list[float], side: str, limit: float
) -> None:
    data = np.array(values, np.float64)
    kept = ~(data < limit) if side == "low" else ~(data > limit)
    picture = histogram(data, kept, [(side, limit)])
    if not np.isfinite(data).any():
        assert picture is None
        return
    assert picture is not None
    assert sum(picture.kept) + sum(picture.dropped) + picture.missing == len(values)
    assert len(picture.kept) == len(picture.dropped) == len(picture.edges) - 1
    assert sum(picture.kept) == int(kept[np.isfinite(data)].sum())
    (mark,) = picture.marks
    if mark.position is not None:
        at = int(mark.position)
        wrong = (
            (picture.kept[:at], picture.dropped[at:]) if side == "low" else (picture.dropped[:at], picture.kept[at:])
        )
        assert not any(wrong[0])
        assert not any(wrong[1])


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(0, 30))
def test_whole_numbers_get_a_bin_each_and_the_threshold_itself_passes(values: list[int], limit: int) -> None:
    data = np.array(values, np.float64)
    picture = histogram(data, data <= limit, [("high", limit)], whole=True)
    assert picture is not None
    assert set(np.diff(picture.edges)) == {1.0}
    position = picture.marks[0].position
    if position is not None:
        assert not any(picture.kept[int(position) :])
        assert not any(picture.dropped[: int(position)])


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        pytest.param(np.linspace(0, 1, 500), "linear", id="shares"),
        pytest.param(np.geomspace(10, 1e6, 500), "log", id="lengths"),
        pytest.param(np.linspace(-50, 1e6, 500), "linear", id="negative"),
        pytest.param(np.geomspace(1e-5, 1, 500), "linear", id="small_shares"),
    ],
)
def test_skewed_counts_are_shown_on_a_logarithmic_scale(values: np.ndarray, scale: str) -> None:
    picture = histogram(values, np.ones(len(values), bool))
    assert picture is not None
    assert picture.scale == scale
    assert len(picture.kept) <= BINS + 2


def test_an_outlier_does_not_squeeze_the_picture() -> None:
    values = np.append(np.linspace(10, 20, 5000), 1e9)
    picture = histogram(values, np.ones(len(values), bool))
    assert picture is not None
    assert picture.edges[-1] < 100
    assert picture.quantiles[-1] == 1e9


def test_shares_stay_within_nought_and_one() -> None:
    picture = histogram(np.linspace(0, 0.99, 100), np.ones(100, bool), [("low", 0.5)])
    assert picture is not None
    assert (picture.edges[0], picture.marks[0].position) == (0.0, float(picture.edges.index(0.5)))
    assert picture.edges[-1] <= 1.0


def test_ticks_are_round_and_lie_where_their_value_is() -> None:
    picture = histogram(np.linspace(0, 10, 1000), np.ones(1000, bool), [("high", 7.3)])
    assert picture is not None
    assert [value for _, value in picture.ticks][:3] == [0.0, 2.0, 4.0]
    for place, value in picture.ticks:
        assert np.interp(place, range(len(picture.edges)), picture.edges) == pytest.approx(value, abs=1e-3)


def test_a_threshold_far_from_the_data_is_still_in_the_picture() -> None:
    picture = histogram(np.linspace(0, 0.002, 100), np.ones(100, bool), [("high", 0.05)])
    assert picture is not None
    position = picture.marks[0].position
    assert position is not None
    assert picture.edges[round(position)] == 0.05
    assert sum(picture.kept[: round(position)]) == 100


def test_a_threshold_out_of_all_proportion_is_not_drawn() -> None:
    picture = histogram(np.linspace(0, 1, 100), np.ones(100, bool), [("high", 1e6)])
    assert picture is not None
    assert picture.marks[0].position is None


@pytest.mark.parametrize(
    "values", [[1.0, 0.99999999999994], [3e-300, 3.0000000000001e-300], [0.0, 0.0], [1e9, 1e9 + 1e-6]]
)
def test_values_that_are_nearly_equal_have_a_picture(values: list[float]) -> None:
    picture = histogram(np.array(values * 5), np.ones(10, bool), [("low", 0.15)])
    assert picture is not None
    assert sum(picture.kept) == 10
