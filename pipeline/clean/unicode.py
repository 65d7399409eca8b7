"""Unicode repair: characters that nobody sees or that have a plainer twin, made uniform without touching the text.

One kernel reads code points and writes code points; only rows that it finds not in NFC go through `unicodedata`.
Never NFKC: it would turn full-width Chinese punctuation into ASCII and change nearly every Chinese document.

Trade: paragraph indents of ideographic spaces and the two trailing spaces of a Markdown line break are layout and go;
private-use characters are text in some unknown font and stay (the signal `characters` counts them). A soft hyphen at
a line's end becomes the hyphen that a reader would see there, because whoever joins the lines needs to know.
"""

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from pipeline.clean.rows import with_texts
from pipeline.properties import COMPOSES, properties
from pipeline.step import Cleaner, replace_text
from pipeline.text import CodePoints, character, encode, utf8_buffers

_DROP, _SPACE, _LINE, _JOINER, _SUSPECT, _SELECTOR, _SPECIAL = 1, 2, 4, 8, 16, 32, 64
_SIZE = 0x110000
# Ranges by what becomes of them. Sources: Unicode 15 categories Cc, Cf, Zs, Zl, Zp; UAX 9 (bidi controls); UAX 44
# (default ignorable: Hangul fillers, inherent vowels of Khmer); the object replacement character, which stands for a
# picture; tag characters and noncharacters, which hide text.
_DROPPED = (
    *((0x00, 0x08), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E)),
    *((0x17B4, 0x17B5), (0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164)),
    *((0xFDD0, 0xFDEF), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFC), (0xE0000, 0xE00FF), (0xE01F0, 0xE0FFF)),
    *((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0, _SIZE, 0x10000)),
)
_SPACES = ((0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000))
_LINES = ((0x0A, 0x0D), (0x85, 0x85), (0x2028, 0x2029))
_JOINERS = ((0x200C, 0x200D),)
_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
# Dropped, but not everywhere: soft hyphen, annotation separator and end, tags of flags.
_SPECIALS = ((0xAD, 0xAD), (0xFFFA, 0xFFFB), (0xE0020, 0xE007F))
_ANNOTATION = 64  # characters of a reading at most that is still looked for; by hand


class Unicode(Cleaner):
    """Repairs characters, spaces and line breaks.

    Control, zero-width, bidirectional and tag characters go (joiners stay where emoji or the scripts from Arabic to
    Indic and Mongolian need them, tags in flags of regions); a variation selector stays after what it can vary; an
    interlinear annotation becomes （reading）; odd spaces become a space, at the head of a line nothing; every line
    break becomes LF; spaces at line ends go; blank lines are at most one in a row and none at the ends; the text is put
    in NFC.
    `unicode_repair_count`: characters of the text as it came that were removed, replaced or not in NFC.
    """

    kind: ClassVar[str] = "unicode"
    revision: ClassVar[int] = 2

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many characters changed, int64."""
        return {"unicode_repair_count": pa.int64()}

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with repaired text and the count."""
        column, counts = batch.column("text"), np.zeros(len(batch), np.int64)
        needy = np.zeros(len(batch), np.bool_)
        _need(*utf8_buffers(column), _actions(), _blocks(), needy)
        if needy.any():
            repaired, counts[needy] = _repaired(column.filter(pa.array(needy)))
            column = pc.replace_with_mask(column, pa.array(needy), repaired.cast(column.type))
        return replace_text(batch, column).append_column("unicode_repair_count", pa.array(counts))


