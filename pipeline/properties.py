"""Unicode properties of all code points, from one shipped table that every step shares.

Run `python -m pipeline.properties` to build it anew from `unicodedata`; a test does and compares. Shipped, it loads in
a few milliseconds, where asking `unicodedata` for each code point took every process half a second a step, and steps
measure alike on every Python (Unicode 14 in 3.11, 15 in 3.12).
The price is 20 KB and a table that stays behind the newest Unicode until it is built again.
"""

import unicodedata
from functools import cache
from importlib.resources import as_file, files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

UNICODE = "14.0.0"
CODE_POINTS = 0x110000
CATEGORIES = (
    *("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"),
    *("Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"),
)
# Beside the place of the category, which takes the low five bits.
CATEGORY = 31
WIDE = 1 << 5  # East Asian width W, F or A
WORD = 1 << 6  # letters, digits and numerals, as `str.isalnum` has them
UPPER = 1 << 7  # as `str.isupper` has it
COMPOSES = 1 << 8  # not in NFC, or may be joined with what stands before it
_FILE = files("pipeline") / "data" / "properties.npz"


class Folds(NamedTuple):
    """Code points (uint32) that NFKC and casefold make another single one of, and which; digits, and their values."""

    points: npt.NDArray[np.uint32]
    values: npt.NDArray[np.uint32]
    digits: npt.NDArray[np.uint32]
    numbers: npt.NDArray[np.uint8]


@cache
def properties() -> npt.NDArray[np.uint16]:
    """Return category and properties of every code point, uint16, (0x110000,)."""
    stored = _stored()
    table = np.repeat(stored["runs"], stored["lengths"])
    table.setflags(write=False)
    return table


def of_categories(*names: str) -> npt.NDArray[np.bool_]:
    """Return which code points are of some categories, by their names or the first letters of those, (0x110000,)."""
    chosen = np.array([name in names or name[0] in names for name in CATEGORIES])
    return np.asarray(chosen[properties() & CATEGORY])


@cache
def folds() -> Folds:
    """Return how characters are compared where width, circles and capitals do not count, and digits of all scripts."""
    stored = _stored()
    return Folds(*(stored[name] for name in Folds._fields))


@cache
def _stored() -> dict[str, Any]:
    with as_file(_FILE) as path, np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def build() -> dict[str, Any]:
    """Build the table of this Python's Unicode version: runs of equal properties with their lengths, and the folds."""
    chars = [chr(point) for point in range(CODE_POINTS)]
    places = {name: place for place, name in enumerate(CATEGORIES)}
    table = np.array([places[unicodedata.category(char)] for char in chars], np.uint16)
    table[[unicodedata.east_asian_width(char) in "WFA" for char in chars]] |= WIDE
    table[[char.isalnum() for char in chars]] |= WORD
    table[[char.isupper() for char in chars]] |= UPPER
    table[_composing(chars)] |= COMPOSES
    begins = np.flatnonzero(np.diff(table, prepend=table[0] + 1))
    plain = [unicodedata.normalize("NFKC", char).casefold() for char in chars]
    folded = [point for point, form in enumerate(plain) if len(form) == 1 and form != chars[point]]
    digits = {point: value for point, char in enumerate(chars) if (value := unicodedata.digit(char, -1)) >= 0}
    return {
        "unicode": np.array(unicodedata.unidata_version),
        "runs": table[begins],
        "lengths": np.diff(begins, append=CODE_POINTS).astype(np.uint32),
        "points": np.array(folded, np.uint32),
        "values": np.array([ord(plain[point]) for point in folded], np.uint32),
        "digits": np.array(list(digits), np.uint32),
        "numbers": np.array(list(digits.values()), np.uint8),
    }


def _composing(chars: list[str]) -> list[int]:
    """Return what is not in NFC by itself, and what NFC may join with the character before it; Hangul's jamo, too."""
    found = list(range(0x1161, 0x1200))  # vowels and finals
    for point, char in enumerate(chars):
        parts = unicodedata.decomposition(char).split()
        if parts and not parts[0].startswith("<"):
            if unicodedata.normalize("NFC", char) != char:
                found.append(point)
            elif len(parts) == 2:
                found.append(int(parts[1], 16))
        elif unicodedata.combining(char):
            found.append(point)
    return found


def write(path: Any) -> None:
    """Write the table that is shipped."""
    with path.open("wb") as stream:
        np.savez_compressed(stream, **build())


if __name__ == "__main__":
    with as_file(_FILE) as shipped:
        write(shipped)
