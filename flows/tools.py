"""The standalone tools: `ingest` and `measure` over files, without a recipe, a version or Prefect.

They do with the same readers, steps and kernels what a run does, and write Parquet that any program reads.
"""

import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows.pool import InWorkers, WorkerPool
from flows.progress import progress, showing
from flows.starting import load_arrow
from flows.words import count, label, say
from pipeline.readers.formats import detect_format
from pipeline.storage import ASIDE, read_columns, replacing_folder, write_json, write_parquet
from schemas.decision import FILES, QUARANTINE
from schemas.document import document_id
from schemas.errors import RecipeError, SourceError, StoreError
from schemas.recipe import parse_size
from schemas.source import Fields, InputFile, Limits, Source
from schemas.store import is_address, redacted, refuse_address

INPUT = "input"
MADE = "none"  # as the id column: ids are made from path and place, whatever fields there are
# What these commands leave in folders of their own, and what a killed one may have left there.
_WRITTEN = re.compile(r"part-\d{5,}\.parquet|segment-\d{5,}|\..*" + re.escape(ASIDE))
MOST_LINES = 20  # on stderr about files that were not read in full; all of them stand in files.parquet
_WITH_FIELDS = ("json", "jsonl", "csv", "tsv", "parquet")
# What the readers say to whoever has a recipe, and what it is called here.
_REMEDIES = {
    "check `path` in the recipe": "check INPUT",
    "name the field in the recipe's fields.text": "name the field with --text-column",
    "occurs again in this file": "occurs again in this file; `--id-column none` makes ids from path and place",
}


@dataclass(frozen=True)
class Task:
    """The inputs of a tool as one nameless source; ids are those of the records where they have any."""

    args: Any
    source: Source
    files: list[InputFile]

    @classmethod
    def of(cls, args: Any) -> "Task":
        """List the inputs. Raises SourceError where one matches no file."""
        from pipeline.snapshot import list_inputs

        id = None if args.id_column == MADE else args.id_column or args.usual_id
        fields = Fields(text=args.text_column, id=id)
        paths = [path if is_address(path) else str(Path(path).absolute()) for path in args.inputs]
        for path in filter(is_address, paths):
            _refuse(path)
        source = Source(id=INPUT, path=paths, fields=fields, license="internal")
        try:
            return cls(args, source, list_inputs(source, Path.cwd()))
        except SourceError as error:
            raise SourceError(for_tools(error.template), **error.values) from None

    def job(self, folder: Path, files: list[InputFile], *, kept: bool = False) -> Any:
        """What reads some of the files; `kept`: its documents are the result."""
        from pipeline.engine import ReadJob

        memory = int(parse_size(self.args.memory))
        return ReadJob(folder, self.source, tuple(files), Limits(), memory, raw_ids=True, kept=kept)

    def documents(
        self, folder: Path, outcomes: list[dict[str, Any]], quarantine: list[dict[str, Any]]
    ) -> Iterator[pa.RecordBatch]:
        """Batches of all documents; what became of files and bad records is appended. Raises as `check_ids`."""
        from pipeline.engine import documents_of

        for batch in documents_of(self.job(folder, self.files), outcomes, quarantine):
            self.check_ids(batch)
            yield batch

    def check_ids(self, documents: pa.Table | pa.RecordBatch) -> None:
        """Refuse documents of which an id field that was asked for is not there: their id would be a made one.

        Formats without fields have none to name. Raises SourceError naming the first such record.
        """
        if self.args.id_column in (None, MADE):
            return
        rows = documents.select(["id", "uri", "record"]).to_pylist()
        for id, uri, record in (row.values() for row in rows):
            if id == document_id(INPUT, f"{uri}#{record}") and detect_format(uri).split(".")[0] in _WITH_FIELDS:
                raise SourceError(
                    "{uri}, record {record}: the field '{field}' is not there or null; name the field of the id with "
                    "--id-column, or leave the option out",
                    uri=uri,
                    record=record,
                    field=self.args.id_column,
                )

    def check_read(self, outcomes: list[dict[str, Any]]) -> Counter[str]:
        """List what was not read in full on stderr, and return how many files there are of each outcome.

        Raises SourceError with the first reason where no document was read and not because the files are empty.
        """
        lang = self.args.lang
        faults = [o for o in outcomes if o["outcome"] in ("partial", "failed")]
        for o in faults[:MOST_LINES]:
            print(f"{o['uri']}: {label(o['outcome'], lang)}: {for_tools(o['reason'])}", file=sys.stderr)  # noqa: T201
        if len(faults) > MOST_LINES:
            print(say("tools.more", lang, n=len(faults) - MOST_LINES), file=sys.stderr)  # noqa: T201
        unread = [o for o in outcomes if o["outcome"] in ("failed", "skipped")]
        if unread and not any(o["records"] for o in outcomes):
            reason = for_tools(unread[0]["reason"])
            raise SourceError(say("tools.none", lang, files=count(len(outcomes), "files", lang), reason=reason))
        return Counter(o["outcome"] for o in outcomes)


