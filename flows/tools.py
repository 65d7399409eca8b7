"""The standalone tools: `ingest`, `measure` and `dedup` over files, without a recipe, a version or Prefect.

They do with the same readers, steps and kernels what a run does, and write Parquet that any program reads.
"""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows.pool import WorkerPool
from flows.progress import progress, showing
from pipeline.storage import read_columns, replacing_folder, write_parquet
from schemas.decision import FILES, QUARANTINE
from schemas.errors import SourceError
from schemas.recipe import parse_size
from schemas.source import Fields, Limits, Source

INPUT = "input"


def _source(args: Any) -> Source:
    """The inputs as one nameless source; ids are those of the records where they have any."""
    fields = Fields(text=args.text_column, id=args.id_column)
    return Source(
        id=INPUT, path=[str(Path(path).absolute()) for path in args.inputs], fields=fields, license="internal"
    )


def _read_jobs(args: Any, out: Path) -> list[Any]:
    from pipeline.engine import ReadJob, group_files
    from pipeline.snapshot import list_inputs

    source = _source(args)
    files = list_inputs(source, Path.cwd())
    memory = int(parse_size(args.memory))
    return [
        ReadJob(out / f"{number:05d}", source, tuple(group), Limits(), memory, raw_ids=True)
        for number, group in enumerate(group_files(files))
    ]


def _each(pool: WorkerPool, name: str, work: Any, jobs: list[Any]) -> list[Any]:
    """Run a job a shard in the pool, with progress."""
    with progress().stage(name, total=len(jobs)) as bar, ThreadPoolExecutor(pool.workers) as threads:

        def one(job: Any) -> Any:
            result = pool.run(work, job)
            bar.advance()
            return result

        return list(threads.map(one, jobs))


def _gather(folders: list[Path], out: Path) -> Counter[str]:
    """Write the outcomes of all files into OUT, and return how many there are of each."""
    for name, schema in (("files.parquet", FILES), ("quarantine.parquet", QUARANTINE)):
        write_parquet(out / name, schema, [read_columns(folder / name) for folder in folders])
    return Counter(read_columns(out / "files.parquet", ["outcome"]).column(0).to_pylist())


def _read(args: Any, pool: WorkerPool, scratch: Path) -> list[Path]:
    from pipeline.engine import read_shard

    jobs = _read_jobs(args, scratch / "read")
    _each(pool, "read", read_shard, jobs)
    return [job.folder for job in jobs]


def ingest_command(args: Any) -> int:
    """Read everything into OUT/documents, and account for every file in OUT/files.parquet."""
    out = Path(args.out)
    with showing(True), replacing_folder(out, ("documents",)) as aside, WorkerPool(args.workers) as pool:
        folders = _read(args, pool, aside / "scratch")
        (aside / "documents").mkdir()
        for number, folder in enumerate(folders):
            (folder / "documents.parquet").rename(aside / "documents" / f"part-{number:05d}.parquet")
        outcomes = _gather(folders, aside)
        shutil.rmtree(aside / "scratch")
    _result({"files": outcomes.total(), **dict(sorted(outcomes.items())), "out": str(out)})
    return 0


def measure_command(args: Any) -> int:
    """Measure everything and decide on each document, into OUT/signals."""
    from pipeline.engine import MeasureJob, measure_shard
    from pipeline.explain import default_plan
    from pipeline.plan import Plan, load_recipe

    recipe = Path(args.recipe) if args.recipe else None
    plan = Plan.of(load_recipe(recipe), recipe.resolve().parent) if recipe else default_plan()
    dedup, memory = plan.recipe.dedup, int(parse_size(args.memory))
    out = Path(args.out)
    decisions: Counter[str] = Counter()
    with showing(True), replacing_folder(out, ("signals",)) as aside, WorkerPool(args.workers) as pool:
        folders = _read(args, pool, aside / "scratch")
        jobs = [
            MeasureJob(
                aside / "scratch" / f"measured-{n:05d}",
                folder,
                plan.steps,
                dedup.permutations,
                dedup.seed,
                None,
                memory,
            )
            for n, folder in enumerate(folders)
        ]
        _each(pool, "measure", measure_shard, jobs)
        with progress().stage("decide", total=len(jobs)):
            for number, job in enumerate(jobs):
                table = _decided(plan, job.folder)
                write_parquet(aside / "signals" / f"part-{number:05d}.parquet", table.schema, [table])
                decisions.update(table.column("decision").to_pylist())
        _gather(folders, aside)
        shutil.rmtree(aside / "scratch")
    _result({"documents": decisions.total(), **dict(sorted(decisions.items())), "out": str(out)})
    return 0


