"""What each rule did: the distribution of its column, how many documents fail each threshold, and who stood nearest.

Documents that fail a rule are found by `pipeline.select` itself, so a report cannot disagree with the decisions. A
document counts as decided by a rule where the ledger gives that rule as its reason: the first it failed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.histogram import Histogram, Mask, histogram
from pipeline.report.samples import Excerpts, Sample, nearest, sample
from pipeline.select import Check, checks_of, select
from schemas.recipe import Rule

SAMPLES = 3
CATEGORIES = 24
# Columns of few codes, never of text: public reports may list every value of them.
CODES = ("lang", "script")
OTHER = "…"


@dataclass(frozen=True, slots=True)
class Category:
    """Documents with one value of a column of words; the value None is a missing one."""

    value: str | None
    kept: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Bound:
    """One threshold. `fails` + `passes` are all documents the rule applies to; a missing value passes.

    `words`: what the rule names; `allows` says that only these pass.
    `decided`: documents that the ledger says were removed for this. Samples: nearest to the threshold on each side.
    """

    reason: str
    side: Literal["low", "high", "other"]
    threshold: float | None
    words: list[str]
    allows: bool
    fails: int
    passes: int
    decided: int
    failing: list[Sample]
    passing: list[Sample]


@dataclass(frozen=True, slots=True)
class RuleView:
    """The rules on one column, for the same sources (None: all); exactly one of `histogram` and `categories` is set.

    `measured` is False where the signals do not hold the column; then there is neither.
    """

    column: str
    sources: list[str] | None
    measured: bool
    missing: int
    histogram: Histogram | None
    categories: list[Category]
    bounds: list[Bound]


@dataclass(frozen=True)
class Signals:
    """The ledger with its signal columns and the decision as a mask: bool, (rows,)."""

    ledger: pa.Table
    table: pa.Table
    kept: Mask
    public: bool

    @classmethod
    def of(cls, ledger: pa.Table, signals: pa.Table, kept: Mask, public: bool) -> "Signals":
        """Join ledger and signals; the ledger's own columns win."""
        own = [name for name in signals.column_names if name not in ledger.column_names]
        table = signals.select(own).append_column("source", ledger["source"])
        return cls(ledger, table, kept, public)

    def numbers(self, column: str) -> npt.NDArray[np.float64] | None:
        """Return a numeric column as float64, (rows,), NaN where missing; None where there is no such column."""
        if column not in self.table.column_names or not _is_number(self.table.schema.field(column).type):
            return None
        values = self.table[column].cast(pa.float64()).combine_chunks()
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)

    def is_whole(self, column: str) -> bool:
        """Whether a column holds integers."""
        return bool(pa.types.is_integer(self.table.schema.field(column).type))

    def histograms(self, columns: Iterable[str]) -> dict[str, Histogram]:
        """Return the distribution of every numeric column among `columns` that has a value."""
        found = {}
        for column in columns:
            values = self.numbers(column)
            picture = None if values is None else histogram(values, self.kept, whole=self.is_whole(column))
            if picture is not None:
                found[column] = picture
        return found

    def categories(self, column: str, known: Sequence[str] = ()) -> list[Category]:
        """Count the values of a column of words or claims, most frequent first, rare ones together at the end.

        A public report names only codes and the values that a rule names.
        """
        if column not in self.table.column_names:
            return []
        dtype = self.table.schema.field(column).type
        if not (pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_boolean(dtype)):
            return []
        open_values = not self.public or column in CODES or pa.types.is_boolean(dtype)
        pairs = pa.table({"value": self.table[column].cast(pa.string()), "kept": pa.array(self.kept)})
        groups = pairs.group_by("value").aggregate([("kept", "sum"), ([], "count_all")]).to_pylist()
        groups.sort(key=lambda group: (-group["count_all"], group["value"] or ""))
        counted: list[Category] = []
        rest = [0, 0]
        for group in groups:
            kept, dropped = group["kept_sum"], group["count_all"] - group["kept_sum"]
            named = group["value"] is None or open_values or group["value"] in known
            if named and len(counted) < CATEGORIES:
                counted.append(Category(group["value"], kept, dropped))
            else:
                rest = [rest[0] + kept, rest[1] + dropped]
        return [*counted, Category(OTHER, *rest)] if any(rest) else counted


@dataclass(frozen=True)
class Chosen:
    """A check with its counts and the rows to show."""

    check: Check
    fails: int
    passes: int
    decided: int
    failing: list[int]
    passing: list[int]


