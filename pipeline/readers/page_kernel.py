"""The pass over a page: bytes of well-formed markup in, bytes of its lines out, compiled.

The markup is what a parser wrote of its tree, so every element is closed, `>` stands only at the end of a tag, and of
the character references none but those of XML are left. What each start tag is comes as a number, since names are
looked up outside. Trade-off: three passes over the bytes, which together cost less than the parsing did.
"""

from typing import Any

import numpy as np
from numba import njit

# What a start tag is: bits, which a tag may have several of.
INLINE, LINK, CELL, PRE, FURNITURE, HEADER, WITHIN, MOST, MOST_OF_TABLE = (1 << bit for bit in range(9))
OPENED = 1 << 9  # the element began a block
BETWEEN_CELLS = 0x1F  # stands between the cells of a row until the line is finished, then a tab does
AT, OUT, BEGIN, BEGUN, LINKS, PREFORMATTED, LINKED, LINES, BLOCKS, TAG, DEPTH, BLOCK, ARTICLES = range(13)
START, END, CHARACTERS, IN_LINKS, PUNCTUATED = range(5)  # columns of lines: bytes of the output, then characters
KIND, FIRST, LAST, PARENT = range(4)  # columns of blocks: bits, then lines, then a block


@njit(cache=True, nogil=True)
def extents(data: Any, kinds: Any) -> Any:
    """Return of each element, int64 (elements, 4).

    The characters of its text (runs of white space as one), the place behind its end, how many elements began by then,
    and whether a child of it is no inline element.
    """
    found = np.zeros((len(kinds), 4), np.int64)
    stack = np.zeros(len(kinds) + 1, np.int64)
    depth, begun, seen, gap, at = 0, 0, 0, 0, 0
    while at < len(data):
        byte = data[at]
        if byte == 60:
            end = _tag_end(data, at)
            if data[at + 1] != 47:
                if depth and not kinds[begun] & INLINE:
                    found[stack[depth - 1], 3] = 1
                found[begun, 0] = seen
                stack[depth] = begun
                begun += 1
                depth += 1
            if data[at + 1] == 47 or data[end - 2] == 47:
                depth -= 1
                element = stack[depth]
                found[element, 0], found[element, 1], found[element, 2] = seen - found[element, 0], end, begun
            at = end
            continue
        if byte == 32 or 9 <= byte <= 13:
            gap = 1
        elif byte & 0xC0 != 0x80:
            seen += 1 + gap
            gap = 0
        at += 1
        if byte == 38:
            while data[at - 1] != 59:
                at += 1
    return found


@njit(cache=True, nogil=True)
def cut(data: Any, kinds: Any, found: Any, most: float, out: Any, lines: Any, blocks: Any) -> Any:
    """Write the lines of a page to `out`, a line feed behind each; return the state, of which LINES and BLOCKS count.

    `found` as `extents` gives it. Furniture of at most `most` characters is left out; below 0 all is kept. `out` needs
    the size of `data` and one byte for each line, `lines` and `blocks` a row for whatever may be one.
    """
    s = np.zeros(13, np.int64)
    s[BLOCK] = -1
    stack = np.zeros(len(kinds) + 1, np.int64)
    while s[AT] < len(data):
        if data[s[AT]] != 60:
            _text(data, s, out, lines)
            continue
        end = _tag_end(data, s[AT])
        if data[s[AT] + 1] != 47:
            element = s[TAG]
            kind = kinds[element]
            if s[DEPTH] and found[element, 0] <= most and _is_furniture(kind, s):
                _flush(s, out, lines)
                s[AT], s[TAG] = found[element, 1], found[element, 2]
                continue
            _enter(kind, found[element, 3], s, stack, out, lines, blocks)
        if data[s[AT] + 1] == 47 or data[end - 2] == 47:
            _leave(s, stack, out, lines, blocks)
        s[AT] = end
    _flush(s, out, lines)
    return s


