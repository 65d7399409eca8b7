"""Which language a text without Han characters is in: langdetect's n-gram profiles, summed over the whole text.

langdetect itself draws n-grams at random until one language leads, and calls one short line in ten of English or
Russian something else. Here each n-gram of the text counts once, and the shares of languages on the web are the prior;
there is nothing random in it.

Trade: about .1 s to load the profiles, once a process and only where a text needs it; 55 languages are known, and
another of the same script is called by its best-known neighbour (Ukrainian is known, Belarusian is not).
"""

import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
from numba import njit

from pipeline.properties import UPPER, properties
from pipeline.signals.classes import CYRILLIC, LATIN, OTHER_LETTER, table
from pipeline.tables import lines_of

SHARES = "language_shares.tsv"
SCRIPTS = "script_languages.tsv"
LETTERS = 1_000
"""Characters of a text that are looked at."""

_SLOTS = 1 << 18
_WIDE = 8
_UPPER = 1 << 16
_SPACE = 32
# Added to each probability: langdetect's ALPHA_DEFAULT / BASE_FREQ.
_FLOOR = 0.5 / 10_000
# A trigram holds its bigrams and letters, so evidence is counted about twice, and the prior as often.
_PRIOR_WEIGHT = 2.0


class Profiles(NamedTuple):
    """langdetect's profiles as the kernel wants them.

    `normal`: what a BMP code point counts as, with _UPPER for capitals, uint32, (65536,). `keys`: n-grams, the last
    character lowest, in an open hash table, uint64, (slots,). The n-gram in slot s has the `gains` (log-odds against a
    language that lacks it) from `firsts[s]` on, `counts[s]` of them, for the languages in `owners`. `prior`: float64,
    (languages,). An n-gram of _WIDE languages or more has its gains for all of them, 0 for those that lack it, in
    `wide[wide_rows[s]]` too: adding a whole row is quicker than finding a dozen places.
    """

    names: tuple[str, ...]
    normal: npt.NDArray[np.uint32]
    keys: npt.NDArray[np.uint64]
    firsts: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]
    owners: npt.NDArray[np.uint8]
    gains: npt.NDArray[np.float32]
    prior: npt.NDArray[np.float64]
    wide: npt.NDArray[np.float32]
    wide_rows: npt.NDArray[np.int32]


def languages_of(points: Any, begins: Any, ends: Any) -> list[str]:
    """Return the language of each stretch `points[begin:end]`, by its first LETTERS characters.

    The answer is ISO 639, `zh` for both scripts, the usual language of its script where no profile holds any of its
    trigrams (single letters of other scripts are strewn over the profiles), and an empty string where that is not
    known either.
    """
    if not len(begins):
        return []
    known = profiles()
    best = np.full(len(begins), -1, np.int64)
    stops = np.minimum(ends, np.asarray(begins) + LETTERS)
    _detect(points, begins, stops, table(), known[1:], best)
    return [
        known.names[found].split("-")[0] if found >= 0 else _by_script(points[begin:end])
        for found, begin, end in zip(best.tolist(), begins, stops, strict=True)
    ]


def _by_script(points: Any) -> str:
    """Return the usual language of a stretch's first letter of a known script, or an empty string."""
    bits = table()[np.minimum(points, len(table()) - 1)]
    letters = points[(bits & (LATIN | CYRILLIC | OTHER_LETTER)) > 0].tolist()
    return next(filter(None, map(_usual_of, letters)), "")


@cache
def _usual() -> dict[str, str]:
    """Return the usual language of each script, by the first word of its letters' Unicode names."""
    return dict(line.split("\t") for line in lines_of(__package__, SCRIPTS))


@lru_cache(maxsize=4096)
def _usual_of(point: int) -> str:
    """Return the usual language of a letter's script, or an empty string."""
    return _usual().get(unicodedata.name(chr(point), "").split(" ")[0], "")


@cache
def profiles() -> Profiles:
    """Return the profiles of the installed langdetect, with the prior from SHARES."""
    folder = files("langdetect").joinpath("profiles")
    shares = dict(line.split("\t") for line in lines_of(__package__, SHARES))
    names = tuple(sorted(shares))
    read = [_grams(orjson.loads(folder.joinpath(name).read_bytes())) for name in names]
    grams = np.concatenate([keys for keys, _ in read])
    order = np.argsort(grams, kind="stable")
    grams, begins = np.unique(grams[order], return_index=True)
    owners = np.repeat(np.arange(len(names), dtype=np.uint8), [len(keys) for keys, _ in read])[order]
    gains = np.concatenate([gains for _, gains in read])[order]
    lengths = np.diff(begins, append=len(order)).astype(np.int32)
    keys = np.zeros(_SLOTS, np.uint64)
    first, count = np.zeros(_SLOTS, np.int32), np.zeros(_SLOTS, np.int32)
    _fill(grams, lengths, keys, first, count)
    prior = _PRIOR_WEIGHT * np.log([float(shares[name]) for name in names])
    wide_rows = np.full(_SLOTS, -1, np.int32)
    slots = np.flatnonzero(count >= _WIDE)
    wide_rows[slots] = np.arange(len(slots))
    # Rows end where a vector of a core does.
    wide = np.zeros((len(slots), -(-len(names) // 32) * 32), np.float32)
    _widen(slots, first, count, owners, gains, wide)
    return Profiles(names, _normal(), keys, first, count, owners, gains, prior, wide, wide_rows)


def _grams(profile: Any) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float32]]:
    """Return the n-grams of a profile as keys, uint64, and the gain of each, float32."""
    totals, grams = np.array(profile["n_words"], np.float64), list(profile["freq"])
    times, sizes = np.array(list(profile["freq"].values()), np.float64), np.array(list(map(len, grams)))
    units = np.frombuffer("".join(grams).encode("utf-16-le"), np.uint16).astype(np.uint64)
    begins = np.cumsum(sizes) - sizes
    keys = units[begins]
    for place in range(1, len(totals)):
        longer = sizes > place
        keys[longer] = keys[longer] << np.uint64(16) | units[begins[longer] + place]
    known = sizes <= len(totals)
    gains = np.log1p(times[known] / totals[sizes[known] - 1] / _FLOOR)
    return keys[known], gains.astype(np.float32)


def _normal() -> npt.NDArray[np.uint32]:
    """Return what langdetect takes each BMP code point for, uint32, (65536,), and a space for surrogates."""
    from langdetect.utils.ngram import NGram

    normal = np.arange(1 << 16, dtype=np.uint32)
    # From here on it changes nothing but ideographs that are alike, and Hangul.
    for point in range(0x3400):
        normal[point] = ord(NGram.normalize(chr(point)))
    for char, alike in NGram.CJK_MAP.items():
        normal[ord(char)] = ord(alike)
    normal[0xAC00:0xD7B0] = 0xAC00
    normal[properties()[normal] & UPPER > 0] |= np.uint32(_UPPER)
    normal[0xD800:0xE000] = _SPACE
    return normal


@njit(cache=True, nogil=True, inline="always")
def _slot_of(keys: Any, key: Any) -> Any:
    """Return where an n-gram stands in the open hash table, or the empty slot where it would."""
    last = np.uint64(len(keys) - 1)
    # Fibonacci hashing: the golden ratio of 2**64.
    slot = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40) & last
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & last
    return slot


