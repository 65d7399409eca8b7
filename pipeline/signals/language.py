"""Language and script of a document: the script profile first, a statistical detector only for what it leaves open.

Han, kana and hangul decide by themselves, so nearly every document of a Chinese corpus is settled by one walk over its
code points; Cantonese and Classical Chinese are told by weighted function characters, Simplified and Traditional by
the characters that only one of them uses. `langdetect` (fixed seed) decides between languages of one script, such as
English and Vietnamese; it would call Traditional Chinese Korean, and never sees it here.

Trade: a text of a few characters without any function character is called modern Chinese; Wu, Min and Hakka are not
told from Mandarin; Japanese without a single kana counts as Chinese.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit
from pydantic import Field

from pipeline.signals import classes
from pipeline.signals.classes import CYRILLIC, HAN, HANGUL, HANS, HANT, JAPANESE, KANA, LATIN, OTHER_LETTER, SIZE
from pipeline.step import Signal
from pipeline.tables import lines_of, resource
from pipeline.text import CodePoints
from schemas.manifest import Resource

UNDETERMINED = "und"
_FEATURES = ("han", "hans", "hant", "japanese", "kana", "hangul", "latin", "cyrillic", "other", "words", "linked")
_TABLE = "language_characters.tsv"
_WEIGHTS = ("yue", "lzh", "cmn")

Features = dict[str, npt.NDArray[np.int64]]


class Language(Signal):
    """Language (ISO 639), script of the Han characters, and whether Chinese and English share the text.

    - `lang`: zh, yue, lzh, ja, ko, or what langdetect says (en, fr, ru, …); `und` only for fewer than ten letters.
    - `script`: Hans, Hant, `both`, or empty where no character tells.
    - `mixed`: at least three Latin words beside the Han characters, in running text rather than in web addresses, and
      at least 8 % of the text when a Latin word weighs as much as two Han characters.
    """

    kind: ClassVar[str] = "language"

    max_chars: int = Field(20_000, ge=100, description="characters of a document that are looked at")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Two strings and a truth value."""
        return {"lang": pa.string(), "script": pa.string(), "mixed": pa.bool_()}

    def resources(self) -> Sequence[Resource]:
        """The tables behind the decisions."""
        return (
            resource(__package__, "hans_only.txt", "Apache-2.0"),
            resource(__package__, "hant_only.txt", "Apache-2.0"),
            resource(__package__, "ja_only.txt", "Apache-2.0"),
            resource(__package__, _TABLE, "CC0-1.0"),
        )

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return lang, script and mixed."""
        text = CodePoints.of(batch.column("text"))
        out = np.zeros((len(text), len(_FEATURES) + len(_WEIGHTS)), np.int64)
        _profile(text.points, text.starts, self.max_chars, classes.table(), _weights(), out)
        features = dict(zip((*_FEATURES, *_WEIGHTS), out.T, strict=True))
        lang = _by_script(features)
        _detect(batch.column("text"), lang, features)
        mixed = np.isin(lang, ("zh", "yue", "lzh", "en")) & _mixed(features)
        return [pa.array(lang, pa.string()), pa.array(_script(features), pa.string()), pa.array(mixed)]


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
        (f["yue"] >= 2) & (20 * f["yue"] >= f["han"]),
        f["lzh"] > f["cmn"],
    ]
    said = [UNDETERMINED, "", "ko", "ja", "ja", "yue", "lzh"]
    return np.select(conditions, said, "zh").astype(object)


def _script(f: Features) -> npt.NDArray[np.object_]:
    """Return Hans, Hant, both (the rarer has a tenth of the telling characters and three at least), or empty."""
    telling = f["hans"] + f["hant"]
    both = (10 * np.minimum(f["hans"], f["hant"]) >= telling) & (np.minimum(f["hans"], f["hant"]) >= 3)
    conditions: list[npt.NDArray[Any]] = [telling == 0, both, f["hans"] >= f["hant"]]
    return np.select(conditions, ["", "both", "Hans"], "Hant").astype(object)


def _mixed(f: Features) -> npt.NDArray[np.bool_]:
    """Tell which rows hold Chinese and English side by side."""
    words = f["words"] - f["linked"]
    mixed: npt.NDArray[np.bool_] = (f["han"] >= 4) & (words >= 3) & (100 * words * 2 >= 8 * (f["han"] + words * 2))
    return mixed


def _detect(column: pa.Array, lang: npt.NDArray[np.object_], f: Features) -> None:
    """Fill the rows that the script left open, in place."""
    rows = np.flatnonzero(lang == "")
    texts = [text[:1000] for text in column.take(pa.array(rows)).to_pylist()]
    for row, said in zip(rows, detector()(texts), strict=True):
        if said is None:
            said = "en" if f["latin"][row] >= f["cyrillic"][row] + f["other"][row] else UNDETERMINED
        lang[row] = "zh" if said.startswith("zh") else said


@cache
def detector() -> Callable[[list[str]], list[str | None]]:
    """Return langdetect with seed 0 over a list of texts; None where a text has nothing to go by.

    `langdetect-rs` answers the same about 50 times faster; `langdetect` itself stands in where it has no wheel.
    """
    try:
        import langdetect_rs
    except ImportError:
        return plain_detector()
    langdetect_rs.DetectorFactory.seed = 0
    return lambda texts: list(langdetect_rs.detect_batch(texts))


def plain_detector() -> Callable[[list[str]], list[str | None]]:
    """Return the same by the pure Python `langdetect`."""
    import langdetect

    langdetect.DetectorFactory.seed = 0

    def detect(text: str) -> str | None:
        try:
            return str(langdetect.detect(text))
        except langdetect.LangDetectException:
            return None

    return lambda texts: [detect(text) for text in texts]


@cache
def _weights() -> npt.NDArray[np.int8]:
    """Return what a code point weighs for each of `_WEIGHTS`, int8, (SIZE, 3)."""
    weights = np.zeros((SIZE, len(_WEIGHTS)), np.int8)
    for line in lines_of(__package__, _TABLE):
        char, lang, weight = line.split("\t")
        weights[ord(char), _WEIGHTS.index(lang)] = int(weight)
    return weights


@njit(cache=True, nogil=True)
def _profile(points: Any, starts: Any, max_chars: int, table: Any, weights: Any, out: Any) -> None:
    """Count `_FEATURES` and sum the weights of each row into `out`, int64, (rows, features + weights)."""
    for row in range(len(starts) - 1):
        begin = starts[row]
        end = min(starts[row + 1], begin + max_chars)
        counts = out[row]
        word = 0
        linked = False
        for i in range(begin, end):
            point = min(points[i], np.uint32(SIZE - 1))
            bits = table[point]
            if bits & HAN:
                counts[0] += 1
                counts[1] += (bits & HANS) != 0
                counts[2] += (bits & HANT) != 0
                counts[3] += (bits & JAPANESE) != 0
                for k in range(3):
                    counts[11 + k] += weights[point, k]
            elif bits & LATIN:
                counts[6] += 1
            elif bits & (KANA | HANGUL | CYRILLIC | OTHER_LETTER):
                counts[4] += (bits & KANA) != 0
                counts[5] += (bits & HANGUL) != 0
                counts[7] += (bits & CYRILLIC) != 0
                counts[8] += (bits & OTHER_LETTER) != 0
            # A word is two Latin letters or more; one in an address, path or identifier (a/b, a.b, a_b) is linked.
            word = word + 1 if bits & LATIN else 0
            counts[9] += word == 2
            if word == 1:
                before = points[i - 1] if i > begin else np.uint32(32)
                linked = before == 47 or before == 46 or before == 95 or before == 58 or before == 64
            counts[10] += word == 2 and linked
