"""What each rule removes, alone, first, and beyond all others; how rules overlap; and what other thresholds change.

Every figure comes from one mask a rule, made by `pipeline.select`, so it cannot disagree with the decisions of a run.
Rules speak of documents before copies are looked for; what comes back or goes under a change is counted after it, as
the next run would publish.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.histogram import Histogram, histogram
from pipeline.report.rules import Category, Signals
from pipeline.report.samples import COPIES, Excerpts, Sample, nearest
from pipeline.select import Check, checks_of, select
from pipeline.whatif.curve import Curve, curve
from pipeline.whatif.measured import Measured
from schemas.recipe import Rule

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
SAMPLES = 3  # on each side of a threshold
CHANGED = 6  # documents that come back, and that go
SEED = 0
UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Amount:
    """Documents and their characters; None where lengths were not measured."""

    documents: int
    characters: int | None


@dataclass(frozen=True, slots=True)
class RuleStudy:
    """One threshold, or one test of words. `threshold` is the one in force, `was` another one before the change.

    `applies`: documents of the rule's sources; `unmeasured`: those among them without a value, which pass. `alone`:
    what it would remove by itself; `first`: what it is the reason for; `beyond`: what no other rule removes.
    `with_others`: for every rule of the study, how many documents both remove. `measured` is False where the
    column is not there.
    """

    reason: str
    column: str
    side: Literal["low", "high", "other"]
    threshold: float | None
    was: float | None
    words: list[str]
    allows: bool
    sources: list[str] | None
    measured: bool
    applies: int
    unmeasured: int
    alone: Amount
    first: Amount
    beyond: Amount
    with_others: list[int]
    curve: Curve | None
    histogram: Histogram | None
    categories: list[Category]
    removed: list[Sample]
    kept: list[Sample]


@dataclass(frozen=True, slots=True)
class SourceChange:
    """A source before and after: documents kept, those that come back and those that go, with characters."""

    source: str
    read: Amount
    before: Amount
    back: Amount
    gone: Amount
    after: Amount


@dataclass(frozen=True, slots=True)
class ReasonChange:
    """Documents that come back by the reason they were out for, and that go by their new one; empty: as copies."""

    reason: str
    back: int
    gone: int


@dataclass(frozen=True, slots=True)
class ChangeStudy:
    """What other thresholds change. `lines`: the rules as a recipe writes them, (before, after), empty for none.

    `copies`: documents that pass the rules now and stay out as copies of others.
    """

    lines: list[tuple[str, str]]
    sources: list[SourceChange]
    reasons: list[ReasonChange]
    copies: int
    back: list[Sample]
    gone: list[Sample]


@dataclass(frozen=True, slots=True)
class Study:
    """The whole answer. `passed`: by the rules; `kept`: after copies are removed, too; `notes` are keys of words."""

    name: str
    read: Amount
    passed: Amount
    kept: Amount
    rules: list[RuleStudy]
    change: ChangeStudy | None
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the study as JSON-able values."""
        return asdict(self)


@dataclass
class _Masks:
    """Which documents each check of some rules removes: bool, (checks, rows)."""

    checks: list[Check]
    fails: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, table: pa.Table, rules: Sequence[Rule]) -> "_Masks":
        checks = checks_of(rules)
        fails = np.zeros((len(checks), table.num_rows), bool)
        for number, check in enumerate(checks):
            if check.rule.column in table.column_names:
                fails[number] = select(table, [check]).failed == 0
        return cls(checks, fails)

    @property
    def passes(self) -> Mask:
        return np.asarray(~self.fails.any(axis=0), bool)

    def first(self) -> npt.NDArray[np.int64]:
        """The first check each document fails, -1 where none."""
        failed = self.fails.argmax(axis=0) if len(self.checks) else np.zeros(self.fails.shape[1], np.int64)
        return np.where(self.fails.any(axis=0), failed, -1)

    def joint(self) -> npt.NDArray[np.int64]:
        """Documents that both of two checks remove, (checks, checks)."""
        packed = np.packbits(self.fails, axis=1)
        counts = np.zeros((len(packed), len(packed)), np.int64)
        for number, row in enumerate(packed):
            counts[number] = np.bitwise_count(packed & row).sum(axis=1)
        return counts


