"""Tags and comments in wikitext: which are dropped alone, which with what is in them, which begin a line or a cell.

The state `s` is shared with `wikitext_kernel`: where the pass is, how much was written, whether a line begins.
"""

from typing import Any

import numpy as np
from numba import njit

from pipeline.readers.wikitext_closing import hash_of

SKIP, VERBATIM, LINE, CELL, INLINE = 1, 2, 3, 4, 5
TAGS, MOST_TAG = 1, 2000  # the kind of names that are tags; bytes of a tag
# Places in the state: where the pass is, how much was written, constructs open, headings open, where a heading that has
# begun ends and its line, its level and where its output began, whether a line begins.
AT, OUT, OPEN, HEADINGS, HEAD_END, HEAD_LINE, HEAD_LEVEL, HEAD_OUT, FRESH = range(9)


@njit(cache=True, nogil=True)
def put(out: Any, s: Any, byte: int) -> None:
    """Write a byte."""
    out[s[OUT]] = byte
    s[OUT] += 1


@njit(cache=True, nogil=True)
def byte_at(data: Any, at: int) -> int:
    """Return a byte, 0 outside."""
    return data[at] if 0 <= at < len(data) else 0


@njit(cache=True, nogil=True)
def read_tag(data: Any, out: Any, s: Any, names: Any, actions: Any, never: Any) -> None:
    """Read a tag or comment; what is none stays."""
    at, size = s[AT], len(data)
    if byte_at(data, at + 1) == 33 and byte_at(data, at + 2) == 45 and byte_at(data, at + 3) == 45:
        _comment(data, out, s)
        return
    begin = at + 1 + (byte_at(data, at + 1) == 47)
    end = begin
    while (
        (97 <= (byte_at(data, end) | 32) <= 122)
        or 48 <= byte_at(data, end) <= 57
        or (end > begin and byte_at(data, end) == 45)
    ):
        end += 1
    name = hash_of(data, begin, end, TAGS)
    place = np.searchsorted(names, name)
    after = byte_at(data, end)
    last = end
    while last < size and last - at < MOST_TAG and data[last] != 62 and data[last] != 60:
        last += 1
    known = end > begin and place < len(names) and names[place] == name
    if not known or after not in (32, 9, 10, 47, 62) or last >= size or data[last] != 62:
        put(out, s, 60)
        s[AT] += 1
        return
    action = actions[place]
    s[AT] = last + 1
    whole = data[last - 1] == 47
    opening = begin == at + 1
    if action == LINE:
        if s[OUT] and out[s[OUT] - 1] != 10:
            put(out, s, 10)
    elif action == CELL:
        if opening and s[OUT] and out[s[OUT] - 1] != 10:
            put(out, s, 9)
    elif action in (SKIP, VERBATIM) and opening and not whole and not never[place]:
        _element(data, out, s, begin, end, action, never, place)


@njit(cache=True, nogil=True)
def _comment(data: Any, out: Any, s: Any) -> None:
    """Move behind a comment, and behind the end of its line where nothing else stands on it."""
    alone = s[OUT] == 0 or out[s[OUT] - 1] == 10
    at, size = s[AT] + 4, len(data)
    while at < size and not (data[at] == 62 and data[at - 1] == 45 and data[at - 2] == 45 and at >= s[AT] + 6):
        at += 1
    s[AT] = min(size, at + 1)
    if alone and byte_at(data, s[AT]) == 10:
        s[AT] += 1
        s[FRESH] = 1


@njit(cache=True, nogil=True)
def _element(data: Any, out: Any, s: Any, begin: int, end: int, action: int, never: Any, place: int) -> None:
    """Move behind the closing tag of an element whose inside is dropped or shown as it is."""
    size, width = len(data), end - begin
    at = s[AT]
    while at < size:
        if data[at] == 60 and byte_at(data, at + 1) == 47:
            same = 0
            while same < width and byte_at(data, at + 2 + same) | 32 == data[begin + same] | 32:
                same += 1
            if same == width:
                break
        at += 1
    if at >= size:
        never[place] = 1
        return
    if action == VERBATIM:
        for i in range(s[AT], at):
            put(out, s, data[i])
    while at < size and data[at] != 62:
        at += 1
    s[AT] = min(size, at + 1)
