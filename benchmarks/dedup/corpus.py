"""The two corpora that all tools are given: Parquet files with `id` and `text`.

Texts are in the form the truth of the evaluation set counts (NFKC, no white space), so that tools which compare raw
characters are judged by exactly what they count; whoever folds more does so at the cost of their own time.

`small` is the evaluation set itself, in two files. `large` holds each of its documents ten times, one copy in each of
ten files. Nine copies of ten are made anew: the text is cut into windows of 20 to 40 characters, these are shuffled,
and 2 to 10 % of the characters are replaced by others of the corpus. Two such copies of a text still look alike, with
a Jaccard of mostly 0.1 to 0.4, so they trouble a search as real reprints do and are no near-duplicates. After the
first, one in six (15 % of all) is instead an earlier copy of the same text with up to 3 % of its characters replaced:
a Jaccard of 0.75 to 1. Every document depends on the seed and its place in the set alone.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.match_forms import rows_of

COPIES, NEAR, SEED = 10, 1 / 6, 1
Points = npt.NDArray[np.uint32]


def plain_form(text: str) -> str:
    """Return a text after NFKC, without white space."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def chosen(shared: Path, documents: int | None) -> list[dict[str, str]]:
    """Return the documents of the evaluation set, or some: half of these are taken from pairs that resemble."""
    folder = shared / "data/neardup"
    rows = rows_of(folder / "docs.jsonl.zst")
    if documents is not None:
        wanted: dict[str, None] = {}
        for pair in rows_of(folder / "pairs_exact_ge070.jsonl.zst"):
            if len(wanted) < documents // 2:
                wanted |= dict.fromkeys((pair["a"], pair["b"]))
        for row in rows:
            if len(wanted) < documents:
                wanted[row["id"]] = None
        rows = [row for row in rows if row["id"] in wanted]
    return [{"id": row["id"], "text": plain_form(row["text"])} for row in rows]


def make_small(rows: Sequence[dict[str, str]], folder: Path) -> dict[str, Any]:
    """Write the small corpus and return its size."""
    half = len(rows) // 2
    parts = (rows[:half], rows[half:])
    return _written(folder, [[(row["id"], row["text"]) for row in part] for part in parts])


def make_large(rows: Sequence[dict[str, str]], folder: Path, seed: int = SEED) -> dict[str, Any]:
    """Write the large corpus, and which documents are near copies of which as `copies.jsonl`; return its size."""
    pool = points_of("".join(row["text"] for row in rows))
    files: list[list[tuple[str, str]]] = [[] for _ in range(COPIES)]
    links = []
    for number, row in enumerate(rows):
        made, sources = copies(points_of(row["text"]), pool, np.random.default_rng([seed, number]))
        for copy, (points, source) in enumerate(zip(made, sources, strict=True)):
            files[copy].append((f"{row['id']}-{copy}", points.astype("<u4").tobytes().decode("utf-32-le")))
            if source is not None:
                links.append({"id": f"{row['id']}-{copy}", "of": f"{row['id']}-{source}"})
    size = _written(folder, files)
    lines = "".join(json.dumps(link) + "\n" for link in links)
    (folder / "copies.jsonl").write_text(lines, "utf-8")
    return {**size, "near_copies": len(links)}


def points_of(text: str) -> Points:
    """Return the code points of a text."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def copies(text: Points, pool: Points, dice: np.random.Generator) -> tuple[list[Points], list[int | None]]:
    """Return the copies of a text, and of which earlier copy each is a near one."""
    made: list[Points] = []
    sources: list[int | None] = []
    for number in range(COPIES):
        if number and dice.random() < NEAR:
            source: int | None = int(dice.integers(number))
            made.append(_replaced(made[source or 0], dice.uniform(0, 0.03), pool, dice))
        else:
            source = None
            width = int(dice.integers(20, 41))
            windows = [text[at : at + width] for at in range(0, len(text), width)]
            shuffled = np.concatenate([windows[at] for at in dice.permutation(len(windows))])
            made.append(_replaced(shuffled, dice.uniform(0.02, 0.1), pool, dice))
        sources.append(source)
    return made, sources


def _replaced(text: Points, share: float, pool: Points, dice: np.random.Generator) -> Points:
    """Return a text with a share of its characters replaced by others of the pool."""
    here = dice.random(len(text)) < share
    changed = text.copy()
    changed[here] = pool[dice.integers(0, len(pool), int(here.sum()))]
    return changed


def _written(folder: Path, files: Sequence[Sequence[tuple[str, str]]]) -> dict[str, Any]:
    """Write files of documents; return how many documents and bytes of text there are."""
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    for number, rows in enumerate(files):
        path = folder / f"part-{number:05d}.parquet"
        table = pa.table({"id": [row[0] for row in rows], "text": [row[1] for row in rows]})
        pq.write_table(table, path, compression="zstd", row_group_size=10_000)
        size += sum(len(text.encode()) for _, text in rows)
    return {"documents": sum(map(len, files)), "mb": round(size / 1e6, 1)}
