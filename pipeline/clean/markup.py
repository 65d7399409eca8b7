"""Markup: Markdown syntax and leftover HTML taken out of text, the readable words kept.

Headings, links, lists, emphasis and table cells keep their words; code stays as it is, fences included, so that code
and prose can still be told apart; front matter, images, comments and link definitions go. A text is touched only where
it looks like Markdown or HTML, so a statute with an asterisk stays as it is.

Trade: patterns, not a parser. Escaped tags (`&lt;div&gt;`) stay escaped, because a text about HTML would lose its
subject otherwise; indented code blocks count as text.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

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
# Each line one way alone, or a text of lines that never end it would be read in all of them.
_FRONT_MATTER = re.compile(r"\A---\n(?>[\w -]+:.*\n|[ \t#-].*\n|\n)+?(?:---|\.\.\.)(?:\n|\Z)")
# A line that begins or ends fenced code, after a line break.
_RAIL = re.compile(r"\n[ \t]*(?P<marks>`{3,}|~{3,})(?:(?P<closes>`*~*)[ \t]*$|.*$)", re.M)
# The last group of these says that the line holds nothing else, so that it goes with its break.
_DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]+\]: *\S+(?:[ \t]+[\"'(].*)?[ \t]*($)?", re.M)
_HEADING = re.compile(r"^ {0,3}(?:#{1,6}[ \t]+)+(.*)$", re.M)
_UNDERLINE = re.compile(r"^(?:={3,}|-{3,}|(?:\* ?){3,}|_{3,})[ \t]*($)?", re.M)
_QUOTE = re.compile(r"^(?: {0,3}>[ \t]?)+", re.M)
_LIST = re.compile(r"^([ \t]*)(?:[-*+][ \t]+)+(?:\[[ xX]\][ \t]+)?", re.M)
_TABLE_RULE = re.compile(r"^[ \t]*(?:\|[ \t]*)?(?::?-+:?[ \t]*\|[ \t]*)+(?::?-+:?[ \t]*)?$", re.M)
_TABLE_ROW = re.compile(r"^[ \t]*\|(.*)\|[ \t]*$", re.M)
# The first character is taken before any alternative looks at it, so that the search runs from mark to mark, eight
# times faster than trying every alternative everywhere. What must not stand before it is looked for behind it. The
# words of an image and code are bounded, since a line of a million `![` would be read to its end a million times.
_INLINE = re.compile(
    r"[`!\[<*_~](?:"
    r"(?<=`)(?<!``)(?P<code>(?P<tick>`*)(?!`)[^\n]{0,2000}?(?<!`)`(?P=tick)(?!`))"
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
# How every tag begins, so that code with a < is not searched for each of them. Ignoring case lets ſ be an s there, too.
_TAG = re.compile("</?[A-Za-z]", re.I)
_EMPTY = re.compile(r"\n{3,}")
_HEAD, _INSIDE, _BLANK, _NEWLINE, _RARE = 1, 2, 4, 8, 16  # bits of bytes and lines
_ENTITY = re.compile(r"&(?:#[0-9]{2,7}|#[xX][0-9A-Fa-f]{2,6}|[A-Za-z][A-Za-z0-9]{1,15});")


class Markup(Cleaner):
    """Takes out Markdown and HTML; `markup_char_count`: by how many characters the text became shorter."""

    kind: ClassVar[str] = "markup"
    revision: ClassVar[int] = 3

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
        return _plain_texts([text])[0] if _lines().matched(pa.array([text], pa.string()), _LOOKS) else text


@cache
def _lines() -> Lines:
    """Return the lines that may look like markup."""
    return Lines.holding("#]`~|*<&", only="-=")


def _plain_texts(marked: Sequence[str]) -> list[str]:
    """Return texts that look like markup with one layer after the other gone, until none looks so or changes."""
    texts = list(marked)
    pending = list(range(len(texts)))
    for _ in range(_LAYERS):
        if not pending:
            break
        plain = _plain([texts[row] for row in pending])
        changed = [row for row, text in zip(pending, plain, strict=True) if text != texts[row]]
        for row, text in zip(pending, plain, strict=True):
            texts[row] = text
        looking = _lines().matched(pa.array([texts[row] for row in changed], pa.string()), _LOOKS)
        pending = [changed[place] for place in looking]
    return texts


def _plain(texts: Sequence[str]) -> list[str]:
    """Return texts with one layer of markup gone; none longer than it was."""
    parts: list[str] = []  # of all texts, in each prose and fenced code in turns, prose first and last
    firsts = [0]
    prose: list[int] = []
    for text in texts:
        bare = _FRONT_MATTER.sub("", text, count=1) if text.startswith("---\n") else text
        last = 0
        for begin, end in _fences(bare) if "```" in bare or "~~~" in bare else ():
            prose.append(len(parts))
            parts += [bare[last:begin], bare[begin:end]]
            last = end
        prose.append(len(parts))
        parts.append(bare[last:])
        firsts.append(len(parts))
    for place, plain in zip(prose, _unmarked([parts[place] for place in prose]), strict=True):
        if plain != parts[place]:
            # The empty lines that a picture leaves behind are closed up.
            parts[place] = _EMPTY.sub("\n\n", plain) if "\n\n\n" in plain else plain
    wholes = ["".join(parts[first:end]) for first, end in pairwise(firsts)]
    return [text if whole == text else whole.strip("\n") for text, whole in zip(texts, wholes, strict=True)]


def _fences(text: str) -> Iterator[tuple[int, int]]:
    """Yield where fenced code begins and ends, its fences included; what never closes is no code.

    A fence closes by as many of its marks or more. How many the lines that come close at most is known beforehand, so
    that fences which never close are not looked for again and again.
    """
    rails = list(_RAIL.finditer("\n" + text))
    most = {"`": 0, "~": 0}
    later: list[tuple[int, int]] = []  # of each rail, the most marks of those after it, of both kinds
    exact: dict[int, int] = {}  # the last that closes as many ~ alone (~~~`)
    for number in range(len(rails) - 1, -1, -1):
        later.append((most["`"], most["~"]))
        marks, closes = rails[number].group("marks", "closes")
        if closes is not None and "`" in closes:
            exact.setdefault(len(marks), number)
        elif closes is not None:
            most[marks[0]] = max(most[marks[0]], len(marks))
    number = 0
    while number < len(rails):
        opening = number
        number += 1
        marks = rails[opening]["marks"]
        tilde = marks[0] == "~"
        if later[-number][tilde] >= len(marks) or (tilde and exact.get(len(marks), 0) >= number):
            while not _closes(rails[number], marks):
                number += 1
            # Places are one less than where a line break stands before the text.
            yield rails[opening].start(), rails[number].end() - 1
            number += 1


def _closes(rail: re.Match[str], marks: str) -> bool:
    """Tell whether a line ends fenced code that began with some marks."""
    found, rest = rail.group("marks", "closes")
    if rest is None or found[0] != marks[0]:
        return False
    return found == marks if "`" in rest else len(found) >= len(marks)


def _unmarked(parts: Sequence[str]) -> list[str]:
    """Return stretches of prose without their marks.

    All patterns but those of HTML match inside a line. So each reads the lines alone that may hold its marks, of all
    stretches at once: most texts are short, and beginning a search takes as long as reading a hundred characters.
    """
    parts = [_without_comments(part) if "<!--" in part else part for part in parts]
    text = "\n".join(parts)
    lines = text.split("\n")
    sizes = [part.count("\n") + 1 for part in parts]
    marks = np.empty(len(lines), np.uint8)
    _find_marks(np.frombuffer(text.encode("utf-8"), np.uint8), _mark_bits(), marks)
    # Stands for a line that goes with its break.
    gone = next(char for char in map(chr, range(0xE000, 0x110000)) if char not in text)
    for ruled, listed, which in _groups(parts, sizes, marks):
        _rewrite(lines, which, lambda some: _without_blocks(some, gone, ruled=ruled, listed=listed))  # noqa: B023
    _rewrite(lines, (marks & _INSIDE) > 0, lambda some: _INLINE.sub(_kept, some))
    firsts = pairwise(accumulate(sizes, initial=0))
    return [_without_html(_joined(lines[first:end], gone)) for first, end in firsts]


def _groups(
    parts: Sequence[str], sizes: Sequence[int], marks: npt.NDArray[np.uint8]
) -> Iterator[tuple[bool, bool, npt.NDArray[np.bool_]]]:
    """Yield the lines that may begin a block, bool, (lines,), and whether rules and lists are looked for in them.

    A rule such as `** *` and an item set off by a tab count beside usual ones in the same stretch alone.
    """
    blocks = (marks & _HEAD) > 0
    firsts = np.cumsum([0, *sizes[:-1]])
    ruled, listed = np.ones(len(parts), np.bool_), np.ones(len(parts), np.bool_)
    for place in np.flatnonzero(np.bitwise_or.reduceat(marks, firsts) & _RARE).tolist():
        ruled[place] = any(mark in parts[place] for mark in ("---", "===", "***", "* * *", "___"))
        listed[place] = any(mark in parts[place] for mark in ("- ", "* ", "+ "))
    groups = np.repeat(ruled * 2 + listed, sizes)
    for group in range(4):
        which = blocks & (groups == group)
        if which.any():
            yield group >= 2, group % 2 == 1, which


def _rewrite(lines: list[str], which: npt.NDArray[np.bool_], change: Callable[[str], str]) -> None:
    """Rewrite some lines, all in one text."""
    places = np.flatnonzero(which).tolist()
    if places:
        changed = change("\n".join([lines[place] for place in places])).split("\n")
        for place, line in zip(places, changed, strict=True):
            lines[place] = line


def _without_blocks(text: str, gone: str, *, ruled: bool, listed: bool) -> str:
    """Return lines without definitions of links, and without the marks of headings, tables, rules, quotes and lists."""
    text = _DEFINITION.sub(lambda link: "" if link[1] is None else gone, text)
    text = _HEADING.sub(lambda heading: heading[1].rstrip(" \t").rstrip("#").rstrip(" \t"), text)
    text = _TABLE_ROW.sub(_cells, _TABLE_RULE.sub(gone, text))
    if ruled:
        text = _UNDERLINE.sub(lambda rule: "" if rule[1] is None else gone, text)
    text = _QUOTE.sub("", text)
    return _LIST.sub(itemgetter(1), text) if listed else text


def _joined(lines: list[str], gone: str) -> str:
    """Return a stretch of its lines, without those that go; of the last one its place stays."""
    text = "\n".join(lines)
    if gone in text:
        text = "\n".join([*(line for line in lines[:-1] if line != gone), lines[-1].replace(gone, "")])
    return text


def _without_html(text: str) -> str:
    """Return a stretch without tags, its entities decoded."""
    if _TAG.search(text):
        text = _without_tags(text)
    return _ENTITY.sub(_decoded, text) if "&" in text else text


@cache
def _mark_bits() -> npt.NDArray[np.uint8]:
    """Return for each byte, uint8, (256,): what may begin a block, what may stand inside a line, blanks."""
    bits = np.zeros(256, np.uint8)
    for bit, chars in ((_HEAD, "#>-*+=_|:["), (_INSIDE, "*_~<]"), (_BLANK, " \t"), (_NEWLINE, "\n")):
        bits[[ord(char) for char in chars]] |= bit
    return bits


@njit(cache=True, nogil=True)
def _find_marks(data: Any, bits: Any, marks: Any) -> None:
    """Write of each line whether it begins a block, after blanks, whether marks stand inside, and rare forms of marks.

    Rare are a hyphen, star or plus before a tab, and `** *` and `* **`.
    """
    line = 0
    head = True
    seen = np.uint8(0)
    last = 0  # four bytes
    for byte in data:
        found = bits[byte]
        last = ((last << 8) | byte) & 0xFFFFFFFF
        if found & _NEWLINE:
            marks[line] = seen
            line += 1
            head = True
            seen = np.uint8(0)
        elif found & _BLANK:
            before = (last >> 8) & 0xFF
            if byte == 9 and (before == 0x2D or before == 0x2A or before == 0x2B):
                seen |= np.uint8(_RARE)
        else:
            seen |= found if head else found & np.uint8(_INSIDE)
            head = False
            if last == 0x2A2A202A or last == 0x2A202A2A:
                seen |= np.uint8(_RARE)
    marks[line] = seen


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
    """Return the patterns of tags of elements dropped whole, ruby readings, blocks, cells and inline elements.

    And those of a line that is the tag of a block, and of the tag of a cell at the head of a line.
    """
    names: dict[str, list[str]] = {}
    for line in lines_of(__package__, _TAGS):
        what, *tags = line.split()
        names.setdefault(what, []).extend(tags)
    dropped = "|".join(names["dropped"])
    whole = re.compile(rf"<(/?)({dropped}|rp)\b[^<>]*>", re.I)
    ruby = re.compile(r"<rt\b[^<>]*>([^<>]*)</rt>", re.I)
    tags = [rf"</?(?:{'|'.join(names[what])}){_ATTRIBUTES}\s*/?>" for what in ("block", "cell", "inline")]
    block, cell, inline = (re.compile(tag, re.I) for tag in tags)
    block_line, cell_head = re.compile(rf"(?im)^[ \t]*{tags[0]}[ \t]*\n"), re.compile(rf"(?im)^[ \t]*{tags[1]}")
    return whole, ruby, block, cell, inline, block_line, cell_head


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
    whole, ruby, block, cell, inline, block_line, cell_head = _tag_patterns()
    text = ruby.sub(r"（\1）", _without_elements(text, whole))
    if block.search(text):
        # A line that is one tag leaves no empty line behind; between words a block's end is a line's end.
        text = block.sub("\n", block_line.sub("", text))
    if cell.search(text):
        # Cells are parted by tabs, none before the first of a row.
        text = cell.sub(lambda tag: "" if tag[0][1] == "/" else "\t", cell_head.sub("", text))
    return inline.sub("", text)
