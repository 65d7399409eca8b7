"""Broken files of every format that has golden files: none ends the run, hangs, or swells, and each is accounted for.

The golden files are all that lie in folders beside this file, so a new format's are taken by themselves, and small
ones that other tests make. A file is broken by a seed: bits are flipped, a part is cut off, zeroed, repeated, or
swapped with one of another file. In zip packages it is the members, half of the time, so that what lies behind their
check sums is reached.
"""

import io
import random
import sqlite3
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from test_arrow import packed
from test_feed import rss
from test_jsonl import LINES
from test_mediawiki import DUMP
from test_parquet_reader import TEXTS, parquet
from test_sqlite import POSTS
from test_warc import answered, record

from pipeline.engine import own_memory
from pipeline.readers.formats import detect_format
from schemas.source import Limits

HERE = Path(__file__).parent


def database() -> bytes:
    """Return a small database in one file."""
    with sqlite3.connect(":memory:") as base:
        base.executescript(";".join(POSTS))
        return base.serialize()


FILES = sorted(
    path
    for path in HERE.glob("*/**/*")
    if path.is_file() and detect_format(path.name) and "__pycache__" not in str(path)
)
GOLDEN = [(path.name, path.read_bytes()) for path in FILES] + [
    ("made.arrow", packed("file")),
    ("made.feather", packed("feather")),
    ("made.db", database()),
    ("made.jsonl", LINES.encode()),
    ("made.parquet", parquet({"text": TEXTS})),
    ("made.rss", rss(*TEXTS).encode()),
    ("made.srt", b"1\n00:00:01,000 --> 00:00:02,000\n" + TEXTS[0].encode()),
    ("made.warc", record(block=answered()) * 3),
    ("made.xml", DUMP.encode()),
]
SECONDS, MEMORY = 20, 512 << 20
FEW, MANY = 60, 500
PACKAGES = (".docx", ".pptx", ".xlsx", ".odt", ".odp", ".ods", ".epub")


def broken(seed: int) -> tuple[str, bytes]:
    """Return the name of a golden file and its content, broken in one to three ways."""
    dice = random.Random(seed)
    name, data = GOLDEN[seed % len(GOLDEN)]
    if name.endswith(PACKAGES) and dice.random() < 0.5:
        return name, broken_inside(dice, data)
    return name, broken_bytes(dice, data)


def broken_inside(dice: random.Random, content: bytes) -> bytes:
    """Return a zip package whose members are broken, under the right check sums."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in whole.namelist():
            member = whole.read(name)
            made.writestr(name, broken_bytes(dice, member) if dice.random() < 0.3 else member)
    return out.getvalue()


def broken_bytes(dice: random.Random, content: bytes) -> bytes:
    """Return the content broken in one to three ways."""
    data, other = bytearray(content), dice.choice(GOLDEN)[1]
    for _ in range(dice.randint(1, 3)):
        size = len(data)
        begin = dice.randrange(size + 1)
        end = min(size, begin + dice.choice((1, 4, 64, 512)))
        way = dice.randrange(6)
        if way == 0:
            for _ in range(dice.choice((1, 8, 100))):
                if size:
                    data[dice.randrange(size)] ^= 1 << dice.randrange(8)
        elif way == 1:
            del data[begin:]
        elif way == 2:
            data[begin:end] = bytes(end - begin)
        elif way == 3:
            data[begin:begin] = data[begin:end] * 8
        elif way == 4:
            data[begin:end] = other[begin:end]
        else:
            del data[begin:end]
    return bytes(data)


def check(read: Callable, seeds: range) -> None:
    before = own_memory()
    for seed in seeds:
        name, content = broken(seed)
        begun = time.perf_counter()
        found = read(f"{seed}/{name}", content, limits=Limits(seconds=SECONDS))
        assert found.outcome["outcome"] in ("ok", "partial", "failed", "empty", "skipped"), (seed, name)
        assert time.perf_counter() - begun < 2 * SECONDS, (seed, name)
        assert own_memory() - before < MEMORY, (seed, name)


def test_a_seed_breaks_the_same_way_again() -> None:
    assert broken(7) == broken(7)
    assert any(broken(seed)[1] != GOLDEN[seed][1] for seed in range(9))


@pytest.mark.parametrize("part", range(4))
def test_some_broken_files_are_accounted_for(read: Callable, part: int) -> None:
    check(read, range(part * FEW // 4, (part + 1) * FEW // 4))


@pytest.mark.long
def test_many_broken_files_are_accounted_for(read: Callable) -> None:
    check(read, range(MANY))
