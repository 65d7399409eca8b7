import time
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals.phrasing import Phrasing


def measured(text: str, **parameters: Any) -> dict[str, Any]:
    signal = Phrasing(**parameters)
    arrays = signal.measure(pa.record_batch({"text": pa.array([text], pa.string())}))
    return {name: array[0].as_py() for name, array in zip(signal.adds, arrays, strict=True)}


TERMS = "在线观看 免费电影 高清影视 热门剧集 手机下载"
GAMES = "棋牌游戏棋牌平台棋牌下载棋牌官网"


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        *(
            ("function_char_share", "我的书", 2 / 3),
            ("function_char_share", "abc，", 0.0),
            ("function_char_share", "能会在", 0.0),
        ),
        *(("functionless_share", "天" * 30, 1.0), ("functionless_share", "天" * 29, 0.0)),
        *(
            ("functionless_share", "天，\n" * 15 + "的" + "地" * 30, 30 / 46),
            ("functionless_share", "天地" * 14 + "的", 0.0),
        ),
        *(("phrase_list_share", TERMS, 1.0), ("phrase_list_share", TERMS.replace(" ", "\n"), 0.0)),
        *(
            ("phrase_list_share", "棋牌、彩票、体育、电竞、真人。结束了", 10 / 18),
            ("phrase_list_share", "有的人，有的事，他的书，你的笔，我的家", 0.0),
        ),
        *(
            ("phrase_list_share", "the quick brown fox jumps over", 0.0),
            ("phrase_list_share", "床前明月光，疑是地上霜。" * 3, 0.0),
        ),
        *(
            ("unique_bigram_share", "甲乙甲乙甲", 0.5),
            ("unique_bigram_share", "甲乙 丙", 1.0),
            ("unique_bigram_share", "甲", 0.0),
        ),
        *(
            ("top_bigram_share", GAMES, 0.5),
            ("top_bigram_share", GAMES[:8], 0.0),
            ("top_bigram_share", "的人" * 9, 0.0),
        ),
        *(("top_bigram_share", "哈" * 9, 1.0), ("top_bigram_share", "ab" * 9, 0.0)),
    ],
)
def test_measures(name: str, text: str, wanted: float) -> None:
    assert measured(text)[name] == pytest.approx(wanted)


@settings(max_examples=150, deadline=None)
@given(text=st.text("甲乙丙丁的，a ", max_size=60))
def test_pairs_equal_the_plain_way(text: str) -> None:
    chars = text.replace(" ", "")
    pairs = [chars[i : i + 2] for i in range(len(chars) - 1)]
    row = measured(text)
    assert row["unique_bigram_share"] == pytest.approx(len(set(pairs)) / max(1, len(pairs)))
    counts = Counter(pair for pair in pairs if not set(pair) & set("的，a"))
    top = {pair for pair, times in counts.most_common(5) if times > 2}
    covered = {place for i, pair in enumerate(pairs) if pair in top for place in (i, i + 1)}
    assert row["top_bigram_share"] == pytest.approx(len(covered) / max(1, len(chars)))


def test_pairs_are_counted_in_the_first_characters() -> None:
    once = "".join(map(chr, range(0x4E00, 0x4E00 + 200)))
    assert measured(once + "甲乙" * 500, max_chars=200)["unique_bigram_share"] == 1.0


@pytest.mark.parametrize("part", ["1", "天", "天地，", "天 "])
def test_ten_megabytes_of_one_thing_take_seconds(part: str) -> None:
    text = part * (10_000_000 // len(part.encode()))
    measured(part)
    started = time.process_time()
    row = measured(text)
    assert time.process_time() - started < 10
    assert all(0 <= value <= 1 for value in row.values())
