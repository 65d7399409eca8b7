import numpy as np
import pyarrow as pa
import pytest

from pipeline.dedup import candidates as module
from pipeline.dedup.buckets import NOTHING, Signed, distinct, group_rows, merged, pack, rows_of
from pipeline.dedup.candidates import LOW
from pipeline.dedup.signature import sign, signatures_schema
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


def signed_rows(tmp_path, minima: np.ndarray, dedup: Dedup) -> Signed:
    """Signatures made up, of texts that get shorter row by row."""
    rows = len(minima)
    hashes = [int(row).to_bytes(16, "little") for row in np.random.default_rng(2).permutation(rows) + 1]
    columns = [
        pa.array(hashes, pa.binary(16)),
        pa.array([row.tobytes() for row in minima], pa.binary(4 * minima.shape[1])),
        np.arange(rows, 0, -1),
    ]
    with Signed(tmp_path / "signed", dedup) as signed:
        signed.add(pa.RecordBatch.from_arrays(columns, schema=signatures_schema(minima.shape[1])))
        signed.done()
    return signed


def candidates(signed: Signed, band: int = 0) -> tuple[np.ndarray, np.ndarray]:
    packed = signed.packed(band, np.ones(signed.rows, bool))
    found = signed.candidates(packed, signed.in_large(packed))
    return (found >> np.uint64(32)).astype(int), (found & LOW).astype(int)


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
        one, other = candidates(signed, band)
        assert (one < other).all()
        found |= set(zip(one.tolist(), other.tolist(), strict=True))
    jaccards = brute_jaccards(texts)
    assert {pair for pair, value in jaccards.items() if value >= 0.8} <= found
    # Four standard errors below 0.8 is 0.59; a rejected pair may be estimated as much too high.
    assert all(jaccards[pair] > 0.35 for pair in found)


def test_a_large_bucket_gives_few_pairs_a_member_and_leaves_no_member_alone(tmp_path):
    rows = 3000
    dice = np.random.default_rng(1)
    # Eleven kinds that share the first band; within a kind nearly all minima are equal.
    kinds = dice.integers(0, 2**32, (11, 128), np.uint32)
    kinds[:, :5] = 7
    kind = dice.integers(0, 11, rows)
    minima = kinds[kind]
    noise = dice.random((rows, 128)) < 0.05
    noise[:, :5] = False
    minima[noise] = dice.integers(0, 2**32, int(noise.sum()), np.uint32)
    one, other = candidates(signed_rows(tmp_path, minima, Dedup()))
    assert rows - 11 <= len(one) <= rows * (module.NEAREST + 2)
    assert (kind[one] == kind[other]).all()
    # The first of a kind, which is its longest text, leads it: every other one is compared with it.
    first = [int(np.flatnonzero(kind == k)[0]) for k in range(11)]
    assert all(set(one[other == f]) == set(np.flatnonzero(kind == k)[1:]) for k, f in enumerate(first))


def test_the_leaders_of_a_large_bucket_do_not_depend_on_the_order_of_rows(tmp_path):
    dice = np.random.default_rng(3)
    minima = np.repeat(dice.integers(0, 2**32, (1, 128), np.uint32), 400, axis=0)
    noise = dice.random(minima.shape) < 0.1
    noise[:, :5] = False
    minima[noise] = dice.integers(0, 2**32, int(noise.sum()), np.uint32)
    hashes = [int(row).to_bytes(8, "little") + row.tobytes() for row in dice.integers(1, 2**62, 400)]
    chars = dice.integers(100, 103, 400)
    found = []
    for turn in range(2):
        order = np.arange(400) if not turn else dice.permutation(400)
        columns = [
            pa.array([hashes[row] for row in order], pa.binary(16)),
            pa.array([minima[row].tobytes() for row in order], pa.binary(512)),
            chars[order],
        ]
        with Signed(tmp_path / str(turn), Dedup()) as signed:
            signed.add(pa.RecordBatch.from_arrays(columns, schema=signatures_schema()))
            signed.done()
        one, other = candidates(signed)
        found.append(set(zip(order[one].tolist(), order[other].tolist(), strict=True)))
    assert len(found[0]) > 400
    assert found[0] == found[1]
