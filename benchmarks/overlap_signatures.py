"""How right `yuliao overlap --signatures A B` is: estimates beside the true share, over random splits of real text.

    python -m benchmarks.overlap_signatures SHARED [--splits 20] > benchmarks/overlap_signatures.md

Run in the folder of the project; SHARED is the folder of the evaluation sets. A split puts a random part of the
documents of the near-duplicate set (15 to 60 %) into A and another (15 to 40 %) into B; the rest is in neither. Both
directions count. The true share of A in B is that of the documents of A (or of their characters) whose match form has
an exact Jaccard of at least 0.8 with one in B, by the exact search of `benchmarks/dedup/scoring.py`. Splits of one set
are not independent, so the coverage is less certain than its count says.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.dedup.corpus import plain_form
from benchmarks.dedup.scoring import Corpus, match_form, resembling
from benchmarks.growth.report import table
from benchmarks.match_forms import rows_of
from pipeline.dedup.signature import parameters, sign_for
from pipeline.overlap.estimate import METADATA
from schemas.recipe import Dedup

WHAT = ("documents", "characters")


def signed(texts: list[str]) -> pa.Table:
    """Return the signatures of texts, as they lie beside the shards of a version."""
    batches = [sign_for(Dedup(), pa.array(texts[at : at + 1000], pa.string())) for at in range(0, len(texts), 1000)]
    note = {METADATA: json.dumps(parameters(Dedup()))}
    return pa.Table.from_batches(batches).replace_schema_metadata(note)


def compared(text: str) -> str:
    """Return what a text is compared by: its match form, or where nothing is left of it, its normalised characters."""
    return match_form(text) or plain_form(text)


def neighbours(rows: list[dict[str, str]], folder: Path) -> dict[int, list[int]]:
    """Return for each document which others resemble it."""
    path = folder / "documents.parquet"
    pq.write_table(pa.table({"id": [row["id"] for row in rows], "text": [row["text"] for row in rows]}), path)
    found: dict[int, list[int]] = defaultdict(list)
    for one, other in resembling(Corpus([path]), range(len(rows)), compared):
        found[one].append(other)
    return found


def estimated(sides: list[pa.Table], folder: Path) -> list[dict[str, Any]]:
    """Return what the command says of A in B and of B in A."""
    files = [folder / "a.parquet", folder / "b.parquet"]
    for side, file in zip(sides, files, strict=True):
        pq.write_table(side, file)
    command = [sys.executable, "-m", "flows.cli", "overlap", "--signatures", *map(str, files), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    overlaps: list[dict[str, Any]] = json.loads(done.stdout)["overlaps"]
    return overlaps


def true_share(
    own: npt.NDArray[np.int64], other: set[int], near: dict[int, list[int]], chars: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Return the true share of documents and of characters."""
    inside = np.array([any(one in other for one in near.get(row, ())) for row in own.tolist()])
    return {"documents": float(inside.mean()), "characters": float(chars[own][inside].sum() / chars[own].sum())}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--splits", type=int, default=20)
    args = parser.parse_args()
    rows = rows_of(args.shared / "data/neardup/docs.jsonl.zst")
    signatures = signed([row["text"] for row in rows])
    chars = np.array([len(row["text"]) for row in rows])
    found: dict[str, list[tuple[float, dict[str, float]]]] = {what: [] for what in WHAT}
    with tempfile.TemporaryDirectory() as name:
        near = neighbours(rows, Path(name))
        for seed in range(args.splits):
            dice = np.random.default_rng(seed)
            order = dice.permutation(len(rows))
            cuts = np.cumsum([dice.uniform(0.15, 0.6), dice.uniform(0.15, 0.4)]) * len(rows)
            sides = [np.sort(order[: int(cuts[0])]), np.sort(order[int(cuts[0]) : int(cuts[1])])]
            said = estimated([signatures.take(pa.array(side)) for side in sides], Path(name))
            for one, own, other in zip(said, sides, sides[::-1], strict=True):
                true = true_share(own, set(other.tolist()), near, chars)
                for what in WHAT:
                    found[what].append((true[what], one[f"of_{what}"]))
    print("<!-- made by benchmarks/overlap_signatures.py -->")
    print(f"{len(found[WHAT[0]])} directed splits of {len(rows):,} documents; shares in per cent.\n")
    head = ["share of", "true, least to greatest", "95 % intervals that hold it", "mean width of an interval"]
    head += ["mean error", "mean absolute error", "greatest error", "known for certain, of the true share"]
    print(table(head, [_cells(what, found[what]) for what in WHAT]))


def _cells(what: str, found: list[tuple[float, dict[str, float]]]) -> list[str]:
    """The cells of a line."""
    shares = [true for true, _ in found]
    errors = [one["share"] - true for true, one in found]
    held = sum(one["low"] - 1e-9 <= true <= one["high"] + 1e-9 for true, one in found)
    values = [
        mean(one["high"] - one["low"] for _, one in found),
        mean(errors),
        mean(map(abs, errors)),
        max(errors, key=abs),
    ]
    return [
        what,
        f"{100 * min(shares):.2f} to {100 * max(shares):.2f}",
        f"{held} of {len(found)} ({100 * held / len(found):.0f} %)",
        f"{100 * values[0]:.3f}",
        *(f"{100 * value:+.3f}" for value in values[1:2]),
        f"{100 * values[2]:.3f}",
        f"{100 * values[3]:+.3f}",
        f"{100 * mean(one['exact'] / true for true, one in found):.0f}",
    ]


if __name__ == "__main__":
    main()
