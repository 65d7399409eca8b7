"""Why is this document in, or out? Answers from the ledgers of runs, or for a text that nobody has read yet."""

import re
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.account import account, cleaned, verdicts
from pipeline.plan import Plan
from pipeline.preset import preset_names
from pipeline.step import apply
from pipeline.storage import Workspace, read_columns
from schemas.decision import Decision, Outcome, Stage
from schemas.document import document_id
from schemas.errors import RecipeError, SourceError, StoreError, unknown_name
from schemas.recipe import Recipe
from schemas.source import InputFile, Limits, Source

DEFAULT = "zh-web"


def explain_document(
    workspace: Workspace, document: str, *, run: str | None = None, version: str | None = None
) -> list[dict[str, Any]]:
    """Return why a document is in or out, or a file or record is no document; of the newest run first.

    `document`: an id, a uri, `uri#record`, and either of them behind `source/`. A row is one of the ledger, a
    duplicate's survivor named by uri; else `decision` is `unread` or `absent`, with `outcome` and `reason`.
    Of a document, what `pipeline.account` knows stands with it: `signals`, `tests`, `cleaned`, `copies`.
    `run`: the first characters of a run's id. `version`: NAME@V. Raises StoreError when nothing is found.
    """
    found: list[dict[str, Any]] = []
    runs = sorted(workspace.runs(), key=lambda r: (Path(r["folder"]) / "run.json").stat().st_mtime_ns, reverse=True)
    for summary in runs:
        named = f"{summary['dataset']}@{summary['version']}" if summary["version"] else None
        if (run and not summary["run"].startswith(run)) or (version and named != version):
            continue
        origin = {
            "run": summary["run"][:16],
            "dataset": summary["dataset"],
            "version": named,
            "mode": summary["mode"],
        }
        found += [{**row, **origin} for row in _of_run(workspace, summary, _Place.all(document))]
    if not found:
        raise StoreError(
            f"no document, file or record with the id or uri '{document}' in the runs of {workspace.private}; "
            "uris are relative to their source, ids are 32 hex digits"
        )
    return found


@dataclass(frozen=True)
class _Place:
    """One reading of what a user wrote: the id of a document, or a uri with or without record and source."""

    column: str
    value: str
    source: str | None = None
    record: int | None = None

    @classmethod
    def all(cls, text: str) -> list["_Place"]:
        """Every reading there is; a uri may hold `#` and `/` itself."""
        source, slash, rest = text.partition("/")
        places = [cls("id", text)]
        for within, uri in ((None, text), *([(source, rest)] if slash else [])):
            places.append(cls("uri", uri, within))
            head, hash_mark, record = uri.rpartition("#")
            if hash_mark and record.isascii() and record.isdigit():
                places.append(cls("uri", head, within, int(record)))
        return places

    def among(self, table: pa.Table) -> Any:
        """Which rows of a table it means; a table of files has no record."""
        mask = pc.equal(table.column(self.column), self.value)
        if self.source is not None:
            mask = pc.and_(mask, pc.equal(table.column("source"), self.source))
        if self.record is not None and "record" in table.column_names:
            mask = pc.and_(mask, pc.equal(table.column("record"), self.record))
        return mask


def _of_run(workspace: Workspace, run: dict[str, Any], places: list[_Place]) -> list[dict[str, Any]]:
    """The rows of a run's ledger and quarantine; where there is none, what became of the file."""
    folder = Path(run["folder"])
    ledgers = sorted((folder / "ledger").glob("*.parquet"))
    rows = []
    for part, ledger in enumerate(ledgers):
        numbers, found = _rows_of(read_columns(ledger), places)
        rows += [{**row, **account(workspace, run, part, n, row)} for n, row in zip(numbers, found, strict=True)]
    for row in rows:
        survivor = _find(ledgers, [_Place("id", row["survivor_id"])]) if row["survivor_id"] else []
        row["survivor_uri"] = survivor[0]["uri"] if survivor else None
    bad = [_unread(row, "failed", row["record"]) for row in _find([folder / "quarantine.parquet"], places)]
    if rows or bad:
        return sorted([*rows, *bad], key=lambda row: (row["source"], row["uri"], row["record"]))
    return [_no_document(row) for row in _find([folder / "files.parquet"], places)]


