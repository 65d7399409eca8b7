"""Finds the near-duplicates of a corpus: groups of equal match forms, then verified pairs between groups.

Pairs depend on texts and parameters only, never on what rules decide, so they are computed once and survivors are
drawn from them as often as rules change. They are complete up to two documented losses: LSH recall (25 bands of 5 miss
one pair in 20,000 at Jaccard 0.8, fewer above) and the leaders of large buckets (`pipeline.dedup.candidates`).

Documents that stay, as those of published versions, are searched in the segments of their index; of them only those
that resemble something are looked at.
"""

import errno
import os
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.buckets import (
    MOST_ROWS,
    NOTHING,
    Packed,
    Rows,
    Signed,
    distinct,
    group_rows,
    merged,
    pack,
)
from pipeline.dedup.index import Segment
from pipeline.dedup.templates import Priority, Templates
from pipeline.dedup.verify import Bins, Fetch, bin_file, compare, deal, halves, pack_two
from pipeline.storage import ASIDE, batches, open_parquet, sweep_folder
from schemas.errors import StoreError
from schemas.recipe import Dedup

PAIRS: pa.Schema = pa.schema(
    [
        pa.field("left", pa.int64(), nullable=False),
        pa.field("right", pa.int64(), nullable=False),
        pa.field("jaccard", pa.float64(), nullable=False),
    ]
)

# Like `map`: applies a function to items, in threads or in turn, and yields the results in the order of the items.
Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
Progress = Callable[[str, int, int], None]
# Behaviour of grouping, buckets and verification; raised whenever other pairs may come out for the same texts and
# parameters: finished pairs are then found again.
PAIRS_REVISION = 4
MEMORY = 2 << 30
MOST_BINS = 400  # each has an open file
MERGED_ROWS = 1 << 20


@dataclass(frozen=True)
class Found:
    """What `find_pairs` found, over rows numbered anew: first the documents that stay and resemble something, then all
    rows that were signed.

    `staying`: int64, their numbers over all segments, ascending. `groups`: uint32, for each row the lowest one with
    the same match form, NOTHING for a blank text. `pairs`: schema PAIRS, left < right, of lowest rows of groups, with
    their exact Jaccard, at least the threshold.
    """  # noqa: D205

    staying: Rows
    groups: npt.NDArray[np.uint32]
    pairs: pa.Table

    def among(self, staying: int) -> tuple[Rows, pa.Table]:
        """Return groups (int64, -1 for a blank text) and pairs with all documents that stay, so many, counted first."""
        rows = staying + len(self.groups) - len(self.staying)
        number = np.concatenate([self.staying, np.arange(staying, rows), [-1]])
        groups = np.full(rows, -1, np.int64)
        groups[number[:-1]] = number[np.minimum(self.groups, len(self.groups))]
        ends = [number[self.pairs.column(side).to_numpy()] for side in ("left", "right")]
        return groups, pa.table([*ends, self.pairs.column("jaccard")], schema=PAIRS)


