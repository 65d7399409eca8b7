"""Large buckets (templates): who leads each, and which members are compared with whose leaders.

A bucket of a million copies of one form has no room for pairs, nor for fetching the texts of all that an estimate lets
pass. So each member is compared, exactly, with the leaders of one bucket: members of first priority, few of a kind, up
to 128 (`pipeline.dedup.leaders`). No estimate rejects anything there, and only verified pairs are held.

Trade: members are not compared with each other. Where two differ from the template in the same place, a band that sees
that place has them in a small bucket, and they are compared there. Over 27 made families of 90 to 2,500 copies, 0.75 to
0.95 alike, this removed 98 % of what comparing all pairs removes; nothing is removed unverified.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.dedup.buckets import Packed, Rows, Signed, distinct, least_equal
from pipeline.dedup.candidates import KIN, LEADERS, LOW, bucket_end, lead
from pipeline.dedup.leaders import ENTRY_BYTES, PLANES, Pairs, Tables, texts_in
from pipeline.dedup.verify import halves, pack_two
from schemas.errors import StoreError
from schemas.recipe import MatchForm

U64 = np.uint64
# Rows, given ascending, in order of priority: places in what was given.
Priority = Callable[[Rows], Rows]
# A leader's shingles cost about as much as a comparison, so a bucket has one leader for so many members compared.
FOLLOWERS = 16
HEADS = 8  # leaders of a whole template, which lead all its buckets
MOST_RANKED = (1 << 31) - 1  # a rank and one more bit share 32
MOST_GROUPS = 100  # each has an open file


@dataclass
class Templates:
    """The large buckets of all bands, numbered from 0.

    `leaders`: bucket << 32 | row, in order of bucket and then of priority; `members`: row << 32 | bucket, sorted, of
    what is compared there; `group_of`: int64, the group of each bucket: the leaders of a group are in memory together;
    `rows`: bool, which signed rows stand in a large bucket.
    """

    leaders: Packed
    members: Packed
    group_of: Rows
    rows: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        files: Sequence[Path],
        signed: Signed,
        base: int,
        priority: Priority,
        memory: int,
        run: Callable[..., Iterable[Any]],
    ) -> "Templates":
        """Choose the leaders of the large buckets whose entries (key << 32 | row, sorted) lie in `files`, one a band.

        A row is compared in the first band that puts it into a large bucket; its other buckets have much the same
        leaders. Rows are numbered from 0 in the files, and from `base` on in what is returned.

        Raises StoreError when there are too many rows, or the leaders of some bucket do not fit into memory.
        """
        seen = np.zeros(signed.rows, bool)
        turns = [_turns(np.fromfile(path, U64), seen) for path in files]
        rows = np.flatnonzero(seen)
        if len(rows) > MOST_RANKED:
            raise StoreError(
                f"{len(rows):,} documents in large buckets (copies of templates), more than {MOST_RANKED:,}; compare "
                "them in parts with --against"
            )
        by_rank = rows[priority(rows)].astype(np.uint32) if len(rows) else rows.astype(np.uint32)
        rank = np.zeros(signed.rows if len(rows) else 0, np.uint32)
        rank[by_rank] = np.arange(len(by_rank), dtype=np.uint32)
        most = min(memory // 32 // (2 * ENTRY_BYTES), (1 << PLANES) - 1)
        chosen = _Chosen(signed, rank, by_rank, max(1, most))
        leaders, members, buckets = [np.empty(0, U64)], [np.empty(0, U64)], 0
        for leads, follows in run(chosen.of_band, zip(files, turns, strict=True)):
            leaders.append(leads + (U64(buckets) << U64(32)))
            members.append(follows + U64(buckets))
            buckets += int(leads[-1] >> U64(32)) + 1 if len(leads) else 0
        others = np.sort(np.concatenate(members))
        every = chosen.with_heads(np.concatenate(leaders), others)
        group_of = _group_of(every, signed.chars, memory)
        return cls(every + U64(base), others + (U64(base) << U64(32)), group_of, seen)

    @property
    def groups(self) -> int:
        """The number of groups."""
        return int(self.group_of[-1]) + 1 if len(self.group_of) else 0

    def dealt(self) -> Packed:
        """Return `row << 32 | group` of every row whose text a group needs, sorted, distinct."""
        row, bucket = halves(self.members)
        leads, leader = halves(self.leaders)
        rows, buckets = np.concatenate([row, leader]), np.concatenate([bucket, leads])
        return distinct(pack_two(rows, self.group_of[buckets]))

    def pairs(
        self, texts: Callable[[int], Path], form: MatchForm, threshold: float, run: Callable[..., Iterable[Any]]
    ) -> Iterator[Pairs]:
        """Yield the verified pairs of members with their leaders, piece by piece.

        `texts`: the file of a group with ascending rows and their texts, as `verify.deal` writes it; it is removed.
        """
        group = self.group_of[halves(self.members)[1]]
        order = np.argsort(group, kind="stable")
        edges = np.searchsorted(group, np.arange(self.groups + 1), sorter=order)
        borders = np.searchsorted(self.group_of, np.arange(self.groups + 1))

        def jobs() -> Iterator[Callable[[], Pairs]]:
            for number in range(self.groups):
                path = texts(number)
                begin, end = int(borders[number]), int(borders[number + 1])
                cut = np.searchsorted(self.leaders, np.array([begin, end], U64) << U64(32))
                tables = Tables.of(self.leaders[slice(*cut)], begin, end, path, form, threshold)
                yield partial(getattr, tables, "pairs")
                members = self.members[order[edges[number] : edges[number + 1]]]
                for batch in texts_in(path):
                    yield partial(tables.compare, batch, members)
                path.unlink()

        yield from run(lambda job: job(), jobs())


@dataclass
class _Chosen:
    """How leaders are chosen: by `rank` (uint32, (rows,)), which `by_rank` turns round; `most_chars` in a bucket."""

    signed: Signed
    rank: npt.NDArray[np.uint32]
    by_rank: npt.NDArray[np.uint32]
    most_chars: int

    @property
    def _measures(self) -> tuple[Any, ...]:
        # Whoever is estimated to reach the threshold with a leader is its kin.
        return (
            self.by_rank,
            self.signed.sketches,
            self.signed.chars,
            least_equal(self.signed.dedup, 0.0),
            self.most_chars,
        )

    def of_band(self, job: tuple[Path, npt.NDArray[np.uint8]]) -> tuple[Packed, Packed]:
        """Return leaders and members as `Templates` has them, the buckets of the band numbered from 0."""
        path, turns = job
        packed = np.fromfile(path, U64)
        # The lowest bit of a rank says whether it is the row's turn.
        low = (self.rank[(packed & LOW).astype(np.int64)] << np.uint32(1)) | np.unpackbits(turns, count=len(packed))
        ranked = (packed & ~LOW) | low
        ranked.sort()
        found: tuple[Packed, Packed] = _lead(ranked, *self._measures)
        return found

    def with_heads(self, leaders: Packed, members: Packed) -> Packed:
        """Return leaders, and with them the heads of their templates.

        A template has large buckets in several bands, each with only some of its members. Those whose leaders are the
        same documents, or members of the other, are taken for one template, and the first of all their leaders lead
        each: else a bucket's leaders might all go in favour of a document that its members were not compared with.
        """
        bucket, row = halves(leaders)
        if not len(bucket):
            return leaders
        family = _families(*halves(np.sort(np.concatenate([members, pack_two(row, bucket)]))), int(bucket[-1]) + 1)
        head_of, head = halves(_heads(distinct(pack_two(family[bucket], self.rank[row])), *self._measures))
        first, last = np.searchsorted(head_of, family, "left"), np.searchsorted(head_of, family, "right")
        counts = last - first
        place = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
        added = pack_two(np.repeat(np.arange(len(family)), counts), self.rank[head[place]])
        every = distinct(np.concatenate([pack_two(bucket, self.rank[row]), added]))
        return (every & ~LOW) | self.by_rank[(every & LOW).astype(np.int64)]


def _group_of(leaders: Packed, chars: npt.NDArray[Any], memory: int) -> Rows:
    """Return the group of each bucket. Raises StoreError when groups so large are needed that memory does not do."""
    bucket, row = halves(leaders)
    weight = np.zeros(int(bucket[-1]) + 1 if len(bucket) else 0, np.int64)
    np.add.at(weight, bucket, chars[row].astype(np.int64) * 2 * ENTRY_BYTES)
    most = max(memory // 16, int(weight.sum()) // MOST_GROUPS)
    if most > memory // 4:
        raise StoreError(
            f"{len(weight):,} large buckets (copies of templates) need {most >> 20} MiB at once for their leaders, "
            f"more than a quarter of the ceiling of {memory >> 20} MiB; raise --memory, or compare the documents "
            "in parts with --against"
        )
    return (np.cumsum(weight) - weight) // most


def _turns(packed: Packed, seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return, as packed bits, which entries are the first of their rows, and mark these as seen."""
    rows = (packed & LOW).astype(np.int64)
    first = ~seen[rows]
    seen[rows] = True
    return np.packbits(first)


