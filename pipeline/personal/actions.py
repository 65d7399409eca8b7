"""What is put in the place of personal data: a label, the value with digits hidden, or a pseudonym under a key.

A pseudonym is keyed (HMAC-SHA-256, RFC 2104): the same value gives the same one everywhere, and without the key nobody
can try all eleven-digit numbers. It has the shape of the value, yet is nobody's: its check digit is wrong, its mobile
prefix unused (12x), its host reserved (RFC 2606) or its network unassigned. Trade: pseudonymised data are still
personal for whoever holds the key, and two values may meet in one pseudonym where the shape has little room.
"""

import hmac
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pipeline.personal import checks
from pipeline.personal.patterns import LABELS, Span, Type
from schemas.errors import RecipeError

Action = Literal["redact", "mask", "pseudonymise", "flag"]
_LEAST_KEY = 16  # bytes; shorter ones can be guessed (RFC 2104 advises the length of the hash, 32)
_NAMES = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
# How many characters stay in front and at the end of a masked value.
_SHOWN: dict[Type, tuple[int, int]] = {
    "identity_card": (6, 0), "social_credit": (2, 4), "bank_card": (0, 4), "mobile": (3, 4), "landline": (3, 2),
    "passport": (1, 2), "permit": (1, 2), "plate": (2, 1), "qq": (0, 2), "wechat": (1, 1), "name": (1, 0),
    "ip": (0, 0), "address": (0, 0), "email": (1, 0),
}  # fmt: skip
_FOLD = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_SIGN = re.compile("[0-9A-Za-z\u3400-\u4dbf\u4e00-\u9fff]")


def replaced(
    text: str, spans: Sequence[Span], action_of: Callable[[Type], Action], key: bytes | None
) -> tuple[str, list[Span]]:
    """Return the text with every span treated by its action, and the spans in the coordinates of the new text."""
    parts: list[str] = []
    moved: list[Span] = []
    at = length = 0
    for span in spans:
        value = _treated(span.type, text[span.start : span.end], action_of(span.type), key)
        parts += [text[at : span.start], value]
        start = length + span.start - at
        length, at = start + len(value), span.end
        moved.append(replace(span, start=start, end=length))
    return "".join([*parts, text[at:]]), moved


def _treated(kind: Type, value: str, action: Action, key: bytes | None) -> str:
    if action == "flag":
        return value
    if action == "mask":
        return masked(kind, value)
    if action == "pseudonymise" and key is not None:
        return pseudonym(kind, value, key)
    return LABELS[kind]


def masked(kind: Type, value: str) -> str:
    """Return the value with `*` for its digits and letters but the first and last few; separators stay.

    What is left: of an identity card the six digits of the district, of a mobile number three and four, of an e-mail
    address the first letter and the host.
    """
    value, host = (value[: at + 1], value[at + 1 :]) if kind == "email" and (at := value.find("@")) > 0 else (value, "")
    signs = [match.start() for match in _SIGN.finditer(value.translate(_FOLD))]
    first, last = _SHOWN[kind]
    hidden = set(signs[first : len(signs) - last])
    return "".join("*" if place in hidden else char for place, char in enumerate(value)) + host


def pseudonym(kind: Type, value: str, key: bytes) -> str:
    """Return a pseudonym of the shape of the value: digits for digits, letters for letters, separators as they are.

    Values that differ in width, case and separators alone get the same characters.
    """
    if kind == "ip":
        return _address(value, key)
    plain, host = value.translate(_FOLD), ""
    if kind == "email":
        bare = plain.lower()
        plain, host = bare.split("@")[0], "@example.com"
    else:
        bare = re.sub(r"^(?:\+|00)?86(?=1)", "", "".join(_SIGN.findall(plain)).upper())
    if kind == "identity_card":
        plain = plain.upper()
    draw = _draw(kind, bare, key)
    places = [match.start() for match in _SIGN.finditer(plain)]
    if kind == "mobile":  # a country code stays
        places = places[-11:]
    signs = list(plain)
    for place in places:
        signs[place] = _drawn(kind, plain[place], draw)
    _unissued(kind, signs, places)
    return "".join(signs) + host


def _drawn(kind: Type, char: str, draw: Iterator[int]) -> str:
    if char.isascii() and char.isdecimal():
        return str(next(draw) % 10)
    if char.isascii():
        if kind == "identity_card":  # only its check digit may be a letter, and only X
            return char
        letter = _LOWER[next(draw) % 26]
        return letter.upper() if char.isupper() else letter
    return _NAMES[next(draw) % len(_NAMES)] if kind == "name" else char


def _unissued(kind: Type, signs: list[str], places: Sequence[int]) -> None:
    """Make the check digit of a pseudonym wrong or its prefix unused, so that it is nobody's and is not found again."""
    if kind == "mobile":
        for place, char in zip(places, "12", strict=False):
            signs[place] = char
        return
    number = "".join(signs[place] for place in places).upper()
    valid = {"identity_card": checks.is_identity_card, "social_credit": checks.is_social_credit}.get(kind)
    if kind == "bank_card":
        valid = checks.is_luhn
    if valid is not None and valid(number):
        signs[places[-1]] = str((int(number[-1], 36) + 1) % 10)


def _address(value: str, key: bytes) -> str:
    """An address in 240.0.0.0/4 (reserved, RFC 1112) or 2001:db8::/32 (RFC 3849)."""
    digest = hmac.digest(key, b"ip\0" + value.lower().encode(), sha256)
    if ":" in value:
        return "2001:db8::" + ":".join(digest[at : at + 2].hex() for at in (0, 2, 4))
    return ".".join(str(part) for part in (240 + digest[0] % 15, *digest[1:4]))


def _draw(kind: Type, bare: str, key: bytes) -> Iterator[int]:
    """Endless 16-bit numbers that follow from the key, the type and the value."""
    block = 0
    while True:
        digest = hmac.digest(key, f"{kind}\0{bare}\0{block}".encode("utf-8", "surrogatepass"), sha256)
        yield from (int.from_bytes(digest[at : at + 2]) for at in range(0, 32, 2))
        block += 1


@cache
def read_key(place: str) -> bytes:
    """Return the key at `env:NAME` or `file:PATH` (relative to the working directory; white space at its ends goes).

    Raises RecipeError, which never holds the key, when it is missing or shorter than 16 bytes.
    """
    kind, _, name = place.partition(":")
    try:
        text = os.environb[name.encode()] if kind == "env" else Path(name).expanduser().read_bytes()
    except (KeyError, OSError):
        raise RecipeError(f"step 'personal': there is no key at {place}; set the variable or write the file") from None
    if len(text.strip()) < _LEAST_KEY:
        raise RecipeError(f"step 'personal': the key at {place} has fewer than {_LEAST_KEY} bytes; make a longer one")
    return text.strip()


def key_id(key: bytes) -> str:
    """Return what tells keys apart and says nothing about them: an HMAC of a fixed word, hex."""
    return hmac.digest(key, b"yuliao personal key", sha256).hex()
