"""Contacts: how often a text gives a telephone number or an account, or asks to be added to a group.

What advertisements are made of, told by shape and context: numbers of the shape of a telephone number, and words of a
table, the second kind only where an account follows. Letters and digits are folded (full width, ①, capitals), and up to
two marks or spaces may stand between the characters of a word or number (`加 V : a b 1 2 3`, `1-3-8-…`), because that
is how filters are dodged.

Trade: the numbers are not checked as the cleaner `personal` checks them, since a share of many is wanted and not a
proof of one; an imprint of a journal has contacts, too, so what matters is how many a thousand characters hold.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.properties import CODE_POINTS, folds
from pipeline.signals import classes
from pipeline.signals.classes import DIGIT, HAN, LATIN, SIZE, SPACE
from pipeline.step import Signal
from pipeline.tables import lines_of, resource
from pipeline.text import CodePoints
from schemas.manifest import Resource

GAP = 2
"""Marks or spaces that may stand between two characters of a word or number."""
REACH = 6
"""Characters after a word in which the account must begin: 号码是：."""
LEAST = 5
"""Characters of the shortest account: QQ numbers have five digits at least, names of WeChat six."""
LONGEST = 24
"""Characters at which a number or name is no account any more."""

_TABLE = "contact_words.tsv"
_DIGIT, _SOFT = 16, 32  # marks of `_folded`: digit (its value in the low bits), what may stand inside a number
_NUMERALS = "零一二三四五六七八九"
# Nothing above but mathematical letters and enclosed signs folds to a letter or digit, and no Han or Hangul does.
_FOLDING = ((0, 0x3400), (0xD800, 0x10000), (0x1D400, 0x1D800), (0x1F100, 0x1F200))
_SOFTS = " -.·_—–)）\u3000"


class Contacts(Signal):
    """Telephone numbers, accounts and invitations; each place counts once.

    - `contact_count`: int64. `contact_density`: contacts a thousand visible characters.

    A number is one of 11 digits from 13 to 19, of 400 or 800 and 7 digits, or of an area code, a gap and 7 or 8 digits.
    """

    kind: ClassVar[str] = "contacts"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """The count is int64, the density float64."""
        return {"contact_count": pa.int64(), "contact_density": pa.float64()}

    def resources(self) -> Sequence[Resource]:
        """The words."""
        return (resource(__package__, _TABLE, "CC0-1.0"),)

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        text = CodePoints.of(batch.column("text"))
        counts, visible = np.zeros(len(text), np.int64), np.zeros(len(text), np.int64)
        _measure(text.points, text.starts, classes.table(), *_folded(), *_words(), counts, visible)
        return [pa.array(counts), pa.array(1000 * counts / np.maximum(1, visible))]


@cache
def _folded() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """Return what each character is compared as, uint32, (SIZE,), and whether it is a digit or soft, uint8, (SIZE,)."""
    fold, marks = np.arange(SIZE, dtype=np.uint32), np.zeros(SIZE, np.uint8)
    known, folding = folds(), np.zeros(CODE_POINTS, bool)
    for first, last in _FOLDING:
        folding[first:last] = True
    folded, digits = folding[known.points], folding[known.digits]
    fold[known.points[folded]] = known.values[folded]
    marks[known.digits[digits]] = _DIGIT + known.numbers[digits]
    for value, char in enumerate(_NUMERALS):
        marks[ord(char)] = _DIGIT + value
    marks[ord("〇")] = _DIGIT
    marks[[ord(char) for char in _SOFTS]] = _SOFT
    return fold, marks


@cache
def _words() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the words, which of them invite, and where those of a first character begin, plus one.

    uint32, (words, 10), zero behind their ends, longer ones of a beginning first; uint8, (words,); uint8, (SIZE,).
    """
    lines = (line.split("\t") for line in lines_of(__package__, _TABLE))
    rows = sorted(lines, key=lambda row: (row[0][0], -len(row[0])))
    words, first = np.zeros((len(rows), 10), np.uint32), np.zeros(SIZE, np.uint8)
    for number, (word, _) in enumerate(rows):
        words[number, : len(word)] = [ord(char) for char in word]
        first[ord(word[0])] = first[ord(word[0])] or number + 1
    return words, np.array([kind == "invite" for _, kind in rows], np.uint8), first


