"""The stages of a run in their order. Who calls it says how a job is run: by Prefect, by a pool, or right here."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from pipeline.curation import Curation
from pipeline.engine import find_pairs_of, is_done, measure_shard, read_shard, with_borders
from pipeline.passages.counting import count_lines
from pipeline.passages.freezing import freeze
from pipeline.publish.assembly import changes_nothing, manifest_of, version_of
from pipeline.publish.publishing import publish
from pipeline.publish.shards import write_shard

J = TypeVar("J")
R = TypeVar("R")


class Runner(Protocol):
    """How the jobs of a stage are run."""

    def each(self, stage: str, work: Callable[[J], R], jobs: Sequence[J], label: Callable[[J], str]) -> list[R]:
        """Run `work(job)` for every job, in any process, and return the results in order."""
        ...

    def here(self, stage: str, work: Callable[[], R], label: str) -> R:
        """Run `work()` in this process and return its result."""
        ...


class Plainly:
    """Runs one job after the other, in this process."""

    def each(self, stage: str, work: Callable[[J], R], jobs: Sequence[J], label: Callable[[J], str]) -> list[R]:  # noqa: ARG002
        """Run the jobs in turn."""
        return [work(job) for job in jobs]

    def here(self, stage: str, work: Callable[[], R], label: str) -> R:  # noqa: ARG002
        """Run the work."""
        return work()


def carry_out(curation: Curation, runner: Runner, facts: Callable[[Curation], dict[str, Any]]) -> dict[str, Any]:
    """Take a run from its input files to its end and return its summary; finished work is found and kept.

    `facts` are asked for just before publishing: seconds, workers, peak_memory_bytes, prefect_flow_run.
    """
    curation.snapshot.save(curation.workspace)
    _read(curation, runner)
    if curation.plan.uncounted:
        runner.each("count passages", count_lines, curation.count_jobs(), lambda job: job.folder.name[:8])
        unfrozen = [job for job in curation.freeze_jobs() if not is_done(job.folder)]
        runner.each("freeze passages", freeze, unfrozen, lambda job: job.source)
        curation = curation.frozen()
    _measure(curation, runner)
    if (settled := curation.settled()) is not curation:
        curation = settled
        _read(curation, runner)
        _measure(curation, runner)
    if curation.wants_pairs:
        runner.each("find near-duplicates", find_pairs_of, [curation.pairs_job], lambda job: job.folder.name[:8])
    decided = runner.here("decide", curation.decide, curation.run[:8])
    manifest = None
    if not curation.sampled and not changes_nothing(curation, decided):
        version, _ = version_of(curation, decided)
        jobs = curation.shard_jobs(decided, version)
        written = runner.each("write shards", write_shard, jobs, lambda job: f"{job.source.id} {job.split} {job.chunk}")
        manifest = manifest_of(curation, decided, written)
    return runner.here("publish", partial(publish, curation, decided, manifest, facts(curation)), curation.run[:8])


def _read(curation: Curation, runner: Runner) -> None:
    runner.each("read", read_shard, with_borders(curation.read_jobs()), lambda job: job.files[0].uri)


def _measure(curation: Curation, runner: Runner) -> None:
    runner.each("measure", measure_shard, curation.measure_jobs(), lambda job: job.folder.name[:8])