def study(
    name: str,
    measured: Measured,
    before: Sequence[Rule],
    after: Sequence[Rule] | None = None,
    lines: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> Study:
    """Return what rules do to measured documents, and what others do instead.

    `before`: the rules in force; `after`: the changed ones, None for no change; `lines`: their text, before and after.
    """
    return _Study(measured, before, after).run(name, list(lines), list(notes))


class _Study:
    def __init__(self, measured: Measured, before: Sequence[Rule], after: Sequence[Rule] | None) -> None:
        self.measured, self.table, self.changed = measured, measured.table, after is not None
        self.old = _Masks.of(self.table, before)
        self.new = self.old if after is None else _Masks.of(self.table, after)
        self.signals = Signals(self.table, self.table, self.new.passes, public=False)
        self.characters = self.signals.numbers("char_count")
        if self.characters is not None:
            self.characters = np.nan_to_num(self.characters)
        self.kept = measured.kept(self.new.passes)
        self.failures = self.new.fails.sum(axis=0, dtype=np.int16)
        self.first = self.new.first()

    def amount(self, rows: Mask) -> Amount:
        total = None if self.characters is None else int(self.characters[rows].sum())
        return Amount(int(rows.sum()), total)

    def run(self, name: str, lines: list[tuple[str, str]], notes: list[str]) -> Study:
        checks = self.new.checks
        joint = self.new.joint()
        rows = [self._border(number) for number in range(len(checks))]
        kept_before = self.measured.kept(self.old.passes) if self.changed else self.kept
        back, gone = self.kept & ~kept_before, kept_before & ~self.kept
        shown = (self._drawn(back, CHANGED), self._drawn(gone, CHANGED)) if self.changed else ([], [])
        self._fetch([*shown[0], *shown[1], *(row for pair in rows for side in pair for row in side)])
        change = None
        if self.changed:
            change = ChangeStudy(
                lines,
                self._sources(kept_before, back, gone),
                self._reasons(back, gone),
                int((self.new.passes & ~self.measured.settled & ~self.kept).sum()),
                self._samples(shown[0], None, self.old),
                self._samples(shown[1], None, self.new),
            )
        with ThreadPoolExecutor() as threads:  # NumPy lets go of the lock while it sorts and counts
            rules = list(threads.map(self._rule, range(len(checks)), joint.tolist(), rows))
        whole = np.ones(self.table.num_rows, bool)
        passed = self.amount(self.new.passes & ~self.measured.settled)
        return Study(name, self.amount(whole), passed, self.amount(self.kept), rules, change, notes)

    def _rule(self, number: int, joint: list[int], rows: tuple[list[int], list[int]]) -> RuleStudy:
        check, fails = self.new.checks[number], self.new.fails[number]
        rule = check.rule
        there = rule.column in self.table.column_names
        mine = self._applies(rule)
        missing = int((self._missing(rule.column) & mine).sum()) if there else int(mine.sum())
        line, picture, categories = self._pictures(number, mine) if there else (None, None, [])
        words = list(rule.one_of or rule.none_of or ([] if rule.equals is None else [str(rule.equals).lower()]))
        return RuleStudy(
            check.reason,
            rule.column,
            check.side,
            check.threshold,
            self._was(check),
            words,
            rule.one_of is not None,
            None if rule.sources is None else list(rule.sources),
            there,
            int(mine.sum()),
            missing,
            self.amount(fails),
            self.amount(self.first == number),
            self.amount(fails & (self.failures == 1)),
            joint,
            line,
            picture,
            categories,
            self._samples(rows[0], rule.column, self.new),
            self._samples(rows[1], rule.column, self.new),
        )

    def _pictures(self, number: int, mine: Mask) -> tuple[Curve | None, Histogram | None, list[Category]]:
        """The retention curve and distribution of a number; the values of a column of words."""
        check, fails = self.new.checks[number], self.new.fails[number]
        column, passes = check.rule.column, self.new.passes
        values = self.signals.numbers(column)
        if values is None:
            table = self.table.select(dict.fromkeys([column])).filter(pa.array(mine))
            part = Signals(self.table, table, passes[mine], public=False)
            return None, None, part.categories(column)
        assert check.threshold is not None
        assert check.side != "other"
        was = self._was(check)
        values = np.where(mine, values, np.nan)
        whole = self.signals.is_whole(column)
        picture = histogram(values[mine], passes[mine], [(check.side, check.threshold)], whole)
        if picture is None:
            return None, None, []
        others = self.failures - fails == 0
        span = (picture.edges[0], picture.edges[-1], picture.scale)
        return curve(values, others, self.characters, check.side, span, (check.threshold, was), whole), picture, []

    def _was(self, check: Check) -> float | None:
        """The threshold that the same test had before the change, where that was another one."""
        for old in self.old.checks:
            same = (old.rule.column, old.side, old.rule.sources) == (check.rule.column, check.side, check.rule.sources)
            if same and old.reason == check.reason and old.threshold != check.threshold:
                return old.threshold
        return None

    def _applies(self, rule: Rule) -> Mask:
        if rule.sources is None:
            return np.ones(self.table.num_rows, bool)
        return np.asarray(pc.is_in(self.table["source"], pa.array(rule.sources, pa.string())), bool)

    def _missing(self, column: str) -> Mask:
        return np.asarray(pc.is_null(self.table[column], nan_is_null=True), bool)

    def _border(self, number: int) -> tuple[list[int], list[int]]:
        """The documents nearest to a threshold: removed by this rule alone where there are such, and kept."""
        check, fails = self.new.checks[number], self.new.fails[number]
        if self.measured.shown is None or check.rule.column not in self.table.column_names:
            return [], []
        values = self.signals.numbers(check.rule.column)
        single = fails & (self.failures == 1)
        out = single if single.any() else fails
        if values is None or check.threshold is None:
            return self._drawn(out, SAMPLES), []
        distance = np.abs(values - check.threshold)
        inside = self.kept & self._applies(check.rule) & np.isfinite(values)
        return self._nearest(distance, out), self._nearest(distance, inside)

    def _nearest(self, distance: Floats, among: Mask) -> list[int]:
        return nearest(self.table, distance, self._near(among), SAMPLES)

    def _near(self, among: Mask) -> Mask:
        """The documents that are shown first, where there are such."""
        assert self.measured.shown is not None
        near = among & self.measured.shown.near
        return near if near.any() else among

    def _drawn(self, rows: Mask, count: int) -> list[int]:
        """A few documents of different texts, drawn by a seed over the rows: the same every time."""
        if self.measured.shown is None or not rows.any():
            return []
        found = np.flatnonzero(self._near(rows))
        drawn = np.zeros(len(rows), bool)
        drawn[np.random.default_rng(SEED).choice(found, min(len(found), count * COPIES), replace=False)] = True
        return nearest(self.table, np.zeros(len(rows)), drawn, count)

    def _fetch(self, rows: Iterable[int]) -> None:
        """Read the documents to show. Masked as in a public report: a page of thresholds is passed around."""
        shown, chosen = self.measured.shown, sorted(set(rows))
        self.records = shown(chosen) if shown is not None and chosen else {}
        self.excerpts = Excerpts(chosen, lambda rows: [_titled(self.records[row]) for row in rows], public=True)

    def _samples(self, rows: list[int], column: str | None, masks: _Masks) -> list[Sample]:
        """The documents as shown: the value of a column, and the reason they are out for by some rules."""
        found = []
        for row in rows:
            failed = np.flatnonzero(masks.fails[:, row])
            reason = masks.checks[failed[0]].reason if len(failed) else None
            value = None if column is None else self.table[column][row].as_py()
            value = str(value).lower() if isinstance(value, bool) else value
            found.append(Sample.of(self.records[row], row, value, reason, self.excerpts))
        return found

    def _sources(self, before: Mask, back: Mask, gone: Mask) -> list[SourceChange]:
        codes = self.table["source"].combine_chunks().dictionary_encode()
        names, indices = codes.dictionary.to_pylist(), codes.indices.to_numpy()
        found = []
        for number, name in sorted(enumerate(names), key=lambda item: item[1]):
            mine = indices == number
            parts = (mine, mine & before, mine & back, mine & gone, mine & self.kept)
            found.append(SourceChange(name, *(self.amount(rows) for rows in parts)))
        return found

    def _reasons(self, back: Mask, gone: Mask) -> list[ReasonChange]:
        counts: dict[str, list[int]] = {}
        for place, rows, masks in ((0, back, self.old), (1, gone, self.new)):
            numbers, documents = np.unique(masks.first()[rows], return_counts=True)
            for number, count in zip(numbers.tolist(), documents.tolist(), strict=True):
                reason = UNKNOWN if number < 0 else masks.checks[number].reason
                counts.setdefault(reason, [0, 0])[place] += count
        found = [ReasonChange(reason, *pair) for reason, pair in counts.items()]
        return sorted(found, key=lambda r: (-(r.back + r.gone), r.reason))


def _titled(record: dict[str, Any]) -> tuple[str | None, str]:
    return record["title"], record["text"]
