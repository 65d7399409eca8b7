"""Speed from JSON lines to a decision: the preset zh-web beside datatrove with the Chinese filters of FineWeb-2.

    python -m benchmarks.quality.run SHARED WORK [STEP ...] [--documents 30000] [--rounds 3]

Run in the folder of the project, on Linux. Steps: install, corpus, measure, report. SHARED is the folder of the
evaluation sets. WORK holds the environment of datatrove (1 GB), the corpus, and `results.jsonl`, where each finished
measurement is noted at once, so that what was stopped goes on; delete a line to measure again.

Every measurement is a whole cold process over the same documents, in turns; the kernels of yuliao are compiled before.
MB/s a core is the bytes of JSON over CPU seconds, of which the run over the first hundredth of the documents is taken
off as the start; megabytes are millions of bytes. rjieba is alone in a process that reads the lines and cuts what the
preset cuts of each document.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from benchmarks.dedup.measure import measured
from benchmarks.growth.run import Results
from benchmarks.match_forms import rows_of

HERE = Path(__file__).parent
STEPS = ["install", "corpus", "measure", "report"]
DATATROVE = ["datatrove[io,processing]==0.10.1", "spacy==3.8.18", "jieba==0.42.1"]
PARTS = 2  # so that two workers of datatrove have one each
LIMIT = 3600.0
TOOLS = {
    "yuliao": "zh-web, one worker",
    "yuliao without words": "zh-web without `words` and its rules, one worker",
    "rjieba": "words alone",
    "datatrove": "FineWeb-2 filters for Chinese, PII formatter, two workers",
    "yuliao, two workers": "zh-web, two workers",
}


class Bench:
    """One folder of work."""

    def __init__(self, shared: Path, work: Path, documents: int, rounds: int) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.shared, self.work, self.documents, self.rounds = shared.resolve(), work.resolve(), documents, rounds
        self.results = Results(work / "results.jsonl")

    def install(self) -> None:
        """Make the environment of datatrove."""
        subprocess.run([sys.executable, "-m", "venv", "--clear", self.work / "datatrove"], check=True)
        subprocess.run([self.work / "datatrove" / "bin" / "pip", "install", "--quiet", *DATATROVE], check=True)

    def corpus(self) -> None:
        """Write documents of the sets on quality and near-duplicates, mixed, and a hundredth of them apart."""
        sets = [self.shared / f"data/{name}/docs.jsonl.zst" for name in ("quality", "neardup")]
        rows = [{"id": row["id"], "text": row["text"]} for path in sets for row in rows_of(path)]
        random.Random(1).shuffle(rows)
        for name, count in (("whole", self.documents), ("start", self.documents // 100)):
            folder = self.work / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for part in range(PARTS):
                lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows[part:count:PARTS]]
                (folder / f"part-{part}.jsonl").write_text("".join(lines), "utf-8")
        for name in ("zh-web", "no-words"):
            recipe = yaml.dump(recipe_of(name), allow_unicode=True)
            (self.work / f"{name}.yaml").write_text(recipe, "utf-8")

    def measure(self) -> None:
        """Measure all tools in turns."""
        for corpus, rounds in (("start", self.rounds), ("whole", self.rounds)):
            if corpus == "start":
                self._run("yuliao", "start")  # compiles
            for turn in range(rounds):
                for tool in TOOLS:
                    self.results.note(f"{corpus}, {tool}, round {turn}", partial(self._run, tool, corpus))

    def report(self) -> None:
        """Write the table."""
        (HERE / "results.md").write_text(self.table(), "utf-8")

    def _run(self, tool: str, corpus: str) -> dict[str, Any]:
        inputs, out = self.work / corpus, self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        recipe = self.work / ("no-words.yaml" if "without" in tool else "zh-web.yaml")
        how = ["--recipe", recipe, "--workers", 2 if "two" in tool else 1]
        parts = sorted(inputs.glob("part-*.jsonl"))
        command: Sequence[object] = {
            "rjieba": [sys.executable, HERE / "peers" / "with_rjieba.py", _characters(), *parts],
            "datatrove": [
                self.work / "datatrove" / "bin" / "python",
                HERE / "peers" / "with_datatrove.py",
                out,
                inputs,
            ],
        }.get(
            tool,
            [sys.executable, "-m", "flows.cli", "measure", *parts, "-o", out, *how],
        )
        found = measured(command, HERE.parents[1], self.work / "log.txt", LIMIT)
        if "failed" in found:
            raise SystemExit(f"{tool}: {found['failed']}")
        return {**found, "bytes": sum(path.stat().st_size for path in parts)}

    def table(self) -> str:
        rows = {row["name"]: row for row in self.results.rows}
        lines, rates = [], {}
        for tool, what in TOOLS.items():
            turns = [rows[f"whole, {tool}, round {n}"] for n in range(self.rounds)]
            starts = [rows[f"start, {tool}, round {n}"] for n in range(self.rounds)]
            start = statistics.median(row["cpu"] for row in starts)
            cpu = statistics.median(row["cpu"] for row in turns)
            seconds = statistics.median(row["seconds"] for row in turns)
            rate = turns[0]["bytes"] / 1e6 / (cpu - start)
            rates[tool] = rate
            peak = max(row["peak_mib"] for row in turns)
            lines.append(f"| {tool} | {what} | {rate:.1f} | {seconds:.1f} | {cpu:.1f} | {start:.1f} | {peak:,} |")
        size = turns[0]["bytes"] / 1e6
        pairs = [
            (rows[f"whole, datatrove, round {n}"], rows[f"whole, yuliao, two workers, round {n}"])
            for n in range(self.rounds)
        ]
        wall, cpu = (statistics.median(its[unit] / ours[unit] for its, ours in pairs) for unit in ("seconds", "cpu"))
        words = rates["yuliao"] / rates["rjieba"]
        return "\n".join(
            [
                "# From JSON lines to a decision",
                "",
                f"{self.documents:,} documents, {size:.0f} MB of JSON, {os.cpu_count()} cores, median of {self.rounds} "
                "rounds in turns. Made by `python -m benchmarks.quality.run`; how is said there.",
                "",
                "| tool | what | MB/s a core | seconds | CPU s | of it start | peak, MiB |",
                "|---|---|---|---|---|---|---|",
                *lines,
                "",
                f"datatrove takes {wall:.1f} times the time of yuliao with as many workers, and {cpu:.1f} times its "
                f"CPU seconds. With words, yuliao has {words:.2f} of the rate of rjieba alone.",
                "",
            ]
        )


def recipe_of(name: str) -> dict[str, Any]:
    """The preset zh-web as a recipe, without words where asked for."""
    from pipeline.signals.words import Words

    preset = yaml.safe_load((files("pipeline") / "presets" / "zh-web.yaml").read_text("utf-8"))
    steps, rules = preset["steps"], preset["select"]
    if name == "no-words":
        steps = [step for step in steps if step.get("kind") != Words.kind]
        rules = [rule for rule in rules if rule["column"] not in Words().adds]
    return {
        "dataset": "bench/quality",
        "sources": [{"id": "input", "path": ".", "license": "internal"}],
        "steps": steps,
        "select": rules,
        "publish": {"license": "internal"},
    }


def _characters() -> int:
    from pipeline.signals.words import Words

    return Words().max_chars


def main() -> None:
    """Run the steps that are asked for, all by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("steps", nargs="*", default=STEPS, choices=STEPS, metavar="STEP")
    parser.add_argument("--documents", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    bench = Bench(args.shared, args.work, args.documents, args.rounds)
    for step in args.steps:
        getattr(bench, step)()


if __name__ == "__main__":
    main()
