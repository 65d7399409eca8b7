"""Finds the near-duplicates of a corpus: groups of equal match forms, then verified pairs between groups.

Pairs depend on texts and parameters only, never on what rules decide, so they are computed once and survivors are
drawn from them as often as rules change. They are complete up to two documented losses: LSH recall (25 bands of 5 miss
one pair in 20,000 at Jaccard 0.8, fewer above) and the leaders of large buckets (`buckets.LEADERS`, `buckets.KIN`).
"""

import errno
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.buckets import Rows, Sketches, distinct, group_rows
from pipeline.dedup.verify import ShingleSets, count_rows
from pipeline.storage import ASIDE
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
PAIRS_A_TASK = 4096
# Behaviour of grouping, buckets and verification; raised whenever other pairs may come out for the same texts and
# parameters: finished pairs are then found again.
PAIRS_REVISION = 1


def find_pairs(
    signatures: Sequence[Path],
    texts: Sequence[Path],
    dedup: Dedup,
    *,
    published: int = 0,
    scratch: Path,
    order: Rows | None = None,
    run: Run | None = None,
    progress: Progress | None = None,
) -> tuple[Rows, pa.Table]:
    """Return groups of equal match forms and the verified pairs between them.

    Args:
        signatures: Parquet parts with the columns of `signature.signatures_schema`.
        texts: Parquet parts with a column `text`, row for row like `signatures`. A global row number counts the rows
            of earlier parts too.
        dedup: threshold, permutations, bands; with `near` off there are no pairs.
        published: that many first rows are published; pairs among them are left out.
        scratch: a folder, made if absent, for temporary files that are removed at the end. They take 8 bytes a band
            and 1 byte a permutation for each document (328 by default) and what `verify` says.
        order: all global rows, likely survivors first; it only chooses the leaders of large buckets (default: by row).
        run: how tasks are run; default: in as many threads as there are cores (the kernels hold no lock).
        progress: called with a stage's name, tasks done, and tasks in all.

    Returns:
        `groups`, int64, (rows,): the lowest global row with the same match form, -1 for an empty match form; and a
        table of schema PAIRS, sorted: global rows of two representatives, left < right, with their exact Jaccard,
        at least `dedup.threshold`.

    Raises:
        StoreError: parts do not match each other or the parameters, or the disk of `scratch` is full.
    """
    run, progress = run or in_threads, progress or (lambda *_: None)
    starts = count_rows(signatures)
    _check_parts(texts, starts)
    groups = group_rows(signatures)
    if not dedup.near:
        return groups, PAIRS.empty_table()
    with _aside(scratch) as folder:
        sketches = Sketches(signatures, groups, dedup, folder)
        candidates = _candidates(sketches, order, published, run, progress)
        left = sketches.rows[(candidates >> np.uint64(32)).astype(np.int64)]
        right = sketches.rows[(candidates & np.uint64(0xFFFFFFFF)).astype(np.int64)]
        jaccard = _verify(texts, starts, left, right, folder, run, progress)
    good = jaccard >= dedup.threshold
    return groups, pa.table([left[good], right[good], jaccard[good]], schema=PAIRS)


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


@contextmanager
def _aside(scratch: Path) -> Iterator[Path]:
    """Yield a new folder in `scratch`, removed at the end; its name lets `Workspace.sweep` find it after a kill."""
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pairs-", suffix=f".{os.getpid()}{ASIDE}", dir=scratch) as name:
            yield Path(name)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"{scratch}: the disk is full while near-duplicates are found; free some space and run again"
            ) from error
        raise


def _check_parts(texts: Sequence[Path], starts: Rows) -> None:
    rows = count_rows(texts)
    if not np.array_equal(rows, starts):
        raise StoreError(
            f"{len(starts) - 1} signature parts end at rows {starts[1:].tolist()}, "
            f"{len(rows) - 1} text parts at {rows[1:].tolist()}; they must match part for part, sign the texts again"
        )


def _candidates(
    sketches: Sketches, order: Rows | None, published: int, run: Run, progress: Progress
) -> npt.NDArray[np.uint64]:
    """Return the candidate pairs of all bands, each once, as `Sketches.candidates` has them."""
    positions = np.arange(len(sketches.rows))
    if order is not None:
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        positions = np.argsort(rank[sketches.rows], kind="stable")
    early = int(np.searchsorted(sketches.rows, published))
    bands = sketches.dedup.bands
    merged = np.empty(0, np.uint64)
    results = run(lambda band: sketches.candidates(band, positions, early), range(bands))
    for done, found in enumerate(results, 1):
        merged = distinct(np.concatenate([merged, found]))
        progress("buckets", done, bands)
    return merged


def _verify(
    texts: Sequence[Path], starts: Rows, left: Rows, right: Rows, scratch: Path, run: Run, progress: Progress
) -> npt.NDArray[np.float64]:
    sets = ShingleSets(scratch / "shingles.u64", distinct(np.concatenate([left, right])))
    parts = list(zip(texts, starts[:-1].tolist(), np.diff(starts).tolist(), strict=True))
    for done, _ in enumerate(run(lambda part: sets.add_part(*part), parts), 1):
        progress("texts", done, len(parts))
    slices = [slice(i, i + PAIRS_A_TASK) for i in range(0, len(left), PAIRS_A_TASK)]
    jaccards = [np.empty(0)]
    for done, found in enumerate(run(lambda part: sets.jaccards(left[part], right[part]), slices), 1):
        jaccards.append(found)
        progress("pairs", done, len(slices))
    return np.concatenate(jaccards)
