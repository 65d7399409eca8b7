from itertools import pairwise

import numpy as np
import pytest

from pipeline.signals import classical
from pipeline.tables import lines_of


def score(text: str) -> int:
    """What the kernel of the signal sums, in Python."""
    table = classical.weights()
    folded = [np.uint32(table.folds[ord(char)]) for char in text]
    total = table.bias + sum(int(table.single[char]) for char in folded)
    for first, second in pairwise(folded):
        if first and second:
            total += int(table.paired[classical.slot_of(table.pairs, first << np.uint32(16) | second)])
    return total


@pytest.mark.parametrize(
    ("classic", "modern"), [("此何人哉", "这是什么人"), ("不亦樂乎？", "不也很快樂嗎？"), ("曰", "说")]
)
def test_old_wording_scores_above_new(classic: str, modern: str) -> None:
    assert score(classic) > 0 > score(modern)


def test_both_scripts_score_the_same() -> None:
    assert score("學而時習之") == score("学而时习之")


def test_every_mark_is_one_and_the_same() -> None:
    assert score("学而时习之。") == score("学而时习之！") == score("学而时习之”")


def test_the_hash_table_holds_every_pair() -> None:
    table = classical.weights()
    pairs = [line.split("\t") for line in lines_of("pipeline.signals", classical.TABLE) if line.startswith("2")]
    assert sum(len(chars) // 2 for _, _, chars in pairs) == (table.pairs > 0).sum()
    assert (table.pairs > 0).mean() < 0.5


def test_what_is_no_chinese_character_counts_as_nothing() -> None:
    assert [classical.folds()[ord(char)] for char in "aか7 \n𠮷"] == [0] * 6
