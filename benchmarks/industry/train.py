"""Train the classifier of industries: the list of terms and the linear model that ship.

    python benchmarks/industry/train.py TEXTS.jsonl

TEXTS is what `gather.py` wrote. Writes `pipeline/signals/data/industry.tsv`, `pipeline/models/data/industry.model` and,
beside it, `industry_sources.tsv`, which names repository, commit and licence of every text that was trained on.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import terms
import yaml
from corpus import LABELS, Corpus
from seeds import flags

from pipeline.lexicon.files import Lexicon, parse
from pipeline.models.file import write_model
from pipeline.models.form import REVISION
from pipeline.models.linear import KIND, Linear, Training, train
from pipeline.storage import write_bytes

HERE = Path(__file__).parent
SIGNALS, MODELS = (HERE.parent.parent / "pipeline" / name / "data" for name in ("signals", "models"))
SETTINGS = Training(bits=20, epochs=3, l2=2e-4, letters=True)
STEP = 8  # weights are stored as multiples of it, so that the file is half as large
LICENSE = "Apache-2.0"
_HEAD = f"""---
name: industries
version: "2.0"
license: {LICENSE}
language: zh
---
# Made by benchmarks/industry/train.py out of the texts that pipeline/models/data/industry_sources.tsv names with their
# licences, and of benchmarks/industry/seeds.txt; words struck out by hand are in not_terms.txt beside it. weight:
# natural logarithm of how many times more often a text of the industry holds the term than others do, 4 at most; seeds
# have 3 before any text. `other`: of none of the industries.
term\tcategory\tweight\tflags
"""


def importance(sources: npt.NDArray[np.object_], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return how much each text counts: every label alike, a source by the square root of its texts."""
    weights = np.zeros(len(labels))
    for label in np.unique(labels):
        for source in np.unique(sources[labels == label]):
            rows = (labels == label) & (sources == source)
            weights[rows] = 1 / np.sqrt(rows.sum())
        weights[labels == label] /= weights[labels == label].sum()
    return weights * len(labels) / weights.sum()


def lexicon_of(learned: terms.Terms) -> bytes:
    """Return the bytes of the list of terms, by industry and falling weight; terms count wherever they stand."""
    rows = sorted(learned.items(), key=lambda item: (item[1][0], -item[1][1], item[0]))
    lines = [f"{term}\t{name}\t{weight:g}\t{flags(term)}" for term, (name, weight) in rows]
    return (_HEAD + "\n".join(lines) + "\n").encode()


def fit(texts: Corpus, words: Sequence[frozenset[str]]) -> tuple[Lexicon, bytes, Linear]:
    """Learn terms and model from texts and their words."""
    listed = lexicon_of(terms.learn(words, texts.sources, texts.labels))
    weights = importance(texts.sources, texts.labels)
    model = train(texts.folded(), texts.labels, LABELS, SETTINGS, weights)
    coarse = (np.rint(model.weights / STEP) * STEP).astype(np.int8)
    return parse(listed, "industry.tsv"), listed, replace(model, weights=coarse)


def main() -> None:
    """Train on every text that may be trained on, and write the files."""
    corpus = Corpus.read(Path(sys.argv[1]))
    texts = corpus.take(np.flatnonzero(corpus.trainable))
    _, listed, model = fit(texts, texts.words())
    write_bytes(SIGNALS / "industry.tsv", listed)
    known = yaml.safe_load((HERE / "sources.yaml").read_text(encoding="utf-8"))
    counts = Counter(texts.sources.tolist())
    data = [{"name": name, "license": known[name]["license"], "documents": counts[name]} for name in sorted(counts)]
    stated = ("bits", "epochs", "l2", "seed", "letters")
    parameters = {"form": REVISION, **{name: getattr(SETTINGS, name) for name in stated}}
    header = {"kind": KIND, "labels": list(LABELS), "license": LICENSE, "parameters": parameters, "data": data}
    write_model(MODELS / "industry.model", header, model.arrays)
    write_bytes(MODELS / "industry_sources.tsv", _sources(texts, known).encode())
    sys.stdout.write(json.dumps(header, ensure_ascii=False, indent=1) + "\n")


def _sources(texts: Corpus, known: dict[str, dict[str, str]]) -> str:
    lines = ["# What industry.model and industry.tsv were made of. Licence of this list: CC0-1.0."]
    lines.append("# source\trepository on GitHub\tcommit\tlicence\tkind\ttexts of each industry")
    for name in sorted(set(texts.sources.tolist())):
        counts = Counter(LABELS[label] for label in texts.labels[texts.sources == name])
        told = ", ".join(f"{label} {count}" for label, count in sorted(counts.items()))
        cells = [name, *(known[name][key] for key in ("repository", "commit", "license", "kind")), told]
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
