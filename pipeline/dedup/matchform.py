"""The match form of texts: what two texts are compared by, never what is published.

In this order: NFKC; casefold; delete characters of the categories P*, S*, Z*, Cc and Cf; Traditional folded to
Simplified by the first form of OpenCC's character tables. So a reprint in Traditional, full-width or re-punctuated form
has the same match form. Phrases are not looked at: 乾坤 becomes 干坤, in every text alike. A recipe may leave out the
folding of scripts or of compatibility forms (then NFC instead of NFKC), keep punctuation, or let runs of decimal digits
count as one zero or as nothing.

All of it is one lookup a character, except in texts that hold a character which NFKC may join to the one before it
(combining marks, Hangul vowels and tails, half-width voicing marks): those rows go through `unicodedata.normalize`
first, at about 26 MB/s. There the Unicode version is Python's, which may know characters that ours does not yet.
"""

import unicodedata
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.dedup.table import CODE_POINTS, DEFAULT_FORM, load_table, normalization, vary_table
from pipeline.text import CodePoints, encode
from schemas.recipe import MatchForm

MATCH_FORM_REVISION = 1
UNICODE = "14.0.0"

# An entry of the lookup is the new code point, or one of these marks. Deleted lies above every code point; a run of
# `value & SHORT` code points begins at `pool[value >> 4 & PLACE]`. JOINS is set beside any of these.
DELETED = np.uint32(1 << 21)
RUN = np.uint32(1 << 31)
JOINS = np.uint32(1 << 30)
SHORT, PLACE = np.uint32(15), np.uint32((1 << 17) - 1)


def match_forms(column: pa.Array, form: MatchForm = DEFAULT_FORM) -> CodePoints:
    """Return the match form of every row of a string column without nulls, as code points end to end."""
    return forms_of(CodePoints.of(column), form)


def forms_of(texts: CodePoints, form: MatchForm = DEFAULT_FORM) -> CodePoints:
    """Return the match form of every row of decoded texts, as code points end to end."""
    forms, joined = _mapped(texts, form, settled=False)
    if len(joined):
        normal = normalization(form)
        normalised = [unicodedata.normalize(normal, text) for text in encode(texts.take(joined)).to_pylist()]
        slow, _ = _mapped(CodePoints.once(pa.array(normalised, pa.string())), form, settled=True)
        forms = _filled(forms, joined, slow)
    if form.digits == "zero":
        _join_zeros(forms.points, forms.starts)
        return CodePoints(forms.points[: forms.starts[-1]], forms.starts)
    return forms


def compared_forms(column: pa.Array, form: MatchForm = DEFAULT_FORM) -> CodePoints:
    """Return what signatures and shingle sets are made of: the match form, or a stand-in where that is empty.

    The stand-in keeps punctuation, symbols and digits: NFKC (or NFC), then categories Z*, Cc and Cf deleted. So the
    rules of two tables are compared with each other (never with words, which share no character with them) instead of
    being equal because nothing is left of either. Only a blank text has no form at all.
    """
    forms = match_forms(column, form)
    empty = np.flatnonzero(forms.counts == 0)
    if not len(empty):
        return forms
    texts = column.take(pa.array(empty)).to_pylist()
    normal = normalization(form)
    marks = [unicodedata.normalize(normal, text).translate(_invisible()) for text in texts]
    return _filled(forms, empty, CodePoints.once(pa.array(marks, column.type)))


def _filled(forms: CodePoints, rows: npt.NDArray[np.int64], others: CodePoints) -> CodePoints:
    """Return `forms` with its empty `rows` replaced by `others`."""
    counts = forms.counts
    counts[rows] = others.counts
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    points = np.empty(starts[-1], np.uint32)
    begin = 0
    for number, row in enumerate(rows.tolist()):  # what lies between two rows is copied at once
        place = starts[row]
        points[begin:place] = forms.points[forms.starts[row] - (place - begin) : forms.starts[row]]
        begin = starts[row + 1]
        points[place:begin] = others.points[others.starts[number] : others.starts[number + 1]]
    points[begin:] = forms.points[len(forms.points) - (len(points) - begin) :]
    return CodePoints(points, starts)


