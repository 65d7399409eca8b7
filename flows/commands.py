"""What the verbs about recipes and versions do. Results go to stdout, progress and errors to stderr."""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from flows import server
from pipeline.storage import Workspace
from schemas.errors import CorpusError, RecipeError, StoreError


def out(text: str = "") -> None:
    """Print a line of results."""
    print(text)  # noqa: T201


def _show(args: Any, value: dict[str, Any] | list[Any], lines: Iterable[str]) -> int:
    if args.json:
        out(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    else:
        for line in lines:
            out(line)
    return 0


def _say(args: Any, en: str, zh: str) -> str:
    return zh if args.lang == "zh" else en


def _workspace(args: Any, recipe: str | None = None) -> Workspace:
    default = Path(recipe).resolve().parent if recipe else Path.cwd()
    return Workspace(Path(args.workspace) if args.workspace else default)


def init_command(args: Any) -> int:
    """Make a folder with a commented recipe and a `raw/` folder to put files into."""
    folder = Path(args.dir)
    recipe = folder / "recipe.yaml"
    if recipe.exists():
        raise RecipeError(f"{recipe} exists already; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._") or "my-corpus"
    template = (files("flows") / "recipe.template.yaml").read_text("utf-8")
    recipe.write_text(template.replace("DATASET_NAME", f"my/{name}"), encoding="utf-8")
    (folder / "raw").mkdir(exist_ok=True)
    example = folder / "raw" / "示例.txt"
    if not any((folder / "raw").iterdir()):
        example.write_text((files("flows") / "example.txt").read_text("utf-8"), encoding="utf-8")
    out(_say(args, f"Put files into {folder / 'raw'}, then run:", f"把文件放进 {folder / 'raw'}，然后运行："))
    out(f"  yuliao plan {recipe}")
    out(f"  yuliao run {recipe}")
    return 0


def plan_command(args: Any) -> int:
    """Check everything that can be checked without reading data, and say what a run would do."""
    from pipeline.engine import plan_shards
    from pipeline.plan import Plan, load_recipe
    from pipeline.snapshot import Snapshot, list_inputs
    from schemas.source import InputFile

    recipe = Path(args.recipe)
    plan = Plan.of(load_recipe(recipe), recipe.resolve().parent)
    inputs: list[InputFile] = []
    for source in plan.recipe.sources:
        if source.hub is None:
            inputs += list_inputs(source, plan.base)
        else:
            inputs.append(InputFile(source.id, source.hub.name, source.hub.name, 0, ""))
    inputs.sort(key=lambda file: (file.source, file.uri))
    size = sum(file.bytes for file in inputs)
    shards = plan_shards(plan, Snapshot(inputs, [1] * len(inputs)), {1})
    workspace = _workspace(args, args.recipe)
    workspace.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(workspace.root).free
    # Read and measured text, signals, signatures and the published copy, each zstd: 1.5 times the input was seen.
    needed = int(size * 1.5)
    value = {
        "dataset": plan.recipe.dataset,
        "fingerprint": plan.fingerprint,
        "sources": [
            {"id": s.id, "files": sum(f.source == s.id for f in inputs), "license": s.license}
            for s in plan.recipe.sources
        ],
        "steps": [{"kind": step.kind, "revision": step.revision, "adds": list(step.adds)} for step in plan.steps],
        "rules": [check.reason for check in plan.checks],
        "files": len(inputs),
        "bytes": size,
        "shards": len(shards),
        "disk_needed": needed,
        "disk_free": free,
    }
    status = _show(args, value, _plan_lines(plan, value))
    if needed > free:
        raise StoreError(f"{workspace.root}: about {needed >> 20} MiB are needed and {free >> 20} MiB are free")
    return status


def _plan_lines(plan: Any, value: dict[str, Any]) -> list[str]:
    lines = [f"{value['dataset']}  fingerprint {value['fingerprint'][:16]}", "sources:"]
    lines += [f"  {s['id']:<20} {s['files']:>8} files  {s['license']}" for s in value["sources"]]
    lines.append("steps:")
    lines += [f"  {step['kind']:<20} adds {', '.join(step['adds']) or '-'}" for step in value["steps"]]
    lines.append("rules, in order:")
    for check in plan.checks:
        bound = "" if check.threshold is None else _short(check.threshold)
        test = {"low": f">= {bound}", "high": f"<= {bound}"}.get(check.side)
        wanted = next((w for w in (check.rule.one_of, check.rule.none_of, check.rule.equals) if w is not None), "")
        lines.append(f"  {check.reason:<36} {test or wanted}")
    lines.append(
        f"{value['files']} files, {value['bytes'] / 1e6:.1f} MB, {value['shards']} shards; "
        f"disk: about {value['disk_needed'] / 1e6:.0f} MB needed, {value['disk_free'] / 1e6:.0f} MB free"
    )
    return lines


def run_command(args: Any) -> int:
    """Run a recipe through Prefect; a finished one is recognised before Prefect is imported."""
    from pipeline.curation import Curation

    root = Path(args.workspace) if args.workspace else None
    curation = Curation.open(Path(args.recipe), root, sample=args.sample, limit=args.limit)
    if curation.finished:
        version = curation.previous.manifest.version if curation.previous else None
        value = {"dataset": curation.plan.recipe.dataset, "version": version, "nothing_to_do": True}
        done = f"{value['dataset']}@{version}" if not curation.sampled else str(curation.folder / "report.html")
        return _show(args, value, [_say(args, f"nothing to do: {done} is up to date", f"无事可做：{done} 已是最新")])
    _end_at_once(args.lang)
    server.prepare()
    from flows.curate import curate
    from flows.progress import showing

    with showing(not args.json), server.api():
        summary = curate(
            recipe=str(Path(args.recipe).resolve()),
            workspace=str(root.resolve()) if root else None,
            workers=args.workers,
            memory=args.memory,
            sample=args.sample,
            limit=args.limit,
        )
    return _show(args, summary, _run_lines(args, summary))


def _run_lines(args: Any, summary: dict[str, Any]) -> list[str]:
    from pipeline.publish.publishing import funnel

    if summary.get("nothing_to_do"):
        return [_say(args, "nothing to do", "无事可做")]
    name = f"{summary['dataset']}@{summary['version']}" if summary["version"] else _say(args, "sample", "抽样")
    lines = [
        _say(
            args,
            f"{name}: {summary['published']} of {summary['read']} documents in {summary['seconds']:.1f} s",
            f"{name}：{summary['read']} 篇中保留 {summary['published']} 篇，用时 {summary['seconds']:.1f} 秒",
        )
    ]
    lines += [f"  {row['source']:<20} {row['what']:<40} {row['documents']:>10}" for row in funnel(summary)]
    lines += [f"{key}: {summary[key]}" for key in ("folder", "report", "ledger") if summary.get(key)]
    return lines


def _end_at_once(lang: str) -> None:
    """Let Ctrl-C end the whole command: files appear whole or not at all, and workers end with their parent.

    An exception would have to pass Prefect's engine and client, which may swallow it or wait for a server that the
    same Ctrl-C ended.
    """
    from flows.cli import STOPPED
    from flows.progress import progress

    def end(_signal: int, _frame: object) -> None:
        progress().stop()
        print(f"yuliao run: {STOPPED[lang]}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(1)

    signal.signal(signal.SIGINT, end)


def deploy_command(args: Any) -> int:
    """Register a deployment of the recipe with a schedule; make the work pool where there is none."""
    from pipeline.plan import Plan, load_recipe

    recipe = Path(args.recipe).resolve()
    plan = Plan.of(load_recipe(recipe), recipe.parent)
    server.prepare()
    if not server.configured():
        raise CorpusError(
            "a deployment needs a running Prefect server: start one with `prefect server start`, "
            "or set PREFECT_API_URL to yours"
        )
    from flows.deploy import register

    parameters = {
        "recipe": str(recipe),
        "workspace": str(Path(args.workspace).resolve()) if args.workspace else None,
        "workers": args.workers,
        "memory": args.memory,
    }
    name = args.name or plan.recipe.dataset.replace("/", "--")
    register(name, parameters, pool=args.pool, cron=args.cron, timezone=args.timezone)
    out(_say(args, f"deployment curate/{name} registered", f"已登记部署 curate/{name}"))
    out(f"  prefect worker start --pool {args.pool}")
    out(f"  prefect deployment run curate/{name}")
    return 0


def explain_command(args: Any) -> int:
    """Say why a document is in or out, with rule, value, threshold and survivor."""
    from pipeline.explain import explain_document, explain_text

    if (args.document is None) == (args.text is None):
        raise RecipeError("explain takes either ID|URI or --text FILE")
    if args.text is not None:
        verdicts = [explain_text(Path(args.text), Path(args.recipe) if args.recipe else None)]
    else:
        verdicts = explain_document(_workspace(args), args.document, run=args.run, version=args.of_version)
    return _show(args, verdicts, (line for verdict in verdicts for line in _verdict_lines(args, verdict)))


def _verdict_lines(args: Any, verdict: dict[str, Any]) -> list[str]:
    head = {"keep": ("KEPT", "保留"), "drop": ("REMOVED", "剔除")}[verdict["decision"]]
    lines = [f"{_say(args, *head)}  {verdict['id']}  {verdict['source']}  {verdict['uri']}#{verdict['record']}"]
    names = (
        "run",
        "version",
        "stage",
        "rule",
        "value",
        "threshold",
        "detail",
        "survivor_id",
        "survivor_uri",
        "jaccard",
    )
    lines += [f"  {name}: {_short(verdict[name])}" for name in names if verdict.get(name) is not None]
    lines += [f"  {rule['reason']}: {_short(rule['value'])} ({rule['test']})" for rule in verdict.get("failed", [])]
    return lines


def _short(value: Any) -> str:
    """A value as people read it: four digits of a number that has more."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _version_of(args: Any) -> Any:
    """The version that `NAME[@V]` names in the workspace."""
    from pipeline.publish.version import datasets_in, open_version

    workspace = _workspace(args)
    name, _, number = args.version.partition("@")
    version = open_version(workspace.store(name), number or None)
    if version is None:
        known = ", ".join(datasets_in(workspace.root / "store")) or "none"
        raise StoreError(f"{workspace.root}: no dataset '{name}' is published here; published are: {known}")
    return version


def list_command(args: Any) -> int:
    """List published datasets and versions."""
    from pipeline.publish.version import datasets_in, open_version, publication_of, versions

    workspace = _workspace(args)
    rows = []
    for name in datasets_in(workspace.root / "store"):
        dataset = workspace.store(name)
        for number in versions(dataset):
            version = open_version(dataset, number)
            assert version is not None
            counts = version.manifest.counts
            rows.append(
                {
                    "dataset": name,
                    "version": number,
                    "documents": counts.documents,
                    "characters": counts.characters,
                    "published_at": publication_of(version)["published_at"],
                    "sha256": version.sha256,
                }
            )
    lines = [
        f"{r['dataset']}@{r['version']:<10} {r['documents']:>10} documents {r['characters']:>14} characters  "
        f"{r['published_at']}  {r['sha256'][:12]}"
        for r in rows
    ]
    return _show(args, rows, lines or [_say(args, "nothing is published here", "此处尚未发布任何数据集")])


def show_command(args: Any) -> int:
    """Show what a version holds and how it was built."""
    version = _version_of(args)
    manifest = version.manifest
    lines = [f"{manifest.dataset}@{manifest.version}  sha256 {version.sha256}"]
    previous = f"follows {manifest.previous.version}" if manifest.previous else "first version"
    counts = manifest.counts
    lines.append(f"{previous}; {counts.documents} documents, {counts.characters} characters, {counts.shards} shards")
    lines.append(
        f"this run: {counts.read} read, {counts.added} added, {counts.removed} removed, {counts.changed} changed"
    )
    lines += [f"  {s.id:<20} {s.license:<16} {s.published:>10} published" for s in manifest.sources]
    lines += [f"  removed {entry['reason']:<32} {entry['count']:>10}" for entry in manifest.removed]
    lines.append(str(version.folder))
    return _show(args, manifest.model_dump(mode="json", by_alias=True), lines)


def report_command(args: Any) -> int:
    """Say where the report of a version, or of a run (by its id), lies."""
    runs = [run for run in _workspace(args).runs() if run["run"].startswith(args.version)]
    if runs and re.fullmatch(r"[0-9a-f]{6,64}", args.version):
        path = Path(runs[0]["folder"]) / "report.html"
    else:
        path = _version_of(args).folder / "report.html"
    return _show(args, {"report": str(path), "url": path.resolve().as_uri()}, [str(path), path.resolve().as_uri()])


def verify_command(args: Any) -> int:
    """Check a version against its manifest; exit status 1 when anything differs."""
    from flows.progress import progress, showing
    from pipeline.publish.verify import verify

    version = _version_of(args)
    with showing(not args.json), progress().stage("verify", total=len(version.shards)) as bar:
        found = verify(version, bar.advance)
    value = {
        "dataset": version.manifest.dataset,
        "version": version.manifest.version,
        "sha256": version.sha256,
        "shards": found.shards,
        "documents": found.documents,
        "faults": found.faults,
        "notes": found.notes,
    }
    verdict = _say(args, "everything is as published", "与发布时完全一致") if not found.faults else ""
    _show(
        args,
        value,
        [*found.notes, *([f"{found.shards} shards, {found.documents} documents: {verdict}"] if verdict else [])],
    )
    if found.faults:
        print("\n".join(found.faults), file=sys.stderr)  # noqa: T201
        return 1
    return 0
