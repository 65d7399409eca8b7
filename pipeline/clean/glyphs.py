"""Glyphs: what PDF and fonts leave in text instead of its characters, made characters again.

Ligatures (ﬁ) become letters; radicals (⼀, ⻓) the ideographs that look the same, where Unicode says so; bullets of
symbol fonts in private use, at the head of a line, the bullets that they show; and text in which a space parts each
Han from the next (中 文 。) loses these spaces.

Trade: radicals that stand by themselves are a dictionary's and stay; spaces go only where sentence marks stand spaced
between Han, because tables and lists of words are spaced, too. Soft hyphens are the cleaner `unicode`'s.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.clean.rows import with_texts
from pipeline.step import Cleaner, replace_text
from pipeline.tables import lines_of, resource
from pipeline.text import character, utf8_buffers
from schemas.manifest import Resource

_RADICALS, _BULLETS = "radicals.tsv", "private_bullets.tsv"
_HAN = "\u2e80-\u2fd5\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_MARKS = "，。；：？！"
_OTHER_MARKS = "、“”‘’（）《》〈〉「」『』【】"
_TOKEN = f"[{_HAN}{_MARKS}{_OTHER_MARKS}]"
_SPACED = re.compile(rf"(?<!{_TOKEN})(?:{_TOKEN} )+{_TOKEN}(?!{_TOKEN})")
_PAIR = re.compile(rf"(?<=[{_HAN}])[{_HAN}]")
_MARK = re.compile(f"[{_MARKS}]")
# Those that Unicode gives an ideograph.
_MAPPED = "[\u2e81-\u2e99\u2e9b-\u2ef3\u2f00-\u2fd5]"
_RADICAL = re.compile(_MAPPED)
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_BESIDE_HAN = re.compile(rf"{_MAPPED}(?=[{_HAN}])|(?<=[{_HAN}]){_MAPPED}")
# Latin ligatures by their compatibility decompositions (Unicode 15, U+FB00 to U+FB06).
_LETTERS = dict(
    zip("\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06", ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True)
)
# By hand: gaps that make a document spaced, their share of its pairs of Han, gaps a mark at most; Han of a single run.
_GAPS, _SHARE, _PER_MARK, _RUN = 20, 0.3, 40, 10


class Glyphs(Cleaner):
    """Makes characters of what PDF and fonts leave: ligatures, radicals, private bullets, Han parted by spaces.

    `glyph_repair_count`: characters replaced; `han_space_count`: spaces between Han that went.
    """

    kind: ClassVar[str] = "glyphs"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Two counts, int64."""
        return {"glyph_repair_count": pa.int64(), "han_space_count": pa.int64()}

    def resources(self) -> Sequence[Resource]:
        """The tables of radicals and bullets."""
        return (resource(__package__, _RADICALS, "Unicode-DFS-2016"), resource(__package__, _BULLETS, "CC0-1.0"))

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with the characters and the two counts."""
        column = batch.column("text")
        suspect = np.zeros(len(column), np.bool_)
        _suspects(*utf8_buffers(column), _table(), suspect)
        counts = np.zeros((2, len(column)), np.int64)
        texts: dict[int, str] = {}
        for row in np.flatnonzero(suspect).tolist():
            before = column[row].as_py()
            texts[row], *counts[:, row] = mend(before)
        batch = replace_text(batch, with_texts(column, texts))
        for name, values in zip(self.adds, counts, strict=True):
            batch = batch.append_column(name, pa.array(values))
        return batch


def mend(text: str) -> tuple[str, int, int]:
    """Return the text with its characters, how many were replaced, and how many spaces went."""
    closed = _unspaced(text)
    spaces = len(text) - len(closed)
    text, bullets = _bullet().subn(lambda head: head[1] + _bullets()[head[2]], closed)
    text, ligatures = _LIGATURE.subn(lambda match: _LETTERS[match[0]], text)
    # Where three stand in text, the others are text, too (⼀、总则).
    pattern = _RADICAL if len(_BESIDE_HAN.findall(text)) >= 3 else _BESIDE_HAN
    text, radicals = pattern.subn(lambda match: _radicals()[match[0]], text)
    return text, bullets + ligatures + radicals, spaces


def _unspaced(text: str) -> str:
    """Return the text without the spaces that part each Han from the next, where they do."""
    runs = _SPACED.findall(text)
    if not runs:
        return text
    gaps = sum(len(run) // 2 for run in runs)
    marks = sum(len(_MARK.findall(run)) for run in runs)
    pairs = sum(1 for _ in _PAIR.finditer(text))
    if gaps >= _GAPS and gaps >= _SHARE * (gaps + pairs) and marks * _PER_MARK >= gaps:
        return _SPACED.sub(lambda run: run[0].replace(" ", ""), text)
    return _SPACED.sub(lambda run: run[0].replace(" ", "") if _is_prose(run[0]) else run[0], text)


def _is_prose(run: str) -> bool:
    marks = len(_MARK.findall(run))
    return marks > 0 and len(run) // 2 - marks >= _RUN


@cache
def _radicals() -> dict[str, str]:
    rows = (line.split("\t") for line in lines_of(__package__, _RADICALS))
    return {radical: ideograph for radical, ideograph in rows}  # noqa: C416 - dict() of split lines has no type


@cache
def _bullets() -> dict[str, str]:
    rows = (line.split("\t") for line in lines_of(__package__, _BULLETS))
    return {chr(int(point, 16)): bullet for point, bullet in rows}


@cache
def _bullet() -> re.Pattern[str]:
    return re.compile(f"^([ \t]*)([{''.join(_bullets())}])", re.M)


@cache
def _table() -> npt.NDArray[np.uint8]:
    """Return for each code point, uint8, (0x10000,): 1 Han or a mark between Han, 2 a space, 4 what is replaced."""
    table = np.zeros(0x10000, np.uint8)
    for first, last in ((0x2E80, 0x2FD5), (0x3005, 0x3007), (0x3400, 0x9FFF), (0xF900, 0xFAFF)):
        table[first : last + 1] = 1
    table[[ord(mark) for mark in _MARKS + _OTHER_MARKS]] = 1
    table[[ord(char) for char in (*_radicals(), *_bullets(), *_LETTERS)]] |= 4
    table[0x20] = 2
    return table


@njit(cache=True, nogil=True)
def _suspects(data: Any, offsets: Any, table: Any, suspect: Any) -> None:
    """Mark rows that hold what is replaced, or ten Han and marks in a row with a space after each."""
    top = np.uint32(0xFFFF)
    for row in range(len(offsets) - 1):
        run = 0
        last = np.uint8(0)
        found = False
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        while i < end:
            point, i = character(data, i)
            bits = table[min(point, top)]
            if bits & 4:
                found = True
                break
            if bits == 2 and last == 1:
                run += 1
                if run >= 10:
                    found = True
                    break
            elif not (bits == 1 and last == 2):
                run = 0
            last = bits
        suspect[row] = found
