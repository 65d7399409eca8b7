"""Word documents: the running text, tables as rows, then notes; without frames, comments and deleted text.

Left out: headers and footers, tables of contents, comments, text deleted under review, hidden text, field codes,
the reading above ruby characters, pictures. Numbers that Word counts by itself (第一条, 1.1) are counted here, too.
"""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.numbering import Numbering
from pipeline.readers.package import Package, attribute, local
from pipeline.readers.reader import Bad, Intake, Reader, Record, collected

MAIN = "word/document.xml"
SILENT = frozenset(
    ("del", "moveFrom", "instrText", "delText", "rPr", "pPr", "rt", "Fallback", "tblPr", "tblGrid", "trPr", "tcPr")
)
MARKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
CONTENTS = re.compile(r"toc \d|table of figures|toc heading", re.IGNORECASE)


class Docx(Reader):
    """A Word document (docx, docm)."""

    kind: ClassVar[str] = "docx"
    formats: ClassVar[tuple[str, ...]] = ("docx",)
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the document as one record."""
        package = Package(content, intake)
        main = next((member for kind, member in package.relations("").values() if kind == "officeDocument"), MAIN)
        if main not in package.names:
            raise Unreadable(f"named as docx but the package holds no {MAIN}; give it its right name or fetch it again")
        title, created, modified = package.stated("docProps/core.xml")
        word = _Word(package, main)
        text = collected(word.lines(), intake)
        yield Record(0, text, title or word.title, None, created, modified)


class _Word:
    """One document being read; `title` is the first paragraph with the style of a title, once it has been met."""

    def __init__(self, package: Package, main: str) -> None:
        self.title: str | None = None
        self._package, self._main = package, main
        self._parts = dict(package.relations(main).values())
        styles = package.tree(self._parts.get("styles", ""))
        self._styles = {
            attribute(style, "styleId"): attribute(name, "val") or ""
            for style in styles.iter("{*}style")
            for name in style.iterchildren("{*}name")
        }
        self._numbering = Numbering(package.tree(self._parts.get("numbering", "")), styles)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the body, then those of its notes."""
        for element in self._package.children(self._main, "body"):
            yield from self._block(element)
        for kind, part in (("footnotes", "footnote"), ("endnotes", "endnote")):
            if self._parts.get(kind) in self._package.names:
                for note in self._package.children(self._parts[kind], kind):
                    if local(note) == part and attribute(note, "type") in (None, "normal"):
                        for child in note:
                            yield from self._block(child)

    def _block(self, element: Any) -> Iterator[str]:
        """Yield the lines of a paragraph, a table, or what holds some."""
        name = local(element)
        if name == "p":
            yield from self._paragraph(element)
        elif name == "tbl":
            for row in element.iter("{*}tr"):
                if next(row.iterancestors("{*}tbl")) is element:
                    yield "\t".join(" ".join(self._lines_of(cell)) for cell in _cells(row)).rstrip("\t")
        elif name == "sdt" and any(True for _ in element.iterfind("{*}sdtPr/{*}docPartObj")):
            gallery = element.find("{*}sdtPr/{*}docPartObj/{*}docPartGallery")
            if gallery is None or attribute(gallery, "val") != "Table of Contents":
                yield from self._lines_of(element)
        elif name not in SILENT:
            yield from self._lines_of(element)

    def _lines_of(self, element: Any) -> Iterator[str]:
        for child in element:
            yield from self._block(child)

    def _paragraph(self, element: Any) -> Iterator[str]:
        style = element.find("{*}pPr/{*}pStyle")
        style_id = attribute(style, "val") if style is not None else None
        named = self._styles.get(style_id, style_id or "")
        if CONTENTS.match(named):
            return
        parts: list[str] = []
        boxes: list[Any] = []
        _inline(element, parts, boxes)
        text = "".join(parts)
        if text.strip():
            if self.title is None and named.lower() == "title":
                self.title = " ".join(text.split())
            yield self._numbering.label(element, style_id) + text
        for box in boxes:
            yield from self._lines_of(box)


def _cells(row: Any) -> Iterator[Any]:
    for cell in row.iter("{*}tc"):
        if next(cell.iterancestors("{*}tr")) is row:
            yield cell


def _inline(element: Any, parts: list[str], boxes: list[Any]) -> None:
    """Collect the text of a paragraph's runs; text boxes go to `boxes`."""
    for child in element:
        name = local(child)
        if name == "t":
            parts.append(child.text or "")
        elif name in MARKS:
            parts.append(MARKS[name])
        elif name == "txbxContent":
            boxes.append(child)
        elif name == "r" and child.find("{*}rPr/{*}vanish") is not None:
            continue
        elif name not in SILENT:
            _inline(child, parts, boxes)
