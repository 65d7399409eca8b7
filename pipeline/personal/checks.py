"""Check digits and tables: whether a number that has the shape of a type is one of that type.

Every function takes ASCII digits and capital letters without separators and never raises on other text. Trade: a check
digit says that a number is well formed, not that it was ever issued.
"""

import re
from datetime import date
from functools import cache
from ipaddress import ip_address

from pipeline.tables import lines_of

_PACKAGE = "pipeline.personal"
CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: without I, O, S, V, Z
_CREDIT_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_IDENTITY_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))
_IDENTITY = re.compile(r"[0-9]{17}[0-9X]")
_OLD_IDENTITY = re.compile(r"[0-9]{15}")
_CREDIT_SHAPE = re.compile(r"[1-9ANY][0-9A-HJ-NP-RTUWXY][0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}")


def identity_digit(first: str) -> str:
    """Return the check digit for 17 digits. Source: GB 11643-1999, ISO 7064 MOD 11-2."""
    return "10X98765432"[sum(int(digit) * w for digit, w in zip(first, _IDENTITY_WEIGHTS, strict=True)) % 11]


def is_identity_card(number: str) -> bool:
    """Tell whether 18 characters are a resident identity number: region, date of birth, check digit (GB 11643-1999).

    The year may be 1880 to 2099: no wall clock, so that the result never changes.
    """
    if not _IDENTITY.fullmatch(number) or number[:2] not in regions():
        return False
    return _is_date(number[6:14], 1880, 2100) and identity_digit(number[:17]) == number[17]


def is_old_identity_card(number: str) -> bool:
    """Tell whether 15 digits may be an identity number of before 1999: region and date; there is no check digit."""
    return (
        bool(_OLD_IDENTITY.fullmatch(number)) and number[:2] in regions() and _is_date(f"19{number[6:12]}", 1900, 2000)
    )


def credit_digit(first: str) -> str:
    """Return the check character for 17 characters. Source: GB 32100-2015, MOD 31 with weights 3^i."""
    return CREDIT[-sum(CREDIT.index(char) * w for char, w in zip(first, _CREDIT_WEIGHTS, strict=True)) % 31]


def organisation_digit(first: str) -> str:
    """Return the check character of an organisation code for its 8 characters. Source: GB 11714-1997, MOD 11."""
    return "0X987654321"[sum(int(char, 36) * w for char, w in zip(first, _ORGANISATION_WEIGHTS, strict=True)) % 11]


def is_social_credit(number: str) -> bool:
    """Tell whether 18 characters are a unified social credit code: region and both check characters.

    The region is a province (GB/T 2260) or 10, the national registry.
    """
    if not _CREDIT_SHAPE.fullmatch(number) or (number[2:4] not in regions() and number[2:4] != "10"):
        return False
    return organisation_digit(number[8:16]) == number[16] and credit_digit(number[:17]) == number[17]


def luhn_digit(first: str) -> str:
    """Return the check digit for the digits before it. Source: ISO/IEC 7812-1 annex B."""
    total = sum(int(d) if place % 2 else sum(divmod(2 * int(d), 10)) for place, d in enumerate(reversed(first)))
    return str(-total % 10)


def is_luhn(number: str) -> bool:
    """Tell whether ASCII digits pass the Luhn check."""
    return number.isdecimal() and number.isascii() and len(number) > 1 and luhn_digit(number[:-1]) == number[-1]


def is_bank_card(number: str) -> bool:
    """Tell whether digits may be a bank card: 13 to 19, Luhn, not one digit over and over. One in ten passes."""
    return 13 <= len(number) <= 19 and len(set(number)) > 1 and is_luhn(number)


def is_mobile(number: str) -> bool:
    """Tell whether 11 digits have a prefix in use and are not a placeholder such as 13800000000."""
    prefixes = _lines("mobile_prefixes.txt")
    return len(set(number[3:])) > 1 and (number[:3] in prefixes or number[:4] in prefixes)


def is_landline(number: str) -> bool:
    """Tell whether digits are an area code and 7 or 8 digits of a subscriber."""
    codes = _lines("area_codes.txt")
    code = next((number[:size] for size in (3, 4) if number[:size] in codes), "")
    return bool(code) and len(number) - len(code) in (7, 8)


def is_public_address(text: str) -> bool:
    """Tell whether text is an address on the open net: v4, or v6 of 2000::/3 (RFC 4291), not private or reserved."""
    try:
        found = ip_address(text)
    except ValueError:
        return False
    return found.is_global and not found.is_multicast and (found.version == 4 or found.packed[0] >> 5 == 1)


def is_plate(number: str) -> bool:
    """Tell whether text without separators has the letters of a plate and two digits or more (GA 36)."""
    first = number[0] in _lines("plate_letters.txt") or number[0] == "使"
    return first and sum(char.isdecimal() for char in number) >= 2


def is_name(text: str) -> bool:
    """Tell whether two to four Han characters begin with a surname; a name with `·` needs none."""
    if "·" in text:
        return True
    surnames = _lines("surnames.txt")
    return len(text) <= 4 if text[:2] in surnames and len(text) > 2 else len(text) <= 3 and text[0] in surnames


@cache
def regions() -> dict[str, str]:
    """Codes of provinces and regions, GB/T 2260, with their short names."""
    return dict(line.split("\t") for line in lines_of(_PACKAGE, "regions.tsv"))


@cache
def _lines(name: str) -> frozenset[str]:
    return frozenset(lines_of(_PACKAGE, name))


def _is_date(digits: str, first: int, end: int) -> bool:
    try:
        return first <= date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year < end
    except ValueError:
        return False
