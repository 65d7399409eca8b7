"""Lines that were cut at a width: which lines of a text go on in the next one, told by the lines of the whole document.

One kernel measures each line (columns, how it begins and ends, whether it is code), another compares: where nearly all
lines that end in the middle of a phrase are as wide as they can be, a width cut them. The cleaner `wrapped` says why.

Trade: rules of single characters, spelled out here, since patterns of lines took 40 times as long.
"""

from functools import cache
from string import ascii_letters, digits
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.properties import WORD, properties
from pipeline.text import CodePoints, Offsets

NARROWEST = 32
"""Columns (a Han is two) of the narrowest text that counts as wrapped; two lines of verse in one have 28 to 32."""
LEAST = 4
"""Lines that end in the middle of a phrase which are needed to tell; by hand."""

# By hand: how many of these lines must be full; what part of the width is full (fonts differ in how wide letters are);
# how many lines may be wider.
_FULL, _TOLERANCE, _WIDER = 0.8, 0.94, 0.1
# What stands between a line and the next, when they are joined; after letters and a hyphen it depends on the word.
_BARE, _SPACE, HYPHEN = 1, 2, 3
_FOLLOWS, _PHRASE, _BLANK = 1, 2, 4  # bits of lines: may go on, surely cut where it may, no visible character
# Classes of characters, in one table for those below U+10000.
_INNER, _BULLET, _NUMBER, _AFTER_NUMBER, _ORDINAL, _UNIT, _STOP, _SIGN = 1, 2, 4, 8, 16, 32, 64, 128
_CLASSES = (
    # A line without any of them is verse of a book without marks, or words of a list.
    (_INNER, "，。、；：？！,.;?!’”』」）) "),
    (_BULLET, "-*+•·●○◆◇■□▪▫►▶※★☆→#【①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"),
    (_NUMBER, f"{ascii_letters}{digits}０１２３４５６７８９一二三四五六七八九十百"),
    (_AFTER_NUMBER, ")）.．、:："),
    (_ORDINAL, f"{digits}０１２３４５６７８９一二三四五六七八九十百千零〇"),
    (_UNIT, "条條章节節款项項編编篇回卷部页頁"),
    (_STOP, "：:，。、"),
    (_SIGN, "\t|{}<>=\\"),
)


def cut_lines(text: CodePoints) -> tuple[Offsets, npt.NDArray[np.uint8]]:
    """Return the first line of each row, int64, (rows + 1), and how each line is joined with the next, uint8, (lines,).

    0 for lines that are not; else 1 for nothing between the two, 2 for a space, 3 for nothing after letters and a
    hyphen, which may go.
    """
    size = len(text) + int(np.count_nonzero(text.points == 10))
    firsts = np.empty(len(text) + 1, np.int64)
    flags, joins = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    widths, reach = np.zeros(size, np.int64), np.zeros(size, np.int64)
    _measure(text.points, text.starts, _classes(), _letters(), firsts, flags, widths, reach, joins)
    _decide(firsts, flags, widths, reach, joins)
    return firsts, joins


@cache
def _classes() -> npt.NDArray[np.uint8]:
    table = np.zeros(0x10000, np.uint8)
    for bit, chars in _CLASSES:
        table[[ord(char) for char in chars]] |= bit
    return table


@cache
def _letters() -> npt.NDArray[np.bool_]:
    """Return which code points are letters or digits."""
    return np.asarray(properties() & WORD > 0)


@njit(cache=True, nogil=True)
def _measure(
    points: Any, starts: Any, classes: Any, letters: Any, firsts: Any, flags: Any, widths: Any, reach: Any, joins: Any
) -> None:
    """Fill what is known of each line, and in `joins` what would stand between it and the next."""
    line = 0
    for row in range(len(starts) - 1):
        firsts[row] = line
        begin, end = starts[row], starts[row + 1]
        fenced = before_never = False
        before = -1  # where the line before begins
        while begin <= end:
            stop = begin
            while stop < end and points[stop] != 10:
                stop += 1
            fence = _is_fence(points, begin, stop)
            never = fenced or fence or begin == stop or _is_code(points, begin, stop, classes)
            fenced ^= fence
            width, blank = _columns(points, begin, stop)
            widths[line] = reach[line] = width
            flags[line] = _BLANK if blank else 0
            if before >= 0:
                reach[line - 1] += _token(points, begin, stop)
                last = begin - 2
                code = before_never or never
                if not code and _is_open(points, before, last, letters) and not _begins(points, begin, stop, classes):
                    flags[line - 1] |= _FOLLOWS
                    if _is_evidence(points, before, last, points[begin], classes, letters):
                        flags[line - 1] |= _PHRASE
                    joins[line - 1] = _between(points, before, last, points[begin])
            before, before_never = begin, never
            begin = stop + 1
            line += 1
    firsts[len(starts) - 1] = line


