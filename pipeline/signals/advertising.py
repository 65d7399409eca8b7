"""Advertising, gambling and adult offers: how dense phrases of spam stand in a text, however they are spelled.

One phrase says nothing: a statute names 赌博 and an article names 微信. So the scores are densities of different
phrases rather than of one that recurs, nothing without a phrase that offers, less where the text warns or forbids, and
what sells needs several kinds of phrases (a price and a way to be contacted).

Trade: lists of phrases are as good as their makers' knowledge of spam, and age; new trades are missed until listed.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.lexicon.files import Lexicon, parse
from pipeline.lexicon.folding import LOOKALIKES
from pipeline.lexicon.matcher import Hits, Matcher, matcher
from pipeline.signals.lexicon import count, told, total
from pipeline.step import Signal
from pipeline.tables import resource
from schemas.manifest import Resource

LEXICONS = ("promotion.tsv", "gambling.tsv", "adult.tsv", "warning.tsv")
STRONG = 2
"""Weight from which on a phrase is an offer; below, it may name the thing only (百家乐, 优惠)."""
_LEAST_CHARS = 100
_COUNTS = ("ad_count", "ad_kind_count", "ad_contact_count", "gambling_count", "adult_count")
_COLUMNS = ("ad_count", "ad_kind_count", "ad_contact_count", "ad_share", "ad_score",
            "gambling_count", "gambling_score", "adult_count", "adult_score", "ad_found")  # fmt: skip


class Advertising(Signal):
    """Phrases of spam, found through spaces, inserted marks, width, script and look-alikes (薇 信, ①②, 澳.门).

    - `ad_count`: phrases that sell: contacts, prices, calls to act, loans, jobs, invoices, documents, medicine, games,
      services, search keywords. `ad_kind_count`: how many of these kinds. `ad_contact_count`: ways to be contacted.
    - `ad_share`: characters that any listed phrase covers, of all.
    - `ad_score`: the sum over different phrases of weight times the root of how often, per 1,000 characters (of the
      text and 100 more, so that a line is not judged by two words), times 1 - 1/n for n different phrases, s / (s + 1)
      for s of them with a weight of 2 or more, 2 / (2 + w) for w words of warning (诈骗, 禁止) and k / (k + 1) for k
      kinds.
    - `gambling_count`, `gambling_score`, `adult_count`, `adult_score`: the same for gambling and for adult offers,
      without the factor for kinds.
    - `ad_found`: JSON, up to 50 phrases: as listed, first character in the cleaned text, and end.
    """

    kind: ClassVar[str] = "advertising"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Counts are int64, share and scores float64, what was found is JSON."""
        types = {"ad_found": pa.string(), **dict.fromkeys(_COUNTS, pa.int64())}
        return {name: types.get(name, pa.float64()) for name in _COLUMNS}

    def resources(self) -> Sequence[Resource]:
        """The lexicons and the look-alikes."""
        return (*(lexicon.resource for lexicon in _lexicons()), resource("pipeline.lexicon", LOOKALIKES, "CC0-1.0"))

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        column, rows = batch.column("text"), batch.num_rows
        found = matcher(_lexicons(), disguised=True)
        hits = found.find(column)
        chars = pc.utf8_length(column).to_numpy(zero_copy_only=False)
        kinds = _kinds(found)
        sells = kinds >= 2
        calm = 2 / (2 + _different(hits, kinds == -2, rows))
        number = _kind_count(hits, kinds, rows)
        density = {name: _density(hits, found, chars, member) * calm for name, member in
                   (("ad", sells), ("gambling", kinds == 0), ("adult", kinds == 1))}  # fmt: skip
        columns = {
            "ad_count": count(hits, rows, sells),
            "ad_kind_count": number,
            "ad_contact_count": count(hits, rows, _of(found, "contact")),
            "ad_share": total(hits, (hits.ends - hits.starts) * (kinds[hits.forms] >= 0), rows) / np.maximum(chars, 1),
            "ad_score": density["ad"] * number / (number + 1),
            "gambling_count": count(hits, rows, kinds == 0),
            "gambling_score": density["gambling"],
            "adult_count": count(hits, rows, kinds == 1),
            "adult_score": density["adult"],
            "ad_found": told(found, hits, rows),
        }
        return [pa.array(columns[name], dtype) for name, dtype in self.adds.items()]


@cache
def _lexicons() -> tuple[Lexicon, ...]:
    folder = files("pipeline.lexicon").joinpath("data")
    return tuple(parse(folder.joinpath(name).read_bytes(), name) for name in LEXICONS)


@cache
def _kinds(found: Matcher) -> npt.NDArray[np.int64]:
    """Return the kind of each form, int64: -2 warning, -1 allowed, 0 gambling, 1 adult, from 2 on what sells."""
    known = {"warning": -2, "other": -1, "gambling": 0, "adult": 1}
    for form in found.forms:
        known.setdefault(form.categories[0], len(known) - 2)
    return np.array([known[form.categories[0]] for form in found.forms], np.int64)


@cache
def _weights(found: Matcher) -> npt.NDArray[np.float64]:
    return np.array([form.weight for form in found.forms], np.float64)


@cache
def _of(found: Matcher, category: str) -> npt.NDArray[np.bool_]:
    return np.array([category in form.categories for form in found.forms], bool)


def _kind_count(hits: Hits, kinds: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.int64]:
    """Return how many kinds of what sells each row has."""
    width = int(kinds.max()) + 1
    there = np.zeros((rows, width), bool)
    those = kinds[hits.forms] >= 0
    there[hits.rows[those], kinds[hits.forms[those]]] = True
    return np.asarray(there[:, 2:].sum(axis=1), np.int64)


def _different(hits: Hits, member: npt.NDArray[np.bool_], rows: int) -> npt.NDArray[np.int64]:
    """Return how many different forms of `member` each row has."""
    those = member[hits.forms]
    keys = np.unique(hits.rows[those] * len(member) + hits.forms[those])
    return np.bincount(keys // len(member), minlength=rows).astype(np.int64)


def _density(hits: Hits, found: Matcher, chars: Any, member: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the weighted density of each row over the forms of `member`: 0 for one form alone, or none that offers."""
    all_weights = _weights(found)
    those = member[hits.forms]
    keys, times = np.unique(hits.rows[those] * len(member) + hits.forms[those], return_counts=True)
    weights = all_weights[keys % len(member)]
    sums = np.bincount(keys // len(member), weights * np.sqrt(times), len(chars))
    different = np.maximum(_different(hits, member, len(chars)), 1)
    strong = _different(hits, member & (all_weights >= STRONG), len(chars))
    return np.asarray(sums * (1 - 1 / different) * strong / (strong + 1) * 1000 / (chars + _LEAST_CHARS))
