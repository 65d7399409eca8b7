import numpy as np
import pytest

from pipeline.dedup.verify import ShingleSets, count_rows
from schemas.errors import StoreError


def test_jaccard_is_exact(tmp_path, written, planted, brute_jaccards):
    texts = ["", "一", "一二三四", "一二三四五", "哈" * 50, "哈" * 70, *planted(5, originals=4)]
    _, parts = written(texts, ends=(3, 3, 11))
    expected = brute_jaccards(texts)
    left, right = np.array(list(expected), np.int64).T
    starts = count_rows(parts)
    sets = ShingleSets(tmp_path / "sets", np.arange(len(texts)))
    for part in (2, 0, 3, 1):
        sets.add_part(parts[part], int(starts[part]), int(starts[part + 1] - starts[part]))
    np.testing.assert_array_equal(sets.jaccards(left, right), list(expected.values()))
    np.testing.assert_array_equal(sets.jaccards(right, left), list(expected.values()))
    assert sets.jaccards(np.array([0]), np.array([7])) == 0


def test_only_chosen_rows_are_read(tmp_path, written):
    _, (path,) = written(["甲乙丙丁戊己", "不读这一行", "甲乙丙丁戊庚"])
    sets = ShingleSets(tmp_path / "sets", np.array([0, 2]))
    sets.add_part(path, 0, 3)
    assert (tmp_path / "sets").stat().st_size == 8 * 4
    assert sets.jaccards(np.array([0]), np.array([2])).tolist() == [1 / 3]


def test_no_pairs_need_no_sets(tmp_path):
    sets = ShingleSets(tmp_path / "sets", np.empty(0, np.int64))
    assert len(sets.jaccards(np.empty(0, np.int64), np.empty(0, np.int64))) == 0


def test_rows_are_counted_over_parts(tmp_path, written):
    signatures, _ = written(["甲", "乙", "丙"], ends=(0, 2))
    assert count_rows(signatures).tolist() == [0, 0, 2, 3]
    with pytest.raises(StoreError, match=r"absent\.parquet"):
        count_rows([tmp_path / "absent.parquet"])
