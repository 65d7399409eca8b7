"""Mojibake: text that was read in a wrong encoding, once or twice, read again in the right one where that is proven.

Proof is a round trip: the broken stretch becomes the bytes it was read from, these decode strictly in the other
encoding, and what comes out is common Chinese (or has a shape of UTF-8 that no good text has by chance). Stretches are
lines, or runs inside a line, so one broken paragraph is mended in a good document. Known ways: UTF-8 read as cp1252,
Latin-1, GBK or Big5; GBK and Big5 read as cp1252, Latin-1 or each other.

Trade: what has lost bytes (锟斤拷, U+FFFD, question marks) stays as it is, and so does a run too short to prove
anything, unless the same document holds a proven one. This step goes before `unicode`, which removes controls that are
bytes here.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import accumulate, compress
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.clean.rows import mended
from pipeline.readers.commonness import commonness
from pipeline.signals import classes
from pipeline.step import Cleaner
from pipeline.text import CodePoints

# By hand, between good text (commonness 0.85 and more, another encoding's reading of it below 0.45) and broken.
COMMON, GAIN = 0.75, 0.3
"""Least mean weight of the mended characters (`readers.commonness`), and by how much it must rise."""

# A character of well-formed UTF-8 beyond ASCII (Unicode, table 3-7).
_UNIT = (
    rb"(?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})"
)
_UNITS = re.compile(rb"%s(?:[ -~]{0,20}%s)*" % (_UNIT, _UNIT))
_THREE = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}")
_TWO = re.compile(rb"[\xc2-\xdf][\x80-\xbf]")
# What only UTF-8 looks like: general punctuation (â€™) and emoji (ðŸ˜€); no orthography has these letters together.
_SURE = re.compile(rb"\xe2\x80[\x90-\xbf]|\xf0\x9f[\x80-\xbf]{2}")
_DENSE = re.compile(rb"(?:[\xc2-\xdf][\x80-\xbf]){4}|(?:[\xe0-\xef][\x80-\xbf]{2}){4}")
_LETTER = re.compile(rb"[\xc0-\xff]")
_DOUBLE = re.compile(rb"[\x81-\xfe](?:[ -~]|[\x80-\xfe])*[\x40-\x7e\x80-\xfe]")
_BREAKS = re.compile(r"[\s\ufffd，。；：！？、“”（）《》]+")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_ASCII_LETTER = re.compile("[A-Za-z]")
# How Han came to be read as other Han: what it was read as, and what it is.
_MISREAD = (("gb18030", "utf-8"), ("cp950", "utf-8"), ("gb18030", "cp950"), ("cp950", "gb18030"))
_LEAST = 6  # characters that prove a double-byte reading; by hand
_EVIDENCE = 3  # sequences of two bytes that prove a document in Latin script; by hand


class Mojibake(Cleaner):
    """Reads text again that was read in a wrong encoding, by lines and runs, where a round trip proves it.

    `mojibake_repair_count`: characters of the text as it came that were none and gave way to what had been written.
    """

    kind: ClassVar[str] = "mojibake"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many broken characters gave way, int64."""
        return {"mojibake_repair_count": pa.int64()}

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with mended text and the count."""
        rows = np.flatnonzero(_suspect(CodePoints.of(batch.column("text"))))
        return mended(batch, rows.tolist(), mend, "mojibake_repair_count")


def mend(text: str) -> tuple[str, int]:
    """Return the text read again where that is proven, and how many characters were broken."""
    lines = text.split("\n")
    total, again = 0, True
    while again:
        again = False
        text = "\n".join(lines)
        suspect = _suspect(_cut(text, list(accumulate((len(line) + 1 for line in lines[:-1]), initial=0))))
        european = bool(suspect.any()) and _european(text)
        for number in range(len(lines)) if total else np.flatnonzero(suspect).tolist():
            if not lines[number].isascii():
                lines[number], count = _mend_line(lines[number], european=european, proven=total > 0)
                total += count
                again = again or count > 0
    return "\n".join(lines), total


def is_misread(text: str) -> bool:
    """Tell whether most of what a text has beyond ASCII is proven to have been read in a wrong encoding."""
    if commonness(text) > COMMON - GAIN:  # at most by this much is a broken text common
        return False
    return 2 * mend(text)[1] > sum(1 for _ in re.finditer("[^\\x00-\\x7f]", text))


def _cut(text: str, starts: list[int]) -> CodePoints:
    """Return a text as rows that begin at some places, the first at 0."""
    points = np.array(np.frombuffer(text.encode("utf-32-le"), np.uint32))
    return CodePoints(points, np.array([*starts, len(points)], np.int64))


def _mend_line(line: str, *, european: bool, proven: bool) -> tuple[str, int]:
    """Return one line mended and the number of broken characters; `proven`: the document holds others."""
    data = _bytes_of(line)
    if _LETTER.search(data):
        # GBK may look like UTF-8 in places, never the other way round.
        for spans in (_double_byte_runs(data, proven=proven), _utf8_runs(data, european=european, proven=proven)):
            if found := list(spans):
                return _replaced(line, found)
    return _replaced(line, _han_runs(line, proven=proven)) if _HAN.search(line) else (line, 0)


def _replaced(line: str, spans: list[tuple[int, int, str]]) -> tuple[str, int]:
    """Return the line with other text at the spans, and how many characters beyond ASCII these held."""
    parts, last, count = [], 0, 0
    for begin, end, text in spans:
        parts += [line[last:begin], text]
        count += sum(1 for _ in re.finditer("[^\\x00-\\x7f]", line[begin:end]))
        last = end
    return "".join([*parts, line[last:]]), count


@cache
def _bytes_table() -> npt.NDArray[np.uint8]:
    """Return the byte that each character is in cp1252 or Latin-1, uint8, (0x10000,); a line feed for all others."""
    table = np.full(0x10000, 10, np.uint8)
    table[:0x100] = np.arange(0x100)
    for byte in range(0x80, 0xA0):
        # The five gaps of cp1252 read as controls.
        table[ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte))] = byte
    return table


def _bytes_of(line: str) -> bytes:
    """Return the bytes that a line was read from, were it cp1252 or Latin-1; a line feed for what neither has."""
    points = np.frombuffer(line.encode("utf-32-le"), np.uint32)
    return _bytes_table()[np.minimum(points, 0xFFFF)].tobytes()


def _european(text: str) -> bool:
    """Tell whether sequences of two bytes (Ã©) abound where letters with accents hardly stand alone."""
    data = _bytes_of(text)
    units = len(_TWO.findall(data))
    alone = len(_LETTER.findall(re.sub(_UNIT, b"", data)))
    return units >= _EVIDENCE and alone * 4 <= units


def _utf8_runs(data: bytes, *, european: bool, proven: bool) -> Iterator[tuple[int, int, str]]:
    """Yield where runs of UTF-8 stand that were read byte by byte, and what they say."""
    for run in _UNITS.finditer(data):
        if european or _SURE.search(run[0]) or _DENSE.search(run[0]):
            yield run.start(), run.end(), run[0].decode("utf-8")
        elif len(run[0]) >= (3 if proven else 6):
            text = run[0].decode("utf-8")
            # Read wrong twice: what comes out is UTF-8 again.
            again = _bytes_of(text)
            twice = _DENSE.search(again) or len(_THREE.findall(again)) >= 2
            if twice or (len(_THREE.findall(run[0])) >= 2 - proven and commonness(text) >= COMMON - 0.15):
                yield run.start(), run.end(), text


def _double_byte_runs(data: bytes, *, proven: bool) -> Iterator[tuple[int, int, str]]:
    """Yield where runs of GBK or Big5 stand that were read byte by byte, and what they say."""
    for run in _DOUBLE.finditer(data):
        best, text = COMMON, ""
        for codec in ("gb18030", "cp950"):
            read = _read(run[0], codec)
            if read is not None and (common := commonness(read)) >= best:
                best, text = common, read
        han = len(_HAN.findall(text))
        rises = not _in_sequence(run[0]) and han * 2 >= len(_ASCII_LETTER.findall(text))
        if han >= (2 if proven else _LEAST) and rises:
            yield run.start(), run.end(), text


def _in_sequence(data: bytes) -> bool:
    """Tell whether most bytes are one more than the byte before: a table of characters."""
    units = np.frombuffer(data, np.uint8).astype(np.int16)
    return len(units) > 1 and float((np.diff(units) == 1).mean()) > 0.5


def _han_runs(line: str, *, proven: bool) -> list[tuple[int, int, str]]:
    """Return what stands in a line whose Han are other bytes read as Han: of the whole line, or of parts of it."""
    text = _han_read(line, proven=proven)
    if text is not None:
        return [(0, len(line), text)]
    pieces = _pieces(line)
    if not proven and pieces:
        ends = [end for _, end in pieces]
        pieces = list(compress(pieces, _suspect(_cut(line, [0, *ends[:-1]]))))
    parts = ((begin, end, _han_read(line[begin:end], proven=proven)) for begin, end in pieces)
    return [(begin, end, read) for begin, end, read in parts if read is not None]


def _pieces(line: str) -> list[tuple[int, int]]:
    """Return where the pieces between spaces, marks and lost characters begin and end."""
    cuts = [0, *(place for gap in _BREAKS.finditer(line) for place in gap.span()), len(line)]
    return [(begin, end) for begin, end in zip(cuts[::2], cuts[1::2], strict=True) if begin < end]


def _han_read(text: str, *, proven: bool) -> str | None:
    """Return the best reading of a text of wrong Han, None where nothing is proven."""
    before = commonness(text)
    if len(text) < 2 or before > 1 - GAIN:
        return None
    best, found = max(COMMON, before + GAIN), None
    for codec, real in _MISREAD:
        least = (1 if proven else 3) if real == "utf-8" else _LEAST
        once = list(_readings(text, codec, real))
        twice = [again for read in once for again in _readings(read, codec, real)] if real == "utf-8" else []
        for read in (*once, *twice):
            if len(_HAN.findall(read)) >= least and (common := commonness(read)) >= best:
                best, found = common, read
    return found


def _readings(text: str, codec: str, real: str) -> Iterator[str]:
    """Yield what the bytes say in the real encoding that a text was read from in another."""
    for data in _written(text, codec):
        read = _read(data, real)
        if read is not None:
            yield read


def _written(text: str, codec: str) -> Iterator[bytes]:
    """Yield the bytes of a text; in GBK for Windows a lone byte 80 reads as €, as the 一 of UTF-8 leaves it."""
    try:
        data = text.encode(codec)
    except UnicodeEncodeError:
        return
    if data.decode(codec) == text:
        yield data
    if codec == "gb18030" and "€" in text:
        yield b"\x80".join(part.encode(codec) for part in text.split("€"))


def _read(data: bytes, codec: str) -> str | None:
    """Return the text of bytes, None where they are not that encoding or do not come back."""
    try:
        text = data.decode(codec)
        return text if text.encode(codec) == data else None
    except UnicodeError:
        return None


@cache
def _table() -> npt.NDArray[np.uint8]:
    """Return for each code point, uint8, (0x10000,).

    1 a byte beyond ASCII read as cp1252, 2 a Han, 4 a rare or private one, 8 a line feed, 16 a byte that may be first.
    """
    bits = classes.table()[:0x10000]
    table = np.zeros(0x10000, np.uint8)
    table[_bytes_table() >= 0x80] = 1
    table[(bits & classes.HAN) > 0] = 2
    table[(bits & (classes.RARE | classes.PRIVATE)) > 0] |= 4
    table[0xA1:0x100] |= 16
    table[10] = 8
    return table


def _suspect(text: CodePoints) -> npt.NDArray[np.bool_]:
    """Return which texts may be broken somewhere, bool, (rows,)."""
    suspect = np.zeros(len(text), np.bool_)
    _suspects(text.points, text.starts, _table(), suspect)
    return suspect


@njit(cache=True, nogil=True)
def _suspects(points: Any, starts: Any, table: Any, suspect: Any) -> None:
    """Mark rows with two bytes of Latin-1 side by side, the first a letter, or with a stretch of rare Han.

    A stretch is any sixteen Han in a row of a line: five or more of them rare or private, or a quarter of a short line.
    """
    top = np.uint32(0xFFFF)
    for row in range(len(starts) - 1):
        han = rare = 0
        found = False
        last = False  # whether a byte in whose place a letter stands comes before
        for i in range(np.uint64(starts[row]), np.uint64(starts[row + 1])):
            bits = table[min(points[i], top)]
            if bits & 6:
                han += 1
                rare += (bits >> 2) & 1
                if han == 16:
                    found = found or rare >= 5
                    han = rare = 0
                last = False
            elif bits:
                if bits & 8:
                    found = found or (rare * 4 >= han and rare > 1)
                    han = rare = 0
                found = found or (last and bits & 1)
                last = bits & 16
            else:
                last = False
            if found:
                break
        suspect[row] = found or (rare * 4 >= han and rare > 1)
