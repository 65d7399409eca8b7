"""Mail (eml, mbox): the text of each message, with its subject as title and its date.

Of a text in several forms the plain one is taken, else the page by its main text; a message that was forwarded whole
belongs to the text. Attachments are named, not read. Quotations and signatures stay: they are what was written.

Trade-off: the structure is read as RFC 822 of old has it, which forgives more than Python's newer policy and is faster;
a charset that is declared wrongly is then found on the bytes, as in any file.
"""

import re
from binascii import a2b_base64, a2b_qp
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.errors import CloseBoundaryNotFoundDefect, StartBoundaryNotFoundDefect
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any, ClassVar

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import BinaryContent, Data, decode, detect
from pipeline.readers.fields import parse_time
from pipeline.readers.html import declared_charset, read_page
from pipeline.readers.reader import Bad, Intake, Reader, Record, excerpt, within

HEADER = re.compile(rb"[!-9;-~]+[ \t]*:")
START = re.compile(rb"From [^\r\n]*\r?\n(?=[!-9;-~]+[ \t]*:)")
QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
SEVEN_BITS = re.compile(r"iso-2022-|hz|utf-7")  # charsets whose bytes look like ASCII
WESTERN = re.compile(r"$|iso-8859|latin|windows-125|cp125|(us-)?ascii|unknown")  # what mailers say of anything
CODECS = {"hz": "hz", "gb": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs"}
SHORT = 40  # bytes; below, what is declared is likelier than what is found
LEAP = 1 << 12  # bytes behind a start that are looked at
CUT_OFF = (CloseBoundaryNotFoundDefect, StartBoundaryNotFoundDefect)
WORD = re.compile(rb"=\?([!-)+->@-~]+)(?:\*[^?]*)?\?([BbQq])\?([^?\r\n]*)\?=")
LONGEST = 1 << 14  # characters of a header that are looked at
NAMED = 10  # attachments that are named
LOCKED = "encrypted: save it decrypted"


class Mail(Reader):
    """A message, or a mailbox of them."""

    kind: ClassVar[str] = "mail"
    formats: ClassVar[tuple[str, ...]] = ("eml", "mbox")
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield each message as a record."""
        box = _Box()
        if intake.format.startswith("mbox"):
            for number, (start, end) in enumerate(_places(content.data)):
                yield _read(number, content.data, start, end, intake, box)
        else:
            record = _read(0, content.data, 0, len(content.data), intake, box)
            if isinstance(record, Bad):
                raise Unreadable(record.reason)
            yield record
        box.tell(intake)


@dataclass(slots=True)
class _Box:
    """What is told of all messages together: names of attachments, and how many messages have which fault."""

    attachments: list[str] = field(default_factory=list)
    unnamed: int = 0  # attachments beyond the first NAMED
    cut_off: int = 0
    errors: int = 0
    empty: int = 0

    def tell(self, intake: Intake) -> None:
        if self.cut_off:
            intake.losses.append(f"{_counted(self.cut_off)} without the end of its last part; fetch the file again")
        if self.errors:
            intake.losses.append(f"{self.errors} byte sequences fit no charset and were read as U+FFFD")
        if self.attachments:
            names = ", ".join(self.attachments) + (f" and {self.unnamed} more" if self.unnamed else "")
            intake.notes.append(f"attachments that are not read: {names}")
        if self.empty:
            intake.notes.append(f"{_counted(self.empty)} without a text")
            intake.nothing = "no text in it, only attachments" if self.attachments else intake.nothing


def _counted(messages: int) -> str:
    return f"{messages} message{'s' * (messages > 1)}"


def _places(data: Data) -> Iterator[tuple[int, int]]:
    """Yield where each message of a mailbox starts and ends: at lines `From …` that a header follows."""
    start = _start(data, 0)
    if not start:
        raise Unreadable("named as mbox but it does not begin with a line 'From …'; give it its right name")
    at = start
    while (found := data.find(b"\nFrom ", at)) >= 0:
        at = _start(data, found + 1) or found + 1
        if at > found + 1:
            yield start, found
            start = at
    yield start, len(data)


def _start(data: Data, at: int) -> int:
    """Return where the header behind the line `From …` begins; 0 where no message begins here."""
    match = START.match(data[at : at + LEAP])
    return at + match.end() if match else 0


def _read(number: int, data: Data, start: int, end: int, intake: Intake, box: _Box) -> Record | Bad:
    """Return the record of one message, or why there is none."""
    if end - start > intake.limits.memory_bytes // 8:  # parsing holds it several times
        reason = f"a message of {end - start:,} bytes, too large for limits.memory_bytes {intake.limits.memory_bytes:,}"
        return Bad(number, reason, excerpt(data[start : start + LEAP]))
    raw = data[start:end].lstrip(b"\xef\xbb\xbf\r\n")
    if not HEADER.match(raw) and not START.match(raw):
        return Bad(number, "no message: it begins with no header; give it its right name", excerpt(raw[:LEAP]))
    try:
        message = message_from_bytes(QUOTED.sub(rb"\1", raw) if intake.format.startswith("mbox") else raw)
        letter = _Letter(box)
        text = "\n\n".join(part for part in letter.texts(message) if part.strip())
        record = Record(number, text, _words(_raw(message, "subject")) or None, None, _date(message))
    # The package raises whatever its parts do on broken input: one message of a mailbox must not cost the others.
    except Exception as error:  # noqa: BLE001
        return Bad(number, f"a damaged message ({type(error).__name__}: {error}); fetch it again", excerpt(raw[:LEAP]))
    if letter.locked and not text:
        return Bad(number, LOCKED, excerpt(raw[:LEAP]))
    if letter.encoding and not intake.format.startswith("mbox"):
        intake.encoding = letter.encoding
    box.cut_off += letter.cut_off
    box.empty += not text
    return within(record, intake.limits)


class _Letter:
    """One message being read."""

    def __init__(self, box: _Box) -> None:
        self._box = box
        self.encoding: str | None = None
        self.cut_off = self.locked = False

    def texts(self, part: Any) -> Iterator[str]:
        """Yield the texts of a part that are to be read, in order."""
        kind = part.get_content_type()
        self.cut_off |= any(isinstance(defect, CUT_OFF) for defect in part.defects)
        name = part.get_filename()
        if kind == "multipart/encrypted" or kind.endswith(("/pkcs7-mime", "/x-pkcs7-mime")):
            self.locked = True
        elif part.get_content_disposition() == "attachment" or (name and not part.is_multipart()):
            self._attached(name and collapse_rfc2231_value(name), kind)
        elif kind == "multipart/alternative":
            yield from self._preferred(part)
        elif part.is_multipart():
            for child in part.get_payload():
                yield from self.texts(child)
        elif kind in ("text/plain", "text/html"):
            yield self._text(part, kind)

    def _attached(self, name: str | None, kind: str) -> None:
        if len(self._box.attachments) < NAMED:
            self._box.attachments.append(f"{_words(name) or 'without a name'} ({kind})")
        else:
            self._box.unnamed += 1

    def _preferred(self, part: Any) -> Iterator[str]:
        """Yield the plain form of a text; where it is empty, the richest, which comes last (RFC 2046, 5.1.4)."""
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        children.reverse()
        for child in sorted(children, key=lambda one: one.get_content_type() != "text/plain"):
            found = [text for text in self.texts(child) if text.strip()]
            if found:
                yield from found
                return

    def _text(self, part: Any, kind: str) -> str:
        data = part.get_payload(decode=True) or b""
        said = part.get_content_charset()
        if kind == "text/html" and (not said or said == "us-ascii"):
            said = declared_charset(data)
        text = self._decoded(data, said).replace("\r\n", "\n")
        if kind == "text/html":
            return read_page(text).record.text
        if str(part.get_param("format", "")).lower() == "flowed":
            text = _unflowed(text, together=str(part.get_param("delsp", "")).lower() == "yes")
        return text.strip("\n")

    def _decoded(self, data: bytes, said: str | None) -> str:
        text, name = _by_charset(data, said)
        self.encoding = self.encoding or name
        self._box.errors += text.count("\ufffd") if name else 0
        return text


def _by_charset(data: bytes, said: str | None) -> tuple[str, str | None]:
    """Return the text of bytes whose charset is declared, maybe wrongly, and the codec that was used."""
    name = (said or "").lower()
    if data.isascii() and b"~{" not in data and not SEVEN_BITS.match(name):
        return data.decode("ascii"), "utf-8"
    if SEVEN_BITS.match(name) or (len(data) < SHORT and not WESTERN.match(name) and not _is_utf8(data)):
        name = next((codec for start, codec in CODECS.items() if name.startswith(start)), name)
        try:
            return data.decode(name), name
        except (UnicodeDecodeError, LookupError):
            pass
    try:
        encoding = detect(data, said)
    except BinaryContent:
        return data.decode("utf-8", "replace"), "utf-8"
    return decode(data, encoding), encoding.name


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _words(value: str | None) -> str:
    """Return the text of a header: encoded words decoded (RFC 2047), those that follow each other as one.

    Characters are cut in two by mailers that fold at bytes, so bytes of one charset are joined first.
    """
    data = re.sub(rb"\r?\n(?=[ \t])", b"", (value or "")[:LONGEST].encode("utf-8", "surrogateescape"))
    runs: list[tuple[bytes, str | None]] = []
    at = 0
    for word in WORD.finditer(data):
        between = data[at : word.start()]
        if between.strip() or not runs:
            runs.append((between, None))
        said, packed = word[1].decode("ascii", "replace").lower(), word[3]
        try:
            part = a2b_base64(packed.rstrip(b"=") + b"==") if word[2] in b"Bb" else a2b_qp(packed, header=True)
        except ValueError:  # cut off: as it stands
            part, said = word[0], "us-ascii"
        if runs[-1][1] == said:
            part = runs.pop()[0] + part
        runs.append((part, said))
        at = word.end()
    runs.append((data[at:], None))
    return " ".join("".join(_by_charset(part, said)[0] for part, said in runs).split())


def _raw(message: Any, name: str) -> str | None:
    """Return the first header of this name as it stands; bytes beyond ASCII are surrogates in it."""
    return next((str(value) for key, value in message.raw_items() if key.lower() == name), None)


def _date(message: Any) -> datetime | None:
    try:
        return parse_time((_raw(message, "date") or "").strip()[:64])
    except (ValueError, OverflowError, TypeError):
        return None


def _unflowed(text: str, *, together: bool) -> str:
    """Return flowed lines (RFC 3676) as paragraphs; `together`: the space at a line's end is no part of the text."""
    parts: list[str] = []
    flows = False
    for line in text.split("\n"):
        bare = line.removeprefix(" ")
        stands_alone = bare.startswith(">") or bare == "-- "
        if parts and (stands_alone or not flows):
            parts.append("\n")
        flows = bare.endswith(" ") and not stands_alone
        parts.append(bare[:-1] if flows and together else bare)
    return "".join(parts)
