"""How long another threshold takes over a million measured documents: decisions, curves, overlaps, samples, page.

    python benchmarks/what_if.py MEASURED [--documents 1000000] > benchmarks/what_if.md

MEASURED is the OUT of `yuliao measure --texts`. Its rows are repeated with noise in their numbers (5 % up or down, by a
seed) until there are enough, with ids of their own, in parts of 100,000, as a folder of `measure` and as a run of a
recipe whose duplicates are known (one document in ten is a verified copy of another). Each figure is the best of three
whole commands, Python's start included; read them as ratios.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dedup.pairs import PAIRS
from pipeline.plan import Plan
from pipeline.recipes import parse_recipe
from pipeline.storage import Workspace, write_json, write_parquet
from pipeline.whatif.measured import TEXTS
from schemas.decision import LEDGER
from schemas.document import DOCUMENT

PART = 100_000
ROUNDS = 3
RECIPE = """\
dataset: bench/what-if
sources: [{id: a, path: raw, license: internal}, {id: b, path: raw, license: internal}]
publish: {license: internal}
"""
CASES = (
    ("rules as they are", []),
    ("one threshold", ["--set", "char_count.min=100"]),
    ("three thresholds", ["--set", "char_count.min=100", "--set", "han_share.min=0.5", "--set", "digits.max=off"]),
)


def noisy(table: pa.Table, rows: np.ndarray, dice: np.random.Generator, first: int) -> pa.Table:
    """Return rows of a table under new ids, every number up to 5 % more or less."""
    taken = table.take(pa.array(rows))
    for place, field in enumerate(taken.schema):
        if pa.types.is_floating(field.type) or pa.types.is_integer(field.type):
            values = taken.column(place).cast(pa.float64()).to_numpy() * dice.uniform(0.95, 1.05, len(rows))
            taken = taken.set_column(place, field, pa.array(values).cast(field.type, safe=False))
    words = dice.bytes(16 * len(rows)).hex()
    ids = [words[i : i + 32] for i in range(0, len(words), 32)]
    return taken.set_column(0, "id", pa.array(ids, pa.string())).set_column(
        taken.schema.get_field_index("record"), "record", pa.array(np.arange(first, first + len(rows)))
    )


def as_run(measured: Path, home: Path) -> Path:
    """Lay the measured parts out as a finished sample run of a recipe, and return the recipe."""
    recipe, workspace = home / "recipe.yaml", Workspace(home)
    plan = Plan.of(parse_recipe(RECIPE), home)
    home.mkdir()
    recipe.write_text(RECIPE, encoding="utf-8")
    run, keys, rows = workspace.run("f" * 64), [], 0
    for number, path in enumerate(sorted((measured / "signals").glob("*.parquet"))):
        key = f"{number:032x}"
        folder = workspace.measured(key)
        folder.mkdir(parents=True)
        signals = pq.read_table(path)
        n = signals.num_rows
        pq.write_table(signals.drop_columns(["uri", "record", "decision", "reason"]), folder / "signals.parquet")
        shutil.copy(measured / TEXTS / path.name, folder / "documents.parquet")
        id, empty = signals.column("id"), pa.nulls(n, pa.string())
        columns = {"source": pa.array(["ab"[i % 2] for i in range(n)]), "decision": pa.array(["keep"] * n)}
        columns |= {"stage": pa.array(["kept"] * n), "content_hash": pa.array([i + i for i in id.to_pylist()])}
        columns |= {name: signals.column(name) for name in ("id", "uri", "record")}
        ledger = pa.table({f.name: columns.get(f.name, empty.cast(f.type)) for f in LEDGER})
        decisions = pa.table({"decision": columns["decision"], "first_version": empty})
        for name, table in (("ledger", ledger), ("decisions", decisions)):
            (run / name).mkdir(parents=True, exist_ok=True)
            pq.write_table(table, run / name / f"part-{number:05d}.parquet")
        keys.append(key)
        rows += n
    pairs = workspace.pairs("f" * 64)
    pairs.mkdir(parents=True)
    left = np.arange(0, rows - 5, 10)
    found = {"left": left, "right": left + 5, "jaccard": np.full(len(left), 0.9)}
    pq.write_table(pa.table(found, schema=PAIRS), pairs / "pairs.parquet")
    pq.write_table(pa.table({"group": np.arange(rows)}), pairs / "groups.parquet")
    summary = {"dataset": plan.recipe.dataset, "run": "f" * 64, "version": None, "mode": "sample", "parts": keys}
    write_json(run / "run.json", {**summary, "pairs": pairs.name, "recipe": plan.public_recipe()})
    return recipe


def timed(arguments: list[str]) -> tuple[float, float, float]:
    """Run the command; return (wall seconds, CPU seconds, peak MiB) of the best of the rounds."""
    found = []
    for _ in range(ROUNDS):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "flows.cli", "what-if", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(done.stderr)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append((wall, cpu, after.ru_maxrss / 1024))
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", type=Path)
    parser.add_argument("--documents", type=int, default=1_000_000)
    args = parser.parse_args()
    signals = pq.read_table(args.measured / "signals")
    texts = pq.read_table(args.measured / TEXTS, columns=["text"]).column(0).to_pylist()
    dice = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "measured"
        for name in ("signals", TEXTS):
            (out / name).mkdir(parents=True)
        shutil.copy(args.measured / "rules.json", out)
        for number, first in enumerate(range(0, args.documents, PART)):
            rows = dice.integers(0, signals.num_rows, min(PART, args.documents - first))
            table = noisy(signals, rows, dice, first)
            pq.write_table(table, out / "signals" / f"part-{number:05d}.parquet", compression="zstd")
            shown = {"id": table.column("id"), "text": pa.array([texts[row][:400] for row in rows.tolist()])}
            shown |= {name: table.column(name) for name in ("uri", "record")} | {"source": pa.array(["a"] * len(rows))}
            documents = pa.table({f.name: shown.get(f.name, pa.nulls(len(rows), f.type)) for f in DOCUMENT})
            write_parquet(out / TEXTS / f"part-{number:05d}.parquet", documents.schema, [documents])
        recipe = as_run(out, Path(scratch) / "home")
        print("| documents | what was measured | change | seconds | CPU seconds | peak MiB |")
        print("| ---: | --- | --- | ---: | ---: | ---: |")
        for place, what in ((str(out), "a folder of `measure`"), (str(recipe), "a run, copies decided anew")):
            for name, more in CASES:
                wall, cpu, peak = timed([place, "--out", str(Path(scratch) / "page"), *more])
                print(f"| {args.documents:,} | {what} | {name} | {wall:.1f} | {cpu:.1f} | {peak:.0f} |", flush=True)
        size = (Path(scratch) / "page/what-if.html").stat().st_size
        load = (
            f"{os.cpu_count()} cores, on which {os.getloadavg()[2]:.0f} processes were at work in the last quarter hour"
        )
        print(f"\nThe page has {size / 1e6:.2f} MB. {load}: seconds are of a busy machine, CPU seconds are not.")


if __name__ == "__main__":
    main()
