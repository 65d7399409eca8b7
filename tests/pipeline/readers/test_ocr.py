"""Pages of PDF files without a text layer: told of, or read by a function that the source names."""

import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from pipeline.readers.ocr import MOST_DOTS, _png, recognised
from schemas.errors import ContractError
from schemas.source import Source

OFFICE = Path(__file__).parent / "documents" / "office.pdf"


def printed(pages):
    """Return a PDF: for each `s` a page that a picture fills, for each `t` the first page of office.pdf."""
    document, stream = pypdfium2.PdfDocument.new(), BytesIO()
    office = pypdfium2.PdfDocument(OFFICE)
    for kind in pages:
        if kind == "t":
            document.import_pages(office, [0])
            continue
        page = document.new_page(144, 288)
        picture = pypdfium2.PdfImage.new(document)
        picture.set_bitmap(pypdfium2.PdfBitmap.new_native(20, 40, pypdfium2.raw.FPDFBitmap_BGR))
        picture.set_matrix(pypdfium2.PdfMatrix().scale(144, 288))
        page.insert_obj(picture)
        page.gen_content()
    document.save(stream)
    return stream.getvalue()


def test_pages_without_text_are_named(read):
    found = read("a.pdf", printed("tsstst"))
    assert found.outcome["outcome"] == "partial"
    assert "3 pages (2-3, 5) without a text layer (scanned); run OCR over them" in found.outcome["reason"]
    assert "老石桥" in found.texts[0]


def test_a_single_picture_is_only_noted(read):
    found = read("a.pdf", printed("st"))
    assert found.outcome["outcome"] == "ok"
    assert found.outcome["notes"] == "1 page (1) without a text layer (scanned)"


def test_pictures_alone_are_empty_without_ocr(read):
    found = read("a.pdf", printed("ss"))
    assert found.outcome["outcome"] == "empty"
    assert "run OCR over it first" in found.outcome["reason"]


def test_the_function_reads_what_has_no_text_in_the_order_of_the_pages(read):
    found = read("a.pdf", printed("sts"), ocr="fake_ocr:lines")
    assert found.outcome["outcome"] == "ok"
    assert found.outcome["notes"] == "2 pages (1, 3) read by fake_ocr:lines"
    lines = found.texts[0].split("\n")
    assert lines[:2] == ["第1页", "600 1200 8 0"]
    assert lines[-2:] == ["第3页", "600 1200 8 0"]
    assert any("老石桥" in line for line in lines[2:-2])


def test_the_function_reads_members_of_archives(read):
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.pdf", printed("s"))
    found = read("a.zip", stream.getvalue(), ocr="fake_ocr:lines")
    assert found.texts == ["第1页\n600 1200 8 0"]


def test_a_page_on_which_the_function_fails_is_told(read):
    found = read("a.pdf", printed("ts"), ocr="fake_ocr:failing")
    assert found.outcome["outcome"] == "partial"
    assert "fake_ocr:failing failed on page 2 (ValueError: no model)" in found.outcome["reason"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:f", "PYTHONPATH"),
        ("fake_ocr:no_such", "PYTHONPATH"),
        ("fake_ocr:nothing", "must return a string"),
    ],
)
def test_a_function_that_is_none_ends_the_run(read, name, words):
    with pytest.raises(ContractError, match=words):
        read("a.pdf", printed("s"), ocr=name)


def test_the_name_is_checked_with_the_recipe():
    with pytest.raises(ValueError, match="ocr"):
        Source(id="s", path=".", license="CC0-1.0", ocr="os.system")


def test_a_huge_page_is_drawn_coarsely():
    document = pypdfium2.PdfDocument.new()
    width, height = map(int, recognised("fake_ocr:lines", document.new_page(14_400, 14_400), 1).split()[1:3])
    assert 0.9 * MOST_DOTS < width * height <= 1.01 * MOST_DOTS


def test_the_image_holds_the_grey_values():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    png = _png(grey)
    size = struct.unpack(">I", png[33:37])[0]
    assert zlib.decompress(png[41 : 41 + size]) == b"\0\0\1\2\0\3\4\5"
