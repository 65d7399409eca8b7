"""Large files in parts, so that many tasks read one: the records of all parts are those of the whole file.

That a file is read in parts, and in how many, follows from its name and size alone, so planning reads nothing. Before
the first part is read, one pass over the file (`cut`) finds where records begin, their ordinals, the encoding, and the
digest of each part; a file that cannot be parted after all is read whole by its first part, and the others are empty.
What became of the parts is told as one file again (`joined`).

Trade-off: the pass runs in the process that hands out the work, at 0.5 GB/s (0.8 where nothing is hashed), before the
workers begin, and again where a run was stopped while parts were left. An id that occurs again in another part is no
bad record, as in one file, but is decided on as between files. Behind damage in one part of a Parquet file the other
parts are read.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from xxhash import xxh3_128

from pipeline.readers.formats import detect_format
from schemas.decision import FILES, Outcome, bad_records
from schemas.errors import SourceError
from schemas.source import UNREADABLE, InputFile, Limits, Part, Source

# A part takes a few seconds to read, beside which a task costs nothing, and there are 40 for a file of 10 GB.
PART_BYTES = 256 << 20
PARTED = ("jsonl", "parquet")  # formats by name whose readers have `borders`
EDGE = 1 << 20  # bytes at either end of the file that every part depends on: the first record, the footer
BLOCK = 1 << 20


def planned(file: InputFile) -> list[InputFile]:
    """Return the parts that a file is to be read in, yet without their borders; the file itself where it is small."""
    count = file.bytes // PART_BYTES
    if count < 2 or "://" in file.path or detect_format(file.uri) not in PARTED:
        return [file]
    return [replace(file, part=Part(number, count)) for number in range(count)]


def name(file: InputFile) -> tuple[int, ...]:
    """Return what tells a part from the other parts of its file; nothing for a whole file."""
    return () if file.part is None else (file.part.number, file.part.count)


def cut(file: InputFile, count: int, source: Source, limits: Limits) -> list[InputFile]:
    """Return the parts of a file with their borders. Raises SourceError where it is not what the snapshot hashed.

    Where it cannot be read in parts, the first is the whole file and the others are empty.
    """
    from pipeline.readers.reading import borders_of

    try:
        found = borders_of(file, source, limits, [file.bytes * number // count for number in range(1, count)])
        if found is None:
            nothing = _digests(file, [(0, 0)])[0]
            return [
                replace(file, part=None),
                *(replace(file, part=Part(n, count, digest=nothing)) for n in range(1, count)),
            ]
        intake, inner = found
        starts, records = zip((0, 0), *inner, strict=True)
        ranges = list(pairwise((*starts, file.bytes)))
        digests = _digests(file, ranges)
    except OSError:  # reading the first says what is wrong
        return [replace(file, part=Part(n, count) if n else None) for n in range(count)]
    return [
        replace(file, part=Part(n, count, *ranges[n], records[n], intake.evidence or "", bool(intake.bom), digests[n]))
        for n in range(count)
    ]


def is_as_it_was(file: InputFile) -> bool:
    """Whether the bytes that a part with borders depends on are those it was cut from. Raises OSError."""
    assert file.part is not None, f"{file.uri} is no part"
    with Path(file.path).open("rb") as stream:
        digest = _edges(stream, file.bytes)
        for block in _bytes(stream, file.part.start, file.part.end):
            digest.update(block)
    return str(digest.hexdigest()) == file.part.digest


def _digests(file: InputFile, ranges: Sequence[tuple[int, int]]) -> list[str]:
    """Return the digest of each range; nothing of a file that nobody hashed. Raises OSError, SourceError as `cut`."""
    if file.sha256 in ("", UNREADABLE):
        return [""] * len(ranges)
    whole, found = hashlib.sha256(), []
    with Path(file.path).open("rb") as stream:
        for start, end in ranges:
            digest = _edges(stream, file.bytes)
            for block in _bytes(stream, start, end):
                whole.update(block)
                digest.update(block)
            found.append(str(digest.hexdigest()))
    if ranges[-1][1] == file.bytes and whole.hexdigest() != file.sha256:
        raise SourceError(
            f"{file.path}: was changed or removed while the run was reading it; run again when it is still"
        )
    return found


def _edges(stream: IO[bytes], size: int) -> Any:
    """Return the digest of a file's size, its first bytes and its last ones."""
    digest = xxh3_128(b"%d" % stream.seek(0, 2))
    for start, end in ((0, min(EDGE, size)), (max(0, size - EDGE), size)):
        for block in _bytes(stream, start, end):
            digest.update(block)
    return digest


def _bytes(stream: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    stream.seek(start)
    while start < end and (block := stream.read(min(BLOCK, end - start))):
        yield block
        start += len(block)


def joined(files: pa.Table) -> pa.Table:
    """Return rows of FILES with those of the parts of one file, which are in order, made into one."""
    keys = ["source", "uri", "sha256"]
    if files.group_by(keys).aggregate([]).num_rows == files.num_rows:
        return files
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in files.to_pylist():
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return pa.Table.from_pylist([_one(rows) for rows in found.values()], FILES)


def _one(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of a file from those of its parts, as `Reading` makes it of the whole file."""
    told = [row for row in rows if row["outcome"] != Outcome.EMPTY]
    if len(told) < 2:
        return (told or rows)[0]
    records, bad = sum(row["records"] for row in told), sum(row["bad_records"] for row in told)
    losses: list[str] = []
    firsts: list[str] = []
    for row in told:
        before, mark, first = (
            row["reason"].partition(bad_records(row["bad_records"])) if row["bad_records"] else (row["reason"], "", "")
        )
        losses += before.removesuffix("; ").split("; ") if before else []
        firsts += [first] if mark else []
    reasons = [*dict.fromkeys(losses), *(bad_records(bad) + first for first in firsts[:1])]
    outcome = (Outcome.PARTIAL if reasons else Outcome.OK) if records else Outcome.FAILED
    notes = "; ".join(dict.fromkeys(row["notes"] for row in told if row["notes"]))
    values = {"outcome": outcome.value, "records": records, "bad_records": bad, "reason": "; ".join(reasons)}
    return {**told[0], **values, "notes": notes or None}
