"""What a link, a template and a conversion of wikitext show, decided when they close.

`s[1]` is how much was written (see `wikitext_kernel`). Bars between parts were written as `BAR`.
"""

from typing import Any

import numpy as np
from numba import njit

TEMPLATE, LINK, EXTERNAL, CONVERSION, TABLE = 1, 2, 3, 4, 5
BAR = 1
OUT = 1
NO_TEXT = 6  # the action of a prefix whose links are no text
LINKS, TEMPLATES = 2, 3  # kinds of names
MOST_NAME = 60
ARGUMENTS = 8  # bits beyond which a template's action holds its arguments, eight bits each


@njit(cache=True, nogil=True)
def hash_of(data: Any, begin: int, end: int, kind: int) -> Any:
    """Return the FNV-1a hash of a name, ASCII in lower case, `_` as a blank, blanks around it left out."""
    while begin < end and data[begin] in (32, 9, 10, 95):
        begin += 1
    while end > begin and data[end - 1] in (32, 9, 10, 95):
        end -= 1
    value = np.uint64(14695981039346656037) ^ np.uint64(kind)
    for i in range(begin, end):
        byte = data[i]
        if 65 <= byte <= 90:
            byte |= 32
        elif byte == 95:
            byte = 32
        value = (value ^ np.uint64(byte)) * np.uint64(1099511628211)
    return value


@njit(cache=True, nogil=True)
def action_of(name: Any, names: Any, actions: Any) -> int:
    """Return what a name means, 0 where it means nothing."""
    place = np.searchsorted(names, name)
    return actions[place] if place < len(names) and names[place] == name else 0


@njit(cache=True, nogil=True)
def is_blank(out: Any, begin: int, end: int) -> bool:
    """Say whether only blanks and line ends stand there."""
    for i in range(begin, end):  # noqa: SIM110 - compiled
        if out[i] not in (32, 9, 10):
            return False
    return True


@njit(cache=True, nogil=True)
def move(out: Any, s: Any, begin: int, end: int, to: int) -> None:
    """Keep only a stretch of what was written from `to` on."""
    for i in range(end - begin):
        out[to + i] = out[begin + i]
    s[OUT] = to + end - begin


@njit(cache=True, nogil=True)
def _next_bar(out: Any, begin: int, end: int) -> int:
    while begin < end and out[begin] != BAR:
        begin += 1
    return begin


@njit(cache=True, nogil=True)
def close_link(out: Any, s: Any, start: int, names: Any, actions: Any) -> None:
    """Keep the words of an internal link, nothing of files, categories and links to other languages."""
    begin, end = start + 2, s[OUT]
    bar = _next_bar(out, begin, end)
    while begin < bar and out[begin] in (32, 9):
        begin += 1
    if begin < bar and out[begin] == 58:
        begin += 1
    else:
        colon = begin
        while colon < bar and colon - begin < MOST_NAME and out[colon] != 58:
            colon += 1
        known = colon < bar and out[colon] == 58
        if known and action_of(hash_of(out, begin, colon, LINKS), names, actions) == NO_TEXT:
            s[OUT] = start
            return
    if bar < end - 1:
        begin = bar + 1
    else:
        end = bar
        if begin < end and out[begin] == 35:
            begin += 1
    move(out, s, begin, end, start)


@njit(cache=True, nogil=True)
def close_template(out: Any, s: Any, start: int, names: Any, actions: Any) -> None:
    """Keep the argument that is a template's text, nothing of one that has none."""
    begin, end = start + 2, s[OUT]
    bar = _next_bar(out, begin, end)
    if is_blank(out, begin, bar):
        s[OUT] = start
        return
    width = bar - begin
    if width == 1 and out[begin] == 33:  # {{!}}
        out[start] = BAR
        s[OUT] = start + 1
        return
    action = action_of(hash_of(out, begin, bar, TEMPLATES), names, actions) if width <= MOST_NAME else 0
    if not action and width <= MOST_NAME:
        hyphen = begin
        while hyphen < bar and out[hyphen] != 45:
            hyphen += 1
        if hyphen < bar:
            action = action_of(hash_of(out, begin, hyphen + 1, TEMPLATES), names, actions)
    wanted = action >> ARGUMENTS
    while wanted:
        first, last = _argument(out, bar, end, wanted & 255)
        if first < last:
            move(out, s, first, last, start)
            return
        wanted >>= ARGUMENTS
    s[OUT] = start


