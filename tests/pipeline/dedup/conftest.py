"""What the tests of near-duplicates share: an independent definition, small corpora with planted edits, brute force."""

import random
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.dedup.buckets import Signed
from pipeline.dedup.index import Segment, write_segment
from pipeline.dedup.pairs import Found, count_rows, fetch_parquet, find_pairs, scratch_folder
from pipeline.dedup.signature import sign
from pipeline.storage import batches
from schemas.recipe import Dedup

Parts = tuple[list[Path], list[Path]]


@cache
def _simplified(char: str) -> str:
    import opencc

    return opencc.OpenCC("t2s").convert(char)


def _define(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = (
        c for c in folded if unicodedata.category(c)[0] not in "PSZ" and unicodedata.category(c) not in ("Cc", "Cf")
    )
    return "".join(map(_simplified, kept))


def _shingles(form: str) -> frozenset[str]:
    return frozenset(form[i : i + 5] for i in range(len(form) - 4)) or frozenset([form])


@pytest.fixture(scope="session")
def definition() -> Callable[[str], str]:
    """The match form of a text, straight from its definition: no table, no kernel, OpenCC itself."""
    return _define


@pytest.fixture(scope="session")
def brute_jaccards() -> Callable[[Sequence[str]], dict[tuple[int, int], float]]:
    """The Jaccard of every two texts that have a match form."""

    def measure(texts: Sequence[str]) -> dict[tuple[int, int], float]:
        sets = {row: _shingles(form) for row, text in enumerate(texts) if (form := _define(text))}
        return {(a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in combinations(sets, 2)}

    return measure


@pytest.fixture(scope="session")
def planted() -> Callable[..., list[str]]:
    """A corpus of random Han texts and variants of them under scattered edits, in random order."""

    def make(seed: int, originals: int = 12, variants: int = 5, length: int = 150) -> list[str]:
        dice = random.Random(seed)
        texts = []
        for _ in range(originals):
            text = "".join(chr(dice.randrange(0x4E00, 0x5400)) for _ in range(dice.randrange(6, length)))
            texts.append(text)
            for _ in range(variants):
                chars = list(text)
                for _ in range(dice.randrange(5)):
                    chars[dice.randrange(len(chars))] = dice.choice(["，", "A", "ａ", "國", "。\n", chars[0]])
                texts.append("".join(chars))
        dice.shuffle(texts)
        return texts

    return make


@pytest.fixture
def search(tmp_path: Path, written: Callable[..., Parts]) -> Callable[..., Found]:
    """Find groups and pairs of texts; `ends` cut them into parts, `against` are segments of what stays."""

    def find(texts: Sequence[str], dedup: Dedup | None = None, ends: Iterable[int] = (), **options: Any) -> Found:
        dedup = dedup or Dedup()
        files, documents = written(texts, ends, dedup.permutations) if len(texts) else ([], [])
        with scratch_folder(tmp_path / "scratch", "pairs") as scratch:
            with Signed(scratch / "signed", dedup) as signed:
                for path in files:
                    for table in batches(path):
                        signed.add(table, path)
                signed.done()
            fetch = fetch_parquet(documents)
            return find_pairs(signed, count_rows(documents), fetch, dedup, scratch=scratch, **options)

    return find


@pytest.fixture
def segment(tmp_path: Path) -> Callable[..., Segment]:
    """Write texts as a segment of an index; ids are `old-<row>` unless given."""

    def write(texts: Sequence[str], dedup: Dedup | None = None, ids: Sequence[str] | None = None) -> Segment:
        dedup = dedup or Dedup()
        folder = tmp_path / f"segment-{len(list(tmp_path.glob('segment-*')))}"
        column = pa.array(texts, pa.string())
        names = ids or [f"old-{row}" for row in range(len(texts))]
        write_segment(folder, dedup, [pa.table({"id": pa.array(names, pa.string()), "text": column})])
        return Segment.open(folder, dedup, "make it again")

    return write


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Parts]:
    """Write texts and their signatures as Parquet parts that end at the given rows."""

    def write(texts: Sequence[str], ends: Iterable[int] = (), permutations: int = 128) -> Parts:
        signatures, documents, start = [], [], 0
        for end in [*ends, len(texts)]:
            column = pa.array(texts[start:end], pa.string())
            name = f"{len(texts)}-{start}-{end}-{permutations}-{len(signatures)}.parquet"
            signatures.append(tmp_path / f"signatures-{name}")
            documents.append(tmp_path / f"texts-{name}")
            pq.write_table(pa.Table.from_batches([sign(column, permutations=permutations)]), signatures[-1])
            pq.write_table(pa.table({"id": pa.array(range(start, end), pa.int64()), "text": column}), documents[-1])
            start = end
        return signatures, documents

    return write
