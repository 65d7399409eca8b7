"""What the verbs about recipes and versions do. Results go to stdout, progress and errors to stderr."""

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from flows import server, show
from flows.starting import load_arrow
from flows.words import say, told
from pipeline.storage import Workspace
from pipeline.stores.credentials import load_blocks_by
from schemas.errors import CorpusError, RecipeError, StoreError

_MADE = "corpus-"


def out(text: str = "") -> None:
    """Print a line of results."""
    print(text)  # noqa: T201


def show_result(args: Any, value: dict[str, Any] | list[Any], lines: Iterable[str]) -> int:
    """Print a result: as JSON where that was asked for, else its lines. Returns the exit status."""
    if args.json:
        out(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    else:
        for line in lines:
            out(line)
    return 0


def _workspace(args: Any, recipe: str | None = None) -> Workspace:
    """Return the workspace that was named, else that of the recipe's folder, else the one here."""
    default = Path(recipe).resolve().parent if recipe else Path.cwd()
    return Workspace(Path(args.workspace) if args.workspace else default)


def readable_workspace(args: Any, recipe: str | None = None) -> Workspace:
    """The workspace of a verb that only reads one. Raises StoreError where its folder is not there."""
    workspace = _workspace(args, recipe)
    if not workspace.root.is_dir():
        raise StoreError("{folder}: no such folder; check --workspace", folder=workspace.root)
    return workspace


def init_command(args: Any) -> int:
    """Make a folder with a commented recipe and a `raw/` folder to put files into."""
    folder = Path(args.dir)
    recipe = folder / "recipe.yaml"
    if recipe.exists():
        raise RecipeError("{recipe} exists already; choose another folder", recipe=recipe)
    folder.mkdir(parents=True, exist_ok=True)
    name, note = _dataset_name(folder.resolve().name), ""
    if name.startswith(_MADE):
        note = "".join(f"\n{say('init.named', lang)}" for lang in ("en", "zh"))
    template = (files("flows") / "recipe.template.yaml").read_text("utf-8")
    head, _, rest = template.partition("DATASET_NAME")
    line, _, rest = rest.partition("\n")
    recipe.write_text(f"{head}my/{name}{line}{note}\n{rest}", encoding="utf-8")
    (folder / "raw").mkdir(exist_ok=True)
    example = folder / "raw" / "示例.txt"
    if not any((folder / "raw").iterdir()):
        example.write_text((files("flows") / "example.txt").read_text("utf-8"), encoding="utf-8")
    out(say("init.next", args.lang, folder=folder / "raw"))
    out(f"  yuliao plan {recipe}")
    out(f"  yuliao run {recipe}")
    return 0


def _dataset_name(folder: str) -> str:
    """A dataset's name from a folder's; one made from its hash where no letter of it may stand in a name."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder).strip("-._")[:96]
    if not name or (not folder.isascii() and not re.search("[A-Za-z]", name)):
        return _MADE + hashlib.sha256(folder.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return name


def plan_command(args: Any) -> int:
    """Check everything that can be checked without reading data, and say what a run would do."""
    from flows.blocks import load_block
    from pipeline.engine import plan_shards
    from pipeline.plan import Plan
    from pipeline.readers.sql import sql_file
    from pipeline.select import test_of
    from pipeline.snapshot import Snapshot, list_inputs
    from schemas.source import InputFile

    load_blocks_by(load_block)
    recipe = Path(args.recipe)
    plan = Plan.load(recipe)
    inputs: list[InputFile] = []
    for source in plan.recipe.sources:
        if source.sql is not None:
            inputs.append(sql_file(source, listed=True))
        elif source.hub is None:
            inputs += list_inputs(source, plan.base)
        else:
            inputs.append(InputFile(source.id, source.hub.name, source.hub.name, 0, ""))
    inputs.sort(key=lambda file: (file.source, file.uri))
    size = sum(file.bytes for file in inputs)
    shards = plan_shards(plan, Snapshot(inputs, [1] * len(inputs)), {1})
    workspace = _workspace(args, args.recipe)
    workspace.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(workspace.root).free
    # Read and measured text, signals, signatures and the published copy: 2 times the input was seen.
    # The lines that passages count were 0.2 times the input, and as much once more while they are frozen.
    needed = int(size * (2.4 if plan.recipe.passages else 2.0))
    value = {
        "dataset": plan.recipe.dataset,
        "fingerprint": plan.fingerprint,
        "sources": [
            {
                "id": s.id,
                "files": sum(f.source == s.id for f in inputs),
                "license": s.license,
                "facts": ({"owner": s.owner} if s.owner else {}) | s.words,
            }
            for s in plan.recipe.sources
        ],
        "steps": [{"kind": step.kind, "revision": step.revision, "adds": list(step.adds)} for step in plan.steps],
        "rules": [{"reason": c.reason, "column": c.rule.column, "test": test_of(c)} for c in plan.checks],
        "files": len(inputs),
        "bytes": size,
        "shards": len(shards),
        "disk_needed": needed,
        "disk_free": free,
    }
    status = show_result(args, value, show.plan_lines(plan, value, args.lang))
    if needed > free:
        raise StoreError(f"{workspace.root}: about {needed >> 20} MiB are needed and {free >> 20} MiB are free")
    return status


def run_command(args: Any) -> int:
    """Run a recipe through Prefect; a finished one is recognised before Prefect is imported."""
    load_arrow()
    from flows.blocks import load_block
    from pipeline.curation import Curation

    load_blocks_by(load_block)

    started = time.perf_counter()
    root = Path(args.workspace) if args.workspace else None
    curation = Curation.open(
        Path(args.recipe),
        root,
        sample=args.sample,
        limit=args.limit,
        refresh_passages=args.refresh_passages,
        rehash=args.rehash,
    )
    if curation.finished:
        version = curation.previous.manifest.version if curation.previous else None
        summary: dict[str, Any] = {"dataset": curation.plan.recipe.dataset, "version": version, "nothing_to_do": True}
        if curation.sampled:
            summary["sampled"] = str(curation.folder / "report.html")
    else:
        summary = _run(args, root)
        summary["wall_seconds"] = round(time.perf_counter() - started, 3)
    return show_result(args, summary, show.run_lines(summary, args.lang))


def _run(args: Any, root: Path | None) -> dict[str, Any]:
    """Run the flow and return its summary."""
    if not args.json:
        print(say("run.starting", args.lang), file=sys.stderr, flush=True)  # noqa: T201
    _end_at_once(args.lang)
    server.prepare()
    from flows.curate import curate
    from flows.progress import showing

    with showing(not args.json, args.lang), server.api():
        summary = curate(
            recipe=str(Path(args.recipe).resolve()),
            workspace=str(root.resolve()) if root else None,
            workers=args.workers,
            memory=args.memory,
            sample=args.sample,
            limit=args.limit,
            refresh_passages=args.refresh_passages,
        )
    return dict(summary)


def _end_at_once(lang: str) -> None:
    """Let Ctrl-C and SIGTERM end the whole command: files appear whole or not at all, workers end with their parent.

    An exception would have to pass Prefect's engine and client, which may swallow it or wait for a server that the
    same Ctrl-C ended.
    """
    from flows.progress import progress

    # The tracker of the workers' semaphores outlives us by a moment, frees them, and would warn that it had to.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")

    def end(number: int, _frame: object) -> None:
        progress().stop()
        stopped = say("stopped.run", lang)
        print(say("error", lang, verb="run", error=stopped), file=sys.stderr, flush=True)  # noqa: T201
        os._exit(1 if number == signal.SIGINT else 128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def deploy_command(args: Any) -> int:
    """Register a deployment of the recipe with a schedule; make the work pool where there is none."""
    from pipeline.plan import Plan

    recipe = Path(args.recipe).resolve()
    plan = Plan.load(recipe)
    server.prepare()
    from flows.deploy import register, schedule_of

    schedule = schedule_of(args.cron, args.timezone)
    if not server.configured():
        raise CorpusError(
            "a deployment needs a running Prefect server: start one with `prefect server start`, "
            "or set PREFECT_API_URL to yours"
        )
    parameters = {
        "recipe": str(recipe),
        "workspace": str(Path(args.workspace).resolve()) if args.workspace else None,
        "workers": args.workers,
        "memory": args.memory,
    }
    name = args.name or plan.recipe.dataset.replace("/", "--")
    register(name, parameters, pool=args.pool, schedule=schedule)
    out(say("deploy.done", args.lang, name=name))
    out(f"  prefect worker start --pool {args.pool}")
    out(f"  prefect deployment run curate/{name}")
    return 0


def explain_command(args: Any) -> int:
    """Say why a document is in or out, with rule, value, threshold and survivor."""
    from flows.verdict import verdict_lines
    from pipeline.explain import explain_document

    if (args.document is None) == (args.text is None):
        raise RecipeError("explain takes either ID|URI or --text FILE")
    if args.text is not None:
        verdicts = [_explain_given(args.text, args.recipe)]
    else:
        version = version_of(args, args.of_version).manifest if args.of_version else None
        named = f"{version.dataset}@{version.version}" if version else None
        verdicts = explain_document(readable_workspace(args), _as_read(args.document), run=args.run, version=named)
    return show_result(args, verdicts, (line for v in verdicts for line in verdict_lines(v, args.lang)))


def _explain_given(text: str, recipe: str | None) -> dict[str, Any]:
    """The verdict on a file, or on what comes through stdin."""
    from pipeline.explain import explain_text

    if text != "-":
        return explain_text(Path(text), recipe)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.txt"
        path.write_bytes(sys.stdin.buffer.read())
        return explain_text(path, recipe)


def _as_read(name: str) -> str:
    """A name as the snapshot reads it: bytes of the shell that are no UTF-8 are GB18030."""
    raw = os.fsencode(name)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030", "backslashreplace")


def version_of(args: Any, wanted: str) -> Any:
    """The version that `NAME[@V]` names in the workspace; `latest` is the one without a number."""
    from pipeline.publish.version import datasets_in, open_version

    workspace = readable_workspace(args)
    name, _, number = wanted.partition("@")
    version = open_version(workspace.store(name), None if number in ("", "latest") else number)
    if version is None:
        known = ", ".join(datasets_in(workspace.root / "store")) or "none"
        raise StoreError(
            "{folder}: no dataset '{name}' is published here; published are: {known}",
            folder=workspace.root,
            name=name,
            known=known,
        )
    return version


def list_command(args: Any) -> int:
    """List published datasets and versions; those that are broken on stderr, and exit status 1 where there are such."""
    from pipeline.publish.version import datasets_in, versions

    workspace = readable_workspace(args)
    rows, faults = [], []
    for name in datasets_in(workspace.root / "store"):
        for number in versions(workspace.store(name)):
            try:
                rows.append(_listed(workspace.store(name), name, number))
            except StoreError as error:
                faults.append(say("error", args.lang, verb="list", error=told(error, args.lang)))
    if rows or not faults:
        show_result(args, rows, show.list_lines(rows, args.lang))
    for fault in faults:
        print(fault, file=sys.stderr)  # noqa: T201
    return 1 if faults else 0


def _listed(dataset: Path, name: str, number: str) -> dict[str, Any]:
    from pipeline.publish.version import open_version, publication_of

    version = open_version(dataset, number)
    assert version is not None
    counts = version.manifest.counts
    return {
        "dataset": name,
        "version": number,
        "documents": counts.documents,
        "characters": counts.characters,
        "published_at": publication_of(version)["published_at"],
        "sha256": version.sha256,
    }


def show_command(args: Any) -> int:
    """Show what a version holds and how it was built."""
    version = version_of(args, args.version)
    value = version.manifest.model_dump(mode="json", by_alias=True)
    return show_result(args, value, show.version_lines(version, args.lang))


def report_command(args: Any) -> int:
    """Say where the report of a version, or of a run (by its id), lies."""
    runs = [run for run in readable_workspace(args).runs() if run["run"].startswith(args.version)]
    if runs and re.fullmatch(r"[0-9a-f]{6,64}", args.version):
        path = Path(runs[0]["folder"]) / "report.html"
    else:
        path = version_of(args, args.version).folder / "report.html"
    return show_result(
        args, {"report": str(path), "url": path.resolve().as_uri()}, [str(path), path.resolve().as_uri()]
    )


def verify_command(args: Any) -> int:
    """Check a version against its manifest; exit status 1 when anything differs."""
    from flows.progress import progress, showing
    from pipeline.publish.verify import verify

    version = version_of(args, args.version)
    with showing(not args.json, args.lang), progress().stage("verify", total=len(version.shards)) as bar:
        found = verify(version, bar.advance)
    if args.rebuild and not found.faults:
        found.faults += _made_again(args, version)
    value = {
        "dataset": version.manifest.dataset,
        "version": version.manifest.version,
        "sha256": version.sha256,
        "shards": found.shards,
        "documents": found.documents,
        "rebuilt": bool(args.rebuild),
        "faults": found.faults,
        "notes": found.notes,
    }
    show_result(args, value, show.verify_lines(version, found, args.lang))
    if found.faults:
        print(say("verify.faults", args.lang), *found.faults, sep="\n", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _made_again(args: Any, version: Any) -> list[str]:
    """Make the version again from its recipe and sources, in worker processes, and return what differs."""
    from flows.pool import InWorkers, WorkerPool
    from flows.progress import showing
    from pipeline.publish.rebuild import rebuild

    recipe = Path(args.rebuild)
    with showing(not args.json, args.lang), WorkerPool(args.workers) as pool:
        return rebuild(version, recipe, _workspace(args, args.rebuild), InWorkers(pool), threads=args.workers)
