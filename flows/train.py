"""The standalone tool `train`: a quality model from labelled documents, or a language model from clean ones."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.progress import progress, showing
from flows.tools import INPUT, Task, filling, print_result, write_account
from flows.words import label as word
from flows.words import say
from pipeline.storage import sha256_file, write_bytes, write_json
from schemas.errors import RecipeError, SourceError
from schemas.source import Fields, Source

_GOOD, _BAD = "good", "bad"


def train_command(args: Any) -> int:
    """Train a model, judge it on documents held out, and write it with its summary and its curve."""
    from pipeline.models.training import train_linear, train_ngram

    groups = [(name, _task(args, paths)) for name, paths in _groups(args)]
    files = [file for _, task in groups for file in task.files]
    texts: list[str] = []
    labels: list[str] = []
    sources: list[str] = []
    outcomes: list[dict[str, Any]] = []
    quarantine: list[dict[str, Any]] = []
    with showing(not args.json, args.lang), filling(Path(args.out), files) as aside:
        with progress().stage("read"):
            for name, task in groups:
                _read(task, name, aside, (texts, labels, sources), (outcomes, quarantine))
            write_account(aside, outcomes, quarantine)
        options = {"held_share": args.held, "split": args.split, "seed": args.seed}
        with progress().stage("train"):
            if args.kind == "perplexity":
                trained = train_ngram(texts, sources, **options)
            else:
                trained = train_linear(texts, labels, sources, **options)
        summary = _write(aside, args.kind, trained)
    _show(args, trained, summary)
    return 0


def _groups(args: Any) -> list[tuple[str | None, list[str]]]:
    """Which files hold what: with a label each, or (None) labelled by a field. Raises RecipeError for wrong use."""
    sides = [(_GOOD, args.good or []), (_BAD, args.bad or [])]
    if args.kind == "perplexity":
        if args.good or args.bad or args.label_column or not args.inputs:
            raise RecipeError(say("train.clean", args.lang))
        return [(_GOOD, args.inputs)]
    if args.inputs and args.label_column and not (args.good or args.bad):
        return [(None, args.inputs)]
    if args.good and args.bad and not args.inputs and not args.label_column:
        return [(name, paths) for name, paths in sides]
    raise RecipeError(say("train.labels", args.lang))


def _task(args: Any, paths: list[str]) -> Task:
    """The files as one source; the readers carry label and source of a document along as its title and address."""
    from pipeline.snapshot import list_inputs

    fields = Fields(text=args.text_column, title=args.label_column, url=args.source_column)
    source = Source(id=INPUT, path=[str(Path(path).absolute()) for path in paths], fields=fields, license="internal")
    return Task(args, source, list_inputs(source, Path.cwd()))


def _read(
    task: Task,
    name: str | None,
    aside: Path,
    into: tuple[list[str], list[str], list[str]],
    account: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    """Append texts, labels and sources. Raises SourceError naming file and record of one without its label."""
    from pipeline.models.form import MAX_CHARS

    texts, labels, sources = into
    outcomes: list[dict[str, Any]] = []
    columns = ["text", "title", "url", "uri", "record"]
    for batch in task.documents(aside, outcomes, account[1]):
        for row in batch.select(columns).to_pylist():
            for field, value in ((task.args.label_column, row["title"]), (task.args.source_column, row["url"])):
                if field is not None and value is None:
                    raise SourceError(
                        f"{row['uri']}, record {row['record']}: the field '{field}' is not there or no text; "
                        "give every document one, or name another field"
                    )
            texts.append(row["text"][:MAX_CHARS])
            labels.append(name if name is not None else row["title"])
            sources.append(row["url"] if task.args.source_column else row["uri"])
    task.check_read(outcomes)
    account[0].extend(outcomes)


def _write(aside: Path, kind: str, trained: Any) -> dict[str, Any]:
    """Write the model, the page of its curves and the summary, which is returned."""
    from pipeline.models.curve import page, rows
    from pipeline.models.file import SUFFIX, write_model

    path = aside / f"{kind}{SUFFIX}"
    write_model(path, trained.header, trained.arrays)
    summary = {
        **trained.header,
        "model": path.name,
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
        "curves": {name: rows(points) for name, points in trained.curves.items()},
    }
    write_json(aside / "summary.json", summary)
    if trained.curves:
        texts = {lang: say("train.page", lang, held=summary["data"]["held"]) for lang in ("zh", "en")}
        title = (say("train.title", "zh"), say("train.title", "en"))
        html = page(trained.curves, title, [(texts["zh"], texts["en"])])
        write_bytes(aside / "curve.html", html.encode())
    return summary


def _show(args: Any, trained: Any, summary: dict[str, Any]) -> None:
    """Print what was made: JSON for programs, tables for people."""
    from pipeline.models.curve import Point, best, text_lines

    out = Path(args.out)
    if args.json:
        print_result({**summary, "out": str(out)})
        return
    head = [word(name, args.lang) for name in Point.__slots__]
    for name, points in trained.curves.items():
        lines = [name, *text_lines(points, head), say("train.best", args.lang, **asdict(best(points)))]
        print(*lines, sep="\n")  # noqa: T201
    if not trained.curves:
        for name, shares in summary["figures"].items():
            print(name, *(f"{float(share):.0%}: {value}" for share, value in shares.items()), sep="  ")  # noqa: T201
    print(say("train.done", args.lang, path=out / summary["model"], held=summary["data"]["held"]))  # noqa: T201
    sys.stdout.flush()
