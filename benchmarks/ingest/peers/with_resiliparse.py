"""Pages by resiliparse, main content only; those of archives are found by its fastwarc."""

import json
import sys
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding
from resiliparse.parse.html import HTMLTree


def text_of(page: bytes) -> str:
    """Return the main content of a page."""
    return extract_plain_text(HTMLTree.parse_from_bytes(page, detect_encoding(page)), main_content=True)


with Path(sys.argv[1]).open("w", encoding="utf-8") as out:
    for name in sys.argv[2:]:
        if ".warc" not in name:
            out.write(json.dumps({"name": name, "text": text_of(Path(name).read_bytes())}, ensure_ascii=False) + "\n")
            continue
        with Path(name).open("rb") as archive:
            for record in ArchiveIterator(archive, record_types=WarcRecordType.response, parse_http=True):
                if record.http_headers.status_code == 200 and record.http_content_type == "text/html":
                    row = {"name": record.headers.get("WARC-Target-URI"), "text": text_of(record.reader.read())}
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")
