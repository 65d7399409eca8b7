"""How `yuliao dedup` grows: time, memory, disk from 0.1 to 20 million documents, batches against an index, templates.

    python benchmarks/growth/run.py SHARED WORK [--sizes 0.1,1,5,20] [STEP ...]
    python benchmarks/growth/run.py SHARED WORK report

Steps: sizes, batch, template, splits. WORK holds the corpora (about 300 MB a million documents), the outputs, and
`results.jsonl`, where finished steps are noted, so that what was stopped goes on. Every measurement is a whole process
with compiled kernels cached; memory is the sum of the peak resident memory of all its processes, disk what lies in the
output folder at its fullest. `report` writes `results.md` and `growth.svg` beside this file.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import unicodedata
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

HERE = Path(__file__).parent
MEMORY = "2GiB"
MILLION = 1_000_000


def corpus(shared: Path, folder: Path, documents: int, *more: object) -> Path:
    """Make a corpus unless it is there, and return its folder."""
    command = [sys.executable, HERE / "corpus.py", shared, folder, documents, *more]
    subprocess.run(list(map(str, command)), check=True)
    return folder


def first(folder: Path, documents: int) -> list[Path]:
    """The files that hold the first documents of a corpus."""
    return sorted(folder.glob("*.parquet"))[: max(1, documents // 100_000)]


def measured(inputs: list[Path], out: Path, *more: object) -> dict[str, Any]:
    """Run `yuliao dedup` and return seconds, CPU seconds, peak MiB and disk MB."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "flows.cli", "dedup", *inputs, "-o", out, "--memory", MEMORY, *more]
    started = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    disk = 0
    done = threading.Event()

    def watch_disk() -> None:
        nonlocal disk
        while not done.wait(0.5):
            disk = max(disk, size_of(out))

    watcher = threading.Thread(target=watch_disk)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)  # it is one process; looking at it meanwhile would take from its time
    wall, process.returncode = time.perf_counter() - started, os.waitstatus_to_exitcode(status)
    done.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{command}: exit status {process.returncode}")
    assert process.stdout is not None
    return {
        **json.loads(process.stdout.read()),
        "seconds": round(wall, 2),
        "cpu": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mib": usage.ru_maxrss >> 10,
        "disk_mb": disk // 1_000_000,
    }


def size_of(folder: Path) -> int:
    """The bytes of the files in a folder, as they are just now."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue
    return total


class Results:
    """What was measured, a JSON object a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def note(self, name: str, make: Any) -> dict[str, Any]:
        """Return what is noted under a name, or measure and note it."""
        for row in self.rows:
            if row["name"] == name:
                return dict(row)
        row = {"name": name, **make()}
        row.pop("out", None)
        self.rows.append(row)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(row, flush=True)
        return row


def sizes(shared: Path, work: Path, results: Results, millions: list[float]) -> None:
    """The whole path at each size, without an index and with one."""
    folder = corpus(shared, work / "corpus", int(max(millions) * MILLION))
    measured(first(folder, 1), work / "warm")
    for size in millions:
        inputs = first(folder, int(size * MILLION))
        results.note(f"size {size:g}", lambda inputs=inputs: measured(inputs, work / "out"))


def batch(shared: Path, work: Path, results: Results) -> None:
    """A batch of 50,000 documents, and one of a single document, against the index of one and of five million."""
    folder = corpus(shared, work / "corpus", 5 * MILLION)
    new = corpus(shared, work / "batch", 50_000, "--batch", folder, "--seed", 2)
    single = corpus(shared, work / "single", 1, "--seed", 4)
    for size in (1, 5):
        inputs, kept = first(folder, size * MILLION), work / f"kept-{size}"
        results.note(f"index {size}", lambda inputs=inputs, kept=kept: measured(inputs, kept, "--index"))
    for turn in range(5):
        for size in (1, 5):
            kept = work / f"kept-{size}"
            for name, documents in (("batch", new), ("single", single)):
                make = partial(measured, [documents], work / "out", "--against", kept)
                results.note(f"{name} against {size}, round {turn}", make)


def template(shared: Path, work: Path, results: Results) -> None:
    """A million copies of one template against a million distinct documents, and a check of what was removed."""
    folder = corpus(shared, work / "template", MILLION, "--template", "--seed", 3)
    distinct = corpus(shared, work / "corpus", MILLION)
    for turn in range(3):
        results.note(f"distinct, round {turn}", lambda: measured(first(distinct, MILLION), work / "out"))
        results.note(f"template, round {turn}", lambda: measured(first(folder, MILLION), work / "templates"))
    results.note("template, checked", lambda: checked(folder, work / "templates"))


