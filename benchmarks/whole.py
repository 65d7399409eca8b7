"""Whole commands over the evaluation sets, as a user waits for them: wall and CPU seconds and peak memory.

    python benchmarks/whole.py SHARED [--rounds 3] > benchmarks/whole.md

SHARED is the folder of the evaluation sets. Each line is the median of the rounds, which take turns, so that a busy
machine troubles all lines alike; read them as ratios. Memory is the largest resident set of any one process.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import psutil
import zstandard

RECIPE = """\
dataset: bench/mixed-raw
sources: [{id: mixed, path: tree, license: internal}]
publish: {license: internal}
"""
RETUNED = RECIPE + "select: [{column: char_count, min: 100}, {column: lang, in: [zh, yue, lzh]}]\n"


def measured(*arguments: str, cwd: Path) -> tuple[float, float, float]:
    """Run the command and return (wall seconds, CPU seconds, peak MiB of one process)."""
    before = os.times()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *arguments], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = 0
    while process.poll() is None:
        try:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            peak = max(peak, *(member.memory_info().rss for member in family))
        except psutil.Error:
            pass
        time.sleep(0.02)
    wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{arguments}: exit status {process.returncode}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu, peak / 2**20


def unpack(archive: Path, folder: Path) -> None:
    unpacker = zstandard.ZstdDecompressor(max_window_size=2**31)
    with (
        archive.open("rb") as stream,
        unpacker.stream_reader(stream) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        tar.extractall(folder, filter="data")


def one_round(shared: Path, folder: Path) -> dict[str, tuple[float, float, float]]:
    place = folder / "mixed-raw"
    recipe = place / "recipe.yaml"
    for name in ("workspace", "store"):
        shutil.rmtree(place / name, ignore_errors=True)
    recipe.write_text(RECIPE, encoding="utf-8")
    found = {"`run`, 2,348 files, 99 MB, from nothing": measured("run", "recipe.yaml", cwd=place)}
    found["`run` again, nothing to do"] = measured("run", "recipe.yaml", cwd=place)
    recipe.write_text(RETUNED, encoding="utf-8")
    found["`run` with other thresholds"] = measured("run", "recipe.yaml", cwd=place)
    found["`ingest` of the same files"] = measured("ingest", "tree", "-o", str(folder / "ingest"), cwd=place)
    docs = str(shared / "data/neardup/docs.jsonl.zst")
    found["`dedup`, 60,000 documents, 70 MB"] = measured("dedup", docs, "-o", str(folder / "dedup"), cwd=place)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack(args.shared / "data/mixed-raw.tar.zst", folder)
        rounds = [one_round(args.shared.resolve(), folder) for _ in range(args.rounds)]
    print("<!-- made by benchmarks/whole.py -->")
    print(f"Median of {args.rounds} rounds on {os.cpu_count()} cores; kernels compiled before.\n")
    print("| command | wall s | CPU s | peak MiB of a process |")
    print("|---|---|---|---|")
    for line in rounds[0]:
        wall, cpu, peak = (statistics.median(found[line][i] for found in rounds) for i in range(3))
        print(f"| {line} | {wall:.1f} | {cpu:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
