"""The Prefect flow `curate`: one run of a recipe, a task a shard, no data through Prefect.

Tasks run in Prefect's thread runner and each hands its shard to one pool of plain processes; what is done is known from
the files alone, so Prefect's own result cache is off. Only transient errors are retried.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from threading import BoundedSemaphore, Event
from typing import Annotated, Any, TypeVar, cast

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext, get_run_context
from prefect.futures import PrefectFuture, wait
from prefect.states import Crashed
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from flows.blocks import load_block
from flows.pool import WorkerPool
from flows.progress import progress
from pipeline.curation import Curation
from pipeline.engine import peak_memory
from pipeline.publish.publishing import funnel
from pipeline.publish.version import complete
from pipeline.recipes import load_recipe
from pipeline.stages import carry_out
from pipeline.storage import Workspace, locked
from pipeline.stores.credentials import load_blocks_by
from schemas.errors import TransientError
from schemas.recipe import parse_size

J = TypeVar("J")
R = TypeVar("R")


def _transient(_task: Any, _run: Any, state: Any) -> bool:
    """Retry only what may go away by itself."""
    try:
        state.result()
    except TransientError:
        return True
    except BaseException:  # noqa: BLE001 - whatever else failed is not retried
        return False
    return False


# A run begins a second or two after it was asked for; a minute leaves room for a busy machine.
_BEGINS_WITHIN = timedelta(minutes=1)
# Threads only wait for workers; how many jobs are under way is bounded by `_all`.
_RUNNER: Any = ThreadPoolTaskRunner(max_workers=64)
_TASK: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [2, 10],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": _transient,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


def _call(call: Callable[[], R], label: str) -> R:  # noqa: ARG001 - the label is the task run's name
    return call()


@cache
def _task(name: str) -> Any:
    """A task that runs a call without arguments: Prefect would walk through and copy any other parameter."""
    return task(name=name, task_run_name=f"{name} {{label}}", **_TASK)(_call)


@flow(
    name="curate",
    description="Raw files of a recipe's sources in, a published version and its ledger out (从原始文件到发布版本)",
    flow_run_name="{recipe}",
    task_runner=_RUNNER,
    persist_result=False,
    validate_parameters=True,
)
def curate(
    recipe: Annotated[str, Field(min_length=1, title="Recipe / 配方", description="path of the recipe file")],
    workspace: Annotated[
        str | None,
        Field(title="Workspace / 工作区", description="folder of workspace/ and store/; default the recipe's"),
    ] = None,
    workers: Annotated[int, Field(ge=1, title="Workers / 进程数")] = 2,
    memory: Annotated[
        str,
        Field(
            title="Memory / 内存上限",
            description="ceiling of each process",
            pattern=r"^\d+(\.\d+)?\s*([KMGTkmgt]i?)?[Bb]?$",
        ),
    ] = "2GiB",
    sample: Annotated[
        float | None, Field(gt=0, lt=1, title="Sample / 抽样", description="share; not published")
    ] = None,
    limit: Annotated[int | None, Field(ge=1, title="Limit / 上限", description="documents; not published")] = None,
    refresh_passages: Annotated[
        bool, Field(title="Refresh passages / 重新统计重复行", description="count recurring lines anew")
    ] = False,
) -> dict[str, Any]:
    """Run a recipe and publish a version; finished work is kept, and a finished recipe does nothing.

    Returns a summary: dataset, version, run, read, published, removed by reason, paths of manifest and report.
    """
    started = time.perf_counter()
    path, root = Path(recipe), Path(workspace) if workspace else None
    dataset = load_recipe(path).dataset
    place = Workspace(root or path.resolve().parent)
    with locked(place.lock(dataset), f"dataset '{dataset}' in {place.root}"):
        _bury(recipe, workspace, _flow_run_id())
        place.sweep()
        complete(place.store(dataset))
        load_blocks_by(load_block)
        with progress().stage("hash inputs"):
            curation = Curation.open(
                path,
                root,
                sample=sample,
                limit=limit,
                memory=int(parse_size(memory)),
                threads=workers,
                refresh_passages=refresh_passages,
            )
        if curation.finished:
            get_run_logger().info("nothing to do: %s is up to date", dataset)
            return {"dataset": dataset, "nothing_to_do": True}
        with WorkerPool(workers) as pool:
            summary = carry_out(curation, _Tasks(pool), lambda run: _facts(run, started, workers))
    _artifacts(summary)
    return summary


def _bury(recipe: str, workspace: str | None, own: str | None) -> None:
    """Mark runs of this recipe that were killed as crashed: whoever holds the dataset's lock is the only one alive.

    A run that waits to begin may be another's that comes in a moment, and is left alone for `_BEGINS_WITHIN`.
    """
    states = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])
    with get_client(sync_client=True) as client:
        # By flow and parameters: a run gets its name only when it begins.
        for run in client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["curate"])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=states)),
        ):
            if str(run.id) == own or run.state is None:
                continue
            if (run.parameters.get("recipe"), run.parameters.get("workspace")) != (recipe, workspace):
                continue
            age = datetime.now(UTC) - run.state.timestamp
            if run.state.type is StateType.RUNNING or age > _BEGINS_WITHIN:
                client.set_flow_run_state(run.id, Crashed(message="the process was killed"), force=True)


def _facts(curation: Curation, started: float, workers: int) -> dict[str, Any]:
    return {
        "seconds": round(time.perf_counter() - started, 3),
        "workers": workers,
        "peak_memory_bytes": max(peak_memory(), curation.peak_memory()),
        "prefect_flow_run": _flow_run_id(),
    }


def _flow_run_id() -> str | None:
    context = get_run_context()
    return str(context.flow_run.id) if isinstance(context, FlowRunContext) and context.flow_run else None


class _Tasks:
    """Runs jobs as Prefect tasks, each in a worker of the pool."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool

    def each(self, stage: str, work: Callable[[J], R], jobs: Sequence[J], label: Callable[[J], str]) -> list[R]:
        """Submit one task a job, a few ahead of the workers; an error ends the stage."""
        ahead, failed = BoundedSemaphore(2 * self.pool.workers), Event()
        futures: list[PrefectFuture[R]] = []
        with progress().stage(stage, total=len(jobs)) as bar:

            def call(job: J) -> R:
                try:
                    return self.pool.run(work, job)
                except TransientError:
                    raise
                except BaseException:
                    failed.set()
                    raise

            def done(_: PrefectFuture[R]) -> None:
                ahead.release()
                bar.advance()

            for job in jobs:
                ahead.acquire()
                if failed.is_set():
                    break
                futures.append(_task(stage).submit(partial(call, job), label(job)))
                futures[-1].add_done_callback(done)
            wait(futures)
            return [future.result() for future in futures]

    def here(self, stage: str, work: Callable[[], R], label: str) -> R:
        """Run one task in this process."""
        with progress().stage(stage):
            return cast("R", _task(stage)(work, label))


def _artifacts(summary: dict[str, Any]) -> None:
    key = "".join(c if c.isalnum() else "-" for c in summary["dataset"].lower()).strip("-")
    create_table_artifact(
        key=f"funnel-{key}", table=funnel(summary), description=f"{summary['dataset']}: what was read, kept and removed"
    )
    lines = [f"**{summary['dataset']}** {summary['version'] or 'sample'}", ""]
    lines += [f"- {name}: `{summary[name]}`" for name in ("report", "manifest", "ledger") if summary.get(name)]
    create_markdown_artifact(key=f"report-{key}", markdown="\n".join(lines), description="where the report lies")
