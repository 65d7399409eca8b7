"""The standalone tools `dedup` and `index`: near-duplicates among files, and against what was kept earlier."""

import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from flows.progress import progress, showing
from flows.starting import kernels_loading
from flows.tools import Task, filling, print_result, write_account
from flows.words import say, told
from flows.words import size as bytes_of
from schemas.errors import StoreError
from schemas.recipe import Dedup, parse_size
from schemas.source import InputFile

# What text packs to: gzip and zstd made 3 to 4 times of Chinese text, so 4 is on the safe side.
PACKED = {".gz": 4, ".zst": 4, ".bz2": 5, ".xz": 5}
USUAL_BYTES = 600  # of a document, where only bytes are known


def dedup_command(args: Any) -> int:
    """Find exact and verified near-duplicates; only removed documents are listed, each with its survivor."""
    task, out = Task.of(args), Path(args.out)
    scratch = Path(args.scratch) if args.scratch else None
    outcomes: list[dict[str, Any]] = []
    quarantine: list[dict[str, Any]] = []
    _check_out(out, args.against or (), index=args.index)
    owned = ("index",) if args.index else ()
    _use_system_memory()
    with kernels_loading(), showing(True, args.lang), filling(out, task.files, owned) as aside, _Stages() as stages:
        from pipeline.dedup.pairs import in_threads
        from pipeline.dedup.tool import dedup_documents

        run = partial(in_threads, threads=args.workers)
        dedup, against = _against(args, run, stages)
        _check_disk(task.files, scratch or out, args)
        summary = dedup_documents(
            task.documents(aside, outcomes, quarantine),
            aside,
            dedup,
            against=against,
            index=args.index,
            scratch=scratch,
            memory=int(parse_size(args.memory)),
            run=run,
            progress=stages,
        )
        write_account(aside, outcomes, quarantine)
        task.check_read(outcomes)
    print_result({**asdict(summary), "out": str(out)})
    return 0


def index_command(args: Any) -> int:
    """Remove documents by id from the index that `dedup --index` left, check it, or say what it holds."""
    import pyarrow as pa

    from pipeline.dedup.index import Index, parameters_of

    folder = _index_folder(Path(args.index))
    if folder is None:
        raise StoreError("{out}: no index here; `yuliao dedup INPUT -o {out} --index` leaves one", out=args.index)
    index = Index.open(folder, args.index, _with(parameters_of(folder)))
    faults = [fault for segment in index.segments for fault in segment.faults()] if args.verify else []
    if faults:
        print(say("verify.faults", args.lang), *(told(fault, args.lang) for fault in faults), sep="\n", file=sys.stderr)  # noqa: T201
        return 1
    removed = 0
    if args.remove:
        lines = Path(args.remove).read_text("utf-8-sig").splitlines()
        ids = sorted({line.strip() for line in lines if line.strip()})
        removed = index.remove(pa.array(ids, pa.large_string()))
        if removed < len(ids):
            print(say("index.unknown", args.lang, n=len(ids) - removed), file=sys.stderr)  # noqa: T201
    stay = sum(len(segment) - len(segment.removed) for segment in index.segments)
    print_result({"documents": stay, "removed": removed, "segments": len(index.segments), "index": str(folder)})
    return 0


def _use_system_memory() -> None:
    """Let Arrow share the allocator of NumPy: two of them keep pages from each other, which the kernel clears again.

    Over 600,000 documents .2 to .5 s less of the system's time, and 5 % less memory.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


class _Stages:
    """Shows the stages of `dedup_documents` one after the other."""

    def __init__(self) -> None:
        self._name, self._done = "", 0
        self._stack = ExitStack()

    def __enter__(self) -> "_Stages":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, name: str, done: int, total: int) -> None:
        if name != self._name:
            self._stack.close()
            self._bar = self._stack.enter_context(progress().stage(name, total or 1))
            self._name, self._done = name, 0
        self._bar.advance(done - self._done)
        self._done = done


def _check_out(out: Path, against: Sequence[str], *, index: bool) -> None:
    """Raise StoreError where the output would replace what it is compared with, or stand beside another's index."""
    for spec in against:
        if Path(spec).resolve() in (out.resolve(), (out / "index").resolve()):
            raise StoreError(
                "{out}: is one of --against, and would be replaced; give each batch an OUT of its own", out=out
            )
    if not index and (out / "index" / "index.json").exists():
        raise StoreError(
            "{out}: holds the index of an earlier call, which would not be that of these documents; replace it by "
            "--index, or choose another OUT",
            out=out,
        )


