"""The final decision on every document: rules, repeated ids, what is published already, duplicates; and the ledger.

Runs in two passes over small columns. The first gathers, for all documents together, what survivors depend on (49
bytes a document: id, content, priority, rule); the second writes each shard's decisions and ledger. Nothing is measured
here, so a changed threshold costs seconds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.plan import Plan
from pipeline.select import evidence, select
from pipeline.storage import read_columns, write_parquet
from schemas.decision import DUPLICATE_EXACT, DUPLICATE_NEAR, LEDGER, Decision, Stage
from schemas.errors import ContractError

Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
TRAIN = "train"
ID_REPEATED = "id.repeated"

# Co-partitioned with a measured shard. `chunk` is the published shard within (batch, source, split) that takes the row,
# -1 where it is dropped or published already.
DECISIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("decision", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("chunk", pa.int64(), nullable=False),
        pa.field("first_version", pa.string()),
    ]
)


@dataclass(frozen=True)
class Earlier:
    """What a previous version published: one row a document, in the order of its shards."""

    ids: Words  # uint64, (rows, 2)
    content: Words  # uint64, (rows, 2): the first 16 bytes of the content hash
    first_version: list[str]
    shard: Rows  # which of the version's shards holds the row
    gone: npt.NDArray[np.bool_]  # its file has gone and the recipe retracts such documents

    @classmethod
    def nothing(cls) -> "Earlier":
        """No previous version."""
        empty = np.empty((0, 2), np.uint64)
        return cls(empty, empty, [], np.empty(0, np.int64), np.empty(0, np.bool_))


@dataclass
class Decided:
    """Totals of a run's decisions, and where published documents go."""

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    removed: dict[str, Counter[str]] = field(default_factory=dict)
    chunks: dict[tuple[int, str, str, int], list[int]] = field(default_factory=dict)
    """(batch, source, split, chunk) -> numbers of the parts that hold its rows"""
    replaced: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """earlier rows that must leave: changed or gone"""
    changed: int = 0

    def reconcile(self, read: Counter[str]) -> None:
        """Check `read = published + removed` for every source. Raises ContractError with the counts."""
        for source in sorted(set(read) | set(self.read)):
            accounted = self.kept[source] + self.removed.get(source, Counter()).total()
            if read[source] != accounted or read[source] != self.read[source]:
                raise ContractError(
                    f"source '{source}': {read[source]} documents were read but {accounted} are accounted for; "
                    "this is a fault in yuliao, nothing was published"
                )


@dataclass(frozen=True)
class Part:
    """One measured shard as the decision sees it."""

    number: int
    batch: int
    source: str
    folder: Path
    decisions: Path
    ledger: Path


def words16(column: pa.ChunkedArray) -> Words:
    """Return the first 16 bytes of hex strings as big-endian words, uint64, (rows, 2)."""
    heads = pa.compute.utf8_slice_codeunits(column, 0, 32).combine_chunks()
    raw = bytes.fromhex("".join(heads.to_pylist()))
    return np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)


def hex_of(words: Words) -> list[str]:
    """Return ids as the hex strings they came from."""
    raw = words.astype(">u8").tobytes().hex()
    return [raw[i : i + 32] for i in range(0, len(raw), 32)]


def number_equal(words: Words) -> Rows:
    """Return an int64 number a row, equal exactly where both words are equal."""
    order = np.lexsort((words[:, 1], words[:, 0]))
    ordered = words[order]
    fresh = np.ones(len(words), np.int64)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    numbers = np.empty(len(words), np.int64)
    numbers[order] = np.cumsum(fresh) - 1
    return numbers


def split_of(words: Words, splits: dict[str, float]) -> npt.NDArray[np.object_]:
    """Return the split of each id: named shares of the range of its last 8 bytes, the rest is `train`.

    Depends on the id alone, so a document stays in its split for ever and in any order of runs.
    """
    position = words[:, 1].astype(np.float64) / 2.0**64
    result = np.full(len(words), TRAIN, object)
    low = 0.0
    for name, share in splits.items():
        result[(position >= low) & (position < low + share)] = name
        low += share
    return result