def _mapped(texts: CodePoints, form: MatchForm, *, settled: bool) -> tuple[CodePoints, npt.NDArray[np.int64]]:
    """Return mapped rows and the numbers of the rows that must be normalised first; none if `settled`."""
    table, pool, longest = _lookup(form)
    slow = -1
    starts = np.empty(len(texts) + 1, np.int64)
    joined = np.empty(len(texts), np.int64)
    # Almost no text grows; one that does (ligatures such as ﷺ) is done again with room for the worst case.
    for room in (len(texts.points) + 64, len(texts.points) * longest + 64):
        points = np.empty(room, np.uint32)
        slow = _map_rows(texts.points, texts.starts, table, pool, settled, points, starts, joined)
        if slow >= 0:
            break
    return CodePoints(points[: starts[-1]], starts), joined[:slow]


def form_lengths(texts: CodePoints, form: MatchForm = DEFAULT_FORM) -> npt.NDArray[np.int64]:
    """Return how many characters of the match form each character of texts makes, each taken alone; int64."""
    table, _, _ = _lookup(form)
    value = table[texts.points] & ~JOINS
    return np.where(value & RUN, value & SHORT, value != DELETED).astype(np.int64)


def single_forms() -> npt.NDArray[np.uint32]:
    """Return the match form of each code point, punctuation kept; itself where the form is not one code point."""
    table, _, _ = _lookup(MatchForm(punctuation="keep"))
    value = table & ~JOINS
    return np.where(value < DELETED, value, np.arange(CODE_POINTS, dtype=np.uint32))


def joining(points: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Return which characters NFKC may join to the one before them."""
    table, _, _ = _lookup(DEFAULT_FORM)
    return np.asarray(table[points] & JOINS != 0)


@cache
def _invisible() -> dict[int, None]:
    return dict.fromkeys(load_table()["invisible"].tolist())


@cache
def _lookup(form: MatchForm) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], int]:
    """Return the lookup by code point (uint32), the pool of runs, and the length of the longest run."""
    stored = load_table() if form == DEFAULT_FORM else vary_table(load_table(), form)
    codes, lengths, values = stored["codes"], stored["lengths"], stored["values"]
    begins = np.cumsum(lengths, dtype=np.uint32) - lengths
    table = np.arange(CODE_POINTS, dtype=np.uint32)
    single, several = lengths == 1, lengths > 1
    table[codes[single]] = values[begins[single]]
    table[codes[lengths == 0]] = DELETED
    table[codes[several]] = RUN | begins[several] << np.uint32(4) | lengths[several]
    table[stored["joins"]] |= JOINS
    return table, values, int(lengths.max(initial=1))


@njit(cache=True, nogil=True)
def _map_rows(
    source: Any, begins: Any, table: Any, pool: Any, settled: Any, points: Any, starts: Any, joined: Any
) -> int:
    """Map rows into `points` and `starts`; rows with joining characters are left empty and listed in `joined`.

    Returns how many are listed, or -1 when `points` is too small. With `settled`, joining characters are mapped too.
    """
    count = slow = 0
    room = len(points)
    for row in range(len(begins) - 1):
        starts[row] = count
        if count + begins[row + 1] - begins[row] > room:
            return -1
        text = source[begins[row] : begins[row + 1]]  # whose places need no check for negative ones
        for i in range(len(text)):
            value = table[text[i]]
            if value < JOINS:
                points[count] = value
                count += value != DELETED
                continue
            if value & JOINS and not settled:
                count = int(starts[row])
                joined[slow] = row
                slow += 1
                break
            value &= ~JOINS
            if value & RUN:
                length: Any = np.int64(value & SHORT)
                if count + length + len(text) - i > room:
                    return -1
                place = np.int64(value >> np.uint32(4) & PLACE)
                for k in range(length):
                    points[count + k] = pool[place + k]
                count += length
            else:
                points[count] = value
                count += value != DELETED
    starts[len(begins) - 1] = count
    return slow


@njit(cache=True, nogil=True)
def _join_zeros(points: Any, starts: Any) -> None:
    """Let each run of zeros be one, in place."""
    count = 0
    begin = starts[0]
    for row in range(len(starts) - 1):
        starts[row] = count
        for i in range(begin, starts[row + 1]):
            if points[i] != 48 or count == starts[row] or points[count - 1] != 48:
                points[count] = points[i]
                count += 1
        begin = starts[row + 1]
    starts[len(starts) - 1] = count
