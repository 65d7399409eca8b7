"""Personal data: identity numbers, mobile numbers, bank cards and e-mail addresses replaced by a word in brackets.

Conservative by design: a number is masked only when its own check digit, prefix table or a word beside it says what it
is. Article numbers of statutes, hotlines, landlines of public bodies and example addresses stay.

Trade: names and postal addresses are not touched, and numbers written with other separators than space or hyphen are
missed. What stays is residual risk, to be stated on the dataset's card. One Arrow regex over the column finds the rows
that may hold anything (760 MB/s), so a text without candidates costs nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.clean.rows import with_texts
from pipeline.step import Cleaner, replace_text
from pipeline.tables import lines_of, resource
from schemas.manifest import Resource

Type = Literal["identity_card", "mobile", "bank_card", "email"]
TYPES: tuple[Type, ...] = ("email", "identity_card", "bank_card", "mobile")  # in this order: one may hold another
MASKS = {"identity_card": "[身份证号]", "mobile": "[手机号]", "bank_card": "[银行卡号]", "email": "[邮箱]"}

# RE2 has no look-around, so this only says "perhaps"; the patterns below decide. Full-width digits count.
_CANDIDATE = (
    r"[0-9０-９]{11}|[1１][3-9３-９][0-9０-９][ -][0-9０-９]{4}[ -][0-9０-９]{4}"
    r"|[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|[0-9A-Za-z]@[0-9A-Za-z]"
)
_NOT_BEFORE, _NOT_AFTER = r"(?<![0-9A-Za-z０-９._/=-])", r"(?![0-9A-Za-z０-９]|[._/-][0-9A-Za-z])"
_PATTERNS: dict[str, re.Pattern[str]] = {
    "identity_card": re.compile(rf"{_NOT_BEFORE}[1-8１-８]\d{{16}}[\dXxＸ]{_NOT_AFTER}"),
    "bank_card": re.compile(
        rf"{_NOT_BEFORE}[3-6]\d{{3}}(?:\d{{9,15}}|(?:[ -]\d{{4}}){{2,3}}[ -]\d{{1,4}}){_NOT_AFTER}"
    ),
    "mobile": re.compile(
        rf"{_NOT_BEFORE}(?:(?:\+|00)?86[ -]?)?([1１][3-9３-９]\d(?:\d{{8}}|[ -]\d{{4}}[ -]\d{{4}})){_NOT_AFTER}"
    ),
    "email": re.compile(
        r"(?<![0-9A-Za-z._%+-])[0-9A-Za-z][0-9A-Za-z._%+-]{0,63}@((?:[0-9A-Za-z-]{1,63}\.)+[A-Za-z]{2,24})(?![0-9A-Za-z-])"
    ),
}
# A bank card is taken for one only with such a word within this many characters before it: one random number in ten
# passes Luhn.
_CARD_CONTEXT = re.compile(
    "银行|卡号|账号|帐号|账户|帐户|户名|汇款|转账|打款|收款|储蓄卡|信用卡|借记卡"
    "|銀行|卡號|帳號|帳戶|戶名|匯款|轉帳|收款|card",
    re.IGNORECASE,
)
_CONTEXT_CHARS = 24
# Mailing lists, reserved names (RFC 2606) and the user names of code hosts are nobody's address.
_NOBODY = re.compile(r"^lists?\.|(?:^|\.)(?:example(?:\.(?:com|net|org|cn))?|test|invalid|localhost)$", re.I)
_SERVICE_USERS = frozenset({"git", "svn", "hg", "noreply", "no-reply"})


class Personal(Cleaner):
    """Masks personal data, e.g. `13800138000` becomes `[手机号]`; `personal_count` says how many times.

    - `identity_card`: 18 digits with a valid check digit (GB 11643, ISO 7064 MOD 11-2), a real date of birth and a
      province code.
    - `mobile`: 11 digits of a prefix in use on the mainland, alone or after +86, not inside a longer number.
    - `bank_card`: 13 to 19 digits that pass Luhn, with a known first digit and a word such as 卡号 shortly before.
    - `email`: but not `example.com` and its kind.

    Source of the number rules: GB 11643-1999, ISO/IEC 7812-1; the prefix table names its own.
    """

    kind: ClassVar[str] = "personal"

    types: tuple[Type, ...] = TYPES

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many were masked, int64."""
        return {"personal_count": pa.int64()}

    def resources(self) -> Sequence[Resource]:
        """The table of mobile prefixes."""
        return (resource(__package__, "mobile_prefixes.txt", "CC0-1.0"),)

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with masked text and the count."""
        column = batch.column("text")
        suspects = pc.indices_nonzero(pc.match_substring_regex(column, _CANDIDATE)).to_pylist()
        counts = [0] * len(column)
        masked: dict[int, str] = {}
        for row in suspects:
            masked[row], counts[row] = mask_counted(column[row].as_py(), self.types)
        batch = replace_text(batch, with_texts(column, {row: text for row, text in masked.items() if counts[row]}))
        return batch.append_column("personal_count", pa.array(counts, pa.int64()))


def mask(text: str) -> str:
    """Return the text with personal data of every type masked."""
    return mask_counted(text, TYPES)[0]


def mask_counted(text: str, types: Sequence[str]) -> tuple[str, int]:
    """Return the masked text and how many were masked."""
    total = 0
    for kind in TYPES:
        if kind not in types:
            continue
        found = 0

        def replace(match: re.Match[str], kind: str = kind) -> str:
            nonlocal found
            if not _CHECKS[kind](match):
                return match[0]
            found += 1
            return MASKS[kind]

        text = _PATTERNS[kind].sub(replace, text)
        total += found
    return text, total


def _digits(text: str) -> list[int]:
    """Return the digits of a number, full-width ones too, separators left out."""
    return [int(char) for char in text if char.isdecimal()]


def is_identity_card(number: str) -> bool:
    """Tell whether 18 characters are a resident identity number. Source: GB 11643-1999."""
    last = number[-1].upper().replace("Ｘ", "X")
    digits = _digits(number[:17])
    if len(digits) != 17 or "".join(map(str, digits[:2])) not in _provinces():
        return False
    year, month, day = (int("".join(map(str, digits[a:b]))) for a, b in ((6, 10), (10, 12), (12, 14)))
    try:
        born = date(year, month, day)
    except ValueError:
        return False
    # No wall clock: a century ahead is as good a bound against random digits, and the result never changes.
    if not 1880 <= born.year < 2100:
        return False
    remainder = sum(digit * pow(2, 17 - place, 11) for place, digit in enumerate(digits)) % 11
    expected = "10X98765432"[remainder]
    return expected == (last if last == "X" else str(int(last)))


def is_luhn(number: str) -> bool:
    """Tell whether the digits pass the Luhn check. Source: ISO/IEC 7812-1 annex B."""
    digits = _digits(number)[::-1]
    return sum(sum(divmod(2 * digit, 10)) if place % 2 else digit for place, digit in enumerate(digits)) % 10 == 0


@cache
def _provinces() -> frozenset[str]:
    """Codes of provinces and regions, GB/T 2260."""
    ranges = ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    return frozenset(str(code) for first, last in ranges for code in range(first, last + 1))


@cache
def _prefixes() -> frozenset[str]:
    return frozenset(lines_of(__package__, "mobile_prefixes.txt"))


def _mobile(match: re.Match[str]) -> bool:
    number = "".join(map(str, _digits(match[1])))
    if len(set(number[3:])) == 1:  # 13800000000 stands for any number
        return False
    return number[:3] in _prefixes() or number[:4] in _prefixes()


def _bank_card(match: re.Match[str]) -> bool:
    digits = _digits(match[0])
    before = match.string[max(0, match.start() - _CONTEXT_CHARS) : match.start()]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and is_luhn(match[0]) and bool(_CARD_CONTEXT.search(before))


def _email(match: re.Match[str]) -> bool:
    user = match[0].split("@")[0].lower()
    return user not in _SERVICE_USERS and not _NOBODY.search(match[1])


_CHECKS: dict[str, Callable[[re.Match[str]], bool]] = {
    "identity_card": lambda match: is_identity_card(match[0]),
    "mobile": _mobile,
    "bank_card": _bank_card,
    "email": _email,
}
