"""Width: full-width letters and digits made narrow, half-width kana and marks between Han made wide, each by choice.

Ａ１ become A1; ｶﾞ and ｡ become ガ and 。; an ASCII , . ; : ! ? that stands between Han in a line of prose becomes the
Chinese mark, and the space after it goes.

Trade: only what stands beside Han is a Chinese mark, so numbers, times and addresses keep theirs; lines that look like
code or tables and fenced code keep everything; so does a text that speaks of width itself (全角). Quotes, brackets and
dashes stay as they are.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit
from pydantic import Field

from pipeline.clean.rows import with_texts
from pipeline.step import Cleaner, replace_text
from pipeline.text import character, utf8_buffers

_LETTERS, _KANA, _BESIDE, _MARK = 1, 2, 4, 8
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_WIDE = [point for first, last in ("０９", "ＡＺ", "ａｚ") for point in range(ord(first), ord(last) + 1)]
# What joins wide letters and digits goes with them: ２．５, ＴＣＰ／ＩＰ.
_JOINT = re.compile("(?<=[０-９Ａ-Ｚａ-ｚ])[．／－＿＠＆＋](?=[０-９Ａ-Ｚａ-ｚ])")
_SPEAKS = ("全角", "全形", "半角", "半形", "ullwidth", "ull-width", "alfwidth", "alf-width")
_FENCED = re.compile(r"^[ \t]*(```+(?!`)|~~~+(?!~)).*\n(?:.*\n)*?(?:[ \t]*\1`*~*[ \t]*$|.*\Z)", re.M)
_CODE = re.compile(r"^(?: {4}|\t)|[={}<>\\$`|_#\t]")
_SENTENCE = re.compile(r"[。！？；…]|[.!?;][”’」』）\"')]*$")
# One voiced mark alone is a face (ﾟДﾟ), two letters are a word.
_NARROW = re.compile(
    f"[\uff65-\uff9f]*[\uff66-\uff9d][\uff9e\uff9f]?[\uff66-\uff9d][\uff65-\uff9f]*|(?<=[{_HAN}])[\uff61-\uff64]"
)
_MARKS = dict(zip(",.;:!?", "，。；：！？", strict=True))
_CLOSERS = "”’》）」』】"
_NEXT = rf"[{_HAN}“‘《（「『【{_CLOSERS}]"
# The mark comes first and then what stands before it, which is several times faster than the other way round.
_ASCII = re.compile(
    rf"[,;:!?](?:(?<=[{_HAN}{_CLOSERS}].)|(?<=[{_HAN}]\).))(?: ?(?={_NEXT})|$)|\.(?<=[{_HAN}]{{2}}\.)(?=[”’」』）]?$)",
    re.M,
)
# A zero among Han numerals (二０二三年) is one of them.
_ALPHANUMERIC = re.compile("[１-９Ａ-Ｚａ-ｚ]|０(?<![一二三四五六七八九十〇]０)(?![一二三四五六七八九十〇])")


class Width(Cleaner):
    """Gives letters, kana and marks the width that is usual in Chinese; `width_change_count`: characters changed.

    Code, tables, numbers, times and addresses keep what they have.
    """

    kind: ClassVar[str] = "width"

    letters: Annotated[bool, Field(description="full-width Latin letters and digits to ASCII · 全角字母数字改半角")] = (
        True
    )
    kana: Annotated[bool, Field(description="half-width kana and their marks to full width · 半角假名改全角")] = True
    punctuation: Annotated[
        bool, Field(description="ASCII marks between Han to ，。；：！？ · 汉字间的半角标点改全角")
    ] = True

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many characters changed, int64."""
        return {"width_change_count": pa.int64()}

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with other widths and the count."""
        column = batch.column("text")
        found = np.zeros(len(column), np.uint8)
        _find(*utf8_buffers(column), _table(), found)
        wanted = self.letters * _LETTERS | self.kana * _KANA | self.punctuation * _MARK
        counts = np.zeros(len(column), np.int64)
        texts: dict[int, str] = {}
        for row in np.flatnonzero(found & wanted).tolist():
            texts[row], counts[row] = _changed(column[row].as_py(), int(found[row]) & wanted)
        batch = replace_text(batch, with_texts(column, texts))
        return batch.append_column("width_change_count", pa.array(counts))


def _changed(text: str, kinds: int) -> tuple[str, int]:
    """Return the text with other widths of some kinds of characters, and how many changed."""
    if any(word in text for word in _SPEAKS):
        return text, 0
    if "```" not in text and "~~~" not in text:
        return _part(text, kinds)
    parts, count, last = [], 0, 0
    for fence in [*_FENCED.finditer(text), None]:
        part, changed = _part(text[last : fence.start() if fence else len(text)], kinds)
        parts += [part, fence[0] if fence else ""]
        count += changed
        last = fence.end() if fence else last
    return "".join(parts), count


def _part(text: str, kinds: int) -> tuple[str, int]:
    """Return a part without fenced code with other widths, and how many characters changed."""
    count = joints = kana = marks = 0
    if kinds & _LETTERS:
        text, joints = _JOINT.subn(lambda match: chr(ord(match[0]) - 0xFEE0), text)
        text, count = _ALPHANUMERIC.subn(lambda match: chr(ord(match[0]) - 0xFEE0), text)
    if kinds & _KANA:
        kana = sum(len(run) for run in _NARROW.findall(text))
        text = _NARROW.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    if kinds & _MARK:
        text, marks = _with_marks(text)
    return text, count + joints + kana + marks


def _with_marks(text: str) -> tuple[str, int]:
    """Return the text with Chinese marks in its lines of prose, and how many."""
    parts, count, last = [], 0, 0
    end, prose = -1, False  # of the line that was looked at last
    for match in _ASCII.finditer(text):
        if match.start() > end:
            begin = text.rfind("\n", 0, match.start()) + 1
            end = text.find("\n", match.start())
            end = len(text) if end < 0 else end
            line = text[begin:end]
            prose = _SENTENCE.search(line) is not None and not _CODE.search(line)
        if prose:
            parts += [text[last : match.start()], _MARKS[match[0][0]]]
            last = match.end()
            count += 1
    return "".join([*parts, text[last:]]), count


@cache
def _table() -> npt.NDArray[np.uint8]:
    """Return for each code point, uint8, (0x10000,): wide letters, narrow kana, Han and closers, ASCII marks."""
    table = np.zeros(0x10000, np.uint8)
    table[_WIDE] = _LETTERS
    table[0xFF61:0xFFA0] = _KANA
    table[0x3400:0xA000] = _BESIDE
    table[[ord(char) for char in _CLOSERS + ")"]] = _BESIDE
    table[[ord(char) for char in _MARKS]] = _MARK
    return table


@njit(cache=True, nogil=True)
def _find(data: Any, offsets: Any, table: Any, found: Any) -> None:
    """Write which kinds of characters each row holds; an ASCII mark counts between Han or their closers."""
    top = np.uint32(0xFFFF)
    for row in range(len(offsets) - 1):
        kinds = before = np.uint8(0)
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        while i < end:
            if 0xE4 <= data[i] <= 0xE8:  # U+4000 to U+8FFF: Han
                before = np.uint8(_BESIDE)
                i += np.uint64(3)
                continue
            point, i = character(data, i)
            bits = table[min(point, top)]
            if bits & _MARK and before & _BESIDE:
                after = i
                if after < end and data[after] == 32:
                    after += np.uint64(1)
                if after >= end or data[after] == 10 or data[after] > 0x7F:
                    kinds |= np.uint8(_MARK)
            kinds |= bits & np.uint8(_LETTERS | _KANA)
            before = bits
        found[row] = kinds
