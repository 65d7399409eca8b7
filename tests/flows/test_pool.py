import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.pool import WorkerLostError, WorkerPool
from schemas.errors import ShardError, TransientError


def double(number: int) -> int:
    return 2 * number


def fail(message: str) -> None:
    raise ShardError(message)


def die(path: str) -> int:
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def prefect_is_imported(_: None) -> bool:
    import sys

    return "prefect" in sys.modules


def measure_a_text(_: None) -> list[str]:
    """Load kernels as steps do, and say what was imported that none needs."""
    import sys

    import pyarrow as pa

    from flows.starting import NOT_NEEDED
    from pipeline.step import apply, build

    steps = [build({"kind": kind}) for kind in ("unicode", "characters", "language", "advertising")]
    batch = apply(steps, pa.record_batch({"text": ["English words, and 中文.", "请加微信abc12345免费领取"]}))
    assert batch.column("lang").to_pylist() == ["en", "zh"]
    return [name for name in NOT_NEEDED if name in sys.modules]


def wait_long(path: str) -> None:
    Path(path).write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(600)


def run_and_wait(path: str) -> None:
    with WorkerPool(1) as pool:
        pool.run(wait_long, path)


def test_jobs_run_in_workers_that_do_not_know_prefect() -> None:
    with WorkerPool(2) as pool, ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda n: pool.run(double, n), range(8))) == [0, 2, 4, 6, 8, 10, 12, 14]
        assert pool.run(prefect_is_imported, None) is False


def test_a_worker_imports_nothing_that_kernels_do_not_need() -> None:
    with WorkerPool(1) as pool:
        pool.run(measure_a_text, None)  # compiles what is not compiled yet, which takes all of Numba
    with WorkerPool(1) as pool:
        assert pool.run(measure_a_text, None) == []


def test_an_error_of_a_job_is_the_callers() -> None:
    with WorkerPool(1) as pool:
        with pytest.raises(ShardError, match="of the shard"):
            pool.run(fail, "of the shard")
        assert pool.run(double, 1) == 2


def test_a_killed_worker_is_transient_and_the_next_job_has_a_new_pool(tmp_path: Path) -> None:
    with WorkerPool(1) as pool:
        with pytest.raises(WorkerLostError, match="a worker process died during die") as error:
            pool.run(die, str(tmp_path / "died"))
        assert isinstance(error.value, TransientError)
        assert pool.run(die, str(tmp_path / "died")) != os.getpid()


def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    import multiprocessing

    parent = multiprocessing.get_context("spawn").Process(target=run_and_wait, args=(str(tmp_path / "pid"),))
    parent.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text("utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker = int((tmp_path / "pid").read_text("utf-8"))
    parent.kill()
    parent.join()
    while _alive(worker):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.05)


def _alive(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text("utf-8")
    except FileNotFoundError:
        return False
