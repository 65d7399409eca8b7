"""Where a Chinese text speaks another language: stretches of English, Japanese, Korean, Russian and so on.

Japanese is told by the line or sentence, because its Han characters are shared; everything else by the stretch between
two Han characters, full-width stops or line ends. Neighbours of one script are joined across blanks and marks. A
stretch must read as running text: five words outside addresses for Latin, and four fifths of its characters letters or
blanks, so that names, terms and code are left alone.

Trade: scripts are told here, languages by `detection` from each stretch alone, so a short quotation can be called a
neighbour; Chinese inside a Japanese sentence is not looked for.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
from numba import njit

from pipeline.signals.classes import CYRILLIC, HAN, HANGUL, KANA, LATIN, OTHER_LETTER, SENTENCE_END, SPACE, table
from pipeline.signals.detection import languages_of
from pipeline.text import CodePoints

_JAPANESE, _KOREAN, _OTHER, _CYRILLIC, _LATIN = range(1, 6)
_WORDS = 5
_LETTERS = 10
_SYLLABLES = 5
_KANA = 3


def spans_of(text: CodePoints, rows: npt.NDArray[np.int64], max_chars: int) -> tuple[pa.Array, npt.NDArray[np.float64]]:
    """Return the foreign spans of every row as JSON, and their share of the characters looked at, float64, (rows,).

    Only `rows` are looked at; the others have none. A span is `{"lang", "start", "end"}`, in code points of the text,
    the end behind the last one.
    """
    looked = np.minimum(text.counts, max_chars)
    # No two spans begin within four characters: the shortest is Japanese, three kana and a mark.
    found = np.zeros((int(looked[rows].sum()) // 4 + len(rows) + 1, 4), np.int64)
    found = found[: _spans(text.points, text.starts, rows, max_chars, table(), found)]
    owners, begins, ends, scripts = found.T
    names = np.array(["", "ja", "ko", "", "", ""], object)[scripts]
    open_ones = np.flatnonzero(scripts >= _OTHER)
    names[open_ones] = languages_of(text.points, begins[open_ones], ends[open_ones])
    written: dict[int, list[dict[str, str | int]]] = {}
    for row, name, start, end in zip(
        owners.tolist(),
        names,
        (begins - text.starts[owners]).tolist(),
        (ends - text.starts[owners]).tolist(),
        strict=True,
    ):
        written.setdefault(row, []).append({"lang": name or "und", "start": start, "end": end})
    spans = np.full(len(text), "[]", object)
    for row, row_spans in written.items():
        spans[row] = orjson.dumps(row_spans).decode()
    chars = np.bincount(owners, ends - begins, minlength=len(text))
    return pa.array(spans, pa.string()), chars / np.maximum(looked, 1)


@njit(cache=True, nogil=True, inline="always")
def is_linked(points: Any, begin: int, i: int) -> bool:
    """Tell whether a word that begins at `i` belongs to an address, path or identifier: a/b, a.b, a_b, a:b, a@b."""
    return i > begin and links(points[i - 1])


@njit(cache=True, nogil=True, inline="always")
def links(point: Any) -> bool:
    """Tell whether a character before a word makes it part of an address, path or identifier: / . _ : @."""
    found: bool = (point == 47) | (point == 46) | (point == 95) | (point == 58) | (point == 64)
    return found


@njit(cache=True, nogil=True)
def _script_of(letters: Any, words: int, size: int) -> int:
    """Return which script a stretch of `size` characters is running text of, or 0.

    `letters`: how many are blanks, Hangul, other letters, Cyrillic, Latin.
    """
    blanks, korean, other, cyrillic, latin = letters
    total = korean + other + cyrillic + latin
    if 5 * (total + blanks) < 4 * size:
        return 0
    if 2 * korean > total:
        return _KOREAN if korean >= _SYLLABLES else 0
    if 2 * other > total:
        return _OTHER if other >= _LETTERS else 0
    if 2 * cyrillic > total:
        return _CYRILLIC if cyrillic >= _LETTERS else 0
    return _LATIN if words >= _WORDS else 0


@njit(cache=True, nogil=True, inline="always")
def _put(found: Any, size: int, row: int, begin: int, end: int, script: int, joins: bool) -> int:
    """Write a span, or lengthen the last one where the new one joins it; return how many there are."""
    if joins and size > 0 and found[size - 1, 0] == row and found[size - 1, 3] == script:
        found[size - 1, 2] = end
        return size
    found[size, 0], found[size, 1], found[size, 2], found[size, 3] = row, begin, end, script
    return size + 1


@njit(cache=True, nogil=True, inline="always")
def _count(bits: Any, blanks: int, letters: Any) -> None:
    """Count a letter into `letters`, with the blanks before it."""
    letters[0] += blanks
    letters[1] += (bits & HANGUL) != 0
    letters[2] += (bits & OTHER_LETTER) != 0
    letters[3] += (bits & CYRILLIC) != 0
    letters[4] += (bits & LATIN) != 0


@njit(cache=True, nogil=True)
def _spans(points: Any, starts: Any, rows: Any, max_chars: int, table: Any, found: Any) -> int:
    """Write row, begin, end and script of every foreign span to `found`, int64, (spans, 4), and return how many."""
    size = 0
    for row in rows:
        size = _spans_of_row(
            points, starts[row], min(starts[row + 1], starts[row] + max_chars), row, table, found, size
        )
    return size


@njit(cache=True, nogil=True)
def _spans_of_row(points: Any, begin: int, end: int, row: int, table: Any, found: Any, size: int) -> int:
    """Add the spans of one row; each ends at its last letter, or before the mark that ends its sentence."""
    letters = np.zeros(5, np.int64)
    sentence, sentence_size, han, kana = begin, size, 0, 0
    run = run_end = begin
    words = word = blanks = 0
    linked = joins = False
    for i in range(begin, end + 1):
        bits = table[min(points[i], np.uint32(len(table) - 1))] if i < end else np.uint32(SPACE)
        stops = i == end or points[i] == 10 or (bits & SENTENCE_END and points[i] >= 0x3000)
        if stops or bits & (HAN | KANA):
            if run_end > run:
                script = _script_of(letters, words, run_end - run)
                if script:
                    size = _put(found, size, row, run, run_end, script, joins)
                joins = script != 0
            letters[:] = 0
            words = word = blanks = 0
            run = run_end = i + 1
        if bits & (HAN | KANA):
            han += (bits & HAN) != 0
            kana += (bits & KANA) != 0
            joins = False
        elif bits & (LATIN | CYRILLIC | HANGUL | OTHER_LETTER):
            if run_end == run:
                run, blanks = i, 0
            run_end = i + 1
            _count(bits, blanks, letters)
            blanks = 0
        else:
            blanks += (bits & SPACE) != 0
        # A word is two Latin letters or more.
        word = word + 1 if bits & LATIN else 0
        if word == 1:
            linked = is_linked(points, begin, i)
        words += word == 2 and not linked
        if stops:
            if kana >= _KANA and 10 * kana >= han + kana:
                # What was found inside the sentence belongs to it. A mark may stand between two sentences.
                if sentence_size > 0 and found[sentence_size - 1, 2] > sentence:
                    found[sentence_size - 1, 2] = sentence - 1
                near = sentence_size > 0 and found[sentence_size - 1, 2] == sentence - 1
                size = _put(found, sentence_size, row, sentence, i, _JAPANESE, near)
                joins = False
            sentence, sentence_size, han, kana = i + 1, size, 0, 0
    return size
