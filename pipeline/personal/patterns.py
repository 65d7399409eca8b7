"""Finds personal data in a text: shapes, then check digits and tables, then the words around.

The text is folded first, full-width signs to ASCII one for one, so a span of the folded text is one of the text. Every
pattern begins where a run of its characters begins and is bounded, so 10 MB of one character stay linear.

Context never reaches past a line, past something found or past a label in brackets: what is found is then the same
after the first numbers have been replaced. In a list (`卡号：甲、乙`) the second inherits the words of the first.

Trade: a number whose word stands after it is missed where a word is needed; see docs/personal.md.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from pipeline.personal import checks
from pipeline.tables import lines_of

Type = Literal[
    "email", "identity_card", "social_credit", "bank_card", "mobile", "landline", "ip",
    "passport", "permit", "plate", "wechat", "qq", "address", "name",
]  # fmt: skip
# Where two types claim the same place the earlier one has it.
TYPES: tuple[Type, ...] = Type.__args__  # type: ignore[attr-defined]

LABELS: dict[Type, str] = {
    "email": "[邮箱]", "identity_card": "[身份证号]", "social_credit": "[统一社会信用代码]", "bank_card": "[银行卡号]",
    "mobile": "[手机号]", "landline": "[固定电话]", "ip": "[IP地址]", "passport": "[护照号]", "permit": "[通行证号]",
    "plate": "[车牌号]", "wechat": "[微信号]", "qq": "[QQ号]", "address": "[地址]", "name": "[姓名]",
}  # fmt: skip
TABLES = (
    *("regions.tsv", "mobile_prefixes.txt", "area_codes.txt", "plate_letters.txt", "surnames.txt"),
    *("labels.tsv", "allowed.tsv", "examples.tsv"),
)
_PLACE = 40  # characters before a road in which its province must begin; by hand
_CONTEXT = 24  # characters before a number in which its word must stand; by hand
# Ranks, by hand, not probabilities: a check digit with region or date; a table or a check with a word; shape or word.
_SURE, _LIKELY, _PERHAPS = 0.99, 0.9, 0.7


@dataclass(frozen=True, slots=True)
class Span:
    """A find: `start` and `end` in code points of the text, `confidence` a rank from 0 to 1."""

    type: Type
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a type is found: `perhaps` for RE2, `pattern` with the group 1 or all, `check` on the bare characters."""

    perhaps: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    confidence: float
    word: bool = False  # whether a word of labels.tsv must stand before it


_D = "[0-9０-９]"
_BEFORE, _AFTER = r"(?<![0-9A-Za-z._/=@-])", r"(?![0-9A-Za-z@]|[._/-][0-9A-Za-z])"
_HAN = "[\u3400-\u4dbf\u4e00-\u9fff]"
# Mailing lists, reserved names (RFC 2606) and the user names of code hosts are nobody's address.
_NOBODY = re.compile(
    r"(?:git|svn|hg|noreply|no-reply)@.*|[^@]*@(?:lists?\..*|(?:.*\.)?(?:example(?:\.(?:com|net|org|cn))?|test|invalid|localhost))",
    re.I,
)
_ROAD = "(?:路|街|大道|巷|胡同|村|里|弄|道|段|条|苑|小区|公寓)"
_NO_PLACE = re.compile("[^0-9A-Za-z·\u3400-\u4dbf\u4e00-\u9fff-]")


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_BEFORE + pattern + _AFTER)


def _begun(first: str, rest: str) -> re.Pattern[str]:
    """The same of a pattern that begins with a class of ASCII signs: what stands before is looked at after that.

    So the search skips to the signs of the class, ten times faster than a look behind at every character.
    """
    return re.compile(first + _BEFORE.replace("])", "].)") + rest + _AFTER)


