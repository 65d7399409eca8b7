import errno
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.dedup import buckets
from pipeline.dedup.buckets import Sketches, distinct, group_rows
from schemas.errors import StoreError
from schemas.recipe import Dedup


def test_groups_name_the_lowest_row_with_the_same_match_form(written):
    signatures, _ = written(["甲乙丙丁", "", "別的", "甲乙，丙丁", "别的。", "——", "甲乙丙丁"], ends=(0, 2, 5))
    assert group_rows(signatures).tolist() == [0, -1, 2, 0, 2, 5, 0]


def test_no_parts_have_no_groups():
    assert group_rows([]).tolist() == []


def test_a_foreign_file_is_refused_with_its_name_and_a_remedy(tmp_path, written):
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"hash": [b"1"]}), other)
    with pytest.raises(StoreError, match=r"other\.parquet: has no column 'match_hash'.*sign it again"):
        group_rows([other])
    signatures, _ = written(["一二三四五六"], permutations=64)
    with pytest.raises(StoreError, match="64 permutations, the recipe asks for 128; set dedup.permutations"):
        Sketches(signatures, np.zeros(1, np.int64), Dedup(), tmp_path)


def test_distinct_sorts_and_drops_repeats():
    values = np.array([5, 1, 5, 0, 1], np.uint64)
    assert distinct(values).tolist() == [0, 1, 5]
    assert distinct(values[:0]).tolist() == []


def all_candidates(sketches: Sketches, published: int = 0) -> set[tuple[int, int]]:
    place = np.arange(len(sketches.rows))
    found = [sketches.candidates(band, place, published) for band in range(sketches.dedup.bands)]
    return {(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in np.concatenate(found)}


@pytest.mark.parametrize("permutations", [125, 128, 130])
def test_candidates_are_the_pairs_that_share_a_band_and_pass_the_estimate(
    tmp_path, written, planted, brute_jaccards, permutations
):
    texts = planted(3)
    dedup = Dedup(permutations=permutations)
    signatures, _ = written(texts, permutations=permutations)
    groups = group_rows(signatures)
    sketches = Sketches(signatures, groups, dedup, tmp_path)
    found = {(int(sketches.rows[a]), int(sketches.rows[b])) for a, b in all_candidates(sketches)}
    jaccards = brute_jaccards(texts)
    representatives = set(sketches.rows.tolist())
    near = {pair for pair, value in jaccards.items() if value >= 0.8 and representatives.issuperset(pair)}
    assert near <= found
    # Four standard errors below 0.8 is 0.66; a rejected pair may be estimated as much too high.
    assert all(jaccards[pair] > 0.45 for pair in found)


def test_pairs_of_published_documents_are_no_candidates(tmp_path, written):
    text = "".join(chr(0x4E00 + i) for i in range(200))
    signatures, _ = written([text + end for end in "甲乙丙丁"])
    sketches = Sketches(signatures, group_rows(signatures), Dedup(), tmp_path)
    assert all_candidates(sketches, published=2) == {(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}


def test_a_large_bucket_gives_few_pairs_a_member_and_leaves_no_member_alone(tmp_path, monkeypatch):
    rows = 3000
    dice = np.random.default_rng(1)
    # Eleven kinds that share the first band; within a kind nearly all minima are equal.
    kinds = dice.integers(0, 2**32, (11, 128), np.uint32)
    kinds[:, :5] = 7
    kind = dice.integers(0, 11, rows)
    signatures = kinds[kind]
    noise = dice.random((rows, 128)) < 0.05
    noise[:, :5] = False
    signatures[noise] = dice.integers(0, 2**32, int(noise.sum()), np.uint32)
    path = tmp_path / "signatures.parquet"
    pq.write_table(pa.table({"signature": pa.array([row.tobytes() for row in signatures], pa.binary(512))}), path)
    sketches = Sketches([path], np.arange(rows), Dedup(), tmp_path)
    found = sketches.candidates(0, np.arange(rows), 0)
    left, right = (found >> np.uint64(32)).astype(int), (found & np.uint64(0xFFFFFFFF)).astype(int)
    assert rows - 11 <= len(found) <= rows * buckets.NEAREST
    assert (kind[left] == kind[right]).all()
    # The first member of a kind leads it: every other one is compared with it.
    first = [int(np.flatnonzero(kind == k)[0]) for k in range(11)]
    assert all(set(right[left == f]) == set(np.flatnonzero(kind == k)[1:]) for k, f in enumerate(first))


def test_room_for_mapped_keys_is_reserved_when_the_file_is_made(tmp_path):
    buckets._reserve(tmp_path / "keys", 3 << 20)
    stat = (tmp_path / "keys").stat()
    assert stat.st_size == 3 << 20
    assert stat.st_blocks * 512 >= 3 << 20
    buckets._reserve(tmp_path / "none", 0)
    assert (tmp_path / "none").stat().st_size == 0


def test_a_disk_without_room_is_an_error_before_any_of_it_is_taken(tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: taken.append(1))  # never the real one: it would fill the disk
    disk = os.statvfs(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        buckets._reserve(tmp_path / "keys", 2 * disk.f_frsize * disk.f_blocks)
    assert not taken


def test_a_reservation_that_fails_gives_back_what_it_took(tmp_path, monkeypatch):
    def part_of_it(file: int, *_: int) -> None:
        os.write(file, bytes(1 << 20))
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "posix_fallocate", part_of_it)
    with pytest.raises(OSError, match="no room"):
        buckets._reserve(tmp_path / "keys", 2 << 20)
    assert (tmp_path / "keys").stat().st_size == 0


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL, None])
def test_where_room_cannot_be_reserved_the_file_has_holes(tmp_path, monkeypatch, code):
    def refuse(*_: int) -> None:
        raise OSError(code, "not here")

    if code is None:
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", refuse)
    buckets._reserve(tmp_path / "keys", 1 << 20)
    assert (tmp_path / "keys").read_bytes() == bytes(1 << 20)
