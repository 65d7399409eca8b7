"""Evaluation questions, compiled: what decontamination looks for in documents.

A file of questions is JSON lines (plain, gzip, zstd), Parquet or CSV. A question has an id (`id`, `bench_id`, or a
column without a name, as CMMLU has it) and a text (`question` or `text`), and may have options (`options`, or columns
`A`, `B`, ...) and `benchmark` (default: the file's name). Names of fields may be capitals.

What is compared is the match form, so a question in Traditional, full-width or re-punctuated form is the same. Each of
its 5-grams weighs the less the more questions share it (`1 - log df / log N`, an inverse document frequency), and
nothing within a stock phrase of exams; a character weighs what the lightest 5-gram over it does. So 下列说法正确的是
says nothing. A question whose own characters weigh less than LEAST together is looked for with its options, in any
order; where even these say too little it is left out, and counted.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, takewhile
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.matchform import match_forms
from pipeline.dedup.signature import SHINGLE, shingle_coefficients
from pipeline.overlap.seeds import Index, fill, hash_shingles
from pipeline.storage import digest, sha256_file
from pipeline.tables import lines_of, resource
from pipeline.text import CodePoints
from schemas.errors import SourceError
from schemas.manifest import Resource
from schemas.source import InputFile, Limits

# The weight in characters below which a question is too general to be looked for by itself.
LEAST = 8.0
# 5-grams of more questions than this are no seeds: they lead everywhere and say little.
MOST = 50
# How often a 5-gram is shared says little among few questions: fewer than this count as so many.
FEWEST = 1000
# A Chinese word of two characters says as much as a Latin one of six: what lies before the ideographs weighs a third.
IDEOGRAPHS, LETTER = 0x2E80, 1 / 3
MOST_CHARS = 20_000  # of a question that are looked for
FILTER = 32  # bits of the filter for each 5-gram: 3 of 100 characters pass it by chance
_STOCK = "stock_phrases.txt"
# What stands before an option: A. (B) C、 ④
_LABEL = re.compile(r"^\s*(?:[(（\[【]\s*[A-Za-z0-9]\s*[)）\]】]|[A-Za-z0-9]\s*[.．、:：)）]|[①-⑳])\s*")
_IDS, _TEXTS = ("bench_id", "id", ""), ("question", "text")


@dataclass(frozen=True)
class Question:
    """One question as its file has it."""

    id: str
    benchmark: str
    text: str
    options: str


@dataclass(frozen=True)
class Questions:
    """Questions that can be looked for, how many say too little for that, and the index of those that do not."""

    questions: tuple[Question, ...]
    left_out: int
    index: Index
    sizes: npt.NDArray[np.int64]

    @classmethod
    def load(cls, paths: Sequence[Path]) -> "Questions":
        """Read and compile files. Raises SourceError naming file, line and remedy for what is no question.

        Also where two of a benchmark have one id: what is found would not say which.
        """
        found: dict[tuple[str, str], str] = {}
        questions = []
        for path in paths:
            for place, question in read(path):
                where = f"{path}, {place}"
                earlier = found.setdefault((question.benchmark, question.id), where)
                if earlier is not where:
                    raise SourceError(
                        "{where}: the id '{id}' of benchmark '{benchmark}' is that of {earlier}; give each question an "
                        "id of its own, or each benchmark a name in a field `benchmark`",
                        where=where,
                        id=question.id,
                        benchmark=question.benchmark,
                        earlier=earlier,
                    )
                questions.append(question)
        return cls.of(questions)

    @classmethod
    def of(cls, questions: Sequence[Question]) -> "Questions":
        """Compile questions; those that say too little are left out."""
        alone = _totals(_compiled([[question.text] for question in questions]))
        parts = [
            [question.text, *(() if total >= LEAST else _options(question))]
            for question, total in zip(questions, alone, strict=True)
        ]
        kept = np.flatnonzero(_totals(_compiled(parts)) >= LEAST).tolist()
        index = _compiled([parts[row] for row in kept])
        sizes = np.diff(index.parts[index.starts])
        return cls(tuple(questions[row] for row in kept), len(questions) - len(kept), index, sizes)

    def __len__(self) -> int:
        return len(self.questions)


def identity(paths: Sequence[Path]) -> str:
    """Return a hash of the content of files of questions, whatever they are called."""
    return digest("questions", [sha256_file(path) for path in paths])


def read(path: Path) -> Iterator[tuple[str, Question]]:
    """Yield the questions of a file, each with its place.

    Raises SourceError naming file, line and remedy, also where there is none.
    """
    if not path.is_file():
        raise SourceError("{path}: no such file of evaluation questions; check the path", path=path)
    many = 0
    for place, found in _rows(path):
        row: dict[str, Any] = {}
        for name, value in found.items():
            row.setdefault(str(name).strip().lower(), value)
        id, text = _first(row, _IDS), _first(row, _TEXTS)
        if id is None or not isinstance(text, str):
            names = " or ".join(f"`{name}`" for name in (_IDS if id is None else _TEXTS) if name)
            there = ", ".join(map(str, found)) or "nothing"
            raise SourceError(
                "{path}, {place}: no {names}; it has: {there}. Give the field that name",
                path=path,
                place=place,
                names=names,
                there=there,
            )
        benchmark = str(row.get("benchmark") or path.name.split(".")[0])
        options = _told(row.get("options") or _lettered(row))
        yield place, Question(*map(_clean, (str(id), benchmark, text, options)))
        many += 1
    if not many:
        raise SourceError("{path}: no evaluation question in it; give JSON lines, Parquet or CSV with some", path=path)


def _lettered(row: dict[str, Any]) -> list[Any]:
    """The values of fields `a`, `b`, ... as far as there are some."""
    return [row[letter] for letter in takewhile(lambda c: row.get(c) not in (None, ""), ascii_lowercase)]


def _told(options: Any) -> str:
    """Return options, a list, a mapping by letter or a text, one a line."""
    if isinstance(options, dict):
        options = list(options.values())
    if isinstance(options, list):
        return "\n".join(" ".join(str(option).split()) for option in options if option is not None)
    return str(options or "")


def _first(row: dict[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _clean(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the records of a file, each with its place."""
    data = _bytes(path)
    if data[:4] == b"PAR1":
        yield from _parquet_rows(path, data)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            "{path}: no UTF-8 from byte {byte} on; save it as UTF-8", path=path, byte=error.start
        ) from None
    if "csv" in path.name.lower().split(".")[1:]:
        rows = csv.DictReader(io.StringIO(text, newline=""))
        try:
            for row in rows:
                yield f"line {rows.line_num}", row
        except csv.Error as error:
            where = f"{path}, line {rows.line_num}"
            raise SourceError("{where}: no valid CSV ({error}); mend the line", where=where, error=error) from None
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            where = f"{path}, line {number}"
            raise SourceError(
                "{where}: no valid JSON ({error}); give JSON lines, Parquet or CSV", where=where, error=error
            ) from None
        if not isinstance(value, dict):
            kind = type(value).__name__
            raise SourceError(f"{path}, line {number}: a {kind} where an object should be; give one object a line")
        yield f"line {number}", value