@njit(cache=True, nogil=True)
def _word_end(points: Any, i: int, begin: int, end: int, word: Any, fold: Any, table: Any) -> int:
    """Return where the word ends that begins at i, or 0. ASCII words do not stand inside other letters."""
    k, gap = 1, 0
    last = i
    while k < len(word) and word[k]:
        last += 1
        if last >= end:
            return 0
        point = min(points[last], np.uint32(SIZE - 1))
        if fold[point] == word[k]:
            k += 1
            gap = 0
        elif table[point] & (HAN | LATIN | DIGIT) or point == 10 or gap == GAP:
            return 0
        else:
            gap += 1
    before = points[i - 1] if i > begin else np.uint32(32)
    after = points[last + 1] if last + 1 < end else np.uint32(32)
    if word[0] < 128 and table[min(before, np.uint32(SIZE - 1))] & LATIN:
        return 0
    return 0 if word[k - 1] < 128 and table[min(after, np.uint32(SIZE - 1))] & LATIN else int(last + 1)


@njit(cache=True, nogil=True)
def _account_end(points: Any, i: int, end: int, fold: Any, marks: Any, table: Any) -> int:
    """Return where the account ends that begins within REACH of i on the same line, or 0."""
    for begin in range(i, min(end, i + REACH + 1)):
        point = min(points[begin], np.uint32(SIZE - 1))
        if points[begin] == 10:
            return 0
        if not (marks[point] & _DIGIT or (fold[point] < 128 and table[point] & LATIN)):
            continue
        size = digits = gap = 0
        last = begin
        j = begin
        while j < end and size <= LONGEST and gap <= GAP:
            point = min(points[j], np.uint32(SIZE - 1))
            if marks[point] & _DIGIT or (fold[point] < 128 and table[point] & LATIN):
                digits += (marks[point] & _DIGIT) != 0
                size += 1
                gap = 0
                last = j
            elif marks[point] & _SOFT:
                gap += 1
            else:
                break
            j += 1
        return int(last + 1) if LEAST <= size <= LONGEST and digits >= 3 else 0
    return 0


@njit(cache=True, nogil=True)
def _number(points: Any, i: int, begin: int, end: int, marks: Any, table: Any) -> Any:
    """Return where the run of digits at i ends, soft marks between them, and whether it may be called."""
    head = digits = gap = code = 0
    j = last = i
    while j < end and gap <= 1:
        mark = marks[min(points[j], np.uint32(SIZE - 1))]
        if mark & _DIGIT:
            head = head * 10 + (mark & 15) if digits < 3 else head
            code = digits if gap and code == 0 else code  # digits before the first gap
            digits += 1
            gap = 0
            last = j
        elif mark & _SOFT:
            gap += 1
        else:
            break
        j += 1
    before = points[i - 1] if i > begin else np.uint32(32)
    after = points[last + 1] if last + 1 < end else np.uint32(32)
    if (table[min(before, np.uint32(SIZE - 1))] | table[min(after, np.uint32(SIZE - 1))]) & LATIN:
        return last + 1, False
    mobile = digits == 11 and 130 <= head <= 199
    service = digits == 10 and (head == 400 or head == 800)
    fixed = 10 <= digits <= 12 and 3 <= code <= 4 and 10 <= head <= 99  # a 0 before two digits of the area
    return last + 1, mobile or service or fixed


@njit(cache=True, nogil=True)
def _contact_end(
    points: Any, i: int, begin: int, end: int, fold: Any, marks: Any, table: Any, words: Any, invites: Any, k: int
) -> int:
    """Return where the contact ends that begins at i with one of the words from k on, or 0."""
    head = words[k, 0]
    while k < len(words) and words[k, 0] == head:
        stop = _word_end(points, i, begin, end, words[k], fold, table)
        if stop:
            account = _account_end(points, stop, end, fold, marks, table)
            if account or invites[k]:
                return int(max(stop, account))
        k += 1
    return 0


@njit(cache=True, nogil=True)
def _measure(
    points: Any, starts: Any, table: Any, fold: Any, marks: Any, words: Any, invites: Any, first: Any,
    counts: Any, visible: Any,
) -> None:  # fmt: skip
    """Fill `counts` and `visible`, int64, (rows,)."""
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        i = begin
        while i < end:
            point = min(points[i], np.uint32(SIZE - 1))
            visible[row] += (table[point] & SPACE) == 0
            folded = fold[point]
            until = i + 1
            if marks[point] & _DIGIT:
                until, found = _number(points, i, begin, end, marks, table)
                counts[row] += found
            elif first[folded]:
                stop = _contact_end(points, i, begin, end, fold, marks, table, words, invites, first[folded] - 1)
                counts[row] += stop > 0
                until = max(until, stop)
            for k in range(i + 1, until):
                visible[row] += (table[min(points[k], np.uint32(SIZE - 1))] & SPACE) == 0
            i = until
