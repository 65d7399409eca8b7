"""Why is this document in, or out? Answers from the ledgers of runs, or for a text that nobody has read yet."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.plan import Plan, load_recipe
from pipeline.select import Check, select
from pipeline.step import apply
from pipeline.storage import Workspace, read_columns
from schemas.decision import Decision, Stage
from schemas.document import document_id
from schemas.errors import SourceError, StoreError
from schemas.recipe import Recipe
from schemas.source import InputFile, Limits, Source


def explain_document(
    workspace: Workspace, document: str, *, run: str | None = None, version: str | None = None
) -> list[dict[str, Any]]:
    """Return the ledger rows of a document, by id or uri, newest run first; a duplicate's survivor is named by uri.

    `run`: the first characters of a run's id. `version`: NAME@V. Raises StoreError when nothing is found.
    """
    found: list[dict[str, Any]] = []
    runs = sorted(workspace.runs(), key=lambda r: Path(r["folder"]).stat().st_mtime_ns, reverse=True)
    for summary in runs:
        named = f"{summary['dataset']}@{summary['version']}"
        if (run and not summary["run"].startswith(run)) or (version and named != version):
            continue
        ledgers = sorted((Path(summary["folder"]) / "ledger").glob("*.parquet"))
        rows = _rows(ledgers, "id", document) or _rows(ledgers, "uri", document)
        for row in rows:
            survivor = _rows(ledgers, "id", row["survivor_id"]) if row["survivor_id"] else []
            row["survivor_uri"] = survivor[0]["uri"] if survivor else None
            found.append({**row, "run": summary["run"][:16], "version": named if summary["version"] else "sample"})
    if not found:
        raise StoreError(
            f"no document with the id or uri '{document}' in the ledgers of {workspace.private}; "
            "uris are relative to their source, ids are 32 hex digits"
        )
    return found


def _rows(ledgers: list[Path], column: str, value: str) -> list[dict[str, Any]]:
    tables = [table.filter(pc.equal(table.column(column), value)) for table in map(read_columns, ledgers)]
    return [row for table in tables for row in table.to_pylist()]


def explain_text(path: Path, recipe: Path | None) -> dict[str, Any]:
    """Read a file, clean and measure it, and return the decision with every rule it fails.

    Raises SourceError when the file holds no document.
    """
    from pipeline.readers.reading import read_file

    plan = Plan.of(load_recipe(recipe), recipe.resolve().parent) if recipe else default_plan()
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    source = Source(id="text", path=str(path), license="internal")
    reading = read_file(InputFile("text", path.name, str(path), path.stat().st_size, ""), source, Limits())
    batches = list(reading)
    if not batches:
        raise SourceError(f"{path}: {reading.outcome['outcome']}: {reading.outcome['reason']}")
    table = pa.Table.from_batches([apply(plan.steps, batches[0].slice(0, 1))])
    failed = [failure for check in plan.checks if (failure := _failure(table, check))]
    first = failed[0] if failed else None
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
        "signals": {name: table.column(name)[0].as_py() for name in plan.signal_columns},
    }


def default_plan() -> Plan:
    """Return the plan of the preset `zh-web`, for texts that belong to no recipe."""
    recipe = Recipe.model_validate(
        {
            "dataset": "text",
            "sources": [{"id": "text", "path": ".", "license": "internal"}],
            "publish": {"license": "internal"},
        }
    )
    return Plan.of(recipe, Path.cwd())


def _failure(table: pa.Table, check: Check) -> dict[str, Any] | None:
    if select(table, [check]).kept[0]:
        return None
    wanted = next((w for w in (check.rule.one_of, check.rule.none_of, check.rule.equals) if w is not None), None)
    test = {"low": f"at least {check.threshold}", "high": f"at most {check.threshold}"}.get(
        check.side, f"test {wanted}"
    )
    value = table.column(check.rule.column)[0].as_py()
    return {"reason": check.reason, "value": value, "threshold": check.threshold, "test": test}
