"""The page of what-if: one strict file that loads nothing and says what the study says."""

import json
import re

import pytest
from tests_support import Page
from what_if_cases import RULES, measured, some

from pipeline.report.what_if import NAV, render
from pipeline.whatif.changes import Change, changed
from pipeline.whatif.study import study
from schemas.recipe import Rule

AFTER = [rule for rule in changed(RULES, [Change.of("length.min=300"), Change.of("han_share.min=0.1")], []) if rule]
FOUND = study("论坛<1>", some(200), RULES, AFTER, [("{a: 1}", "{a: 2}"), ("", "{b: 1}")], ["no_copies"])


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(FOUND))


def test_the_page_loads_nothing_and_leads_nowhere(page: Page) -> None:
    assert not [a for a in page.attributes if a[1] in ("src", "srcset", "action", "poster", "data")]
    links = {value for _, name, value in page.attributes if name == "href"}
    assert links == {f"#{key}" for key in (*NAV, "main")}
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert {link[1:] for link in links} <= set(ids)
    assert len(ids) == len(set(ids))


def test_every_chart_has_its_data_words_for_who_cannot_see_it_and_a_table(page: Page) -> None:
    html = render(FOUND)
    paths = re.findall(r'role="img" aria-label="([^"]+)" data-chart="(\w+)" data-path="([^"]+)"', html)
    assert {kind for _, kind, _ in paths} == {"curve", "histogram"}
    assert html.count('<details class="behind">') == len(paths)
    for alt, _, path in paths:
        part = page.data["report"]
        for key in path.split("/"):
            part = part[int(key)] if isinstance(part, list) else part[key]
        assert part
        assert " / " in alt


def test_the_curve_is_drawn_from_the_figures_of_the_table(page: Page) -> None:
    for drawn, rule in zip(page.data["report"]["rules"], FOUND.rules, strict=True):
        assert (drawn["curve"] is None) == (rule.curve is None)
        if rule.curve is not None:
            assert drawn["curve"]["thresholds"] == rule.curve.thresholds
            shares = [round(count / FOUND.read.documents, 6) for count in rule.curve.documents]
            assert drawn["curve"]["documents"] == shares


def test_the_page_says_what_changes_and_escapes_what_it_is_given(page: Page) -> None:
    text = "".join(page.text)
    assert FOUND.change is not None
    assert "论坛<1>" in text
    assert "{a: 2}" in text
    for source in FOUND.change.sources:
        assert f"+{source.back.documents}" in text
        assert f"−{source.gone.documents}" in text
    assert "13912345678" not in render(FOUND)
    assert render(FOUND) == render(FOUND)
    hostile = measured({"source": ["<b>"], "char_count": [5], "lang": ["<script>"]})
    broken = study("x", hostile, [Rule(column="lang", one_of=["zh"], name="<i>")])
    assert "<script>" not in "".join(Page(render(broken)).scripts[0][1])
    assert json.loads(json.dumps(broken.as_dict()))["rules"][0]["reason"] == "<i>"


def test_a_study_without_rules_or_change_is_a_page_too() -> None:
    page = Page(render(study("x", some(3), [])))
    assert "wi_change" not in [value for _, name, value in page.attributes if name == "id"]