@njit(cache=True, nogil=True)
def _fill(grams: Any, lengths: Any, keys: Any, first: Any, count: Any) -> None:
    """Put every n-gram into the hash table, with where its list begins and how long it is."""
    begin = 0
    for i in range(len(grams)):
        slot = _slot_of(keys, grams[i])
        keys[slot] = grams[i]
        first[slot] = begin
        count[slot] = lengths[i]
        begin += lengths[i]


@njit(cache=True, nogil=True)
def _widen(slots: Any, firsts: Any, counts: Any, owners: Any, gains: Any, wide: Any) -> None:
    """Write the gains of the n-grams in some slots to a row of `wide` each."""
    for row in range(len(slots)):
        begin = firsts[slots[row]]
        for place in range(begin, begin + counts[slots[row]]):
            wide[row, owners[place]] = gains[place]


@njit(cache=True, nogil=True)
def _latin_is_rare(points: Any, begin: int, end: int, table: Any) -> bool:
    """Tell whether a stretch holds twice as many other letters as Latin ones, which then do not count."""
    latin = other = 0
    for i in range(begin, end):
        bits = table[min(points[i], np.uint32(len(table) - 1))]
        latin += (bits & LATIN) != 0
        other += (bits & (CYRILLIC | OTHER_LETTER)) != 0
    return 2 * latin < other


@njit(cache=True, nogil=True)
def _is_address(points: Any, begin: int, end: int) -> bool:
    """Tell whether the word that begins here is a web or mail address: it holds @ or ://."""
    for i in range(begin, end):
        if points[i] <= 32:
            return False
        if points[i] == 64 or (points[i] == 47 and i > begin and points[i - 1] == 58):
            return True
    return False


@njit(cache=True, nogil=True)
def _detect(points: Any, begins: Any, ends: Any, table: Any, known: Any, best: Any) -> None:
    """Write the place of each stretch's likeliest language to `best`; what no profile knows stays as it is."""
    prior, wide = known[6], known[7]
    scores = np.full(wide.shape[1], -np.inf)
    for row in range(len(begins)):
        scores[: len(prior)] = prior
        if _score(points, begins[row], ends[row], table, known, scores):
            best[row] = np.argmax(scores)


@njit(cache=True, nogil=True)
def _score(points: Any, begin: int, end: int, table: Any, known: Any, scores: Any) -> int:
    """Add the gains of every n-gram of a stretch to `scores`; return how many of its trigrams are known.

    Words in capitals do not count, as in langdetect, whose profiles are made so.
    """
    normal, keys, firsts, counts, owners, gains, _, wide, wide_rows = known
    without_latin = _latin_is_rare(points, begin, end, table)
    found = 0
    before = last = np.uint64(_SPACE)
    length = 1
    shouted = upper_before = address = False
    for i in range(begin, end):
        point = points[i]
        if i == begin or points[i - 1] <= 32:
            address = _is_address(points, i, end)
        if without_latin and table[min(point, np.uint32(len(table) - 1))] & LATIN:
            continue
        value = normal[point] if point < 65536 and not address else np.uint32(_SPACE)
        char = np.uint64(value & np.uint32(0xFFFF))
        if last == _SPACE:
            length = 1
            shouted = upper_before = False
            if char == _SPACE:
                continue
        upper = (value & np.uint32(_UPPER)) != 0
        shouted = upper and (shouted or upper_before)
        upper_before = upper
        # The letter, then with the one before it, then with both before it, as far as the word reaches.
        gram = char
        for n in range(min(length + 1, 3)):
            gram |= np.uint64(0) if n == 0 else (last << np.uint64(16) if n == 1 else before << np.uint64(32))
            if shouted or gram == _SPACE:
                continue
            slot = _slot_of(keys, gram)
            count = counts[slot]
            if count >= _WIDE:
                row = wide[wide_rows[slot]]
                for place in range(len(scores)):
                    scores[place] += row[place]
            else:
                for place in range(firsts[slot], firsts[slot] + count):
                    scores[owners[place]] += gains[place]
            found += n == 2 and count > 0
        length += 1
        before, last = last, char
    return found
