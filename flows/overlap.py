"""The standalone tool `overlap`: documents that hold evaluation questions; how much of a dataset is in another."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows.dedup import named_version
from flows.progress import progress, showing
from flows.tools import Task, filling, print_result, write_account
from flows.words import count, say
from pipeline.storage import ParquetSink, write_json
from schemas.errors import StoreError

# One row a question in a document; `start` and `end` count characters of the text as read, `text` is what stands there.
OVERLAPS: pa.Schema = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("eval_id", pa.string(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)
MOST_CHARS = 300  # of the text that is shown


def overlap_command(args: Any) -> int:
    """Find evaluation questions inside documents, or estimate from signatures how much of A is in B."""
    return _questions(args) if args.eval else _signatures(args)


def _signatures(args: Any) -> int:
    """Print how much of each of two datasets is in the other."""
    from pipeline.overlap.estimate import estimate

    names, lang = args.signatures, args.lang
    one, other = (_signature_files(args, spec) for spec in names)
    with tempfile.TemporaryDirectory(prefix="yuliao-") as scratch:
        found = estimate(one, other, Path(scratch), threshold=args.threshold)
    ways = ((names[0], names[1], found[0]), (names[1], names[0], found[1]))
    if args.json:
        rows = [{"of": of, "in": within, **asdict(found_in)} for of, within, found_in in ways]
        print_result({"threshold": args.threshold, "estimated": True, "overlaps": rows})
        return 0
    for of, within, found_in in ways:
        print(say("overlap.in", lang, of=of, within=within))  # noqa: T201
        for what, share, total in (
            ("documents", found_in.of_documents, found_in.documents),
            ("characters", found_in.of_characters, found_in.characters),
        ):
            figures = {name: f"{100 * value:.2f}" for name, value in asdict(share).items()}
            print("  " + say("overlap.share", lang, total=count(total, what, lang), **figures))  # noqa: T201
    print(say("overlap.meaning", lang, threshold=f"{args.threshold:g}"))  # noqa: T201
    return 0


def _signature_files(args: Any, spec: str) -> list[Path]:
    """The files of signatures that a name, folder or file stands for."""
    path = Path(spec)
    if path.is_file():
        return [path]
    if path.is_dir() and not (path / "manifest.json").exists() and not (path / "latest").exists():
        found = sorted(path.glob("*.parquet"))
        if not found:
            raise StoreError("{spec}: neither a version, nor a dataset, nor a folder of signature files", spec=spec)
        return found
    version = named_version(args, spec)
    return [version.dataset / shard.signatures for shard in version.shards]


def _questions(args: Any) -> int:
    from pipeline.dedup.pairs import in_threads
    from pipeline.overlap.questions import Questions

    task, out = Task.of(args), Path(args.out)
    questions = Questions.load([Path(path) for path in args.eval])
    outcomes: list[dict[str, Any]] = []
    quarantine: list[dict[str, Any]] = []
    documents = found = touched = 0
    with showing(True, args.lang), filling(out, task.files) as aside, progress().stage("overlap") as bar:
        with ParquetSink(aside / "overlaps.parquet", OVERLAPS) as sink:
            batches = task.documents(aside, outcomes, quarantine)
            for rows, hit, table in in_threads(lambda b: _overlaps(questions, b), batches, threads=args.workers):
                documents, found, touched = documents + rows, found + table.num_rows, touched + hit
                sink.write(table)
                bar.advance(0)
        write_account(aside, outcomes, quarantine)
        task.check_read(outcomes)
        summary = {
            "documents": documents,
            "with_overlap": touched,
            "overlaps": found,
            "questions": len(questions),
            "questions_too_general": questions.left_out,
        }
        write_json(aside / "summary.json", {**summary, "eval": args.eval})
    print_result({**summary, "out": str(out)})
    return 0


def _overlaps(questions: Any, batch: pa.RecordBatch) -> tuple[int, int, pa.Table]:
    """Return how many documents there are, in how many something was found, and the rows."""
    import pyarrow.compute as pc

    from pipeline.overlap.matches import match

    found = match(questions, batch.column("text"))
    here = batch.select(["id", "uri", "record"]).take(pa.array(found.rows))
    texts = {row: batch.column("text")[row].as_py() for row in sorted(set(found.rows.tolist()))}
    shown = [
        texts[row][start : min(end, start + MOST_CHARS)]
        for row, start, end in zip(found.rows.tolist(), found.starts, found.ends, strict=True)
    ]
    chosen = [questions.questions[number] for number in found.questions]
    columns = {
        **{name: here.column(name) for name in ("id", "uri", "record")},
        "eval_id": pa.array([question.id for question in chosen], pa.string()),
        "benchmark": pa.array([question.benchmark for question in chosen], pa.string()),
        "score": found.scores,
        "start": found.starts,
        "end": found.ends,
        "text": pa.array(shown, pa.string()),
    }
    table = pa.table({name: columns[name] for name in OVERLAPS.names}, schema=OVERLAPS)
    return len(batch), pc.count_distinct(pa.array(found.rows)).as_py(), table