def _refuse(address: str) -> None:
    """Raise RecipeError, a wrong use, for an address that is not read from."""
    try:
        refuse_address(address)
    except ValueError as error:
        raise RecipeError("{path}: {error}", path=redacted(address), error=str(error)) from None


def for_tools(message: str) -> str:
    """A message of the readers with the remedy of a tool, which has no recipe."""
    message = message.removeprefix("source '{source}': ")
    for theirs, ours in _REMEDIES.items():
        message = message.replace(theirs, ours)
    return message


@contextmanager
def filling(out: Path, files: Sequence[InputFile], owned: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield a folder to fill aside of OUT; on an error OUT is as it was, and not there if it was not.

    `files`: what is read. `owned`: subfolders that are replaced whole. Raises StoreError where that would take away an
    input, or what was not written here.
    """
    there = out.exists()
    _check_replaced(out, files, owned)
    try:
        with replacing_folder(out, owned) as aside:
            yield aside
            _check_replaced(out, files, [path.name for path in aside.iterdir()])
    except BaseException:
        if not there and out.is_dir() and not any(out.iterdir()):
            out.rmdir()
        raise


def _check_replaced(out: Path, files: Sequence[InputFile], names: Iterable[str]) -> None:
    for replaced in (out.resolve() / name for name in names):
        for file in files:
            if Path(file.path).resolve().is_relative_to(replaced):
                raise StoreError(
                    "{replaced}: would be replaced, and the input {file} with it; choose another OUT",
                    replaced=replaced,
                    file=file.path,
                )
        folder = replaced.is_dir() and not (replaced / "index.json").exists()
        foreign = [path for path in replaced.iterdir() if not _WRITTEN.fullmatch(path.name)] if folder else []
        if foreign:
            raise StoreError(
                "{replaced}: would be replaced, and it holds {file}, which was not written by this command; choose "
                "another OUT, or move it away",
                replaced=replaced,
                file=foreign[0].name,
            )


def write_account(out: Path, outcomes: list[dict[str, Any]], quarantine: list[dict[str, Any]]) -> None:
    """Write what became of every file, and every bad record."""
    for name, schema, rows in (("files", FILES, outcomes), ("quarantine", QUARANTINE, quarantine)):
        write_parquet(out / f"{name}.parquet", schema, [pa.Table.from_pylist(rows, schema)])


def _gather(task: Task, folders: list[Path], out: Path) -> Counter[str]:
    """Write the outcomes of all files into OUT, and return how many there are of each. Raises as `check_read`."""
    from pipeline.parts import joined

    files, bad = ([read_columns(folder / f"{name}.parquet") for folder in folders] for name in ("files", "quarantine"))
    write_parquet(out / "files.parquet", FILES, [joined(pa.concat_tables([FILES.empty_table(), *files]))])
    write_parquet(out / "quarantine.parquet", QUARANTINE, bad)
    for folder in folders:
        task.check_ids(read_columns(folder / "documents.parquet", ["id", "uri", "record"]))
    return task.check_read(read_columns(out / "files.parquet").to_pylist())


def _read(task: Task, pool: WorkerPool, scratch: Path, *, kept: bool) -> list[Path]:
    from pipeline.engine import group_files, read_shard, with_borders

    # Nothing is decided here on an id that occurs again in another part: such files are read whole.
    groups = enumerate(group_files(task.files, parted=task.source.fields.id is None))
    jobs = with_borders(task.job(scratch / f"{number:05d}", group, kept=kept) for number, group in groups)
    InWorkers(pool).each("read", read_shard, jobs, str)
    return [job.folder for job in jobs]


def ingest_command(args: Any) -> int:
    """Read everything into OUT/documents, and account for every file in OUT/files.parquet."""
    load_arrow()
    task, out = Task.of(args), Path(args.out)
    with showing(True, args.lang), filling(out, task.files, ("documents",)) as aside, WorkerPool(args.workers) as pool:
        folders = _read(task, pool, aside / "scratch", kept=True)
        outcomes = _gather(task, folders, aside)
        (aside / "documents").mkdir()
        for number, folder in enumerate(folders):
            (folder / "documents.parquet").rename(aside / "documents" / f"part-{number:05d}.parquet")
        shutil.rmtree(aside / "scratch")
    print_result({"files": outcomes.total(), **dict(sorted(outcomes.items())), "out": str(out)})
    return 0


def measure_command(args: Any) -> int:
    """Measure everything and decide on each document, into OUT/signals; recurring lines, if asked for, are listed."""
    load_arrow()
    from pipeline.explain import plan_of

    print_result(measure(args, plan_of(args.recipe)))
    return 0


def measure(args: Any, plan: Any) -> dict[str, Any]:
    """Measure inputs by a plan into `args.out` and return the counts; `args.texts` keeps the cleaned texts beside."""
    from pipeline.engine import MeasureJob, measure_shard
    from pipeline.whatif.measured import RULES, TEXTS

    memory = int(parse_size(args.memory))
    task, out = Task.of(args), Path(args.out)
    decisions: Counter[str] = Counter()
    with (
        showing(True, args.lang),
        filling(out, task.files, ("signals", TEXTS)) as aside,
        WorkerPool(args.workers) as pool,
    ):
        folders = _read(task, pool, aside / "scratch", kept=False)
        _gather(task, folders, aside)
        plan = _counted(plan, folders, aside, memory, InWorkers(pool))
        jobs = [
            MeasureJob(
                aside / "scratch" / f"measured-{n:05d}",
                folder,
                plan.steps,
                None,
                None,
                memory,
                None if args.texts else _facts(plan),
                bool(args.texts),
            )
            for n, folder in enumerate(folders)
        ]
        InWorkers(pool).each("measure", measure_shard, jobs, str)
        with progress().stage("decide", total=len(jobs)):
            for number, job in enumerate(jobs):
                table = _decided(plan, job.folder)
                write_parquet(aside / "signals" / f"part-{number:05d}.parquet", table.schema, [table])
                decisions.update(table.column("decision").to_pylist())
        write_json(aside / RULES, [rule.model_dump(by_alias=True, exclude_none=True) for rule in plan.rules])
        if args.texts:
            (aside / TEXTS).mkdir()
            for number, job in enumerate(jobs):
                (job.folder / "documents.parquet").rename(aside / TEXTS / f"part-{number:05d}.parquet")
        shutil.rmtree(aside / "scratch")
    return {"documents": decisions.total(), **dict(sorted(decisions.items())), "out": str(out)}


def _counted(plan: Any, folders: list[Path], aside: Path, memory: int, workers: InWorkers) -> Any:
    """The plan with the passages of the inputs, which are one source here; OUT/passages.tsv lists them for people."""
    from pipeline.passages.counting import CountJob, count_lines
    from pipeline.passages.freezing import FreezeJob, freeze

    if plan.recipe.passages is None:
        return plan
    lines = tuple(aside / "scratch" / f"lines-{n:05d}" for n in range(len(folders)))
    jobs = [CountJob(*places, memory) for places in zip(lines, folders, strict=True)]
    workers.each("count passages", count_lines, jobs, str)
    job = FreezeJob(aside / "scratch" / "passages", INPUT, lines, tuple(folders), plan.recipe.passages, memory)
    workers.each("freeze passages", freeze, [job], str)
    shutil.copy(job.folder / "lines.tsv", aside / "passages.tsv")
    return plan.frozen([job.table("internal")])


def _facts(plan: Any) -> frozenset[str]:
    """The columns of documents that a decision and its record depend on."""
    wanted = {"id", "source", "uri", "record", *(check.rule.column for check in plan.checks)}
    return frozenset(wanted & plan.columns.keys() - plan.signal_columns.keys())


def _decided(plan: Any, folder: Path) -> pa.Table:
    """Signals with the decision and reason of each document, and other columns that rules test."""
    import numpy as np

    from pipeline.select import evidence, select
    from schemas.decision import Decision

    documents = read_columns(folder / "documents.parquet", sorted(_facts(plan)))
    table = read_columns(folder / "signals.parquet")
    full = table
    for name in documents.column_names:
        if name not in full.column_names:
            full = full.append_column(name, documents.column(name))
    selection = select(full, plan.checks)
    reason = evidence(full, selection)[0].fill_null("")
    decision = pa.array(np.where(selection.kept, Decision.KEEP.value, Decision.DROP.value), pa.string())
    tested = {check.rule.column for check in plan.checks} - {"id", "source", "uri", "record", *table.column_names}
    for name in ("uri", "record", *sorted(tested & set(documents.column_names))):
        table = table.append_column(name, documents.column(name))
    return table.append_column("decision", decision).append_column("reason", reason)


def print_result(value: dict[str, Any]) -> None:
    """Print what a tool did, as JSON on stdout."""
    print(json.dumps(value, ensure_ascii=False))  # noqa: T201
