"""Curves: shares by hand, and a page that needs no other file."""

import numpy as np
import pytest

from pipeline.models.curve import GRID, best, curve, page, text_lines

RIGHT = np.array([True, True, True, False, False])
SCORES = np.array([0.95, 0.6, 0.2, 0.6, 0.0005])


@pytest.mark.parametrize(
    ("threshold", "found", "precision", "recall", "alarms"),
    [(0.001, 4, 0.75, 1.0, 0.5), (0.5, 3, 2 / 3, 2 / 3, 0.5), (0.7, 1, 1.0, 1 / 3, 0.0), (0.999, 0, 1.0, 0.0, 0.0)],
)
def test_shares_at_a_threshold(threshold: float, found: int, precision: float, recall: float, alarms: float) -> None:
    point = next(p for p in curve(RIGHT, SCORES) if p.threshold == threshold)
    assert point.found == found
    assert (point.precision, point.recall, point.false_alarms) == pytest.approx((precision, recall, alarms), abs=1e-5)


def test_the_best_threshold_has_the_greatest_harmonic_mean() -> None:
    assert best(curve(RIGHT, SCORES)).threshold == 0.001


def test_the_page_shows_every_threshold_in_both_languages_and_escapes_labels() -> None:
    html = page({"<b>": curve(RIGHT, SCORES)}, ("曲线", "curve"), [("说明", "a & b")])
    assert html.count("<tr>") == len(GRID) + 1
    assert "<h2>&lt;b&gt;</h2>" in html
    assert "a &amp; b" in html
    assert "准确率" in html
    assert "precision" in html
    assert "http" not in html.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_table_of_a_terminal_has_a_line_a_threshold() -> None:
    assert len(text_lines(curve(RIGHT, SCORES), ["a", "b", "c", "d", "e"])) == len(GRID) + 1
