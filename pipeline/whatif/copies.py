"""Which documents would be removed as copies, if others passed the rules: survivors walked anew over known pairs.

Pairs were found and verified for every measured document, whatever the rules said of it, so this is what a run with
the changed rules would decide, without measuring or comparing anything again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.keys import Rows, by_priority, greatest_first, number_equal, words16
from pipeline.storage import read_columns
from schemas.recipe import Dedup

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Copies:
    """The pairs of measured documents, and which copy goes before which."""

    order: Rows
    content: Rows
    groups: Rows
    pairs: pa.Table
    dedup: Dedup

    @classmethod
    def of(
        cls,
        table: pa.Table,
        decisions: pa.Table,
        pairs: Path,
        dedup: Dedup,
        ranks: Mapping[str, int],
        version: str | None,
    ) -> "Copies":
        """Read the pairs of a run, and order its documents as the next run will: published ones first, oldest first.

        `table`: facts and the signals of `dedup.keep`; `decisions`: of the run, row for row; `pairs`: folder of its
        pairs; `version`: what it published.
        """
        if dedup.near:
            groups = read_columns(pairs / "groups.parquet").column(0).to_numpy()
            found = read_columns(pairs / "pairs.parquet")
        else:
            groups = np.full(table.num_rows, -1, np.int64)
            empty = {"left": pa.array([], pa.int64()), "right": pa.array([], pa.int64())}
            found = pa.table({**empty, "jaccard": pa.array([], pa.float64())})
        keys = {name: greatest_first(table.column(name)) for name in dedup.keep if name not in ("id", "rank")}
        sources = table.column("source").combine_chunks().dictionary_encode()
        rank = np.array([float(ranks[name]) for name in sources.dictionary.to_pylist()] or [0.0])
        keys["rank"] = rank[sources.indices.to_numpy()] if table.num_rows else np.zeros(0)
        ids = words16(table.column("id"))
        order = by_priority(dedup.keep, keys, ids, _ages(decisions, version))
        return cls(order, number_equal(words16(table.column("content_hash"))), groups, found, dedup)

    def among(self, selected: Mask) -> Mask:
        """Return which of the selected documents go as copies; bool, (rows,)."""
        from pipeline.dedup.survivors import survivors  # brings Numba, which folders without pairs need not wait for

        dedup = self.dedup
        _, kind, _ = survivors(
            self.order, selected, self.content, self.groups, self.pairs, exact=dedup.exact, near=dedup.near
        )
        return kind > 0


def _ages(decisions: pa.Table, version: str | None) -> Rows:
    """How early each document was published, from 0; those that never were come last, all alike."""
    kept = pc.equal(decisions.column("decision"), "keep")
    first = pc.fill_null(decisions.column("first_version"), version or "")
    named = pc.if_else(kept, first, pc.fill_null(decisions.column("first_version"), "")).combine_chunks()
    codes = named.dictionary_encode()
    versions = codes.dictionary.to_pylist()
    ages = {
        v: n for n, v in enumerate(sorted((v for v in versions if v), key=lambda v: [int(x) for x in v.split(".")]))
    }
    age = np.array([ages.get(v, len(ages)) for v in versions] or [0], np.int64)
    return age[codes.indices.to_numpy()] if len(named) else np.zeros(0, np.int64)
