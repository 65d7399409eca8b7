"""Presets: steps and rules under a name, one YAML file each in `presets/`.

A preset may build on another (`extends`) and say only how it differs: its steps take the place of those of the same
kind, its rules that of the rule of the same name on the same column, others are added at the end, and `without` names
kinds of steps and names of rules that fall away. What the base gains later, it gains too.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml

from schemas.errors import RecipeError, unknown_name

_FIELDS = {"name", "revision", "description", "extends", "steps", "select", "without"}


def preset_names() -> list[str]:
    """Return the names of all presets, sorted."""
    folder = files("pipeline") / "presets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def preset(name: str) -> Mapping[str, Any]:
    """Return a preset: `description`, `steps` and `select`, these two in a recipe's own form and whole.

    Raises RecipeError for an unknown name, or a preset that takes away or names what its base has not.
    """
    if name not in preset_names():
        raise RecipeError(unknown_name("preset", name, preset_names()))
    return resolved(dict(yaml.safe_load((files("pipeline") / "presets" / f"{name}.yaml").read_text("utf-8"))))


def resolved(own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a preset with what it takes from its base filled in. Raises as `preset`."""
    if unknown := set(own) - _FIELDS:
        raise RecipeError(f"preset '{own['name']}': {unknown_name('field', min(unknown), _FIELDS)}")
    if "extends" not in own:
        return own
    base = preset(own["extends"])
    steps = _merged(base["steps"], own.get("steps", []), ("kind",))
    rules = _merged(base["select"], own.get("select", []), ("name", "column"))
    for name in own.get("without", []):
        left = [step for step in steps if step["kind"] != name], [rule for rule in rules if rule.get("name") != name]
        if (len(left[0]), len(left[1])) == (len(steps), len(rules)):
            known = [*(step["kind"] for step in steps), *(rule["name"] for rule in rules if "name" in rule)]
            raise RecipeError(f"preset '{own['name']}', without: {unknown_name('step or rule', name, known)}")
        steps, rules = left
    return {**base, **own, "steps": steps, "select": rules}


def _merged(base: list[dict[str, Any]], own: list[dict[str, Any]], by: tuple[str, ...]) -> list[dict[str, Any]]:
    """The entries of a base, those of equal keys replaced in their place, and the other ones of its own behind."""

    def key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(entry.get(name) for name in by)

    mine = {key(entry): entry for entry in own}
    there = {key(entry) for entry in base}
    return [mine.get(key(entry), entry) for entry in base] + [e for k, e in mine.items() if k not in there]
