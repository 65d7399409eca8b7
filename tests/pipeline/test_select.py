import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.select import NO_TEXT, check_columns, checks_of, evidence, for_emptied, select
from schemas.errors import RecipeError
from schemas.recipe import Rule

TABLE = pa.table(
    {
        "source": ["a", "a", "b", "b"],
        "han_share": [0.1, 0.5, 0.9, None],
        "lang": ["zh", "en", None, "ja"],
        "mixed": [True, False, None, True],
    }
)


def decide(*rules: dict) -> list[tuple]:
    selection = select(TABLE, checks_of([Rule.model_validate(rule) for rule in rules]))
    return list(zip(*(column.to_pylist() for column in evidence(TABLE, selection)), strict=True))


KEPT = (None, None, None, None)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(
            {"column": "han_share", "min": 0.5}, [("han_share.low", 0.1, 0.5, None), KEPT, KEPT, KEPT], id="min"
        ),
        pytest.param(
            {"column": "han_share", "max": 0.5}, [KEPT, KEPT, ("han_share.high", 0.9, 0.5, None), KEPT], id="max"
        ),
        pytest.param(
            {"column": "lang", "in": ["zh"]},
            [KEPT, ("lang.other", None, None, "en"), KEPT, ("lang.other", None, None, "ja")],
            id="in",
        ),
        pytest.param(
            {"column": "lang", "not_in": ["ja"]}, [KEPT, KEPT, KEPT, ("lang.other", None, None, "ja")], id="not-in"
        ),
        pytest.param(
            {"column": "mixed", "equals": True}, [KEPT, ("mixed.other", 0.0, None, None), KEPT, KEPT], id="equals"
        ),
        pytest.param(
            {"column": "han_share", "min": 0.95, "sources": ["b"]},
            [KEPT, KEPT, ("han_share.low", 0.9, 0.95, None), KEPT],
            id="one-source",
        ),
        pytest.param(
            {"column": "han_share", "min": 0.2, "name": "thin"},
            [("thin", 0.1, 0.2, None), KEPT, KEPT, KEPT],
            id="named",
        ),
    ],
)
def test_a_rule_drops_with_reason_value_and_threshold(rule: dict, expected: list[tuple]) -> None:
    assert decide(rule) == expected


def test_the_first_failing_rule_is_the_reason() -> None:
    assert decide({"column": "lang", "in": ["zh"]}, {"column": "han_share", "min": 0.6})[1][0] == "lang.other"
    assert decide({"column": "han_share", "min": 0.6}, {"column": "lang", "in": ["zh"]})[1][0] == "han_share.low"


def test_both_bounds_of_a_rule_may_be_equal() -> None:
    assert [row[0] for row in decide({"column": "han_share", "min": 0.5, "max": 0.5})] == [
        "han_share.low",
        None,
        "han_share.high",
        None,
    ]


@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, width=32)), max_size=30),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_kept_values_lie_within_the_bounds(values: list[float | None], low: float, high: float) -> None:
    table = pa.table({"x": pa.array(values, pa.float64())})
    selection = select(table, checks_of([Rule(column="x", min=min(low, high), max=max(low, high))]))
    for value, kept in zip(values, selection.kept, strict=True):
        assert kept == (value is None or min(low, high) <= value <= max(low, high))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"column": "han_shar", "min": 1}, "unknown column 'han_shar'. Did you mean 'han_share'?"),
        ({"column": "lang", "min": 1}, "'lang' is string; min/max cannot test it"),
        ({"column": "han_share", "in": ["x"]}, "'han_share' is double; in/not_in cannot test it"),
        ({"column": "han_share", "equals": True}, "equals cannot test it"),
        ({"column": "han_share", "min": 1, "sources": ["c"]}, "unknown source 'c'"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_before_any_data(rule: dict, message: str) -> None:
    columns = {field.name: field.type for field in TABLE.schema}
    with pytest.raises(RecipeError) as error:
        check_columns([Rule.model_validate(rule)], columns, ["a", "b"])
    assert message in str(error.value)
    assert str(error.value).startswith("select, rule 1: ")


@pytest.mark.parametrize("tests", [{}, {"min": 1, "in": ["a"]}, {"in": ["a"], "equals": True}])
def test_a_rule_needs_exactly_one_kind_of_test(tests: dict) -> None:
    with pytest.raises(ValueError, match="exactly one test"):
        Rule.model_validate({"column": "x", **tests})


@pytest.mark.parametrize(
    ("rule", "sure"),
    [
        ({"column": "char_count", "min": 50}, True),
        ({"column": "char_count", "min": 50, "sources": ["a"]}, False),
        ({"column": "char_count", "max": 50}, False),
        ({"column": "han_share", "min": 0.5}, False),
    ],
)
def test_a_document_without_text_goes_where_no_other_rule_is_sure_to_drop_it(rule, sure):
    assert for_emptied([Rule(**rule)]) == ([] if sure else [NO_TEXT])
