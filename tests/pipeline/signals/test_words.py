import math
from collections import Counter
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals.segmentation import cut
from pipeline.signals.words import Words, segment
from pipeline.step import apply
from pipeline.tables import lines_of
from pipeline.text import CodePoints
from schemas.errors import RecipeError

SENTENCES = [
    "我来到北京清华大学，研究生命起源。",
    "第一千一百六十八条　二人以上共同实施侵权行为，造成他人损害的，应当承担连带责任。",
    "靜夜思：床前明月光，疑是地上霜。",
    "使用 pip install numpy==1.26.4 安装依赖；C++ 与 T-shirt。",
    "𠮷野家 emoji 👩‍👧\r\n\t　全角空格",
    "γ射线、B超 AT&T 恤 c++ C#-_.%& 卡拉OK㐀𠮷豈1a2",
    "\r\n\n\r\r\n",
    "",
]


def measured(text: str, **parameters: Any) -> dict[str, Any]:
    signal = Words(**parameters)
    arrays = signal.measure(pa.record_batch({"text": pa.array([text], pa.string())}))
    return {name: array[0].as_py() for name, array in zip(signal.adds, arrays, strict=True)}


def jieba_cut(text: str, hmm: bool) -> list[str]:
    import jieba

    return list(jieba.cut(text, HMM=hmm))


@pytest.mark.parametrize("text", SENTENCES)
def test_segments_like_jieba(text: str) -> None:
    assert segment(text) == jieba_cut(text, hmm=False)
    assert segment(text, hmm=True) == jieba_cut(text, hmm=True)


@settings(max_examples=100, deadline=None)
@given(text=st.text("我来到北京清华大学研究生命起源的了，。 a1\n", max_size=60))
def test_segments_like_jieba_and_loses_nothing(text: str) -> None:
    words = segment(text)
    assert words == jieba_cut(text, hmm=False)
    assert "".join(words) == text


def test_cuts_rows_apart_and_as_another_hand_does() -> None:
    import rjieba

    words = [line.split(" ")[0] for line in files("jieba").joinpath("dict.txt").read_text("utf-8").splitlines()]
    random = Random(1)
    texts = ["".join(random.choices(words, k=random.randrange(40))) for _ in range(500)]
    ends, lengths = cut(CodePoints.of(pa.array(texts)), 50)
    for row, text in enumerate(texts):
        assert lengths[ends[row] : ends[row + 1]].tolist() == [*map(len, rjieba.cut(text[:50], False))]


def test_counts_words_that_hold_letters_or_digits() -> None:
    row = measured("研究，研究！研究？")
    assert row == {"word_count": 3, "mean_word_chars": 2.0, "unique_word_share": 1 / 3} | {
        "stopword_share": 0.0,
        "word_entropy": 0.0,
        "top_word_share": 1.0,
    }


def test_shares() -> None:
    row = measured("我们 的 北京 大学")
    assert row["stopword_share"] == 0.5
    assert row["unique_word_share"] == 1.0
    assert row["word_entropy"] == 2.0


@settings(max_examples=100, deadline=None)
@given(text=st.text("我们北京大学，的 a1²一\U0010ffff", max_size=80))
def test_equals_the_plain_way(text: str) -> None:
    stop = set(lines_of("pipeline.signals", "stopwords.txt"))
    counts = Counter(word for word in segment(text) if word[0].isalnum())
    total = max(1, counts.total())
    row = measured(text)
    assert row["word_count"] == counts.total()
    assert row["mean_word_chars"] == pytest.approx(sum(len(word) * n for word, n in counts.items()) / total)
    assert row["unique_word_share"] == pytest.approx(len(counts) / total)
    assert row["stopword_share"] == pytest.approx(sum(n for word, n in counts.items() if word in stop) / total)
    assert row["word_entropy"] == pytest.approx(sum(-n / total * math.log2(n / total) for n in counts.values()))
    top = sorted((n for word, n in counts.items() if n > 2 and len(word) > 1 and word not in stop), reverse=True)
    assert row["top_word_share"] == pytest.approx(sum(top[:5]) / total)


def test_measures_the_first_characters_only() -> None:
    assert measured("北京" * 500, max_chars=100)["word_count"] == 50


def test_a_user_dictionary_changes_the_words_and_the_identity(tmp_path: Path) -> None:
    dictionary = tmp_path / "law.txt"
    dictionary.write_text("连带责任保证人 10000\n", "utf-8")
    with_dictionary = Words(user_dictionary=str(dictionary))
    assert "连带责任保证人" in segment("承担连带责任保证人的义务", user_dictionary=str(dictionary))
    assert "连带责任保证人" not in segment("承担连带责任保证人的义务")
    before = with_dictionary.identity()
    dictionary.write_text("连带责任保证人 20000\n", "utf-8")
    assert with_dictionary.identity() != before


def test_a_missing_dictionary_is_named(tmp_path: Path) -> None:
    step = Words(user_dictionary=str(tmp_path / "none.txt"))
    with pytest.raises(RecipeError, match=r"user_dictionary .*none\.txt.*give the path"):
        apply([step], pa.record_batch({"text": pa.array(["好"])}))
