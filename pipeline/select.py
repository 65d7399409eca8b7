"""Selection: the only place that drops. Rules over columns become a decision, with rule, value and threshold.

The first rule of the recipe that a document fails is its reason. A missing value passes: what was not measured cannot
be held against a document.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import RecipeError, unknown_name
from schemas.recipe import Rule

# Columns whose values say too little without the words of another one, which go to the ledger beside them.
TOLD_BY = {"overlap_score": "overlap_found"}


# A document of which the cleaners left nothing is none, as one is that was read empty.
NO_TEXT = Rule(column="char_count", min=1, name="empty")


@dataclass(frozen=True)
class Check:
    """One side of a rule: what fails it and the name of the reason."""

    rule: Rule
    side: Literal["low", "high", "other"]
    threshold: float | None = None

    @property
    def reason(self) -> str:
        """What the ledger calls it: the rule's name, else `<column>.<side>`."""
        return self.rule.name or f"{self.rule.column}.{self.side}"


@dataclass(frozen=True)
class Selection:
    """Which check each row failed: int32, (rows,), -1 where none."""

    checks: Sequence[Check]
    failed: npt.NDArray[np.int32]

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Rows that passed every rule."""
        return self.failed < 0


def checks_of(rules: Sequence[Rule]) -> list[Check]:
    """Split rules into one check a bound, in order; a name given by the recipe is used for each of them."""
    checks = []
    for rule in rules:
        if rule.min is not None:
            checks.append(Check(rule, "low", rule.min))
        if rule.max is not None:
            checks.append(Check(rule, "high", rule.max))
        if rule.min is None and rule.max is None:
            checks.append(Check(rule, "other"))
    return checks


def for_emptied(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rule NO_TEXT, where no other one is sure to drop a document without text."""
    sure = any(rule.column == NO_TEXT.column and (rule.min or 0) > 0 and rule.sources is None for rule in rules)
    return [] if sure else [NO_TEXT]


def check_columns(rules: Sequence[Rule], columns: dict[str, pa.DataType], sources: Sequence[str]) -> None:
    """Refuse a rule on a column that no step adds, on a source that is not there, or with a test of the wrong type.

    Raises RecipeError naming the rule and what is known.
    """
    for number, rule in enumerate(rules):
        where, place = f"select, rule {number + 1}: ", ("select", number)
        if rule.column not in columns:
            known = unknown_name("column", rule.column, columns)
            raise RecipeError(f"{where}{known}. Add the step that measures it.", place)
        for source in rule.sources or ():
            if source not in sources:
                raise RecipeError(where + unknown_name("source", source, sources), place)
        dtype = columns[rule.column]
        words, claim = rule.one_of is not None or rule.none_of is not None, rule.equals is not None
        wanted = pa.types.is_string(dtype) if words else pa.types.is_boolean(dtype) if claim else is_number(dtype)
        if not wanted:
            test = "in/not_in" if words else "equals" if claim else "min/max"
            raise RecipeError(f"{where}'{rule.column}' is {dtype}; {test} cannot test it", place)


def is_number(dtype: pa.DataType) -> bool:
    """Whether a column holds numbers that can be compared."""
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype))


def select(table: pa.Table, checks: Sequence[Check]) -> Selection:
    """Apply checks to a table that holds their columns (and `source` where a rule names sources)."""
    failed = np.full(table.num_rows, -1, np.int32)
    for number, check in enumerate(checks):
        mask = _fails(table, check)
        failed[mask & (failed < 0)] = number
    return Selection(checks, failed)


def _fails(table: pa.Table, check: Check) -> npt.NDArray[np.bool_]:
    rule, column = check.rule, table.column(check.rule.column)
    if rule.one_of is not None:
        fails = pc.invert(pc.is_in(column, pa.array(rule.one_of, pa.string())))
    elif rule.none_of is not None:
        fails = pc.is_in(column, pa.array(rule.none_of, pa.string()))
    elif rule.equals is not None:
        fails = pc.not_equal(column, rule.equals)
    else:
        compare = pc.less if check.side == "low" else pc.greater
        fails = compare(column, check.threshold)
    fails = pc.and_(pc.fill_null(fails, False), pc.is_valid(column))
    if rule.sources is not None:
        fails = pc.and_(fails, pc.is_in(table.column("source"), pa.array(rule.sources, pa.string())))
    return np.asarray(fails.to_numpy(), bool)


def evidence(table: pa.Table, selection: Selection) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """Return (reason, value, threshold, detail) for each row; words go to `detail`, and all are null where kept."""
    rows = table.num_rows
    reason = np.full(rows, None, object)
    value, threshold = np.full(rows, np.nan), np.full(rows, np.nan)
    detail = np.full(rows, None, object)
    for number, check in enumerate(selection.checks):
        hit = np.flatnonzero(selection.failed == number)
        if not len(hit):
            continue
        reason[hit] = check.reason
        column = table.column(check.rule.column)
        if (words := TOLD_BY.get(check.rule.column)) in table.column_names:
            detail[hit] = table.column(words).take(pa.array(hit)).to_pylist()
        if pa.types.is_string(column.type):
            detail[hit] = column.take(pa.array(hit)).to_pylist()
        else:
            value[hit] = column.take(pa.array(hit)).cast(pa.float64()).to_numpy()
            threshold[hit] = np.nan if check.threshold is None else check.threshold
    failed = selection.failed >= 0
    return (
        pa.array(reason, pa.string()),
        pa.array(value, mask=~failed | np.isnan(value)),
        pa.array(threshold, mask=~failed | np.isnan(threshold)),
        pa.array(detail, pa.string()),
    )


def test_of(check: Check) -> str:
    """Return what a document must be to pass, in the words of a recipe: `char_count >= 50`, `lang in zh, yue`."""
    rule = check.rule
    if check.threshold is not None:
        test = f"{'>=' if check.side == 'low' else '<='} {check.threshold:.10g}"
    elif rule.equals is not None:
        test = f"is {str(rule.equals).lower()}"
    else:
        words = rule.one_of if rule.one_of is not None else rule.none_of
        test = f"{'in' if rule.one_of is not None else 'not in'} {', '.join(words or ())}"
    return f"{rule.column} {test}"
