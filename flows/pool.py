"""Worker processes for the work on shards. They never import Prefect, so they start fast and stay small.

One pool serves all stages of a run. A worker that dies (killed, out of memory) fails the jobs that were in the pool
with a transient error; the next job starts a new pool.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import Any, TypeVar

from flows.progress import progress
from pipeline.stores.credentials import Keys, held, hold
from schemas.errors import ShardError, TransientError

J = TypeVar("J")
R = TypeVar("R")


class WorkerLostError(ShardError, TransientError):
    """A worker process died; what it had finished stays."""


class WorkerPool:
    """A pool of `workers` processes that is made at the first job and made again after a death."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is None:
            return
        processes = list((self._pool._processes or {}).values())  # shutdown forgets them
        self._pool.shutdown(wait=error[0] is None, cancel_futures=True)
        if error[0] is not None:
            # After an error or Ctrl-C nobody waits for the rest; each file appears whole or not at all.
            for process in processes:
                process.terminate()
            for process in processes:  # else one could still write into a folder that is being removed
                process.join()

    def run(self, work: Callable[[Any], R], job: Any) -> R:
        """Run `work(job)` in a worker and wait. Raises what it raised, or WorkerLostError when the worker died."""
        with self._lock:
            if self._pool is None:
                context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
                self._pool = ProcessPoolExecutor(
                    self.workers, mp_context=context, initializer=_begin, initargs=(dict(held),)
                )
            pool = self._pool
        try:
            future: Future[R] = pool.submit(work, job)
            return future.result()
        except BrokenProcessPool as error:
            with self._lock:
                if self._pool is pool:
                    self._pool = None
            raise WorkerLostError(
                f"a worker process died during {work.__name__} (out of memory, or killed); finished shards stay. "
                "Use fewer --workers if it happens again"
            ) from error


class InWorkers:
    """Runs the jobs of a stage in a pool, with progress and without Prefect."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool

    def each(self, stage: str, work: Callable[[J], R], jobs: Sequence[J], label: Callable[[J], str]) -> list[R]:  # noqa: ARG002
        """Run a job a worker and return the results in order."""
        with progress().stage(stage, total=len(jobs)) as bar, ThreadPoolExecutor(self.pool.workers) as threads:

            def one(job: J) -> R:
                result = self.pool.run(work, job)
                bar.advance()
                return result

            return list(threads.map(one, jobs))

    def here(self, stage: str, work: Callable[[], R], label: str) -> R:  # noqa: ARG002
        """Run the work in this process."""
        with progress().stage(stage):
            return work()


_whole_life = ExitStack()


def _begin(keys: dict[str, Keys]) -> None:
    """Start a worker fast.

    Ctrl-C goes to every process of the terminal: only the parent answers it. And no worker outlives the parent.
    """
    import signal

    hold(keys)
    from flows.starting import lightly

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    _whole_life.enter_context(lightly(steps=True))