@dataclass(frozen=True)
class Planned:
    """A rule's view before its samples are fetched."""

    signals: Signals
    rule: Rule
    chosen: list[Chosen] = field(default_factory=list)

    @property
    def rows(self) -> list[int]:
        """The rows whose texts the view shows."""
        return [row for chosen in self.chosen for row in (*chosen.failing, *chosen.passing)]

    def fill(self, excerpts: Excerpts) -> RuleView:
        """Return the view with its picture and samples."""
        signals, rule = self.signals, self.rule
        measured = rule.column in signals.table.column_names
        values = signals.numbers(rule.column)
        mine = _applies(signals, rule)
        picture, categories = None, []
        if values is not None:
            marks = [
                (chosen.check.side, chosen.check.threshold)
                for chosen in self.chosen
                if chosen.check.threshold is not None
            ]
            whole = signals.is_whole(rule.column)
            picture = histogram(values[mine], signals.kept[mine], marks, whole)  # type: ignore[arg-type]
        elif measured:
            known = [word for chosen in self.chosen for word in _words(chosen.check.rule)]
            part = Signals(signals.ledger, signals.table.filter(pa.array(mine)), signals.kept[mine], signals.public)
            categories = part.categories(rule.column, known)
        missing = (
            int(np.asarray(pc.is_null(signals.table[rule.column], nan_is_null=True))[mine].sum()) if measured else 0
        )
        bounds = [self._bound(chosen, excerpts) for chosen in self.chosen]
        sources = None if rule.sources is None else list(rule.sources)
        return RuleView(rule.column, sources, measured, missing, picture, categories, bounds)

    def _bound(self, chosen: Chosen, excerpts: Excerpts) -> Bound:
        check = chosen.check

        def shown(rows: list[int]) -> list[Sample]:
            signals = self.signals
            column = signals.table[check.rule.column] if rows else ()
            return [
                sample(signals.ledger, row, self._value(column[row].as_py()), excerpts, signals.public) for row in rows
            ]

        return Bound(
            check.reason,
            check.side,
            check.threshold,
            _words(check.rule),
            check.rule.one_of is not None,
            chosen.fails,
            chosen.passes,
            chosen.decided,
            shown(chosen.failing),
            shown(chosen.passing),
        )

    def _value(self, value: Any) -> float | str | None:
        """Return a cell as a number or a word; a public report names only codes and the words of the rule."""
        if isinstance(value, bool):
            return str(value).lower()
        free = isinstance(value, str) and self.rule.column not in CODES and value not in _words(self.rule)
        return None if free and self.signals.public else value


def plan(signals: Signals, rules: Sequence[Rule]) -> list[Planned]:
    """Group rules by column and sources, count both sides of every threshold and choose the rows to show."""
    views: dict[tuple[str, tuple[str, ...] | None], Planned] = {}
    for check in checks_of(rules):
        rule = check.rule
        key = (rule.column, None if rule.sources is None else tuple(rule.sources))
        view = views.setdefault(key, Planned(signals, rule))
        view.chosen.append(_choose(signals, check))
    return list(views.values())


def _choose(signals: Signals, check: Check) -> Chosen:
    ledger, kept = signals.ledger, signals.kept
    decided = np.asarray(pc.fill_null(pc.equal(ledger["rule"], check.reason), False), bool) & ~kept
    if check.rule.column not in signals.table.column_names:
        return Chosen(check, 0, 0, int(decided.sum()), [], [])
    mine = _applies(signals, check.rule)
    fails = select(signals.table, [check]).failed == 0
    passes = mine & ~fails
    values = signals.numbers(check.rule.column)
    if values is None or check.threshold is None:
        distance, measured = np.zeros(len(kept)), np.ones(len(kept), bool)
    else:
        distance, measured = np.abs(values - check.threshold), np.isfinite(values)
    # One name may stand for both bounds of a rule, so the failing side is asked for as well as the reason.
    out = decided & fails if (decided & fails).any() else fails & ~kept
    return Chosen(
        check,
        int(fails.sum()),
        int(passes.sum()),
        int((decided & fails).sum()),
        [] if signals.public else nearest(ledger, distance, out & measured, SAMPLES),
        nearest(ledger, distance, passes & kept & measured, SAMPLES),
    )


def _applies(signals: Signals, rule: Rule) -> Mask:
    if rule.sources is None:
        return np.ones(len(signals.kept), bool)
    return np.asarray(pc.is_in(signals.ledger["source"], pa.array(rule.sources, pa.string())), bool)


def _words(rule: Rule) -> list[str]:
    return list(rule.one_of or rule.none_of or ([] if rule.equals is None else [str(rule.equals).lower()]))


def _is_number(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype))