class Deciding:
    """Gathers what decisions depend on, finds survivors, and writes decisions and ledger part by part."""

    def __init__(self, plan: Plan, parts: Sequence[Part], earlier: Earlier, *, append: bool) -> None:
        """`append`: earlier documents stay and come first in the row numbers of groups and pairs."""
        self.plan, self.parts, self.earlier, self.append = plan, parts, earlier, append
        self.offset = len(earlier.ids) if append else 0
        self.decided = Decided()
        self._gather()
        self._match_earlier()

    def _table(self, part: Part) -> pa.Table:
        """Document facts and the signals that rules and priorities test."""
        wanted = {check.rule.column for check in self.plan.checks} | set(self.plan.recipe.dedup.keep)
        facts = ["id", "source", "uri", "record", "content_hash", "text_bytes"]
        read = [n for n in wanted if n not in facts and n in ("title", "url", "original_time", "last_modified_time")]
        table = read_columns(part.folder / "documents.parquet", facts + read)
        signals = [name for name in self.plan.signal_columns if name in wanted]
        measured = read_columns(part.folder / "signals.parquet", ["id", *signals])
        if not measured.column("id").equals(table.column("id")):
            raise ContractError(f"{part.folder}: documents and signals are not row for row alike; remove the folder")
        for name in signals:
            table = table.append_column(name, measured.column(name))
        return table

    def _gather(self) -> None:
        ids, content, failed, keys = [], [], [], []  # one block a part
        names = [key for key in self.plan.recipe.dedup.keep if key != "id"]
        for part in self.parts:
            table = self._table(part)
            ids.append(words16(table.column("id")))
            content.append(words16(table.column("content_hash")))
            failed.append(select(table, self.plan.checks).failed)
            keys.append([self._priority(table, part, name) for name in names])
            self.decided.read[part.source] += table.num_rows
        self.rows = np.array([len(block) for block in ids], np.int64)
        self.ids = np.concatenate([np.empty((0, 2), np.uint64), *ids])
        self.content = np.concatenate([np.empty((0, 2), np.uint64), *content])
        self.failed = np.concatenate([np.empty(0, np.int32), *failed])
        empty = np.empty(0, np.float64)
        self.keys = {name: np.concatenate([empty, *(block[i] for block in keys)]) for i, name in enumerate(names)}
        self.repeated = _later_copies(self.ids)

    def _priority(self, table: pa.Table, part: Part, name: str) -> npt.NDArray[np.float64]:
        """A key to sort ascending by: the rank of the source, or a signal from its greatest value down."""
        if name == "rank":
            return np.full(table.num_rows, float(self.plan.source(part.source).rank))
        values = table.column(name).cast(pa.float64()).to_numpy()
        return np.where(np.isnan(values), np.inf, -values)

    def _match_earlier(self) -> None:
        """For each document the earlier row with its id (-1: none), and whether the content is the same."""
        earlier = self.earlier
        self.match = np.full(len(self.ids), -1, np.int64)
        if len(earlier.ids):
            both = number_equal(np.concatenate([earlier.ids, self.ids]))
            row_of = np.full(int(both.max()) + 1, -1, np.int64)
            row_of[both[: len(earlier.ids)]] = np.arange(len(earlier.ids))
            self.match = row_of[both[len(earlier.ids) :]]
        self.match[self.repeated] = -1
        same = np.zeros(len(self.ids), bool)
        found = self.match >= 0
        same[found] = (earlier.content[self.match[found]] == self.content[found]).all(axis=1)
        self.same = same
        self.decided.replaced = earlier.gone.copy()
        if self.append:
            self.decided.replaced[self.match[found & ~same]] = True
            self.decided.replaced[self.match[found & same]] = False

    def decide(self, groups: Rows | None, pairs: pa.Table | None) -> Decided:
        """Find survivors and write every part's decisions and ledger.

        `groups` and `pairs` as `pipeline.dedup.pairs.find_pairs` gives them, over earlier rows (when appending) and
        then the parts; None where the recipe wants no near-duplicates removed.
        """
        survivor, kind, jaccard = self._survivors(groups, pairs)
        start = 0
        offsets: dict[tuple[int, str, str], int] = {}
        for part, rows in zip(self.parts, self.rows, strict=True):
            rows_here = slice(start, start + int(rows))
            self._write(part, rows_here, survivor[rows_here], kind[rows_here], jaccard[rows_here], offsets)
            start += int(rows)
        self._count_changes(kind)
        return self.decided

    def _survivors(
        self, groups: Rows | None, pairs: pa.Table | None
    ) -> tuple[Rows, npt.NDArray[np.int8], npt.NDArray[np.float64]]:
        from pipeline.dedup.survivors import survivors

        dedup, earlier = self.plan.recipe.dedup, self.earlier
        fresh = (self.failed < 0) & ~self.repeated
        if self.append:
            fresh &= ~self.same
        selected = np.concatenate([~self.decided.replaced, fresh]) if self.append else fresh
        content = np.concatenate([earlier.content, self.content]) if self.append else self.content
        rows = len(selected)
        if groups is None or pairs is None:
            groups = np.full(rows, -1, np.int64)
            pairs = pa.table(
                {
                    "left": pa.array([], pa.int64()),
                    "right": pa.array([], pa.int64()),
                    "jaccard": pa.array([], pa.float64()),
                }
            )
        survivor, kind, jaccard = survivors(
            self._order(),
            selected,
            number_equal(content),
            groups,
            pairs,
            exact=dedup.exact,
            near=dedup.near,
            published=self.offset,
        )
        return survivor[self.offset :], kind[self.offset :], jaccard[self.offset :]

    def _order(self) -> Rows:
        """Row numbers in priority order: published first and oldest first, then the recipe's keys."""
        ages = {version: age for age, version in enumerate(_by_age(self.earlier.first_version))}
        age = np.full(len(self.ids), len(ages), np.int64)
        found = self.same
        age[found] = [ages[self.earlier.first_version[row]] for row in self.match[found]]
        keys: list[Any] = []
        for name in reversed(self.plan.recipe.dedup.keep):
            keys += [self.ids[:, 1], self.ids[:, 0]] if name == "id" else [self.keys[name]]
        if "id" not in self.plan.recipe.dedup.keep:
            keys = [self.ids[:, 1], self.ids[:, 0], *keys]
        order = np.lexsort((*keys, age)).astype(np.int64)
        return np.concatenate([np.arange(self.offset, dtype=np.int64), order + self.offset])

    def _write(
        self,
        part: Part,
        here: slice,
        survivor: Rows,
        kind: npt.NDArray[np.int8],
        jaccard: npt.NDArray[np.float64],
        offsets: dict[tuple[int, str, str], int],
    ) -> None:
        """Write one part's ledger and decisions, and add it to the totals."""
        table = self._table(part)
        repeated, failed = self.repeated[here], self.failed[here]
        duplicate = kind > 0
        kept = ~repeated & (failed < 0) & ~duplicate
        if self.append:
            kept |= self.same[here]
        selection = select(table, self.plan.checks)
        reason, value, threshold, detail = (_objects(a) for a in evidence(table, selection))
        reason[duplicate] = np.where(kind[duplicate] == 1, DUPLICATE_EXACT, DUPLICATE_NEAR)
        near = kind == 2
        value[near], threshold[near] = jaccard[near], self.plan.recipe.dedup.threshold
        reason[repeated], value[repeated], threshold[repeated] = ID_REPEATED, None, None
        for column in (reason, value, threshold, detail):
            column[kept] = None
        unchanged = self.same[here] & kept & self.append
        detail[unchanged] = "unchanged since an earlier version"
        stage = np.where(repeated | (failed >= 0), Stage.SELECT.value, Stage.KEPT.value).astype(object)
        stage[duplicate] = np.where(kind[duplicate] == 1, Stage.EXACT.value, Stage.NEAR.value)
        stage[kept] = Stage.KEPT.value
        decision = np.where(kept, Decision.KEEP.value, Decision.DROP.value)
        ledger = pa.table(
            {
                **{name: table.column(name) for name in ("id", "source", "uri", "record")},
                "decision": decision,
                "stage": pa.array(stage, pa.string()),
                "rule": pa.array(reason, pa.string()),
                "value": pa.array(value, pa.float64()),
                "threshold": pa.array(threshold, pa.float64()),
                "detail": pa.array(detail, pa.string()),
                "survivor_id": pa.array(self._ids_at(survivor, duplicate), pa.string()),
                "jaccard": pa.array(jaccard, mask=~duplicate),
                "content_hash": table.column("content_hash"),
            }
        )
        write_parquet(part.ledger, LEDGER, [ledger.select(LEDGER.names)])
        split = split_of(self.ids[here], self.plan.recipe.publish.splits)
        chunk = self._chunks(part, kept & ~unchanged, split, table.column("text_bytes").to_numpy(), offsets)
        first = self._first_versions(here)
        decisions = pa.table(
            {
                "id": table.column("id"),
                "decision": decision,
                "reason": pa.array(np.where(kept, "", reason), pa.string()),
                "split": pa.array(split, pa.string()),
                "chunk": chunk,
                "first_version": pa.array(first, pa.string()),
            }
        )
        write_parquet(part.decisions, DECISIONS, [decisions])
        self.decided.kept[part.source] += int(kept.sum())
        self.decided.unchanged[part.source] += int(unchanged.sum())
        self.decided.removed.setdefault(part.source, Counter()).update(reason[~kept].tolist())

    def _ids_at(self, survivor: Rows, duplicate: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
        """The ids of survivors, None where there is none."""
        ids = np.full(len(survivor), None, object)
        rows = survivor[duplicate]
        words = np.empty((len(rows), 2), np.uint64)
        old = rows < self.offset
        words[old] = self.earlier.ids[rows[old]]
        words[~old] = self.ids[rows[~old] - self.offset]
        ids[duplicate] = hex_of(words)
        return ids

    def _first_versions(self, here: slice) -> npt.NDArray[np.object_]:
        """The version that first held the document with this text, None where it is the one being made."""
        match, same = self.match[here], self.same[here]
        first = np.full(len(match), None, object)
        first[same] = [self.earlier.first_version[row] for row in match[same]]
        return first

    def _chunks(
        self,
        part: Part,
        published: npt.NDArray[np.bool_],
        split: npt.NDArray[np.object_],
        text_bytes: Rows,
        offsets: dict[tuple[int, str, str], int],
    ) -> Rows:
        """Cut the published rows into shards of `shard_bytes` of text, within batch, source and split."""
        chunk = np.full(len(split), -1, np.int64)
        for name in sorted(set(split[published])):
            rows = np.flatnonzero(published & (split == name))
            key = (part.batch, part.source, str(name))
            ends = np.cumsum(text_bytes[rows]) + offsets.get(key, 0)
            chunk[rows] = (ends - text_bytes[rows]) // self.plan.recipe.publish.shard_bytes
            offsets[key] = int(ends[-1])
            for number in sorted(set(chunk[rows].tolist())):
                self.decided.chunks.setdefault((*key, number), []).append(part.number)
        return chunk

    def _count_changes(self, kind: npt.NDArray[np.int8]) -> None:
        """Earlier documents that leave without coming back are removed; those that come back otherwise are changed."""
        kept = ~self.repeated & (self.failed < 0) & (kind == 0)
        back = self.match[kept & ~self.same & (self.match >= 0)]
        self.decided.changed = len(back)
        if not self.append:
            stays = np.zeros(len(self.earlier.ids), bool)
            stays[self.match[kept & self.same]] = True
            self.decided.replaced = ~stays


def _by_age(versions: list[str]) -> list[str]:
    return sorted(set(versions), key=lambda version: [int(part) for part in version.split(".")])


def _objects(array: pa.Array) -> npt.NDArray[np.object_]:
    result = np.empty(len(array), object)
    result[:] = array.to_pylist()
    return result


def _later_copies(ids: Words) -> npt.NDArray[np.bool_]:
    """Rows whose id an earlier row of the run has."""
    order = np.lexsort((ids[:, 1], ids[:, 0]))  # stable: equal ids keep row order
    ordered = ids[order]
    later = np.zeros(len(ids), bool)
    later[order[1:]] = (ordered[1:] == ordered[:-1]).all(axis=1)
    return later
