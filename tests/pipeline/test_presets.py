"""Presets: what each keeps and drops of short texts of its kind, and how one is built on another."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from pipeline.preset import preset, preset_names, resolved
from pipeline.select import check_columns, checks_of, select
from pipeline.step import apply, build, columns_of
from schemas.errors import RecipeError
from schemas.recipe import Rule

CASES = yaml.safe_load((Path(__file__).parent / "preset_cases.yaml").read_text("utf-8"))
KEPT = [(name, case) for name, cases in CASES.items() for case in cases["kept"]]
DROPPED = [(name, case) for name, cases in CASES.items() for case in cases["dropped"]]


def reason(name: str, text: str) -> str | None:
    found = preset(name)
    checks = checks_of([Rule.model_validate(rule) for rule in found["select"]])
    batch = apply([build(spec) for spec in found["steps"]], pa.record_batch({"text": pa.array([text], pa.string())}))
    failed = int(select(pa.Table.from_batches([batch]), checks).failed[0])
    return None if failed < 0 else checks[failed].reason


def test_every_preset_has_cases() -> None:
    assert {*CASES, "zh-web"} == set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_rules_test_columns_that_the_steps_measure(name: str) -> None:
    found = preset(name)
    rules = [Rule.model_validate(rule) for rule in found["select"]]
    check_columns(rules, columns_of([build(spec) for spec in found["steps"]]), [])
    assert all(rule.name for rule in rules)
    assert found["description"]


@pytest.mark.parametrize(("name", "case"), KEPT, ids=lambda part: part)
def test_keeps_what_it_is_made_for(name: str, case: str) -> None:
    assert reason(name, CASES[name]["kept"][case]) is None


@pytest.mark.parametrize(("name", "case"), DROPPED, ids=lambda part: part)
def test_drops_what_it_is_not_made_for(name: str, case: str) -> None:
    assert reason(name, CASES[name]["dropped"][case]) == case


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("zh-law", "article"),
        ("zh-law", "schedule"),
        ("zh-dialogue", "chat"),
        ("zh-classical", "quatrain"),
        ("zh-classical", "unpunctuated"),
    ],
)
def test_keeps_what_the_web_preset_would_drop(name: str, case: str) -> None:
    assert reason("zh-web", CASES[name]["kept"][case]) is not None


def test_a_preset_says_only_how_it_differs_from_its_base() -> None:
    base = preset("zh-web")
    found = resolved(
        {
            "name": "mine",
            "extends": "zh-web",
            "steps": [{"kind": "words", "max_chars": 100}, {"kind": "own"}],
            "select": [
                {"column": "char_count", "min": 5, "name": "too_short"},
                {"column": "own", "max": 1, "name": "own"},
            ],
            "without": ["markup", "few_different_words"],
        }
    )
    kinds = [step["kind"] for step in found["steps"]]
    assert kinds == [*(s["kind"] for s in base["steps"] if s["kind"] != "markup"), "own"]
    assert {"kind": "words", "max_chars": 100} in found["steps"]
    names = [rule["name"] for rule in found["select"]]
    assert names == [*(r["name"] for r in base["select"] if r["name"] != "few_different_words"), "own"]
    assert found["select"][0] == {"column": "char_count", "min": 5, "name": "too_short"}
    assert found["description"] == base["description"]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"extends": "zh-wb"}, "unknown preset 'zh-wb'. Did you mean 'zh-web'?"),
        ({"extends": "zh-web", "without": ["digit"]}, "unknown step or rule 'digit'. Did you mean 'digits'?"),
        ({"extends": "zh-web", "rules": []}, "preset 'mine': unknown field 'rules'"),
    ],
)
def test_a_preset_that_names_what_is_not_there_is_refused(own: dict, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        resolved({"name": "mine", **own})
    assert message in str(error.value)
