"""The pass over wikitext: bytes of UTF-8 in, bytes of plain text out, compiled.

Open constructs stand on a stack with the place where their output began. What they close over is read when they close,
so nested ones are done already and no byte is looked at more than a few times. Trade-off: at most `DEPTH` constructs
inside each other are known; deeper ones are read as they stand.
"""

from typing import Any

import numpy as np
from numba import njit

from pipeline.readers.wikitext_closing import (
    BAR,
    CONVERSION,
    EXTERNAL,
    LINK,
    TABLE,
    TEMPLATE,
    close_conversion,
    close_link,
    close_template,
    is_blank,
    move,
)
from pipeline.readers.wikitext_tags import (
    AT,
    FRESH,
    HEAD_END,
    HEAD_LEVEL,
    HEAD_LINE,
    HEAD_OUT,
    HEADINGS,
    OPEN,
    OUT,
    byte_at,
    put,
    read_tag,
)

DEPTH, HEADS = 128, 64


@njit(cache=True, nogil=True)
def as_plain(data: Any, out: Any, names: Any, actions: Any) -> int:
    """Write the text that wikitext shows to `out` (uint8, 8 longer than `data`) and return its length.

    `names`: sorted hashes of known names, `actions` what each means.
    """
    s = np.zeros(9, np.int64)
    s[HEAD_END], s[FRESH] = -1, 1
    frames = np.zeros((DEPTH, 3), np.int64)  # kind, where the output began, whether a table's row has a cell
    heads = np.zeros((HEADS, 3), np.int64)  # level, where the output began, where it ended
    never = np.zeros(len(names), np.uint8)  # tags that are closed nowhere behind
    special = np.zeros(256, np.uint8)
    for byte in b"{}[]|'<_-\n!":
        special[byte] = 1
    size = len(data)
    while s[AT] < size:
        if s[FRESH]:
            s[FRESH] = 0
            if _line_head(data, out, s, frames, heads):
                continue
        if s[HEAD_END] >= 0 and s[AT] >= s[HEAD_END]:
            _end_heading(s, heads)
            continue
        stop = s[HEAD_END] if s[HEAD_END] >= 0 else size
        at, o = s[AT], s[OUT]
        while at < stop and not special[data[at]]:
            out[o] = data[at]
            o += 1
            at += 1
        s[AT], s[OUT] = at, o
        if at < stop:
            _mark(data, out, s, frames, names, actions, never)
    _drop_empty(out, s, heads, 0)
    return _tidied(out, s[OUT])


@njit(cache=True, nogil=True)
def _push(data: Any, out: Any, s: Any, frames: Any, kind: int, width: int) -> None:
    """Begin a construct whose opening mark has this many bytes; the mark stays until it closes."""
    if s[OPEN] < DEPTH:
        frames[s[OPEN], 0], frames[s[OPEN], 1], frames[s[OPEN], 2] = kind, s[OUT], 0
        s[OPEN] += 1
    for i in range(width):
        put(out, s, data[s[AT] + i])
    s[AT] += width


@njit(cache=True, nogil=True)
def _top(s: Any, frames: Any) -> int:
    return frames[s[OPEN] - 1, 0] if s[OPEN] else 0


@njit(cache=True, nogil=True)
def _line_head(data: Any, out: Any, s: Any, frames: Any, heads: Any) -> bool:
    """Read the marks at the head of a line; True where the pass has moved on."""
    at = s[AT]
    look = at
    while byte_at(data, look) in (32, 9, 58):
        look += 1
    first, second = byte_at(data, look), byte_at(data, look + 1)
    if first == 123 and second == 124:  # {|
        s[AT] = look
        if s[OPEN] < DEPTH:
            frames[s[OPEN], 0], frames[s[OPEN], 1], frames[s[OPEN], 2] = TABLE, s[OUT], 0
            s[OPEN] += 1
        _skip_line(data, s)
        return True
    if first in (124, 33):  # | !
        while s[OPEN] and _top(s, frames) in (LINK, EXTERNAL) and s[OPEN] > 1 and frames[s[OPEN] - 2, 0] == TABLE:
            s[OPEN] -= 1
        if _top(s, frames) == TABLE:
            s[AT] = look
            _table_line(data, out, s, frames)
            return True
    if s[OPEN] == 0 and data[at] == 61 and _begin_heading(data, out, s, heads):
        return True
    if data[at] == 45 and byte_at(data, at + 1) == 45 and byte_at(data, at + 2) == 45 and byte_at(data, at + 3) == 45:
        while byte_at(data, s[AT]) == 45:
            s[AT] += 1
        return True
    if data[at] in (42, 35, 58, 59):  # * # : ;
        while byte_at(data, at) in (42, 35, 58, 59):
            at += 1
        while byte_at(data, at) in (32, 9):
            at += 1
        s[AT] = at
        return True
    return False


@njit(cache=True, nogil=True)
def _skip_line(data: Any, s: Any) -> None:
    """Move to the end of the line."""
    at, size = s[AT], len(data)
    while at < size and data[at] != 10:
        at += 1
    s[AT] = at