_SHAPES: dict[Type, tuple[_Shape, ...]] = {
    "email": (
        _Shape(
            "[0-9A-Za-z０-９Ａ-Ｚａ-ｚ][@＠][0-9A-Za-z０-９Ａ-Ｚａ-ｚ]",
            re.compile(
                r"[0-9A-Za-z](?<![0-9A-Za-z._%+-].)[0-9A-Za-z._%+-]{0,63}@(?:[0-9A-Za-z-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![0-9A-Za-z-])"
            ),
            lambda text: not _NOBODY.fullmatch(text),
            _LIKELY,
        ),
    ),
    "identity_card": (
        _Shape(_D + "{17}", _begun("[1-8]", "[0-9]{16}[0-9Xx]"), checks.is_identity_card, _SURE),
        _Shape(_D + "{15}", _begun("[1-8]", "[0-9]{14}"), checks.is_old_identity_card, _LIKELY, word=True),
    ),
    "social_credit": (
        _Shape(
            _D + "{6}[0-9A-Za-z０-９Ａ-Ｚ]{10}",
            _begun("[1-9ANY]", "[0-9A-HJ-NP-RTUWXY][0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}"),
            checks.is_social_credit,
            _SURE,
        ),
    ),
    "bank_card": (
        _Shape(
            f"{_D}{{13}}|{_D}{{4}}[ -]{_D}{{4}}[ -]{_D}{{4}}",
            _begun("[3-6]", "[0-9]{3}(?:[0-9]{9,15}|(?:[ -][0-9]{4}){2,3}[ -][0-9]{1,4})"),
            checks.is_bank_card,
            _LIKELY,
            word=True,
        ),
    ),
    "mobile": (
        _Shape(
            f"{_D}{{11}}|{_D}{{3}}[ -]{_D}{{4}}[ -]{_D}{{4}}",
            _begun(
                r"[+018]",
                r"(?:(?:(?<=\+)8|(?<=0)08|(?<=8))6[ -]?1|(?<=1))[3-9][0-9](?:[0-9]{8}|[ -][0-9]{4}[ -][0-9]{4})",
            ),
            checks.is_mobile,
            _LIKELY,
        ),
    ),
    "landline": (
        _Shape(
            f"[0０]{_D}{{2,3}}[)） -]?[ -]?{_D}{{7}}|[0０]{_D}{{2,3}}[－—]{_D}{{7}}",
            _compiled(r"\(?(0[0-9]{2,3}(?:\) ?|[ -])[2-8][0-9]{6,7})(?:(?:转|-)[0-9]{1,6})?"),
            checks.is_landline,
            _LIKELY,
        ),
        _Shape(f"[0０]{_D}{{9}}", _compiled("0[0-9]{2,3}[2-8][0-9]{6,7}"), checks.is_landline, _LIKELY, word=True),
    ),
    "ip": (
        _Shape(
            f"{_D}[.．]{_D}{{1,3}}[.．]{_D}{{1,3}}[.．]{_D}",
            re.compile(r"(?<![0-9A-Za-z._/-])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z]|\.[0-9])"),
            lambda text: checks.is_public_address(text) and max(map(int, text.split("."))) > 31,
            _PERHAPS,
        ),
        _Shape(
            "[23][0-9A-Fa-f]{3}:",
            re.compile(r"(?<![0-9A-Za-z:])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?![0-9A-Za-z:])"),
            checks.is_public_address,
            _LIKELY,
        ),
    ),
    "passport": (_Shape(_D + "{7}", _compiled("(?:[DEGPS][0-9]{8}|E[A-HJ-NP-Z][0-9]{7})"), bool, _LIKELY, word=True),),
    "permit": (_Shape(_D + "{8}", _compiled("[CWHMTL]?[0-9]{8}(?:[0-9]{2})?"), bool, _PERHAPS, word=True),),
    "plate": (
        _Shape(
            "[\u4e00-\u9fff][A-Za-zＡ-Ｚ][ ·•・.]?[0-9A-Z０-９Ａ-Ｚ]{4}|使[0-9０-９]{6}",
            re.compile(
                "([\u4e00-\u9fff][A-HJ-NP-Z][ ·•・]?"
                "(?:[A-HJK][A-HJ-NP-Z0-9][0-9]{4}|[0-9]{5}[A-HJK]|[A-HJ-NP-Z0-9]{5}|[A-HJ-NP-Z0-9]{4}[警学挂港澳领])"
                "|使[0-9]{6})(?![0-9A-Za-z])"
            ),
            checks.is_plate,
            _PERHAPS,
        ),
    ),
    "wechat": (
        _Shape(
            "(?i)微信|wechat|weixin|vx|wx|[ｖｗ][ｘ]",
            re.compile(
                r"(?:微信|(?<![A-Za-z])(?i:wechat|weixin|vx|wx))(?:号码?|(?i: ?id)|[:]) ?[:为是]? ?"
                r"([A-Za-z][0-9A-Za-z_-]{5,19}|1[3-9][0-9]{9})(?![0-9A-Za-z_.@-])"
            ),
            bool,
            _PERHAPS,
        ),
    ),
    "qq": (
        _Shape(
            "(?i)qq|扣扣|[ｑＱ][ｑＱ]",
            re.compile(
                r"(?:扣扣|(?<![0-9A-Za-z@.])(?i:qq))(?:群|号码?){0,2} ?[:为是]? ?([1-9][0-9]{4,10})(?![0-9A-Za-z.@-])"
            ),
            bool,
            _PERHAPS,
        ),
    ),
    "address": (
        _Shape(
            f"{_ROAD}{_D}{{1,5}}[号號弄]",
            re.compile(
                _ROAD + r"[0-9]{1,5}[号號弄](?:院|[0-9]{1,4}(?:号楼|栋|幢|座|单元|楼|层|室|号|-)?|[A-Z]座|单元|楼){0,6}"
            ),
            bool,
            _PERHAPS,
        ),
    ),
    "name": (),  # made of labels.tsv, see _shapes
}
_SEPARATORS = str.maketrans("", "", " -()·•・")
_BOUNDARY = re.compile(r"[\n\r\]]")
_ALL_LABELS = tuple(LABELS.values())
_BETWEEN = " ,;、和及与或/|"
# Numbers in code and formulas are values. Unclosed fences run to the end.
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,200}`|\$[^$\n\u4e00-\u9fff]{1,200}\$", re.DOTALL)
_IN_CODE = frozenset({"bank_card", "mobile", "landline", "ip", "plate", "qq"})


@cache
def _table(name: str) -> dict[str, re.Pattern[str]]:
    """Return for each type the alternation of its lines in a table."""
    found: dict[str, list[str]] = {}
    for line in lines_of(__package__, name):
        kind, pattern = line.split("\t")
        found.setdefault(kind, []).append(f"(?:{pattern})")
    return {kind: re.compile("|".join(patterns)) for kind, patterns in found.items()}


@cache
def _examples() -> frozenset[tuple[str, str]]:
    return frozenset(
        (kind, value) for kind, value in (row.split("\t") for row in lines_of(__package__, "examples.tsv"))
    )


@cache
def _shapes(kind: Type) -> tuple[_Shape, ...]:
    if kind != "name":
        return _SHAPES[kind]
    words = _table("labels.tsv")["name"].pattern
    end = rf"(?!{_HAN}|·)|(?=性别|电话|手机|身份证|年龄|男|女)"
    pattern = re.compile(
        rf"(?:{words})(?:姓名)?[ \u3000]?: ?({_HAN}{{2,4}}?(?:{end})|{_HAN}{{2,8}}·{_HAN}{{2,8}}(?:{end}))"
    )
    return (_Shape(f"(?:{words})(?:姓名)?[ \u3000]?[:：]", pattern, checks.is_name, _PERHAPS),)


@cache
def candidate(types: tuple[Type, ...]) -> str:
    """Return an RE2 pattern that matches every text in which one of the types may be found, and many others."""
    return "|".join(f"(?:{shape.perhaps})" for kind in types for shape in _shapes(kind))


def find(text: str, types: Sequence[Type] = TYPES) -> list[Span]:
    """Return what is found of some types, in order, not overlapping."""
    folded = _folded(text)
    code: list[tuple[int, int]] | None = None
    found: list[Span] = []
    for start, _, match, kind, shape in _candidates(folded, types):
        last = found[-1].end if found else 0
        if start < last or not shape.check(_bare(kind, match)) or _beside_label(folded, start, match.end()):
            continue
        window = _window(folded, max(last, start - (_PLACE if kind == "address" else _CONTEXT)), start)
        span = _placed(kind, shape, match, window, _follows(folded, start, found, kind))
        if span is None or (kind, _bare(kind, match)) in _examples():
            continue
        if kind in _IN_CODE:
            code = [m.span() for m in _CODE.finditer(folded)] if code is None else code
            if _inside(code, start):
                continue
        found.append(span)
    return found


def _folded(text: str) -> str:
    """The text with full-width signs as ASCII, one for one; `str.translate` takes ten times longer."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    wide = (points >= 0xFF01) & (points <= 0xFF5E)
    return np.where(wide, points - 0xFEE0, points).astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _candidates(folded: str, types: Sequence[Type]) -> Iterator[tuple[int, int, re.Match[str], Type, _Shape]]:
    order = [(place, kind, shape) for place, kind in enumerate(TYPES) if kind in types for shape in _shapes(kind)]
    found = [
        (_whole(m, kind)[0], place, m, kind, shape)
        for place, kind, shape in order
        for m in shape.pattern.finditer(folded)
    ]
    return iter(sorted(found, key=lambda row: row[:2]))


def _whole(match: re.Match[str], kind: Type) -> tuple[int, int]:
    """What is replaced: a mobile number with its +86, but a name without its label."""
    return match.span(1) if kind in ("name", "wechat", "qq") else match.span()


def _bare(kind: Type, match: re.Match[str]) -> str:
    """What is checked: without separators, in capitals."""
    text = match[1] if match.re.groups else match[0]
    if kind in ("email", "ip", "name", "wechat", "address"):
        return text
    bare = text.translate(_SEPARATORS).upper()
    return bare[-11:] if kind == "mobile" else bare  # without its +86


def _window(folded: str, begin: int, end: int) -> str:
    """The words before a number: on its line, after what was found before it and after any bracket."""
    return _BOUNDARY.split(folded[begin:end])[-1]


def _follows(folded: str, start: int, found: Sequence[Span], kind: Type) -> bool:
    """Whether a number stands in a list behind one of its type that is found, or was replaced by a label."""
    before = folded[max(0, start - _CONTEXT) : start]
    rest = before.rstrip(_BETWEEN)
    gap = len(before) - len(rest)
    if not 1 <= gap <= 4:
        return False
    if found and found[-1].type == kind and found[-1].end == start - gap:
        return True
    return rest.endswith(LABELS[kind])


def _placed(kind: Type, shape: _Shape, match: re.Match[str], window: str, follows: bool) -> Span | None:
    """The span when the words around allow it."""
    start, end = _whole(match, kind)
    if shape.word and not follows and not _table("labels.tsv")[kind].search(window):
        return None
    if kind in _table("allowed.tsv") and _table("allowed.tsv")[kind].search(window):
        return None
    if kind == "address":
        before = _address_start(window)
        if before is None:
            return None
        start -= before
    return Span(kind, start, end, shape.confidence)


@cache
def _region_names() -> re.Pattern[str]:
    return re.compile("|".join(name for name in checks.regions().values() if name))


def _address_start(window: str) -> int | None:
    """How many characters before the road the address begins: at a province, a city, or after a word."""
    text = _NO_PLACE.split(window)[-1]
    if region := _region_names().search(text):
        return len(text) - region.start()
    if city := re.search(rf"(?:^|[住在于址至到])({_HAN}{{2,3}}市{_HAN}{{1,6}}[区县市])", text):
        return len(text) - city.start(1)
    label = _table("labels.tsv")["address"].search(window)
    return len(window) - label.end() - len(re.match(r"[:为是在 ]*", window[label.end() :])[0]) if label else None  # type: ignore[index]


def _beside_label(folded: str, start: int, end: int) -> bool:
    """Whether it touches a label: what stood there was part of it, and it was not found then."""
    return folded.startswith(_ALL_LABELS, end) or folded.endswith(_ALL_LABELS, max(0, start - 16), start)


def _inside(places: Sequence[tuple[int, int]], at: int) -> bool:
    row = bisect_right(places, (at, 1 << 62)) - 1
    return row >= 0 and places[row][0] <= at < places[row][1]
