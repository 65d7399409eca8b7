"""PDF by its text layer: paragraphs in the order in which the file draws them, without running heads and page numbers.

PDFium gives lines; where each begins and ends on the page tells which of them belong together. A page without a text
layer (scanned) or with one that means nothing (glyphs without their characters) gives no text and is told of.

Trade-off: the order is the one in which the file was written, which is the columns' one in what TeX, Word, LibreOffice
and browsers make; a file that draws its columns line by line across comes out across.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar, NamedTuple

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.pdf_lines import Line, body, paragraphs
from pipeline.readers.reader import Bad, Intake, Reader, Record, collected

SENSELESS = re.compile("[\ue000-\uf8ff\x00-\x01\x03-\x08\x0e-\x1f\ufffd]")
GARBAGE = 0.3  # share of such characters from which a text layer means nothing; chosen by hand
SCAN = 0.5  # share of a page that its pictures cover, from which a page without text counts as scanned
PASSWORD = 4  # FPDF_ERR_PASSWORD of PDFium's fpdfview.h
DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?)?")
FILE_TITLE = re.compile(r"^Microsoft (?:Word|PowerPoint|Excel) - |\.(?:docx?|wps|pptx?|xlsx?|tex|dvi|pdf|html?)$", re.I)
EMPTY_TITLE = re.compile(r"^(?:untitled|无标题|未命名|文档\d*|document\d*|\W*)$", re.IGNORECASE)
OCR = "no text layer: scanned; run OCR over it first (e.g. ocrmypdf) and read the result"


class Pdf(Reader):
    """A PDF document."""

    kind: ClassVar[str] = "pdf"
    formats: ClassVar[tuple[str, ...]] = ("pdf",)
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the document as one record."""
        import pypdfium2

        try:
            document = pypdfium2.PdfDocument(bytes(content.data[:]))
        except pypdfium2.PdfiumError as error:
            if getattr(error, "err_code", None) == PASSWORD or "assword" in str(error):
                raise Unreadable(
                    "a PDF document locked with a password; save it without one (qpdf --decrypt)"
                ) from None
            raise Unreadable(f"a damaged PDF document ({error}); fetch it again") from None
        try:
            said = document.get_metadata_dict()
            found = _pages(document, intake)
        finally:
            document.close()
        if b"%%EOF" not in content.data[max(0, len(content.data) - 4096) :]:
            intake.losses.append("the PDF document has no end: what is behind the cut is missing; fetch it again")
        _tell(found, intake)
        text = collected(paragraphs(body(found.pages)), intake)
        yield Record(0, text, _title(said), None, _time(said, "CreationDate"), _time(said, "ModDate"))


class _Found(NamedTuple):
    """The lines of each page that has some, and the numbers of the pages that are scanned, senseless or broken."""

    pages: list[list[Line]]
    scanned: list[int]
    senseless: list[int]
    broken: list[int]


def _pages(document: Any, intake: Intake) -> _Found:
    import pypdfium2

    found = _Found([], [], [], [])
    size = 0
    for number in range(len(document)):
        try:
            page = document[number]
            text = page.get_textpage()
        except pypdfium2.PdfiumError:
            found.broken.append(number + 1)
            continue
        lines = _lines(text, page.get_height())
        characters = "".join(line.text for line in lines)
        if not characters:
            if _is_scan(page):
                found.scanned.append(number + 1)
        elif len(SENSELESS.findall(characters)) > GARBAGE * len(characters):
            found.senseless.append(number + 1)
        else:
            found.pages.append(lines)
            size += len(characters)
        text.close()
        page.close()
        if size > intake.limits.record_bytes:
            break
    return found


def _lines(text: Any, height: float) -> list[Line]:
    """Return the lines of a page with their places, (0, 0) being the lower left corner; in points of 1/72 inch."""
    from pypdfium2 import raw

    whole = text.get_text_range()
    straight = len(whole) == text.count_chars()
    pairs = [match.start() for match in re.finditer("[\U00010000-\U0010ffff]", whole)]  # two units of UTF-16 each
    lines = []
    for match in re.finditer(r"[^\r\n]+", whole):
        line = match[0]
        first = match.start() + len(line) - len(line.lstrip())
        last = match.start() + len(line.rstrip()) - 1
        if last < first:
            continue
        ends = (first, last)
        if not straight:
            units = [at + bisect_left(pairs, at) for at in ends]
            ends = tuple(max(0, raw.FPDFText_GetCharIndexFromTextIndex(text, at)) for at in units)
        left, bottom, _, top = text.get_charbox(ends[0])
        _, low, right, high = text.get_charbox(ends[1])
        lines.append(Line(line.strip(), left, right, min(bottom, low), max(top, high), height))
    return lines


def _is_scan(page: Any) -> bool:
    """Say whether pictures cover most of a page."""
    from pypdfium2 import raw

    area = page.get_width() * page.get_height()
    covered = 0.0
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        left, bottom, right, top = item.get_bounds()
        covered += max(0.0, right - left) * max(0.0, top - bottom)
    return covered > SCAN * float(area)


def _tell(found: _Found, intake: Intake) -> None:
    """Note the pages that gave no text. A document of nothing else is sound and empty."""
    if found.broken:
        intake.losses.append(f"{_named(found.broken)} damaged; fetch the file again")
    if found.senseless:
        intake.losses.append(
            f"{_named(found.senseless)} with a text layer that means nothing (fonts without Unicode); run OCR over them"
        )
    if found.scanned and not found.pages:
        intake.nothing = OCR
    elif len(found.scanned) > 1:  # a single one is mostly a cover
        intake.losses.append(f"{_named(found.scanned)} without a text layer (scanned); run OCR over them")
    elif not found.pages:
        intake.nothing = "no text layer; if it shows text, run OCR over it first (e.g. ocrmypdf) and read the result"


def _named(pages: list[int]) -> str:
    numbers = ", ".join(map(str, pages[:5])) + (", …" if len(pages) > 5 else "")
    return f"{len(pages)} page{'s' * (len(pages) > 1)} ({numbers})"


def _title(said: dict[str, str]) -> str | None:
    title = " ".join(FILE_TITLE.sub("", said.get("Title", "").strip()).split())
    return None if EMPTY_TITLE.match(title) else title


def _time(said: dict[str, str], name: str) -> datetime | None:
    """Return a date as PDF writes it (ISO 32000-1, 7.9.4)."""
    match = DATE.match(said.get(name, ""))
    if match is None:
        return None
    year, month, day, hour, minute, second = (
        int(part or least) for part, least in zip(match.groups()[:6], "011000", strict=True)
    )
    shift = timedelta(hours=int(match[8] or 0), minutes=int(match[9] or 0))
    try:
        zone = timezone(-shift if match[7] == "-" else shift)
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
