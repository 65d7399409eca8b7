"""What looking for terms costs, and how often clean documents reach the rules on offers and keywords.

    python benchmarks/lexicon.py SHARED > benchmarks/lexicon.md

SHARED is the folder of the evaluation sets. Terms are words of jieba's dictionary of two characters or more, drawn with
a seed: real words, so a list of 100,000 hits everywhere, which no list that is meant to find something does. Times are
CPU seconds of one core after a first call that compiles; on a machine that is shared they vary by a third.
`daachorse`, where it is installed, returns every overlapping match of the same terms in the texts as they are: no
folding, no borders, no choice among overlapping ones.
"""

import random
import resource
import sys
import time
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import zstandard

from pipeline.lexicon.files import Lexicon, Term
from pipeline.lexicon.matcher import Matcher
from pipeline.plan import preset
from pipeline.step import Signal, build

ROWS = 1_000
MODES = (("", False), ("anywhere", False), ("", True))
SETS = {"near-duplicates": "neardup", "quality": "quality"}


def texts_of(path: Path, most: int = 60_000) -> list[tuple[str, str]]:
    """Return source and text of the first documents of a set."""
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        rows = [orjson.loads(line) for _, line in zip(range(most), lines, strict=False)]
    return [(row["source"], row["text"]) for row in rows]


def batches(texts: list[str]) -> list[pa.RecordBatch]:
    return [pa.record_batch({"text": pa.array(texts[i : i + ROWS])}) for i in range(0, len(texts), ROWS)]


def words(count: int) -> list[str]:
    """Return words drawn from jieba's dictionary."""
    lines = files("jieba").joinpath("dict.txt").read_text(encoding="utf-8").splitlines()
    known = sorted({word for word in (line.split(" ", 1)[0] for line in lines) if len(word) > 1})
    return random.Random(7).sample(known, count)


def lexicon(terms: list[str], flags: str) -> Lexicon:
    marks = frozenset(flags.split())
    lines = tuple(Term(term, "word", 1.0, marks, "made") for term in terms)
    return Lexicon("words", "1", "MIT", "zh", lines, "0" * 64)


def seconds(work: Any) -> tuple[float, Any]:
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def finding(parts: list[pa.RecordBatch], size: float) -> None:
    """Print the table of speeds of the matcher."""
    print("| terms | borders | disguised | build s | memory MB | MB/s | hits |\n|---|---|---|---|---|---|---|")
    for count in (100, 3_000, 100_000):
        terms = words(count)
        for flags, disguised in MODES:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            built, matcher = seconds(lambda t=terms, f=flags, d=disguised: Matcher([lexicon(t, f)], d))
            first, _ = seconds(lambda m=matcher: m.find(parts[0].column("text")))
            memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            took, hits = seconds(lambda m=matcher: sum(len(m.find(part.column("text"))) for part in parts))
            cells = [f"{count:,}", "no" if flags else "yes", "yes" if disguised else "no", f"{built + first:.1f}"]
            print("| " + " | ".join([*cells, f"{memory:.0f}", f"{size / took:.0f}", f"{hits:,}"]) + " |")
    if find_spec("daachorse"):
        from daachorse import CharwiseDoubleArrayAhoCorasick

        built, automaton = seconds(lambda: CharwiseDoubleArrayAhoCorasick(words(100_000)))
        texts = [text for part in parts for text in part.column("text").to_pylist()]
        took, hits = seconds(lambda: sum(len(automaton.find_overlapping(text)) for text in texts))
        print(f"| 100,000 | daachorse 0.5, bare | – | {built:.1f} | – | {size / took:.0f} | {hits:,} |")


def clean(docs: list[tuple[str, str]], steps: list[Signal], rules: dict[str, float]) -> None:
    """Print how many documents of each source lie above each rule."""
    columns: dict[str, list[Any]] = {}
    for part in batches([text for _, text in docs]):
        for step in steps:
            for name, array in zip(step.adds, step.measure(part), strict=True):
                if name in rules:
                    columns.setdefault(name, []).append(array.to_numpy())
    above = {name: np.concatenate(columns[name]) > most for name, most in rules.items()}
    sources = np.array([source for source, _ in docs])
    print("| source | documents | " + " | ".join(f"`{name}` > {most:g}" for name, most in rules.items()) + " |")
    print("|---" * (2 + len(rules)) + "|")
    for source in [*sorted(set(sources)), "all"]:
        here = sources == source if source != "all" else np.ones(len(docs), bool)
        print(f"| {source} | {here.sum():,} | " + " | ".join(str((above[name] & here).sum()) for name in rules) + " |")


def main() -> None:
    """Print the tables."""
    shared = Path(sys.argv[1]) / "data"
    steps = [build({"kind": kind}) for kind in ("advertising", "keywords")]
    names = {name for step in steps for name in step.adds}
    rules = {rule["column"]: rule["max"] for rule in preset("zh-web")["select"] if rule["column"] in names}
    print("<!-- made by benchmarks/lexicon.py -->\n")
    for name, folder in SETS.items():
        texts = [text for _, text in texts_of(shared / folder / "docs.jsonl.zst", 20_000)]
        parts, size = batches(texts), sum(len(text.encode()) for text in texts) / 1e6
        print(f"Texts of the set {name}, {size:.0f} MB in UTF-8:\n")
        finding(parts, size)
        for step in steps:
            step.measure(parts[0])
            took, _ = seconds(lambda s=step, p=parts: [s.measure(part) for part in p])
            print(f"\nThe signal `{step.kind}`: {size / took:.0f} MB/s.")
        print()
    print("Documents of the near-duplicate set, which nobody wrote to sell, above the rules of `zh-web`:\n")
    clean(texts_of(shared / "neardup" / "docs.jsonl.zst"), steps, rules)


if __name__ == "__main__":
    main()
