import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests_support import edited

from pipeline.dedup.signature import parameters, sign_for
from pipeline.overlap.estimate import METADATA, estimate, parameters_of
from schemas.errors import StoreError
from schemas.recipe import Dedup


@pytest.fixture
def signed(tmp_path):
    """Write the signatures of texts as a file that stands for a dataset."""

    def write(name, texts, dedup=None, metadata=True):
        dedup = dedup or Dedup()
        table = pa.Table.from_batches([sign_for(dedup, pa.array(texts, pa.string()))])
        note = {METADATA: json.dumps(parameters(dedup))} if metadata else None
        pq.write_table(table.replace_schema_metadata(note), tmp_path / f"{name}.parquet")
        return [tmp_path / f"{name}.parquet"]

    return write


def text(dice, length=160):
    return "".join(chr(dice.randrange(0x4E00, 0x5400)) for _ in range(length))


def jaccard(one, other):
    sets = [{value[i : i + 5] for i in range(len(value) - 4)} for value in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_equal_texts_are_known_and_unlike_ones_are_not_there(tmp_path, signed):
    dice = random.Random(1)
    texts = [text(dice) for _ in range(100)]
    a = signed("a", texts)
    b = signed("b", [*texts[:30], *(text(dice) for _ in range(70)), "", " "])
    one, other = estimate(a, b, tmp_path)
    assert (one.documents, other.documents) == (100, 102)
    for share in (one.of_documents, one.of_characters):
        assert (share.share, share.low, share.high, share.exact) == pytest.approx((0.3, 0.3, 0.3, 0.3), abs=1e-6)
    assert other.of_documents.share == pytest.approx(30 / 102)
    assert one.characters == 16_000


def test_the_interval_covers_the_true_share_about_as_often_as_it_says(tmp_path, signed):
    covered = []
    for seed in range(24):
        dice = random.Random(seed)
        a, b = [], []
        for _ in range(400):
            source = text(dice)
            a.append(source)
            # One in three unrelated, the others from nearly equal to well below the threshold.
            b.append(edited(dice, source, dice.randrange(14)) if dice.random() < 0.66 else text(dice))
        true = np.mean([jaccard(*pair) >= 0.8 for pair in zip(a, b, strict=True)])
        (tmp_path / str(seed)).mkdir()
        one, _ = estimate(signed("a", a), signed("b", b), tmp_path / str(seed))
        assert abs(one.of_documents.share - true) < 0.06
        covered.append(one.of_documents.low <= true <= one.of_documents.high)
    assert np.mean(covered) >= 0.85


def test_nothing_is_in_nothing(tmp_path, signed):
    one, other = estimate(signed("a", []), signed("b", ["一二三四五六七"]), tmp_path)
    assert (one.documents, one.of_documents.share, other.of_documents.high) == (0, 0.0, 0.0)


def test_the_result_is_the_same_again(tmp_path, signed):
    dice = random.Random(5)
    texts = [text(dice) for _ in range(60)]
    files = signed("a", texts), signed("b", [edited(dice, one, 5) for one in texts])
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        found.append(estimate(*files, tmp_path / name))
    assert found[0] == found[1]


def test_files_made_otherwise_are_refused_and_the_difference_named(tmp_path, signed):
    a = signed("a", ["一二三四五六七"])
    b = signed("b", ["一二三四五六七"], Dedup(seed=7))
    with pytest.raises(StoreError, match=r"made with seed 1, but 7 in .*b\.parquet; sign one of them again"):
        estimate(a, b, tmp_path)
    with pytest.raises(StoreError, match=r"b\.parquet: made with seed 7, but 1 in .*a\.parquet"):
        parameters_of([*a, *b])
    with pytest.raises(StoreError, match="does not say how its signatures were made"):
        parameters_of(signed("c", ["一二三四五六七"], metadata=False))
