"""What a file is: by its name, and by its first bytes where the name says nothing or is wrong.

The tables are data (`data/formats.tsv`, `data/magic.tsv`); a format that is known but not read yet is named to the
user with what to convert it to, never skipped silently.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pipeline.readers.encoding import Data

PACKED = {"gz": "gz", "gzip": "gz", "zst": "zst", "zstd": "zst", "bz2": "bz2", "xz": "xz"}
JUNK = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".localized", ".gitkeep", ".gitignore"})
MEBI = 1 << 20
MAIL_HEAD = 1 << 14  # relays may write many lines before the sender's
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
OLE_FORMATS = ("doc", "xls", "ppt")
WORD, WORKBOOK, LOCKED = (name.encode("utf-16-le") for name in ("WordDocument", "Workbook", "EncryptedPackage"))
# A zip package says what it is in a first, unpacked member (ODF 1.3 part 2, 3.3; EPUB OCF 3.3, 4.2) or by its parts.
ZIPPED_TYPE = re.compile(rb"PK\x03\x04.{22}\x08\x00..mimetype(application/[a-z.+-]+)", re.DOTALL)
ZIPPED_TYPES = {
    b"application/epub+zip": "epub",
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.presentation": "odp",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
}
OFFICE_TYPES = re.compile(rb"PK\x01\x02.{42}\[Content_Types\]\.xml", re.DOTALL)
OFFICE_PART = re.compile(rb"PK\x01\x02.{42}(word|xl|ppt)/", re.DOTALL)
OFFICE_PARTS = {b"word": "docx", b"xl": "xlsx", b"ppt": "pptx"}
MAILBOX = re.compile(rb"From [^\r\n]*\d:\d\d[^\r\n]*\r?\n[!-9;-~]+:")
HEADERS = re.compile(rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+")
# No text but a message has both a sender and one of the fields that only programs write.
OF_MAIL = re.compile(rb"^From:", re.MULTILINE | re.IGNORECASE)
BY_MAILERS = re.compile(rb"^(?:Message-ID|MIME-Version|Received|Return-Path):", re.MULTILINE | re.IGNORECASE)
MEDIAWIKI = re.compile(r"wiki.*(pages|articles|meta|dump)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Format:
    """A format by its name; `magic`: the first bytes it must have; `remedy` where it is known but not read yet."""

    name: str
    magic: bytes = b""
    remedy: str = ""


def detect_format(uri: str) -> str:
    """Return the format that a file's name says: `txt`, `jsonl.gz`, `docx`, ..., `junk`, or empty for none known."""
    name = re.split(r"[/\\]", uri)[-1].lower()
    if name in JUNK or name.startswith("._"):
        return "junk"
    parts = name.split(".")[1:]
    packing = PACKED.get(parts[-1]) if parts else None
    if packing:
        parts = parts[:-1]
    known = known_formats().get(parts[-1]) if parts else None
    found = known.name if known else ""
    if found == "xml" and MEDIAWIKI.search(name):
        found = "mediawiki-xml"
    return f"{found}.{packing}" if found and packing else found or packing or ""


@cache
def known_formats() -> dict[str, Format]:
    """Return the formats by file name suffix."""
    table = {}
    for line in _rows("formats.tsv"):
        suffix, name, magic, remedy = (*line.split("\t"), "", "")[:4]
        table[suffix] = Format(name, bytes.fromhex(magic), remedy)
    return table


def unsupported(name: str) -> Format | None:
    """Return what is known of a format that no reader of ours takes; None for a format that is read."""
    base = name.split(".")[0]
    return next(
        (known for known in known_formats().values() if known.name.split(".")[0] == base and known.remedy), None
    )


def kind_of_bytes(head: bytes) -> str:
    """Return what binary file begins with these bytes, e.g. 'a PNG image', or empty."""
    return next((what for pattern, what in _magic() if pattern.match(head)), "")


def proven_format(data: Data) -> str:
    """Return the format that the content itself proves, whatever it is named; empty where it proves none."""
    head = data[:64]
    if head.startswith(b"PAR1") and data[-4:] == b"PAR1":
        return "parquet"
    if head.startswith(b"%PDF-"):
        return "pdf"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith(OLE):
        return "xls" if data.find(WORKBOOK) >= 0 > data.find(WORD) else ""
    if not head.startswith(b"PK\x03\x04"):
        return _proven_mail(data[:MAIL_HEAD]) if b":" in head or head.startswith(b"From ") else ""
    said = ZIPPED_TYPE.match(data[:256])
    if said:
        return ZIPPED_TYPES.get(said[1], "")
    directory = data[max(0, len(data) - MEBI) :]
    part = OFFICE_PART.search(directory) if OFFICE_TYPES.search(directory) else None
    return OFFICE_PARTS[part[1]] if part else ""


def _proven_mail(head: bytes) -> str:
    """Return eml or mbox where the first bytes prove it."""
    if MAILBOX.match(head):
        return "mbox"
    headers = HEADERS.match(head)
    return "eml" if headers and OF_MAIL.search(headers[0]) and BY_MAILERS.search(headers[0]) else ""


def page_of_office(data: Data, base: str) -> str:
    """Return html where old Office files are named but pages lie, as Office and many exports write them; else empty."""
    return "html" if base in OLE_FORMATS and sniff(data) == "html" else ""


def misnamed(data: Data, base: str) -> str:
    """Return why content cannot be of the format that its name says; empty where it can."""
    head = data[:64]
    if base == "parquet":
        return ""
    known = next((known for known in known_formats().values() if known.name == base and known.magic), None)
    if known and (head.lstrip().startswith(known.magic) or (base == "pdf" and known.magic in data[:1024])):
        return ""
    found = kind_of_bytes(head) or ("" if not known else "something else" if head else "nothing (0 bytes)")
    if head.startswith(OLE) and data.find(LOCKED) >= 0:
        return f"a {base} file locked with a password; save it without one"
    return found and f"named as {base} but the content is {found}; give it its right name or remove it"


def sniff(data: Data) -> str:
    """Return the format of content whose name says nothing, as `detect_format` names formats; txt for none known."""
    head = data[:4096]
    if head.startswith(b"PAR1"):
        return "parquet"
    if re.match(rb"WARC/\d", head):
        return "warc"
    if head.startswith(b"ARROW1\0\0"):
        return "arrow"
    if head.startswith(b"SQLite format 3\0"):
        return "sqlite"
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if text.startswith((b"<mediawiki", b"<?xml")) and b"<mediawiki" in text:
        return "mediawiki-xml"
    if text.startswith((b"<!doctype html", b"<html")) or (text.startswith(b"<") and b"<body" in text):
        return "html"
    if re.match(rb'\{\s*"', text):
        return "jsonl"
    return "json" if re.match(rb"\[\s*\{\s*\"", text) else "txt"


@cache
def _magic() -> list[tuple[re.Pattern[bytes], str]]:
    table = []
    for line in _rows("magic.tsv"):
        digits, what = line.split("\t")
        pairs = [digits[i : i + 2] for i in range(0, len(digits), 2)]
        pattern = b"".join(b"." if pair == "??" else re.escape(bytes.fromhex(pair)) for pair in pairs)
        table.append((re.compile(pattern, re.DOTALL), what))
    return table


def _rows(name: str) -> list[str]:
    text = resources.files("pipeline.readers").joinpath("data", name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
