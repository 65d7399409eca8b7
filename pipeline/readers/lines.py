"""Lines of a file of any size, from its bytes or from decoded blocks; a line over the limit is never held."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.readers.encoding import Data

HEAD = 800  # bytes or characters of a line over the limit that are kept for the excerpt


class TooLong(NamedTuple):
    """A line over the limit: its size and its first bytes or characters."""

    size: int
    head: bytes | str

    def reason(self, limit: int) -> str:
        """Return why it is not read."""
        return f"a record of {self.size:,} bytes or more, over limits.record_bytes {limit:,}"


def byte_lines(data: Data, start: int, limit: int) -> Iterator[bytes | TooLong]:
    """Yield the lines of UTF-8 bytes without their ends."""
    size = len(data)
    while start < size:
        end = data.find(b"\n", start)
        end = size if end < 0 else end
        if end - start > limit:
            yield TooLong(end - start, data[start : start + HEAD])
        else:
            yield data[start:end]
        start = end + 1


def text_lines(blocks: Iterable[str], limit: int, codec: str = "utf-8") -> Iterator[str | TooLong]:
    """Yield the lines of decoded text without their ends; carriage returns alone end lines where no line feed does.

    `limit` is in bytes of `codec`, the encoding the text came in.
    """
    end, carry, dropped = "", "", 0  # `dropped`: bytes of the line that are held no more
    for block in blocks:
        end = end or ("\r" if "\r" in block and "\n" not in block else "\n")
        *lines, rest = block.split(end)
        for line in lines:
            yield _line(carry + line, dropped, limit, codec)
            carry, dropped = "", 0
        carry += rest
        if dropped or _size(carry, limit, codec) > limit:
            dropped += len(carry[HEAD:].encode(codec, "replace"))
            carry = carry[:HEAD]
    if carry or dropped:
        yield _line(carry, dropped, limit, codec)


def _line(text: str, dropped: int, limit: int, codec: str) -> str | TooLong:
    size = dropped + _size(text, limit, codec)
    if dropped or size > limit:
        return TooLong(dropped + len(text.encode(codec, "replace")), text[:HEAD])
    return text.removesuffix("\r")


def _size(text: str, limit: int, codec: str) -> int:
    """Return the bytes of a text; those far below the limit are not counted exactly."""
    return len(text) if 4 * len(text) <= limit else len(text.encode(codec, "replace"))
