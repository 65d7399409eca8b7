"""Where words end around a hit: 性 in 性能 and 市长 in 南京市长江大桥 are not what a list means by 性 and 市长.

A border of a hit is in doubt only when the characters on its two sides stand together, alone or with a third one, in
some word of jieba's dictionary. Only there a window of the text is cut into words. A hit whose borders the cut keeps
stands. One that the cut breaks stands when its own reading needs no more single characters and pieces than the other,
because jieba does not know the term (微信 in 加微信号码), or because the cut word is made of it (人民 in
中华人民共和国).

Trade: the dictionary is the judge, so a new word around a term is not seen, and a window is five characters a side.
"""

from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.lexicon.trie import entry
from pipeline.signals import segmentation
from pipeline.signals.segmentation import lines_of_jieba, words_of
from pipeline.tables import lines_of
from pipeline.text import CodePoints, decode_utf8

WINDOW = 5
_BITS = 1 << 23  # of the set of parts of words: 1 MB for about half a million
_LABEL = np.uint32(0x3FFFF)
INSIDE = 2  # of the marks of a cut: 1 begins a word, INSIDE does not, 0 was not looked at


@cache
def word_parts() -> npt.NDArray[np.uint8]:
    """Return the set of jieba's words of two characters, and of every three in a row of its longer words, as bits."""
    lines = np.frombuffer(b"\n" + lines_of_jieba() + b"\n", np.uint8)
    points, bits = np.empty(len(lines), np.uint32), np.zeros(_BITS // 8, np.uint8)
    count = decode_utf8(lines, np.array([0, len(lines)], np.int32), points, np.empty(2, np.int64))
    _add_parts(_words(points[:count]), bits)
    return bits


@cache
def function_characters() -> npt.NDArray[np.uint32]:
    """Return the stop words of one character, sorted: between them and a single character there is a border."""
    lines = lines_of("pipeline.signals", "stopwords.txt")
    return np.array(sorted({ord(word) for line in lines for word in line.split() if len(word) == 1}), np.uint32)


@njit(cache=True, nogil=True, inline="always")
def _bit(left: Any, middle: Any, right: Any) -> Any:
    """Return the place of three characters in the set; `right` is 0 for a word of two."""
    mixed = np.uint64(left) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(middle) * np.uint64(0xC2B2AE3D27D4EB4F)
    return (mixed + np.uint64(right) * np.uint64(0x165667B19E3779F9)) >> np.uint64(41)


@njit(cache=True, nogil=True)
def _words(points: Any) -> Any:
    """Return lines as far as their first space."""
    out = np.empty(len(points), np.uint32)
    count, inside = 0, True
    for point in points:
        inside = point == 10 or (inside and point != 32)
        out[count] = point
        count += inside
    return out[:count]


@njit(cache=True, nogil=True)
def _add_parts(points: Any, bits: Any) -> None:
    newline = np.uint32(10)
    for i in range(1, len(points) - 2):
        if points[i] == newline or points[i + 1] == newline:
            continue
        third = points[i + 2]
        if third == newline:
            if points[i - 1] != newline:
                continue
            third = np.uint32(0)
        bit = _bit(points[i], points[i + 1], third)
        bits[bit >> np.uint64(3)] |= np.uint8(1 << (bit & np.uint64(7)))


@njit(cache=True, nogil=True, inline="always")
def _holds(bits: Any, bit: Any) -> bool:
    held: bool = (bits[bit >> np.uint64(3)] >> np.uint8(bit & np.uint64(7))) & np.uint8(1) != 0
    return held


@njit(cache=True, nogil=True, inline="always")
def in_doubt(points: Any, p: Any, begin: Any, end: Any, plain: Any, bits: Any) -> bool:
    """Tell whether some word may reach over the border before p."""
    if p <= begin or p >= end:
        return False
    left, right = entry(points[p - 1], plain) & _LABEL, entry(points[p], plain) & _LABEL
    if _holds(bits, _bit(left, right, 0)):
        return True
    if p - 2 >= begin and _holds(bits, _bit(entry(points[p - 2], plain) & _LABEL, left, right)):
        return True
    return p + 1 < end and _holds(bits, _bit(left, right, entry(points[p + 1], plain) & _LABEL))


def cut(texts: CodePoints, wanted: npt.NDArray[np.bool_], plain: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """Cut the wanted places into words, and return a mark for each character and one more, uint8."""
    marks = np.zeros(len(wanted) + 1, np.uint8)
    places = np.flatnonzero(wanted)
    if not len(places):
        return marks
    apart = np.flatnonzero((np.diff(places) > 1) | np.isin(places[1:], texts.starts)) + 1
    labels = plain[np.minimum(texts.points[places], len(plain) - 1)] & _LABEL
    joined = np.insert(labels, apart, 10)
    _, lengths = segmentation.cut(CodePoints(joined, np.array([0, len(joined)])), len(joined))
    begins = np.zeros(len(joined) + 1, bool)
    begins[np.cumsum(lengths) - lengths] = True
    begins[:-1][joined == 10] = False
    own = np.delete(begins[:-1], apart + np.arange(len(apart)))
    marks[places] = np.where(own, 1, INSIDE)
    return marks


def as_text(labels: npt.NDArray[np.uint32]) -> str:
    """Return labels as a string; what is no character becomes a space."""
    safe = np.where((labels == _LABEL) | ((labels >= 0xD800) & (labels < 0xE000)), 32, labels).astype("<u4")
    return safe.tobytes().decode("utf-32-le")


@lru_cache(maxsize=65_536)
def keeps(piece: str, start: int, end: int, known: bool) -> bool:
    """Tell whether a term at `piece[start:end]` is a word of its own, where the cut of `piece` breaks or swallows it.

    `known`: whether jieba knows the term.
    """
    words = words_of(piece)
    kept = [*words_of(piece[:start]), piece[start:end], *words_of(piece[end:])]
    if len(words) > 1:
        return not known and len(kept) + _singles(kept) <= len(words) + _singles(words)
    others = ([*words_of(piece[:i]), *words_of(piece[i:])] for i in range(start + 1, end))
    return _singles(kept) < min((_singles(other) for other in others), default=0)


def _singles(words: list[str]) -> int:
    return sum(len(word) == 1 for word in words)
