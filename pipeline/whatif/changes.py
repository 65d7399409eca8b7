"""Changed thresholds: what a user wrote becomes other rules, and the lines of a recipe that say so.

A change names a rule by its name or its column, and one test of it: `char_count.min=30`, `too_short.min=30`,
`lang.in=zh,yue`, `digits.max=off`. A recipe is changed in its own text, so its comments stay; what comes out is read
again and must hold the rules that were asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.plan import NO_OVERLAP
from pipeline.recipes import parse_recipe
from schemas.errors import RecipeError, unknown_name
from schemas.recipe import Rule

OFF = "off"
TESTS = ("min", "max", "in", "not_in", "equals")


@dataclass(frozen=True)
class Change:
    """One test of a rule as it is to be; `value` None takes it away."""

    rule: str
    test: str
    value: float | bool | list[str] | None

    @classmethod
    def of(cls, text: str) -> "Change":
        """Read `RULE.TEST=VALUE`. Raises RecipeError saying what is wrong with it."""
        name, equals, value = text.partition("=")
        rule, _, test = name.rpartition(".")
        if not (rule and equals and value) or test not in TESTS:
            raise RecipeError(
                f"'{text}' is no change: write RULE.min=VALUE, RULE.max=VALUE, RULE.in=A,B or RULE.max=off"
            )
        if value == OFF:
            return cls(rule, test, None)
        if test in ("in", "not_in"):
            return cls(rule, test, [word.strip() for word in value.split(",")])
        if test == "equals":
            if value not in ("true", "false"):
                raise RecipeError(f"'{text}': equals takes true, false or off")
            return cls(rule, test, value == "true")
        try:
            return cls(rule, test, float(value.removesuffix("%")) / (100 if value.endswith("%") else 1))
        except ValueError:
            raise RecipeError(f"'{text}': '{value}' is no number; `off` takes the test away") from None


def changed(rules: Sequence[Rule], changes: Sequence[Change], columns: Sequence[str]) -> list[Rule | None]:
    """Return the rules with the changes, each in its place, None where one has no test left; new ones come last.

    Raises RecipeError for a rule or column that is not known, or a name that stands for several.
    """
    found: list[Rule | None] = list(rules)
    for change in changes:
        place = _place(found, change, columns)
        before = found[place] if place < len(found) else None
        values: dict[str, Any] = {"column": change.rule} if before is None else _written(before)
        if change.value is None:
            values.pop(change.test, None)
        else:
            values[change.test] = change.value
        after = _rule(values, change) if any(test in values for test in TESTS) else None
        found[place : place + 1] = [after]
    return found


def _place(rules: Sequence[Rule | None], change: Change, columns: Sequence[str]) -> int:
    """Where the rule of a change stands; behind the last one where it is new."""
    named = [n for n, rule in enumerate(rules) if rule is not None and change.rule in (rule.name, rule.column)]
    if len(named) > 1:
        # A name may stand for rules on several columns, and a column have a rule for each bound or source.
        by_test = [n for n in named if change.test in _written(rules[n])]
        named = by_test or named
    if len(named) > 1:
        each = ", ".join(f"{rules[n].name or '-'} ({rules[n].column})" for n in named)  # type: ignore[union-attr]
        raise RecipeError(f"'{change.rule}.{change.test}' means several rules: {each}; name one that is single")
    if named:
        return named[0]
    known = [name for rule in rules if rule is not None for name in (rule.name, rule.column) if name]
    if change.rule not in columns or change.value is None:
        raise RecipeError(unknown_name("rule or column", change.rule, [*known, *columns]))
    return len(rules)


def _written(rule: Rule | None) -> dict[str, Any]:
    return {} if rule is None else rule.model_dump(mode="json", by_alias=True, exclude_none=True)


def _rule(values: dict[str, Any], change: Change) -> Rule:
    try:
        return Rule.model_validate(values)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise RecipeError(f"{change.rule}.{change.test}: {message}") from None


def line_of(rule: Rule) -> str:
    """Return a rule as a recipe writes it: `{column: char_count, min: 50, name: too_short}`."""
    values = {name: _plain(value) for name, value in _written(rule).items()}
    return yaml.safe_dump(values, default_flow_style=True, allow_unicode=True, sort_keys=False, width=1000).strip()


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def rewritten(text: str, before: Sequence[Rule], after: Sequence[Rule | None]) -> str:
    """Return a recipe's text with other rules; comments and all else stay as they are.

    A recipe that takes its rules from presets gets a `select` with all of them. `before`: the rules of the text;
    `after`: as `changed` returns them. Raises RecipeError where the text cannot be changed so, saying what to write.
    """
    if NO_OVERLAP in before and NO_OVERLAP not in after:
        raise RecipeError(
            "the rule 'overlap.eval' is that of the recipe's `overlap`: write `action: mark` there instead"
        )
    own = [number for number, rule in enumerate(before) if rule != NO_OVERLAP]
    after = [*(after[number] for number in own), *after[len(before) :]]
    before = [before[number] for number in own]
    wanted = [rule for rule in after if rule is not None]
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    select = next((value for key, value in node.value if key.value == "select"), None)
    if isinstance(select, yaml.SequenceNode) and len(select.value) == len(before):
        made = _in_place(text, select, before, after)
    elif select is None or select.tag.endswith(":null"):
        made = (
            _without_select(text, node).rstrip("\n") + "\n\nselect:\n" + "".join(f"  - {line_of(r)}\n" for r in wanted)
        )
    else:
        made = ""
    if not made or not _holds(made, wanted):
        lines = "\n".join(f"  - {line_of(rule)}" for rule in wanted)
        raise RecipeError(f"`select` cannot be changed in place here; write it yourself:\nselect:\n{lines}")
    return made


def _holds(text: str, rules: Sequence[Rule]) -> bool:
    """Whether a recipe reads as these rules."""
    try:
        return parse_recipe(text).select == rules
    except RecipeError:
        return False


def _without_select(text: str, node: Any) -> str:
    """The text without a `select:` that says nothing."""
    for key, value in node.value:
        if key.value == "select":
            return text[: key.start_mark.index] + text[value.end_mark.index :]
    return text


def _in_place(text: str, select: Any, before: Sequence[Rule], after: Sequence[Rule | None]) -> str:
    """The text with each changed rule of its `select` written anew, the last one first so that places stay right."""
    new = [rule for rule in after[len(before) :] if rule is not None]
    ends = [_end(item) for item in select.value]
    if new and ends:
        indent = " " * (select.value[0].start_mark.column - 2)
        text = text[: ends[-1]] + "".join(f"\n{indent}- {line_of(rule)}" for rule in new) + text[ends[-1] :]
    for item, end, old, rule in reversed(list(zip(select.value, ends, before, after, strict=False))):
        start = item.start_mark.index
        if rule is None:
            line = text.rfind("\n", 0, start) + 1
            stop = text.find("\n", end)
            text = text[:line] + ("" if stop < 0 else text[stop + 1 :])
        elif rule != old:
            text = text[:start] + line_of(rule) + text[end:]
    return text


def _end(node: Any) -> int:
    """Where a node's own text ends: that of a block mapping is said to reach to the next token."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return max(_end(value) for _, value in node.value)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return max(_end(value) for value in node.value)
    return int(node.end_mark.index)