def checked(folder: Path, out: Path) -> dict[str, Any]:
    """Compare 20,000 removed documents with their survivors by a definition in plain Python."""
    removed = pq.read_table(out / "duplicates.parquet", columns=["id", "survivor_id"])
    gone = set(removed.column("id").to_pylist())
    standing = all(survivor not in gone for survivor in removed.column("survivor_id").to_pylist())
    rows = removed.take(pa.array(random.Random(1).sample(range(removed.num_rows), min(20_000, removed.num_rows))))
    table = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])
    texts = dict(zip(table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True))
    values = [jaccard(texts[row["id"]], texts[row["survivor_id"]]) for row in rows.to_pylist()]
    return {"checked": len(values), "least_jaccard": round(min(values), 4), "survivors_stay": standing}


@cache
def folded() -> dict[str, str]:
    """Traditional to Simplified, by character."""
    lines = (files("pipeline.dedup") / "data" / "simplified.tsv").read_text("utf-8").splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def shingles(text: str) -> set[str]:
    """The 5-grams of the match form of a text."""
    form = "".join(
        folded().get(char, char)
        for char in unicodedata.normalize("NFKC", text).casefold()
        if unicodedata.category(char)[0] not in "PSZ" and unicodedata.category(char) not in ("Cc", "Cf")
    )
    return {form[k : k + 5] for k in range(len(form) - 4)} or {form}


def jaccard(one: str, other: str) -> float:
    """The Jaccard of the match forms of two texts."""
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def splits(shared: Path, work: Path, results: Results) -> None:
    """Ten random splits of the real documents: first part, then the rest against it, and all of it in that order."""
    with zstandard.open(shared / "data/neardup/docs.jsonl.zst", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for turn in range(10):
        results.note(f"split {turn}", lambda turn=turn: split(rows, work / "split", turn))


def split(rows: list[dict[str, str]], work: Path, turn: int) -> dict[str, Any]:
    """Return how many documents stay by batches, by one ranked run, and how many stay in one of them only."""
    dice = random.Random(turn)
    early = set(dice.sample(range(len(rows)), int(len(rows) * dice.uniform(0.3, 0.9))))
    parts = [[row for n, row in enumerate(rows) if (n in early) == side] for side in (True, False)]
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name, part in zip(("first", "rest"), parts, strict=True):
        table = pa.table({"id": [row["id"] for row in part], "text": [row["text"] for row in part]})
        pq.write_table(table, work / f"{name}.parquet")
    measured([work / "first.parquet"], work / "one", "--index")
    measured([work / "rest.parquet"], work / "two", "--against", work / "one")
    gone = {id for out in ("one", "two") for id in removed_ids(work / out)}
    return {"documents": len(rows), "first": len(early), "kept": len(rows) - len(gone), **ranked(parts, work, gone)}


def removed_ids(out: Path) -> list[str]:
    """The ids that a run removed."""
    return list(pq.read_table(out / "duplicates.parquet", columns=["id"]).column("id").to_pylist())


def ranked(parts: list[list[dict[str, str]]], work: Path, gone: set[str]) -> dict[str, Any]:
    """Run over both parts at once, those of the first before those of the rest, and compare with what is gone."""
    import numpy as np

    from pipeline.dedup.pairs import find_pairs, in_threads
    from pipeline.dedup.survivors import survivors
    from pipeline.dedup.tool import Corpus, _equal_content, _priority
    from pipeline.readers.reading import normalised
    from schemas.recipe import Dedup

    dedup = Dedup()
    rows = [row for part in parts for row in part]
    table = pa.table({"id": [row["id"] for row in rows], "text": [normalised(row["text"]) for row in rows]})
    folder = work / "ranked"
    folder.mkdir()
    with Corpus(folder, dedup) as whole:
        whole.read(table.to_batches(max_chunksize=1000), in_threads, lambda *_: None)
    found = find_pairs(whole.signed, whole.starts, whole.texts, dedup, scratch=folder)
    every = np.arange(len(rows))
    order = _priority(whole, every, 0)
    early = order < len(parts[0])
    groups = found.groups.astype(np.int64)
    content = _equal_content(whole.content(every), groups)
    selected = np.ones(len(rows), bool)
    _, kind, _ = survivors(np.concatenate([order[early], order[~early]]), selected, content, groups, found.pairs)
    other = {rows[n]["id"] for n in np.flatnonzero(kind)}
    return {"kept_ranked": len(rows) - len(other), "differ": len(gone ^ other)}


def main() -> None:
    """Run steps, or write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("steps", nargs="*", default=["sizes", "batch", "template", "splits"])
    parser.add_argument("--sizes", default="0.1,1,5,20")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    results = Results(args.work / "results.jsonl")
    steps = {"batch": batch, "template": template, "splits": splits}
    for step in args.steps:
        if step == "sizes":
            sizes(args.shared, args.work, results, [float(size) for size in args.sizes.split(",")])
        elif step == "report":
            from report import write_report

            write_report(results.rows, HERE)
        else:
            steps[step](args.shared, args.work, results)


if __name__ == "__main__":
    main()
