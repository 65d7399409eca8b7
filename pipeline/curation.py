"""One run of a recipe, stage by stage: what has to be done, with what, and what came out.

It decides nothing about when or where: `flows` asks for the jobs of a stage, runs them wherever it likes, and calls the
next stage. Every stage can be asked again after a kill and gives only the jobs that are not done.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.decide import Decided, Deciding, Earlier, Part
from pipeline.engine import MeasureJob, PairsJob, ReadJob, Shard, is_done, plan_shards, report_of, smallest_ids
from pipeline.parts import joined
from pipeline.passages.counting import LINES_REVISION, CountJob
from pipeline.passages.freezing import FREEZE_REVISION, FreezeJob, protected
from pipeline.passages.table import counting, tables_of
from pipeline.plan import Plan
from pipeline.publish.shards import ShardJob, published_schema
from pipeline.publish.version import Version, load_earlier, open_version
from pipeline.snapshot import CHANGES, Snapshot, is_as_it_was, take
from pipeline.storage import Workspace, digest, read_columns, read_json, write_json, write_parquet
from schemas import manifest as manifests
from schemas.decision import FILES, QUARANTINE
from schemas.errors import ContractError, SourceError


@dataclass
class Curation:
    """A run: its plan, inputs, what was published before, and the shards it works on."""

    plan: Plan
    workspace: Workspace
    snapshot: Snapshot
    previous: Version | None
    append: bool
    sample: float | None
    limit: int | None
    memory: int
    threads: int
    earlier_snapshot: Snapshot | None
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def open(
        cls,
        recipe: Path,
        root: Path | None = None,
        *,
        sample: float | None = None,
        limit: int | None = None,
        memory: int = 2 << 30,
        threads: int = 2,
        place: Workspace | None = None,
        refresh_passages: bool = False,
        rehash: bool = False,
    ) -> "Curation":
        """Check a recipe, list its inputs and find what was published before.

        `root` holds `workspace/` and `store/`, by default the recipe's folder; `place` is given instead where it is
        a special one. `memory` is the ceiling of a process in bytes. `refresh_passages`: count the passages of every
        source anew, also where the previous version froze them. `rehash`: trust no size
        and time. Raises RecipeError or SourceError before anything
        is written but the cache of file hashes.
        """
        base = recipe.resolve().parent
        plan = Plan.load(recipe)
        workspace = place or Workspace(root or base)
        previous = open_version(workspace.store(plan.recipe.dataset))
        earlier = _earlier_snapshot(workspace, previous, {source.id for source in plan.recipe.sources})
        if previous is not None and not refresh_passages:
            plan = plan.frozen(tables_of(previous, plan.recipe))
        emptied = {file.source for file in earlier.files} if earlier else set()
        snapshot = take(plan.recipe.sources, base, workspace, emptied, rehash=rehash).following(earlier)
        opened = cls(plan, workspace, snapshot, previous, False, sample, limit, memory, threads, earlier)
        # What an earlier run over the same files froze is known before anything is read.
        return opened.frozen() if all(is_done(job.folder) for job in opened.freeze_jobs()) else opened

    def frozen(self) -> "Curation":
        """This run with the passages that were counted for it; ask when every job of counting is done."""
        tables = [job.table(self.plan.source(job.source).license) for job in self.freeze_jobs()]
        settled = replace(self, plan=self.plan.frozen([*self.plan.tables, *tables]))
        return replace(settled, append=settled._can_append())

    def _can_append(self) -> bool:
        """Whether this run only adds a batch to the previous version."""
        previous, earlier = self.previous, self.earlier_snapshot
        if self.sampled or previous is None or earlier is None:
            return False
        went, came_back = self.snapshot.compare(earlier)
        same = previous.manifest.fingerprint == self.plan.fingerprint
        return same and not came_back and not (went and self.plan.recipe.on_gone == "retract")

    def settled(self) -> "Curation":
        """This run, or the same one as a build where a new batch changes a published document.

        What a changed document displaced as a duplicate must be decided anew, and only a build does that: it reads and
        measures nothing twice. Ask when everything is measured, and then for the jobs of the answer.
        """
        if not self.append or not Deciding(self.plan, self.parts, self.earlier, append=True).replaces:
            return self
        return replace(self, append=False)

    @cached_property
    def changes(self) -> pa.Table:
        """The input files that are not what the previous version was made from, as `pipeline.snapshot.CHANGES`."""
        return self.snapshot.changes(self.earlier_snapshot)

    @property
    def sampled(self) -> bool:
        """Whether only a sample is measured; a sample is never published."""
        return self.sample is not None or self.limit is not None

    @property
    def mode(self) -> str:
        """Whether a version is built from everything, or a batch is appended to the previous one."""
        return "append" if self.append else "build"

    @cached_property
    def run(self) -> str:
        """SHA-256 of everything the result depends on."""
        previous = self.previous.sha256 if self.previous else None
        return digest("run", self.plan.fingerprint, self.snapshot.sha256, previous, self.sample, self.limit)

    @cached_property
    def folder(self) -> Path:
        """Where the run's decisions, ledger and report lie."""
        return self.workspace.run(self.run)

    @property
    def finished(self) -> bool:
        """Whether there is nothing to do: the same recipe over the same files is published, or was sampled."""
        done = self.folder / "run.json"
        if done.exists() and read_json(done)["mode"] in ("sample", "unchanged"):
            return True
        if self.sampled:
            return False
        if self.previous is None or self.previous.manifest.fingerprint != self.plan.fingerprint:
            return False
        published = {source.id: source.snapshot for source in self.previous.manifest.sources}
        same = all(self.snapshot.of_source(id).sha256 == sha256 for id, sha256 in published.items())
        return same and self.previous.manifest.recipe == self.plan.public_recipe()

    @cached_property
    def shards(self) -> list[Shard]:
        """The shards of this run: those of the new batch when appending, else of every batch."""
        numbers = set(self.snapshot.batches)
        if self.append and self.earlier_snapshot is not None:
            numbers -= set(self.earlier_snapshot.batches)
        shards = plan_shards(self.plan, self.snapshot, numbers)
        return [found for shard in shards if (found := self._readable(shard)) is not None]

    def _readable(self, shard: Shard) -> Shard | None:
        """The shard, without files that are gone and of which the workspace holds nothing; None when none is left.

        Raises SourceError where the recipe wants the documents of such a file kept.
        """
        if is_done(self.read_folder(shard)):
            return shard
        source = self.plan.source(shard.source)
        lost = {file for file in shard.files if file.gone and not is_as_it_was(file, source)}
        if lost and self.plan.recipe.on_gone == "keep":
            raise SourceError(
                f"{min(file.path for file in lost)}: is gone or changed, and what was read from it is no longer in the "
                "workspace, so its documents cannot be kept; bring the file back, or set `on_gone: retract`"
            )
        files = tuple(file for file in shard.files if file not in lost)
        if len(files) == len(shard.files):
            return shard
        keys = [
            digest(key, "without", sorted(file.uri for file in lost)) for key in (shard.read_key, shard.measure_key)
        ]
        return replace(shard, files=files, read_key=keys[0], measure_key=keys[1]) if files else None

    def read_folder(self, shard: Shard) -> Path:
        """Where a shard's documents lie as read."""
        return self.workspace.reading(shard.read_key)

    def measure_folder(self, shard: Shard) -> Path:
        """Where a shard's cleaned documents, signals and signatures lie."""
        key = digest(shard.measure_key, self.max_id) if self.sampled else shard.measure_key
        return self.workspace.measured(key)

    @cached_property
    def max_id(self) -> str | None:
        """The largest id that belongs to the sample; known for a limit only when everything was read."""
        if self.sample is not None:
            return f"{int(self.sample * 2**128):032x}"
        return smallest_ids([self.read_folder(s) for s in self.shards], self.limit) if self.limit is not None else None

    def read_jobs(self) -> list[ReadJob]:
        """The shards that are still to be read."""
        jobs = [
            ReadJob(self.read_folder(s), self.plan.source(s.source), s.files, self.plan.recipe.limits, self.memory)
            for s in self.shards
        ]
        return [job for job in jobs if not is_done(job.folder)]

    def measure_jobs(self) -> list[MeasureJob]:
        """The shards that are still to be cleaned, measured and signed; ask when everything is read."""
        dedup = self.plan.recipe.dedup
        jobs = [
            MeasureJob(self.measure_folder(s), self.read_folder(s), self.plan.steps, dedup, self.max_id, self.memory)
            for s in self.shards
        ]
        return [job for job in jobs if not is_done(job.folder)]

    def count_jobs(self) -> list[CountJob]:
        """The shards whose lines are still to be counted; ask when everything is read."""
        jobs = [CountJob(self._lines_folder(s), self.read_folder(s), self.memory) for s in self._uncounted]
        return [job for job in jobs if not is_done(job.folder)]

    def freeze_jobs(self) -> list[FreezeJob]:
        """The sources whose passages the plan does not know yet; run those that are not done when all is counted."""
        passages = self.plan.recipe.passages
        jobs = []
        for source in self.plan.uncounted:
            assert passages is not None
            shards = [shard for shard in self._uncounted if shard.source == source]
            lines = tuple(self._lines_folder(shard) for shard in shards)
            key = digest("passages", FREEZE_REVISION, protected().hash, [f.name for f in lines], counting(passages))
            read = tuple(self.read_folder(shard) for shard in shards)
            jobs.append(FreezeJob(self.workspace.passages(key), source, lines, read, passages, self.memory))
        return jobs

    @property
    def _uncounted(self) -> list[Shard]:
        return [shard for shard in self.shards if shard.source in self.plan.uncounted]

    def _lines_folder(self, shard: Shard) -> Path:
        return self.workspace.lines(digest("lines", LINES_REVISION, shard.read_key))

    @cached_property
    def pairs_job(self) -> PairsJob:
        """What near-duplicates are looked for in: published shards when appending, then this run's."""
        from pipeline.dedup.pairs import PAIRS_REVISION

        published = self.previous if self.append else None
        folders = [self.measure_folder(shard) for shard in self.shards]
        ranks = tuple(self.plan.source(shard.source).rank for shard in self.shards)
        dedup = self.plan.recipe.dedup
        key = digest(
            "pairs",
            PAIRS_REVISION,
            [shard.sha256 for shard in published.shards] if published else [],
            [folder.name for folder in folders],
            ranks,
            dedup.model_dump(exclude={"exact", "near"}),
        )
        return PairsJob(self.workspace.pairs(key), tuple(folders), ranks, published, dedup, self.threads, self.memory)

    @property
    def wants_pairs(self) -> bool:
        """Whether near-duplicates are still to be found."""
        return self.plan.recipe.dedup.near and not is_done(self.pairs_job.folder)

    def decide(self) -> Decided:
        """Decide on every document, write decisions and ledger, and check that the counts reconcile."""
        groups, pairs = None, None
        if self.plan.recipe.dedup.near:
            groups = read_columns(self.pairs_job.folder / "groups.parquet").column(0).to_numpy()
            pairs = read_columns(self.pairs_job.folder / "pairs.parquet")
        decided = Deciding(self.plan, self.parts, self.earlier, append=self.append).decide(groups, pairs)
        decided.reconcile(Counter(decided.read) if self.sampled else self.read_counts)
        self._gather_files()
        return decided

    @cached_property
    def parts(self) -> list[Part]:
        """The measured shards with where their decisions go."""
        return [
            Part(
                s.number,
                s.batch,
                s.source,
                self.measure_folder(s),
                self.folder / "decisions" / f"part-{s.number:05d}.parquet",
                self.folder / "ledger" / f"part-{s.number:05d}.parquet",
                frozenset(file.uri for file in s.files if file.gone),
            )
            for s in self.shards
        ]

    @cached_property
    def earlier(self) -> Earlier:
        """What the previous version published."""
        return load_earlier(self.previous) if self.previous else Earlier.nothing()

    @cached_property
    def read_counts(self) -> Counter[str]:
        """Documents read, by source, as the readers counted them."""
        counts: Counter[str] = Counter()
        for shard in self.shards:
            counts[shard.source] += int(report_of(self.read_folder(shard))["rows"])
        return counts

    @cached_property
    def outcomes(self) -> dict[str, Counter[str]]:
        """Input files of this run by source and outcome."""
        found: dict[str, Counter[str]] = {}
        for source, outcome in zip(*self._files.select(["source", "outcome"]).to_pydict().values(), strict=True):
            found.setdefault(source, Counter())[outcome] += 1
        return found

    @cached_property
    def _files(self) -> pa.Table:
        """What became of each input file. Raises ContractError when a file is missing."""
        tables = [FILES.empty_table()]
        for shard in self.shards:
            tables.append(read_columns(self.read_folder(shard) / "files.parquet"))
            found = tables[-1].num_rows
            if found != len(shard.files):
                raise ContractError(f"{self.read_folder(shard)}: {len(shard.files)} files but {found} outcomes")
        return joined(pa.concat_tables(tables))

    def peak_memory(self) -> int:
        """The most resident memory any worker had on this run's shards, bytes."""
        folders = [folder(shard) for shard in self.shards for folder in (self.read_folder, self.measure_folder)]
        return max((int(report_of(folder)["peak_memory_bytes"]) for folder in folders), default=0)

    def _gather_files(self) -> None:
        write_parquet(self.folder / "changes.parquet", CHANGES, [self.changes])
        write_parquet(self.folder / "files.parquet", FILES, [self._files])
        bad = [read_columns(self.read_folder(shard) / "quarantine.parquet") for shard in self.shards]
        write_parquet(self.folder / "quarantine.parquet", QUARANTINE, bad)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the version."""
        return published_schema({name: self.plan.signal_columns[name] for name in self.plan.recipe.publish.columns})

    def _metadata(self) -> dict[str, str]:
        from pipeline.dedup.signature import parameters

        return {
            "yuliao.dataset": self.plan.recipe.dataset,
            "yuliao.schema": digest([(f.name, str(f.type)) for f in self.schema]),
            "yuliao.fingerprint": self.plan.fingerprint,
            # A stray file of signatures says by itself what it can be compared with.
            "yuliao.signatures": json.dumps(parameters(self.plan.recipe.dedup), sort_keys=True),
        }

    def shard_jobs(self, decided: Decided, version: str) -> list[ShardJob]:
        """The shards to publish, in order of (batch, source, split, chunk)."""
        publish, parts = self.plan.recipe.publish, {part.number: part for part in self.parts}
        return [
            ShardJob(
                tuple((parts[n].folder, parts[n].decisions) for n in decided.chunks[key]),
                self.plan.source(key[1]),
                key[2],
                key[3],
                version,
                tuple(publish.columns),
                self.schema,
                self._metadata(),
                self.plan.recipe.dedup.permutations,
                publish.row_group_bytes,
                self.workspace.store(self.plan.recipe.dataset),
                self.folder / "published" / f"{key[0]}-{key[1]}-{key[2]}-{key[3]}.json",
                self.memory,
            )
            for key in sorted(decided.chunks)
        ]

    def finish(self, manifest: manifests.Manifest | None, decided: Decided, facts: dict[str, Any]) -> None:
        """Note that the run is done: its summary, last of all its files."""
        summary = {
            "dataset": self.plan.recipe.dataset,
            "run": self.run,
            "version": manifest.version if manifest else None,
            "mode": self.mode if manifest else "sample" if self.sampled else "unchanged",
            "parts": [part.folder.name for part in self.parts],
            "texts": [self.read_folder(shard).name for shard in self.shards],
            "pairs": self.pairs_job.folder.name if self.plan.recipe.dedup.near else None,
            "recipe": self.plan.public_recipe(),
            "read": decided.read.total(),
            "published": decided.kept.total(),
            "removed": {source: dict(sorted(c.items())) for source, c in sorted(decided.removed.items())},
            "fingerprint": self.plan.fingerprint,
            **facts,
        }
        write_json(self.folder / "run.json", summary)


def _earlier_snapshot(workspace: Workspace, previous: Version | None, sources: set[str]) -> Snapshot | None:
    """What the previous version read, of the sources that the recipe still has."""
    if previous is None:
        return None
    return Snapshot.load(workspace, [s.snapshot for s in previous.manifest.sources if s.id in sources])
