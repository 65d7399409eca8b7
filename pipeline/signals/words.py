"""Words: how many, how long, how varied. The dear signal: segmentation costs twenty times a walk over the characters.

Segmentation is jieba's, by `rjieba`, which gives the same words as `jieba.cut(text, HMM=False)` nine times faster; a
recipe that asks for `hmm` or names a `user_dictionary` gets jieba itself, at a tenth of the speed.

Trade: only the first `max_chars` characters of a document are segmented. That bounds the cost, and it makes the
variety of words comparable between short and long documents, because `unique_word_share` falls with length.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.step import Signal
from pipeline.tables import lines_of, resource
from schemas.errors import RecipeError
from schemas.manifest import Resource

_STOPWORDS = "stopwords.txt"
_COLUMNS = ("word_count", "mean_word_chars", "unique_word_share", "stopword_share", "word_entropy")


class Words(Signal):
    """Counts and shares of the words in the first `max_chars` characters; a word holds a letter or a digit.

    - `word_count`: int64. `mean_word_chars`: characters a word (Chinese running text: 1.4 to 1.9).
    - `unique_word_share`: different words, of all words. `stopword_share`: function words, of all words.
    - `word_entropy`: bits a word.
    """

    kind: ClassVar[str] = "words"

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
        cut = segmenter(self.hmm, self.user_dictionary)
        stop = _stopwords()
        rows = [_row(cut(text[: self.max_chars]), stop) for text in batch.column("text").to_pylist()]
        columns = zip(*rows, strict=True) if rows else ([] for _ in _COLUMNS)
        return [pa.array(column, dtype) for column, dtype in zip(columns, self.adds.values(), strict=True)]


def segment(text: str, hmm: bool = False, user_dictionary: str | None = None) -> list[str]:
    """Return the words of a text, jieba's cut; joined they give the text back."""
    return list(segmenter(hmm, user_dictionary)(text))


@cache
def segmenter(hmm: bool = False, user_dictionary: str | None = None) -> Callable[[str], Iterable[str]]:
    """Return the function that cuts a text into words. Raises RecipeError when the dictionary cannot be read."""
    if not hmm and user_dictionary is None:
        import rjieba

        return lambda text: rjieba.cut(text, False)
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
def _stopwords() -> frozenset[str]:
    return frozenset(lines_of(__package__, _STOPWORDS))


def _row(tokens: Iterable[str], stop: frozenset[str]) -> tuple[int, float, float, float, float]:
    """Return the five values of one document."""
    counts = {word: times for word, times in Counter(tokens).items() if word[0].isalnum() or word.isalnum()}
    if not counts:
        return 0, 0.0, 0.0, 0.0, 0.0
    times = np.fromiter(counts.values(), np.float64, len(counts))
    total = float(times.sum())
    chars = sum(len(word) * number for word, number in counts.items())
    stopped = sum(counts[word] for word in counts.keys() & stop)
    entropy = max(0.0, float(np.log2(total) - times @ np.log2(times) / total))
    return int(total), chars / total, len(counts) / total, stopped / total, entropy
