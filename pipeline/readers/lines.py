"""Lines of a file of any size, from its bytes or from decoded blocks; a line over the limit is never held."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

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


def text_lines(blocks: Iterable[str], limit: int) -> Iterator[str | TooLong]:
    """Yield the lines of decoded text without their ends; carriage returns alone end lines where no line feed does."""
    end, carry, dropped = "", "", 0
    for block in blocks:
        end = end or ("\r" if "\r" in block and "\n" not in block else "\n")
        *lines, rest = block.split(end)
        for line in lines:
            whole, carry = carry + line, ""
            yield TooLong(dropped + len(whole), whole[:HEAD]) if dropped else whole.removesuffix("\r")
            dropped = 0
        carry += rest
        if dropped or len(carry) > limit:
            dropped, carry = dropped + len(carry) - min(HEAD, len(carry)), carry[:HEAD]
    if carry or dropped:
        yield TooLong(dropped + len(carry), carry) if dropped else carry.removesuffix("\r")


__all__ = ["BLOCK", "TooLong", "byte_lines", "text_lines"]
