"""Words: how many, how long, how varied. The dear signal: segmentation costs ten times a walk over the characters.

Segmentation is jieba's: `segmentation` gives the words of `jieba.cut(text, HMM=False)` thirty times faster; a recipe
that asks for `hmm` or names a `user_dictionary` gets jieba itself. Of the words only their lengths are taken; a kernel
over the code points counts them, four times faster than Python's Counter.

Trade: only the first `max_chars` characters of a document are segmented. That bounds the cost, and it makes the
variety of words comparable between short and long documents, because `unique_word_share` falls with length. Words are
told apart by 64-bit hashes, so a chance meeting would count two as one (once in 10^12 documents).
"""

import hashlib
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit
from pydantic import Field

from pipeline.properties import WORD, properties
from pipeline.signals import segmentation
from pipeline.signals.classes import SIZE
from pipeline.step import Signal
from pipeline.tables import lines_of, resource
from pipeline.text import CodePoints
from schemas.errors import RecipeError
from schemas.manifest import Resource

_STOPWORDS = "stopwords.txt"
TOP = 5
"""Words whose share is measured."""
LEAST = 3
"""Times that a word must occur to be one of them: in a short text each occurs once or twice."""
_COLUMNS = ("word_count", "mean_word_chars", "unique_word_share", "stopword_share", "word_entropy", "top_word_share")
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Words(Signal):
    """Counts and shares of the words in the first `max_chars` characters; a word holds a letter or a digit.

    - `word_count`: int64. `mean_word_chars`: characters a word (Chinese running text: 1.4 to 1.9).
    - `unique_word_share`: different words, of all words. `stopword_share`: function words, of all words.
    - `word_entropy`: bits a word. `top_word_share`: of all words, those of the five that occur most, three times at
      least, hold two characters or more and are no function words; stuffed keywords.
    """

    kind: ClassVar[str] = "words"
    revision: ClassVar[int] = 2

    max_chars: int = Field(4_000, ge=100, description="characters of a document that are segmented")
    hmm: bool = Field(False, description="guess words that the dictionary does not hold (jieba's model; slow)")
    user_dictionary: str | None = Field(None, description="path of a dictionary in jieba's format, words added to it")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """The count is int64, the rest float64."""
        return {name: pa.int64() if name == "word_count" else pa.float64() for name in _COLUMNS}

    def resources(self) -> Sequence[Resource]:
        """The stop words, and the user's dictionary."""
        own = resource(__package__, _STOPWORDS, "CC0-1.0")
        if self.user_dictionary is None:
            return (own,)
        digest = hashlib.sha256(_read(self.user_dictionary)).hexdigest()
        return own, Resource(name=Path(self.user_dictionary).name, hash=digest, license="internal")

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        column = batch.column("text")
        text = CodePoints.of(column)
        if not self.hmm and self.user_dictionary is None:
            ends, lengths = segmentation.cut(text, self.max_chars)
        else:
            cut = segmenter(self.hmm, self.user_dictionary)
            words = [list(cut(row[: self.max_chars])) for row in column.to_pylist()]
            ends = np.cumsum([0, *map(len, words)])
            lengths = np.fromiter(map(len, chain.from_iterable(words)), np.int32, int(ends[-1]))
        out = np.zeros((len(_COLUMNS), len(text)))
        _measure(text.points, text.starts, ends, lengths, _letters(), _stopwords(), out)
        return [pa.array(row).cast(dtype) for row, dtype in zip(out, self.adds.values(), strict=True)]


def segment(text: str, hmm: bool = False, user_dictionary: str | None = None) -> list[str]:
    """Return the words of a text, jieba's cut; joined they give the text back."""
    return list(segmenter(hmm, user_dictionary)(text))


@cache
def segmenter(hmm: bool = False, user_dictionary: str | None = None) -> Callable[[str], Iterable[str]]:
    """Return the function that cuts a text into words. Raises RecipeError when the dictionary cannot be read."""
    if not hmm and user_dictionary is None:
        return segmentation.words_of
    added = None if user_dictionary is None else io.BytesIO(_read(user_dictionary))
    import jieba

    jieba.setLogLevel("WARNING")
    tokenizer = jieba.Tokenizer()
    tokenizer.initialize()
    if added is not None:
        tokenizer.load_userdict(added)
    return lambda text: tokenizer.cut(text, HMM=hmm)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RecipeError(f"step 'words': user_dictionary {path}: {error.strerror}; give the path of a file") from None


