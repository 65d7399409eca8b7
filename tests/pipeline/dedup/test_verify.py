import numpy as np
import pyarrow as pa
import pytest

from pipeline.dedup import verify
from pipeline.dedup.pairs import count_rows, fetch_parquet
from pipeline.dedup.verify import Bins, compare, deal, halves, pack_two, shingle_sets
from schemas.errors import StoreError


def jaccards(tmp_path, parts, pairs, lengths, bin_bytes):
    """The Jaccard of pairs by way of bins, and how many bins there were."""
    bins = Bins(pairs, lambda rows: lengths[rows], bin_bytes)
    parts_dealt = list(deal(bins.dealt, bins.count, count_rows(parts), fetch_parquet(parts), tmp_path, map))
    assert parts_dealt == list(range(1, len(parts) + 1))
    found = np.full(len(pairs), -1.0)
    for number in range(bins.count):
        places, values = compare(tmp_path, bins, number)
        found[places] = values
    return found, bins.count


@pytest.mark.parametrize(("bin_bytes", "large"), [(1 << 20, 1 << 21), (1500, 1 << 21), (1, 1 << 21), (1 << 20, 60)])
def test_jaccard_is_exact_in_any_bins(tmp_path, written, planted, brute_jaccards, monkeypatch, bin_bytes, large):
    monkeypatch.setattr(verify, "LARGE", large)  # sets beyond it are sorted
    monkeypatch.setattr(verify, "_jaccards", verify._jaccards.py_func if large == 60 else verify._jaccards)
    texts = ["", "一", "一二三四", "一二三四五", "哈" * 50, "哈" * 70, *planted(5, originals=4)]
    _, parts = written(texts, ends=(3, 3, 11))
    expected = brute_jaccards(texts)
    left, right = np.array(list(expected), np.int64).T
    pairs = np.sort(np.concatenate([pack_two(left, right), pack_two(np.array([7]), np.array([0]))]))
    lengths = np.array([len(text) for text in texts])
    with np.errstate(over="ignore"):
        found, bins = jaccards(tmp_path, parts, pairs, lengths, bin_bytes)
    assert (bins > 1) == (bin_bytes < 1 << 20)
    got = dict(zip(zip(*(side.tolist() for side in halves(pairs)), strict=True), found.tolist(), strict=True))
    assert got.pop((7, 0)) == 0
    assert got == expected
    assert not list(tmp_path.glob("bin-*"))


def test_small_components_stay_whole_and_large_ones_are_cut(tmp_path):
    star = [(k, 100) for k in range(100)]
    twos = [(200 + 2 * k, 201 + 2 * k) for k in range(50)]
    one, other = (np.array(side) for side in zip(*star, *twos, strict=True))
    bins = Bins(np.sort(pack_two(one, other)), lambda rows: np.full(len(rows), 10), 30 * 20)
    rows, to = halves(bins.dealt)
    assert bins.count > 8
    # Only the middle of the star comes into several bins.
    assert {int(row) for row in rows if (rows == row).sum() > 1} == {100}
    assert np.bincount(to).max() <= 40
    seen = np.concatenate([bins.pairs(number)[0] for number in range(bins.count)])
    assert sorted(seen.tolist()) == list(range(150))


def test_only_wanted_rows_are_dealt(tmp_path, written):
    _, parts = written(["甲乙丙丁戊己", "不读这一行", "甲乙丙丁戊庚"])
    found, _ = jaccards(tmp_path, parts, pack_two(np.array([0]), np.array([2])), np.array([6, 5, 6]), 1000)
    assert found.tolist() == [1 / 3]


def test_no_pairs_need_no_bins(tmp_path, written):
    _, parts = written(["甲"])
    found, bins = jaccards(tmp_path, parts, np.empty(0, np.uint64), np.array([1]), 1000)
    assert (len(found), bins) == (0, 0)


def test_sets_hold_each_shingle_once(monkeypatch):
    texts = pa.array(["哈" * 50, "甲乙丙丁戊己", "", "天地" * 40])
    sets, counts = shingle_sets(texts)
    assert counts.tolist() == [1, 2, 0, 2]
    monkeypatch.setattr(verify, "LARGE", 10)
    large, same = shingle_sets(texts)
    assert same.tolist() == counts.tolist()
    ends = np.cumsum(counts)
    assert [set(part.tolist()) for part in np.split(large, ends)] == [set(p.tolist()) for p in np.split(sets, ends)]
    assert (np.diff(large[-2:].astype(object)) > 0).all()


def test_rows_are_counted_over_parts(tmp_path, written):
    signatures, _ = written(["甲", "乙", "丙"], ends=(0, 2))
    assert count_rows(signatures).tolist() == [0, 0, 2, 3]
    with pytest.raises(StoreError, match=r"absent\.parquet"):
        count_rows([tmp_path / "absent.parquet"])
