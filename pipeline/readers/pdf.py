"""PDF by its text layer: paragraphs in the order in which the file draws them, without running heads and page numbers.

PDFium gives lines; where each begins and ends on the page tells which of them belong together. A page without a text
layer (scanned) or with one that means nothing (glyphs without their characters) gives no text and is told of,
unless the source names a function that reads it (`ocr`).

Trade-off: the order is the one in which the file was written, which is the columns' one in what TeX, Word, LibreOffice
and browsers make; a file that draws its columns line by line across comes out across.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar, NamedTuple

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.ocr import Unrecognised, recognised
from pipeline.readers.pdf_lines import Line, body, paragraphs
from pipeline.readers.reader import Bad, Intake, Reader, Record, collected

SENSELESS = re.compile("[\ue000-\uf8ff\x00-\x01\x03-\x08\x0e-\x1f\ufffd]")
GARBAGE = 0.3  # share of such characters from which a text layer means nothing; chosen by hand
SCAN = 0.5  # share of a page that its pictures cover, from which a page without text counts as scanned
PASSWORD = 4  # FPDF_ERR_PASSWORD of PDFium's fpdfview.h
DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?)?")
FILE_TITLE = re.compile(r"^Microsoft (?:Word|PowerPoint|Excel) - |\.(?:docx?|wps|pptx?|xlsx?|tex|dvi|pdf|html?)$", re.I)
EMPTY_TITLE = re.compile(r"^(?:untitled|无标题|未命名|文档\d*|document\d*|\W*)$", re.IGNORECASE)
MOST_RUNS = 20  # of pages that are named
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
        text = collected(_text(found), intake)
        yield Record(0, text, _title(said), None, _time(said, "CreationDate"), _time(said, "ModDate"))


class _Found(NamedTuple):
    """The lines of each page that has some, and the numbers of the pages that are scanned, senseless or broken.

    `recognised`: the text that OCR gave, by how many of `pages` are before it; `by_ocr`: the numbers of these pages.
    """

    pages: list[list[Line]]
    scanned: list[int]
    senseless: list[int]
    broken: list[int]
    recognised: dict[int, list[str]]
    by_ocr: list[int]


def _pages(document: Any, intake: Intake) -> _Found:
    import pypdfium2

    found = _Found([], [], [], [], {}, [])
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
        is_senseless = len(SENSELESS.findall(characters)) > GARBAGE * len(characters)
        if is_senseless or (not characters and _is_scan(page)):
            if not intake.ocr or not _recognise(intake, page, number + 1, found):
                (found.senseless if is_senseless else found.scanned).append(number + 1)
        elif characters:
            found.pages.append(lines)
            size += len(characters)
        text.close()
        page.close()
        if size > intake.limits.record_bytes:
            break
    return found


def _recognise(intake: Intake, page: Any, number: int, found: _Found) -> bool:
    """Note the text that the user's function finds on a page; False where it fails, which is a loss."""
    assert intake.ocr is not None
    try:
        text = recognised(intake.ocr, page, number)
    except Unrecognised as error:
        intake.losses.append(str(error))
        return False
    found.recognised.setdefault(len(found.pages), []).append(text)
    found.by_ocr.append(number)
    return True


def _text(found: _Found) -> Iterator[str]:
    """Yield the paragraphs of the pages in order; what OCR gave stands as it is."""
    kept = body(found.pages)
    begin = 0
    for at, texts in found.recognised.items():
        yield from paragraphs(kept[begin:at])
        begin = at
        for text in texts:
            yield from text.split("\n")
    yield from paragraphs(kept[begin:])


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
    if found.by_ocr:
        intake.notes.append(f"{_named(found.by_ocr)} read by {intake.ocr}")
    has_text = found.pages or found.by_ocr
    if found.scanned and not has_text:
        intake.nothing = OCR
    elif len(found.scanned) > 1:
        intake.losses.append(f"{_named(found.scanned)} without a text layer (scanned); run OCR over them")
    elif found.scanned:  # a single one is mostly a cover
        intake.notes.append(f"{_named(found.scanned)} without a text layer (scanned)")
    elif not has_text:
        intake.nothing = "no text layer; if it shows text, run OCR over it first (e.g. ocrmypdf) and read the result"


def _named(pages: list[int]) -> str:
    """Return how many pages there are, and which: `4 pages (1-3, 7)`."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][-1] == page - 1:
            runs[-1][1:] = [page]
        else:
            runs.append([page])
    numbers = ", ".join("-".join(map(str, run)) for run in runs[:MOST_RUNS]) + ", …" * (len(runs) > MOST_RUNS)
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
