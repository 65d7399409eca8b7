"""What a web server answered: the header of an HTTP response, its body unpacked, and what it reserves.

Crawlers store answers as they came (in chunks, compressed) or unpacked with the old header, so what the header says of
the body is tried and not believed.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pipeline.readers.content import Unreadable

CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})\b")
CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
HTML = ("text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml")
PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body|meta|title)\b", re.IGNORECASE)
NO_AI = re.compile(r"\b(noai|noimageai)\b", re.IGNORECASE)
TDM = "tdm-reservation"


@dataclass(frozen=True, slots=True)
class Answer:
    """The header of an answer, by lower-case names, repeated ones joined; `begin`: where the body begins."""

    status: int
    headers: dict[str, str]
    begin: int

    @property
    def charset(self) -> str | None:
        """The charset that the header declares."""
        found = CHARSET.search(self.headers.get("content-type", ""))
        return found[1] if found else None


def answer(head: bytes) -> Answer | None:
    """Return the answer that begins with these bytes; None where they are none."""
    status = STATUS.match(head)
    end = re.search(rb"\r?\n\r?\n", head)
    if status is None or end is None:
        return None
    headers: dict[str, str] = {}
    for line in head[: end.start()].decode("latin-1").splitlines()[1:]:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return Answer(int(status[1]), headers, end.end())


def is_html(media: str, begin: bytes = b"") -> bool:
    """Say whether a content type, or where none is given the first bytes, are those of a page."""
    return media.lower().lstrip().startswith(HTML) if media.strip() else bool(PAGE.match(begin))


def reserved(headers: Mapping[str, str]) -> set[str]:
    """Return what a header, or the meta elements of a page by name, reserve.

    `tdm-reservation: 1` of the TDM Reservation Protocol (any other value counts as unset, as it says), and the words
    `noai` and `noimageai` that some sites add to the directives for robots.
    """
    said = " ".join(headers.get(name, "") for name in ("x-robots-tag", "robots"))
    words = {word.lower() for word in NO_AI.findall(said)}
    return words | {f"{TDM}: 1"} if headers.get(TDM, "").strip() == "1" else words


def body_of(found: Answer, block: bytes, most: int) -> bytes:
    """Return the unpacked body of an answer. Raises Unreadable where it is broken or unpacks to more than `most`."""
    if "chunked" in found.headers.get("transfer-encoding", "").lower():
        block = _joined(block)
    for coding in reversed(found.headers.get("content-encoding", "").lower().split(",")):
        block = _unpacked(block, coding.strip(), most)
    return block


def _joined(block: bytes) -> bytes:
    """Return the body of chunks; as it is where it does not begin with one."""
    parts: list[bytes] = []
    place = 0
    while size := CHUNK.match(block, place):
        length = int(size[1], 16)
        place = size.end() + length
        if not length:
            return b"".join(parts)
        parts.append(block[size.end() : place])
        if block[place : place + 2] != b"\r\n" and not (place >= len(block) or block[place : place + 1] == b"\n"):
            break
        place += 2 if block[place : place + 2] == b"\r\n" else 1
    if not parts or place == len(block) == 0:
        return block
    if block.lstrip()[:1] == b"<":
        return block
    raise Unreadable(f"its chunks break off after {sum(map(len, parts)):,} bytes; fetch the page again")


def _unpacked(block: bytes, coding: str, most: int) -> bytes:
    if coding in ("", "identity", "none", "utf-8") or not block or block.lstrip()[:1] == b"<":
        return block
    try:
        if coding in ("gzip", "x-gzip", "deflate"):
            out = _inflated(block, most)
        elif coding == "br":
            import brotli

            out = brotli.Decompressor().process(block, output_buffer_limit=most + 1)
        elif coding == "zstd":
            out = _unzstd(block, most)
        else:
            raise Unreadable(f"its content encoding '{coding}' is not known")
    except _broken() as error:
        raise Unreadable(f"its body is no whole {coding} stream ({error}); fetch the page again") from None
    if len(out) > most:
        raise Unreadable(f"its body unpacks to more than limits.record_bytes {most:,}")
    return bytes(out)


def _inflated(block: bytes, most: int) -> bytes:
    """Return the bytes of a gzip or deflate stream; servers send deflate with and without its zlib header."""
    bits = (
        31 if block[:2] == b"\x1f\x8b" else 15 if block[0] & 0x0F == 8 and not (block[0] << 8 | block[1]) % 31 else -15
    )
    stream = zlib.decompressobj(wbits=bits)
    out = stream.decompress(block, most + 1)
    if not stream.eof and len(out) <= most:
        raise zlib.error(f"it breaks off after {len(out):,} bytes")
    return out


def _unzstd(block: bytes, most: int) -> bytes:
    import zstandard

    with zstandard.ZstdDecompressor().stream_reader(block) as stream:
        return stream.read(most + 1)


@cache
def _broken() -> tuple[type[Exception], ...]:
    """Return what the decompressors raise for broken streams."""
    import brotli
    import zstandard

    return zlib.error, brotli.error, zstandard.ZstdError, IndexError
