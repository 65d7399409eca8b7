"""Character classes: one bit set a code point, so that a kernel knows all it needs of a character by one look-up.

The table covers U+0000 to U+323FF (0.8 MB, of which Chinese text touches about 100 kB); what lies above is private use
or counts as unassigned. Unicode categories come from `pipeline.properties`, the Chinese ones from the files in `data/`.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.dedup.table import simplified
from pipeline.properties import CATEGORIES, CATEGORY, WIDE, of_categories, properties
from pipeline.tables import lines_of

SIZE = 0x32400
"""Code points in the table; kernels look up `min(point, SIZE - 1)`, whose entry is BROKEN."""

HAN = 1 << 0
LATIN = 1 << 1
DIGIT = 1 << 2
PUNCTUATION = 1 << 3
SYMBOL = 1 << 4
KANA = 1 << 5
HANGUL = 1 << 6
CYRILLIC = 1 << 7
OTHER_LETTER = 1 << 8
SPACE = 1 << 9
PRIVATE = 1 << 10
BROKEN = 1 << 11  # U+FFFD, C1 controls, unassigned
RARE = 1 << 12  # Han, not in the common list
HANS = 1 << 13
HANT = 1 << 14
JAPANESE = 1 << 15
SENTENCE_END = 1 << 16
CLOSER = 1 << 17  # quotes and brackets that may follow a sentence's end
BULLET = 1 << 18
LATIN_1 = 1 << 19  # what UTF-8 or GBK bytes become when read as Latin-1 or cp1252
PAIR = 1 << 20  # first character of a pair in mojibake_pairs.txt
CLAUSE_END = 1 << 21  # may end a line, but no sentence
STOP = 1 << 22  # Chinese marks of which no two stand side by side
FULL = 1 << 23  # punctuation as wide as a Han character in Chinese text
RADICAL = 1 << 24  # radicals and strokes, which stand alone only where a font's glyphs were taken for characters
FUNCTION = 1 << 25  # Han that is a function word or part of one
SEPARATOR = 1 << 26  # marks between the items of a menu
SIGN = 1 << 27  # marks of which code has many and text few
LEVEL = 28  # two bits from here on: level 1, 2, 3 of 通用规范汉字表, of the Simplified form; 0 for other characters
CANTONESE = 1 << 31
WATCHED = 1 << 30  # begins what `characters` looks at more closely

LEVELS, FUNCTIONS = "han_levels.tsv", "function_characters.txt"

Table = npt.NDArray[np.uint32]

_SENTENCE_ENDS = "。！？…．；!?.｡"  # items of a statute end in full-width semicolons
_CLAUSE_ENDS = "：;:"
_STOPS = "，。；：、"
_CLOSERS = "”’」』）】》〉〕］｝\"')]}*_`"
_BULLETS = "-*+•·●○◆◇■□▪▫►▶※★☆→∙"
_SEPARATORS = "|｜›»·•/>＞"
_SIGNS = "{}[]()<>=;\"'`#$%&*+\\^_|~"
_RADICALS = ((0x2E80, 0x2FDF), (0x31C0, 0x31EF))
_HAN_RANGES = ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))
_KANA_RANGES = ((0x3041, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))
_HANGUL_RANGES = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xFFA0, 0xFFDC))
_LATIN_RANGES = ((0x00, 0x24F), (0x1E00, 0x1EFF), (0xFF21, 0xFF5A))
_CYRILLIC_RANGES = ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF))
_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"
_BY_CATEGORY = {
    "P": PUNCTUATION,
    "S": SYMBOL,
    "Z": SPACE,
    "L": OTHER_LETTER,
    "M": OTHER_LETTER,
    "Nd": DIGIT,
    "Nl": SYMBOL,
    "No": SYMBOL,
    "Co": PRIVATE,
    "Cn": BROKEN,
    "Cs": BROKEN,
}


@cache
def table() -> Table:
    """Return the class bits of every code point, uint32, (SIZE,)."""
    bits = _category_bits()
    for name, ranges in ((HAN, _HAN_RANGES), (KANA, _KANA_RANGES), (HANGUL, _HANGUL_RANGES)):
        for first, last in ranges:
            bits[first : last + 1] = np.where(bits[first : last + 1] & (OTHER_LETTER | SYMBOL), name, BROKEN)
    bits[0x20000:SIZE] = np.where(bits[0x20000:SIZE] & OTHER_LETTER, HAN, BROKEN)
    bits[0x3007] = HAN
    for first, last in _RADICALS:
        bits[first : last + 1] |= np.where(bits[first : last + 1] & BROKEN, 0, RADICAL).astype(np.uint32)
    for level, characters in _levels():
        _add(bits, level << LEVEL, characters)
    _add(bits, LATIN_1, [*range(0xA1, 0x180), 0x192, 0x2C6, 0x2DC])
    common = _points("han_common.txt")
    rare = (bits & HAN) > 0
    rare[common] = False
    bits[rare] |= RARE
    scripts = ((HANS, "hans_only.txt"), (HANT, "hant_only.txt"), (JAPANESE, "ja_only.txt"))
    for name, file in (*scripts, (CANTONESE, "cantonese_only.txt"), (FUNCTION, FUNCTIONS)):
        _add(bits, name, _points(file))
    ends = ((SENTENCE_END, _SENTENCE_ENDS), (CLAUSE_END, _CLAUSE_ENDS), (STOP, _STOPS))
    marks = ((CLOSER, _CLOSERS), (BULLET, _BULLETS), (SEPARATOR, _SEPARATORS), (SIGN, _SIGNS), (WATCHED, ":w?"))
    for name, chars in (*ends, *marks):
        _add(bits, name, [ord(char) for char in chars])
    _add(bits, PAIR, [ord(pair[0]) for pair in lines_of(__package__, "mojibake_pairs.txt")])
    bits[(bits & (LATIN_1 | STOP | PAIR)) > 0] |= WATCHED
    bits[SIZE - 1] = BROKEN
    bits.setflags(write=False)
    return bits


@cache
def pairs() -> npt.NDArray[np.uint32]:
    """Return the pairs of mojibake_pairs.txt, uint32, (pairs, 2)."""
    return np.array([[ord(char) for char in pair] for pair in lines_of(__package__, "mojibake_pairs.txt")], np.uint32)


def _levels() -> Iterator[tuple[int, list[int]]]:
    """Yield the levels of 通用规范汉字表 with their characters; a Traditional character has its Simplified form's."""
    level_of: dict[str, int] = {}
    for line in lines_of(__package__, LEVELS):
        number, characters = line.split("\t")
        level_of |= dict.fromkeys(characters, int(number))
    for traditional, simple in simplified().items():
        if simple in level_of:
            level_of.setdefault(traditional, level_of[simple])
    for level in (1, 2, 3):
        yield level, [ord(char) for char, of in level_of.items() if of == level and ord(char) < SIZE]


def _points(name: str) -> list[int]:
    return [ord(char) for line in lines_of(__package__, name) for char in line]


def _add(bits: Table, name: int, points: Any) -> None:
    bits[np.asarray(points)] |= np.uint32(name)


def _category_bits() -> Table:
    """Return what the Unicode properties of each code point say, one bit each but for FULL."""
    found = [_BY_CATEGORY.get(name, _BY_CATEGORY.get(name[0], 0)) for name in CATEGORIES]
    known, letters = properties()[:SIZE], of_categories("L")[:SIZE]
    bits: Table = np.array(found, np.uint32)[known & CATEGORY]
    for name, ranges in ((LATIN, _LATIN_RANGES), (CYRILLIC, _CYRILLIC_RANGES)):
        for first, last in ranges:
            bits[first : last + 1][letters[first : last + 1]] = name
    bits[0x7F:0xA0] = BROKEN
    bits[0xFFFD] = BROKEN
    bits[[ord(char) for char in _SPACES]] = SPACE
    # Ambiguous is wide beside East Asian text (UAX 11): the dashes, dots and quotes of Chinese.
    bits[(bits == PUNCTUATION) & (known & WIDE > 0)] |= FULL
    return bits
