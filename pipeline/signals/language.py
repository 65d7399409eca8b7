"""Language and script of a document: the script profile first, n-gram statistics only for what it leaves open.

Han, kana and hangul decide by themselves, so nearly every document of a Chinese corpus is settled by one walk over its
code points. Cantonese is told by its own characters, Classical Chinese by log-odds of characters and neighbours
(`classical`), Simplified and Traditional by the characters that only one of them uses. `detection` decides between
languages of one script, such as English and Vietnamese. `foreign` finds the stretches of other languages.

Trade: a text of a few characters without any telling one is called modern Chinese; Wu, Min and Hakka are not told from
Mandarin; Japanese without a single kana counts as Chinese.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit
from pydantic import Field

from pipeline.signals import classes, classical, detection
from pipeline.signals.classes import (
    CANTONESE,
    CYRILLIC,
    HAN,
    HANGUL,
    HANS,
    HANT,
    JAPANESE,
    KANA,
    LATIN,
    OTHER_LETTER,
    SIZE,
)
from pipeline.signals.classical import weight_of
from pipeline.signals.detection import languages_of
from pipeline.signals.foreign import links, spans_of
from pipeline.step import Signal
from pipeline.tables import resource
from pipeline.text import CodePoints
from schemas.manifest import Resource

_BLOCK = 1024  # characters that are looked at together, so that they stay in the fastest cache
UNDETERMINED = "und"
CHINESE = ("zh", "yue", "lzh")
_FEATURES = (
    *("han", "hans", "hant", "japanese", "kana", "hangul", "latin", "cyrillic", "other", "words", "linked"),
    *("yue", "classical"),
)
# Modern Chinese is the common case, so Classical must be twice as likely: ln 2.
_TWO_TO_ONE = round(0.693 * classical.SCALE)

Features = dict[str, npt.NDArray[np.int64]]


class Language(Signal):
    """Language (ISO 639), script of the Han characters, and which other languages share a Chinese text.

    - `lang`: zh, yue, lzh, ja, ko, or what langdetect's profiles say (en, fr, ru, …); `und` for fewer than ten letters,
      and for a script that no table knows.
    - `script`: Hans, Hant, `both`, or empty where no character tells.
    - `mixed`: at least two Latin words beside the Han characters, in running text rather than in web addresses, and
      at least a tenth of the text when a Latin word weighs as much as two Han characters.
    - `foreign_spans`: JSON, in a Chinese text the stretches of another language (five words of English, a sentence of
      Japanese, …): language, first code point of the text, and the one behind the last.
    - `foreign_share`: share of the characters looked at that lie in such stretches.
    """

    kind: ClassVar[str] = "language"
    revision: ClassVar[int] = 2

    max_chars: int = Field(20_000, ge=100, description="characters of a document that are looked at")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Two strings, a truth value, spans (JSON) and a share."""
        return {
            "lang": pa.string(),
            "script": pa.string(),
            "mixed": pa.bool_(),
            "foreign_spans": pa.string(),
            "foreign_share": pa.float64(),
        }

    def resources(self) -> Sequence[Resource]:
        """The tables behind the decisions."""
        return (
            resource(__package__, "hans_only.txt", "Apache-2.0"),
            resource(__package__, "hant_only.txt", "Apache-2.0"),
            resource(__package__, "ja_only.txt", "Apache-2.0"),
            *(
                resource(__package__, name, "CC0-1.0")
                for name in ("cantonese_only.txt", classical.TABLE, detection.SHARES, detection.SCRIPTS)
            ),
            resource("pipeline.dedup", "simplified.tsv", "Apache-2.0"),
        )

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        text = CodePoints.of(batch.column("text"))
        out = np.zeros((len(text), len(_FEATURES)), np.int64)
        _profile(text.points, text.starts, self.max_chars, classes.table(), classical.weights(), out)
        features = dict(zip(_FEATURES, out.T, strict=True))
        lang = _by_script(features)
        _detect(text, lang, features)
        chinese = np.isin(lang, CHINESE)
        mixed = (chinese | (lang == "en")) & _mixed(features)
        spans, share = spans_of(text, np.flatnonzero(chinese & _may_hold_others(features)), self.max_chars)
        return [
            pa.array(lang, pa.string()),
            pa.array(_script(features), pa.string()),
            pa.array(mixed),
            spans,
            pa.array(share),
        ]


def _by_script(f: Features) -> npt.NDArray[np.object_]:
    """Return the language of each row as its script tells, or an empty string where it does not."""
    cjk = f["han"] + f["kana"] + f["hangul"]
    # A Chinese word of two characters says as much as five or six Latin letters.
    ideographic = 3 * cjk >= f["latin"] + f["cyrillic"] + f["other"]
    letters = cjk + f["latin"] + f["cyrillic"] + f["other"]
    chinese = ideographic & (cjk > 0)
    conditions: list[npt.NDArray[Any]] = [
        (letters == 0) | ((letters < 10) & ~chinese),
        ~chinese,
        (f["hangul"] > 0) & (2 * f["hangul"] >= f["han"]) & (f["hangul"] >= f["kana"]),
        (10 * f["kana"] >= cjk) & (f["kana"] > 1),
        (f["japanese"] > 1) & (f["hans"] < f["japanese"]) & (f["kana"] > 0),
        (f["yue"] > 0) & (40 * f["yue"] >= f["han"]),
        f["classical"] > _TWO_TO_ONE,
    ]
    said = [UNDETERMINED, "", "ko", "ja", "ja", "yue", "lzh"]
    return np.select(conditions, said, "zh").astype(object)


