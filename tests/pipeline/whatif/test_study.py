"""What-if: curves, shares and changes against decisions made one document at a time."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from what_if_cases import RULES, measured, some

from pipeline.select import checks_of, select
from pipeline.whatif.changes import Change, changed
from pipeline.whatif.curve import curve
from pipeline.whatif.study import RuleStudy, Study, study
from schemas.recipe import Rule

GOLDEN = Path(__file__).parents[2] / "golden" / "what_if.json"
values = st.one_of(st.none(), st.integers(-3, 12).map(float), st.floats(-2, 10, allow_nan=False))


def passes(table: pa.Table, rules: list[Rule]) -> np.ndarray:
    return select(table, checks_of(rules)).kept


@settings(deadline=None)
@given(
    st.lists(st.tuples(values, st.booleans(), st.integers(0, 99)), min_size=1, max_size=40),
    st.sampled_from(["low", "high"]),
    st.integers(0, 10).map(float),
    st.booleans(),
)
def test_every_point_of_a_curve_is_what_a_rule_with_that_threshold_decides(
    rows: list[tuple[float | None, bool, int]], side: str, threshold: float, whole: bool
) -> None:
    column, others, lengths = (list(part) for part in zip(*rows, strict=True))
    numbers = np.array([np.nan if value is None else value for value in column])
    span = (float(np.nanmin([*numbers, 0.0])), float(np.nanmax([*numbers, 9.0])), "linear")
    line = curve(numbers, np.array(others), np.array(lengths, float), side, span, (threshold, 1.5), whole)
    table = pa.table({"x": pa.array(column, pa.float64())})
    assert {threshold, 1.5} <= set(line.thresholds)
    assert (line.thresholds[line.at[0]], line.thresholds[line.at[1]]) == (threshold, 1.5)
    for place, point in enumerate(line.thresholds):
        rule = Rule(column="x", **{"min" if side == "low" else "max": point})
        kept = passes(table, [rule]) & np.array(others)
        assert line.documents[place] == kept.sum()
        assert line.characters[place] == np.array(lengths)[kept].sum()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10_000))
def test_what_rules_remove_alone_first_and_beyond_the_others_reconciles(rows: int, seed: int) -> None:
    data = some(rows, seed)
    found = study("x", data, RULES)
    kept = passes(data.table, RULES)
    assert found.passed.documents == found.kept.documents == kept.sum()
    assert rows == found.read.documents == kept.sum() + sum(rule.first.documents for rule in found.rules)
    lengths = np.array(data.table["char_count"].to_pylist())
    assert found.read.characters == lengths.sum()
    checks = checks_of(RULES)
    masks = [~select(data.table, [check]).kept for check in checks]
    for number, rule in enumerate(found.rules):
        others = np.any([mask for n, mask in enumerate(masks) if n != number], axis=0)
        assert rule.alone.documents == masks[number].sum() == rule.with_others[number]
        assert rule.beyond.documents == (masks[number] & ~others).sum()
        assert rule.beyond.characters == lengths[masks[number] & ~others].sum()
        assert rule.with_others == [(masks[number] & mask).sum() for mask in masks]
        assert rule.beyond.documents <= rule.first.documents <= rule.alone.documents
        if rule.curve is not None:
            assert rule.curve.documents[rule.curve.at[0]] == kept.sum()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10_000), st.integers(0, 1300), st.sampled_from(["off", "0.05", "0.9"]))
def test_a_change_brings_back_and_takes_what_deciding_anew_does(rows: int, seed: int, least: int, most: str) -> None:
    data = some(rows, seed)
    changes = [Change.of(f"length.min={min(least, 900)}"), Change.of(f"digits.max={most}")]
    after = [rule for rule in changed(RULES, changes, list(data.table.column_names)) if rule is not None]
    found = study("x", data, RULES, after)
    before, now = passes(data.table, RULES), passes(data.table, after)
    assert found.change is not None
    by_source = {source.source: source for source in found.change.sources}
    for name in set(data.table["source"].to_pylist()):
        mine = np.array([source == name for source in data.table["source"].to_pylist()])
        source = by_source[name]
        assert source.before.documents == (before & mine).sum()
        assert source.back.documents == (now & ~before & mine).sum()
        assert source.gone.documents == (before & ~now & mine).sum()
        assert source.after.documents == source.before.documents + source.back.documents - source.gone.documents
        assert source.after.characters == (
            source.before.characters + source.back.characters - source.gone.characters  # type: ignore[operator]
        )
    assert sum(reason.back for reason in found.change.reasons) == (now & ~before).sum()
    assert sum(reason.gone for reason in found.change.reasons) == (before & ~now).sum()


def rule_of(found: Study, reason: str) -> RuleStudy:
    return next(rule for rule in found.rules if rule.reason == reason)


def test_documents_at_the_border_stand_on_both_sides_and_are_masked() -> None:
    found = study("x", some(300), RULES)
    rule = rule_of(found, "han_share.low")
    assert [sample.value for sample in rule.removed] == sorted((s.value for s in rule.removed), reverse=True)
    assert all(sample.value < 0.3 <= other.value for sample in rule.removed for other in rule.kept)
    assert {sample.reason for sample in rule.removed} == {"han_share.low"}
    assert {sample.reason for sample in rule.kept} == {None}
    assert "13912345678" not in json.dumps(found.as_dict(), ensure_ascii=False)
    assert rule.kept[0].place == f"a/b.txt#{rule.kept[0].excerpt[1:].split('篇')[0]}"


def test_what_was_not_measured_passes_and_is_counted() -> None:
    data = measured({"source": ["a"] * 4, "char_count": [5, 50, 60, 70], "quality_score": [None, 0.1, None, 0.9]})
    rules = [Rule(column="char_count", min=10), Rule(column="quality_score", min=0.5), Rule(column="absent", max=1)]
    found = study("x", data, rules)
    assert (rule_of(found, "quality_score.low").unmeasured, found.kept.documents) == (2, 2)
    absent = rule_of(found, "absent.high")
    assert (absent.measured, absent.unmeasured, absent.alone.documents, absent.curve) == (False, 4, 0, None)


def test_without_texts_there_are_figures_and_no_samples() -> None:
    columns = {"source": ["a"] * 3, "char_count": [5, 50, 60]}
    found = study("x", measured(columns, texts=False), [Rule(column="char_count", min=10)])
    assert found.rules[0].alone.documents == 1
    assert (found.rules[0].removed, found.rules[0].kept) == ([], [])


def test_no_rules_and_no_documents_are_no_trouble() -> None:
    assert study("x", some(5), []).kept.documents == 5
    empty = study("x", measured({"source": [], "char_count": [], "han_share": []}), [Rule(column="han_share", min=0.1)])
    assert (empty.read.documents, empty.rules[0].curve) == (0, None)


def test_the_data_of_the_page_are_the_stored_ones() -> None:
    after = [RULES[0], Rule(column="han_share", min=0.2), *RULES[2:]]
    text = json.dumps(study("x", some(80), RULES, after, [("a", "b")], ["no_copies"]).as_dict())
    now = json.loads(text, parse_float=lambda digits: float(f"{float(digits):.9g}"))
    if not GOLDEN.exists():
        assert os.environ.get("YULIAO_WRITE_GOLDENS"), (
            "run YULIAO_WRITE_GOLDENS=1 pytest -k stored and look at the file"
        )
        GOLDEN.write_text(json.dumps(now, ensure_ascii=False, indent=1) + "\n", "utf-8")
    assert now == json.loads(GOLDEN.read_text("utf-8"))
