"""Where measured documents lie, and what decisions on them need: columns of numbers, no texts.

A recipe stands for the newest run of its dataset, a run for itself, a folder for what `yuliao measure` wrote. Only the
columns that rules test are read, so a million documents are in memory within a second or two; there they must fit, at
some 900 bytes a document.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decide import GONE, ID_REPEATED, SUPERSEDED
from pipeline.plan import NO_OVERLAP, Plan
from pipeline.report.shown import Shown
from pipeline.storage import Workspace, open_parquet, read_columns, read_json
from pipeline.whatif.copies import Copies
from schemas.decision import Stage
from schemas.errors import StoreError
from schemas.recipe import Dedup, Rule

Mask = npt.NDArray[np.bool_]
RULES, TEXTS = "rules.json", "texts"  # what `yuliao measure` leaves beside `signals`
FACTS = ("id", "source", "content_hash")
# Removed whatever the rules say.
SETTLED = (ID_REPEATED, SUPERSEDED, GONE)


@dataclass(frozen=True)
class Measured:
    """Measured documents, a row each.

    `table`: the facts of `FACTS`, `char_count`, and the tested columns that were measured. `shown` is None where no
    texts were kept. `settled`: bool, (rows,), out whatever the rules say. `copies`: None where duplicates are not known
    anew; then `copied`, bool, (rows,), says which ones the run removed.
    """

    table: pa.Table
    shown: Shown | None
    settled: Mask
    copied: Mask
    copies: Copies | None

    def kept(self, passes: Mask) -> Mask:
        """Return which documents stay when these pass the rules: without those settled, and without copies."""
        fresh = passes & ~self.settled
        return fresh & ~(self.copied if self.copies is None else self.copies.among(fresh))


@dataclass(frozen=True)
class Part:
    """Files that hold the same documents row for row: signals, and what else is known of them."""

    signals: Path
    texts: Path | None
    ledger: Path | None


@dataclass(frozen=True)
class Place:
    """Where measured documents lie, and the rules that decided on them. `recipe`: the file that holds these, if any."""

    name: str
    folder: Path
    parts: tuple[Part, ...]
    rules: tuple[Rule, ...]
    recipe: Path | None = None
    notes: tuple[str, ...] = ()
    load_copies: "_OfRun | None" = None

    def columns(self) -> dict[str, pa.DataType]:
        """Every column that a rule may test, with its type."""
        part = self.parts[0]
        schema = open_parquet(part.signals).schema_arrow
        read = {"source": pa.string(), "uri": pa.string(), "record": pa.int64(), "content_hash": pa.string()}
        more = () if part.texts is None else open_parquet(part.texts).schema_arrow
        known = ("decision", "reason", "text", *read)
        return {**read, **{f.name: f.type for f in (*schema, *more) if f.name not in known}}

    def ruled_by(self, recipe: Path, rules: Sequence[Rule]) -> "Place":
        """The same documents under the rules of another recipe."""
        return replace(self, recipe=recipe if recipe.is_file() else None, rules=tuple(rules))

    def sources(self) -> list[str]:
        """The sources there are, sorted; a folder of `measure` has the one source `input`."""
        if any(part.ledger is None for part in self.parts):
            return ["input"]
        found: set[str] = set()
        for part in self.parts:
            found |= set(pc.unique(read_columns(_there(part.ledger), ["source"]).column(0)).to_pylist())
        return sorted(found)

    def load(self, tested: Sequence[str]) -> Measured:
        """Read what decisions need: the columns of rules (those that were measured) and facts.

        Raises StoreError when a file is gone, or signals and ledger differ in length.
        """
        there = self.columns()
        extra = self.load_copies.keep if self.load_copies else ()
        wanted = [n for n in dict.fromkeys(["char_count", *tested, *extra]) if n in there and n not in FACTS]
        blocks, ledgers = [], []
        for part in self.parts:
            own = open_parquet(part.signals).schema_arrow.names
            table = read_columns(part.signals, ["id", *(name for name in wanted if name in own)])
            if part.ledger is None:
                table = _with_facts(table)
            else:
                names = open_parquet(part.ledger).schema_arrow.names
                others = [name for name in wanted if name not in own and name in names]
                ledger = read_columns(part.ledger, [*FACTS, *others, "rule", "stage"])
                if not ledger.column("id").equals(table.column("id")):
                    raise StoreError(f"{part.signals}: is not of the run of {part.ledger}; run the recipe again")
                ledgers.append(ledger.select(["rule", "stage"]))
                for name in (*FACTS[1:], *others):
                    table = table.append_column(name, ledger.column(name))
            missing = [name for name in wanted if name not in table.column_names]
            if missing:
                documents = read_columns(_there(part.texts), missing)
                for name in missing:
                    table = table.append_column(name, documents.column(name))
            blocks.append(table.select([*FACTS, *wanted]))
        table = pa.concat_tables(blocks).combine_chunks()
        settled, copied = np.zeros(table.num_rows, bool), np.zeros(table.num_rows, bool)
        if ledgers:
            settled = _is_in(pa.concat_tables(ledgers).column("rule"), SETTLED)
            copied = _is_in(pa.concat_tables(ledgers).column("stage"), (Stage.EXACT, Stage.NEAR))
        shown = None if any(part.texts is None for part in self.parts) else Shown([_there(p.texts) for p in self.parts])
        copies = None if self.load_copies is None else self.load_copies(table)
        return Measured(table, shown, settled, copied, copies)


def _there(path: Path | None) -> Path:
    assert path is not None
    return path


def _with_facts(table: pa.Table) -> pa.Table:
    """The rows of `measure` with facts that only a ledger holds: one source, and ids in place of content hashes."""
    source = pa.DictionaryArray.from_arrays(np.zeros(table.num_rows, np.int32), ["input"]).cast(pa.string())
    return table.append_column("source", source).append_column("content_hash", table.column("id"))


def _is_in(column: pa.ChunkedArray, values: Sequence[str]) -> Mask:
    return np.asarray(pc.is_in(column, pa.array(values, pa.string())).to_numpy(), bool)


@dataclass(frozen=True)
class _OfRun:
    """How the duplicates of a run are decided anew: its pairs, priorities, and what was published before."""

    pairs: Path
    decisions: tuple[Path, ...]
    dedup: Dedup
    ranks: dict[str, int]
    version: str | None

    @property
    def keep(self) -> tuple[str, ...]:
        """The signals that decide which copy stays."""
        return tuple(name for name in self.dedup.keep if name not in ("id", "rank"))

    def __call__(self, table: pa.Table) -> Copies:
        """Return the duplicates among the rows of a table."""
        decisions = pa.concat_tables([read_columns(p, ["decision", "first_version"]) for p in self.decisions])
        return Copies.of(table, decisions, self.pairs, self.dedup, self.ranks, self.version)


def of_folder(folder: Path, rules: Sequence[Rule] | None = None) -> Place:
    """Return where `yuliao measure` wrote, with the rules it decided by, or others.

    Raises StoreError when the folder holds no signals.
    """
    signals = sorted((folder / "signals").glob("*.parquet"))
    if not signals:
        raise StoreError(f"{folder}: holds no signals/*.parquet; give the OUT of `yuliao measure`, a recipe or a run")
    if rules is None:
        if not (folder / RULES).exists():
            raise StoreError(f"{folder}: says not by which rules it was decided; name them with --recipe")
        rules = [Rule.model_validate(rule) for rule in read_json(folder / RULES)]
    texts = [folder / TEXTS / path.name for path in signals]
    parts = [Part(s, t if t.exists() else None, None) for s, t in zip(signals, texts, strict=True)]
    notes = () if all(part.texts for part in parts) else ("no_texts",)
    return Place(str(folder), folder, tuple(parts), tuple(rules), notes=(*notes, "no_copies"))


def of_recipe(path: Path, workspace: Workspace) -> Place:
    """Return the newest run of a recipe's dataset, a whole one where there is one, under the rules of the recipe.

    Raises StoreError when its dataset was never run here.
    """
    plan = Plan.load(path)
    recipe = plan.recipe
    runs = [run for run in _runs(workspace) if run["dataset"] == recipe.dataset]
    if not runs:
        raise StoreError(
            "{path}: '{dataset}' was not run in {workspace} yet; `yuliao run {path} --limit 1000` measures a sample",
            path=path,
            dataset=recipe.dataset,
            workspace=workspace.private,
        )
    steps = plan.public_recipe()["steps"]
    same = [run for run in runs if run["recipe"]["steps"] == steps]
    whole = [run for run in same or runs if run["mode"] != "sample"]
    place = _of_run(workspace, (whole or same or runs)[0], runs)
    notes = place.notes if same else (*place.notes, "other_steps")
    return replace(place, recipe=path, rules=plan.rules, notes=notes)


def of_run(name: str, workspace: Workspace) -> Place:
    """Return a run by the first characters of its id, or by the NAME[@V] that it published.

    Raises StoreError naming the runs there are.
    """
    runs = _runs(workspace)
    dataset, _, version = name.partition("@")
    for run in runs:
        by_id = re.fullmatch(r"[0-9a-f]{6,64}", name) and run["run"].startswith(name)
        by_name = run["dataset"] == dataset and run["version"] and version in ("", "latest", run["version"])
        if by_id or by_name:
            return _of_run(workspace, run, [other for other in runs if other["dataset"] == run["dataset"]])
    known = ", ".join(run["run"][:16] for run in runs[:5]) or "none"
    raise StoreError(
        "'{name}' is no recipe, no folder of `yuliao measure`, and no run or dataset in {workspace}; "
        "the newest runs are: {known}",
        name=name,
        workspace=workspace.private,
        known=known,
    )


def _runs(workspace: Workspace) -> list[dict[str, Any]]:
    """The finished runs that say how they were decided, newest first; those that changed nothing come last."""
    runs = [run for run in workspace.runs() if "recipe" in run]
    newest = sorted(runs, key=lambda run: -(Path(run["folder"]) / "run.json").stat().st_mtime_ns)
    return sorted(newest, key=lambda run: bool(run["mode"] == "unchanged"))


def _of_run(workspace: Workspace, run: dict[str, Any], runs: Sequence[dict[str, Any]]) -> Place:
    """The parts of a run, and of those before it that it only added to."""
    chain = [run]
    while chain[0]["mode"] == "append":
        earlier = [r for r in runs if r["version"] and _number(r["version"]) < _number(chain[0]["version"])]
        if not earlier:
            raise StoreError(f"run {run['run'][:16]} adds to a version whose run is not in {workspace.private}")
        chain.insert(0, max(earlier, key=lambda r: _number(r["version"])))
    parts, decisions = [], []
    for one in chain:
        folder = Path(one["folder"])
        ledgers = sorted((folder / "ledger").glob("*.parquet"))
        for key, ledger in zip(one["parts"], ledgers, strict=True):
            measured = workspace.measured(key)
            if not (measured / "signals.parquet").exists():
                raise StoreError(f"{measured}: what run {one['run'][:16]} measured is gone; run its recipe again")
            parts.append(Part(measured / "signals.parquet", measured / "documents.parquet", ledger))
            decisions.append(folder / "decisions" / ledger.name)
    if not parts:
        raise StoreError(f"run {run['run'][:16]}: it decided on no document")
    name = f"{run['dataset']}@{run['version']}" if run["version"] else f"{run['dataset']} {run['run'][:16]}"
    copies, notes = _copies(workspace, run, tuple(decisions), len(chain))
    folder = Path(run["folder"])
    return Place(name, folder, tuple(parts), rules_of(run["recipe"]), notes=notes, load_copies=copies)


def _copies(
    workspace: Workspace, run: dict[str, Any], decisions: tuple[Path, ...], runs: int
) -> tuple[_OfRun | None, tuple[str, ...]]:
    """How duplicates are decided anew; not where their pairs are known batch by batch only, or gone."""
    recipe = run["recipe"]
    dedup = Dedup.model_validate(recipe["dedup"])
    pairs = workspace.pairs(run["pairs"] or "none")
    if runs > 1 or (dedup.near and not (pairs / "pairs.parquet").exists()):
        return None, ("copies_as_found",)
    ranks = {source["id"]: source["rank"] for source in recipe["sources"]}
    return _OfRun(pairs, decisions, dedup, ranks, run["version"]), ()


def rules_of(recipe: dict[str, Any]) -> tuple[Rule, ...]:
    """The rules of a run, with the one that its `overlap` asks for."""
    rules = tuple(Rule.model_validate(rule) for rule in recipe["select"])
    drops = recipe["overlap"] is not None and recipe["overlap"]["action"] == "drop"
    return (*rules, NO_OVERLAP) if drops else rules


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
