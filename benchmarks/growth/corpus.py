"""Corpora of many documents of 200 characters, made from the real ones of the near-duplicate evaluation set.

    python benchmarks/growth/corpus.py SHARED OUT DOCUMENTS [--seed 1]
    python benchmarks/growth/corpus.py SHARED OUT DOCUMENTS --batch FOLDER [--seed 2]
    python benchmarks/growth/corpus.py SHARED OUT DOCUMENTS --template

A document is two windows of real text joined, with 4 % of its characters replaced by others of the corpus, so that
most are unlike all others; 15 % are copies of an earlier one in their file with up to 3 % of the characters replaced
(some therefore exact). Files hold 100,000 documents and depend on the seed and their number alone, so a larger corpus
begins with a smaller one. `--batch`: a seventh of the documents are edited copies of documents of FOLDER. `--template`:
all are one notice with a name, dates, amounts and a remark of their own.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

CHARS, FILE = 200, 100_000
Points = npt.NDArray[np.uint32]


def real_text(shared: Path) -> Points:
    """Return the code points of all documents, end to end."""
    with zstandard.open(shared / "data/neardup/docs.jsonl.zst", "rt", encoding="utf-8") as lines:
        text = "".join(json.loads(line)["text"] for line in lines)
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def replaced(rows: Points, share: npt.NDArray[np.float64] | float, points: Points, dice: np.random.Generator) -> None:
    """Replace a share of the characters of each row."""
    here = dice.random(rows.shape) < share
    rows[here] = dice.choice(points, int(here.sum()))


def documents(points: Points, count: int, dice: np.random.Generator) -> Points:
    """Return documents as code points, (count, CHARS)."""
    half = CHARS // 2
    first, second = (dice.integers(0, len(points) - half, count) for _ in range(2))
    rows = np.concatenate([points[at[:, None] + np.arange(half)] for at in (first, second)], axis=1)
    replaced(rows, 0.04, points, dice)
    copies = np.flatnonzero(dice.random(count) < 0.15)[1:]
    rows[copies] = rows[dice.integers(0, copies)]
    changed = rows[copies]
    replaced(changed, dice.uniform(0, 0.03, (len(copies), 1)), points, dice)
    rows[copies] = changed
    return rows


def notices(points: Points, count: int, dice: np.random.Generator) -> Points:
    """Return copies of one notice of CHARS characters, a tenth to a third of it filled in."""
    form = points[1_000_000 : 1_000_000 + CHARS]
    rows = np.repeat(form[None, :], count, axis=0)
    for at, width in ((20, 3), (60, 6), (110, 8)):
        rows[:, at : at + width] = dice.choice(points, (count, width))
    remark = dice.integers(0, 30, count)
    rows[:, 150:180] = np.where(np.arange(30) < remark[:, None], dice.choice(points, (count, 30)), rows[:, 150:180])
    return rows


def written(path: Path, rows: Points, prefix: str, start: int) -> None:
    """Write one file of documents."""
    text = rows.astype("<u4").tobytes().decode("utf-32-le")
    texts = pa.array([text[CHARS * k : CHARS * (k + 1)] for k in range(len(rows))], pa.string())
    ids = pa.array([f"{prefix}-{start + k:09d}" for k in range(len(rows))], pa.string())
    table = pa.table({"id": ids, "text": texts})
    pq.write_table(table, path, compression="zstd", compression_level=1, use_dictionary=False)


def main() -> None:
    """Write a corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("documents", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=Path)
    parser.add_argument("--template", action="store_true")
    args = parser.parse_args()
    points = real_text(args.shared)
    args.out.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, args.documents, FILE)):
        dice = np.random.default_rng([args.seed, number])
        path = args.out / f"part-{number:05d}.parquet"
        if path.exists():
            continue
        make = notices if args.template else documents
        rows = make(points, FILE, dice)[: args.documents - start]
        if args.batch:
            source = pq.read_table(sorted(args.batch.glob("*.parquet"))[number], columns=["text"]).column(0)
            places = np.arange(0, len(rows), 7)
            chosen = source.take(pa.array(dice.integers(0, len(source), len(places)))).to_pylist()
            copies = np.frombuffer("".join(chosen).encode("utf-32-le"), np.uint32).reshape(-1, CHARS).copy()
            replaced(copies, dice.uniform(0, 0.02, (len(copies), 1)), points, dice)
            rows[places] = copies
        written(path, rows, str(args.seed), start)


if __name__ == "__main__":
    main()