def _script(f: Features) -> npt.NDArray[np.object_]:
    """Return Hans, Hant, both (the rarer has a tenth of the telling characters and three at least), or empty."""
    telling = f["hans"] + f["hant"]
    both = (10 * np.minimum(f["hans"], f["hant"]) >= telling) & (np.minimum(f["hans"], f["hant"]) >= 3)
    conditions: list[npt.NDArray[Any]] = [telling == 0, both, f["hans"] >= f["hant"]]
    return np.select(conditions, ["", "both", "Hans"], "Hant").astype(object)


def _may_hold_others(f: Features) -> npt.NDArray[np.bool_]:
    """Tell which rows hold letters enough for a foreign span, so that the others need no second look."""
    enough: npt.NDArray[np.bool_] = (
        (f["words"] - f["linked"] >= 5) | (f["kana"] >= 3) | (f["hangul"] >= 5) | (f["cyrillic"] + f["other"] >= 10)
    )
    return enough


def _mixed(f: Features) -> npt.NDArray[np.bool_]:
    """Tell which rows hold Chinese and English side by side."""
    words = f["words"] - f["linked"]
    mixed: npt.NDArray[np.bool_] = (f["han"] >= 4) & (words >= 2) & (10 * words * 2 >= f["han"] + words * 2)
    return mixed


def _detect(text: CodePoints, lang: npt.NDArray[np.object_], f: Features) -> None:
    """Fill the rows that the script left open, in place.

    Where as many Han characters as Latin words stand together, Latin that is no English is names, terms and commands in
    a Chinese text.
    """
    rows = np.flatnonzero(lang == "")
    said = languages_of(text.points, text.starts[rows], text.starts[rows + 1])
    lang[rows] = [name or UNDETERMINED for name in said]
    terms = (f["han"] >= 4) & (f["han"] >= f["words"]) & (f["latin"] > f["cyrillic"] + f["other"])
    lang[rows] = np.where(terms[rows] & (lang[rows] != "en"), "zh", lang[rows])


@njit(cache=True, nogil=True)
def _profile(points: Any, starts: Any, max_chars: int, table: Any, weights: Any, out: Any) -> None:
    """Count or sum `_FEATURES` of each row into `out`, int64, (rows, features).

    A block at a time: first look-ups, then counts, neither with a branch.
    """
    folds, single, bases, pairs, bias = weights
    # The classes of a block behind those of the two characters before it, and the characters likewise.
    room = _BLOCK + 2
    bits, chars, fold = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.uint32)
    for row in range(len(starts) - 1):
        begin, end = starts[row], min(starts[row + 1], starts[row] + max_chars)
        total = bias
        bits[:2] = chars[:2] = fold[:2] = 0
        for low in range(begin, end, _BLOCK):
            size = min(_BLOCK, end - low)
            block = points[low : low + size]
            for i in range(size):
                point = min(block[i], np.uint32(SIZE - 1))
                chars[i + 2], bits[i + 2], fold[i + 2] = point, table[point], folds[point]
            for i in range(size):
                total += single[fold[i + 2]]
            for i in range(size):
                total += weight_of(fold[i + 1], fold[i + 2], bases, pairs)
            _count(bits, chars, size, out[row])
            for some in (bits, chars, fold):
                some[0], some[1] = some[size], some[size + 1]
        out[row, 12] = total


@njit(cache=True, nogil=True)
def _count(bits: Any, chars: Any, size: int, counts: Any) -> None:
    """Count the features of a block of `size` characters, which two others stand before, but the last feature."""
    han = hans = hant = japanese = kana = hangul = latin = cyrillic = other = words = linked = yue = 0
    for i in range(size):
        bit = bits[i + 2]
        han += (bit & HAN) != 0
        hans += (bit & (HAN | HANS)) == HAN | HANS
        hant += (bit & (HAN | HANT)) == HAN | HANT
        japanese += (bit & (HAN | JAPANESE)) == HAN | JAPANESE
        yue += (bit & (HAN | CANTONESE)) == HAN | CANTONESE
        latin += (bit & (HAN | LATIN)) == LATIN
        kana += (bit & (HAN | LATIN | KANA)) == KANA
        hangul += (bit & (HAN | LATIN | HANGUL)) == HANGUL
        cyrillic += (bit & (HAN | LATIN | CYRILLIC)) == CYRILLIC
        other += (bit & (HAN | LATIN | OTHER_LETTER)) == OTHER_LETTER
        # A word is two Latin letters or more.
        word = ((bit & bits[i + 1] & LATIN) != 0) & ((bits[i] & LATIN) == 0)
        words += word
        linked += word & links(chars[i])
    found = (han, hans, hant, japanese, kana, hangul, latin, cyrillic, other, words, linked, yue)
    for k in range(len(found)):
        counts[k] += found[k]
