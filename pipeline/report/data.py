"""What a report says, counted from the ledger: plain data that a page, a test or another program can read.

Everything is counted in Arrow and NumPy (a million documents with thirty signals take seconds); only the few documents
shown as samples are fetched as text. The private report of a run shows everything. The public report of a version
shows counts, and kept documents with personal data masked: no dropped text, no paths, no values that only dropped
documents have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report import rules as rule_views
from pipeline.report.histogram import Histogram, histogram
from pipeline.report.rules import Category, RuleView, Signals
from pipeline.report.samples import Excerpts, Pair, Texts, pair, pair_rows
from schemas.decision import Decision, Outcome, Stage
from schemas.recipe import Rule

# Heading facts that a public report may show; others (paths, hosts, people) stay in the private one.
PUBLIC_FACTS = (
    *("title", "title_zh", "description", "description_zh", "license", "contact", "fingerprint", "previous"),
    "documents_total",
)
PAIRS = 6
PROBLEMS = 500
UNEXPLAINED = "?"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why documents were removed; `characters` is None where lengths were not measured."""

    name: str
    stage: str
    documents: int
    characters: int | None


@dataclass(frozen=True, slots=True)
class SourceFlow:
    """A source's account. `records`: what its files yielded, None where no file of it is listed.

    `difference`: read - kept - removed with a reason; `lost`: records - read. Both are 0 where the account is right.
    `outcomes`: input files by outcome; `files` is how many there are, so the outcomes must add up to it.
    """

    source: str
    read: int
    kept: int
    removed: dict[str, int]
    characters_read: int | None
    characters_kept: int | None
    records: int | None
    files: int
    outcomes: dict[str, int]

    @property
    def difference(self) -> int:
        """Documents that are neither kept nor removed with a reason."""
        return self.read - self.kept - sum(self.removed.values())

    @property
    def lost(self) -> int:
        """Records that the files yielded and the ledger does not hold (negative: too many)."""
        return 0 if self.records is None else self.records - self.read

    @property
    def adds_up(self) -> bool:
        """Whether documents, records and files are all accounted for."""
        return not self.difference and not self.lost and self.files == sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class FileProblem:
    """An input file that was not read whole, and why."""

    source: str
    uri: str
    outcome: str
    records: int
    bad_records: int
    reason: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Copies removed. `survivors`: documents that stand for at least one; `largest`: most copies one stands for."""

    exact: int
    near: int
    threshold: float | None
    survivors: int
    largest: int
    jaccard: Histogram | None
    pairs: list[Pair]


@dataclass(frozen=True, slots=True)
class ReportData:
    """A report, whole. Counts are documents unless they say characters; `reasons` go by stage, then by count."""

    dataset: str
    version: str | None
    public: bool
    facts: dict[str, str]
    read: int
    kept: int
    characters_read: int | None
    characters_kept: int | None
    reasons: list[Reason]
    sources: list[SourceFlow]
    outcomes: dict[str, int]
    problems: list[FileProblem]
    problems_left_out: int
    rules: list[RuleView]
    signals: dict[str, Histogram]
    duplicates: Duplicates
    languages: list[Category]
    scripts: list[Category]
    lengths: Histogram | None

    @property
    def adds_up(self) -> bool:
        """Whether every source's account is right."""
        return all(source.adds_up for source in self.sources)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return {**orjson.loads(orjson.dumps(self)), "adds_up": self.adds_up}


