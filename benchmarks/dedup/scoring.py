"""Which documents truly resemble each other, and how right a tool's removals are.

Documents are compared by the sets of their character 5-grams in two forms, and the greater Jaccard counts, so that no
tool is punished for folding or for not folding: the plain form (as the documents are given) and the match form (NFKC,
case folded, without punctuation, symbols, control and format characters, Traditional folded to Simplified), both in
plain Python here. The search is exact: if two sets have a Jaccard of J, the second holds at least J of the first, so
it holds one of any 1 - J of its members and one more; the rarest are looked up. Sets are those of 64-bit hashes of
5-grams: among 3e8 5-grams two that differ meet with odds of 0.3 %. Speed is traded for exactness.
"""

import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from benchmarks.growth.run import folded

LEAST = 0.8
Hashes = npt.NDArray[np.uint64]
Form = Callable[[str], str]
FACTORS = np.random.default_rng(5).integers(1, 2**63, 5, np.uint64) * np.uint64(2) + np.uint64(1)
COUNT_BITS, SEEN_BITS = 26, 27


class _Fold(dict[int, str | None]):
    """What `str.translate` makes of a character of a match form."""

    def __missing__(self, point: int) -> str | None:
        char = chr(point)
        category = unicodedata.category(char)
        self[point] = None if category[0] in "PSZ" or category in ("Cc", "Cf") else folded().get(char, char)
        return self[point]


_FOLD = _Fold()


def match_form(text: str) -> str:
    """Return the match form of a text."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_FOLD)


def given(text: str) -> str:
    """Return a text as it is."""
    return text


def shingles(texts: Sequence[str]) -> list[Hashes]:
    """Return the ascending hashes of the 5-grams of each text; a shorter text, or an empty one, is one 5-gram."""
    padding = 5 * "\0"
    points = np.frombuffer("".join(text + padding for text in texts).encode("utf-32-le"), np.uint32)
    points = np.concatenate([points, np.zeros(4, np.uint32)]).astype(np.uint64)
    total = np.zeros(len(points) - 4, np.uint64)
    for shift, factor in enumerate(FACTORS):
        total += (points[shift : shift + len(total)] + np.uint64(1)) * factor
    total ^= total >> np.uint64(32)
    total *= FACTORS[0]
    found, start = [], 0
    for text in texts:
        found.append(np.unique(total[start : start + max(len(text) - 4, 1)]))
        start += len(text) + len(padding)
    return found


class Corpus:
    """The documents of some Parquet files, by number."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self.ids: list[str] = [id for file in files for id in pq.read_table(file, columns=["id"])["id"].to_pylist()]
        self.rows = {id: row for row, id in enumerate(self.ids)}

    def sets(self, form: Form) -> Iterator[tuple[int, list[Hashes]]]:
        """Yield the 5-grams of documents, with the number of the first."""
        row = 0
        for file in self.files:
            for batch in pq.ParquetFile(file).iter_batches(2000, columns=["text"]):
                texts = batch.column(0).to_pylist()
                yield row, shingles([form(text) for text in texts])
                row += len(texts)

    def texts(self, rows: set[int]) -> dict[int, str]:
        """Return the texts of some documents."""
        found: dict[int, str] = {}
        start = 0
        for file in self.files:
            column = pq.read_table(file, columns=["text"])["text"]
            here = [row for row in rows if start <= row < start + len(column)]
            found |= {row: column[row - start].as_py() for row in here}
            start += len(column)
        return found


def resembling(corpus: Corpus, wanted: Sequence[int], form: Form, least: float = LEAST) -> dict[tuple[int, int], float]:
    """Return all pairs (wanted document, other document) whose Jaccard in a form is at least `least`, with it."""
    sets, counts = _counted(corpus, set(wanted), form)
    keys, owners = _rarest(sets, counts, least)
    seen = np.zeros(1 << SEEN_BITS, bool)
    seen[keys >> np.uint64(64 - SEEN_BITS)] = True
    found: dict[tuple[int, int], float] = {}
    for start, others in corpus.sets(form):
        rows = np.repeat(np.arange(len(others)), [len(one) for one in others])
        hashes = np.concatenate(others)
        here = np.flatnonzero(seen[hashes >> np.uint64(64 - SEEN_BITS)])
        low, high = (np.searchsorted(keys, hashes[here], side) for side in ("left", "right"))
        times = high - low
        place = np.repeat(low, times) + np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        pairs = np.unique(owners[place] * len(others) + np.repeat(rows[here], times))
        for one, other in zip((pairs // len(others)).tolist(), (pairs % len(others)).tolist(), strict=True):
            likeness = jaccard(sets[one], others[other]) if one != start + other else 0.0
            if likeness >= least:
                found[one, start + other] = likeness
    return found


def jaccard(one: Hashes, other: Hashes) -> float:
    """Return the Jaccard of two sets, or 0 where their sizes alone put it below 0.5."""
    if 2 * min(len(one), len(other)) < max(len(one), len(other)):
        return 0.0
    both = np.concatenate([one, other])
    both.sort()
    shared = int((both[1:] == both[:-1]).sum())
    return shared / (len(both) - shared)


def _counted(corpus: Corpus, wanted: set[int], form: Form) -> tuple[dict[int, Hashes], npt.NDArray[np.uint32]]:
    """Return the sets of the wanted documents, and in about how many documents the 5-grams of each bin stand."""
    counts = np.zeros(1 << COUNT_BITS, np.uint32)
    sets: dict[int, Hashes] = {}
    for start, some in corpus.sets(form):
        bins, times = np.unique(np.concatenate(some) >> np.uint64(64 - COUNT_BITS), return_counts=True)
        counts[bins] += times.astype(np.uint32)
        sets |= {start + n: one for n, one in enumerate(some) if start + n in wanted}
    return sets, counts


def _rarest(
    sets: dict[int, Hashes], counts: npt.NDArray[np.uint32], least: float
) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Return ascending hashes, and of which document: of each the rarest, of which whoever resembles it has one."""
    keys, owners = [], []
    for row, one in sets.items():
        some = len(one) - math.ceil(least * len(one)) + 1
        order = np.argsort(counts[one >> np.uint64(64 - COUNT_BITS)], kind="stable")[:some]
        keys.append(one[order])
        owners.append(np.full(len(order), row, np.int64))
    joined = np.concatenate(keys)
    order = np.argsort(joined, kind="stable")
    return joined[order], np.concatenate(owners)[order]


def precision(removed: set[str], pairs: Sequence[tuple[str, str]], judged: Sequence[str], keeps: bool = True) -> float:
    """Return the share of judged removals that resemble a document that stays.

    Args:
        removed: what a tool removed.
        pairs: documents that resemble each other, in either order.
        judged: the removals that are looked at.
        keeps: whether the tool keeps one of a group; without, any other document may be resembled.
    """
    right: set[str] = set()
    for pair in pairs:
        for one, other in (pair, pair[::-1]):
            if other not in removed or not keeps:
                right.add(one)
    return sum(one in right for one in judged) / max(len(judged), 1)


def resolved(removed: set[str], pairs: Sequence[tuple[str, str]]) -> float:
    """Return the share of pairs of which at least one document was removed."""
    return sum(one in removed or other in removed for one, other in pairs) / max(len(pairs), 1)
