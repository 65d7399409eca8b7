"""Choice of documents to show: nearest first, no text twice, the same every time."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_cases import typical

from pipeline.report.samples import COPIES, Excerpts, differences, nearest, pair_rows


def ledger_of(ids: list[str], contents: list[str]) -> pa.Table:
    return pa.table({"id": ids, "content_hash": contents})


def test_nearest_come_first_and_ties_go_by_id() -> None:
    ledger = ledger_of(["d", "c", "b", "a"], ["1", "2", "3", "4"])
    distance = np.array([0.2, 0.1, 0.1, 0.9])
    assert nearest(ledger, distance, np.ones(4, bool), 3) == [2, 1, 0]
    assert nearest(ledger, distance, np.array([True, False, False, True]), 3) == [0, 3]


def test_a_text_is_shown_once_however_often_it_stands_there() -> None:
    many = COPIES * 2
    ledger = ledger_of([f"{i:05d}" for i in range(many + 2)], ["same"] * many + ["x", "y"])
    distance = np.append(np.full(many, 0.5), [0.6, 0.7])
    assert nearest(ledger, distance, np.ones(many + 2, bool), 3) == [0, many, many + 1]


@settings(deadline=None)
@given(st.permutations(range(12)))
def test_the_choice_does_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    distance = np.array([i % 4 for i in order], np.float64)
    ledger = ledger_of([f"{i:02d}" for i in order], [str(i) for i in order])
    assert [order[row] for row in nearest(ledger, distance, np.ones(12, bool), 4)] == [0, 4, 8, 1]


@settings(deadline=None)
@given(st.text("天地玄黄ab\n", max_size=80), st.text("天地玄黄ab\n", max_size=80))
def test_differences_put_together_are_the_excerpts(one: str, two: str) -> None:
    parts = differences(one, two)
    assert "".join(part for _, part, _ in parts) in one
    assert "".join(part for _, _, part in parts) in two
    assert all(a == b for kind, a, b in parts if kind == "same")
    if one != two:
        assert any(kind == "differs" for kind, _, _ in parts)


def test_differences_deep_in_long_texts_are_shown() -> None:
    head = "同" * 5000
    parts = differences(head + "甲" + head, head + "乙" + head)
    assert ("differs", "甲", "乙") in parts


def test_pairs_go_from_doubtful_to_certain_and_name_their_survivor() -> None:
    rows = 40
    ledger = pa.table(
        {
            "id": [f"{i:02d}" for i in range(rows)],
            "jaccard": [0.8 + i / 200 for i in range(rows)],
            "survivor_id": ["99" if i % 2 else "00" for i in range(rows)],
        }
    )
    found = pair_rows(ledger, np.arange(rows) > 0, 6)
    assert [row for row, _ in found][:3] == [1, 2, 3]
    assert found[-1][0] == rows - 1
    assert [survivor for _, survivor in found][:2] == [None, 0]


@pytest.mark.parametrize("cut", range(280, 312))
def test_a_number_across_the_end_of_an_excerpt_is_masked_before_it_is_cut(cut: int) -> None:
    run = typical()
    run.texts[0] = "文" * cut + "，13912345678。"
    excerpts = Excerpts([0], run.fetch, public=True)
    assert "1380" not in excerpts.text(0)[:300]
