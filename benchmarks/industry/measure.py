"""How right the classifier of industries is on sources that it never saw.

    python benchmarks/industry/measure.py TEXTS.jsonl > benchmarks/industry.md

The sources that may be trained on are dealt into folds, so that each industry is in all of them; terms and model are
learned without one fold and judged by it, and by the sources that are never trained on. This is repeated with other
deals. A text counts so that every industry weighs the same, and a source by the square root of its texts.

Trade: labels are the sources' own and some are wrong, so no classifier reaches 1; and a source is left out with its
whole kind of text, which is harder than a corpus that resembles the training texts.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpus import LABELS, Corpus
from pipeline.signals.industry import Classifier
from train import fit, importance

FOLDS, DEALS = 4, 2
NONE = 1.0  # vote for `other` where terms alone decide
SYSTEMS = ("terms", "model", "both")
Labels = npt.NDArray[np.int64]


def folds(corpus: Corpus, seed: int) -> dict[str, int]:
    """Return the fold of each source that may be trained on, dealt so that industries are spread."""
    sources = np.unique(corpus.sources[corpus.trainable])
    held = {s: np.bincount(corpus.labels[corpus.sources == s], minlength=len(LABELS)) > 0 for s in sources}
    load = np.zeros((FOLDS, len(LABELS)))
    dealt = {}
    for source in np.random.default_rng(seed).permutation(sources):
        fold = min(range(FOLDS), key=lambda k: ((load[k] * held[source]).sum(), load[k].sum(), k))
        dealt[str(source)] = fold
        load[fold] += held[source]
    return dealt


def answers(corpus: Corpus, words: list[frozenset[str]]) -> Iterator[tuple[Labels, dict[str, Labels]]]:
    """Yield the rows that a split judges, and what each system said of them."""
    for seed in range(DEALS):
        dealt = folds(corpus, seed)
        of = np.array([dealt.get(source, -1) for source in corpus.sources])
        for fold in range(FOLDS):
            learned = np.flatnonzero(corpus.trainable & (of != fold))
            judged = np.flatnonzero(~corpus.trainable | (of == fold))
            lexicon, _, model = fit(corpus.take(learned), [words[row] for row in learned])
            classifier, texts = Classifier(lexicon, model), corpus.take(judged)
            votes = classifier.votes(texts.texts)
            alone = votes.sums.copy()
            alone[:, LABELS.index("other")] = NONE
            said = {
                "terms": alone.argmax(axis=1),
                "model": model.scores(texts.folded()).argmax(axis=1),
                "both": classifier.scores(texts.texts, votes).argmax(axis=1),
            }
            yield judged, said


def confusion(truth: Labels, said: Labels, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the weight of each truth (row) and answer (column), (labels, labels)."""
    table = np.zeros((len(LABELS), len(LABELS)))
    np.add.at(table, (truth, said), weights)
    return table


def figures(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return precision, recall and F1 of each label, (labels, 3)."""
    right = np.diag(table)
    precision, recall = right / np.maximum(table.sum(axis=0), 1e-12), right / np.maximum(table.sum(axis=1), 1e-12)
    return np.stack([precision, recall, 2 * precision * recall / np.maximum(precision + recall, 1e-12)], axis=1)


def line(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def write(corpus: Corpus, all_answers: list[tuple[Labels, dict[str, Labels]]], seconds: float) -> Iterator[str]:
    """Yield the lines of the report."""
    rows = np.concatenate([judged for judged, _ in all_answers])
    said = {name: np.concatenate([each[name] for _, each in all_answers]) for name in SYSTEMS}
    truth, trainable = corpus.labels[rows], corpus.trainable[rows]
    yield "<!-- made by benchmarks/industry/measure.py -->\n"
    yield (
        f"{len(corpus):,} texts, {corpus.trainable.sum():,} of {len(set(corpus.sources[corpus.trainable]))} sources that "
        f"may be trained on, the rest of {len(set(corpus.sources[~corpus.trainable]))} that may not. {len(all_answers)} "
        f"splits ({DEALS} deals of {FOLDS} folds), {seconds / len(all_answers):.0f} CPU seconds each, training and judging.\n"
    )
    yield "Macro F1 of the nine industries:\n"
    yield line("judged by", *SYSTEMS)
    yield line(*["---"] * (len(SYSTEMS) + 1))
    for name, chosen in (("sources left out", trainable), ("sources never trained on", ~trainable), ("all", trainable | True)):
        weights = importance(corpus.sources[rows][chosen], truth[chosen])
        macro = [figures(confusion(truth[chosen], said[s][chosen], weights))[:-1, 2].mean() for s in SYSTEMS]
        yield line(name, *(f"{value:.3f}" for value in macro))
    weights = importance(corpus.sources[rows], truth)
    table = confusion(truth, said["both"], weights)
    yield "\nBoth, all sources, by industry; least and greatest F1 of a split:\n"
    yield line("industry", "precision", "recall", "F1", "least", "greatest")
    yield line(*["---"] * 6)
    each = np.array([_of_split(corpus, judged, answer["both"]) for judged, answer in all_answers])
    for k, name in enumerate(LABELS):
        cells = [f"{value:.3f}" for value in (*figures(table)[k], np.nanmin(each[:, k]), np.nanmax(each[:, k]))]
        yield line(name, *cells)
    yield "\nWhat was said (columns) of what is (rows), in percent:\n"
    yield line("", *LABELS)
    yield line(*["---"] * (len(LABELS) + 1))
    for k, name in enumerate(LABELS):
        yield line(name, *(f"{100 * share:.0f}" for share in table[k] / max(table[k].sum(), 1e-12)))
    yield "\nBy source, texts and share that was right (both):\n"
    yield line("source", "trained on elsewhere", "industry", "texts", "right")
    yield line(*["---"] * 5)
    shares: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for source, label, right in zip(corpus.sources[rows], truth, said["both"] == truth, strict=True):
        use = "yes" if corpus.trainable[corpus.sources == source][0] else "no"
        shares[LABELS[label], source, use].append(float(right))
    for (name, source, use), found in sorted(shares.items()):
        count = int(((corpus.sources == source) & (corpus.labels == LABELS.index(name))).sum())
        yield line(source, use, name, count, f"{np.mean(found):.2f}")


def _of_split(corpus: Corpus, judged: Labels, said: Labels) -> npt.NDArray[np.float64]:
    truth = corpus.labels[judged]
    return figures(confusion(truth, said, importance(corpus.sources[judged], truth)))[:, 2]


def main() -> None:
    """Print the report."""
    corpus = Corpus.read(Path(sys.argv[1]))
    words = corpus.words()
    begin = time.process_time()
    found = list(answers(corpus, words))
    for text in write(corpus, found, time.process_time() - begin):
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
