r"""RTF documents: the running text, tables as rows, each note behind its paragraph; title and dates of the info group.

Bytes written as \'hh are joined before they are decoded, by the charset of their font, else by the code page of the
document; \uN stands in place of the characters that follow it for older programs. Where a document says Western code
page and its bytes are Chinese, they are read as that. Left out: headers and footers, pictures, fields' codes, comments,
hidden and deleted text, symbols of symbol fonts.

Trade-off: a group is told by its first word alone, so what a newer program marks with `\*` is left out unless it is
known here.
"""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import ClassVar

from pipeline.readers.commonness import commonness
from pipeline.readers.content import Content
from pipeline.readers.encoding import Data
from pipeline.readers.reader import Bad, Intake, Reader, Record, collected, encodable

TOKEN = re.compile(
    rb"\\u(-?\d{1,6}) ?(\??)|((?:\\'[0-9a-fA-F]{2})+)|\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\([^a-zA-Z])|([{}])"
    rb"|([^\\{}\r\n\0]+)|[\r\n\0\\]",
    re.DOTALL,
)
END_OF_FONTS = re.compile(rb"\}\s*\}")
HIGH = re.compile(rb"(?:\\'[89a-fA-F][0-9a-fA-F]\\'[0-9a-fA-F]{2}){2,}")
SURE = 0.7  # commonness from which bytes of a Western document are Chinese; see encoding.GOOD
SAMPLE = 1 << 18
SILENT = frozenset(
    ("colortbl", "stylesheet", "pict", "header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr",
     "footerf", "ftnsep", "ftnsepc", "ftncn", "aftnsep", "aftnsepc", "aftncn", "fldinst", "xe", "tc", "tcn", "rxe",
     "listtable", "listoverridetable", "revtbl", "filetbl", "nonshppict", "shprslt", "objdata", "private", "template",
     "annotation", "atnid", "atnauthor", "pntxta", "pntxtb", "do", "nesttableprops", "nonesttables")
)  # fmt: skip
KNOWN = frozenset(("footnote", "shpinst", "listtext", "pntext", "fldrslt", "result"))  # in spite of `\*`
WORDS = {"tab": "\t", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
         "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ", "line": "\n"}  # fmt: skip
SYMBOLS = {b"\\": "\\", b"{": "{", b"}": "}", b"~": " ", b"_": "-"}
ENDS = frozenset(("par", "sect", "page", "column"))
SYMBOL = "symbol"


