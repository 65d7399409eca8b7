"""How right a model is on text that it never saw: a row for each threshold, as numbers and as a page to look at.

A document counts as found where its score reaches the threshold. Precision: right ones among those found. Recall:
those found among the right ones. False alarms: those found among the others. Trade: thresholds are those of a fixed
grid, fine at both ends, so that curves of two models can be laid side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from importlib.resources import files

import numpy as np
import numpy.typing as npt

GRID = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, *(n / 10 for n in range(1, 10)), 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 380, 60, 30, 130, 50
_LINES = (("precision", "#1f77b4"), ("recall", "#2ca02c"), ("false_alarms", "#d62728"))


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold: how many documents were found, and the shares."""

    threshold: float
    found: int
    precision: float
    recall: float
    false_alarms: float


def curve(right: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> list[Point]:
    """Return the points of the grid; a share of nothing is 1 for precision and recall, 0 for false alarms."""
    points = []
    for threshold in GRID:
        found = scores >= threshold
        hits = int((found & right).sum())
        precision = hits / int(found.sum()) if found.any() else 1.0
        recall = hits / int(right.sum()) if right.any() else 1.0
        alarms = (int(found.sum()) - hits) / int((~right).sum()) if (~right).any() else 0.0
        points.append(Point(threshold, int(found.sum()), round(precision, 6), round(recall, 6), round(alarms, 6)))
    return points


def best(points: Sequence[Point]) -> Point:
    """Return the point whose precision and recall have the greatest harmonic mean; of equal ones the first."""
    return max(points, key=lambda p: 2 * p.precision * p.recall / max(p.precision + p.recall, 1e-12))


def rows(points: Sequence[Point]) -> list[dict[str, float]]:
    """Return the points as a summary stores them."""
    return [asdict(point) for point in points]


def text_lines(points: Sequence[Point], head: Sequence[str]) -> list[str]:
    """Return a table for a terminal, under the five words of `head`."""
    lines = ["  ".join(f"{word:>12}" for word in head)]
    for p in points:
        cells = (f"{p.threshold:g}", f"{p.found}", f"{p.precision:.4f}", f"{p.recall:.4f}", f"{p.false_alarms:.4f}")
        lines.append("  ".join(f"{cell:>12}" for cell in cells))
    return lines


def svg(points: Sequence[Point]) -> str:
    """Return the picture of a curve: shares over the threshold's log odds, so that both ends can be seen."""

    def x(threshold: float) -> float:
        odds = float(np.log(threshold / (1 - threshold)) / np.log(999))
        return LEFT + (odds + 1) / 2 * (WIDTH - LEFT - RIGHT)

    def y(share: float) -> float:
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12" role="img">']
    parts += [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}" stroke="#8884"/>'
        f'<text x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end" fill="currentColor">{share:g}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    at = f'y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="currentColor"'
    parts += [f'<text x="{x(t):.1f}" {at}>{t:g}</text>' for t in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle" fill="currentColor">阈值 threshold</text>')
    for number, (name, colour) in enumerate(_LINES):
        path = " ".join(f"{x(p.threshold):.1f},{y(getattr(p, name)):.1f}" for p in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        label = " ".join(_WORDS[name])
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{TOP + 16 * number + 12}" fill="{colour}">{label}</text>')
    return "\n".join([*parts, "</svg>"])


_WORDS = {
    "threshold": ("阈值", "threshold"),
    "found": ("找出", "found"),
    "precision": ("准确率", "precision"),
    "recall": ("召回率", "recall"),
    "false_alarms": ("误报率", "false alarms"),
}


def page(curves: Mapping[str, Sequence[Point]], title: tuple[str, str], notes: Sequence[tuple[str, str]]) -> str:
    """Return an HTML page that needs no other file: a picture and a table for each label, Chinese and English.

    `title`, `notes`: Chinese and English, plain text.
    """
    style = files("pipeline.models").joinpath("data", "curve.css").read_text("utf-8")
    parts = [f"<h1>{escape(title[0])} · {escape(title[1])}</h1>"]
    parts += [f"<p>{escape(chinese)}<br>{escape(english)}</p>" for chinese, english in notes]
    head = "".join(f"<th>{chinese}<br>{english}</th>" for chinese, english in _WORDS.values())
    for label, points in curves.items():
        parts += [f"<h2>{escape(label)}</h2>", f"<figure>{svg(points)}</figure>", f"<table><tr>{head}</tr>"]
        for p in points:
            cells = (
                f"{p.threshold:g}",
                f"{p.found:,}",
                f"{p.precision:.4f}",
                f"{p.recall:.4f}",
                f"{p.false_alarms:.4f}",
            )
            parts.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        parts.append("</table>")
    top = f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>{escape(title[0])}</title>'
    view = '<meta name="viewport" content="width=device-width">'
    return f"{top}{view}<style>{style}</style><body>{chr(10).join(parts)}</body></html>\n"