def _decided(plan: Any, folder: Path) -> pa.Table:
    """Signals with the decision and reason of each document."""
    import numpy as np

    from pipeline.select import evidence, select
    from schemas.decision import Decision

    documents = read_columns(folder / "documents.parquet")
    table = read_columns(folder / "signals.parquet")
    full = table
    for name in documents.column_names:
        if name not in full.column_names:
            full = full.append_column(name, documents.column(name))
    selection = select(full, plan.checks)
    reason = evidence(full, selection)[0].fill_null("")
    decision = pa.array(np.where(selection.kept, Decision.KEEP.value, Decision.DROP.value), pa.string())
    for name in ("uri", "record"):
        table = table.append_column(name, documents.column(name))
    return table.append_column("decision", decision).append_column("reason", reason)


def dedup_command(args: Any) -> int:
    """Find exact and verified near-duplicates; only removed documents are listed, each with its survivor."""
    from pipeline.dedup.tool import dedup_documents
    from pipeline.engine import ReadJob
    from pipeline.snapshot import list_inputs
    from schemas.recipe import Dedup

    source, out = _source(args), Path(args.out)
    files = list_inputs(source, Path.cwd())
    job = ReadJob(out, source, tuple(files), Limits(), int(parse_size(args.memory)), raw_ids=True)
    outcomes: list[dict[str, Any]] = []
    places: list[pa.RecordBatch] = []
    with showing(True), progress().stage("dedup"):
        summary = dedup_documents(_documents(job, outcomes, places), out, Dedup(threshold=args.threshold))
    _add_places(out / "duplicates.parquet", places)
    write_parquet(out / "files.parquet", FILES, [pa.Table.from_pylist(outcomes, FILES)])
    unread = [f"{o['uri']}: {o['outcome']}: {o['reason']}" for o in outcomes if o["outcome"] != "ok"]
    for line in unread:
        print(line, file=sys.stderr)  # noqa: T201
    if outcomes and all(outcome["outcome"] in ("failed", "skipped") for outcome in outcomes):
        raise SourceError(f"none of {len(outcomes)} files could be read; see {out / 'files.parquet'}")
    _result({**asdict(summary), "out": str(out)})
    return 0


def _documents(job: Any, outcomes: list[dict[str, Any]], places: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of (id, text); `places` gathers where each id lies."""
    from pipeline.engine import documents_of

    for batch in documents_of(job, outcomes, []):
        places.append(batch.select(["id", "uri", "record"]))
        yield batch.select(["id", "text"])


def _add_places(path: Path, places: list[pa.RecordBatch]) -> None:
    """Say in which file and record the removed document and its survivor lie; a made id alone tells nobody."""
    import pyarrow.compute as pc

    duplicates = read_columns(path)
    if not places:
        return
    known = pa.Table.from_batches(places)
    for prefix, column in (("", "id"), ("survivor_", "survivor_id")):
        rows = pc.index_in(duplicates.column(column), known.column("id").combine_chunks())
        for name in ("uri", "record"):
            duplicates = duplicates.append_column(prefix + name, known.column(name).take(rows))
    write_parquet(path, duplicates.schema, [duplicates])


def _result(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False))  # noqa: T201
