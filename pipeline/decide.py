"""The final decision on every document: rules, repeated ids, what is published already, duplicates; and the ledger.

Runs in two passes over small columns. The first gathers, for all documents together, what survivors depend on (id,
content, priority, rule: numbers, no texts); the second writes each shard's decisions and ledger. Nothing is measured
here, so a changed threshold costs seconds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.keys import Rows, Words, by_priority, greatest_first, hex_of, number_equal, split_of, words16
from pipeline.plan import Plan
from pipeline.select import TOLD_BY, evidence, select
from pipeline.storage import read_columns, write_parquet
from schemas.decision import DUPLICATE_EXACT, DUPLICATE_NEAR, LEDGER, Decision, Stage
from schemas.errors import ContractError

ID_REPEATED = "id.repeated"
SUPERSEDED = "record.superseded"
GONE = "source.gone"

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
    split: npt.NDArray[np.object_]

    @classmethod
    def nothing(cls) -> "Earlier":
        """No previous version."""
        empty = np.empty((0, 2), np.uint64)
        return cls(empty, empty, [], np.empty(0, object))


@dataclass
class Decided:
    """Totals of a run's decisions, and where published documents go."""

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    removed: dict[str, Counter[str]] = field(default_factory=dict)
    chunks: dict[tuple[int, str, str, int], list[int]] = field(default_factory=dict)
    """(batch, source, split, chunk) -> numbers of the parts that hold its rows"""
    added: int = 0
    removed_earlier: int = 0
    changed: int = 0
    moved: int = 0
    """documents that stay as they are, but in another split"""

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
    gone: frozenset[str]
    """uris of its files that are there no more, or hold something else now"""


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
        tested = {check.rule.column for check in self.plan.checks}
        wanted = tested | {TOLD_BY[name] for name in tested & TOLD_BY.keys()} | set(self.plan.recipe.dedup.keep)
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
        ids, content, failed, gone, keys = [], [], [], [], []  # one block a part
        names = [key for key in self.plan.recipe.dedup.keep if key != "id"]
        for part in self.parts:
            table = self._table(part)
            ids.append(words16(table.column("id")))
            content.append(words16(table.column("content_hash")))
            failed.append(select(table, self.plan.checks).failed)
            gone.append(np.isin(_objects(table.column("uri")), list(part.gone)))
            keys.append([self._priority(table, part, name) for name in names])
            self.decided.read[part.source] += table.num_rows
        self.rows = np.array([len(block) for block in ids], np.int64)
        self.ids = np.concatenate([np.empty((0, 2), np.uint64), *ids])
        self.content = np.concatenate([np.empty((0, 2), np.uint64), *content])
        self.failed = np.concatenate([np.empty(0, np.int32), *failed])
        self.gone = np.concatenate([np.empty(0, np.bool_), *gone])
        self.batch = np.repeat(np.array([part.batch for part in self.parts], np.int64), self.rows)
        empty = np.empty(0, np.float64)
        self.keys = {name: np.concatenate([empty, *(block[i] for block in keys)]) for i, name in enumerate(names)}
        self._choose_records()

    def _choose_records(self) -> None:
        """Of records that share an id, one speaks for it; sets `repeated` for the others and `why` for their reason.

        A file that is there goes before one that is not, a later batch before an earlier, a first record before a
        later one. Where an earlier record has the very text of the chosen one, it stays in its place.
        """
        rows = np.arange(len(self.ids))
        number = number_equal(self.ids)
        order = np.lexsort((rows, -self.batch, self.gone, number))
        first = np.ones(len(order), bool)
        first[1:] = number[order[1:]] != number[order[:-1]]
        chosen = order[first][number]  # for each row, the row that speaks for its id
        alike = (self.content == self.content[chosen]).all(axis=1)
        place = np.full(len(self.ids), len(self.ids), np.int64)
        np.minimum.at(place, number[alike], rows[alike])
        chosen = place[number] if len(rows) else rows
        gone = np.ones(len(self.ids), bool)
        np.logical_and.at(gone, number[alike], self.gone[alike])
        self.gone = gone[number] if len(rows) else gone
        self.repeated = chosen != rows
        self.why = np.where(self.batch == self.batch[chosen], ID_REPEATED, SUPERSEDED)
        self.left = self.gone & ~self.repeated & (self.plan.recipe.on_gone == "retract")

    def _priority(self, table: pa.Table, part: Part, name: str) -> npt.NDArray[np.float64]:
        """A key to sort ascending by: the rank of the source, or a signal from its greatest value down."""
        if name == "rank":
            return np.full(table.num_rows, float(self.plan.source(part.source).rank))
        return greatest_first(table.column(name))

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

    @property
    def replaces(self) -> bool:
        """Whether a published document changed: then what it displaced must be decided anew, and nothing can append."""
        return bool(((self.match >= 0) & ~self.same).any())

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

    def _kept(self, kind: npt.NDArray[np.int8], here: slice) -> npt.NDArray[np.bool_]:
        kept = ~self.repeated[here] & ~self.left[here] & (self.failed[here] < 0) & (kind == 0)
        return np.asarray(kept | self.same[here] if self.append else kept, bool)

    def _survivors(
        self, groups: Rows | None, pairs: pa.Table | None
    ) -> tuple[Rows, npt.NDArray[np.int8], npt.NDArray[np.float64]]:
        from pipeline.dedup.survivors import survivors

        dedup, earlier = self.plan.recipe.dedup, self.earlier
        fresh = (self.failed < 0) & ~self.repeated & ~self.left
        if self.append:
            fresh &= ~self.same
        selected = np.concatenate([np.ones(len(earlier.ids), bool), fresh]) if self.append else fresh
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
        order = by_priority(self.plan.recipe.dedup.keep, self.keys, self.ids, age)
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
        repeated, left, failed = self.repeated[here], self.left[here], self.failed[here]
        duplicate = kind > 0
        kept = self._kept(kind, here)
        selection = select(table, self.plan.checks)
        reason, value, threshold, detail = (_objects(a) for a in evidence(table, selection))
        reason[duplicate] = np.where(kind[duplicate] == 1, DUPLICATE_EXACT, DUPLICATE_NEAR)
        near = kind == 2
        value[near], threshold[near] = jaccard[near], self.plan.recipe.dedup.threshold
        reason[repeated], reason[left] = self.why[here][repeated], GONE
        for column in (value, threshold, detail):
            column[repeated | left] = None
        for column in (reason, value, threshold, detail):
            column[kept] = None
        unchanged = self.same[here] & kept & self.append
        detail[unchanged] = "unchanged since an earlier version"
        earlier = duplicate & (survivor < self.offset)  # a document that is in no ledger of this run
        detail[earlier] = [f"published since {self.earlier.first_version[row]}" for row in survivor[earlier]]
        stage = np.where(repeated | left | (failed >= 0), Stage.SELECT.value, Stage.KEPT.value).astype(object)
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
        """Cut the published rows into shards, within batch, source and split.

        A shard takes what is published of `shard_bytes` of text read: its borders depend on what was read alone, so a
        removal, or a document that comes back, writes only its own shard anew.
        """
        chunk = np.full(len(split), -1, np.int64)
        for name in sorted(set(split)):
            rows = np.flatnonzero(split == name)
            key = (part.batch, part.source, str(name))
            ends = np.cumsum(text_bytes[rows]) + offsets.get(key, 0)
            offsets[key] = int(ends[-1])
            chunk[rows] = (ends - text_bytes[rows]) // self.plan.recipe.publish.shard_bytes
            chunk[rows[~published[rows]]] = -1
            for number in sorted(set(chunk[rows].tolist()) - {-1}):
                self.decided.chunks.setdefault((*key, number), []).append(part.number)
        return chunk

    def _count_changes(self, kind: npt.NDArray[np.int8]) -> None:
        """Compare what is kept with what was published: added, changed and removed documents, and moved ones."""
        kept = self._kept(kind, slice(None))
        known = kept & (self.match >= 0)
        stays = known & self.same
        self.decided.changed = int((known & ~self.same).sum())
        self.decided.added = int(kept.sum() - known.sum())
        self.decided.removed_earlier = 0 if self.append else len(self.earlier.ids) - int(known.sum())
        split = split_of(self.ids[stays], self.plan.recipe.publish.splits)
        self.decided.moved = int((split != self.earlier.split[self.match[stays]]).sum())


def _by_age(versions: list[str]) -> list[str]:
    return sorted(set(versions), key=lambda version: [int(part) for part in version.split(".")])


def _objects(array: pa.Array) -> npt.NDArray[np.object_]:
    result = np.empty(len(array), object)
    result[:] = array.to_pylist()
    return result
