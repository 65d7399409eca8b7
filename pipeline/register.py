"""A register of sources: what is known of each origin, stated once, in YAML or as a table (CSV).

`register: sources.yaml` in a recipe names it and `from: npc` in a source takes over an entry's facts. A fact stands in
one place: giving it in the source as well is an error.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from schemas.errors import RecipeError, unknown_name
from schemas.source import SOURCE_ID, Facts
from schemas.store import REMEDY, secret_in


class Entry(Facts):
    """A source of a register: its id and its facts."""

    id: str = Field(pattern=SOURCE_ID.pattern + "$")


def load_register(path: Path) -> dict[str, dict[str, Any]]:
    """Return the facts of each entry by its id, as they stand there.

    Raises RecipeError with all problems, one a line, each with file, line and field.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"register: {path}: cannot be read ({error.strerror}); check the path") from None
    rows = _table(raw) if path.suffix.lower() == ".csv" else _listed(raw, path)
    problems: list[str] = []
    found: dict[str, dict[str, Any]] = {}
    for line, row in rows:
        problems += _problems(path, line, row)
        id = str(row.get("id"))
        if id in found:
            problems.append(f"{path}, line {line}, id: '{id}' stands twice; keep one")
        found[id] = row
    if problems:
        raise RecipeError("\n".join(dict.fromkeys(problems)))
    return found


def _problems(path: Path, line: int, row: Mapping[str, Any]) -> list[str]:
    for name, value in row.items():
        if isinstance(value, str) and (secret := secret_in(value)):
            return [f"{path}, line {line}, {name}: an address holds {secret}; {REMEDY}"]
    try:
        Entry.model_validate(row)
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            field = str(problem["loc"][0]) if problem["loc"] else ""
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                message = unknown_name("field", field, Entry.model_fields)
            elif problem["type"] == "missing":
                message = "is required"
            problems.append(f"{path}, line {line}, {field}: {message}")
        return problems
    return []


def _table(raw: bytes) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a CSV, UTF-8 or as Excel writes it in China (GB18030), with their lines; empty cells are left out."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030", "replace")
    reader = csv.DictReader(text.splitlines(keepends=True), restkey="(more cells than columns)")
    return [(reader.line_num, {k.strip(): v for k, v in row.items() if v and v != ""}) for row in reader]


def _listed(raw: bytes, path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The entries of a YAML list, with their lines."""
    from pipeline.recipes import refuse_repeated

    try:
        text = raw.decode("utf-8-sig")
        node, values = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: no UTF-8 text from byte {error.start} on; save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RecipeError(f"{path}: not valid YAML{f', line {mark.line + 1}' if mark else ''}") from None
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise RecipeError(f"{path}: a register is a list of entries, each with at least `id` and `license`")
    assert node is not None  # there are values
    refuse_repeated(node, str(path))
    return [(entry.start_mark.line + 1, value) for entry, value in zip(node.value, values, strict=True)]


def with_facts(values: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return the values of a recipe with the facts of the entries that its sources take `from` the register.

    Raises RecipeError, with its place in the recipe, for an entry that is not there or a fact that stands twice.
    """
    named = values.get("register")
    sources = values.get("sources")
    if not isinstance(sources, list):
        return values
    entries = load_register(base / named) if isinstance(named, str) else None
    filled = []
    for number, source in enumerate(sources):
        if not isinstance(source, dict) or "from" not in source:
            filled.append(source)
            continue
        place = ("sources", number, "from")
        if entries is None:
            raise RecipeError("`from` needs a register; name its file in `register`", place)
        entry = entries.get(str(source["from"]))
        if entry is None:
            raise RecipeError(unknown_name("entry of the register", str(source["from"]), entries), place)
        own = {name: value for name, value in source.items() if name != "from"}
        if twice := sorted(own.keys() & entry.keys() - {"id"}):
            raise RecipeError(f"'{twice[0]}' stands in the register; take it out here", ("sources", number, twice[0]))
        filled.append({**entry, **own})
    return {**values, "sources": filled}
