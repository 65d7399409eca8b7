"""The shape of lines: menus, link lists, verse, dialogue, code and markup, each as a share of the visible characters.

One walk over the code points; every look ahead is bounded or stops where the next one may begin, so that no text takes
quadratic time. The shapes are told by form alone, none by a list of words.

Trade: a line is judged alone or beside its neighbour. Verse of unequal lines (词, free verse) and verse without any
punctuation are not told; a list of chemical formulas may look like code; a menu of two items is not one.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.signals import classes
from pipeline.signals.classes import DIGIT, HAN, LATIN, PUNCTUATION, SENTENCE_END, SEPARATOR, SIGN, SIZE, SPACE
from pipeline.step import Signal
from pipeline.text import CodePoints

ITEMS = 4
"""Items from which a line is a menu, as in the cleaner `boilerplate`; pairs such as `A | B` are none."""
ITEM_CHARS = 10
"""Visible characters of the longest item of a menu; the same cleaner's."""
LIST_LINES = 5
"""Short lines in a row that make a list, by hand: a stanza of four lines without punctuation stays below."""
LIST_CHARS = 20
"""Visible characters of the longest line of a list; headlines of Chinese portals are cut at 20 or so."""
SPEAKERS = 32
"""Speakers that are told apart in a document; lines of further ones count only when they quote."""
SPEAKER_CHARS = 8
"""Visible characters of the longest name of a speaker; by hand: 最高人民法院院长."""
TAG_CHARS = 500
"""Characters of the longest tag or address of markup that is looked for."""

_COLUMNS = ("menu_share", "short_list_share", "verse_share", "dialogue_share", "code_share", "markup_share")
# What a line holds, in the order of the array that `_line` fills.
_VISIBLE, _HAN, _LETTERS, _SIGNS, _ITEMS, _LONGEST, _SENTENCE, _VERSE, _COLON, _FIRST, _LAST, _QUOTED = range(12)


