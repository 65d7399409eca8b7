"""The second half of the count: from the lines of all shards of a source to its frozen table.

1. Candidates: lines that enough documents hold. Only their number is counted, by ranges of their hashes.
2. Witnesses: a document speaks for its candidates only when at least half of its characters are in other lines; and
   documents whose longest other line is the same speak once. So the common lines of reprints, editions and filled-in
   forms, which share most of their text, are nobody's furniture, and copies count once.
3. Of a candidate are counted: witnesses, and those in which it stands in the run of candidates at an edge.
4. Lines that the pattern of a protected line matches stay.

Where shards begin and end has no effect; their order only says which example of a line the patterns are tried on.
Held: candidates (56 bytes each), one shard's lines, and one range of counts or of pairs (line, witness); the other
ranges lie on disk meanwhile.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.pairs import scratch_folder
from pipeline.engine import REPORT, report_of
from pipeline.passages.lines import ANYWHERE, EDGE, OWN, WITHIN, Hashes, Lines, Places, peel
from pipeline.passages.table import Table, look_up, place_name, table_bytes
from pipeline.storage import batches, read_columns, write_bytes, write_json
from pipeline.tables import lines_of, resource
from pipeline.text import CodePoints
from schemas.manifest import Resource
from schemas.recipe import Passages

PROTECTED = "protected_lines.txt"
FREEZE_REVISION = 1
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FreezeJob:
    """Everything `freeze` needs: the counted shards of a source, in order, and the documents they were counted from."""

    folder: Path
    source: str
    counted: tuple[Path, ...]
    read: tuple[Path, ...]
    passages: Passages
    memory: int

    def table(self, license: str) -> Table:
        """Return the table that was frozen; ask when the job is done."""
        return Table(self.source, report_of(self.folder)["table"], self.folder / "table.tsv", license)


def freeze(job: FreezeJob) -> dict[str, Any]:
    """Write `table.tsv`, and `lines.tsv` for people: every line that recurs enough, and what becomes of it."""
    documents = sum(int(report_of(folder)["documents"]) for folder in job.counted)
    least = needed(job.passages.min_documents, job.passages.min_share, documents)
    with scratch_folder(job.folder, "ranges") as scratch:
        found = _Found.among(job, least, scratch)
        found.hear(job, scratch)
    inner = needed(job.passages.min_documents, job.passages.inner_share, documents)
    places = found.places(job.passages, least, inner)
    told = np.flatnonzero(places)
    texts = _examples(job, found, told)
    for k, text in zip(told.tolist(), texts, strict=True):
        if _protected().fullmatch(text):
            places[k] = OWN
    kept = np.flatnonzero(places)
    data = table_bytes(found.lines[kept], found.documents[kept].tolist(), places[kept])
    write_bytes(job.folder / "table.tsv", data)
    write_bytes(job.folder / "lines.tsv", _for_people(found, told, texts, places, documents))
    report = {"documents": documents, "needed": least, "lines": len(kept), "table": sha256(data).hexdigest()}
    write_json(job.folder / REPORT, report)
    return report


def needed(least: int, share: float, documents: int) -> int:
    """Return how many documents must hold a line: an absolute number and a share of the source's."""
    return max(least, int(np.ceil(share * documents)))


