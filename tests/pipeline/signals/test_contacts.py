import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.signals.contacts import Contacts


def measured(text: str) -> dict[str, Any]:
    signal = Contacts()
    arrays = signal.measure(pa.record_batch({"text": pa.array([text], pa.string())}))
    return {name: array[0].as_py() for name, array in zip(signal.adds, arrays, strict=True)}


@pytest.mark.parametrize(
    "text",
    [
        *("电话13800131234", "1-3-8 0013 1234", "138００１３１２３４", "①③⑧00131234", "一三八零零一三一二三四"),
        *("010-12345678", "（0755）1234567", "请拨400-800-1234"),
        *(
            "QQ：123456",
            "ＱＱ：１２３４５６",
            "Q.Q 1234567",
            "微 信 号：abc12345",
            "薇信ab_12345",
            "加V",
            "加 V ：a b c",
            "加+群",
        ),
        *("加君羊", "进群领取", "[手机号]", "电话：[手机号]", "扣扣是１２３４５"),
    ],
)
def test_counts_a_contact_once(text: str) -> None:
    assert measured(text)["contact_count"] == 1


@pytest.mark.parametrize(
    "text",
    [
        *(
            "微信是一种软件。",
            "2019年10月20日",
            "第12345678901条之一234",
            "型号138001312345",
            "hotel 12345",
            "IV x 12345",
            "12345",
        ),
        *(
            "QQ1234",
            "电话\n12345",
            "x13800131234y",
            "加法",
            "共13,800,131,234元",
            "版本 1.2.3",
            "一二三",
            "ISBN 978-7-5086-1234-5",
            "0.1380013123",
            "a13800131234",
        ),
    ],
)
def test_other_numbers_and_words_are_none(text: str) -> None:
    assert measured(text)["contact_count"] == 0


def test_density_is_a_thousand_visible_characters() -> None:
    assert measured("甲 " * 989 + "13800131234") == {"contact_count": 1, "contact_density": 1.0}


@given(text=st.text("加微信群qQvV１1２2 -：甲\n[手机号]", max_size=60))
def test_visible_characters_are_counted_once(text: str) -> None:
    row = measured(text)
    visible = sum(not char.isspace() for char in text)
    assert row["contact_density"] == pytest.approx(1000 * row["contact_count"] / max(1, visible))


@pytest.mark.parametrize("part", ["1", "1 ", "q q ", "加v", "微信 ", "一", "微信1-"])
def test_ten_megabytes_of_one_thing_take_seconds(part: str) -> None:
    text = part * (10_000_000 // len(part.encode()))
    measured(part)
    started = time.process_time()
    measured(text)
    assert time.process_time() - started < 10
