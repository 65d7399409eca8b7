"""Which field of a record holds the text, the title, the time: as the recipe says, else by the usual names.

The usual names are data (`data/fields.tsv`). Fields are chosen once a file, from its header or its first readable
record, so that all records of a file are read alike.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import parsedate_to_datetime
from functools import cache
from importlib import resources
from typing import Any

from schemas.source import Fields

CHINESE = re.compile(
    r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日?(?:\s*(\d{1,2})[:时時点](\d{1,2})(?:[:分](\d{1,2}))?)?"
)
MAIL = re.compile(r"\b\d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4}\s+\d{1,2}:\d{2}")
LOOSE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?(?!\d)")


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the fields of a record; `text` holds one or several."""

    text: tuple[str, ...]
    title: str | None = None
    url: str | None = None
    original_time: str | None = None
    last_modified_time: str | None = None
    id: str | None = None


def choose(fields: Fields, names: Iterable[str], textual: Iterable[str] | None = None) -> Columns | None:
    """Return which of these names hold what; None where there is no text field among them.

    `textual`: those that can hold a text, where types are known.
    """
    known = _by_name(names)
    text = _text(fields, known if textual is None else _by_name(textual))
    if text is None:
        return None
    return Columns(text, **{role: _one(role, getattr(fields, role), known) for role in ROLES}, id=_of(fields.id, known))


ROLES = ("title", "url", "original_time", "last_modified_time")


def paths_of(fields: Fields) -> tuple[str, ...]:
    """Return the names in a recipe that lead into a record: `data.body.content`, `items[].text`."""
    text = [fields.text] if isinstance(fields.text, str) else fields.text or []
    names = (*text, fields.id, *(getattr(fields, role) for role in ROLES))
    return tuple(name for name in names if name is not None and ("." in name or "[]" in name))


def with_paths(row: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return the record with the values at these paths under their whole names; a key of that very name goes first.

    `name[]` is every element of a list: their strings are joined by line breaks.
    """
    found = {path: value for path in paths if path not in row and (value := _at(row, path.split("."))) is not None}
    return {**row, **found}


def _at(value: Any, steps: Sequence[str]) -> Any:
    """Return what stands at the end of a path, None for nothing."""
    if not steps:
        return value
    name = steps[0].removesuffix("[]")
    inner = value.get(name) if isinstance(value, Mapping) else None
    if not steps[0].endswith("[]"):
        return _at(inner, steps[1:])
    if not isinstance(inner, list):
        return None
    values = [found for item in inner if (found := _at(item, steps[1:])) is not None]
    return "\n".join(values) if values and all(isinstance(one, str) for one in values) else values or None


def missing(fields: Fields, names: Iterable[str]) -> str:
    """Return the reason for a record or file without a text field, with the fields there are."""
    wanted = fields.text if isinstance(fields.text, str) else " + ".join(fields.text or ())
    what = f"no field '{wanted}'" if wanted else "no field with a usual name for text"
    found = ", ".join(str(name)[:40] for name in list(names)[:20])
    return f"{what}; found: {found or 'none'}; name the field in the recipe's fields.text"


def _by_name(names: Iterable[str]) -> dict[str, str]:
    return {name.strip().lower(): name for name in reversed(list(names))}


def _text(fields: Fields, known: Mapping[str, str]) -> tuple[str, ...] | None:
    if fields.text is not None:
        wanted = [fields.text] if isinstance(fields.text, str) else fields.text
        found = [_of(name, known) for name in wanted]
        return tuple(name for name in found if name is not None) if all(found) else None
    for names in _usual()["text"]:
        if all(name in known for name in names):
            return tuple(known[name] for name in names)
    return None


def _one(role: str, wanted: str | None, known: Mapping[str, str]) -> str | None:
    if wanted is not None:
        return _of(wanted, known)
    return next((known[names[0]] for names in _usual()[role] if names[0] in known), None)


def _of(name: str | None, known: Mapping[str, str]) -> str | None:
    return known.get(name.strip().lower()) if name is not None else None


@cache
def _usual() -> dict[str, list[tuple[str, ...]]]:
    table: dict[str, list[tuple[str, ...]]] = {}
    text = resources.files("pipeline.readers").joinpath("data/fields.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            role, names = line.split("\t")
            table.setdefault(role, []).append(tuple(names.split("+")))
    return table


def text_of(values: Iterable[Any]) -> str | None:
    """Return the text of a record from the values of its text fields; None where one is no string."""
    parts = []
    for value in values:
        if not isinstance(value, str):
            return None
        parts.append(value)
    return parts[0] if len(parts) == 1 else "\n".join(part for part in parts if part)


def parse_time(value: Any) -> datetime | None:
    """Return a time in UTC from ISO 8601, `2023年4月1日`, `2023/4/1 08:30`, RFC 5322 or Unix seconds; None for others.

    A time without a zone is taken as UTC, so that the day stays the one that is written.
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _unix(float(value))
    if not isinstance(value, str) or not 8 <= len(value.strip()) <= 64:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return _written(value)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _written(value: str) -> datetime | None:
    if MAIL.search(value):
        return _mailed(value)
    match = CHINESE.search(value) or LOOSE.search(value)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _mailed(value: str) -> datetime | None:
    """Return the time that RFC 5322 writes, as mail, feeds and web servers do."""
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _unix(value: float) -> datetime | None:
    seconds = value / 1000 if value > 1e11 else value
    return datetime.fromtimestamp(seconds, UTC) if 1e8 <= seconds < 1e10 else None