def collect(
    ledger: pa.Table,
    signals: pa.Table,
    files: pa.Table,
    rules: Sequence[Rule],
    texts: Texts,
    *,
    dataset: str,
    version: str | None,
    facts: Mapping[str, object] | None = None,
    public: bool,
) -> ReportData:
    """Count what became of every document and choose the samples.

    `ledger`: `schemas.decision.LEDGER`; `signals`: its rows' signal columns, row for row (`char_count`, `lang` and
    `script` have a part of their own); `files`: `schemas.decision.FILES`; `rules`: those the ledger was decided by.
    `texts` is called once, with the rows to show in rising order, and returns (title, text) of each; in a public
    report these rows are kept ones. `facts`: heading lines; a public report shows those of `PUBLIC_FACTS`. The fact
    `documents_total` is how many documents the version holds, those of earlier runs too.
    Raises ValueError when ledger and signals differ in length.
    """
    if ledger.num_rows != signals.num_rows:
        raise ValueError(
            f"the ledger has {ledger.num_rows} rows, the signals have {signals.num_rows}: align them first"
        )
    ledger = ledger.combine_chunks()
    kept = np.asarray(pc.equal(ledger["decision"], Decision.KEEP.value), bool)
    measured = Signals.of(ledger, signals.combine_chunks(), kept, public)
    plans = rule_views.plan(measured, rules)
    near = np.asarray(pc.equal(ledger["stage"], Stage.NEAR.value), bool) & ~kept
    pairs = [] if public else pair_rows(ledger, near, PAIRS)
    shown = [row for rows in pairs for row in rows if row is not None]
    excerpts = Excerpts([*shown, *(row for view in plans for row in view.rows)], texts, public)
    characters = measured.numbers("char_count")
    flows = _sources(ledger, files, kept, characters)
    problems, left_out = ([], 0) if public else _problems(files)
    wanted = {"lang", "script", "char_count", *(rule.column for rule in rules)}
    return ReportData(
        dataset=dataset,
        version=version,
        public=public,
        facts={k: str(v) for k, v in (facts or {}).items() if v is not None and (not public or k in PUBLIC_FACTS)},
        read=ledger.num_rows,
        kept=int(kept.sum()),
        characters_read=_total(characters, np.ones(len(kept), bool)),
        characters_kept=_total(characters, kept),
        reasons=_reasons(ledger, kept, characters),
        sources=flows,
        outcomes=_outcomes(files),
        problems=problems,
        problems_left_out=left_out,
        rules=[view.fill(excerpts) for view in plans],
        signals=measured.histograms(sorted(set(signals.column_names) - wanted)),
        duplicates=_duplicates(ledger, kept, near, [pair(ledger, rows, excerpts) for rows in pairs]),
        languages=measured.categories("lang"),
        scripts=measured.categories("script"),
        lengths=None if characters is None else histogram(characters, kept, whole=True),
    )


def _total(characters: npt.NDArray[np.float64] | None, rows: npt.NDArray[np.bool_]) -> int | None:
    return None if characters is None else int(np.nansum(characters[rows]))


