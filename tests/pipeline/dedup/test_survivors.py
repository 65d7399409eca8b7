import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dedup.pairs import PAIRS
from pipeline.dedup.survivors import EXACT, NEAR, NONE, survivors


def pair_table(pairs: dict[tuple[int, int], float]) -> pa.Table:
    left, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return pa.table([left, right, list(pairs.values())], schema=PAIRS)


def walk(groups, pairs=None, order=None, selected=None, content=None, **options):
    rows = len(groups)
    survivor, kind, jaccard = survivors(
        np.array(range(rows) if order is None else order, np.int64),
        np.array([True] * rows if selected is None else selected),
        np.array(range(rows) if content is None else content, np.int64),
        np.array(groups, np.int64),
        pair_table(pairs or {}),
        **options,
    )
    assert (survivor.dtype, kind.dtype, jaccard.dtype) == (np.int64, np.int8, np.float64)
    return list(zip(survivor.tolist(), kind.tolist(), jaccard.tolist(), strict=True))


STAYS = (-1, NONE, 0.0)


def test_there_are_no_chains():
    assert walk([0, 1, 2], {(0, 1): 0.85, (1, 2): 0.9}) == [STAYS, (0, NEAR, 0.85), STAYS]


def test_priority_decides_who_stays():
    assert walk([0, 1], {(0, 1): 0.8}, order=[1, 0]) == [(1, NEAR, 0.8), STAYS]


def test_the_survivor_named_is_the_most_similar_then_the_first():
    pairs = {(0, 3): 0.8, (1, 3): 0.9, (2, 3): 0.9}
    assert walk([0, 1, 2, 3], pairs)[3] == (1, NEAR, 0.9)
    assert walk([0, 1, 2, 3], pairs, order=[2, 1, 0, 3])[3] == (2, NEAR, 0.9)


def test_equal_match_forms_are_near_and_equal_content_is_exact():
    assert walk([0, 0, 0], content=[5, 6, 5]) == [STAYS, (0, NEAR, 1.0), (0, EXACT, 1.0)]
    assert walk([0, 0, 0], content=[5, 6, 5], exact=False)[2] == (0, NEAR, 1.0)
    assert walk([0, 0, 0], content=[5, 6, 5], near=False) == [STAYS, STAYS, (0, EXACT, 1.0)]
    assert walk([0, 0], content=[5, 5], exact=False, near=False) == [STAYS, STAYS]


def test_pairs_hold_for_every_document_of_their_groups():
    assert walk([0, 1, 0, 1], {(0, 1): 0.9}, selected=[False, False, True, True])[3] == (2, NEAR, 0.9)


def test_texts_without_a_match_form_are_removed_by_equal_content_alone():
    assert walk([-1, -1, -1], content=[1, 2, 1]) == [STAYS, STAYS, (0, EXACT, 1.0)]


def test_a_document_that_was_not_selected_removes_nobody():
    pairs = {(0, 1): 0.9, (1, 2): 0.9}
    assert walk([0, 1, 2], pairs, selected=[False, True, True]) == [STAYS, STAYS, (1, NEAR, 0.9)]


def test_published_documents_stay():
    found = walk([0, 1, 1, 1], {(0, 1): 0.9}, content=[1, 2, 3, 2], published=2)
    assert found == [STAYS, STAYS, (1, NEAR, 1.0), (1, EXACT, 1.0)]


def test_nothing_has_no_survivors():
    assert walk([]) == []


@st.composite
def corpora(draw):
    rows = draw(st.integers(1, 14))
    form = draw(st.lists(st.integers(-1, 8), min_size=rows, max_size=rows))
    groups = [form.index(f) if f >= 0 else -1 for f in form]
    content = [10 * form[row] + draw(st.integers(0, 1)) for row in range(rows)]
    heads = sorted(set(groups) - {-1})
    possible = [(a, b) for a in heads for b in heads if a < b]
    chosen = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    pairs = {pair: draw(st.sampled_from([0.8, 0.9, 1.0])) for pair in sorted(chosen)}
    return {
        "groups": groups,
        "content": content,
        "pairs": pairs,
        "order": draw(st.permutations(range(rows))),
        "selected": draw(st.lists(st.booleans(), min_size=rows, max_size=rows)),
        "published": draw(st.integers(0, rows)),
        "exact": draw(st.booleans()),
        "near": draw(st.booleans()),
    }


def plainly(groups, content, pairs, order, selected, published, exact, near):
    """The same rule, said without indexes: try every document that stays, in the order in which they came to stay."""
    stay, found = [], {}
    for row in order:
        if not selected[row]:
            continue
        best = STAYS
        for other in stay if row >= published else []:
            same = exact and content[row] == content[other]
            ends = (min(groups[row], groups[other]), max(groups[row], groups[other]))
            value = 1.0 if ends[0] == ends[1] else pairs.get(ends, 0.0)
            if same and best[1] != EXACT:
                best = (other, EXACT, 1.0)
            elif near and ends[0] >= 0 and value > best[2]:
                best = (other, NEAR, value)
        found[row] = best
        if best == STAYS:
            stay.append(row)
    return [found.get(row, STAYS) for row in range(len(groups))]


@settings(max_examples=300, deadline=None)
@given(corpora())
def test_the_walk_follows_the_rule(corpus):
    assert walk(**corpus) == plainly(**corpus)


@pytest.mark.parametrize("rows", [2, 50_000])
def test_one_group_of_any_size_leaves_one(rows):
    found = walk([0] * rows, order=range(rows - 1, -1, -1))
    assert found.count(STAYS) == 1
    assert found[0] == (rows - 1, NEAR, 1.0)
