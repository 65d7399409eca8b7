"""Lines of a file of any size, from its bytes or from decoded blocks; a line over the limit is never held."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pipeline.readers.encoding import BLOCK, Data

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


def line_borders(data: Data, start: int, places: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """Return for each place, in order, where the first line at or behind it begins, and its number.

    Lines from `start` on are counted as `byte_lines` gives them, without the blank ones within the limit: 2 GB/s.
    """
    found = []
    state = np.zeros(3, np.int64)
    at = start
    for place in places:
        border = data.find(b"\n", place - 1) + 1 or len(data) if place > start else start
        while at < border:
            block = data[at : min(border, at + BLOCK)]
            _count_lines(np.frombuffer(block, np.uint8), state, limit)
            at += len(block)
        found.append((border, int(state[0])))
    return found


@njit(cache=True, nogil=True)
def _count_lines(data: Any, state: Any, limit: int) -> None:
    """Count lines that are not blank, or are over the limit.

    `state`: their number; whether the line that has begun is one of them; its length so far.
    """
    count, seen, begun = state[0], state[1], -state[2]
    for i in range(len(data)):
        byte = data[i]
        if byte == 10:
            count += seen or i - begun > limit
            seen, begun = 0, i + 1
        elif not seen:
            seen = byte != 32 and not 9 <= byte <= 13
    state[0], state[1], state[2] = count, seen, len(data) - begun


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
