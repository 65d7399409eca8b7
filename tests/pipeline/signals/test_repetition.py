import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals.repetition import Repetition

TEXT = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"


def measured(text: str, **parameters: Any) -> dict[str, float]:
    signal = Repetition(**parameters)
    arrays = signal.measure(pa.record_batch({"text": pa.array([text], pa.string())}))
    return {name: array[0].as_py() for name, array in zip(signal.adds, arrays, strict=True)}


def visible(text: str) -> str:
    return "".join(char for char in text if char > " " and char != "\u3000")


def covered_by_earlier(text: str, n: int) -> float:
    """Share of characters in n-grams that occurred before, the plain way."""
    text, seen, covered = visible(text), set[str](), set[int]()
    for start in range(len(text) - n + 1):
        if (gram := text[start : start + n]) in seen:
            covered |= set(range(start, start + n))
        seen.add(gram)
    return len(covered) / max(1, len(text))


def best_cover(text: str, n: int) -> float:
    """Share of characters that the best repeated n-gram covers, the plain way."""
    text, covers = visible(text), dict[str, set[int]]()
    starts = dict[str, int]()
    for start in range(len(text) - n + 1):
        gram = text[start : start + n]
        covers.setdefault(gram, set()).update(range(start, start + n))
        starts[gram] = starts.get(gram, 0) + 1
    return max((len(covers[gram]) for gram, times in starts.items() if times > 1), default=0) / max(1, len(text))


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("duplicate_line_share", "甲乙\n丙丁\n甲乙\n", 1 / 3),
        ("duplicate_line_share", "甲乙\n 甲乙 \n\n甲乙", 2 / 3),
        ("duplicate_line_share", "甲乙\n乙甲", 0.0),
        ("duplicate_paragraph_share", "甲\n乙\n\n丙丁\n\n甲\n乙", 1 / 3),
        ("duplicate_paragraph_share", "甲乙\n丙\n\n甲\n乙丙", 0.0),
        ("duplicate_paragraph_share", "甲\n甲\n甲", 0.0),
        ("duplicate_sentence_share", "甲乙丙。丁戊己。甲乙丙。", 1 / 3),
        ("duplicate_sentence_share", "甲乙丙丁\n戊？甲乙丙丁", 0.4),
        ("duplicate_sentence_share", "好的。好的。……", 0.0),
        ("top_ngram_share", "一二三四五甲一二三四五", 10 / 11),
        ("top_ngram_share", "哈哈哈哈哈哈哈哈", 1.0),
        ("top_ngram_share", "一二三四五", 0.0),
        ("duplicate_ngram_share", TEXT + TEXT, 0.5),
        ("duplicate_ngram_share", TEXT, 0.0),
    ],
)
def test_measures(name: str, text: str, wanted: float) -> None:
    assert measured(text)[name] == pytest.approx(wanted)


def test_wrapping_and_indentation_change_no_ngram() -> None:
    wrapped = TEXT.replace("，", "，\n　　") * 2
    assert measured(wrapped)["duplicate_ngram_share"] == measured(TEXT * 2)["duplicate_ngram_share"]


@settings(max_examples=150, deadline=None)
@given(text=st.text("甲乙丙丁 \n", max_size=60), n=st.integers(2, 6), long_n=st.integers(2, 8))
def test_ngram_shares_equal_the_plain_way(text: str, n: int, long_n: int) -> None:
    row = measured(text, n=n, long_n=long_n)
    assert row["top_ngram_share"] == pytest.approx(best_cover(text, n))
    assert row["duplicate_ngram_share"] == pytest.approx(covered_by_earlier(text, long_n))


def test_neighbouring_code_points_are_not_confused() -> None:
    text = "".join(f"一二三四五六七八九{chr(0x4E00 + n)}" for n in (51, 52))
    assert measured(text)["duplicate_ngram_share"] == 0.0


@pytest.mark.parametrize("part", ["1", "甲\n\n", "甲。"])
def test_ten_megabytes_of_one_thing_take_seconds(part: str) -> None:
    text = part * (10_000_000 // len(part.encode()))
    measured(part)
    started = time.process_time()
    row = measured(text, max_chars=10_000_000)
    assert time.process_time() - started < 10
    assert all(0 <= value <= 1 for value in row.values())


def test_measures_no_more_than_the_cap() -> None:
    once = "".join(map(chr, range(0x4E00, 0x4E00 + 1_000)))
    assert measured(once + "甲" * 5_000, max_chars=1_000)["duplicate_ngram_share"] == 0.0
    assert measured(once + "甲" * 5_000)["duplicate_ngram_share"] > 0.8


def test_a_template_with_other_names_repeats_less_than_a_copy() -> None:
    names = [chr(0x4E00 + 7 * n) + chr(0x5E00 + 11 * n) for n in range(1, 20)]
    rows = [f"第{n}条 本规定所称{name}，是指依法设立的机构。" for n, name in enumerate(names)]
    once, twice = (measured("\n".join(rows * times))["duplicate_ngram_share"] for times in (1, 2))
    assert 0.2 < once < twice
