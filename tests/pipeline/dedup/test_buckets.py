import numpy as np
import pyarrow as pa
import pytest

from pipeline.dedup.buckets import NOTHING, Signed, distinct, group_rows, merged, pack, rows_of
from pipeline.dedup.candidates import LOW, WHOLE
from pipeline.dedup.signature import sign, signatures_schema
from pipeline.dedup.verify import halves
from schemas.errors import StoreError
from schemas.recipe import Dedup


@pytest.mark.parametrize(
    ("texts", "groups"),
    [
        (["甲乙丙丁", "", "別的", "甲乙，丙丁", "别的。", "——", "甲乙丙丁"], [0, NOTHING, 2, 0, 2, 5, 0]),
        ([], []),
    ],
)
def test_groups_name_the_lowest_row_with_the_same_match_form(tmp_path, texts, groups):
    with Signed(tmp_path, Dedup()) as signed:
        signed.add(sign(pa.array(texts, pa.string())))
        signed.done()
    assert group_rows(signed.hashes, signed.blank).tolist() == groups


def test_hashes_that_agree_in_the_upper_bits_only_are_told_apart(tmp_path):
    upper = np.uint64(7 << 32)
    hashes = np.array([[upper + np.uint64(k % 3), k % 2] for k in range(60)], np.uint64)
    hashes.tofile(tmp_path / "hashes")
    assert group_rows(tmp_path / "hashes", np.zeros(60, bool)).tolist() == [k % 6 for k in range(60)]


def test_rows_of_a_file_are_read_wherever_they_lie(tmp_path):
    numbers = np.arange(3 << 20, dtype=np.uint64).reshape(-1, 2)
    numbers.tofile(tmp_path / "numbers")
    rows = np.array([0, 1, (1 << 19) - 1, 1 << 19, 1 << 19, len(numbers) - 1])
    assert (rows_of(tmp_path / "numbers", 2, rows) == numbers[rows]).all()
    assert rows_of(tmp_path / "numbers", 2, rows[:0]).shape == (0, 2)


def test_signatures_of_other_permutations_are_refused_with_a_remedy(tmp_path):
    with (
        Signed(tmp_path, Dedup()) as signed,
        pytest.raises(StoreError, match="here: signatures of 64 permutations, the recipe asks for 128; set dedup"),
    ):
        signed.add(sign(pa.array(["一二三四五六"]), permutations=64), "here")


def test_distinct_sorts_and_drops_repeats():
    values = np.array([5, 1, 5, 0, 1], np.uint64)
    assert distinct(values).tolist() == [0, 1, 5]
    assert distinct(values[:0]).tolist() == []


def test_packed_keys_are_sorted_and_leave_out_rows_that_stand_for_none():
    packed = pack(np.array([9, 5, 9, 1], np.uint32), np.array([True, False, True, True]))
    assert [(int(p) >> 32, int(p & LOW)) for p in packed] == [(1, 3), (9, 0), (9, 2)]


@pytest.mark.parametrize("ranges", [1, 2, 7])
def test_files_of_pairs_are_merged_by_ranges(tmp_path, ranges):
    dice = np.random.default_rng(ranges)
    files = [distinct(dice.integers(0, 50 << 32, 200, np.uint64)) for _ in range(4)]
    files.append(np.empty(0, np.uint64))
    for number, file in enumerate(files):
        file.tofile(tmp_path / str(number))
    found = list(merged([tmp_path / str(number) for number in range(5)], ranges, 50))
    assert len(found) == ranges
    assert np.concatenate(found).tolist() == sorted(set(np.concatenate(files).tolist()))


@pytest.mark.parametrize("permutations", [125, 128, 130])
def test_candidates_are_the_pairs_that_share_a_band_and_pass_the_estimate(
    tmp_path, planted, brute_jaccards, permutations
):
    texts = list(dict.fromkeys(planted(3)))
    dedup = Dedup(permutations=permutations)
    with Signed(tmp_path / "signed", dedup) as signed:
        signed.add(sign(pa.array(texts), permutations=permutations))
        signed.done()
    found = set()
    for band in range(dedup.bands):
        pairs, large = signed.candidates(signed.packed(band, np.ones(signed.rows, bool)))
        assert not len(large)
        one, other = halves(pairs)
        assert (one < other).all()
        found |= set(zip(one.tolist(), other.tolist(), strict=True))
    jaccards = brute_jaccards(texts)
    assert {pair for pair, value in jaccards.items() if value >= 0.8} <= found
    # Four standard errors below 0.8 is 0.59; a rejected pair may be estimated as much too high.
    assert all(jaccards[pair] > 0.35 for pair in found)


def test_a_large_bucket_gives_no_pairs_but_its_entries(tmp_path):
    minima = np.random.default_rng(1).integers(0, 2**32, (WHOLE + 5, 128), np.uint32)
    minima[:, :5] = 7
    minima[:2, 5:10] = 9
    columns = [
        pa.nulls(len(minima), pa.binary(16)),
        pa.array([row.tobytes() for row in minima], pa.binary(512)),
        np.full(len(minima), 100),
    ]
    with Signed(tmp_path, Dedup()) as signed:
        signed.add(pa.RecordBatch.from_arrays(columns, schema=signatures_schema()))
        signed.done()
    every = np.ones(len(minima), bool)
    pairs, large = signed.candidates(signed.packed(0, every))
    assert not len(pairs)
    assert large.tolist() == signed.packed(0, every).tolist()
    assert not len(signed.candidates(signed.packed(1, every))[1])