@njit(cache=True, nogil=True)
def _is_wide(point: Any) -> bool:
    return bool(
        0x1100 <= point <= 0x115F
        or 0x2E80 <= point <= 0xA4CF
        or 0xAC00 <= point <= 0xD7A3
        or 0xF900 <= point <= 0xFAFF
        or 0xFE30 <= point <= 0xFE4F
        or 0xFF00 <= point <= 0xFF60
        or 0x20000 <= point <= 0x3FFFF
    )


@njit(cache=True, nogil=True)
def _is_space(point: Any) -> bool:
    """Tell whether a character is white space to Python (`str.isspace`)."""
    return bool(
        9 <= point <= 13
        or 28 <= point <= 32
        or point == 0x85
        or point == 0xA0
        or point == 0x1680
        or 0x2000 <= point <= 0x200A
        or point == 0x2028
        or point == 0x2029
        or point == 0x202F
        or point == 0x205F
        or point == 0x3000
    )


@njit(cache=True, nogil=True)
def _has(point: Any, classes: Any, bits: int) -> bool:
    return bool(point < 0x10000 and classes[point] & bits)


@njit(cache=True, nogil=True)
def _is_ascii_letter(point: Any) -> bool:
    return bool(0x41 <= point <= 0x5A or 0x61 <= point <= 0x7A)


@njit(cache=True, nogil=True)
def _columns(points: Any, begin: int, stop: int) -> tuple[int, bool]:
    """Return the columns of a line, and whether it is blank."""
    width = stop - begin
    blank = True
    for i in range(begin, stop):
        width += _is_wide(points[i])
        blank = blank and _is_space(points[i])
    return width, blank


@njit(cache=True, nogil=True)
def _is_fence(points: Any, begin: int, stop: int) -> bool:
    """Tell whether a line begins, after blanks, with three ` or three ~."""
    i = begin
    while i < stop and (points[i] == 32 or points[i] == 9):
        i += 1
    if i + 3 > stop or (points[i] != 0x60 and points[i] != 0x7E):
        return False
    return bool(points[i] == points[i + 1] == points[i + 2])


@njit(cache=True, nogil=True)
def _is_code(points: Any, begin: int, stop: int, classes: Any) -> bool:
    """Tell whether a line looks like code, table or address: signs, indents, gaps, `;` at the end, `://`, `x$ `."""
    if points[begin] == 32 or points[stop - 1] == 0x3B:
        return True
    for i in range(begin, stop):
        point = points[i]
        if _has(point, classes, _SIGN):
            return True
        if i + 2 < stop:
            second, third = points[i + 1], points[i + 2]
            if point == 0x3A and second == 0x2F and third == 0x2F:
                return True
            if third == 32 and (second == 32 or 0x23 <= second <= 0x25) and not _is_space(point):
                return True
    return False


@njit(cache=True, nogil=True)
def _is_open(points: Any, begin: int, last: int, letters: Any) -> bool:
    """Tell whether a line that ends at `last` ends in a phrase or after a comma."""
    point = points[last]
    comma = point == 0xFF0C or point == 0x3001 or point == 0x2C
    return bool(letters[point] or comma or _is_hyphened(points, begin, last))


@njit(cache=True, nogil=True)
def _is_hyphened(points: Any, begin: int, last: int) -> bool:
    return bool(points[last] == 0x2D and last > begin and _is_ascii_letter(points[last - 1]))


@njit(cache=True, nogil=True)
def _is_evidence(points: Any, begin: int, last: int, after: Any, classes: Any, letters: Any) -> bool:
    """Tell whether a line ends in the middle of a phrase, so that only a width can have cut it.

    A name behind a sentence (聯句), or a capital after a title of a list in English: the line is whole.
    """
    if not letters[points[last]] and not _is_hyphened(points, begin, last):
        return False
    size = 0
    while size < 7 and last - size >= begin and letters[points[last - size]]:
        size += 1
    dash = last - size
    if 1 <= size <= 6 and dash - 1 >= begin and points[dash] == 0x2014 and points[dash - 1] == 0x2014:
        return False
    if 0x41 <= after <= 0x5A and points[last] < 0x80:
        return False
    for i in range(begin, last + 1):  # noqa: SIM110 - Numba has no generators
        if _has(points[i], classes, _INNER):
            return True
    return False


