"""Leftovers: what page makers, forums and wikis leave in text beside HTML and Markdown, taken out.

Declarations, conditional comments, cut tags, tags of office programs, entities without their end or escaped twice,
lines of scripts and style sheets, BBCode and wiki marks. The words between the marks stay. This step goes before
`markup`, which would take `[url=…]` for a link.

Trade: patterns, not parsers. A text with fenced code, one that speaks of such marks (HTML, BBCode, wikitext), and one
of which more than a third of the lines are code keeps everything; wiki marks go only where two of them stand.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import ClassVar

import pyarrow as pa

from pipeline.clean.rows import mended
from pipeline.clean.suspects import Lines
from pipeline.step import Cleaner
from pipeline.tables import lines_of, resource
from schemas.manifest import Resource

_LINES, _BBCODE = "leftover_lines.txt", "bbcode.txt"
_CODE_SHARE = 1 / 3
_LAYERS = 50  # of leftovers inside leftovers; templates inside a million of templates must not cost a million of passes
_SPEAKS = re.compile(
    r"(?i)html|xml|css|javascript|bbcode|ubb|wikitext|markdown|模板语法|维基语法|維基語法|标签语言|```|~~~|<code|<pre"
)
_HAN = "\u3400-\u9fff"
# Python and RE2 alike. What stands before the first Han holds none, so that there is one way to match.
_WIKI = (
    rf"\[\[[^\[\]\n{_HAN}]*[{_HAN}][^\[\]\n]*\]\]|'''[^'\n{_HAN}]*[{_HAN}][^'\n]*'''"
    rf"|(?m:^={{2,5}}[^=\n]+={{2,5}}[ \t]*$)|\{{\{{[^{{}}\n{_HAN}]*[{_HAN}]"
)
_TAGS = re.compile(
    r"\A\s*<!(?:DOCTYPE|doctype)[^<>]*>\s*|\A\s*<\?xml[^<>]*\?>\s*|</?[ovwxm]:[A-Za-z]+[^<>]*>|<!(?:--)?\[(?:if|endif)[^<>]*\](?:--)?>"
)
_CUT = re.compile(r"<[A-Za-z]{1,10}\s[^<>{}=\n]*=[\"'][^<>{}\n]*\Z")
_SPACE = re.compile(r"(?:&(?:amp;)+nbsp;?|&nbsp(?![;A-Za-z]))+")
_MARKS = re.compile(_WIKI)
_MARKDOWN = re.compile(r"^#{1,6} \S", re.M)
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
_VARIANT = re.compile(r"-\{([^{}\n]*)\}-")
_FILE = re.compile(r"\[\[(?:File|Image|Category|文件|档案|檔案|图像|圖像|分类|分類)[:：][^\[\]]*\]\]", re.I)
_LINK = re.compile(r"\[\[(?:[^\[\]|\n]*\|)?([^\[\]|\n]*)\]\]")
_OUTER = re.compile(r"\[https?://[^\s\[\]]+(?:[ \t]+([^\[\]\n]*))?\]")
_QUOTES = re.compile("'{2,5}")
_HEADING = re.compile(r"^(={1,6})([^=\n]+)\1[ \t]*$", re.M)
_LIST = re.compile(r"^[*#:;]+[ \t]*", re.M)
_MAGIC = re.compile(r"__[A-Z]+__")
_REFERENCE = re.compile(r"<ref\b[^<>]*/>")


class Leftovers(Cleaner):
    """Takes out leftovers of pages, forums and wikis; `leftover_char_count`: by how many characters it got shorter."""

    kind: ClassVar[str] = "leftovers"
    revision: ClassVar[int] = 2

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many characters went, int64."""
        return {"leftover_char_count": pa.int64()}

    def resources(self) -> Sequence[Resource]:
        """The patterns of lines and the names of marks."""
        return (resource(__package__, _LINES, "CC0-1.0"), resource(__package__, _BBCODE, "CC0-1.0"))

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch without leftovers and the count."""
        rows = _lines().matched(batch.column("text"), _anywhere())
        return mended(batch, rows, self._cleaned, "leftover_char_count")

    def _cleaned(self, text: str) -> tuple[str, int]:
        cleaned = self.clean_text(text)
        return cleaned, len(text) - len(cleaned)

    def clean_text(self, text: str) -> str:
        """Return the text without leftovers, unless it speaks of such things."""
        text = _TAGS.sub("", text)
        for _ in range(_LAYERS):
            cleaned = _without_wiki(_without_bbcode(_without_lines(_without_tags(text))))
            if cleaned == text or _SPEAKS.search(text):
                break
            text = cleaned
        return text


def _without_tags(text: str) -> str:
    text = _between(text, "<![CDATA[", "]]>", lambda inner: inner)
    return _CUT.sub("", _SPACE.sub(" ", text))


def _without_lines(text: str) -> str:
    """Return the text without lines of scripts and style sheets, unless it is mostly such lines."""
    lines = text.split("\n")
    kept = [line for line in lines if len(line) > 2000 or not _line().fullmatch(line.strip())]
    gone = len(lines) - len(kept)
    return "\n".join(kept) if 0 < gone <= _CODE_SHARE * sum(1 for line in lines if line.strip()) else text


def _without_bbcode(text: str) -> str:
    """Return the text without the marks whose names are both opened and closed in it."""
    if "[/" not in text:
        return text
    pattern, objects = _bbcode()
    marks = [(mark[1], mark[2].lower()) for mark in pattern.finditer(text)]
    paired = {name for slash, name in marks if slash} & {name for slash, name in marks if not slash}
    for name in paired & objects:
        for form in (name, name.upper()):
            text = _between(text, f"[{form}]", f"[/{form}]", lambda _: "")
    return pattern.sub(lambda mark: "" if mark[2].lower() in paired else mark[0], text)


def _without_wiki(text: str) -> str:
    """Return the text without wiki marks, if it has two of them."""
    if len(_MARKS.findall(text)) < 2 or _MARKDOWN.search(text):
        return text
    text = _between(text, "\n{|", "\n|}", lambda _: "")
    for _ in range(4):  # templates inside templates
        text = _TEMPLATE.sub("", text)
    text = _VARIANT.sub(lambda match: match[1].split("|")[-1].split(";")[0].rpartition(":")[2], text)
    text = _between(_REFERENCE.sub("", text), "<ref", "</ref>", lambda _: "")
    text = _LINK.sub(r"\1", _FILE.sub("", text))
    text = _OUTER.sub(lambda link: link[1] or "", text)
    text = _HEADING.sub(lambda heading: heading[2].strip(), _QUOTES.sub("", text))
    return _MAGIC.sub("", _LIST.sub("", text)).strip("\n")


def _between(text: str, opening: str, closing: str, kept: Callable[[str], str]) -> str:
    """Return the text with what stands from an opening to its closing mark replaced; linear, unlike a lazy pattern."""
    parts, last = [], 0
    while (begin := text.find(opening, last)) >= 0:
        end = text.find(closing, begin + len(opening))
        if end < 0:
            break
        parts += [text[last:begin], kept(text[begin + len(opening) : end])]
        last = end + len(closing)
    return "".join([*parts, text[last:]])


@cache
def _anywhere() -> str:
    """Return one RE2 pattern that matches a text in which something may be left."""
    lines = "|".join(lines_of(__package__, _LINES))
    names = "|".join(name for line in lines_of(__package__, _BBCODE) for name in line.split()[1:])
    tags = r"<!\[|<!--\[if|<!(?i:doctype)|<\?xml|</?[ovwxm]:[A-Za-z]|<[A-Za-z]+ [^<>\n]*\z"
    spaces = r"&nbsp(?:[^;A-Za-z]|\z)|&(?:amp;)+nbsp"
    return rf"{tags}|{spaces}|\[/(?i:{names})\]|{_WIKI}|(?m:^[ \t]*(?:{lines})[ \t]*$)"


@cache
def _lines() -> Lines:
    """Return the lines in which something may be left: marks, the letters of the scripts, or whole lines of ASCII."""
    return Lines.holding("<&['={}$@*_gmj", every="7.", narrow=True)


@cache
def _line() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{line})" for line in lines_of(__package__, _LINES)))


@cache
def _bbcode() -> tuple[re.Pattern[str], frozenset[str]]:
    """Return the pattern of a mark of BBCode, and the names of marks that hold no words."""
    names: dict[str, list[str]] = {}
    for line in lines_of(__package__, _BBCODE):
        what, *names[what] = line.split()
    every = "|".join(name for group in names.values() for name in group)
    return re.compile(rf"\[(/?)({every})(?:=[^\]\n]{{0,200}})?\]", re.I), frozenset(names["object"])
