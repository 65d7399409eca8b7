"""Reading by yuliao and its peers: the same files, the same machine, the same run.

    python -m benchmarks.ingest.run WORK --html FOLDER --warc FOLDER [STEP ...] [--rounds 3] [--limit 600]

Steps: install, html, warc, report. FOLDER holds the input of a part; WORK the environments of the peers, the outputs,
and `results.jsonl`, where each finished measurement is noted at once; delete a line to measure again. `report` writes
`results.md` here. A further part is a line in `PARTS` and scripts named in `peers.yaml`.

Every measurement is a whole cold process that reads files and writes texts, all of its processes counted; yuliao runs
with its fingerprints, outcomes and Parquet as ever. What is compared is CPU seconds, since the peers use one core.
Character F1 is that of the multisets of characters after NFKC without white space, the mean over the pages; the
reference for pages is trafilatura's default output, which is a convention and no truth: it keeps readers' comments.
"""

import argparse
import json
import re
import shutil
import sys
import unicodedata
from collections import Counter
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import pyarrow.parquet as pq
import yaml

from benchmarks.dedup.measure import measured
from benchmarks.dedup.run import _installed
from benchmarks.growth.report import table
from benchmarks.growth.run import Results

HERE = Path(__file__).parent
PARTS = {"html": ("*.html", "*.htm"), "warc": ("*.warc", "*.warc.gz")}
REFERENCE = "trafilatura"
Row = dict[str, Any]


class Bench:
    """One folder of work."""

    def __init__(self, work: Path, folders: dict[str, Path], rounds: int, limit: float) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.work, self.rounds, self.limit = work.resolve(), rounds, limit
        self.folders = {part: folder.resolve() for part, folder in folders.items()}
        self.results = Results(work / "results.jsonl")
        self.peers: list[Row] = yaml.safe_load((HERE / "peers.yaml").read_text("utf-8"))

    def install(self) -> None:
        """Make an environment a peer."""
        for peer in self.peers:
            self.results.note(f"install {peer['name']}", partial(_installed, self.work / peer["name"], peer))

    def measure(self, part: str) -> None:
        """Measure all tools on the files of a part, then compare their texts."""
        files = sorted(path for glob in PARTS[part] for path in self.folders[part].rglob(glob))
        if not files:
            raise SystemExit(f"{self.folders[part]}: no {' or '.join(PARTS[part])} in it")
        size = sum(path.stat().st_size for path in files)
        self.results.note(f"{part} input", lambda: {"files": len(files), "mb": round(size / 1e6, 2)})
        tools = ["yuliao", *(peer["name"] for peer in self.peers if part in peer["parts"])]
        for turn in range(self.rounds):
            for tool in tools:
                self.results.note(f"{part} {tool}, round {turn}", lambda tool=tool: self._tool(part, tool, files))
        texts = {tool: self._texts(part, tool) for tool in tools}
        reference = texts.get(REFERENCE) or texts[tools[-1]]
        for tool in tools:
            found = {"records": len(texts[tool]), "f1": _f1(texts[tool], reference)}
            self.results.note(f"{part} {tool}, compared", lambda found=found: found)

    def report(self) -> None:
        """Write the committed tables."""
        (HERE / "results.md").write_text(report(self.results.rows), "utf-8")

    def _tool(self, part: str, tool: str, files: list[Path]) -> Row:
        out = self.work / f"{part}-{tool}"
        shutil.rmtree(out, ignore_errors=True)
        if tool == "yuliao":
            command = [sys.executable, "-m", "flows.cli", "ingest", self.folders[part], "-o", out]
            return measured(command, HERE.parents[1], self.work / "yuliao.log", self.limit)
        out.mkdir()
        peer = next(peer for peer in self.peers if peer["name"] == tool)
        command = [self.work / tool / "bin/python", HERE / "peers" / peer["parts"][part], out / "texts.jsonl", *files]
        return measured(command, self.work, self.work / f"{tool}.log", self.limit)

    def _texts(self, part: str, tool: str) -> dict[str, str]:
        """The texts of a tool by file, of an archive by address."""
        out = self.work / f"{part}-{tool}"
        if tool == "yuliao":
            rows = pq.read_table(out / "documents", columns=["uri", "url", "text"]).to_pylist()
            key = "url" if part == "warc" else "uri"
            return {str(row[key]): row["text"] for row in rows}
        if not (out / "texts.jsonl").exists():
            return {}
        rows = map(json.loads, filter(None, (out / "texts.jsonl").read_text("utf-8").split("\n")))
        root = f"{self.folders[part]}/"
        return {row["name"].strip("<>").removeprefix(root): row["text"] for row in rows}


def report(rows: list[Row]) -> str:
    """Return the page of results."""
    by_name = {row["name"]: row for row in rows}
    parts = ["# Reading beside its peers", "Generated by `python -m benchmarks.ingest.run`; its head says how."]
    for part in PARTS:
        size = by_name.get(f"{part} input")
        if size is None:
            continue
        tools = [
            name.split(" ", 1)[1].split(",")[0] for name in by_name if re.fullmatch(rf"{part} \S+, compared", name)
        ]
        lines = []
        for tool in tools:
            turns = [row for name, row in by_name.items() if name.startswith(f"{part} {tool}, round") and "cpu" in row]
            done = [row for row in turns if not {"over", "failed"} & row.keys()]
            if not done:
                lines.append([tool, "failed", "–", "–", "–"])
                continue
            cpu, judged = median(row["cpu"] for row in done), by_name[f"{part} {tool}, compared"]
            speed = f"{size['mb'] / cpu:.1f}"
            lines.append([tool, speed, f"{cpu:.1f}", judged["records"], f"{judged['f1']:.3f}"])
        head = ["tool", "MB a CPU second", "CPU seconds", "texts", "character F1"]
        parts += [f"## {part}", f"{size['files']:,} files, {size['mb']:g} MB as they lie.", table(head, lines)]
    return "\n\n".join(parts) + "\n"


def _f1(texts: dict[str, str], reference: dict[str, str]) -> float:
    """Return the mean F1 of characters over the keys of the reference."""
    return mean(_score(texts.get(key, ""), text) for key, text in reference.items()) if reference else 0.0


def _score(text: str, other: str) -> float:
    one, two = (Counter("".join(unicodedata.normalize("NFKC", value).split())) for value in (text, other))
    whole = one.total() + two.total()
    return 2 * (one & two).total() / whole if whole else 1.0


def main() -> None:
    """Run steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("steps", nargs="*", help=f"install, {', '.join(PARTS)}, report")
    for part in PARTS:
        parser.add_argument(f"--{part}", type=Path, help=f"folder of the input of the part {part}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=600, help="seconds a measurement may take")
    args = parser.parse_intermixed_args()
    folders = {part: getattr(args, part) for part in PARTS if getattr(args, part)}
    bench = Bench(args.work, folders, args.rounds, args.limit)
    for step in args.steps or ["install", *folders, "report"]:
        if step in folders:
            bench.measure(step)
        elif step in ("install", "report"):
            getattr(bench, step)()
        else:
            parser.error(f"no step {step}, or no folder for it")


if __name__ == "__main__":
    main()
