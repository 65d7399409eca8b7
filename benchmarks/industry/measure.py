"""How right the classifier of industries is on sources that it never saw.

    python benchmarks/industry/measure.py TEXTS.jsonl > benchmarks/industry.md

What ships has learned from every source that may be trained on, and is judged by sources that may not. Then the sources
that may be trained on are dealt into folds, so that each industry is in all of them as far as it goes; terms and model
are learned without one fold and judged by it, and this is repeated with another deal. A text counts so that every
industry weighs the same, and a source by the square root of its texts.

One source, `apps`, describes programs, each of which is for something: software is as right an answer as its label. The
figures are given with and without it.

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
from train import fit, importance

from pipeline.signals.industry import Classifier

FOLDS, DEALS = 4, 2
NONE = 1.0  # vote for `other` where terms alone decide
LEAST = (0, 0.5, 0.8, 0.95)
SYSTEMS = ("terms", "model", "both")
Labels = npt.NDArray[np.int64]
Answers = tuple[Labels, dict[str, Labels]]


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


def splits(corpus: Corpus) -> Iterator[tuple[Labels, Labels]]:
    """Yield the rows to learn from and those to judge by: all that may be trained on first, then each fold left out."""
    yield np.flatnonzero(corpus.trainable), np.flatnonzero(~corpus.trainable)
    for seed in range(DEALS):
        dealt = folds(corpus, seed)
        of = np.array([dealt.get(source, -1) for source in corpus.sources])
        for fold in range(FOLDS):
            yield np.flatnonzero(corpus.trainable & (of != fold)), np.flatnonzero(of == fold)


def answers(corpus: Corpus, words: list[frozenset[str]]) -> Iterator[Answers]:
    """Yield the rows that a split judges, and what each system said of them."""
    for learned, judged in splits(corpus):
        lexicon, _, model = fit(corpus.take(learned), [words[row] for row in learned])
        classifier, texts = Classifier(lexicon, model), corpus.take(judged)
        votes = classifier.votes(texts.texts)
        scores = classifier.scores(texts.texts, votes)
        alone = votes.sums.copy()
        alone[:, LABELS.index("other")] += NONE
        said = {
            "terms": alone.argmax(axis=1),
            "model": model.scores(texts.folded()).argmax(axis=1),
            "both": scores.argmax(axis=1),
            "percent": np.floor(100 * scores.max(axis=1)).astype(np.int64),
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


def joined(found: list[Answers]) -> Answers:
    """Return the answers of some splits end to end."""
    return np.concatenate([rows for rows, _ in found]), {s: np.concatenate([a[s] for _, a in found]) for s in SYSTEMS}


def without(corpus: Corpus, found: Answers, source: str) -> Answers:
    """Return the answers on every source but one."""
    rows, said = found
    keep = corpus.sources[rows] != source
    return rows[keep], {name: told[keep] for name, told in said.items()}


def table_of(corpus: Corpus, found: Answers, system: str) -> npt.NDArray[np.float64]:
    """Return the confusion of a system over some answers."""
    rows, said = found
    return confusion(corpus.labels[rows], said[system], importance(corpus.sources[rows], corpus.labels[rows]))


def write(corpus: Corpus, found: list[Answers], seconds: float) -> Iterator[str]:
    """Yield the lines of the report."""
    parts = {"never trained on": joined(found[:1]), "left out": joined(found[1:])}
    yield "<!-- made by benchmarks/industry/measure.py -->\n"
    others, sources = (len(set(corpus.sources[corpus.trainable == use])) for use in (False, True))
    yield (
        f"{len(corpus):,} texts. `never trained on`: {len(parts['never trained on'][0]):,} of {others} sources, judged "
        f"by what ships, trained on all of the other {sources}. `left out`: {corpus.trainable.sum():,} of these "
        f"by what learned from three quarters of them ({DEALS} deals of {FOLDS} folds of whole sources). "
        f"{seconds / len(found):.0f} CPU seconds for each training and its judging, on a machine with other work.\n"
    )
    yield "Macro F1 of the nine industries:\n"
    yield line("sources", *SYSTEMS)
    yield line(*["---"] * (len(SYSTEMS) + 1))
    clear = {"never trained on, without apps": without(corpus, parts["never trained on"], "apps")}
    for name, part in (parts | clear).items():
        yield line(name, *(f"{figures(table_of(corpus, part, s))[:-1, 2].mean():.3f}" for s in SYSTEMS))
    for name, part in parts.items():
        yield from _by_industry(corpus, name, part)
    yield from _by_score(corpus, found[0])
    each = np.array([figures(table_of(corpus, one, "both"))[:-1, 2].mean() for one in found[1:]])
    yield f"\nMacro F1 of a single fold that is left out (both): {each.min():.3f} to {each.max():.3f}.\n"
    yield "Texts of each source and share that was right (both):\n"
    yield line("sources", "source", "industry", "texts", "right")
    yield line(*["---"] * 5)
    for name, (rows, said) in parts.items():
        right: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for row, answer in zip(rows.tolist(), said["both"].tolist(), strict=True):
            right[LABELS[corpus.labels[row]], corpus.sources[row]].append(answer == corpus.labels[row])
        for (label, source), marks in sorted(right.items()):
            count = len(marks) // (1 if name == "never trained on" else DEALS)
            yield line(name, source, label, count, f"{np.mean(marks):.2f}")


def _by_score(corpus: Corpus, part: Answers) -> Iterator[str]:
    rows, said = part
    yield "\nSources never trained on, where a name counts only from a score on (both), means of the nine industries:\n"
    yield line("least score", "precision", "recall", "F1")
    yield line(*["---"] * 4)
    for least in LEAST:
        answer = np.where(said["percent"] >= 100 * least, said["both"], LABELS.index("other"))
        table = table_of(corpus, (rows, {"both": answer}), "both")
        yield line(least, *(f"{value:.3f}" for value in figures(table)[:-1].mean(axis=0)))


def _by_industry(corpus: Corpus, name: str, part: Answers) -> Iterator[str]:
    table = table_of(corpus, part, "both")
    yield f"\nSources {name} (both): figures, and what was said (columns) of what is (rows), in percent:\n"
    yield line("", "precision", "recall", "F1", *LABELS)
    yield line(*["---"] * (len(LABELS) + 4))
    for k, label in enumerate(LABELS):
        shares = (f"{100 * share:.0f}" for share in table[k] / max(table[k].sum(), 1e-12))
        yield line(label, *(f"{value:.2f}" for value in figures(table)[k]), *shares)


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