@njit(cache=True, nogil=True)
def _table_line(data: Any, out: Any, s: Any, frames: Any) -> None:
    """Read the mark of a row, a caption, a cell or the end of a table, at the head of a line."""
    top, second = s[OPEN] - 1, byte_at(data, s[AT] + 1)
    bar = data[s[AT]] == 124
    if bar and second == 125:  # |}
        s[AT] += 2
        s[OPEN] -= 1
    elif bar and second == 45:  # |-
        frames[top, 2] = 0
        _skip_line(data, s)
    elif bar and second == 43:  # |+
        s[AT] += 2
        _skip_attributes(data, s)
    else:
        s[AT] += 1
        _cell(data, out, s, frames)


@njit(cache=True, nogil=True)
def _cell(data: Any, out: Any, s: Any, frames: Any) -> None:
    """Begin a cell: a tab before it unless it is the first of its row."""
    top = s[OPEN] - 1
    if frames[top, 2]:
        while s[OUT] > frames[top, 1] and out[s[OUT] - 1] in (10, 32):
            s[OUT] -= 1
        put(out, s, 9)
    frames[top, 2] = 1
    _skip_attributes(data, s)


@njit(cache=True, nogil=True)
def _skip_attributes(data: Any, s: Any) -> None:
    """Move behind the attributes of a cell, which one bar ends, and behind blanks."""
    at, size = s[AT], len(data)
    while at < size and data[at] != 10:
        byte, after = data[at], byte_at(data, at + 1)
        if (byte in (91, 123) and after == byte) or (byte in (124, 33) and after == byte):
            break
        if byte == 124:
            s[AT] = at + 1
            break
        at += 1
    while byte_at(data, s[AT]) in (32, 9):
        s[AT] += 1


@njit(cache=True, nogil=True)
def _begin_heading(data: Any, out: Any, s: Any, heads: Any) -> bool:
    """Read the marks of a heading; False where the line is none."""
    begin, size = s[AT], len(data)
    line = begin
    while line < size and data[line] != 10:
        line += 1
    end = line
    while end > begin and data[end - 1] in (32, 9):
        end -= 1
    lead = 0
    while begin + lead < end and data[begin + lead] == 61:
        lead += 1
    trail = 0
    while end - trail > begin and data[end - trail - 1] == 61:
        trail += 1
    level = min(lead, trail, 6)
    if level == 0 or end - begin <= 2 * level or lead >= end - begin:
        return False
    _drop_empty(out, s, heads, level)
    inner, last = begin + level, end - level
    while inner < last and data[inner] in (32, 9):
        inner += 1
    while last > inner and data[last - 1] in (32, 9):
        last -= 1
    s[AT], s[HEAD_END], s[HEAD_LINE], s[HEAD_LEVEL], s[HEAD_OUT] = inner, last, line, level, s[OUT]
    return True


@njit(cache=True, nogil=True)
def _end_heading(s: Any, heads: Any) -> None:
    """Note a heading that has been written; what is open in it stays as it is."""
    s[OPEN] = 0
    s[AT], s[HEAD_END] = max(s[AT], s[HEAD_LINE]), -1
    if s[HEADINGS] < HEADS:
        heads[s[HEADINGS], 0], heads[s[HEADINGS], 1], heads[s[HEADINGS], 2] = s[HEAD_LEVEL], s[HEAD_OUT], s[OUT]
        s[HEADINGS] += 1


@njit(cache=True, nogil=True)
def _drop_empty(out: Any, s: Any, heads: Any, level: int) -> None:
    """Take back headings of this level or below it under which nothing stands; forget those that are over."""
    while s[HEADINGS] and heads[s[HEADINGS] - 1, 0] >= level:
        top = s[HEADINGS] - 1
        if not is_blank(out, heads[top, 2], s[OUT]):
            break
        s[OUT] = heads[top, 1]
        s[HEADINGS] = top
    while s[HEADINGS] and heads[s[HEADINGS] - 1, 0] >= level:
        s[HEADINGS] -= 1


