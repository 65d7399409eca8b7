"""OpenDocument presentations: slide by slide, the title first, tables as rows, then the speaker's notes.

Left out: what stands on every slide (numbers, dates, footers, the master), comments, pictures, charts.

Trade-off: shapes come in the order in which they were drawn, whatever their places on the slide.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.odt import block
from pipeline.readers.package import Package, attribute, local
from pipeline.readers.reader import Bad, Intake, Reader, Record, collected

SILENT = frozenset(("date-time", "footer", "header", "page-number", "page"))


class Odp(Reader):
    """A presentation of OpenDocument."""

    kind: ClassVar[str] = "odp"
    formats: ClassVar[tuple[str, ...]] = ("odp",)
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the presentation as one record."""
        package = Package(content, intake)
        if any(True for _ in package.tree("META-INF/manifest.xml").iter("{*}encryption-data")):
            raise Unreadable("an odp file locked with a password; save it without one")
        title, created, modified = package.stated("meta.xml")
        titles: list[str] = []
        text = collected(_slides(package, titles), intake)
        yield Record(0, text, title or next(iter(titles), None), None, created, modified)


def _slides(package: Package, titles: list[str]) -> Iterator[str]:
    for page in package.children("content.xml", "presentation"):
        if local(page) != "page":
            continue
        named, others, notes = list[str](), list[str](), list[str]()
        for shape in page:
            if local(shape) == "notes":
                for frame in shape:
                    if attribute(frame, "class") == "notes":
                        notes += _lines(frame)
            elif attribute(shape, "class") not in SILENT:
                (named if attribute(shape, "class") == "title" else others).extend(_lines(shape))
        titles += [" ".join(line.split()) for line in named if line.strip()]
        yield from (*named, *others, *notes)


def _lines(shape: Any) -> Iterator[str]:
    beside: list[Any] = []
    for line in block(shape, beside):
        yield from line.split("\n")
    for note in beside:
        yield from block(note, [])
