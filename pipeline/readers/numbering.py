"""The numbers that Word writes before paragraphs by itself: 第一条, 1.2, (a). They stand nowhere in the text.

Source: ECMA-376 part 1, 17.9 (numbering) and 17.18.59 (ST_NumberFormat). Formats not listed here are written as decimal
numbers; bullets are left out.
"""

import re
from dataclasses import dataclass
from typing import Any

from pipeline.readers.package import attribute

LEVEL = re.compile(r"%([1-9])")
DIGITS = "〇一二三四五六七八九"
UNITS = ("", "十", "百", "千")
CYCLES = {
    "upperLetter": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "lowerLetter": "abcdefghijklmnopqrstuvwxyz",
    "ideographTraditional": "甲乙丙丁戊己庚辛壬癸",
    "ideographZodiac": "子丑寅卯辰巳午未申酉戌亥",
    "decimalEnclosedCircle": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳",
    "decimalEnclosedCircleChinese": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳",
}
CHINESE = frozenset(
    ("chineseCounting", "chineseCountingThousand", "taiwaneseCounting", "taiwaneseCountingThousand",
     "japaneseCounting", "ideographDigital", "japaneseDigitalTenThousand", "koreanCounting")
)  # fmt: skip
FORMAL = ("chineseLegalSimplified", "ideographLegalTraditional", "japaneseLegal")
ROMAN = (("m", 1000), ("cm", 900), ("d", 500), ("cd", 400), ("c", 100), ("xc", 90), ("l", 50), ("xl", 40), ("x", 10),
         ("ix", 9), ("v", 5), ("iv", 4), ("i", 1))  # fmt: skip


@dataclass(slots=True)
class Level:
    """How one level of a list counts and what it writes."""

    start: int = 1
    format: str = "decimal"
    text: str = ""
    ends: str = " "
    style: str | None = None


class Numbering:
    """The lists of one document, counted as its paragraphs come."""

    def __init__(self, numbering: Any, styles: Any) -> None:
        """Take the lists from the root elements of the parts `numbering` and `styles`."""
        abstract = {attribute(list_, "abstractNumId"): _levels(list_) for list_ in numbering.iter("{*}abstractNum")}
        self._lists: dict[str, tuple[str, dict[int, Level]]] = {}
        for number in numbering.iter("{*}num"):
            base = _value(number, "abstractNumId") or ""
            own = {int(attribute(item, "ilvl") or 0): item for item in number.iter("{*}lvlOverride")}
            levels = dict(abstract.get(base, {}))
            for depth, item in own.items():
                levels |= _levels(item)
                start = _value(item, "startOverride")
                if start and start.isdigit() and depth in levels:
                    old = levels[depth]
                    levels[depth] = Level(int(start), old.format, old.text, old.ends, old.style)
            key = f"{base} {attribute(number, 'numId')}" if own else base
            self._lists[attribute(number, "numId") or ""] = key, levels
        self._styles = _of_styles(styles)
        self._counts: dict[str, list[int]] = {}

    def label(self, paragraph: Any, style: str | None) -> str:
        """Return the number of a paragraph, with what separates it from the text; empty where it has none."""
        own = paragraph.find("{*}pPr/{*}numPr")
        number, depth = _numbered(own) if own is not None else (None, None)
        if number is None:
            number, depth_of_style = self._styles.get(style or "", (None, None))
            depth = depth if depth is not None else depth_of_style
        key, levels = self._lists.get(number or "", ("", {}))
        if depth is None:
            depth = next((at for at, level in levels.items() if style and level.style == style), 0)
        if depth not in levels:
            return ""
        counts = self._counts.setdefault(key, [0] * 9)
        started = counts[depth] or levels[depth].start - 1
        counts[depth] = started + 1
        counts[depth + 1 :] = [0] * (8 - depth)
        return _written(levels, counts, depth)


def _written(levels: dict[int, Level], counts: list[int], depth: int) -> str:
    level = levels[depth]
    if level.format in ("bullet", "none"):
        return ""

    def one(match: re.Match[str]) -> str:
        at = int(match[1]) - 1
        other = levels.get(at, level)
        return formatted(counts[at] or other.start, other.format)

    text = LEVEL.sub(one, level.text)
    return text + level.ends if text.strip() else ""


def formatted(number: int, form: str) -> str:
    """Return a number as the named format of ECMA-376 writes it."""
    if form in CYCLES and number > 0:
        cycle = CYCLES[form]
        if form.endswith("Letter"):
            return cycle[(number - 1) % 26] * ((number - 1) // 26 + 1)
        return cycle[number - 1] if number <= len(cycle) else str(number)
    if form.endswith("Roman") and 0 < number < 4000:
        return roman(number) if form.startswith("lower") else roman(number).upper()
    if form in CHINESE and 0 < number < 10_000:
        return counted(number)
    if form in FORMAL and 0 < number < 10_000:
        return counted(number).translate(str.maketrans("一二三四五六七八九十百千〇", "壹贰叁肆伍陆柒捌玖拾佰仟零"))
    if form == "decimalZero":
        return f"{number:02d}"
    return str(number)


def counted(number: int) -> str:
    """Return a number from 1 to 9,999 in Chinese: 一, 十, 十二, 一百〇五."""
    text = ""
    digits = str(number)
    for place, digit in enumerate(map(int, digits)):
        unit = UNITS[len(digits) - 1 - place]
        if digit:
            text += DIGITS[digit] + unit
        elif not text.endswith(DIGITS[0]):
            text += DIGITS[0]
    text = text.rstrip(DIGITS[0])
    return text[1:] if 10 <= number < 20 else text


def roman(number: int) -> str:
    """Return a number in lower-case Roman numerals."""
    text = ""
    for letters, value in ROMAN:
        text += letters * (number // value)
        number %= value
    return text


def _levels(parent: Any) -> dict[int, Level]:
    levels = {}
    for item in parent.iterchildren("{*}lvl"):
        depth, start = attribute(item, "ilvl") or "", _value(item, "start") or ""
        if depth.isdigit() and int(depth) < 9:
            ends = {"nothing": "", "space": " "}.get(_value(item, "suff") or "tab", " ")
            levels[int(depth)] = Level(
                int(start) if start.isdigit() and len(start) < 9 else 1,
                _value(item, "numFmt") or "decimal",
                _value(item, "lvlText") or "",
                ends,
                _value(item, "pStyle"),
            )
    return levels


def _of_styles(styles: Any) -> dict[str, tuple[str | None, int | None]]:
    """Return the list and level of each paragraph style that is numbered, by itself or by the style it is based on."""
    own, above = {}, {}
    for style in styles.iter("{*}style"):
        name = attribute(style, "styleId") or ""
        above[name] = _value(style, "basedOn")
        numbered = style.find("{*}pPr/{*}numPr")
        if numbered is not None:
            own[name] = _numbered(numbered)
    found: dict[str, tuple[str | None, int | None]] = {}
    for name in above:
        at: str | None = name
        for _ in range(10):  # styles that are based on each other in a circle end here
            if at is None or at in own:
                break
            at = above.get(at)
        if at in own and own[at][0] is not None:
            found[name] = own[at] if at == name else (own[at][0], None)
    return found


def _numbered(element: Any) -> tuple[str | None, int | None]:
    depth = _value(element, "ilvl")
    return _value(element, "numId"), int(depth) if depth and depth.isdigit() and int(depth) < 9 else None


def _value(element: Any, name: str) -> str | None:
    child = element.find("{*}" + name)
    return attribute(child, "val") if child is not None else None
