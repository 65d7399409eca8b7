"""Which documents the report shows, and what it shows of them.

The choice follows from the data alone (nearest to a threshold, ties by id, one copy of a text), so a report repeats.
A public report shows kept documents only, with personal data masked over the whole text before anything is cut: a cut
first could leave half of a number that no pattern finds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Texts = Callable[[Sequence[int]], "list[tuple[str | None, str]]"]
Rows = npt.NDArray[np.int64]

# Characters of a text that are shown, and the most copies of a text that are looked past for another one.
EXCERPT = 300
COPIES = 64


@dataclass(frozen=True, slots=True)
class Sample:
    """A document as shown. `place` is `uri#record`, private reports only; `reason` is None where it was kept."""

    id: str
    source: str
    place: str | None
    title: str | None
    excerpt: str
    characters: int
    value: float | str | None
    reason: str | None

    @classmethod
    def of(
        cls,
        record: Mapping[str, Any],
        row: int,
        value: Any,
        reason: str | None,
        excerpts: "Excerpts",
        *,
        public: bool = False,
    ) -> "Sample":
        """Return a chosen row; `record` holds its `id, source, uri, record`."""
        text = excerpts.text(row)
        return cls(
            record["id"],
            record["source"],
            None if public or not record["uri"] else f"{record['uri']}#{record['record']}",
            excerpts.title(row),
            text[:EXCERPT],
            len(text),
            value,
            reason,
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """A removed document beside the one that stands for it.

    `parts`: stretches of both excerpts as (kind, removed, survivor), kind `same` or `differs`. `survivor` is None where
    it is in an earlier version, whose texts are not at hand; `parts` is then empty.
    """

    jaccard: float | None
    removed: Sample
    survivor: Sample | None
    survivor_id: str
    parts: list[tuple[str, str, str]]


class Excerpts:
    """Titles and texts of the chosen rows, fetched at once; masked in a public report."""

    def __init__(self, rows: Iterable[int], texts: Texts, public: bool) -> None:
        chosen = sorted(set(rows))
        found = texts(chosen) if chosen else []
        if public and found:
            # Imported here: only public reports need the patterns.
            from pipeline.clean.personal import mask

            found = [(None if title is None else mask(title), mask(text)) for title, text in found]
        self._texts = dict(zip(chosen, found, strict=True))

    def title(self, row: int) -> str | None:
        """Return the title of a chosen row, cut like a text."""
        title = self._texts[row][0]
        return None if not title else title[:EXCERPT]

    def text(self, row: int) -> str:
        """Return the whole text of a chosen row."""
        return self._texts[row][1]


def nearest(ledger: pa.Table, distance: npt.NDArray[Any], among: npt.NDArray[np.bool_], count: int) -> list[int]:
    """Return up to `count` rows of different texts with the least distance, nearest first, ties by id.

    `distance`: float64, (rows,). `among`: bool, (rows,); the rows that may be chosen.
    """
    rows = np.flatnonzero(among)
    wanted = count * COPIES
    if len(rows) > wanted:
        limit = np.partition(distance[rows], wanted - 1)[wanted - 1]
        rows = rows[distance[rows] <= limit]
    near = pa.table({"distance": distance[rows], "id": ledger["id"].take(pa.array(rows))})
    order = pc.sort_indices(near, sort_keys=[("distance", "ascending"), ("id", "ascending")]).to_numpy()[:wanted]
    rows = rows[order]
    chosen: list[int] = []
    seen: set[str] = set()
    for row, content in zip(rows.tolist(), ledger["content_hash"].take(pa.array(rows)).to_pylist(), strict=True):
        if content not in seen and len(chosen) < count:
            seen.add(content)
            chosen.append(row)
    return chosen


def pair_rows(ledger: pa.Table, removed: npt.NDArray[np.bool_], count: int) -> list[tuple[int, int | None]]:
    """Return near-duplicates with the rows of their survivors: the most doubtful half, the others spread evenly.

    `removed`: bool, (rows,); the near-duplicates. A survivor outside the ledger gives None.
    """
    rows = np.flatnonzero(removed)
    if not len(rows):
        return []
    table = ledger.select(["jaccard", "id"]).take(pa.array(rows))
    rows = rows[pc.sort_indices(table, sort_keys=[("jaccard", "ascending"), ("id", "ascending")]).to_numpy()]
    doubtful = min(count // 2, len(rows))
    spread = np.linspace(min(doubtful, len(rows) - 1), len(rows) - 1, count - doubtful).astype(int).tolist()
    picked = {*range(doubtful), *spread}
    chosen = [int(rows[i]) for i in sorted(picked)]
    survivors = pc.index_in(ledger["survivor_id"].take(pa.array(chosen)), ledger["id"].combine_chunks())
    return list(zip(chosen, survivors.to_pylist(), strict=True))


def sample(ledger: pa.Table, row: int, value: Any, excerpts: Excerpts, public: bool) -> Sample:
    """Return a row as the report shows it."""
    record = ledger.slice(row, 1).to_pylist()[0]
    reason = None if record["decision"] == "keep" else record["rule"]
    return Sample.of(record, row, value, reason, excerpts, public=public)


def pair(ledger: pa.Table, rows: tuple[int, int | None], excerpts: Excerpts) -> Pair:
    """Return a removed document beside its survivor, both cut shortly before they first differ."""
    row, other = rows
    record = ledger.slice(row, 1).to_pylist()[0]
    removed = sample(ledger, row, record["jaccard"], excerpts, public=False)
    if other is None:
        return Pair(record["jaccard"], removed, None, record["survivor_id"], [])
    survivor = sample(ledger, other, None, excerpts, public=False)
    parts = differences(excerpts.text(row), excerpts.text(other))
    return Pair(record["jaccard"], removed, survivor, record["survivor_id"], parts)


def differences(one: str, two: str) -> list[tuple[str, str, str]]:
    """Return stretches of two texts as (kind, one, two), kind `same` or `differs`, around their first difference."""
    common = 0
    limit = min(len(one), len(two))
    while common < limit and one[common] == two[common]:
        common += 1
    start = max(0, common - EXCERPT // 4) if common < max(len(one), len(two)) else 0
    one, two = one[start : start + EXCERPT], two[start : start + EXCERPT]
    blocks = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    return [("same" if tag == "equal" else "differs", one[a:b], two[c:d]) for tag, a, b, c, d in blocks]
