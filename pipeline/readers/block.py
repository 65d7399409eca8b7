"""Records of a table in bulk: Arrow columns that become documents without a Python object for each text.

A block is only good as a whole: where anything about it is not plain (a null, a blank text, a text over the limit, a
repeated id), it goes record by record the way everything else does, so the result is the same.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from pipeline.readers.fields import parse_time
from pipeline.readers.reader import Bad, Record
from pipeline.text import looks, utf8_buffers

# A text that begins with one of these bytes is neither blank nor marked: ASCII that is seen, CJK from U+4000 on.
PLAIN = np.zeros(256, bool)
PLAIN[0x21:0x7F] = True
PLAIN[0xE4:0xED] = True


class Block(NamedTuple):
    """Consecutive records of one file, `record` being the ordinal of the first.

    `text`: strings. `key`: strings or whole numbers, as are `title` and `url` strings; the times hold what `parse_time`
    takes. None where the file has no such field. `careful` gives the same records one by one. What gives Python strings
    raises UnicodeDecodeError where a column holds no UTF-8.
    """

    record: int
    text: pa.Array
    title: pa.Array | None
    url: pa.Array | None
    original_time: pa.Array | None
    last_modified_time: pa.Array | None
    key: pa.Array | None
    careful: Callable[[], Iterator[Record | Bad]]
    member: str = ""

    def texts(self, limit: int) -> pa.Array | None:
        """Return the normalised texts; None where one is not plainly good. `limit`: bytes of a record."""
        text = self.text
        if not pa.types.is_string(text.type) or text.null_count or not len(text):
            return None
        data, offsets = utf8_buffers(text)
        sizes = np.diff(offsets)
        if sizes.min() <= 0 or sizes.max() > limit or offsets[0] < 0 or offsets[-1] > len(data):
            return None
        valid, marked = looks(data[offsets[0] : offsets[-1]])
        if not valid or ((data[offsets[:-1]] & 0xC0) == 0x80).any():  # each text begins with a character
            return None
        if marked:
            plain, begins = np.empty(int(offsets[-1] - offsets[0]), np.uint8), np.empty(len(offsets), np.int32)
            _plain_breaks(data, offsets, plain, begins)
            text = pa.Array.from_buffers(text.type, len(text), [None, pa.py_buffer(begins), pa.py_buffer(plain)])
        return _without_marks(text)

    def keys(self) -> list[str] | None:
        """Return the keys as strings; None where there are none, one is missing, blank or of another type."""
        key = self.key
        if key is None or key.null_count or not (pa.types.is_string(key.type) or pa.types.is_integer(key.type)):
            return None
        values: list[str] = key.to_pylist()
        if not pa.types.is_string(key.type):
            return list(map(str, values))
        return values if all(map(str.strip, values)) else None

    def strings(self, name: str) -> list[str | None]:
        """Return the values of `title` or `url`, without white space around them, None for empty ones."""
        column: pa.Array | None = getattr(self, name)
        if column is None:
            return [None] * len(self.text)
        return [value.strip() or None if isinstance(value, str) else None for value in column.to_pylist()]

    def times(self, name: str) -> list[object]:
        """Return the values of a time field, parsed."""
        column: pa.Array | None = getattr(self, name)
        return [None] * len(self.text) if column is None else [parse_time(value) for value in column.to_pylist()]


@njit(cache=True, nogil=True)
def _plain_breaks(data: Any, offsets: Any, out: Any, begins: Any) -> None:
    """Write the rows with a line feed for every CR LF and CR, without NUL, to `out`; where each begins to `begins`."""
    one, count = np.uint64(1), np.uint64(0)
    for row in range(len(offsets) - 1):
        begins[row] = count
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        while i < end:
            byte = data[i]
            i += one
            if byte == 13:
                byte = np.uint8(10)
                if i < end and data[i] == 10:
                    i += one
            out[count] = byte
            count += np.uint64(byte != 0)
    begins[len(offsets) - 1] = count


def _without_marks(text: pa.Array) -> pa.Array | None:
    """Return the texts without leading byte order marks, None where one is blank; only unusual beginnings are seen."""
    data, offsets = utf8_buffers(text)
    if (offsets[1:] == offsets[:-1]).any():
        return None
    unusual = np.flatnonzero(~PLAIN[data[offsets[:-1]]])
    if not len(unusual):
        return text
    values = text.take(pa.array(unusual)).to_pylist()
    bare = [value.removeprefix("\ufeff") for value in values]
    if not all(map(str.strip, bare)):
        return None
    if bare == values:
        return text
    mask = np.zeros(len(text), bool)
    mask[unusual] = True
    return pc.replace_with_mask(text, pa.array(mask), pa.array(bare, text.type))