def find_pairs(
    signed: Signed,
    starts: Rows,
    fetch: Fetch,
    dedup: Dedup,
    *,
    against: Sequence[Segment] = (),
    priority: Priority | None = None,
    scratch: Path,
    memory: int = MEMORY,
    run: Run | None = None,
    progress: Progress | None = None,
) -> Found:
    """Return groups of equal match forms and the verified pairs between them.

    Args:
        signed: the signatures, all added.
        starts: int64, (parts + 1,), the first row of each part of texts, and after them the number of rows.
        fetch: gives texts of a part.
        dedup: threshold, permutations, bands; with `near` off there are no pairs.
        against: segments of documents that stay; pairs among them are left out.
        priority: sorts ascending rows by who shall rather survive, for the leaders of large buckets; default: longer
            texts, then as they come.
        scratch: a folder for temporary files: 8 bytes a candidate pair and the texts of what is compared.
        memory: ceiling of this process in bytes; it decides how many texts are compared at once.
        run: how tasks are run; default: in as many threads as there are cores (the kernels hold no lock).
        progress: called with a stage's name, tasks done, and tasks in all.

    Raises:
        StoreError: parameters do not match, there are too many rows, memory does not suffice, or the disk is full.
    """
    run, progress = run or in_threads, progress or (lambda *_: None)
    priority = priority or (lambda rows: np.argsort(-signed.chars[rows].astype(np.int64), kind="stable"))
    bases = np.cumsum([0, *(len(segment) for segment in against)])
    base = int(bases[-1])
    if base + signed.rows > MOST_ROWS:
        raise StoreError(f"more than {MOST_ROWS:,} documents; compare with fewer versions at once")
    groups = group_rows(signed.hashes, signed.blank)
    twins = _twins(signed, groups, against, bases)
    if not dedup.near:
        nothing = np.empty(0, np.uint64)
        return _numbered(nothing, np.empty(0), groups, twins, base)
    paths, large = _candidates(signed, groups, against, bases, scratch, run, progress)
    templates = Templates.of(large, signed, base, priority, memory, run)
    if templates.groups:
        estimate = signed.finer_estimate(templates.rows, base)
        deque(run(lambda path: estimate(np.fromfile(path, np.uint64)).tofile(path), paths), maxlen=0)
        del estimate
    total = base + signed.rows
    candidates = np.concatenate(list(merged(paths, max(1, total // MERGED_ROWS), total)))
    _check_memory(len(candidates), signed.rows, memory)
    for path in (*paths, *large):
        path.unlink()
    texts = _Texts(signed, starts, fetch, against, bases)
    pairs, jaccard = _verified(candidates, templates, texts, scratch, memory, run, progress)
    return _numbered(pairs, jaccard, groups, twins, base)


def in_threads(function: Callable[[Any], Any], items: Iterable[Any], *, threads: int | None = None) -> Iterator[Any]:
    """Apply a function to items in threads, one a core by default and never more, and yield the results in order.

    At most two items a thread are taken from the iterable ahead of the result that is yielded.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(threads or cores, cores)
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def ended_by(stack: ExitStack, run: Run) -> Run:
    """Return `run` whose threads end before the stack is left, so that none writes into a folder that goes."""

    def started(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterable[Any]:
        results = run(function, items)
        if isinstance(results, Generator):
            stack.callback(results.close)
        return results

    return started


@contextmanager
def scratch_folder(within: Path, name: str) -> Iterator[Path]:
    """Yield a new folder in `within`, removed at the end; its name lets `Workspace.sweep` find it after a kill.

    Raises StoreError when the disk is full.
    """
    try:
        within.mkdir(parents=True, exist_ok=True)
        sweep_folder(within)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", suffix=f".{os.getpid()}{ASIDE}", dir=within) as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                "{folder}: the disk is full while near-duplicates are found; free some space and run again",
                folder=within,
            ) from error
        raise


def count_rows(paths: Sequence[Path]) -> Rows:
    """Return the first global row number of each Parquet part, and after them the number of rows of all."""
    starts = [0]
    for path in paths:
        with open_parquet(path) as file:
            starts.append(starts[-1] + file.metadata.num_rows)
    return np.array(starts, np.int64)


def fetch_parquet(texts: Sequence[Path]) -> Fetch:
    """Return what gives texts of Parquet parts with a column `text`, a few megabytes in memory at a time."""

    def fetch(part: int, rows: Rows) -> Iterator[tuple[slice, pa.Array]]:
        seen = done = 0
        if not len(rows):
            return
        for table in batches(texts[part], ["text"], limit=4_000_000):
            last = int(np.searchsorted(rows, seen + table.num_rows))
            if last > done:
                taken = table.column("text").take(pa.array(rows[done:last] - seen))
                yield slice(done, last), taken.combine_chunks()
            seen, done = seen + table.num_rows, last

    return fetch


def _twins(signed: Signed, groups: npt.NDArray[np.uint32], against: Sequence[Segment], bases: Rows) -> Packed:
    """Return `row << 32 | document that stays and has its match form`, sorted, for lowest rows of groups."""
    if not against:
        return np.empty(0, np.uint64)
    upper = (np.fromfile(signed.hashes, np.uint64)[::2] >> np.uint64(32)).astype(np.uint32)
    packed = pack(upper, groups == np.arange(len(groups)))
    found = [
        segment.twins(packed, signed.hashes) + np.uint64(base)
        for segment, base in zip(against, bases[:-1], strict=True)
    ]
    return distinct(np.concatenate(found))


def _candidates(
    signed: Signed,
    groups: npt.NDArray[np.uint32],
    against: Sequence[Segment],
    bases: Rows,
    scratch: Path,
    run: Run,
    progress: Progress,
) -> tuple[list[Path], list[Path]]:
    """Write the candidate pairs of each band to a file, sorted and distinct; documents that stay are numbered first.

    Returns these files, and those with the entries of large buckets, which are numbered as signed.
    """
    first = groups == np.arange(len(groups))
    base = np.uint64(bases[-1])
    shift = (base << np.uint64(32)) | base
    bands = range(signed.dedup.bands)

    def task(band: int) -> tuple[Path, Path]:
        packed = signed.packed(band, first, alone=bool(against))
        pairs, entries = signed.candidates(packed)
        found = [pairs + shift]
        for segment, start in zip(against, bases[:-1], strict=True):
            other = segment.candidates(band, packed, signed.sketches)
            found.append(other + ((base << np.uint64(32)) | np.uint64(start)))
        paths = scratch / f"pairs-{band:03d}", scratch / f"large-{band:03d}"
        distinct(np.concatenate(found)).tofile(paths[0])
        entries.tofile(paths[1])
        return paths

    written = []
    for done, paths in enumerate(run(task, bands), 1):
        written.append(paths)
        progress("buckets", done, len(bands))
    return [paths[0] for paths in written], [paths[1] for paths in written]


def _check_memory(pairs: int, rows: int, memory: int) -> None:
    """Raise StoreError when what is held for candidate pairs is above the ceiling."""
    need = 64 * pairs + 60 * rows
    if need > memory:
        raise StoreError(
            "{pairs} candidate pairs of {rows} documents need about {need} MiB, more than the ceiling of {memory} MiB; "
            "raise --memory, or compare the documents in parts with --against",
            pairs=f"{pairs:,}",
            rows=f"{rows:,}",
            need=need >> 20,
            memory=memory >> 20,
        )


@dataclass(frozen=True)
class _Texts:
    """The texts of all rows, those of segments first. Parts are the segments, then those of the rows signed."""

    signed: Signed
    starts: Rows
    fetch: Fetch
    against: Sequence[Segment]
    bases: Rows

    @property
    def ends(self) -> Rows:
        """The first row of each part, and after them the number of rows."""
        return np.concatenate([self.bases, self.starts[1:] + self.bases[-1]]).astype(np.int64)

    def of(self, part: int, rows: Rows) -> Iterable[tuple[slice, pa.Array]]:
        """Give texts of a part."""
        segments = len(self.against)
        return self.against[part].texts(rows) if part < segments else self.fetch(part - segments, rows)

    def chars(self, rows: Rows) -> npt.NDArray[Any]:
        """Return the characters of ascending rows."""
        cuts = np.searchsorted(rows, self.bases)
        parts = [rows[cuts[n] : cuts[n + 1]] - self.bases[n] for n in range(len(self.against))]
        known = [segment.chars(part) for segment, part in zip(self.against, parts, strict=True)]
        return np.concatenate([*known, self.signed.chars[rows[cuts[-1] :] - self.bases[-1]]])


def _verified(
    candidates: Packed,
    templates: Templates,
    texts: _Texts,
    scratch: Path,
    memory: int,
    run: Run,
    progress: Progress,
) -> tuple[Packed, npt.NDArray[np.float64]]:
    """Return the pairs that reach the threshold, among candidates and in templates, and their exact Jaccard."""
    dedup = texts.signed.dedup
    nodes = distinct(np.concatenate(halves(candidates)))
    whole = 3 * int(texts.chars(nodes).astype(np.int64).sum())
    bins = Bins(candidates, texts.chars, max(memory // 64, whole // MOST_BINS), dedup.match)
    dealt = distinct(np.concatenate([bins.dealt, templates.dealt() + np.uint64(bins.count)]))
    ends = texts.ends
    for done in deal(dealt, bins.count + templates.groups, ends, texts.of, scratch, run):
        progress("texts", done, len(ends) - 1)
    jaccard = np.zeros(len(candidates))
    for done, (places, values) in enumerate(run(partial(compare, scratch, bins), range(bins.count)), 1):
        jaccard[places] = values
        progress("pairs", done, bins.count)
    good = jaccard >= dedup.threshold
    found = [(candidates[good], jaccard[good])]
    count = len(found[0][0])
    for piece in templates.pairs(lambda n: bin_file(scratch, bins.count + n), dedup.match, dedup.threshold, run):
        found.append(piece)
        count += len(piece[0])
        _check_memory(count, texts.signed.rows, memory)
        progress("templates", len(found) - 1, 0)
    return np.concatenate([pairs for pairs, _ in found]), np.concatenate([values for _, values in found])


def _numbered(
    pairs: Packed, jaccard: npt.NDArray[np.float64], groups: npt.NDArray[np.uint32], twins: Packed, base: int
) -> Found:
    """Number the documents that stay anew, leaving out those that resemble nothing."""
    one, other = halves(pairs)
    rows, stays = halves(twins)
    staying = distinct(np.concatenate([stays, one[one < base], other[other < base]]))
    count = len(staying)

    def number(side: Rows) -> Rows:
        return np.where(side < base, np.searchsorted(staying, side), side - base + count)

    # Where the lowest row of a group has a twin that stays, that one is the lowest; of several the first.
    first = np.append(np.arange(count, count + len(groups), dtype=np.uint32), NOTHING)
    first[rows[::-1]] = np.searchsorted(staying, stays)[::-1]
    every = np.concatenate([np.arange(count, dtype=np.uint32), first[np.minimum(groups, len(groups))]])
    one, other = number(one), number(other)
    both = pack_two(np.minimum(one, other), np.maximum(one, other))
    order = np.argsort(both, kind="stable")
    new = np.diff(both[order], prepend=MOST_ROWS << 32) != 0
    left, right = halves(both[order][new])
    ends = every[left].astype(np.int64), every[right].astype(np.int64)
    table = pa.table([np.minimum(*ends), np.maximum(*ends), jaccard[order][new]], schema=PAIRS)
    return Found(staying, every, table.filter(pa.array(ends[0] != ends[1])))
