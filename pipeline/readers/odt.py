"""OpenDocument texts: the running text, tables as rows, then notes; without frames, comments and deleted text.

Left out: headers and footers, indexes, comments, text deleted under review, the reading above ruby characters,
pictures, numbers of lists.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.package import Package, attribute, local
from pipeline.readers.reader import Bad, Intake, Reader, Record, collected

SILENT = frozenset(
    ("annotation", "tracked-changes", "ruby-text", "note-citation", "table-of-content", "illustration-index",
     "table-index", "alphabetical-index", "bibliography", "forms", "sequence-decls")
)  # fmt: skip
MOST_SPACES = 100  # of one element that stands for several


class Odt(Reader):
    """A text document of OpenDocument."""

    kind: ClassVar[str] = "odt"
    formats: ClassVar[tuple[str, ...]] = ("odt",)
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the document as one record."""
        package = Package(content, intake)
        if any(True for _ in package.tree("META-INF/manifest.xml").iter("{*}encryption-data")):
            raise Unreadable("an odt file locked with a password; save it without one")
        title, created, modified = package.stated("meta.xml")
        yield Record(0, collected(_lines(package), intake), title, None, created, modified)


def _lines(package: Package) -> Iterator[str]:
    notes: list[Any] = []
    for element in package.children("content.xml", "text"):
        yield from block(element, notes)
        for note in notes:
            yield from _inside(note, [])
        notes.clear()


def block(element: Any, notes: list[Any]) -> Iterator[str]:
    """Yield the lines of a paragraph, a row of a table, or what holds some; bodies of notes go to `notes`."""
    name = local(element)
    if name in ("p", "h"):
        parts: list[str] = []
        boxes: list[Any] = []
        _inline(element, parts, boxes, notes)
        yield "".join(parts)
        for box in boxes:
            yield from _inside(box, notes)
    elif name == "table-row":
        cells = (" ".join(_inside(cell, notes)) for cell in element if local(cell) == "table-cell")
        yield "\t".join(cells).rstrip("\t")
    elif name not in SILENT:
        yield from _inside(element, notes)


def _inside(element: Any, notes: list[Any]) -> Iterator[str]:
    for child in element:
        yield from block(child, notes)


def _inline(element: Any, parts: list[str], boxes: list[Any], notes: list[Any]) -> None:
    """Collect the text of a paragraph; text boxes go to `boxes`, bodies of notes to `notes`."""
    parts.append(element.text or "")
    for child in element:
        name = local(child)
        if name == "s":
            count = attribute(child, "c") or "1"
            parts.append(" " * min(int(count) if count.isdigit() else 1, MOST_SPACES))
        elif name in ("tab", "line-break"):
            parts.append("\t" if name == "tab" else "\n")
        elif name in ("text-box", "note-body"):
            (boxes if name == "text-box" else notes).append(child)
        elif name and name not in SILENT:
            _inline(child, parts, boxes, notes)
        parts.append(child.tail or "")
