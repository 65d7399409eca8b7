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
        total += int(classical.weight_of(first, second, table.bases, table.pairs))
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


def test_the_table_holds_every_pair_and_no_other() -> None:
    table = classical.weights()
    lines = [line.split("\t") for line in lines_of("pipeline.signals", classical.TABLE) if line.startswith("2")]
    assert sum(len(chars) // 2 for _, _, chars in lines) == (table.pairs > 0).sum()
    weights = {(chars[i], chars[i + 1]): int(value) for _, value, chars in lines for i in range(0, len(chars), 2)}
    seconds = {second for _, second in list(weights)[:300]}
    for first in {first for first, _ in list(weights)[-300:]}:
        for second in seconds:
            folds = [np.uint32(table.folds[ord(char)]) for char in (first, second)]
            assert classical.weight_of(*folds, table.bases, table.pairs) == weights.get((first, second), 0)


def test_what_is_no_chinese_character_counts_as_nothing() -> None:
    assert [classical.folds()[ord(char)] for char in "aか7 \n𠮷"] == [0] * 6
