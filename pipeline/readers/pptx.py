"""PowerPoint presentations: slide by slide, the title first, tables as rows, then the speaker's notes.

Left out: what stands on every slide (numbers, dates, footers, the master), comments, pictures, charts. Slides that are
not shown are read, too: they were written as the others were.

Trade-off: shapes come in the order in which they were drawn, whatever their places on the slide.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.package import Package, attribute, local
from pipeline.readers.reader import Bad, Intake, Reader, Record, collected

MAIN = "ppt/presentation.xml"
TITLES = frozenset(("title", "ctrTitle"))
SILENT = frozenset(("sldNum", "dt", "ftr", "hdr", "sldImg"))
COUNTED = ("slidenum", "datetime")  # fields that PowerPoint fills in


class Pptx(Reader):
    """A PowerPoint presentation."""

    kind: ClassVar[str] = "pptx"
    formats: ClassVar[tuple[str, ...]] = ("pptx",)
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the presentation as one record."""
        package = Package(content, intake)
        main = next((member for kind, member in package.relations("").values() if kind == "officeDocument"), MAIN)
        if main not in package.names:
            raise Unreadable(f"named as pptx but the package holds no {MAIN}; give it its right name or fetch it again")
        title, created, modified = package.stated("docProps/core.xml")
        titles: list[str] = []
        text = collected(_slides(package, main, intake, titles), intake)
        yield Record(0, text, title or next(iter(titles), None), None, created, modified)


def _slides(package: Package, main: str, intake: Intake, titles: list[str]) -> Iterator[str]:
    """Yield the lines of the slides in order; a slide that is not there is a loss."""
    parts = package.relations(main)
    for slide in package.tree(main).iterfind("{*}sldIdLst/{*}sldId"):
        _, member = parts.get(_reference(slide), ("", ""))
        if member not in package.names:
            intake.losses.append(f"the package holds no slide {member or _reference(slide)}; fetch the file again")
            continue
        named, others = _shapes(package.tree(member))
        titles += [" ".join(line.split()) for line in named if line.strip()]
        yield from named
        yield from others
        for kind, part in sorted(package.relations(member).values()):
            if kind == "diagramData" and part in package.names:
                yield from (_text(paragraph) for paragraph in package.tree(part).iterfind(".//{*}pt/{*}t/{*}p"))
            elif kind == "notesSlide" and part in package.names:
                yield from _shapes(package.tree(part))[1]


def _reference(slide: Any) -> str:
    """Return the id of the relation that a slide's entry names; it has an id of its own beside it."""
    return next((value for key, value in slide.attrib.items() if key.startswith("{") and key.endswith("}id")), "")


def _shapes(slide: Any) -> tuple[list[str], list[str]]:
    """Return the lines of a slide's title, and those of its other shapes."""
    titles: list[str] = []
    others: list[str] = []
    for shape in slide.iter("{*}sp", "{*}tbl"):
        if any(local(above) == "Fallback" for above in shape.iterancestors()):
            continue
        if local(shape) == "tbl":
            others += map(_row, shape.iterfind("{*}tr"))
            continue
        place = shape.find("{*}nvSpPr/{*}nvPr/{*}ph")
        kind = attribute(place, "type") if place is not None else None
        if kind not in SILENT:
            for paragraph in shape.iterfind("{*}txBody/{*}p"):
                (titles if kind in TITLES else others).extend(_text(paragraph).split("\n"))
    return titles, others


def _row(row: Any) -> str:
    cells = (" ".join(filter(None, map(_text, cell.iterfind("{*}txBody/{*}p")))) for cell in row.iterfind("{*}tc"))
    return "\t".join(cell.replace("\n", " ") for cell in cells).rstrip("\t")


def _text(paragraph: Any) -> str:
    parts = []
    for run in paragraph:
        if local(run) == "br":
            parts.append("\n")
        elif local(run) in ("r", "fld") and not (attribute(run, "type") or "").startswith(COUNTED):
            parts.append(run.findtext("{*}t") or "")
    return "".join(parts).replace("\v", "\n")