def _find(paths: list[Path], places: list[_Place]) -> list[dict[str, Any]]:
    """The rows of tables that any of the readings means."""
    return [row for path in paths if path.exists() for row in _rows_of(read_columns(path), places)[1]]


def _rows_of(table: pa.Table, places: list[_Place]) -> tuple[list[int], list[dict[str, Any]]]:
    """The numbers and values of the rows that any of the readings means."""
    masks = [place.among(table) for place in places if place.column in table.column_names]
    numbers = pc.indices_nonzero(pc.fill_null(reduce(pc.or_, masks), False))
    return numbers.to_pylist(), table.take(numbers).to_pylist()


def _unread(row: dict[str, Any], outcome: str, record: int | None) -> dict[str, Any]:
    names = ("source", "uri", "reason")
    return {"decision": "unread", "id": None, **{n: row[n] for n in names}, "record": record, "outcome": outcome}


def _no_document(file: dict[str, Any]) -> dict[str, Any]:
    """A file of which the run has no such document: not read, or read and not in the sample or the record not there."""
    row = _unread(file, file["outcome"], None)
    if file["outcome"] in (Outcome.OK, Outcome.PARTIAL):
        reason = f"the file was read, {file['records']} documents, but this one is not among those the run decided on"
        row |= {"decision": "absent", "reason": reason}
    return row


def explain_text(path: Path, recipe: str | None) -> dict[str, Any]:
    """Read a file, clean and measure it, and return the decision with every rule it fails.

    Raises SourceError when the file holds no document.
    """
    from pipeline.readers.reading import read_file

    plan = plan_of(recipe)
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    source = Source(id="text", path=str(path), license="internal")
    reading = read_file(InputFile("text", path.name, str(path), path.stat().st_size, ""), source, Limits())
    batches = list(reading)
    if not batches:
        raise SourceError(f"{path}: {reading.outcome['outcome']}: {reading.outcome['reason']}")
    document = batches[0].slice(0, 1)
    table = pa.Table.from_batches([apply(plan.steps, document)])
    tests = verdicts(table, plan.checks)
    failed = [test for test in tests if test["verdict"] == "fail"]
    first = failed[0] if failed else None
    signals = {name: table.column(name)[0].as_py() for name in plan.signal_columns}
    return {
        "id": document_id("text", f"{path.name}#0"),
        "source": "text",
        "uri": path.name,
        "record": 0,
        "decision": Decision.DROP.value if failed else Decision.KEEP.value,
        "stage": Stage.SELECT.value if failed else Stage.KEPT.value,
        "rule": first["reason"] if first else None,
        "value": first["value"] if first else None,
        "threshold": first["threshold"] if first else None,
        "failed": failed,
        "signals": signals,
        "tests": tests,
        "cleaned": cleaned(document.column("text")[0].as_py(), table.column("text")[0].as_py(), signals),
    }


def plan_of(recipe: str | None) -> Plan:
    """Return the plan of a recipe file, or of a preset (by default `zh-web`), for texts that belong to no recipe.

    Raises RecipeError where there is neither.
    """
    name = recipe or DEFAULT
    if name in preset_names() and not Path(name).exists():
        values = {
            "dataset": "text",
            "sources": [{"id": "text", "path": ".", "license": "internal"}],
            "steps": [{"preset": name}],
            "publish": {"license": "internal"},
        }
        return Plan.of(Recipe.model_validate(values), Path.cwd())
    if re.fullmatch(r"[\w-]+", name) and not Path(name).exists():
        unknown = unknown_name("preset", name, preset_names())
        raise RecipeError("no file '{name}', and {unknown}", name=name, unknown=unknown)
    return Plan.load(Path(name))