@njit(cache=True, nogil=True)
def _lead(ranked: Any, by_rank: Any, sketches: Any, chars: Any, least: Any, most_chars: Any) -> Any:
    """Return the leaders of each bucket of sorted `key << 32 | rank << 1 | turn` (bucket << 32 | row, by priority), and
    the other members whose turn it is (row << 32 | bucket). A bucket where it is nobody's turn is none.
    """  # noqa: D205
    leads, follows = np.empty(len(ranked), np.uint64), np.empty(len(ranked), np.uint64)
    leaders = np.empty(LEADERS - HEADS, np.int64)
    count = others = bucket = begin = 0
    while begin < len(ranked):
        end = bucket_end(ranked, begin)
        turns = np.int64(0)
        for i in range(begin, end):
            turns += np.int64(ranked[i] & U64(1))
        members = by_rank[((ranked[begin:end] & LOW) >> U64(1)).astype(np.int64)].astype(np.int64)
        most = min(len(leaders), max(KIN, turns // FOLLOWERS)) if turns else 0
        led = lead(members, sketches, chars, least, most_chars, leaders[:most])
        leader = 0
        for i in range(len(members) if led else 0):
            if leader < led and members[i] == leaders[leader]:
                leads[count] = (U64(bucket) << U64(32)) | U64(members[i])
                count += 1
                leader += 1
            elif ranked[begin + i] & U64(1):
                follows[others] = (U64(members[i]) << U64(32)) | U64(bucket)
                others += 1
        bucket += led > 0
        begin = end
    return leads[:count], follows[:others]


@njit(cache=True, nogil=True)
def _families(rows: Any, buckets: Any, count: Any) -> Any:
    """Return a number for each bucket, the same for those that rows, which ascend, hang together."""
    family = np.arange(count)
    for i in range(1, len(rows)):
        if rows[i] == rows[i - 1]:
            one, other = buckets[i - 1], buckets[i]
            while family[one] != one:
                family[one] = family[family[one]]
                one = family[one]
            while family[other] != other:
                family[other] = family[family[other]]
                other = family[other]
            family[max(one, other)] = min(one, other)
    for bucket in range(count):
        family[bucket] = family[family[bucket]]
    return family


@njit(cache=True, nogil=True)
def _heads(ranked: Any, by_rank: Any, sketches: Any, chars: Any, least: Any, most_chars: Any) -> Any:
    """Return the heads of each family of sorted `family << 32 | rank`, as family << 32 | row, by priority."""
    found = np.empty(len(ranked), np.uint64)
    heads = np.empty(HEADS, np.int64)
    count = begin = 0
    while begin < len(ranked):
        end = bucket_end(ranked, begin)
        members = by_rank[(ranked[begin:end] & LOW).astype(np.int64)].astype(np.int64)
        for k in range(lead(members, sketches, chars, least, most_chars, heads)):
            found[count] = (ranked[begin] >> U64(32) << U64(32)) | U64(heads[k])
            count += 1
        begin = end
    return found[:count]