@njit(cache=True, nogil=True)
def _argument(out: Any, bar: int, end: int, wanted: int) -> tuple[int, int]:
    """Return where the positional argument of this number stands, without blanks around it; (0, 0) for none."""
    number = 0
    while bar < end:
        begin, after = bar + 1, _next_bar(out, bar + 1, end)
        bar = after
        equals = begin
        while equals < after and out[equals] != 61:
            equals += 1
        if equals < after:
            named = begin
            while named < equals and out[named] in (32, 9, 10):
                named += 1
            if out[named] - 48 != wanted or not is_blank(out, named + 1, equals):
                continue
            begin = equals + 1
        else:
            number += 1
            if number != wanted:
                continue
        while begin < after and out[begin] in (32, 9, 10):
            begin += 1
        while after > begin and out[after - 1] in (32, 9, 10):
            after -= 1
        return begin, after
    return 0, 0


@njit(cache=True, nogil=True)
def close_conversion(out: Any, s: Any, start: int) -> None:
    """Keep one form of words that are written differently in regions: the mainland's, else the first."""
    begin, end = start + 2, s[OUT]
    bar = _next_bar(out, begin, end)
    if bar < end:
        for i in range(begin, bar):
            if out[i] in (72, 84, 45, 78):  # H T - N: nothing is shown
                s[OUT] = start
                return
        begin = bar + 1
    best, first, last = -1, begin, end
    at = begin
    while at < end:
        stop = at
        while stop < end and out[stop] != 59:
            stop += 1
        colon = at
        while colon < stop and out[colon] != 58:
            colon += 1
        value = _variant(out, at, colon) if colon < stop else -1
        if value > best:
            best, first, last = value, colon + 1, stop
        at = stop + 1
    while first < last and out[first] in (32, 9, 10):
        first += 1
    move(out, s, first, last, start)


@njit(cache=True, nogil=True)
def _variant(out: Any, begin: int, end: int) -> int:
    """Return how much a variant's code is preferred: zh-cn, zh-hans, another of zh; -1 for what is none."""
    while begin < end and out[begin] in (32, 9, 10):
        begin += 1
    if end - begin < 2 or out[begin] != 122 or out[begin + 1] != 104:
        return -1
    if end - begin >= 5 and out[begin + 3] == 99 and out[begin + 4] == 110:
        return 2
    if end - begin >= 7 and out[begin + 3] == 104 and out[begin + 6] == 115:
        return 1
    return 0


@njit(cache=True, nogil=True)
def unescaped(data: Any, out: Any) -> int:
    """Write bytes of XML with its entities decoded to `out` (uint8, as long as `data`) and return their count."""
    o, at, size = 0, 0, len(data)
    while at < size:
        if data[at] == 38:
            end = at + 1
            while end < size and end - at < 12 and data[end] != 59:
                end += 1
            point = _entity(data, at + 1, end) if end < size and data[end] == 59 else -1
            if point > 0:
                o = _put_point(out, o, point)
                at = end + 1
                continue
        out[o] = data[at]
        o += 1
        at += 1
    return o


@njit(cache=True, nogil=True)
def _entity(data: Any, begin: int, end: int) -> int:
    """Return the code point of an entity of XML, -1 for what is none."""
    width = end - begin
    first = data[begin] if width else 0
    if first == 35 and width > 1:
        hexadecimal = data[begin + 1] | 32 == 120
        value = 0
        for i in range(begin + 1 + hexadecimal, end):
            low = data[i] | 32
            digit = data[i] - 48 if 48 <= data[i] <= 57 else low - 87 if hexadecimal and 97 <= low <= 102 else -1
            if digit < 0:
                return -1
            value = value * (16 if hexadecimal else 10) + digit
        return value if 8 < value < 0xD800 or 0xE000 <= value <= 0x10FFFF else -1
    if width == 2 and data[begin + 1] == 116:
        return 60 if first == 108 else 62 if first == 103 else -1
    if width == 3 and first == 97 and data[begin + 1] == 109 and data[begin + 2] == 112:
        return 38
    if width == 4 and first == 113 and data[begin + 3] == 116:
        return 34
    return 39 if width == 4 and first == 97 and data[begin + 3] == 115 else -1


@njit(cache=True, nogil=True)
def _put_point(out: Any, o: int, point: int) -> int:
    """Write a code point in UTF-8 and return where it ends."""
    if point < 0x80:
        out[o] = point
        return o + 1
    if point < 0x800:
        out[o], out[o + 1] = 0xC0 | point >> 6, 0x80 | point & 63
        return o + 2
    if point < 0x10000:
        out[o], out[o + 1], out[o + 2] = 0xE0 | point >> 12, 0x80 | point >> 6 & 63, 0x80 | point & 63
        return o + 3
    out[o], out[o + 1] = 0xF0 | point >> 18, 0x80 | point >> 12 & 63
    out[o + 2], out[o + 3] = 0x80 | point >> 6 & 63, 0x80 | point & 63
    return o + 4