def _bytes(path: Path) -> bytes:
    from pipeline.readers.content import Unreadable, opened

    file = InputFile("eval", path.name, str(path), path.stat().st_size, "")
    try:
        with opened(file, Limits()) as content:
            if content.damage:
                raise SourceError(f"{path}: {content.damage}")
            return bytes(content.data[:])
    except (OSError, Unreadable) as error:
        raise SourceError(
            "{path}: cannot be read ({error}); check that it is whole and may be read", path=path, error=error
        ) from None


def _parquet_rows(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(pa.BufferReader(data)).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise SourceError("{path}: no whole Parquet file ({error}); write it again", path=path, error=error) from None
    for number, row in enumerate(rows):
        yield f"record {number}", row


def _options(question: Question) -> list[str]:
    return [option for line in question.options.splitlines() if (option := _LABEL.sub("", line).strip())]


def stock() -> Resource:
    """Return the record of the phrases that every exam has."""
    return resource(__package__, _STOCK, "CC0-1.0")


@cache
def _stock_grams() -> npt.NDArray[np.uint64]:
    forms = match_forms(pa.array(lines_of(__package__, _STOCK), pa.large_string()))
    return np.unique(hash_shingles(forms.points, forms.starts, shingle_coefficients()))


def _totals(index: Index) -> npt.NDArray[np.float64]:
    """Return the weight of each question in characters."""
    return np.diff(index.weights[index.parts[index.starts]])


def _compiled(questions: Sequence[Sequence[str]]) -> Index:
    """Return the index of questions of one part or several."""
    forms, starts = _forms(questions)
    counts = np.diff(starts)
    hashes = hash_shingles(forms.points, forms.starts, shingle_coefficients())
    points = np.flatnonzero(hashes)
    row = np.repeat(np.repeat(np.arange(len(questions)), counts), forms.counts)
    place = np.arange(len(row)) - forms.starts[starts[:-1]][row]
    order = points[np.lexsort((points, hashes[points]))]
    grams, number = np.unique(hashes[order], return_inverse=True)
    new = np.ones(len(order), bool)  # the first of a gram in its question
    new[1:] = (number[1:] != number[:-1]) | (row[order][1:] != row[order][:-1])
    df = _document_frequencies(number[new], row[order][new], _kinds(forms, starts), len(grams))
    weights = np.maximum(1 - np.log(np.maximum(df, 1)) / np.log(max(len(questions), FEWEST)), 0)
    weights[np.isin(grams, _stock_grams())] = 0
    of_point = np.full(len(row), np.inf)
    of_point[order] = weights[number]
    letters = np.where(forms.points < IDEOGRAPHS, LETTER, 1.0)
    wanted = (df <= MOST) & (weights > 0)
    seeds = np.zeros(len(row), np.float32)
    chosen = order[new & wanted[number]]
    seeds[chosen] = of_point[chosen] * sum(letters[chosen + k] for k in range(SHINGLE)) / SHINGLE
    many = np.bincount(number[new & wanted[number]], minlength=len(grams))
    return Index(
        forms.points,
        forms.starts,
        starts,
        *_table(np.where(wanted, grams, 0)),
        np.concatenate([[0], np.cumsum(many)]).astype(np.int64),
        row[chosen].astype(np.int32),
        place[chosen].astype(np.int32),
        seeds,
        np.bincount(row, seeds, minlength=len(questions)).astype(np.float32),
        np.concatenate([[0.0], np.cumsum(letters * _of_characters(of_point))]),
    )


def _forms(questions: Sequence[Sequence[str]]) -> tuple[CodePoints, npt.NDArray[np.int64]]:
    """Return the match forms of all parts, and which part is the first of each question."""
    parts = [part[:MOST_CHARS] for question in questions for part in question]
    forms = match_forms(pa.array(parts, pa.large_string()))
    return forms, np.concatenate([[0], np.cumsum([len(question) for question in questions])]).astype(np.int64)


def _kinds(forms: CodePoints, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return equal numbers for questions of equal words: one that comes twice is one."""
    seen: dict[bytes, int] = {}
    edges = forms.starts[starts]
    words = (forms.points[a:b].tobytes() for a, b in pairwise(edges))
    return np.array([seen.setdefault(word, len(seen)) for word in words], np.int64)


def _document_frequencies(
    grams: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], kinds: npt.NDArray[np.int64], many: int
) -> npt.NDArray[np.int64]:
    """Return of each gram how many kinds of questions hold it."""
    both = np.unique(np.stack([grams, kinds[rows]]), axis=1)
    return np.bincount(both[0], minlength=many)


def _of_characters(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the least weight of the 5-grams over each character, 0 where there is none; infinity marks no gram."""
    least = weights.copy()
    for k in range(1, SHINGLE):
        least[k:] = np.minimum(least[k:], weights[:-k])
    return np.where(np.isinf(least), 0.0, least)


def _table(grams: npt.NDArray[np.uint64]) -> tuple[Any, Any, Any]:
    """Return filter, table and slots of grams; 0 stands for one that is no seed."""
    wanted = np.flatnonzero(grams)
    bits = max(4, int(np.ceil(np.log2(2 * len(wanted) + 1))))
    table, slots = np.zeros(1 << bits, np.uint64), np.full(1 << bits, -1, np.int32)
    filter = np.zeros(max(1, (1 << bits) * FILTER // 2 // 64), np.uint64)
    fill(table, slots, filter, grams[wanted], wanted.astype(np.int32))
    return filter, table, slots