def _repaired(column: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Return texts repaired and in NFC, and how many characters of each that changed."""
    text = CodePoints.of(column)
    points, starts = np.empty_like(text.points), np.empty_like(text.starts)
    changed = np.zeros((len(text), 2), np.int64)
    size = _repair(text.points, text.starts, _actions(), points, starts, changed)
    if changed[:, 0].any():
        column = encode(CodePoints(points[:size], starts))
    if changed[:, 1].any():
        column = _compose(column, np.flatnonzero(changed[:, 1]), changed)
    return column, changed[:, 0]


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
    plain = ((_DROP, _DROPPED), (_SPACE, _SPACES), (_LINE, _LINES), (_JOINER, _JOINERS), (_SELECTOR, _SELECTORS))
    for action, ranges in (*plain, (_DROP | _SPECIAL, _SPECIALS)):
        for first, last in ranges:
            actions[first : last + 1] = action
    actions[properties() & COMPOSES > 0] |= _SUSPECT
    actions.setflags(write=False)
    return actions


@njit(cache=True, nogil=True)
def _joining(point: Any) -> bool:
    """Tell whether a joiner has work to do in the script of a letter: Arabic to Myanmar, Khmer, Mongolian, Brahmic."""
    return bool(
        0x600 <= point < 0x10A0
        or 0x1780 <= point < 0x18B0
        or 0x1A20 <= point < 0x1C50
        or 0xA840 <= point < 0xAAE0
        or 0x10800 <= point < 0x12000
        or 0x1E900 <= point < 0x1E960
    )


@njit(cache=True, nogil=True)
def _joins(point: Any, before: Any, after: Any) -> bool:
    """Tell whether a joiner has work to do: between emoji, between letters, or after one in whose script it may.

    U+200D at a word's end asks for the joined form (Arabic ه in dates, half-forms of Devanagari); U+200C does nothing.
    """
    if _joining(before) and (point == 0x200D or _joining(after)):
        return True
    emoji = before >= 0x1F000 or 0x2190 <= before < 0x2C00 or before == 0xFE0F
    return bool(emoji and after >= 0x2190)


@njit(cache=True, nogil=True)
def _varies(selector: Any, before: Any) -> bool:
    """Tell whether a variation selector can vary what stands before it: Han alone for those of ideographs."""
    han = 0x3400 <= before < 0xA000 or 0xF900 <= before < 0xFB00 or 0x20000 <= before < 0x32400
    if selector > 0xFFFF:
        return bool(han)
    if before < 0x80:
        return bool(before == 0x23 or before == 0x2A or 0x30 <= before <= 0x39)
    return bool(not 0xFE00 <= before <= 0xFE0F and not 0xE0000 <= before < 0xE1000)


@njit(cache=True, nogil=True)
def _special(points: Any, i: int, begin: int, visible: int, breaks: bool) -> Any:
    """Return what a special character at i becomes, a code point, or 0 for nothing.

    `begin`, `visible`: where the line begins, and where its last visible character ends; `breaks`: whether another
    line follows.
    """
    point = points[i]
    if point == 0xAD:
        letter = i > begin and (0x41 <= points[i - 1] < 0x530 or 0x1E00 <= points[i - 1] < 0x1F00)
        return np.uint32(0x2D) if breaks and letter and i + 1 == visible else np.uint32(0)
    if point == 0xFFFA:
        for k in range(i + 1, min(visible, i + _ANNOTATION)):
            if points[k] == 0xFFFB:
                return np.uint32(0xFF08)
            if points[k] == 0xFFFA:
                break
        return np.uint32(0)
    if point == 0xFFFB:
        for k in range(i - 1, max(begin - 1, i - _ANNOTATION), -1):
            if points[k] == 0xFFFA:
                return np.uint32(0xFF09)
            if points[k] == 0xFFFB:
                break
        return np.uint32(0)
    # Tags spell a region after a black flag, at most seven with the end; anywhere else they hide text.
    for k in range(i - 1, max(begin - 1, i - 8), -1):
        if points[k] == 0x1F3F4:
            return np.uint32(point)
        if not 0xE0030 <= points[k] <= 0xE007A:
            break
    return np.uint32(0)


@njit(cache=True, nogil=True)
def _kept(points: Any, i: int, line: Any, actions: Any, before: Any) -> Any:
    """Return what the character at i becomes that may go or stay: a code point, or 0 for nothing.

    `line`: where it begins, where its visible part ends, and whether another follows. `before`: what was written
    before it on the line, 0 at its beginning.
    """
    begin, visible, breaks = line
    action = actions[points[i]]
    if action & _SPECIAL:
        return _special(points, i, begin, visible, breaks)
    if action & _DROP or before == 0 or before == 32 or before == 9:
        return np.uint32(0)
    if action & _SELECTOR:
        return np.uint32(points[i]) if _varies(points[i], before) else np.uint32(0)
    after = np.uint32(0)
    if i + 1 < visible and not actions[points[i + 1]] & (_DROP | _SPACE | _JOINER | _SELECTOR):
        after = np.uint32(points[i + 1])
    return np.uint32(points[i]) if _joins(points[i], before, after) else np.uint32(0)


@njit(cache=True, nogil=True)
def _line_end(points: Any, i: int, end: int, actions: Any) -> Any:
    """Return where the line at i ends, where its last visible character ends, and where the next line begins.

    What may belong to the visible character before it (joiner, selector, soft hyphen, tag) ends with it.
    """
    begin = visible = i
    while i < end and not actions[points[i]] & _LINE:
        action = actions[points[i]]
        shown = not action & (_DROP | _SPACE | _JOINER | _SELECTOR) and points[i] != 32 and points[i] != 9
        if shown or (action & (_JOINER | _SELECTOR | _SPECIAL) and visible == i and i > begin):
            visible = i + 1
        i += 1
    after = i + 2 if i + 1 < end and points[i] == 13 and points[i + 1] == 10 else i + 1
    return i, visible, after


@cache
def _blocks() -> npt.NDArray[np.bool_]:
    """Return in which blocks of 64 code points any has an action, bool, (0x110000 / 64,): Han have none."""
    blocks: npt.NDArray[np.bool_] = np.logical_or.reduce(_actions().reshape(-1, 64) > 0, axis=1)
    return blocks


@njit(cache=True, nogil=True)
def _need(data: Any, offsets: Any, actions: Any, blocks: Any, needy: Any) -> None:
    """Mark rows that need repair or may not be in NFC: a character with an action but LF, or blanks to take out."""
    six = np.uint32(6)
    for row in range(len(offsets) - 1):
        begin, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        breaks = 1  # as if a line break stood before, so that none may begin or end the text
        blank = need = False
        i = begin
        while i < end and not need:
            if 0xE4 <= data[i] <= 0xE8:  # U+4000 to U+8FFF: Han, of which none has an action
                blank = False
                breaks = 0
                i += np.uint64(3)
                continue
            point, after = character(data, i)
            if point == 10:
                breaks += 1
                need = blank or breaks > 2 or i == begin
            else:
                need = blocks[point >> six] and actions[point] > 0
                blank = point == 32 or point == 9
                breaks = 0
            i = after
        needy[row] = need or blank or (breaks > 0 and begin < end)


@njit(cache=True, nogil=True)
def _repair(points: Any, starts: Any, actions: Any, out: Any, out_starts: Any, changed: Any) -> int:
    """Write the repaired rows; fill (characters changed, characters that may not be NFC) a row; return the size."""
    size = 0
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        out_starts[row] = size
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
                line = size
                for k in range(i, visible):
                    point, action = points[k], actions[points[k]]
                    changed[row, 1] += (action & _SUSPECT) != 0
                    if action & (_DROP | _JOINER | _SELECTOR):
                        before = out[size - 1] if size > line else np.uint32(0)
                        kept = _kept(points, k, (i, visible, stop < end), actions, before)
                        if kept:
                            out[size] = kept
                            size += 1
                            same += kept == point
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