class Rtf(Reader):
    """A document in Rich Text Format."""

    kind: ClassVar[str] = "rtf"
    revision: ClassVar[int] = 2
    formats: ClassVar[tuple[str, ...]] = ("rtf",)
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the document as one record."""
        document = _Document(content.data)
        text = collected(document.lines(), intake)
        if document.depth > 0:
            intake.losses.append("the RTF document has no end: what is behind the cut is missing; fetch it again")
        if document.errors:
            intake.losses.append(f"{document.errors} byte sequences are no {document.page} and were read as U+FFFD")
        intake.encoding = document.page
        title = " ".join(document.said.get("title", "").split())
        yield Record(0, text, title or None, None, document.times.get("creatim"), document.times.get("revtim"))


@dataclass(slots=True)
class _Group:
    """What a group may change and its end brings back. `silence`: 1 but for text boxes, 2 wholly; `name`: if caught."""

    silence: int = 0
    hidden: bool = False
    skip: int = 1  # characters behind a \uN that stand for it
    font: int = -1
    name: str = ""
    is_new: bool = True
    is_marked: bool = False  # begins with \*


class _Document:
    """One document being read; what is found beside its lines stands in it afterwards."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self.page = _chinese(data) or "cp1252"
        self._is_found = self.page != "cp1252"
        self.errors, self.depth = 0, 0
        self.said: dict[str, str] = {}
        self.times: dict[str, datetime] = {}
        self._fonts: dict[int, str] = {}
        self._group = _Group()
        self._stack: list[_Group] = []
        self._parts: list[list[str]] = [[]]  # of the text, and of what is caught inside it
        self._bytes = bytearray()
        self._skipped = 0
        self._in_table = self._in_fonts = self._is_labelled = False
        self._notes: list[str] = []
        self._time: dict[str, int] = {}

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text in order."""
        at, data = 0, self._data
        while match := TOKEN.match(data, at):
            at = match.end()
            unicode, mark, high, word, number, symbol, brace, text = match.groups()
            if brace == b"{":
                self._open()
            elif brace:
                self._close()
                if self.depth <= 0:
                    break
            elif unicode is not None:
                self._unicode(int(unicode), mark)
            elif high is not None:
                self._take(bytes.fromhex(high.replace(b"\\'", b"").decode("ascii")))
            elif text is not None:
                self._take(text)
            elif word is not None:
                name = word.decode("ascii")
                if name == "bin":
                    at += max(0, int(number or 0))
                elif self._ends_line(name, int(number) if number else None):
                    yield from self._line()
            elif symbol is not None and self._ends_line_symbol(symbol):
                yield from self._line()
        while len(self._parts) > 1:
            self._flush()
            unclosed = self._parts.pop()
            self._parts[-1] += unclosed
        yield from self._line()

    def _open(self) -> None:
        self._flush()
        self.depth, self._skipped = self.depth + 1, 0
        self._stack.append(self._group)
        self._group = replace(self._group, name="", is_new=True, is_marked=False)

    def _close(self) -> None:
        self._flush()
        self.depth -= 1
        name = self._group.name
        if name == "fonttbl":
            self._in_fonts = False
        elif name:
            self._caught(name, "".join(self._parts.pop()) if len(self._parts) > 1 else "")
        self._group = self._stack.pop() if self._stack else _Group()
        self._skipped = 0

    def _caught(self, name: str, text: str) -> None:
        if name == "footnote":
            self._notes.append(text)
        elif name == "title":
            self.said[name] = text if text.strip("? ") else ""  # characters that the producer could not write
        else:
            said = self._time
            with suppress(KeyError, ValueError, OverflowError):
                day = (said["yr"], said["mo"], said["dy"])
                self.times[name] = datetime(*day, said.get("hr", 0), said.get("min", 0), tzinfo=UTC)
            self._time = {}

    def _begin(self, name: str) -> None:
        """Note what the first word of a group makes of it."""
        group = self._group
        group.is_new = False
        if name == "fonttbl":
            group.silence, group.name, self._in_fonts = 2, name, True
        elif name == "info":
            group.silence = 2
        elif name in ("title", "creatim", "revtim") and group.silence < 3:
            group.silence, group.name = 0, name
            self._parts.append([])
        elif name == "shptxt":
            group.silence = 2 * (group.silence > 1)
        elif name == "shpinst":
            group.silence = max(1, group.silence)
        elif name == "ud" and group.silence == 2:
            pass  # the title once more, in Unicode
        elif name in SILENT or (group.is_marked and name not in KNOWN):
            group.silence = 3
        elif name in ("listtext", "pntext"):
            self._is_labelled = True
        elif name == "footnote" and not group.silence:
            group.name = name
            self._parts.append([])

    def _ends_line(self, name: str, number: int | None) -> bool:
        """Do what a control word says; True where it ends a line of the text."""
        if self._skipped:
            self._skipped -= 1
            return False
        group = self._group
        if group.is_new:
            self._begin(name)
        if name == "uc":
            group.skip = max(0, number or 0)
        elif name == "f":
            self._flush()
            group.font = number or 0
        elif name == "fcharset" and self._in_fonts:
            self._fonts[group.font] = SYMBOL if number == 2 else _codecs().get(("charset", number or 0), "")
        elif name == "ansicpg" and not self._is_found:
            self.page = _page(number or 1252)
        elif name in ("v", "deleted"):
            self._flush()
            group.hidden = number != 0
        elif name == "plain":
            self._flush()
            group.hidden, group.font = False, -1
        elif name in ("yr", "mo", "dy", "hr", "min"):
            self._time[name] = number or 0
        elif not group.silence:
            return self._lays_out(name)
        return False

    def _lays_out(self, name: str) -> bool:
        if name in WORDS:
            self._put(WORDS[name])
        elif name in ("intbl", "pard"):
            self._in_table = name == "intbl"
        elif name in ("cell", "nestcell"):
            self._flush()
            parts = self._parts[-1]
            while parts and not parts[-1].strip(" \n"):
                parts.pop()
            parts.append("\t")
        elif name in ("row", "nestrow"):
            return len(self._parts) == 1
        elif name in ENDS:
            if self._in_table or len(self._parts) > 1:
                self._put(" " if self._in_table else "\n")
            else:
                return True
        return False

    def _ends_line_symbol(self, symbol: bytes) -> bool:
        if self._skipped:
            self._skipped -= 1
        elif symbol == b"*":
            self._group.is_marked = True
        elif symbol in SYMBOLS:
            self._put(SYMBOLS[symbol])
        elif symbol in b"\r\n":
            return self._ends_line("par", None)
        return False

    def _unicode(self, number: int, mark: bytes) -> None:
        """Take a character; `mark`: the question mark, if any, that mostly stands for it."""
        self._group.is_new = False
        self._put(chr(number & 0xFFFF))
        self._skipped = self._group.skip
        self._take(mark)

    def _take(self, data: bytes) -> None:
        if self._skipped:
            skipped = min(self._skipped, len(data))
            self._skipped -= skipped
            data = data[skipped:]
        group = self._group
        if data and not group.silence and not group.hidden:
            group.is_new = False
            self._bytes += data

    def _put(self, text: str) -> None:
        if not self._group.silence and not self._group.hidden:
            self._flush()
            self._parts[-1].append(text)

    def _flush(self) -> None:
        """Decode the bytes that have come together."""
        if self._bytes:
            self._parts[-1].append(self._decoded(bytes(self._bytes)))
            self._bytes.clear()

    def _decoded(self, data: bytes) -> str:
        codec = self._fonts.get(self._group.font, "")
        if codec == SYMBOL and not data.isascii():
            return data.decode("ascii", "ignore")
        for name in (codec or self.page, self.page, "cp1252"):
            try:
                return data.decode("ascii" if name == SYMBOL else name)
            except UnicodeDecodeError:
                continue
        text = data.decode(self.page, "replace")
        self.errors += text.count("\ufffd")
        return text

    def _line(self) -> Iterator[str]:
        self._flush()
        text = encodable("".join(self._parts[-1])).rstrip("\t ")
        if self._is_labelled:
            label, tab, rest = text.partition("\t")
            text = (f"{label.strip()} {rest}" if any(map(str.isalnum, label)) else rest) if tab else text
            self._is_labelled = False
        yield text
        self._parts[-1].clear()
        for note in self._notes:
            yield encodable(note).strip()
        self._notes.clear()


def _page(number: int) -> str:
    """Return the codec of a code page, that of Windows for Western languages where there is none."""
    name = _codecs().get(("page", number), f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"


def _chinese(data: Data) -> str:
    """Return the codec of the Chinese that a document with a Western code page holds; empty for none."""
    head = data[:SAMPLE]
    said = re.search(rb"\\ansicpg(\d+)", head)
    if said and int(said[1][:6]) not in (1252, 0):
        return ""
    fonts = head.find(b"{\\fonttbl")
    behind = END_OF_FONTS.search(head, fonts) if fonts >= 0 else None
    runs = HIGH.findall(head, behind.end() if behind else 0)
    joined = bytes.fromhex(b"".join(runs).replace(b"\\'", b"").decode("ascii"))
    scores = {name: commonness(joined.decode(name, "replace")) for name in ("gb18030", "cp950")}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= SURE else ""


@cache
def _codecs() -> dict[tuple[str, int], str]:
    text = resources.files("pipeline.readers").joinpath("data/code_pages.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {(kind, int(number)): codec for kind, number, codec in rows}
