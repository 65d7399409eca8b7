"""Lists of search keywords are told from lists of things and from sentences."""

import pyarrow as pa
import pytest

from pipeline.signals.keywords import Keywords


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("上海租车 上海租车公司 上海租车价格 上海商务租车", 1.0),
        ("上海租车,上海租车公司|上海租车价格_上海商务租车", 22 / 25),
        ("上海租车，上海租车公司，上海租车价格，上海商务租车", 22 / 25),
        ("上海租车 上海租车公司 上海租车价格", 0.0),
        ("苹果 香蕉 鸭梨 西瓜 葡萄 樱桃", 0.0),
        ("the cat the hat the mat the bat", 0.0),
        ("上海租车。上海租车公司。上海租车价格。上海商务租车。", 0.0),
        ("", 0.0),
    ],
)
def test_counts_phrases_that_repeat_the_one_before(text: str, share: float) -> None:
    (column,) = Keywords().measure(pa.record_batch({"text": pa.array([text], pa.string())}))
    assert column.to_pylist() == [pytest.approx(share)]