@njit(cache=True, nogil=True)
def _begins(points: Any, begin: int, stop: int, classes: Any) -> bool:
    """Tell whether a line begins something new: an item, an article, a label, an appendix, a number alone."""
    first = points[begin]
    if _has(first, classes, _BULLET):
        return True
    # （一） 1. a)
    i = begin + (first == 0xFF08 or first == 0x28)
    number = i
    while i < stop and _has(points[i], classes, _NUMBER):
        i += 1
    if 1 <= i - number <= 4 and i < stop and _has(points[i], classes, _AFTER_NUMBER):
        return True
    if first == 0x7B2C:  # 第一条
        i = begin + 1
        i += i < stop and _is_space(points[i])
        number = i
        while i < stop and _has(points[i], classes, _ORDINAL):
            i += 1
        if 1 <= i - number <= 6:
            i += i < stop and _is_space(points[i])
            if i < stop and _has(points[i], classes, _UNIT):
                return True
    if first == 0x9644 and begin + 1 < stop:  # 附件 附录 附錄
        second = points[begin + 1]
        if second == 0x4EF6 or second == 0x5F55 or second == 0x9304:
            return True
    for i in range(begin, min(stop, begin + 25)):
        if _has(points[i], classes, _STOP):
            if i > begin and (points[i] == 0xFF1A or points[i] == 0x3A):
                return True
            break
    for i in range(begin, stop):  # noqa: SIM110 - Numba has no generators
        if not 0x30 <= points[i] <= 0x39:
            return False
    return True


@njit(cache=True, nogil=True)
def _token(points: Any, begin: int, stop: int) -> int:
    """Return the columns of what may not be parted at the beginning of a line: a Latin word, or one Han."""
    i = begin
    while i < stop and (0x21 <= points[i] <= 0x7E or 0xC0 <= points[i] <= 0x24F or 0x1E00 <= points[i] <= 0x1EFF):
        i += 1
    return min(i - begin + 1, 20) if i > begin else 2


@njit(cache=True, nogil=True)
def _between(points: Any, begin: int, last: int, after: Any) -> int:
    """Return what stands between two joined lines: a space between narrow characters."""
    if points[last] == 0x2D and last > begin:
        before = points[last - 1]
        if _is_ascii_letter(before) or 0xC0 <= before <= 0x24F:
            return HYPHEN
    return _BARE if _is_wide(points[last]) or _is_wide(after) else _SPACE


@njit(cache=True, nogil=True)
def _decide(firsts: Any, flags: Any, widths: Any, reach: Any, joins: Any) -> None:
    """Keep the joins of lines that were cut at a width: that of the whole row, else those of blocks between blanks."""
    for row in range(len(firsts) - 1):
        first, end = firsts[row], firsts[row + 1]
        width = _width(first, end, flags, widths, reach)
        if width:
            _keep(first, end, width, flags, widths, reach, joins)
            continue
        begin = first
        while begin < end:
            stop = begin
            while stop < end and not flags[stop] & _BLANK:
                stop += 1
            width = _width(begin, stop, flags, widths, reach) if stop - begin > LEAST else 0
            _keep(begin, stop, width, flags, widths, reach, joins)
            begin = stop + 1


@njit(cache=True, nogil=True)
def _keep(begin: int, end: int, width: int, flags: Any, widths: Any, reach: Any, joins: Any) -> None:
    """Take back the joins of lines that are not full, all of them where no width (0) was found."""
    for line in range(begin, end):
        full = width > 0 and reach[line] > _TOLERANCE * width and widths[line] >= NARROWEST
        if not (full and flags[line] & _FOLLOWS):
            joins[line] = 0


@njit(cache=True, nogil=True)
def _width(begin: int, end: int, flags: Any, widths: Any, reach: Any) -> int:
    """Return the width at which lines were cut, 0 where none can be told."""
    count = lines = 0
    cut = np.empty(end - begin, np.int64)
    for line in range(begin, end):
        lines += not flags[line] & _BLANK
        if flags[line] & _PHRASE:
            cut[count] = widths[line]
            count += 1
    if count < LEAST:
        return 0
    width = np.sort(cut[:count])[int((count - 1) * 0.95)]
    full = wider = 0
    for line in range(begin, end):
        full += (flags[line] & _PHRASE) > 0 and reach[line] > _TOLERANCE * width
        wider += not flags[line] & _BLANK and widths[line] > width / _TOLERANCE + 2
    told = width >= NARROWEST and full / count >= _FULL and wider / lines <= _WIDER
    return width if told else 0
