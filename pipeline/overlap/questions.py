"""Evaluation questions, compiled: what decontamination looks for in documents.

A file of questions is JSON lines (plain, gzip, zstd), Parquet or CSV. A question has an id (`id` or `bench_id`) and a
text (`question` or `text`), and may have `options` and `benchmark` (default: the file's name).

What is compared is the match form, so a question in Traditional, full-width or re-punctuated form is the same. Each of
its 5-grams weighs the less the more questions share it (`log(N / df) / log N`, inverse document frequency), so that
下列说法正确的是 says little. A question whose own words weigh less than LEAST is looked for together with its options;
where even these say too little it is left out, and counted.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.matchform import match_forms
from pipeline.dedup.signature import SHINGLE, shingle_coefficients
from pipeline.overlap.seeds import fill, hash_shingles
from pipeline.storage import digest, sha256_file
from pipeline.text import CodePoints
from schemas.errors import SourceError
from schemas.source import InputFile, Limits

# The weight of a question's 5-grams below which it is too general to be looked for by itself.
LEAST = 4.0
# 5-grams of more questions than this are no seeds: they lead everywhere and say little.
MOST = 50
_IDS, _TEXTS = ("bench_id", "id"), ("question", "text")


@dataclass(frozen=True)
class Question:
    """One question as its file has it."""

    id: str
    benchmark: str
    text: str
    options: str


@dataclass(frozen=True)
class Questions:
    """All questions, with their 5-grams as a table that is searched.

    `table`: uint64, open addressing, 0 for a free slot; `slots`: int32, the number of the gram in each. Postings of
    gram g are `rows[begins[g]:begins[g + 1]]`, a question once for each place; `weights`: float32 of each gram;
    `totals`: float32, the weight of a whole question.
    """

    questions: tuple[Question, ...]
    left_out: int
    forms: CodePoints
    table: npt.NDArray[np.uint64]
    slots: npt.NDArray[np.int32]
    begins: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    totals: npt.NDArray[np.float32]

    @classmethod
    def load(cls, paths: Sequence[Path]) -> "Questions":
        """Read and compile files. Raises SourceError naming file, line and remedy for what is no question."""
        return cls.of([question for path in paths for question in read(path)])

    @classmethod
    def of(cls, questions: Sequence[Question]) -> "Questions":
        """Compile questions; those that say too little are left out."""
        totals = _compiled([question.text for question in questions])[-1]
        texts = [
            question.text if total >= LEAST else f"{question.text}\n{question.options}"
            for question, total in zip(questions, totals, strict=True)
        ]
        totals = _compiled(texts)[-1]
        kept = np.flatnonzero(totals >= LEAST)
        chosen = [int(row) for row in kept]
        parts = _compiled([texts[row] for row in chosen])
        return cls(tuple(questions[row] for row in chosen), len(questions) - len(chosen), *parts)

    def __len__(self) -> int:
        return len(self.questions)


def identity(paths: Sequence[Path]) -> str:
    """Return a hash of the content of files of questions, whatever they are called."""
    return digest("questions", [sha256_file(path) for path in paths])


def read(path: Path) -> Iterator[Question]:
    """Yield the questions of a file. Raises SourceError naming file, line and remedy."""
    if not path.is_file():
        raise SourceError(f"{path}: no such file of evaluation questions; check the path")
    for number, row in _rows(path):
        id, text = _first(row, _IDS), _first(row, _TEXTS)
        if id is None or not isinstance(text, str):
            names = " or ".join(_IDS if id is None else _TEXTS)
            raise SourceError(f"{path}, record {number}: no {names}; it has: {', '.join(map(str, row)) or 'nothing'}")
        options = row.get("options")
        told = "\n".join(map(str, options)) if isinstance(options, list) else str(options or "")
        benchmark = str(row.get("benchmark") or path.name.split(".")[0])
        yield Question(*map(_clean, (str(id), benchmark, text, told)))


def _first(row: dict[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _clean(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    from pipeline.readers.content import Unreadable, opened

    file = InputFile("eval", path.name, str(path), path.stat().st_size, "")
    try:
        with opened(file, Limits()) as content:
            if content.damage:
                raise SourceError(f"{path}: {content.damage}")
            data = bytes(content.data[:])
    except (OSError, Unreadable) as error:
        raise SourceError(f"{path}: cannot be read ({error})") from None
    if data[:4] == b"PAR1":
        import pyarrow.parquet as pq

        yield from enumerate(pq.read_table(pa.BufferReader(data)).to_pylist())
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: no UTF-8 from byte {error.start} on; save it as UTF-8") from None
    if path.name.split(".")[1:2] == ["csv"]:
        yield from enumerate(csv.DictReader(io.StringIO(text)))
        return
    for number, line in enumerate(text.split("\n")):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            where = f"{path}, line {number + 1}"
            raise SourceError(f"{where}: no valid JSON ({error}); give JSON lines, Parquet or CSV") from None
        if not isinstance(value, dict):
            raise SourceError(f"{path}, line {number + 1}: a {type(value).__name__} where an object should be")
        yield number, value


def _compiled(texts: Sequence[str]) -> tuple[Any, ...]:
    """Return forms, table, slots, begins, rows, weights, totals of texts."""
    forms = match_forms(pa.array(list(texts), pa.large_string()))
    hashes = hash_shingles(forms.points, forms.starts, shingle_coefficients())
    counts = np.maximum(forms.counts - SHINGLE + 1, 0)
    row = np.repeat(np.arange(len(texts), dtype=np.int32), counts)
    place = (np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)).astype(np.int32)
    gram = hashes[np.repeat(forms.starts[:-1], counts) + place]
    order = np.lexsort((place, row, gram))
    gram, row, place = gram[order], row[order], place[order]
    first = np.flatnonzero(np.append(True, gram[1:] != gram[:-1])) if len(gram) else np.empty(0, np.int64)
    begins = np.append(first, len(gram)).astype(np.int64)
    number = np.repeat(np.arange(len(first)), np.diff(begins))
    new = np.append(True, (number[1:] != number[:-1]) | (row[1:] != row[:-1])) if len(gram) else np.empty(0, bool)
    df = np.bincount(number[new], minlength=len(first))
    weights = (1 - np.log(df) / np.log(max(len(texts), 2))).astype(np.float32)
    totals = np.bincount(row, weights[number], minlength=len(texts)).astype(np.float32)
    bits = max(4, int(np.ceil(np.log2(2 * len(first) + 1))))
    table, slots = np.zeros(1 << bits, np.uint64), np.full(1 << bits, -1, np.int32)
    wanted = np.flatnonzero(df <= MOST)
    fill(table, slots, gram[first[wanted]], wanted.astype(np.int32))
    return forms, table, slots, begins, row, weights, totals
