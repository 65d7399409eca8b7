"""All that is known of one document: every signal, every rule with its verdict, what cleaning changed, its copies.

A document of a run is looked up in the tables that the run left; nothing is measured again. Lines that cleaning changed
are shown with personal data masked, since they are what it was taken from.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.select import Check, checks_of, select, test_of
from pipeline.step import Cleaner, of_role
from pipeline.storage import Workspace, read_columns
from pipeline.whatif.measured import rules_of

# Lines that are compared, and changed ones that are shown; copies that are named.
LINES, CHANGES, COPIES = 4000, 12, 10
MANY = 400  # pairs of lines in a changed stretch that are compared by their characters
SPANS = "personal_spans"


def verdicts(row: pa.Table, checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Return what each check says of a table of one row, which holds `source` and the columns that were measured.

    `verdict`: `pass`, `fail`, `other_source` where the rule is for others, `not_measured` where there is no value.
    """
    found = []
    source = row.column("source")[0].as_py()
    for check in checks:
        rule = check.rule
        value = row.column(rule.column)[0].as_py() if rule.column in row.column_names else None
        if rule.sources is not None and source not in rule.sources:
            verdict = "other_source"
        elif value is None:
            verdict = "not_measured"
        else:
            verdict = "pass" if select(row, [check]).kept[0] else "fail"
        known = {"reason": check.reason, "value": value, "threshold": check.threshold}
        found.append({**known, "test": test_of(check), "verdict": verdict})
    return found


def cleaned(before: str, after: str, signals: Mapping[str, Any]) -> dict[str, Any]:
    """Return what cleaning did: characters before and after, what each cleaner counted, the first lines it changed.

    A line of `lines` has `before` and `after`, None where it went or is new; `line_count` counts all of them. Personal
    data is masked in both, so lines of which nothing else changed do not show.
    """
    from pipeline.clean.personal import mask

    lines = [mask(text).split("\n")[:LINES] for text in (before, after)]
    changes = list(_changes(*lines))
    shown = [{"before": one, "after": two} for one, two in changes[:CHANGES]]
    counts = {name: signals[name] for name in signals if name in _of_cleaners() and name != SPANS}
    return {
        "characters_before": len(before),
        "characters_after": len(after),
        "counts": {name: count for name, count in counts.items() if count},
        "lines": shown,
        "line_count": len(changes),
    }


def _changes(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """Lines that differ, side by side; blank ones are left out."""
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            for one, two in _aligned(before[a:b], after[c:d]):
                if (one or "").strip() or (two or "").strip():
                    yield one, two


def _aligned(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """Lines of a changed stretch in pairs that resemble each other; in the order they stand where it is long."""
    if len(before) * len(after) > MANY:
        yield from zip_longest(before, after)
        return
    done = 0
    for two in after:
        like = (
            n for n in range(done, len(before)) if SequenceMatcher(None, before[n], two, autojunk=False).ratio() > 0.5
        )
        place = next(like, None)
        if place is None:
            yield None, two
            continue
        yield from ((one, None) for one in before[done:place])
        yield before[place], two
        done = place + 1
    yield from ((one, None) for one in before[done:])


@cache
def _of_cleaners() -> frozenset[str]:
    return frozenset(name for cls in of_role(Cleaner).values() for name in cls().adds)


def account(workspace: Workspace, run: Mapping[str, Any], part: int, row: int, found: dict[str, Any]) -> dict[str, Any]:
    """Return what a run knows of a document besides its ledger; nothing where its tables are gone.

    `part` and `row`: its place among the sorted ledger files of the run; `found`: its ledger row.
    """
    copies = _copies(Path(run["folder"]), found["id"]) if found["decision"] == "keep" else None
    known: dict[str, Any] = {} if copies is None else {"copies": copies}
    folder = workspace.measured(run["parts"][part])
    if "recipe" not in run or not (folder / "signals.parquet").exists():
        return known
    measured = read_columns(folder / "signals.parquet").slice(row, 1)
    signals = measured.drop_columns(["id"]).to_pylist()[0]
    document = read_columns(folder / "documents.parquet").slice(row, 1)
    for name in document.column_names:
        if name not in measured.column_names:
            measured = measured.append_column(name, document.column(name))
    known |= {"signals": signals, "tests": verdicts(measured, checks_of(rules_of(run["recipe"])))}
    raw = _as_read(workspace.reading(run["texts"][part]), found)
    if raw is not None:
        known["cleaned"] = cleaned(raw, document.column("text")[0].as_py(), signals)
    return known


def _as_read(folder: Path, found: Mapping[str, Any]) -> str | None:
    """The text of a document before it was cleaned, None where it is no longer there."""
    path = folder / "documents.parquet"
    if not path.exists():
        return None
    places = read_columns(path, ["id", "uri", "record"])
    mask = pc.and_(pc.equal(places.column("id"), found["id"]), pc.equal(places.column("uri"), found["uri"]))
    rows = pc.indices_nonzero(pc.and_(mask, pc.equal(places.column("record"), found["record"])))
    if not len(rows):
        return None
    return str(read_columns(path, ["text"]).column(0)[rows[0].as_py()].as_py())


def _copies(folder: Path, id: str) -> dict[str, Any] | None:
    """Documents that went because this one stays, None where there is none."""
    names = ["id", "source", "uri", "record", "stage", "jaccard", "survivor_id"]
    tables = [read_columns(path, names) for path in sorted((folder / "ledger").glob("*.parquet"))]
    table = pa.concat_tables(tables)
    mine = table.filter(pc.fill_null(pc.equal(table.column("survivor_id"), id), False)).drop_columns(["survivor_id"])
    return {"count": mine.num_rows, "first": mine.slice(0, COPIES).to_pylist()} if mine.num_rows else None
