"""Functions that stand for a user's OCR."""

import struct


def lines(png, number):
    """Return two lines: the number of the page, and what the image says of its size and depth."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png[12:16] == b"IHDR"
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    return f"第{number}页\n{width} {height} {depth} {colour}"


def failing(png, number):
    raise ValueError("no model")


def nothing(png, number):
    return None