@njit(cache=True, nogil=True)
def _mark(data: Any, out: Any, s: Any, frames: Any, names: Any, actions: Any, never: Any) -> None:
    """Read a byte that may be a mark, and what belongs to it."""
    at = s[AT]
    byte, after, top = data[at], byte_at(data, at + 1), _top(s, frames)
    if byte == 10:
        _line_break(data, out, s, frames)
    elif byte == 123 and after == 123:  # {{
        _push(data, out, s, frames, TEMPLATE, 2)
    elif byte == 91 and after == 91:  # [[
        _push(data, out, s, frames, LINK, 2)
    elif byte == 45 and after == 123 and byte_at(data, at + 2) != 123:  # -{
        _push(data, out, s, frames, CONVERSION, 2)
    elif byte == 91 and _is_address(data, at + 1):
        _external(data, out, s, frames)
    elif byte == 125 and (after == 125 or after == 45):  # }} }-
        _close_braces(out, s, frames, names, actions, after)
    elif byte == 93 and top == EXTERNAL:  # ]
        move(out, s, frames[s[OPEN] - 1, 1] + 1, s[OUT], frames[s[OPEN] - 1, 1])
        s[OPEN] -= 1
        s[AT] += 1
    elif byte == 93 and after == 93 and top == LINK:
        s[OPEN] -= 1
        close_link(out, s, frames[s[OPEN], 1], names, actions)
        s[AT] += 2
    elif byte == 124 and top in (TEMPLATE, LINK, CONVERSION):
        put(out, s, BAR)
        s[AT] += 1
    elif (byte == 124 or byte == 33) and after == byte and top == TABLE:
        s[AT] += 2
        _cell(data, out, s, frames)
    elif byte == 39 and after == 39:
        _quotes(data, out, s)
    elif byte == 60:
        read_tag(data, out, s, names, actions, never)
    elif byte == 95 and after == 95 and _switch(data, s):
        pass
    else:
        put(out, s, byte)
        s[AT] += 1


@njit(cache=True, nogil=True)
def _line_break(data: Any, out: Any, s: Any, frames: Any) -> None:
    """Write a line's end; an address ends with it, a link with an empty line."""
    while _top(s, frames) == EXTERNAL or (_top(s, frames) == LINK and byte_at(data, s[AT] + 1) == 10):
        s[OPEN] -= 1
    put(out, s, 10)
    s[AT] += 1
    s[FRESH] = 1


@njit(cache=True, nogil=True)
def _is_address(data: Any, at: int) -> bool:
    """Say whether `http`, `ftp`, `mailto:` or `//` stands here."""
    first, second, third, fourth = (
        byte_at(data, at) | 32,
        byte_at(data, at + 1) | 32,
        byte_at(data, at + 2) | 32,
        byte_at(data, at + 3) | 32,
    )
    if first == 47 and second == 47:
        return True
    if first == 104 and second == 116 and third == 116 and fourth == 112:
        return True
    return (first == 102 and second == 116 and third == 112) or (
        first == 109 and second == 97 and third == 105 and fourth == 108 and byte_at(data, at + 6) == 58
    )


@njit(cache=True, nogil=True)
def _external(data: Any, out: Any, s: Any, frames: Any) -> None:
    """Move behind the address of an external link to its words; a link without words is dropped."""
    at, size = s[AT] + 1, len(data)
    while at < size and data[at] not in (32, 9, 10, 93):
        at += 1
    if byte_at(data, at) == 93:
        s[AT] = at + 1
    elif byte_at(data, at) in (32, 9):
        _push(data, out, s, frames, EXTERNAL, 1)
        s[AT] = at + 1
    else:
        put(out, s, 91)
        s[AT] += 1


@njit(cache=True, nogil=True)
def _close_braces(out: Any, s: Any, frames: Any, names: Any, actions: Any, after: int) -> None:
    """Close the innermost template or conversion; links and tables inside that never closed stay as they are."""
    kind = TEMPLATE if after == 125 else CONVERSION
    found = s[OPEN] - 1
    while found >= 0 and frames[found, 0] != kind:
        found -= 1
    if found < 0:
        put(out, s, 125)
        s[AT] += 1
        return
    s[OPEN] = found
    if kind == TEMPLATE:
        close_template(out, s, frames[found, 1], names, actions)
    else:
        close_conversion(out, s, frames[found, 1])
    s[AT] += 2


@njit(cache=True, nogil=True)
def _quotes(data: Any, out: Any, s: Any) -> None:
    """Drop the marks of italics and bold; what is more than five or four is an apostrophe."""
    count = 0
    while byte_at(data, s[AT] + count) == 39:
        count += 1
    literal = 1 if count == 4 else max(0, count - 5)
    for _ in range(literal):
        put(out, s, 39)
    s[AT] += count


@njit(cache=True, nogil=True)
def _switch(data: Any, s: Any) -> bool:
    """Move behind a switch such as `__NOTOC__`."""
    at = s[AT] + 2
    while 65 <= byte_at(data, at) <= 90:
        at += 1
    if at > s[AT] + 4 and byte_at(data, at) == 95 and byte_at(data, at + 1) == 95:
        s[AT] = at + 2
        return True
    return False


@njit(cache=True, nogil=True)
def _tidied(out: Any, size: int) -> int:
    """Take out blanks at line ends and all but one of empty lines, and blank lines at both ends; return the length."""
    o, breaks = 0, 2
    for i in range(size):
        byte = 124 if out[i] == BAR else out[i]
        if byte == 10:
            while o and out[o - 1] in (32, 9):
                o -= 1
            breaks += 1
            if breaks > 2:
                continue
        elif byte not in (32, 9):
            breaks = 0
        elif breaks and o == 0:
            continue
        out[o] = byte
        o += 1
    while o and out[o - 1] in (32, 9, 10):
        o -= 1
    return o