@njit(cache=True, nogil=True)
def chosen(lines: Any, blocks: Any, share: float, table_share: float, linked: float) -> Any:
    """Return the first line, the end, and which of the lines between are kept (uint8) of the block of most prose.

    `share`, `table_share`: of a block's prose, from which its child is entered. `linked`: share of the characters of a
    line in links from which it is a link; three of them in a row are left out.
    """
    prose = np.zeros(len(lines) + 1, np.float64)
    links = np.zeros(len(lines), np.uint8)
    for i in range(len(lines)):
        links[i] = lines[i, IN_LINKS] > linked * lines[i, CHARACTERS]
        weight = 0.0 if links[i] else 1.0 if lines[i, PUNCTUATED] else 0.25
        prose[i + 1] = prose[i] + weight * (lines[i, CHARACTERS] - lines[i, IN_LINKS])
    block = 0
    while prose[-1] > 0:
        best, most = -1, -1.0
        for child in range(block + 1, len(blocks)):
            if blocks[child, FIRST] >= blocks[block, LAST]:
                break
            held = prose[blocks[child, LAST]] - prose[blocks[child, FIRST]]
            if blocks[child, PARENT] == block and held > most:
                best, most = child, held
        if best < 0 or blocks[best, LAST] - blocks[best, FIRST] < 2:
            break
        kind = blocks[best, KIND]
        needed = share if kind & MOST else table_share if kind & MOST_OF_TABLE else 2.0
        if most < needed * (prose[blocks[block, LAST]] - prose[blocks[block, FIRST]]):
            break
        block = best
    first, last = blocks[block, FIRST], blocks[block, LAST]
    kept = np.ones(last - first, np.uint8)
    if prose[-1] == 0:
        return first, last, kept
    run = 0
    for i in range(first, last + 1):
        if i < last and links[i]:
            run += 1
            continue
        if run >= 3:
            kept[i - run - first : i - first] = 0
        run = 0
    return first, last, kept


@njit(cache=True, nogil=True)
def _tag_end(data: Any, at: int) -> int:
    while data[at] != 62:
        at += 1
    return at + 1


@njit(cache=True, nogil=True)
def _is_furniture(kind: int, s: Any) -> bool:
    return bool(kind & FURNITURE) or (bool(kind & HEADER) and s[ARTICLES] == 0)


@njit(cache=True, nogil=True)
def _enter(kind: int, holds_blocks: int, s: Any, stack: Any, out: Any, lines: Any, blocks: Any) -> None:
    """Begin an element: a block, a link, a cell or nothing of note."""
    if kind & CELL and not holds_blocks:
        if s[BEGUN]:
            out[s[OUT]] = BETWEEN_CELLS
            s[OUT] += 1
        s[BEGUN] = 1
    elif not kind & INLINE:
        _flush(s, out, lines)
        kind |= OPENED
        s[PREFORMATTED] += (kind & PRE) > 0
        row = blocks[s[BLOCKS]]
        row[KIND], row[FIRST], row[PARENT] = kind, s[LINES], s[BLOCK]
        s[BLOCK] = s[BLOCKS]
        s[BLOCKS] += 1
    s[LINKS] += (kind & LINK) > 0
    s[ARTICLES] += (kind & WITHIN) > 0
    stack[s[DEPTH]] = kind
    s[DEPTH] += 1
    s[TAG] += 1


@njit(cache=True, nogil=True)
def _leave(s: Any, stack: Any, out: Any, lines: Any, blocks: Any) -> None:
    """End the element that was begun last."""
    s[DEPTH] -= 1
    kind = stack[s[DEPTH]]
    s[LINKS] -= (kind & LINK) > 0
    s[ARTICLES] -= (kind & WITHIN) > 0
    if kind & OPENED:
        _flush(s, out, lines)
        s[PREFORMATTED] -= (kind & PRE) > 0
        blocks[s[BLOCK], LAST] = s[LINES]
        s[BLOCK] = blocks[s[BLOCK], PARENT]


@njit(cache=True, nogil=True)
def _text(data: Any, s: Any, out: Any, lines: Any) -> None:
    """Take the text up to the next tag; in preformatted text that has line ends, each ends a line."""
    at, to = s[AT], s[OUT]
    end, broken = at, False
    while end < len(data) and data[end] != 60:
        broken |= data[end] == 10
        end += 1
    broken &= s[PREFORMATTED] > 0
    count, upto = 0, 0  # characters from the first that is no white space, and up to the last
    linked = s[LINKS] > 0
    s[BEGUN] = 1
    while at < end:
        byte = data[at]
        if broken and byte == 10:
            s[OUT] = to
            _flush(s, out, lines)
            to, s[BEGUN] = s[OUT], 1
            at += 1
            continue
        if linked and byte & 0xC0 != 0x80:
            space = _space(data, at, end) != 0
            count += count > 0 or not space
            upto = upto if space else count
        at += 1
        if byte == 38:
            byte, at = _reference(data, at)
        out[to] = byte
        to += 1
    s[AT], s[OUT] = end, to
    if broken:
        _flush(s, out, lines)
    else:
        s[LINKED] += upto