@dataclass
class _Found:
    """Candidates in order of their hashes, with what is known of each."""

    lines: Hashes
    times: Counts  # documents that hold it, copies counted
    documents: Counts = field(init=False)
    edges: Counts = field(init=False)
    chars: Counts = field(init=False)
    shard: Counts = field(init=False)  # where an example stands, -1: nowhere
    row: Counts = field(init=False)

    def __post_init__(self) -> None:
        self.documents, self.edges, self.chars, self.row = (np.zeros(len(self.lines), np.int64) for _ in range(4))
        self.shard = np.full(len(self.lines), -1, np.int64)

    @classmethod
    def among(cls, job: FreezeJob, least: int, scratch: Path) -> "_Found":
        """Find the candidates, range by range of the hashes."""
        different = sum(int(report_of(folder)["different"]) for folder in job.counted)
        ranges = 1 + 128 * different // job.memory  # 16 bytes a line, held a few times while they are sorted
        borders = np.array([(k << 64) // ranges for k in range(1, ranges)], np.uint64)
        lines, times = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for held in _by_range(scratch / "counts", borders, map(_counts, job.counted)):
            held = held[np.argsort(held[:, 0], kind="stable")]  # merges what is sorted already
            begins = np.flatnonzero(_news(held[:, 0]))
            total = np.add.reduceat(held[:, 1], begins).astype(np.int64) if len(begins) else np.empty(0, np.int64)
            lines.append(held[begins, 0][total >= least])
            times.append(total[total >= least])
        return cls(np.concatenate(lines), np.concatenate(times))

    def hear(self, job: FreezeJob, scratch: Path) -> None:
        """Count the witnesses of every candidate."""
        ranges = 1 + 128 * int(self.times.sum()) // job.memory
        borders = self.lines[[len(self.lines) * k // ranges for k in range(1, ranges)]]
        shards = (self._pairs(number, folder, job.passages.min_chars) for number, folder in enumerate(job.counted))
        for held in _by_range(scratch / "pairs", borders, shards):
            pairs = _distinct(held)
            place = np.searchsorted(self.lines, pairs[:, 0])
            new = _news(place) | _news(pairs[:, 1] >> 1)
            self.documents += np.bincount(place[new], minlength=len(self.lines))
            self.edges += np.bincount(place[(pairs[:, 1] & 1).astype(bool)], minlength=len(self.lines))

    def _pairs(self, number: int, folder: Path, min_chars: int) -> Hashes:
        """Return the different pairs of candidate and witness of a shard, uint64, (pairs, 2), sorted.

        The lowest bit of a witness says whether the line stands at an edge of it.
        """
        table = read_columns(folder / "lines.parquet")
        document, lines, chars = (table.column(name).to_numpy() for name in ("document", "line", "chars"))
        chars, size = chars.astype(np.int64), int(document[-1]) + 1 if len(document) else 0
        usual = np.where(chars >= min_chars, EDGE, WITHIN).astype(np.uint8)
        candidate = look_up(self.lines, np.ones(len(self.lines), np.uint8), lines) > 0
        candidate &= ~table.column("turn").to_numpy()
        at_edge = np.zeros(len(lines), bool)
        peel(np.searchsorted(document, np.arange(size + 1)), chars, np.where(candidate, usual, OWN), at_edge)
        own = np.where(candidate, 0, chars)
        speaks = 2 * np.bincount(document, own, size) >= np.bincount(document, chars, size)
        order = np.lexsort((lines, own, document))
        last = order[np.searchsorted(document, np.arange(size), side="right") - 1] if size else order
        told = candidate & speaks[document]
        self._remember(number, lines[told], document[told], chars[told])
        witness = lines[last][document[told]] & ~np.uint64(1) | at_edge[told]
        return _distinct(np.stack([lines[told], witness], axis=1))

    def _remember(self, number: int, lines: Hashes, document: Any, chars: Counts) -> None:
        """Note where the first example of each candidate stands."""
        first, at = np.unique(lines, return_index=True)
        place = np.searchsorted(self.lines, first)
        new = self.shard[place] < 0
        place, at = place[new], at[new]
        self.shard[place], self.row[place], self.chars[place] = number, document[at], chars[at]

    def places(self, passages: Passages, least: int, inner: int) -> Places:
        """Return what becomes of each candidate, before patterns are looked at."""
        places = np.where(self.chars >= passages.min_chars, EDGE, WITHIN)
        places = np.where(self.edges >= least, places, OWN)
        anywhere = (self.documents >= inner) & (self.chars >= passages.inner_chars)
        return np.where(anywhere, ANYWHERE, places).astype(np.uint8)


def _counts(folder: Path) -> Hashes:
    """Return the different lines of a shard, sorted, with the documents that hold each, uint64, (lines, 2)."""
    table = read_columns(folder / "counts.parquet")
    return np.stack([table.column("line").to_numpy(), table.column("documents").to_numpy().astype(np.uint64)], axis=1)


def _by_range(scratch: Path, borders: Hashes, shards: Iterable[Hashes]) -> Iterator[Hashes]:
    """Yield the rows of all shards, uint64, (rows, 2), by ranges of their first column, each range from a file.

    The rows of a shard are sorted; a range is not.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    files = [scratch / f"range-{k:05d}" for k in range(len(borders) + 1)]
    for file in files:
        file.touch()
    for rows in shards:
        cuts = [0, *np.searchsorted(rows[:, 0], borders).tolist(), len(rows)]
        for file, begin, end in zip(files, cuts[:-1], cuts[1:], strict=True):
            if begin < end:
                with file.open("ab") as stream:
                    stream.write(rows[begin:end].tobytes())
    for file in files:
        yield np.fromfile(file, np.uint64).reshape(-1, 2)
        file.unlink()


def _news(ordered: Any) -> npt.NDArray[np.bool_]:
    """Return where a value differs from the one before."""
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return new


def _distinct(pairs: Hashes) -> Hashes:
    """Return sorted different pairs."""
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs[_news(pairs[:, 0]) | _news(pairs[:, 1])]


def _examples(job: FreezeJob, found: _Found, told: Any) -> list[str]:
    """Return the text of some candidates, white space around it taken off, each where it was first seen."""
    texts = {}
    for number in np.unique(found.shard[told]).tolist():
        here = told[found.shard[told] == number]
        start = 0
        for table in batches(job.read[number] / "documents.parquet", ["text"]):
            rows = found.row[here] - start
            inside = (rows >= 0) & (rows < table.num_rows)
            start += table.num_rows
            if not inside.any():
                continue
            lines = Lines.of(CodePoints.of(table.column("text").take(pa.array(rows[inside]))))
            for n, k in enumerate(here[inside].tolist()):
                first, end = lines.firsts[n : n + 2]
                line = first + int(np.argmax(lines.hashes[first:end] == found.lines[k]))
                points = lines.texts.points[lines.starts[line] : lines.starts[line + 1]]
                texts[k] = points.astype("<u4").tobytes().decode("utf-32-le").strip()
    return [texts[k] for k in told.tolist()]


def protected() -> Resource:
    """Return the record of the patterns of lines that stay."""
    return resource(__package__, PROTECTED, "CC0-1.0")


@cache
def _protected() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in lines_of(__package__, PROTECTED)))


def _for_people(found: _Found, told: Any, texts: list[str], places: Places, documents: int) -> bytes:
    """Return a table to look at before anything is removed, the most frequent line first."""
    rows = ["documents\tshare\tat_edges\tplace\tline\n"]
    for n in np.lexsort((found.lines[told], -found.documents[told])).tolist():
        k = told[n]
        place = place_name(int(places[k])) if places[k] else "stays (protected)"
        line = re.sub(r"\s+", " ", texts[n])
        rows.append(f"{found.documents[k]}\t{found.documents[k] / documents:.4f}\t{found.edges[k]}\t{place}\t{line}\n")
    return "".join(rows).encode("utf-8")
