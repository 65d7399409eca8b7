"""Builds the table behind the match form, from `unicodedata` and OpenCC's characters.

Run `python -m pipeline.dedup.table` after a change of revision; a test builds it again and compares. The table is
shipped so that signatures do not change with the Python they are computed on (Unicode 14 in 3.11, 15 in 3.12).
The price is 30 KB and a table that stays behind the newest Unicode until a revision is raised.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import as_file, files
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from schemas.recipe import MatchForm

DATA = files("pipeline.dedup") / "data"
DEFAULT_FORM = MatchForm()
CODE_POINTS = 0x110000
SURROGATES = range(0xD800, 0xE000)
HANGUL_VOWELS_AND_TAILS = frozenset(range(0x1161, 0x1176)) | frozenset(range(0x11A8, 0x11C3))


@cache
def simplified() -> dict[str, str]:
    """Return Traditional to Simplified, one character each, as `data/simplified.tsv` has it."""
    lines = (DATA / "simplified.tsv").read_text("utf-8").splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def normalization(form: MatchForm) -> Literal["NFKC", "NFC"]:
    """Return the Unicode normalisation that a match form begins with."""
    return "NFKC" if form.width == "fold" else "NFC"


def match_chars(chars: Iterable[str], form: MatchForm = DEFAULT_FORM) -> list[str]:
    """Return the match form of each character alone: NFKC, casefold, deletions, Traditional to Simplified."""
    normal = normalization(form)
    folded = [unicodedata.normalize(normal, char).casefold() for char in chars]
    becomes: dict[int, str | None] = {}
    for char in set("".join(folded)):
        if _is_deleted(char, form):
            becomes[ord(char)] = None
            continue
        digit = "0" if form.digits == "zero" and char.isdecimal() else char
        becomes[ord(char)] = simplified().get(digit, digit) if form.script == "fold" else digit
    return [text.translate(becomes) for text in folded]


def _is_deleted(char: str, form: MatchForm) -> bool:
    if form.digits == "drop" and char.isdecimal():
        return True
    return (form.punctuation == "drop" and unicodedata.category(char)[0] in "PS") or _is_invisible(char)


def _is_invisible(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] == "Z" or category in ("Cc", "Cf")


def _second_halves() -> frozenset[int]:
    """Characters that NFC may join to the character before them, other than by their combining class."""
    halves = set(HANGUL_VOWELS_AND_TAILS)
    for code in _scalars():
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            halves.add(int(parts[1], 16))
    return frozenset(halves)


def _scalars() -> Iterator[int]:
    return (code for code in range(CODE_POINTS) if code not in SURROGATES)


def build_table() -> dict[str, npt.NDArray[np.uint32]]:
    """Build the table of this Python's Unicode version.

    `codes`, `lengths`: the code points whose match form is not themselves, ascending, and how many code points it has;
    `values`: these forms end to end. `joins`: the code points that may change, or be changed by, what stands before
    them under NFKC, so that a text with one of them must be normalised as a whole.
    `invisible`: the code points of the categories Z*, Cc and Cf; `digits`: those of the category Nd.
    """
    halves = _second_halves()
    codes: list[int] = []
    lengths: list[int] = []
    values: list[int] = []
    joins: list[int] = []
    for code, form in zip(_scalars(), match_chars(map(chr, _scalars())), strict=True):
        char = chr(code)
        first = unicodedata.normalize("NFKD", char)[0]
        if unicodedata.combining(first) or ord(first) in halves:
            joins.append(code)
        if form != char:
            codes.append(code)
            lengths.append(len(form))
            values.extend(map(ord, form))
    digits = [code for code in _scalars() if chr(code).isdecimal()]
    invisible = [code for code in _scalars() if _is_invisible(chr(code))]
    arrays = {
        "codes": codes,
        "lengths": lengths,
        "values": values,
        "joins": joins,
        "invisible": invisible,
        "digits": digits,
    }
    return {name: np.array(array, np.uint32) for name, array in arrays.items()}


def vary_table(stored: dict[str, npt.NDArray[np.uint32]], form: MatchForm) -> dict[str, npt.NDArray[np.uint32]]:
    """Return the table of a match form other than the default, whose forms differ for the same code points and digits.

    Made from the characters that the shipped table knows, so that later Unicode versions change nothing; about .03 s.
    """
    codes = np.union1d(stored["codes"], stored["digits"])
    forms = match_chars(map(chr, codes.tolist()), form)
    values = np.array([ord(char) for text in forms for char in text], np.uint32)
    return {**stored, "codes": codes, "lengths": np.array([len(text) for text in forms], np.uint32), "values": values}


def load_table() -> dict[str, npt.NDArray[np.uint32]]:
    """Return the shipped table, in the form of `build_table`."""
    with as_file(DATA / "matchform.npz") as path, np.load(path) as stored:
        return {name: stored[name] for name in stored.files if name != "unicode"}


def write_table() -> None:
    """Write the table that is shipped, with the Unicode version it was built from."""
    arrays: dict[str, Any] = {"unicode": np.array(unicodedata.unidata_version), **build_table()}
    with as_file(DATA / "matchform.npz") as path:
        np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    write_table()