@njit(cache=True, nogil=True)
def _reference(data: Any, at: int) -> Any:
    """Return the byte that a character reference stands for, and the place behind it.

    Numbers are only written for a carriage return and for control characters, which XML has none of: white space.
    """
    first = data[at]
    while data[at] != 59:
        at += 1
    return np.uint8(38 if first == 97 else 60 if first == 108 else 62 if first == 103 else 32), at + 1


@njit(cache=True, nogil=True)
def _space(data: Any, at: int, end: int) -> int:
    """Return how many bytes the white space here takes, 0 where there is none; plus 8 where it never collapses."""
    byte = data[at]
    if byte < 0x80:
        return 1 if byte == 32 or 9 <= byte <= 13 else 9 if 0x1C <= byte <= 0x1F else 0
    if byte == 0xC2 and at + 1 < end:
        return 2 if data[at + 1] == 0xA0 else 10 if data[at + 1] == 0x85 else 0
    if not 0xE1 <= byte <= 0xE3 or at + 2 >= end:
        return 0
    second, third = data[at + 1], data[at + 2]
    if byte == 0xE2 and second == 0x80:
        return 3 if 0x82 <= third <= 0x8A or third == 0xAF else 11 if third in (0x80, 0x81, 0xA8, 0xA9) else 0
    if byte == 0xE3:
        return 11 if second == 0x80 and third == 0x80 else 0
    if byte == 0xE2:
        return 11 if second == 0x81 and third == 0x9F else 0
    return 11 if second == 0x9A and third == 0x80 else 0


@njit(cache=True, nogil=True)
def _flush(s: Any, out: Any, lines: Any) -> None:
    """End the line: white space collapses and is taken from its ends, unless it is preformatted."""
    begin, at, linked = s[BEGIN], s[BEGIN], s[LINKED]
    kept = s[PREFORMATTED] > 0
    end = _without_end(out, begin, s[OUT])
    width = 1
    while not kept and at < end and width:
        width = _space(out, at, end)
        at += width & 7
    s[BEGUN], s[LINKED], s[OUT] = 0, 0, begin
    if at >= end:
        return
    row = lines[s[LINES]]
    to = _write_line(out, begin, at, end, kept, row)
    row[START], row[END], row[IN_LINKS] = begin, to, min(linked, row[CHARACTERS])
    out[to] = 10
    s[LINES] += 1
    s[BEGIN] = s[OUT] = to + 1


@njit(cache=True, nogil=True)
def _write_line(out: Any, to: int, at: int, end: int, kept: bool, row: Any) -> int:
    """Move `out[at:end]` to `to` as it is shown and return its end there; note its characters in `row`."""
    begin, characters, punctuated = to, 0, False
    swallow = False  # behind a collapsed space, and behind a tab between cells
    while at < end:
        byte = out[at]
        if 0x40 <= byte < 0xC2 or 0xE4 <= byte < 0xEF:  # neither white space nor punctuation begins so
            characters += byte & 0xC0 != 0x80
            out[to] = byte
            to, at, swallow = to + 1, at + 1, False
            continue
        if byte == BETWEEN_CELLS:
            if to > begin and out[to - 1] == 32:
                to, characters = to - 1, characters - 1
            out[to] = 9
            to, at, characters, swallow = to + 1, at + 1, characters + 1, True
            continue
        width = _space(out, at, end)
        if 0 < width < 8 and (byte == 32 if kept else True):
            at += width
            if not swallow:
                out[to] = 32
                to, characters = to + 1, characters + 1
            swallow = not kept
            continue
        swallow = False
        punctuated |= _is_punctuation(out, at, end)
        characters += byte & 0xC0 != 0x80
        out[to] = byte
        to, at = to + 1, at + 1
    row[CHARACTERS], row[PUNCTUATED] = characters, punctuated
    return to


@njit(cache=True, nogil=True)
def _without_end(out: Any, begin: int, end: int) -> int:
    """Return where the line ends without the white space at its end."""
    while end > begin:
        at = end - 1
        while at > begin and out[at] & 0xC0 == 0x80:
            at -= 1
        if not _space(out, at, end):
            break
        end = at
    return end


@njit(cache=True, nogil=True)
def _is_punctuation(data: Any, at: int, end: int) -> bool:
    """Say whether one of ，。；：？！、 or , . ; ? ! stands here."""
    byte = data[at]
    if byte < 0x80:
        return byte in (44, 46, 59, 63, 33)
    if at + 2 >= end:
        return False
    if byte == 0xEF:
        return data[at + 1] == 0xBC and data[at + 2] in (0x8C, 0x9B, 0x9A, 0x9F, 0x81)
    return byte == 0xE3 and data[at + 1] == 0x80 and data[at + 2] in (0x82, 0x81)
