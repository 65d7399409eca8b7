"""Personal data: numbers with check digits, telephone numbers, addresses and more, replaced, or counted only.

Conservative by design: a number is taken for personal only when its check digit, a table or a word beside it says what
it is. Article numbers of statutes, hotlines, offices, examples and values in code stay.

Trade: the types that need more than a check digit or a table find less than there is, and are not looked for unless
named. What stays is residual risk, to be stated on the dataset's card. One Arrow regex over the column finds the rows
that may hold anything, so a text without candidates costs nothing.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from pydantic import Field, model_validator

from pipeline.clean.rows import with_texts
from pipeline.personal.actions import Action, key_id, read_key, replaced
from pipeline.personal.patterns import TABLES, TYPES, Span, Type, candidate, find
from pipeline.step import Cleaner, replace_text
from pipeline.tables import resource
from pipeline.text import utf8_buffers
from schemas.errors import RecipeError
from schemas.manifest import Resource

# Types that hold an @, or eleven digits, letters, spaces and hyphens on end, of which six are digits at least.
_LONG = frozenset({"email", "identity_card", "social_credit", "bank_card", "mobile"})
DEFAULT: tuple[Type, ...] = ("email", "identity_card", "social_credit", "bank_card", "mobile")


class Personal(Cleaner):
    """Finds personal data and replaces it, e.g. `13912345678` by `[手机号]`; columns say how many and where.

    - `email`; `identity_card`: 18 digits (GB 11643: region, date, check digit), or 15 after a word such as 身份证;
      `social_credit`: unified social credit code (GB 32100 and the organisation code in it, GB 11714); `bank_card`: 13
      to 19 digits that pass Luhn after a word such as 卡号; `mobile`: 11 digits of a prefix in use.
    - Only where `types` names them: `landline`, `ip`, `plate`, `passport`, `permit`, `wechat`, `qq`, `address` and
      `name` (after a label such as 姓名：).

    `redact` puts a label, `mask` hides most digits (138****5678), `pseudonymise` puts a keyed pseudonym of the same
    shape, `flag` changes nothing; a rule of `select` on a count drops. `personal_spans` is a JSON list of type, start,
    end and confidence, in code points of the text as this step leaves it. More: docs/personal.md.
    """

    kind: ClassVar[str] = "personal"
    revision: ClassVar[int] = 2

    types: Annotated[tuple[Type, ...], Field(description="what is looked for · 查找的类型")] = DEFAULT
    action: Annotated[Action, Field(description="what becomes of it · 处置")] = "redact"
    actions: Annotated[
        dict[Type, Action], Field(description="other actions, by type · 按类型另定处置", default_factory=dict)
    ]
    key: Annotated[
        str | None,
        Field(description="where the key of pseudonyms is: `env:NAME` or `file:PATH` · 假名密钥的所在"),
    ] = None

    @model_validator(mode="after")
    def _fit(self) -> "Personal":
        if self.key is not None and not re.fullmatch("(?:env|file):.+", self.key):
            # Not by a ValueError, whose message would repeat what may be the key itself.
            raise RecipeError("step 'personal': the parameter 'key' says where the key is: `env:NAME` or `file:PATH`")
        if unused := [kind for kind in self.actions if kind not in self.types]:
            raise ValueError(f"actions for {', '.join(unused)}, which `types` does not name")
        if (self.key is None) == self._pseudonyms():
            raise ValueError("`key` and the action `pseudonymise` go together")
        return self

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many were found, in all and of each type (int64), and where (JSON)."""
        counts = dict.fromkeys(_names(self._types()), pa.int64())
        return {"personal_count": pa.int64(), **counts, "personal_spans": pa.string()}

    def resources(self) -> Sequence[Resource]:
        """The tables; and, so that another key is another version, an HMAC that tells keys apart.

        Raises RecipeError when the key is missing.
        """
        tables = [resource("pipeline.personal", name, "CC0-1.0") for name in TABLES]
        if self.key is not None:
            tables.append(Resource(name="personal key", hash=key_id(read_key(self.key)), license="internal"))
        return tuple(tables)

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with the changed text and the columns of `adds`."""
        column, types = batch.column("text"), self._types()
        key = read_key(self.key) if self.key is not None else None
        suspects = _suspects(column, types) if types else []
        found: dict[int, list[Span]] = {}
        texts: dict[int, str] = {}
        for row in suspects:
            text = column[row].as_py()
            if spans := find(text, types):
                new, found[row] = replaced(text, spans, self._action_of, key)
                if new != text:
                    texts[row] = new
        batch = replace_text(batch, with_texts(column, texts))
        for name, values in _columns(found, types, len(column)).items():
            batch = batch.append_column(name, values)
        return batch

    def _types(self) -> tuple[Type, ...]:
        return tuple(kind for kind in TYPES if kind in self.types)

    def _action_of(self, kind: Type) -> Action:
        return self.actions.get(kind, self.action)

    def _pseudonyms(self) -> bool:
        return any(self._action_of(kind) == "pseudonymise" for kind in self.types)


def _suspects(column: pa.Array, types: tuple[Type, ...]) -> list[int]:
    """Return the rows that may hold one of some types."""
    rows = np.arange(len(column))
    if set(types) <= _LONG:
        few = np.zeros(len(column), np.bool_)
        _long_numbers(*utf8_buffers(column), few)
        rows = np.flatnonzero(few)
        column = column.filter(pa.array(few))
    matches = pc.match_substring_regex(column, candidate(types)).to_numpy(zero_copy_only=False)
    found: list[int] = rows[matches].tolist()
    return found


@njit(cache=True, nogil=True)
def _long_numbers(data: Any, offsets: Any, found: Any) -> None:
    """Mark rows with an @, or with a run of eleven letters, digits, spaces and hyphens of which six are digits.

    Full-width ones count: U+FF10 and on are EF BC 90 in UTF-8, U+FF41 and on EF BD 81. The eleventh byte from here on
    tells that no run begins before it, which is most of the time.
    """
    one, two, ten = np.uint64(1), np.uint64(2), np.uint64(10)
    for row in range(len(offsets) - 1):
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        at = False
        for k in range(i, end):
            at |= data[k] == 0x40
        for k in range(i + two, end):
            at |= (data[k - two] == 0xEF) & (data[k - one] == 0xBC) & (data[k] == 0xA0)
        found[row] = at
        length = digits = 0
        while i < end and not found[row]:
            if length == 0 and (i + ten >= end or not _may_be_in_number(data, i + ten)):
                i += ten + one
                continue
            char = data[i]
            i += one
            if char == 0xEF:
                # ASCII and full-width signs stand in the same order.
                second, third = data[i], data[i + one]
                char = np.uint8(third - 0x60) if second == 0xBC else np.uint8(third - 0x20) if second == 0xBD else char
                i += two
            if _is_in_number(char):
                length += 1
                digits += 0x30 <= char <= 0x39
            else:
                length = digits = 0
            found[row] = digits >= 6 and length >= 11


@njit(cache=True, nogil=True)
def _is_in_number(char: Any) -> bool:
    """Tell whether an ASCII character is a letter, a digit, a space or a hyphen."""
    return bool(0x30 <= char <= 0x39 or 0x61 <= char | 0x20 <= 0x7A or char == 0x20 or char == 0x2D)


@njit(cache=True, nogil=True)
def _may_be_in_number(data: Any, i: Any) -> bool:
    """Tell whether a byte (two stand before it) may be of a letter, digit, space or hyphen of any width."""
    byte = data[i]
    if byte < 0x80:
        return _is_in_number(byte)
    if byte >= 0xC0:
        return bool(byte == 0xEF)
    return bool(data[i - np.uint64(1)] == 0xEF or data[i - np.uint64(2)] == 0xEF)


def _columns(found: Mapping[int, Sequence[Span]], types: Sequence[Type], rows: int) -> dict[str, pa.Array]:
    """Return the columns of counts and spans from the spans of the rows that hold any."""
    columns: dict[str, list[int]] = {name: [0] * rows for name in ("personal_count", *_names(types))}
    spans = ["[]"] * rows
    for row, row_spans in found.items():
        columns["personal_count"][row] = len(row_spans)
        for span in row_spans:
            columns[f"personal_{span.type}_count"][row] += 1
        spans[row] = orjson.dumps(row_spans).decode()
    arrays = {name: pa.array(values, pa.int64()) for name, values in columns.items()}
    return {**arrays, "personal_spans": pa.array(spans, pa.string())}


def _names(types: Sequence[Type]) -> list[str]:
    return [f"personal_{kind}_count" for kind in types]


def mask(text: str) -> str:
    """Return the text with labels for personal data of the default types."""
    return replaced(text, find(text, DEFAULT), lambda _: "redact", None)[0]