@cache
def _letters() -> npt.NDArray[np.bool_]:
    """Return which characters make a word where they begin it (letters, digits, numerals), (SIZE,)."""
    return properties()[:SIZE] & WORD > 0


@cache
def _stopwords() -> npt.NDArray[np.uint64]:
    """Return the hashes of the function words in an open hash table, uint64, 0 where free, a quarter full at most."""
    words = lines_of(__package__, _STOPWORDS)
    table = np.zeros(1 << (4 * len(words)).bit_length(), np.uint64)
    for word in words:
        key = _hash(np.array([*map(ord, word)], np.uint32), 0, len(word))
        table[_slot(np.uint64(key), table, np.uint64(len(table) - 1))] = key
    return table


@njit(cache=True, nogil=True)
def _slot(key: Any, keys: Any, mask: Any) -> Any:
    """Return the slot that holds a key, or the free one where it belongs."""
    slot = (key >> np.uint64(20)) & mask
    while keys[slot] != key and keys[slot]:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _hash(points: Any, begin: int, end: int) -> Any:
    """Return a 64-bit hash of some code points, never 0, which marks free slots."""
    key = np.uint64(0)
    for i in range(begin, end):
        key = (key + np.uint64(points[i]) + np.uint64(1)) * _BASE
        key ^= key >> np.uint64(32)
    return key | np.uint64(1)


@njit(cache=True, nogil=True)
def _top(times: Any, wanted: Any, count: int) -> int:
    """Return how often the TOP words occur together that are wanted and occur LEAST times or more."""
    top = np.zeros(TOP, np.int64)
    for i in range(count):
        if wanted[i] and times[i] >= LEAST and times[i] > top[TOP - 1]:
            k = TOP - 1
            while k > 0 and top[k - 1] < times[i]:
                top[k] = top[k - 1]
                k -= 1
            top[k] = times[i]
    return int(top.sum())


@njit(cache=True, nogil=True)
def _measure(points: Any, starts: Any, ends: Any, lengths: Any, letters: Any, stop: Any, out: Any) -> None:
    """Fill `out`, float64, (columns in the order of `_COLUMNS`, rows); `ends`: where the words of a row end.

    A free slot holds the key 0; otherwise the number of its word, by first occurrence, stands beside it.
    """
    longest = 1
    for row in range(len(starts) - 1):
        longest = max(longest, ends[row + 1] - ends[row])
    room = 256
    while room < 2 * longest:
        room *= 2
    keys, numbers = np.zeros(room, np.uint64), np.zeros(room, np.int32)
    times = np.zeros(longest, np.int64)
    stops, wanted = np.zeros(longest, np.bool_), np.zeros(longest, np.bool_)
    for row in range(len(starts) - 1):
        used = 256
        while used < 2 * (ends[row + 1] - ends[row]):
            used *= 2
        mask = np.uint64(used - 1)
        keys[:used] = 0
        total = chars = stopped = different = 0
        begin = starts[row]
        for word in range(ends[row], ends[row + 1]):
            end = begin + lengths[word]
            if points[begin] < SIZE and letters[points[begin]]:
                key = _hash(points, begin, end)
                slot = _slot(key, keys, mask)
                if not keys[slot]:
                    keys[slot], numbers[slot] = key, different
                    times[different] = 0
                    stops[different] = stop[_slot(key, stop, np.uint64(len(stop) - 1))] == key
                    wanted[different] = not stops[different] and lengths[word] > 1
                    different += 1
                number = numbers[slot]
                times[number] += 1
                stopped += stops[number]
                total += 1
                chars += lengths[word]
            begin = end
        if total == 0:
            continue
        weighted = 0.0
        for i in range(different):
            if times[i] > 1:  # most words of a text come once, and add nothing
                weighted += times[i] * math.log2(times[i])
        out[0, row] = total
        out[1, row] = chars / total
        out[2, row] = different / total
        out[3, row] = stopped / total
        out[4, row] = max(0.0, math.log2(total) - weighted / total)
        out[5, row] = _top(times, wanted, different) / total
