"""Unicode repair: characters that nobody sees or that have a plainer twin, made uniform without touching the text.

One kernel reads code points and writes code points; only rows that it finds not in NFC go through `unicodedata`.
Never NFKC: it would turn full-width Chinese punctuation into ASCII and change nearly every Chinese document.

Trade: paragraph indents of ideographic spaces and the two trailing spaces of a Markdown line break are layout and go;
private-use characters are text in some unknown font and stay (the signal `characters` counts them).
"""

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.clean.rows import with_texts
from pipeline.step import Cleaner, replace_text
from pipeline.text import CodePoints, encode

_DROP, _SPACE, _LINE, _JOINER, _SUSPECT = 1, 2, 4, 8, 16
_SIZE = 0x110000
# Ranges by what becomes of them. Sources: Unicode 15 categories Cc, Cf, Zs, Zl, Zp; UAX 9 (bidi controls); tag
# characters and noncharacters, which hide text.
_DROPPED = (
    *((0x00, 0x08), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E)),
    *((0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xFDD0, 0xFDEF), (0xFEFF, 0xFEFF)),
    *((0xFFF0, 0xFFFB), (0xE0000, 0xE007F)),
    *((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0, _SIZE, 0x10000)),
)
_SPACES = ((0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000))
_LINES = ((0x0A, 0x0D), (0x85, 0x85), (0x2028, 0x2029))
_JOINERS = ((0x200C, 0x200D),)


class Unicode(Cleaner):
    """Repairs characters, spaces and line breaks.

    Control, zero-width, bidirectional and tag characters go (joiners stay where emoji or Indic and Arabic script need
    them); odd spaces become a space, at the head of a line nothing; every line break becomes LF; spaces at line ends
    go; blank lines are at most one in a row and none at the ends; the text is put in NFC.
    `unicode_repair_count`: characters of the text as it came that were removed, replaced or not in NFC.
    """

    kind: ClassVar[str] = "unicode"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many characters changed, int64."""
        return {"unicode_repair_count": pa.int64()}

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with repaired text and the count."""
        text = CodePoints.of(batch.column("text"))
        points, starts = np.empty_like(text.points), np.empty_like(text.starts)
        changed = np.zeros((len(text), 2), np.int64)
        size = _repair(text.points, text.starts, _actions(), points, starts, changed)
        column = encode(CodePoints(points[:size], starts)) if changed[:, 0].any() else batch.column("text")
        if changed[:, 1].any():
            column = _compose(column, np.flatnonzero(changed[:, 1]), changed)
        cleaned = replace_text(batch, column)
        return cleaned.append_column("unicode_repair_count", pa.array(changed[:, 0]))


def _compose(column: pa.Array, suspects: npt.NDArray[Any], changed: npt.NDArray[np.int64]) -> pa.Array:
    """Put the suspect rows in NFC; rows that were not have their suspect characters added to the count."""
    texts = {int(row): column[row].as_py() for row in suspects}
    composed = {row: unicodedata.normalize("NFC", text) for row, text in texts.items()}
    differing = [row for row, text in texts.items() if composed[row] != text]
    changed[differing, 0] += changed[differing, 1]
    return with_texts(column, {row: composed[row] for row in differing})


@cache
def _actions() -> npt.NDArray[np.uint8]:
    """Return what becomes of each code point, uint8, (0x110000,)."""
    actions = np.zeros(_SIZE, np.uint8)
    for action, ranges in ((_DROP, _DROPPED), (_SPACE, _SPACES), (_LINE, _LINES), (_JOINER, _JOINERS)):
        for first, last in ranges:
            actions[first : last + 1] = action
    for point in range(0xC0, 0x30000):
        char = chr(point)
        parts = unicodedata.decomposition(char).split()
        if parts and not parts[0].startswith("<"):
            if unicodedata.normalize("NFC", char) != char:
                actions[point] |= _SUSPECT
            elif len(parts) == 2:
                # The second of a pair may compose with what stands before it.
                actions[int(parts[1], 16)] |= _SUSPECT
        elif unicodedata.combining(char):
            actions[point] |= _SUSPECT
    actions[0x1161:0x1200] |= _SUSPECT  # conjoining Hangul vowels and finals
    actions.setflags(write=False)
    return actions


@njit(cache=True, nogil=True)
def _joins(points: Any, i: int, begin: int, end: int) -> bool:
    """Tell whether a joiner at i has work to do: between emoji, or in scripts from Arabic to Indic."""
    if i == begin or i + 1 >= end:
        return False
    before, after = points[i - 1], points[i + 1]
    script = 0x600 <= before < 0xE00 and 0x600 <= after < 0xE00
    return bool(script or ((before >= 0x1F000 or 0x2190 <= before < 0x2C00 or before == 0xFE0F) and after >= 0x2190))


@njit(cache=True, nogil=True)
def _line_end(points: Any, i: int, end: int, actions: Any) -> Any:
    """Return where the line at i ends, where its last visible character ends, and where the next line begins."""
    visible = i
    while i < end and not actions[points[i]] & _LINE:
        if not actions[points[i]] & (_DROP | _SPACE | _JOINER) and points[i] != 32 and points[i] != 9:
            visible = i + 1
        i += 1
    after = i + 2 if i + 1 < end and points[i] == 13 and points[i + 1] == 10 else i + 1
    return i, visible, after


@njit(cache=True, nogil=True)
def _is_repaired(points: Any, begin: int, end: int, actions: Any) -> bool:
    """Tell whether a row needs no repair but perhaps NFC: no character with an action but LF, no blanks to take out."""
    breaks = 1  # as if a line break stood before, so that none may begin or end the text
    blank = False
    for i in range(begin, end):
        point = points[i]
        if point == 10:
            breaks += 1
            if blank or breaks > 2 or i == begin:
                return False
        elif actions[point] & (_DROP | _SPACE | _LINE | _JOINER):
            return False
        else:
            blank = point == 32 or point == 9
            breaks = 0
    return not blank and (breaks == 0 or begin == end)


@njit(cache=True, nogil=True)
def _repair(points: Any, starts: Any, actions: Any, out: Any, out_starts: Any, changed: Any) -> int:
    """Write the repaired rows; fill (characters changed, characters that may not be NFC) a row; return the size."""
    size = 0
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        out_starts[row] = size
        if _is_repaired(points, begin, end, actions):
            for i in range(begin, end):
                changed[row, 1] += (actions[points[i]] & _SUSPECT) != 0
                out[size + i - begin] = points[i]
            size += end - begin
            continue
        same = 0  # characters written as they were
        breaks = plain = 0  # line breaks not yet written, and how many of them are LF already
        i = begin
        while i < end:
            stop, visible, after = _line_end(points, i, end, actions)
            if visible > i:
                if size > out_starts[row]:
                    lines = min(breaks, 2)
                    out[size : size + lines] = 10
                    size += lines
                    same += min(lines, plain)
                breaks = plain = 0
                head = True
                for k in range(i, visible):
                    point, action = points[k], actions[points[k]]
                    changed[row, 1] += (action & _SUSPECT) != 0
                    if action & _DROP or (action & _JOINER and not _joins(points, k, begin, end)):
                        continue
                    if action & _SPACE:
                        if not head:
                            out[size] = 32
                            size += 1
                        continue
                    head = head and (point == 32 or point == 9)
                    out[size] = point
                    size += 1
                    same += 1
            breaks += 1
            plain += stop < end and (points[stop] == 10 or after == stop + 2)
            i = after
        changed[row, 0] = end - begin - same
    out_starts[len(starts) - 1] = size
    return size
