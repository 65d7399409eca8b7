"""Gather good text for the shipped models: documents of many sources, cleaned and cut to many lengths.

    python -m benchmarks.models.gather CHECKOUTS -o TEXTS [--without DOCS]

CHECKOUTS holds a checkout of each repository of `sources.tsv` as `owner+name`; TEXTS gets a file of JSON lines for each
source; one that is there already is left alone. Texts go through the cleaners of the preset first, and what its rules
drop is left out. A third stay whole (up to 3,000 characters), the others are cut to 50 to 3,000, each length as likely
by its logarithm. With --without, what shares 13 characters in a row with a document of DOCS (evaluation sets) goes.
"""

import argparse
import csv
import hashlib
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zstandard

from pipeline.dedup.matchform import match_forms
from pipeline.explain import plan_of
from pipeline.select import select
from pipeline.step import apply, columns_of
from schemas.document import DOCUMENT

HERE = Path(__file__).parent
LONGEST, SHORTEST = 3_000, 50
OVERLAP = 13
MODELS = ("quality", "word_order", "perplexity")


def sources() -> list[dict[str, str]]:
    """Return the rows of sources.tsv."""
    lines = (HERE / "sources.tsv").read_text("utf-8").splitlines()
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))


def records_of(path: Path, reader: str) -> Iterator[str]:
    """Return the texts in a file, by the reader that its source names."""
    raw = path.read_text("utf-8", errors="replace")
    how, _, field = reader.partition(":")
    if how == "text":
        yield raw
    elif how == "page":
        broken = re.sub(r"<br\s*/?>|</p>", "\n", raw.replace("&nbsp;", " "))
        yield html.unescape(re.sub(r"<[^>]+>", "", broken))
    elif how == "dump":
        for row in raw.split("INSERT INTO")[1:]:
            lines = re.findall(r"<p[ >][^>]*>(.*?)</p>", row)
            yield html.unescape(re.sub(r"<[^>]+>|&nbsp;", "", "\n".join(lines)))
    elif how == "mandoku":
        kept = [line for line in raw.splitlines() if not line.startswith("#")]
        yield re.sub(r"<pb:[^>]*>|¶|\n", "", "\n".join(kept))
    elif how == "verses":
        for chapter in re.split(r"\n(?=\[\d+:1\])", raw):
            yield re.sub(r"\[\d+:\d+\] |#.*", "", chapter).replace(" ", "")
    elif how == "notebook":
        cells = json.loads(raw)["cells"]
        yield "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    elif how == "turns":
        yield "\n".join(turn["content"] for turn in json.loads(raw))
    elif how in ("csv", "exam"):
        for row in csv.DictReader(raw.lstrip("\ufeff").splitlines()):
            if how == "csv":
                yield row.get(field) or ""
            else:
                yield "\n".join(value for name, value in row.items() if name and name.lower() != "id" and value)
    elif how == "tsv":
        yield from (max(line.split("\t"), key=len) for line in raw.splitlines())
    elif how == "lines":
        yield from (json.loads(line).get(field) or "" for line in raw.splitlines() if line.strip())
    elif how == "conversation":
        for talk in json.loads(raw):
            turns = talk.get("conversation", []) if isinstance(talk, dict) else []
            yield "\n".join(turn.get(side) or "" for turn in turns for side in ("input", "output"))
    elif how == "json":
        rows = json.loads(raw)
        rows = [row for part in rows for row in (part if isinstance(part, list) else [part])]
        yield from (row[field] for row in rows if isinstance(row.get(field), str))


def cut(text: str, random: np.random.Generator) -> list[str]:
    """Return pieces of a text: itself where it is short, up to six parts of many lengths where it is long."""
    pieces = []
    for _ in range(1 + min(5, len(text) // 2_000)):
        drawn = int(np.exp(random.uniform(np.log(SHORTEST), np.log(LONGEST))))
        length = LONGEST if random.random() < 1 / 3 else drawn
        begin = int(random.integers(0, max(1, len(text) - length)))
        if begin and random.random() < 0.7:
            begin = max(0, text.rfind("\n", 0, begin)) or begin
        pieces.append(text[begin : begin + length].strip())
    return pieces


def clean(texts: list[str]) -> list[str]:
    """Return the texts that the preset keeps by rules without models, cleaned."""
    plan = plan_of(None)
    steps = [step for step in plan.steps if step.kind not in MODELS]
    learnt = columns_of(step for step in plan.steps if step.kind in MODELS)
    checks = [check for check in plan.checks if check.rule.column not in learnt]
    kept = []
    for begin in range(0, len(texts), 1_000):
        rows = [
            {"id": f"{n:032x}", "text": text, "source": "text", "uri": str(n), "record": 0}
            for n, text in enumerate(texts[begin : begin + 1_000])
        ]
        table = pa.Table.from_batches([apply(steps, pa.RecordBatch.from_pylist(rows, DOCUMENT))])
        kept += table.filter(pa.array(select(table, checks).kept)).column("text").to_pylist()
    return kept


def grams(texts: list[str]) -> list[Any]:
    """Return the hashes of the 13-grams of the match form of each text."""
    forms = match_forms(pa.array(texts, pa.string()))
    found = []
    for begin, end in zip(forms.starts[:-1], forms.starts[1:], strict=True):
        points = forms.points[begin:end].astype(np.uint64)
        count = max(0, len(points) - OVERLAP + 1)
        keys = np.zeros(count, np.uint64)
        for place in range(OVERLAP):
            keys = (keys + points[place : place + count]) * np.uint64(0x9E3779B97F4A7C15)
        found.append(keys)
    return found


def evaluation(path: Path) -> Any:
    """Return the 13-grams of documents to stay away from, ascending."""
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return np.unique(np.concatenate(grams(texts)))


def meets(keys: Any, avoided: Any) -> bool:
    """Say whether any of the 13-grams is among those to avoid."""
    return len(avoided) > 0 and bool((avoided[np.searchsorted(avoided[:-1], keys)] == keys).any())


def gather(source: dict[str, str], folder: Path, avoided: Any) -> tuple[list[str], int]:
    """Return the texts of one source, and how many were left out for what they share with the evaluation sets."""
    random = np.random.default_rng(int(hashlib.sha256(source["name"].encode()).hexdigest()[:8], 16))
    files = sorted(folder.glob(source["pattern"]))
    most = int(source["most"])
    texts: list[str] = []
    for number in random.permutation(len(files)):
        try:
            for text in records_of(files[number], source["reader"]):
                texts += [piece for piece in cut(text, random) if len(piece) >= SHORTEST]
        except ValueError as error:
            print(f"{files[number]}: not read: {error}")
        if len(texts) > 4 * most:
            break
    texts = clean([texts[n] for n in random.permutation(len(texts))[: 2 * most]])
    shared = [meets(keys, avoided) for keys in grams(texts)] if texts else []
    left = [text for text, one in zip(texts, shared, strict=True) if not one]
    return list(dict.fromkeys(left))[:most], sum(shared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--without", type=Path)
    args = parser.parse_args()
    avoided = evaluation(args.without) if args.without else np.empty(0, np.uint64)
    args.out.mkdir(parents=True, exist_ok=True)
    for source in sources():
        target = args.out / f"{source['name']}.jsonl"
        if target.exists():
            continue
        folder = args.checkouts / source["origin"].removeprefix("github ").replace("/", "+")
        texts, shared = gather(source, folder, avoided)
        with target.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
        print(f"{source['name']}: {len(texts)} texts, {shared} left out", flush=True)


if __name__ == "__main__":
    main()
