"""Broken files of every format that has golden files: none ends the run, hangs, or swells, and each is accounted for.

The golden files are all that lie in folders beside this file, so a new format's are taken by themselves. A file is
broken by a seed: bits are flipped, a part is cut off, zeroed, repeated, or swapped with one of another file.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engine import own_memory
from pipeline.readers.formats import detect_format
from schemas.source import Limits

HERE = Path(__file__).parent
GOLDEN = sorted(
    path
    for path in HERE.glob("*/**/*")
    if path.is_file() and detect_format(path.name) and "__pycache__" not in str(path)
)
SECONDS, MEMORY = 20, 512 << 20
FEW, MANY = 60, 500


def broken(seed: int) -> tuple[str, bytes]:
    """Return the name of a golden file and its content, broken in one to three ways."""
    dice = random.Random(seed)
    path, other = GOLDEN[seed % len(GOLDEN)], dice.choice(GOLDEN).read_bytes()
    data = bytearray(path.read_bytes())
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
    return path.name, bytes(data)


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
    assert any(
        broken(seed)[1] != next(p for p in GOLDEN if p.name == broken(seed)[0]).read_bytes() for seed in range(9)
    )


@pytest.mark.parametrize("part", range(4))
def test_some_broken_files_are_accounted_for(read: Callable, part: int) -> None:
    check(read, range(part * FEW // 4, (part + 1) * FEW // 4))


@pytest.mark.long
def test_many_broken_files_are_accounted_for(read: Callable) -> None:
    check(read, range(MANY))
