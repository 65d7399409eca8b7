"""Optical character recognition of pages without a text layer, by a function of the user's; none is shipped.

A source names it as `ocr: module:function`. It is called as `function(png, number)` with a page as a grey PNG image of
300 dots an inch (fewer where that passes 40 million) and its number in the document, from 1, and returns the text, its
lines apart by line feeds; empty for a page without text. It runs where the document is read: in the limited process, so
`limits.seconds` and `limits.memory_bytes` have to leave it room. What the function computes is not looked at when it is
decided which files are read again: a better one needs another name.
"""

import importlib
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

from schemas.errors import ContractError

DOTS = 300  # an inch; what engines of OCR are made for
POINTS = 72  # an inch, in PDF
MOST_DOTS = 40_000_000  # of a page: an A2 sheet at 300 dots an inch


class Unrecognised(Exception):
    """The function failed on a page; the message says how."""


def recognised(name: str, page: Any, number: int) -> str:
    """Return the text that the function `name` finds on a page of PDFium's.

    Raises Unrecognised where the function fails, ContractError where there is no such function or it gives no string.
    """
    recognise = _function(name)
    width, height = page.get_size()
    scale = min(DOTS / POINTS, (MOST_DOTS / max(1.0, width * height)) ** 0.5)
    image = _png(page.render(scale=scale, grayscale=True).to_numpy())
    try:
        text = recognise(image, number)
    except Exception as error:
        raise Unrecognised(f"{name} failed on page {number} ({type(error).__name__}: {error})") from error
    if not isinstance(text, str):
        raise ContractError(f"ocr '{name}': it must return a string, and gave {type(text).__name__}")
    return text


@cache
def _function(name: str) -> Callable[[bytes, int], object]:
    module, _, function = name.partition(":")
    try:
        found: Callable[[bytes, int], object] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ContractError(
            f"ocr '{name}' cannot be loaded ({error}); install its package, or put its folder on PYTHONPATH"
        ) from error
    return found


def _png(grey: Any) -> bytes:
    """Return a PNG image of grey values, uint8, (height, width) or (height, width, 1); PNG, third edition, 5 to 11."""
    import numpy as np

    height, width = grey.shape[:2]
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = grey.reshape(height, width)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
