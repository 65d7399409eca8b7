"""Markup: Markdown syntax and leftover HTML taken out of text, the readable words kept.

Headings, links, lists, emphasis and table cells keep their words; code stays as it is, fences included, so that code
and prose can still be told apart; front matter, images, comments and link definitions go. A text is touched only where
it looks like Markdown or HTML, so a statute with an asterisk stays as it is.

Trade: patterns, not a parser. Escaped tags (`&lt;div&gt;`) stay escaped, because a text about HTML would lose its
subject otherwise; indented code blocks count as text.
"""

import html
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import compress
from operator import itemgetter
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.clean.rows import with_texts
from pipeline.clean.suspects import Lines
from pipeline.step import Cleaner, replace_text
from pipeline.tables import lines_of, resource
from schemas.manifest import Resource

_TAGS = "html_tags.txt"
_LAYERS = 50  # of markup inside markup that are looked into; a million of brackets must not cost a million of passes
# What makes a text look like Markdown (or HTML). RE2, over the column; emphasis and list marks alone do not count.
_LOOKS = (
    r"(?m)^#{1,6} \S|\]\([^)\s]|^(?:```|~~~)|^\[[^\]\n]+\]: *\S|\]\[[^\]\n]*\]|\A---\n|^\|? ?:?-{3,}:? ?\|"
    r"|\*\*[^*\s][^*\n]*\*\*|</?[A-Za-z][A-Za-z0-9]*[^<>\n]*>|<!--|&(?:#[0-9]{2,7}|#[xX][0-9A-Fa-f]{2,6}|[A-Za-z][A-Za-z0-9]{1,15});|^={3,}$"
)
_FRONT_MATTER = re.compile(r"\A---\n(?:[\w -]+:.*\n|[ \t#-].*\n|\n)+?(?:---|\.\.\.)(?:\n|\Z)")
_FENCE = re.compile(r"^[ \t]*(```+(?!`)|~~~+(?!~)).*\n(?:.*\n)*?[ \t]*\1`*~*[ \t]*$", re.M)
_DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]+\]: *\S+(?:[ \t]+[\"'(].*)?[ \t]*\n?", re.M)
_HEADING = re.compile(r"^ {0,3}(?:#{1,6}[ \t]+)+(.*)$", re.M)
_UNDERLINE = re.compile(r"^(?:={3,}|-{3,}|(?:\* ?){3,}|_{3,})[ \t]*\n?", re.M)
_QUOTE = re.compile(r"^(?: {0,3}>[ \t]?)+", re.M)
_LIST = re.compile(r"^([ \t]*)(?:[-*+][ \t]+)+(?:\[[ xX]\][ \t]+)?", re.M)
_TABLE_RULE = re.compile(r"^[ \t]*(?:\|[ \t]*)?(?::?-+:?[ \t]*\|[ \t]*)+(?::?-+:?[ \t]*)?(?:\n|\Z)", re.M)
_TABLE_ROW = re.compile(r"^[ \t]*\|(.*)\|[ \t]*$", re.M)
# The first character is taken before any alternative looks at it, so that the search runs from mark to mark, eight
# times faster than trying every alternative everywhere. What must not stand before it is looked for behind it. The
# words of an image are bounded, since a line of a million `![` would be read to its end a million times.
_INLINE = re.compile(
    r"[`!\[<*_~](?:"
    r"(?<=`)(?<!``)(?P<code>(?P<tick>`*)(?!`)[^\n]*?(?<!`)`(?P=tick)(?!`))"
    r"|(?<=!)\[[^\]\n]{0,1000}\](?:\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\[[^\]\n]*\])"
    r"|(?<=\[)(?<!!\[)(?P<link>[^\[\]\n]*)\](?:\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\[[^\]\n]*\])"
    r"|(?<=<)(?P<url>https?://[^<>\s]+)>"
    r"|(?<=\*)(?P<star>\*{1,2})(?=[^\s*])(?P<strong>[^*\n]*[^\s*])\*(?P=star)"
    r"|(?<=\*)(?<![0-9A-Za-z*\\]\*)(?=[^\s*])(?P<emphasis>[^*\n]*[^\s*])\*(?![0-9A-Za-z*])"
    r"|(?<=_)(?<![0-9A-Za-z_\\]_)(?P<line>_?)(?=[^\s_])(?P<under>[^_\n]*[^\s_])_(?P=line)(?![0-9A-Za-z_])"
    r"|(?<=~)~(?=\S)(?P<struck>[^~\n]*\S)~~"
    r")"
)
# Spelled out, so that "a<b 且 c>d" is no tag.
_ATTRIBUTES = r"(?:\s+[A-Za-z_:@][A-Za-z0-9_:.@-]*(?:\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+))?)*"
_ENTITY = re.compile(r"&(?:#[0-9]{2,7}|#[xX][0-9A-Fa-f]{2,6}|[A-Za-z][A-Za-z0-9]{1,15});")


class Markup(Cleaner):
    """Takes out Markdown and HTML; `markup_char_count`: by how many characters the text became shorter."""

    kind: ClassVar[str] = "markup"
    revision: ClassVar[int] = 2

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many characters went, int64."""
        return {"markup_char_count": pa.int64()}

    def resources(self) -> Sequence[Resource]:
        """The table of HTML elements."""
        return (resource(__package__, _TAGS, "CC0-1.0"),)

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with plain text and the count."""
        column = batch.column("text")
        suspects = _lines().matched(column, _LOOKS)
        marked = column.take(pa.array(suspects, pa.int64())).to_pylist()
        texts = dict(zip(suspects, _plain_texts(marked), strict=True))
        counts = [0] * len(column)
        for (row, text), before in zip(texts.items(), marked, strict=True):
            counts[row] = len(before) - len(text)
        batch = replace_text(batch, with_texts(column, texts))
        return batch.append_column("markup_char_count", pa.array(counts, pa.int64()))

    def clean_text(self, text: str) -> str:
        """Return the text without markup, if it looks as if it had any."""
        looks = pc.match_substring_regex(pa.array([text], pa.string()), _LOOKS)[0].as_py()
        return _plain_texts([text])[0] if looks else text


@cache
def _lines() -> Lines:
    """Return the lines that may look like markup."""
    return Lines.holding("#]`~|*<&", only="-=")


def _plain_texts(marked: Sequence[str]) -> list[str]:
    """Return texts that look like markup with one layer after the other gone, until none looks so or changes."""
    texts = list(marked)
    pending = list(range(len(texts)))
    for _ in range(_LAYERS):
        changed = []
        for row in pending:
            text = _plain(texts[row])
            if text != texts[row]:
                texts[row] = text
                changed.append(row)
        if not changed:
            break
        looks = pc.match_substring_regex(pa.array([texts[row] for row in changed], pa.string()), _LOOKS).to_pylist()
        pending = list(compress(changed, looks))
    return texts


def _plain(text: str) -> str:
    """Return the text with one layer of markup gone; never longer than it was."""
    whole = text
    if text.startswith("---\n"):
        text = _FRONT_MATTER.sub("", text, count=1)
    parts, last = [], 0
    for fence in _FENCE.finditer(text) if "```" in text or "~~~" in text else ():
        parts += [_prose(text[last : fence.start()]), fence[0]]
        last = fence.end()
    text = "".join([*parts, _prose(text[last:])])
    return whole if text == whole else text.strip("\n")


def _prose(text: str) -> str:
    """Return a stretch without fenced code, plain, the empty lines that a picture leaves behind closed up."""
    plain = _unmarked(text)
    return text if plain == text else re.sub(r"\n{3,}", "\n\n", plain)


def _unmarked(text: str) -> str:
    """Return a stretch without its marks. Each pattern runs only where its mark occurs."""
    if "<!--" in text:
        text = _without_comments(text)
    if "]:" in text:
        text = _DEFINITION.sub("", text)
    if "#" in text:
        text = _HEADING.sub(lambda heading: heading[1].rstrip(" \t").rstrip("#").rstrip(" \t"), text)
    if "|" in text:
        text = _TABLE_ROW.sub(_cells, _TABLE_RULE.sub("", text))
    if "---" in text or "===" in text or "***" in text or "* * *" in text or "___" in text:
        text = _UNDERLINE.sub("", text)
    if ">" in text:
        text = _QUOTE.sub("", text)
    if "- " in text or "* " in text or "+ " in text:
        text = _LIST.sub(itemgetter(1), text)
    if any(mark in text for mark in ("](", "][", "*", "_", "~~", "<http")):
        text = _INLINE.sub(_kept, text)
    if "<" in text:
        text = _without_tags(text)
    if "&" in text:
        text = _ENTITY.sub(_decoded, text)
    return text


def _kept(match: re.Match[str]) -> str:
    """Return what is read of an inline mark; nothing of an image."""
    if match.lastgroup == "code":
        return match[0]
    # Of two groups the second is the last: the words, not the mark around them.
    return match[match.lastgroup] if match.lastgroup else ""


def _cells(match: re.Match[str]) -> str:
    return "\t".join(cell.strip() for cell in re.split(r"(?<!\\)\|", match[1]))


def _decoded(match: re.Match[str]) -> str:
    """Return the character of an entity, but leave escaped tags and entities: the text speaks of them."""
    char = html.unescape(match[0])
    before = match.string[max(0, match.start() - 1) : match.start()]
    after = match.string[match.end() : match.end() + 18]
    if (
        (char == "<" and re.match(r"[A-Za-z/!?]", after))
        or (char == ">" and (before in ("", "\n") or re.match(r"[A-Za-z0-9\"'/-]", before)))
        or (char == "&" and re.match(r"#?[A-Za-z0-9]{1,16};", after))
    ):
        return match[0]
    return ("\n" if char in "\r\n" else " ") if char.isspace() else char


@cache
def _tag_patterns() -> tuple[re.Pattern[str], ...]:
    """Return the patterns of tags of elements dropped whole, ruby readings, blocks, cells and inline elements."""
    names: dict[str, list[str]] = {}
    for line in lines_of(__package__, _TAGS):
        what, *tags = line.split()
        names.setdefault(what, []).extend(tags)
    dropped = "|".join(names["dropped"])
    whole = re.compile(rf"<(/?)({dropped}|rp)\b[^<>]*>", re.I)
    ruby = re.compile(r"<rt\b[^<>]*>([^<>]*)</rt>", re.I)
    tags = [rf"</?(?:{'|'.join(names[what])}){_ATTRIBUTES}\s*/?>" for what in ("block", "cell", "inline")]
    block, cell, inline = (re.compile(tag, re.I) for tag in tags)
    return whole, ruby, block, cell, inline


def _without_comments(text: str) -> str:
    """Return the text without comments that end; a lazy pattern would look for each end anew."""
    parts, last = [], 0
    while (begin := text.find("<!--", last)) >= 0 and (end := text.find("-->", begin + 4)) >= 0:
        parts.append(text[last:begin])
        last = end + 3
    return "".join([*parts, text[last:]])


def _without_elements(text: str, tag: re.Pattern[str]) -> str:
    """Return the text without elements from their opening to the next closing tag of the same name."""
    parts, last, name = [], 0, ""
    closing = {match[2].lower(): match.start() for match in tag.finditer(text) if match[1]}  # the last of each
    for match in tag.finditer(text):
        found = match[2].lower()
        if not name and not match[1] and closing.get(found, -1) > match.start():
            parts.append(text[last : match.start()])
            name = found
        elif name == found and match[1]:
            last, name = match.end(), ""
    return "".join([*parts, text[last:]])


def _without_tags(text: str) -> str:
    whole, ruby, block, cell, inline = _tag_patterns()
    text = ruby.sub(r"（\1）", _without_elements(text, whole))
    # A line that is one tag leaves no empty line behind; between words a block's end is a line's end.
    text = re.sub(rf"(?im)^[ \t]*{block.pattern}[ \t]*\n", "", text)
    # Cells are parted by tabs, none before the first of a row.
    text = re.sub(rf"(?im)^[ \t]*{cell.pattern}", "", block.sub("\n", text))
    return inline.sub("", cell.sub(lambda tag: "" if tag[0][1] == "/" else "\t", text))
