"""Which words speak for an industry, and how much: the list of terms, learned from texts.

A word's rate in an industry is the mean over its sources of the share of texts that hold it, so that a large source
counts no more than others; sources with few texts count less. Its weight is the logarithm of that rate over the
greatest rate in another industry or in none. A word is a term of the industry that uses it most, if two sources at
least show it there; those that tell most (rate times weight) are taken.

`seeds.txt` lists words that name what an industry does. They have a head start over what the texts say of them, and are
terms whatever few sources show them, unless another industry uses them much more often: no set of texts shows all of an
industry.

Trade: frequencies, no meaning. A word that two sources share by chance (a greeting, a name) can become a term; `NOT`
lists those that were seen and struck out, and function words are no terms.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from corpus import LABELS
from seeds import seeds

from pipeline.tables import lines_of

NOT = Path(__file__).parent / "not_terms.txt"
TERMS = 600  # of an industry, at most
SMOOTH = 0.002  # rate that an unseen word is taken to have
HALF = 30  # texts of a source at which it counts half
LEAST = 0.7  # weight (natural logarithm) below which a word is no term
MOST = 4.0
START = 3.0  # weight that a seed has before any text is seen

Terms = dict[str, tuple[str, float]]  # term: industry and weight


def learn(words: Sequence[frozenset[str]], sources: npt.NDArray[np.object_], labels: npt.NDArray[np.int64]) -> Terms:
    """Return the terms of texts, given their different words, sources and labels."""
    lines = NOT.read_text(encoding="utf-8").splitlines()
    struck = {word for line in lines if not line.startswith("# ") for word in line.split()}
    struck.update(lines_of("pipeline.signals", "stopwords.txt"))
    listed = seeds()
    totals = Counter(word for found in words for word in found)
    known = [*listed, *(w for w, count in totals.items() if count >= 5 and w not in struck and w not in listed)]
    place = {word: k for k, word in enumerate(known)}
    rates, shown = _rates(words, sources, labels, place)
    terms: Terms = {}
    for label, name in enumerate(LABELS):
        others = np.delete(rates, label, axis=0)
        weights = np.log((rates[label] + SMOOTH) / (others.max(axis=0) + SMOOTH))
        own = np.array([k for k, word in enumerate(listed) if listed[word] == name], np.int64)
        weights[own] += START
        telling = rates[label] * weights
        telling[(weights < LEAST) | (shown[label] < 2)] = 0
        telling[own[weights[own] >= LEAST]] += 1
        for k in sorted(np.flatnonzero(telling > 0).tolist(), key=lambda k: (-telling[k], known[k]))[:TERMS]:
            terms[known[k]] = (name, round(min(float(weights[k]), MOST), 2))
    return terms


def _rates(
    words: Sequence[frozenset[str]],
    sources: npt.NDArray[np.object_],
    labels: npt.NDArray[np.int64],
    place: dict[str, int],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the rate of each word in each label, and in how many sources of the label it is, (labels, words)."""
    rates, shown = np.zeros((len(LABELS), len(place))), np.zeros((len(LABELS), len(place)), np.int64)
    whole = np.zeros(len(LABELS))
    for source, label in sorted(set(zip(sources.tolist(), labels.tolist(), strict=True))):
        rows = np.flatnonzero((sources == source) & (labels == label))
        found = [place[word] for row in rows for word in words[row] if word in place]
        counts = np.bincount(np.array(found, np.int64), minlength=len(place))
        share = len(rows) / (len(rows) + HALF)
        rates[label] += share * counts / len(rows)
        whole[label] += share
        shown[label] += counts >= 2
    return rates / np.maximum(whole, 1e-9)[:, None], shown
