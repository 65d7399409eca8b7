"""Near-duplicate removal by yuliao and its peers: the same documents, the same machine, the same run.

    python -m benchmarks.dedup.run SHARED WORK [STEP ...] [--peers A,B] [--documents N] [--limit 1500]
    python -m benchmarks.dedup.run SHARED WORK report

Run in the folder of the project, on Linux. Steps: install, corpus, truth, small, large, report. SHARED is the folder of
the evaluation sets. WORK (10 GB of environments, 2 GB else) holds an environment a peer, the corpora, the outputs, and
`results.jsonl`, where each finished measurement is noted at once, so that what was stopped goes on; delete a line to
measure again. `--peers` and `--documents`: some of the peers, a part of the set, for trying. `report` writes
`results.md` and `speed.svg` here.

Every measurement is a whole cold process that reads Parquet and writes which documents go, all of its processes
counted; the kernels of yuliao are compiled before. Each is preceded by one of yuliao, and ratios are between
neighbours. One that takes longer than `--limit` seconds is stopped and noted so. Nothing that a peer keeps between
runs (caches of Hugging Face datasets, of data-juicer) survives a measurement.

What is judged, over the truth of `scoring.py`: precision is the share of removed documents that resemble (Jaccard at
least 0.8 in the better of two forms) one that stays; recall the share of the pairs of the set with plain Jaccard of at
least 0.8 of which one is removed, and the same over those that reach 0.8 in both forms. Over the large corpus, the
precision of 2,000 removals, and the recall of 2,000 planted near copies that reach 0.8 in both forms.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from benchmarks.dedup.corpus import chosen, make_large, make_small
from benchmarks.dedup.measure import measured
from benchmarks.dedup.report import write_report
from benchmarks.dedup.scoring import (
    LEAST,
    Corpus,
    given,
    jaccard,
    match_form,
    precision,
    resembling,
    resolved,
    shingles,
)
from benchmarks.growth.run import Results
from benchmarks.match_forms import rows_of

HERE = Path(__file__).parent
STEPS = ["install", "corpus", "truth", "small", "large", "report"]
SAMPLE = 2000
Peer = dict[str, Any]


class Bench:
    """One folder of work."""

    def __init__(self, shared: Path, work: Path, documents: int | None, limit: float, peers: Sequence[str]) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.shared, self.work = shared.resolve(), work.resolve()
        self.documents, self.limit = documents, limit
        self.results = Results(work / "results.jsonl")
        every: list[Peer] = yaml.safe_load((HERE / "peers.yaml").read_text("utf-8"))
        self.peers = [peer for peer in every if not peers or peer["name"] in peers]

    def install(self) -> None:
        """Make an environment a peer."""
        for peer in self.peers:
            self.results.note(f"install {peer['install'][0]}", partial(_installed, self._environment(peer), peer))

    def corpus(self) -> None:
        """Write both corpora."""
        for name, make in (("small", make_small), ("large", make_large)):
            self.results.note(f"corpus {name}", lambda make=make, name=name: make(self._rows(), self.work / name))

    def truth(self) -> None:
        """Find all pairs of the small corpus that resemble, and compare with those of the set."""
        self.results.note("truth", self._truth)

    def small(self) -> None:
        """Measure all tools on the small corpus."""
        self._rounds("small", self._judged_small)

    def large(self) -> None:
        """Measure the fast tools on the large corpus, then judge all of them in one pass."""
        self._rounds("large", None)
        missing = [name for name in self._done("large") if f"large {name}, judged" not in self._names()]
        if missing:
            for name, row in self._judged_large(missing).items():
                self.results.note(f"large {name}, judged", lambda row=row: row)

    def report(self) -> None:
        """Write the committed tables and the plot."""
        write_report(self.results.rows, self.peers, HERE, os.cpu_count() or 1)

    def _rows(self) -> list[dict[str, str]]:
        return chosen(self.shared, self.documents)

    def _environment(self, peer: Peer) -> Path:
        return self.work / "environments" / str(peer["install"][0]).split("=")[0].split("[")[0]

    def _names(self) -> set[str]:
        return {row["name"] for row in self.results.rows}

    def _rounds(self, corpus: str, judge: Any) -> None:
        """Measure each peer after yuliao, round by round."""
        warm = self.work / "warm"
        if f"{corpus} yuliao, warm" not in self._names():
            make_small(self._rows()[:1000], warm)
            self.results.note(f"{corpus} yuliao, warm", lambda: self._yuliao(warm, "warm-out"))
        for turn in range(max(peer[corpus] for peer in self.peers)):
            for peer in self.peers:
                if turn >= peer[corpus]:
                    continue
                name = peer["name"]
                run = {"yuliao": self._yuliao, name: partial(self._peer, peer)}
                for tool, make in run.items():
                    row = f"{corpus} {name}, round {turn}" + ("" if tool == name else ": yuliao")
                    out = f"{corpus}-{tool}"
                    found = self.results.note(row, lambda make=make, out=out: make(self.work / corpus, out))
                    if judge and not {"over", "failed"} & found.keys():
                        self.results.note(f"{corpus} {tool}, judged", partial(judge, tool))

    def _yuliao(self, folder: Path, out: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "flows.cli", "dedup", *sorted(folder.glob("*.parquet")), "-o", self.work / out]
        return self._measured(command, out, HERE.parents[1])

    def _peer(self, peer: Peer, folder: Path, out: str) -> dict[str, Any]:
        python, script = self._environment(peer) / "bin" / "python", HERE / "peers" / peer["script"]
        if not python.exists():
            noted = [row for row in self.results.rows if row["name"] == f"install {peer['install'][0]}"]
            if not noted:
                raise SystemExit(f"{python} is not there; run the step `install`")
            return {"failed": f"not installed: {noted[0].get('failed', 'its folder is gone')}"}
        scratch = self.work / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        files = sorted(folder.glob("part-*.parquet"))
        return self._measured([python, script, self.work / out, *files], out, scratch)

    def _measured(self, command: Sequence[object], out: str, cwd: Path) -> dict[str, Any]:
        shutil.rmtree(self.work / out, ignore_errors=True)
        caches = self.work / "caches"
        shutil.rmtree(caches, ignore_errors=True)
        offline = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "UV_OFFLINE"), "1")
        kept = {"HF_HOME": str(caches / "hf"), "DATA_JUICER_CACHE_HOME": str(caches / "dj")}
        logs = self.work / "logs"
        logs.mkdir(exist_ok=True)
        found = measured(command, cwd, logs / f"{out}.txt", self.limit, {**offline, **kept})
        if not {"over", "failed"} & found.keys():
            found["removed"] = len(removed(self.work / out))
        return found

    def _done(self, corpus: str) -> list[str]:
        """The tools that got through a corpus."""
        ended = {
            row["name"].rpartition(", round")[0]
            for row in self.results.rows
            if "removed" in row and ":" not in row["name"]
        }
        names = [peer["name"] for peer in self.peers if f"{corpus} {peer['name']}" in ended]
        return ["yuliao", *names]

    def _truth(self) -> dict[str, Any]:
        corpus = Corpus(sorted((self.work / "small").glob("part-*.parquet")))
        found: dict[tuple[int, int], dict[str, float]] = {}
        for name, form in (("plain", given), ("match", match_form)):
            for (one, other), value in resembling(corpus, range(len(corpus.ids)), form).items():
                found.setdefault((min(one, other), max(one, other)), {})[name] = round(value, 6)
        lines = [json.dumps({"a": corpus.ids[a], "b": corpus.ids[b], **forms}) for (a, b), forms in found.items()]
        (self.work / "truth.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
        here = {(corpus.ids[a], corpus.ids[b]) for (a, b), forms in found.items() if "plain" in forms}
        own = {tuple(sorted(pair)) for pair in self._pairs() if corpus.rows.keys() >= set(pair)}
        return {
            "pairs": len(found),
            "plain": len(here),
            "both_forms": sum(len(forms) == 2 for forms in found.values()),
            "own": len(own),
            "not_found": len(own - {tuple(sorted(pair)) for pair in here}),
        }

    def _pairs(self) -> list[tuple[str, str]]:
        """The pairs of the set with plain Jaccard of at least 0.8."""
        rows = rows_of(self.shared / "data/neardup/pairs_exact_ge070.jsonl.zst")
        return [(row["a"], row["b"]) for row in rows if row["jaccard"] >= LEAST]

    def _judged_small(self, tool: str) -> dict[str, Any]:
        gone = removed(self.work / f"small-{tool}")
        rows = [json.loads(line) for line in (self.work / "truth.jsonl").read_text("utf-8").splitlines()]
        there = set(Corpus(sorted((self.work / "small").glob("part-*.parquet"))).ids)
        own = [pair for pair in self._pairs() if there.issuperset(pair)]
        both = [(row["a"], row["b"]) for row in rows if {"plain", "match"} <= row.keys()]
        every = [(row["a"], row["b"]) for row in rows]
        return {
            "removed": len(gone),
            "precision": precision(gone, every, sorted(gone), self._keeps(tool)),
            "recall": resolved(gone, own),
            "recall_both_forms": resolved(gone, both),
        }

    def _keeps(self, tool: str) -> bool:
        return next((peer.get("keeps", True) for peer in self.peers if peer["name"] == tool), True)

    def _judged_large(self, tools: Sequence[str]) -> dict[str, dict[str, Any]]:
        corpus = Corpus(sorted((self.work / "large").glob("part-*.parquet")))
        gone = {tool: removed(self.work / f"large-{tool}") for tool in tools}
        samples = {tool: _sample(sorted(ids)) for tool, ids in gone.items()}
        wanted = sorted({corpus.rows[id] for sample in samples.values() for id in sample})
        pairs = {pair for form in (given, match_form) for pair in resembling(corpus, wanted, form)}
        named = [(corpus.ids[one], corpus.ids[other]) for one, other in pairs]
        planted = self._planted(corpus)
        return {
            tool: {
                "removed": len(gone[tool]),
                "looked_at": len(samples[tool]),
                "precision": precision(gone[tool], named, samples[tool], self._keeps(tool)),
                "planted": len(planted),
                "recall_both_forms": resolved(gone[tool], planted),
            }
            for tool in tools
        }

    def _planted(self, corpus: Corpus) -> list[tuple[str, str]]:
        """Some planted near copies that resemble what they are copies of in both forms."""
        lines = (self.work / "large" / "copies.jsonl").read_text("utf-8").splitlines()
        links = [json.loads(line) for line in _sample(lines, 2 * SAMPLE)]
        pairs = [(link["id"], link["of"]) for link in links]
        texts = corpus.texts({corpus.rows[id] for pair in pairs for id in pair})
        found = []
        for pair in pairs:
            both = [texts[corpus.rows[id]] for id in pair]
            if all(jaccard(*shingles([form(text) for text in both])) >= LEAST for form in (given, match_form)):
                found.append(pair)
        return found[:SAMPLE]


def _sample(values: Sequence[str], count: int = SAMPLE) -> list[str]:
    return random.Random(1).sample(values, min(count, len(values)))


def removed(out: Path) -> set[str]:
    """Return the ids that a run removed."""
    if (out / "removed.txt").exists():
        return set((out / "removed.txt").read_text("utf-8").splitlines())
    return set(pq.read_table(out / "duplicates.parquet", columns=["id"])["id"].to_pylist())


def _installed(folder: Path, peer: Peer) -> dict[str, Any]:
    """Make an environment; say what is in it, or why it is not there."""
    commands = [
        [sys.executable, "-m", "venv", "--clear", folder],
        [folder / "bin" / "pip", "install", *peer["install"]],
    ]
    for command in commands:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            return {"failed": (done.stderr or done.stdout).strip().splitlines()[-1][-300:]}
    return {"installed": peer["install"]}


def main() -> None:
    """Run steps."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that what is being measured is ended, too
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("steps", nargs="*", help=", ".join(STEPS))
    parser.add_argument("--peers", default="", help="some of peers.yaml, separated by commas")
    parser.add_argument("--documents", type=int, help="a part of the set, for trying")
    parser.add_argument("--limit", type=float, default=1500, help="seconds a measurement may take")
    args = parser.parse_intermixed_args()
    peers = [name.strip() for name in args.peers.split(",") if name.strip()]
    bench = Bench(args.shared, args.work, args.documents, args.limit, peers)
    for step in args.steps or STEPS:
        if step not in STEPS:
            parser.error(f"no step {step}; there are {', '.join(STEPS)}")
        getattr(bench, step)()


if __name__ == "__main__":
    main()