class Lines(Signal):
    r"""Shares of the visible characters that stand in lines of a certain shape.

    - `menu_share`: lines of four or more items of at most ten characters between | · › » • / > or between spaces with
      Han on both sides, without a sentence's end. `short_list_share`: five or more lines in a row of at most twenty
      characters, without a sentence's end.
    - `verse_share`: lines whose clauses all have 4, 5 or 7 Han characters, two of them at least, or one clause a line
      in lines of the same length (the regular forms: 诗经, 五言, 七言).
    - `dialogue_share`: lines that begin with an opening quote or a dash, and lines `speaker：…` whose speaker speaks
      more than once.
    - `code_share`: lines between fences that close, and lines with few Han and many of the signs
      {}[]()<>=;"'`#$%&*+\^_|~.
    - `markup_share`: HTML tags and entities, wiki templates and link brackets, Markdown headings, addresses and bold.

    Source of the first: the cleaner `boilerplate`; of the rest: by hand, from the forms themselves.
    """

    kind: ClassVar[str] = "lines"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Six shares, float64."""
        return dict.fromkeys(_COLUMNS, pa.float64())

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        text = CodePoints.of(batch.column("text"))
        out = np.zeros((len(_COLUMNS), len(text)))
        _measure(text.points, text.starts, classes.table(), out)
        return [pa.array(row) for row in out]


@njit(cache=True, nogil=True)
def _line(points: Any, i: int, end: int, table: Any, line: Any) -> int:
    """Fill `line` with what the line at i holds, and return where it ends.

    `_VERSE` is the length of its clauses when all have the same, times two when one clause is all; `_COLON` the place
    after a speaker's colon; `_FIRST` and `_LAST` the places of its first and last visible character.
    """
    line[:] = 0
    visible = han = letters = signs = items = longest = item = clause = clauses = size = marks = 0
    sentence = gap = False
    even = True
    bits = before = np.uint32(0)
    while i < end and points[i] != 10:
        point = points[i]
        bits = table[min(point, np.uint32(SIZE - 1))]
        i += 1
        if bits & SPACE:
            gap = True
            continue
        if visible == 0:
            line[_FIRST] = i - 1
        elif gap and bits & HAN and before & HAN:
            items += item > 0
            item = 0
        visible += 1
        line[_LAST] = i - 1
        if bits & HAN:
            han += 1
            if gap and clause:  # a space parts clauses as a comma does
                even = even and (clauses == 0 or clause == size)
                size = clause
                clauses += 1
                clause = 0
            clause += 1
        else:
            letters += (bits & (LATIN | DIGIT)) != 0
            signs += (bits & SIGN) != 0
            if bits & PUNCTUATION:
                sentence = sentence or ((bits & SENTENCE_END) != 0 and (point > 127 or (before & HAN) != 0))
                if clause:
                    even = even and (clauses == 0 or clause == size)
                    size = clause
                    clauses += 1
                    clause = 0
                if (point == 0xFF1A or point == 58) and marks == 0 and 1 < visible <= SPEAKER_CHARS + 1:
                    line[_COLON] = i
                marks += 1
                even = even and point != 0x3001  # enumeration, as in lists of idioms
            else:
                even = False
        if bits & SEPARATOR:
            items += item > 0
            longest = max(longest, item)
            item = 0
        else:
            item += 1
            longest = max(longest, item)
        before = bits
        gap = False
    if clause:
        even = even and (clauses == 0 or clause == size)
        size = clause
        clauses += 1
    line[_VISIBLE], line[_HAN], line[_LETTERS], line[_SIGNS] = visible, han, letters, signs
    line[_ITEMS], line[_LONGEST] = items + (item > 0), longest
    line[_SENTENCE] = sentence or (before & SENTENCE_END) != 0
    if even and marks and (size == 4 or size == 5 or size == 7):
        line[_VERSE] = size if clauses > 1 else 2 * size
    if visible:
        first = points[line[_FIRST]]
        line[_QUOTED] = first == 0x201C or first == 0x300C or first == 0x300E or first == 0x2014
    return i


@njit(cache=True, nogil=True)
def _is_code(points: Any, line: Any) -> bool:
    """Tell whether a line has the look of code: few Han, letters or brackets, and signs where prose has none."""
    visible, signs = line[_VISIBLE], line[_SIGNS]
    if 5 * line[_HAN] > visible or signs == 0:
        return False
    if line[_LETTERS] == 0:
        return bool(signs == visible and visible <= 3)  # `}`, `});`
    last = points[line[_LAST]]
    ends = last == 59 or last == 44 or last == 92  # ; , and a backslash
    ends = ends or last == 41 or last == 62 or last == 93 or last == 123 or last == 125  # ) > ] { }
    return bool(5 * signs >= visible or (ends and 12 * signs >= visible))


@njit(cache=True, nogil=True)
def _fence(points: Any, line: Any, end: int) -> int:
    """Return 1 for a line of ``` or ~~~ alone, 2 for one that names a language after it, and 0 for other lines."""
    i = line[_FIRST]
    if (
        i + 2 >= end
        or (points[i] != 96 and points[i] != 126)
        or points[i + 1] != points[i]
        or points[i + 2] != points[i]
    ):
        return 0
    return 2 if line[_LETTERS] or line[_HAN] else 1


@njit(cache=True, nogil=True)
def _speaks(points: Any, line: Any, speakers: Any) -> int:
    """Note the speaker of a line with its characters; return how many of them are of a speaker that is known by now.

    `speakers`, int64, (SPEAKERS, 2): the hash, and the characters of the first line until a second one comes.
    """
    colon = line[_COLON]
    if colon == 0 or not line[_SENTENCE] or colon > line[_LAST]:
        return 0
    key = np.int64(1)
    for i in range(line[_FIRST], colon - 1):
        key = (key + np.int64(points[i]) + 1) * np.int64(0x5E3779B97F4A7C15)
    key |= 1
    for k in range(SPEAKERS):
        if speakers[k, 0] == key:
            waiting = speakers[k, 1]
            speakers[k, 1] = 0
            return int(waiting + line[_VISIBLE])
        if speakers[k, 0] == 0:
            speakers[k, 0], speakers[k, 1] = key, line[_VISIBLE]
            return 0
    return 0


@njit(cache=True, nogil=True)
def _closed(points: Any, i: int, end: int, opening: int, closing: int) -> int:
    """Return where the span closes that is open at i, or 0 if it does not on its line within TAG_CHARS."""
    for j in range(i, min(end, i + TAG_CHARS)):
        if points[j] == closing:
            return int(j + 1)
        if points[j] == opening or points[j] == 10:
            return 0
    return 0


@njit(cache=True, nogil=True)
def _mark(points: Any, i: int, end: int, table: Any) -> int:
    """Return where the tag, entity or link address ends that begins at i, or 0."""
    point = points[i]
    after = points[i + 1] if i + 1 < end else np.uint32(10)
    letter = after < 128 and table[after] & LATIN
    if point == 60 and (letter or after == 47 or after == 33):  # <a, </, <!
        return _closed(points, i + 1, end, 60, 62)
    if point == 38 and (letter or after == 35):  # &nbsp; &#10;
        j = i + 2
        while j < end and j < i + 12 and points[j] < 128 and table[points[j]] & (LATIN | DIGIT):
            j += 1
        return int(j + 1) if j < end and points[j] == 59 else 0
    if point == 93 and after == 40:  # ](address)
        return _closed(points, i + 2, end, 40, 41)
    if point == 39 and after == 39:  # ''italics'' of a wiki
        return int(i + 2)
    return int(i + 2) if (point == 42 and after == 42) or (point == after and (point == 91 or point == 93)) else 0


@njit(cache=True, nogil=True)
def _markup(points: Any, begin: int, end: int, table: Any) -> int:
    """Return how many visible characters are markup; a template counts whole once it closes, also over lines."""
    total = depth = waiting = 0
    i = begin
    head = True
    while i < end:
        point = points[i]
        bits = table[min(point, np.uint32(SIZE - 1))]
        if not bits & SIGN:
            waiting += depth > 0 and not bits & SPACE
            head = point == 10
            i += 1
            continue
        after = points[i + 1] if i + 1 < end else np.uint32(10)
        stop = i + 1
        found = False
        if point == 123 and after == 123:
            depth += 1
            stop, found = i + 2, depth > 0
        elif point == 125 and after == 125 and depth:
            depth -= 1
            stop, found = i + 2, True
        elif head and (point == 35 or point == 61):  # # heading, == heading ==
            while stop < end and stop < i + 6 and points[stop] == point:
                stop += 1
            found = (point == 61 and stop > i + 1) or (point == 35 and stop < end and points[stop] == 32)
        else:
            ends = _mark(points, i, end, table)
            stop, found = (ends, True) if ends else (i + 1, False)
        size = 0
        for k in range(i, stop):
            size += (table[min(points[k], np.uint32(SIZE - 1))] & SPACE) == 0
        if depth:
            waiting += size
        else:
            total += (size if found else 0) + waiting
            waiting = 0
        head = False
        i = stop
    return total


@njit(cache=True, nogil=True)
def _measure(points: Any, starts: Any, table: Any, out: Any) -> None:
    """Fill `out`, float64, (columns in the order of `_COLUMNS`, rows)."""
    line = np.zeros(12, np.int64)
    speakers = np.zeros((SPEAKERS, 2), np.int64)
    for row in range(len(starts) - 1):
        end = starts[row + 1]
        i = starts[row]
        visible = menu = listed = verse = dialogue = code = 0
        run = run_chars = size_before = waiting = inside = 0
        fenced = False
        speakers[:] = 0
        while i < end:
            i = _line(points, i, end, table, line) + 1
            chars = line[_VISIBLE]
            if chars == 0:
                continue
            visible += chars
            short = chars <= LIST_CHARS and not line[_SENTENCE]
            run, run_chars = (run + 1, run_chars + chars) if short else (0, 0)
            if run >= LIST_LINES:
                listed += run_chars
                run_chars = 0
            if line[_HAN] >= line[_ITEMS] >= ITEMS and line[_LONGEST] <= ITEM_CHARS and not line[_SENTENCE]:
                menu += chars
            size = line[_VERSE]
            if size <= 7 or size == size_before:
                verse += chars + waiting if size else 0
                waiting = 0
            else:  # one clause is the whole line: it waits for a second one
                waiting = chars
            size_before = size
            dialogue += chars if line[_QUOTED] else _speaks(points, line, speakers)
            fence = _fence(points, line, end)
            if fence == 0:
                is_code = _is_code(points, line)
                code += chars if is_code else 0
                inside += chars if fenced and not is_code else 0
            elif fenced and fence == 1:
                code += chars + inside
                fenced = False
            else:  # one that opens while one is open: the first was the end of a block whose head was cut off
                inside, fenced = chars, True
        shares = (menu, listed, verse, dialogue, code, _markup(points, starts[row], end, table))
        for k in range(len(shares)):
            out[k, row] = shares[k] / max(1, visible)
