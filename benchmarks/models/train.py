"""Train the shipped models on what `gather.py` left, judge them on sources held out, and write `benchmarks/models.md`.

    python -m benchmarks.models.train TEXTS

Bad texts are made by `spoil.py`: for training from training sources, for judging from the sources held out. Good texts
of the sources marked `check` are read to judge, never trained on. Thresholds for the preset are those at which one in
200 good documents is lost, the mean over held-out sources; the models are not trained again on what they are judged by.
"""

import argparse
import csv
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.gather import HERE, sources
from benchmarks.models.report import report
from benchmarks.models.spoil import KINDS, spoil
from pipeline.models import linear, ngram
from pipeline.models.file import write_model
from pipeline.models.form import MAX_CHARS, REVISION
from pipeline.models.training import fold

SHIPPED = HERE.parent.parent / "pipeline" / "models" / "data"
LICENSE = "Apache-2.0"
# What a kind of bad text gives away: the words themselves, or their order. Texts of each kind to train on.
WORDS = {"ads": 2_500, "casino": 2_000, "adult": 2_000, "seo": 1_500, "menu": 800, "mixed": 3_000, "list": 800}
ORDER = {"shuffled": 26_000, "babble": 4_000, "fragments": 2_000, "seo": 1_000, "list": 500, "menu": 500}
JUDGED = 300  # bad texts of a kind to judge by
LOST = 0.005
LEAST = 50  # texts of a source that is judged by: of fewer, one alone would move a threshold
SETTINGS = linear.Training(bits=20, epochs=5, rate=0.5, l2=1e-6, floor=0.02, seed=1)
FEW = linear.Training(listed=250, bits=20, epochs=5, rate=0.5, l2=1e-6, floor=0.02, seed=1)
COUNTING = ngram.Counting(listed=6_500, bigram_bits=18, trigram_bits=19)


def texts_of(folder: Path) -> dict[str, list[str]]:
    """Return the texts of each source."""
    found = {}
    for source in sources():
        lines = (folder / f"{source['name']}.jsonl").read_text("utf-8").splitlines()
        found[source["name"]] = [json.loads(line)["text"] for line in lines]
    return found


def of_part(part: str, texts: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the sources of a part that have a text to learn from, or enough to judge by."""
    names = [source["name"] for source in sources() if source["part"] == part]
    return {name: texts[name] for name in names if len(texts[name]) >= (1 if part == "train" else LEAST)}


def train_linear(
    good: dict[str, list[str]], bad: dict[str, list[str]], settings: linear.Training, power: float
) -> linear.Linear:
    """Train good against bad texts; a source or kind of n texts weighs n^power on its side."""
    texts, weights = [], []
    for side in (bad, good):
        scale = sum(len(group) ** power for group in side.values())
        for group in side.values():
            texts += group
            weights += [len(group) ** (power - 1) / scale] * len(group)
    truth = np.repeat([0, 1], [sum(map(len, side.values())) for side in (bad, good)])
    importance = np.array(weights) * len(texts) / 2
    return linear.train(fold(texts), truth, ("bad", "good"), settings, importance)


def lowest(values: dict[str, Any]) -> float:
    """Return the value below which LOST of the documents lie, as the mean over sources of their shares."""
    candidates = np.unique(np.concatenate(list(values.values())))
    lost = np.mean([np.searchsorted(np.sort(v), candidates) / len(v) for v in values.values()], axis=0)
    return float(candidates[max(0, int(np.searchsorted(lost, LOST, "right")) - 1)])


def listed(texts: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Return what the models were trained on, for the header and for the list beside them."""
    keys = ("name", "kind", "origin", "commit", "licence")
    train = of_part("train", texts)
    rows = [source for source in sources() if source["name"] in train]
    return [{**{key: row[key] for key in keys}, "texts": len(train[row["name"]])} for row in rows]


def write(name: str, model: Any, settings: Any, data: Sequence[dict[str, Any]], figures: dict[str, Any]) -> None:
    """Write a shipped model."""
    header = {
        "kind": linear.KIND if isinstance(model, linear.Linear) else ngram.KIND,
        "labels": list(getattr(model, "labels", ())),
        "parameters": {**asdict(settings), "form": REVISION, "max_chars": MAX_CHARS},
        "license": LICENSE,
        "data": list(data),
        "figures": figures,
    }
    write_model(SHIPPED / name, header, model.arrays)
    print(f"{name}: {(SHIPPED / name).stat().st_size / 1e6:.2f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", type=Path)
    args = parser.parse_args()
    began = time.process_time()
    texts = texts_of(args.texts)
    train, held, check = (of_part(part, texts) for part in ("train", "held", "check"))
    real = {"train": [t for group in train.values() for t in group], "held": [t for g in held.values() for t in g]}
    bad = {kind: spoil(real["train"], kind, count, 1) for kind, count in WORDS.items()}
    disordered = {kind: spoil(real["train"], kind, count, 3) for kind, count in ORDER.items()}
    wrong = {kind: spoil(real["held"], kind, JUDGED, 2) for kind in KINDS}
    made = {"quality": sum(WORDS.values()), "word order": sum(ORDER.values())}
    print(f"{len(real['train'])} good, {made} bad: {time.process_time() - began:.0f} s")

    quality = train_linear(train, bad, SETTINGS, 0.5)
    order = train_linear(train, disordered, FEW, 0.9)
    language = ngram.train(fold(real["train"]), COUNTING)
    print(f"trained: {time.process_time() - began:.0f} s")
    groups = {"held": held, "check": check, "bad": wrong}
    folded = {part: {name: fold(group) for name, group in side.items()} for part, side in groups.items()}
    measured = {
        "quality_score": lambda texts: quality.scores(texts)[:, 1],
        "order_score": lambda texts: order.scores(texts)[:, 1],
        "char_bits": lambda texts: language.bits(texts)[0],
        "order_bits": lambda texts: language.bits(texts)[1] - language.bits(texts)[0],
    }
    measures = {
        column: {part: {name: of(group) for name, group in side.items()} for part, side in folded.items()}
        for column, of in measured.items()
    }
    thresholds = {column: lowest(parts["held"]) for column, parts in measures.items()}
    thresholds["char_bits"] = -lowest({name: -values for name, values in measures["char_bits"]["held"].items()})
    data = listed(texts)
    figures = {"thresholds": {name: round(value, 4) for name, value in thresholds.items()}, "good_lost": LOST}
    write("quality.model", quality, SETTINGS, data, figures)
    write("word_order.model", order, FEW, data, figures)
    write("perplexity.model", language, COUNTING, data, figures)
    with (SHIPPED / "sources.tsv").open("w", encoding="utf-8", newline="") as out:
        out.write("# What the models beside were trained on; bad texts are made by benchmarks/models/spoil.py\n")
        rows = csv.DictWriter(out, list(data[0]), delimiter="\t", lineterminator="\n")
        rows.writeheader()
        rows.writerows(data)
    (HERE.parent / "models.md").write_text(report(measures, thresholds, data, made), "utf-8")


if __name__ == "__main__":
    main()