def _codes(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return a string column as numbers into its sorted values; a missing value counts as the empty string."""
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    words = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=words.__getitem__)
    rank = np.empty(len(words), np.int64)
    rank[order] = np.arange(len(words))
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    return (rank[indices] if len(words) else np.zeros(0, np.int64)), [words[i] for i in order]


def _reasons(ledger: pa.Table, kept: npt.NDArray[np.bool_], characters: npt.NDArray[np.float64] | None) -> list[Reason]:
    codes, names = _codes(ledger["rule"])
    stages, stage_names = _codes(ledger["stage"])
    weights = None if characters is None else np.nan_to_num(characters)
    order = {stage.value: place for place, stage in enumerate(Stage)}
    found = []
    for key in np.unique((codes * len(stage_names) + stages)[~kept]).tolist():
        code, stage = divmod(key, len(stage_names))
        rows = ~kept & (codes == code) & (stages == stage)
        total = None if weights is None else int(weights[rows].sum())
        found.append(Reason(names[code] or UNEXPLAINED, stage_names[stage], int(rows.sum()), total))
    return sorted(found, key=lambda reason: (order.get(reason.stage, 9), -reason.documents, reason.name))


def _sources(
    ledger: pa.Table,
    files: pa.Table,
    kept: npt.NDArray[np.bool_],
    characters: npt.NDArray[np.float64] | None,
) -> list[SourceFlow]:
    codes, names = _codes(ledger["source"])
    reasons, reason_names = _codes(ledger["rule"])
    dropped = np.asarray(pc.equal(ledger["decision"], Decision.DROP.value), bool)
    rows, kinds = len(names), len(reason_names)
    read, stay = np.bincount(codes, minlength=rows), np.bincount(codes[kept], minlength=rows)
    table = np.bincount((codes * kinds + reasons)[dropped], minlength=rows * kinds).reshape(rows, kinds)
    weights = None if characters is None else np.nan_to_num(characters)
    seen = _files_of(files)
    flows = []
    for name in sorted({*names, *seen}):
        at = names.index(name) if name in names else None
        records, count, outcomes = seen.get(name, (None, 0, {}))
        # A drop without a reason is not listed here: it shows as a difference.
        named = {} if at is None else dict(zip(reason_names, table[at].tolist(), strict=True))
        mine = np.zeros(0, bool) if at is None else codes == at
        flows.append(
            SourceFlow(
                source=name,
                read=0 if at is None else int(read[at]),
                kept=0 if at is None else int(stay[at]),
                removed={reason: number for reason, number in named.items() if reason and number},
                characters_read=None if weights is None else int(weights[mine].sum()) if at is not None else 0,
                characters_kept=None if weights is None else int(weights[mine & kept].sum()) if at is not None else 0,
                records=records,
                files=count,
                outcomes=outcomes,
            )
        )
    return flows


def _files_of(files: pa.Table) -> dict[str, tuple[int, int, dict[str, int]]]:
    """Return for each source its records, how many files it has, and these by known outcome."""
    found: dict[str, tuple[int, int, dict[str, int]]] = {}
    groups = files.group_by(["source", "outcome"]).aggregate([("records", "sum"), ([], "count_all")])
    for group in groups.to_pylist():
        records, count, outcomes = found.get(group["source"], (0, 0, {}))
        if group["outcome"] in list(Outcome):
            outcomes[group["outcome"]] = group["count_all"]
        found[group["source"]] = (records + group["records_sum"], count + group["count_all"], outcomes)
    return found


def _outcomes(files: pa.Table) -> dict[str, int]:
    counts = {row["values"]: row["counts"] for row in pc.value_counts(files["outcome"]).to_pylist()}
    known = {outcome.value: counts.pop(outcome.value, 0) for outcome in Outcome}
    return known | dict(sorted(counts.items()))


def _problems(files: pa.Table) -> tuple[list[FileProblem], int]:
    """Return files that were not read whole (the empty ones are counted only), worst outcomes first, and the rest."""
    worst = [Outcome.FAILED.value, Outcome.PARTIAL.value, Outcome.SKIPPED.value]
    known = [*worst, Outcome.OK.value, Outcome.EMPTY.value]
    mask = pc.invert(pc.is_in(files["outcome"], pa.array([Outcome.OK.value, Outcome.EMPTY.value])))
    fields = ["source", "uri", "outcome", "records", "bad_records", "reason"]
    table = files.select(fields).filter(mask)
    rank = pc.index_in(table["outcome"], pa.array(known))
    keys = [("rank", "ascending"), ("source", "ascending"), ("uri", "ascending")]
    table = table.append_column("rank", pc.fill_null(rank, len(known))).sort_by(keys).drop_columns("rank")
    problems = [FileProblem(**row) for row in table.slice(0, PROBLEMS).to_pylist()]
    return problems, table.num_rows - len(problems)


def _duplicates(
    ledger: pa.Table, kept: npt.NDArray[np.bool_], near: npt.NDArray[np.bool_], pairs: list[Pair]
) -> Duplicates:
    exact = np.asarray(pc.equal(ledger["stage"], Stage.EXACT.value), bool) & ~kept
    counts = pc.value_counts(ledger["survivor_id"].filter(pa.array(exact | near)).drop_null()).field("counts")
    limits = ledger["threshold"].filter(pa.array(near)).drop_null().to_numpy()
    threshold = float(limits.min()) if len(limits) else None
    jaccard = ledger["jaccard"].filter(pa.array(near)).cast(pa.float64()).to_numpy()
    marks = [] if threshold is None else [("low", threshold)]
    return Duplicates(
        exact=int(exact.sum()),
        near=int(near.sum()),
        threshold=threshold,
        survivors=len(counts),
        largest=pc.max(counts).as_py() or 0,
        jaccard=histogram(jaccard, np.zeros(len(jaccard), bool), marks),  # type: ignore[arg-type]
        pairs=pairs,
    )


__all__ = ["Duplicates", "FileProblem", "Reason", "ReportData", "SourceFlow", "collect"]