def _against(args: Any, run: Any, stages: _Stages) -> tuple[Dedup, Sequence[Any]]:
    """Open what stays. Its parameters are taken over: those of the first, which all must have.

    A segment that several of them hold, as versions of a dataset do, is searched once, under the first one's name.
    Raises StoreError where parameters differ, among each other or from what is asked for.
    """
    from pipeline.dedup.index import Index, parameters_of

    asked = {"threshold": args.threshold, **({"match": args.match} if args.match else {})}
    dedup = Dedup(**asked)
    opened: list[Index] = []
    for spec in args.against or ():
        folder = _index_folder(Path(spec))
        if folder is not None:
            dedup = dedup if opened else _with(parameters_of(folder), **asked)
            opened.append(Index.open(folder, spec, dedup))
            continue
        from pipeline.publish.indexing import index_version, parameters_in

        version = named_version(args, spec)
        dedup = dedup if opened else _with(parameters_in(version), **asked)
        name = f"{version.manifest.dataset}@{version.manifest.version}"
        stages("index", 0, len(version.shards))
        opened.append(index_version(version, name, dedup, run))
    once: dict[Path, Index] = {}
    for index in opened:
        for segment in index.segments:
            once.setdefault(segment.folder.resolve(), Index(index.name, (segment,)))
    return dedup, list(once.values())


def _with(stored: dict[str, Any], **more: Any) -> Dedup:
    """How duplicates are found with the parameters that an index was made with."""
    return Dedup(**{name: value for name, value in stored.items() if name in Dedup.model_fields} | more)


def _index_folder(path: Path) -> Path | None:
    """The index in a folder: that of `dedup --index`, or its parent. Raises StoreError where it lost its list."""
    found = next((folder for folder in (path / "index", path) if (folder / "index.json").exists()), None)
    if found is None and (path / "index").is_dir() and not (path / "latest").exists():
        from pipeline.dedup.index import REMEDY

        raise StoreError("{path}: is missing; {remedy}", path=path / "index" / "index.json", remedy=REMEDY)
    return found


def named_version(args: Any, spec: str) -> Any:
    """The version that NAME[@V], or the folder of a version or dataset, names."""
    from flows.commands import version_of
    from pipeline.publish.version import open_version

    path = Path(spec).resolve()
    if (path / "manifest.json").exists():
        return open_version(path.parent.parent, path.name)
    if (version := open_version(path) if (path / "latest").exists() else None) is not None:
        return version
    if path.exists():
        raise StoreError("{spec}: neither a version, nor a dataset, nor what `dedup --index` wrote", spec=spec)
    try:
        return version_of(args, spec)
    except StoreError as error:
        raise StoreError(
            "'{spec}': no such folder, and as the name of a version {error}; --workspace says where it is published",
            spec=spec,
            error=error,
        ) from None


def _check_disk(files: Sequence[InputFile], folder: Path, args: Any) -> None:
    """Say on stderr how much of the disk is needed; raise StoreError where it is not there."""
    from pipeline.dedup.tool import SCRATCH_BYTES

    text, rows = 0, 0
    for file in files:
        size, count = _size_of(file)
        text, rows = text + size, rows + count
    # Texts 1, those of what has a candidate .4, an index .4 of the text.
    need = int(text * (1.8 if args.index else 1.4)) + rows * SCRATCH_BYTES
    there = next(parent for parent in (folder.resolve(), *folder.resolve().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    figures = {"folder": folder, "need": bytes_of(need), "free": bytes_of(free)}
    if need > free:
        raise StoreError(
            "{folder}: about {need} of temporary files are needed and {free} are free; free some space, or name a "
            "folder with room by --scratch",
            **figures,
        )
    print(say("dedup.disk", args.lang, **figures), file=sys.stderr)  # noqa: T201


def _size_of(file: InputFile) -> tuple[int, int]:
    """About how many bytes of text and documents an input holds."""
    path = Path(file.path)
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            metadata = pq.read_metadata(path)
        except (OSError, pa.ArrowException):  # reading will say what is wrong with it
            return file.bytes, 0
        groups = range(metadata.num_row_groups)
        return sum(metadata.row_group(n).total_byte_size for n in groups), metadata.num_rows
    size = file.bytes * PACKED.get(path.suffix, 1)
    return size, size // USUAL_BYTES
