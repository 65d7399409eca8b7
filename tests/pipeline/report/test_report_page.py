"""The page: one file that loads nothing, says the ledger's counts, and never turns text into markup."""

import base64
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_cases import Run, files, typical
from tests_support import Page

from pipeline.decide import GONE, ID_REPEATED, SUPERSEDED
from pipeline.preset import preset, preset_names
from pipeline.report import what_if
from pipeline.report.markup import embed, esc, number, percent, reason_label, short, words
from pipeline.report.page import NAV, render
from pipeline.step import build, columns_of
from schemas.decision import LEDGER, Outcome


@pytest.fixture(scope="module")
def private() -> str:
    return render(typical().report())


@pytest.fixture(scope="module")
def public() -> str:
    return render(typical().report(public=True, version="1.0.0"))


def test_the_page_loads_nothing(private: str) -> None:
    page = Page(private)
    assert not [a for a in page.attributes if a[1] in ("src", "srcset", "action", "poster", "data")]
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    assert not [tag for tag, *_ in page.attributes if tag in ("link", "iframe", "img", "object", "base")]
    styles = re.findall(r"<style>(.*?)</style>", private, re.S) + [
        v for _, name, v in page.attributes if name == "style"
    ]
    assert not [style for style in styles if "url(" in style or "@import" in style]
    code = page.scripts[-1][1]
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon|https?:", code)


def test_the_policy_allows_exactly_the_two_scripts(private: str) -> None:
    page = Page(private)
    (policy,) = [v for tag, name, v in page.attributes if tag == "meta" and name == "content" and "default-src" in v]
    code = [text for attrs, text in page.scripts if "type" not in attrs]
    digests = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code}
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == digests
    assert len(code) == 2
    assert "default-src 'none'" in policy
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_embedded_data_are_the_report(private: str) -> None:
    report = typical().report()
    assert Page(private).data["report"] == json.loads(json.dumps(report.as_dict()))


def test_counts_in_the_tables_are_the_ledgers(private: str) -> None:
    report = typical().report()
    account = re.search(r'<div class="account">(.*?)</div></div>', private, re.S)
    assert account is not None
    lines = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", account[1])]
    columns = [[re.sub("<[^>]*>", "", cell) for cell in column] for column in zip(*lines, strict=True)]
    assert [column[0] for column in columns[2:]] == [source.source for source in report.sources]
    for source, column in zip(report.sources, columns[2:], strict=True):
        reasons = [source.removed.get(reason.name, 0) for reason in report.reasons]
        assert column[1:-1] == [str(n) for n in (source.records, source.read, *reasons, source.kept, 0, 0)]
    reasons = [reason.documents for reason in report.reasons]
    assert columns[1][2:-3] == [str(n) for n in (report.read, *reasons, report.kept)]
    assert "账目相符" in private


def test_an_account_that_does_not_add_up_is_shown() -> None:
    run = typical()
    records = run.ledger.to_pylist()
    records[3]["rule"] = None
    html = render(run.report(ledger=pa.Table.from_pylist(records, LEDGER)))
    assert "账目相符" not in html
    assert 'class="verdict bad" role="alert"' in html
    assert "✗" in html
    lost = render(run.report(files=files([("百科", "ok", 9), ("web", "ok", 5)])))
    assert 'class="verdict bad"' in lost
    assert '<strong class="bad">4</strong>' in lost


def test_samples_removed_for_another_reason_are_labelled() -> None:
    run = Run([("百科", "plain English without Han", None, None)])
    html = render(run.report())
    by_language, by_han = html.split('<article class="card">')[1:3]
    assert "Beyond it too, but removed for another reason" not in by_language
    assert "plain English without Han" in by_han
    assert "Beyond it too, but removed for another reason" in by_han
    assert "Just removed" not in by_han


def test_a_version_says_which_run_it_shows_and_how_much_it_holds(private: str, public: str) -> None:
    assert "the run that made the version; documents it read: 10." in public
    assert "in the whole version" not in public
    assert "the run that made the version" not in private
    facts = {"documents_total": 12345, "previous": "1.0.0"}
    appended = render(typical().report(public=True, version="1.1.0", facts=facts))
    assert "Documents in the whole version: 12,345." in appended


def test_text_is_never_markup(private: str) -> None:
    page = Page(private)
    assert len(page.scripts) == 3
    assert "</script><script>alert(1)</script>" in "".join(page.text)
    assert "𠀀" in "".join(page.text)
    assert "坏 <b>" not in private


def test_public_pages_hold_no_dropped_text_no_path_and_no_personal_data(private: str, public: str) -> None:
    for part in ("plain English without Han", "中文与英文混排", "/srv/", "机密", "寒来暑往", "长" * 30):
        assert part in private
        assert part not in public
    assert "13912345678" in private
    assert "13912345678" not in public
    assert "请联系我们的编辑部" in public


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=30))
def test_any_text_and_source_name_survive_the_page(text: str, name: str) -> None:
    text, name = (word.encode("utf-8", "ignore").decode("utf-8") for word in (text, name))
    html = render(Run([(name, "天地玄黄宇宙洪荒" * 3 + text, None, None)]).report())
    page = Page(html)
    assert len(page.scripts) == 3
    (source,) = page.data["report"]["sources"]
    assert source["source"] == name


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_embedded_json_reads_back_and_cannot_end_its_script(value: Any) -> None:
    text = embed(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_nan_is_refused_rather_than_written_as_broken_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        embed({"value": float("nan")})


def test_pages_repeat_byte_for_byte(private: str) -> None:
    assert render(typical().report()) == private
    assert not re.search(r"\b20\d\d-\d\d-\d\dT", private)


def test_every_chart_has_a_label_and_a_table_and_finds_its_data(private: str) -> None:
    page = Page(private)
    report = page.data["report"]
    figures = re.findall(r"<figure>(.*?)</figure>", private, re.S)
    assert len(figures) >= 5
    for figure in figures:
        assert 'role="img" aria-label="' in figure
        assert "<table>" in figure
        (path,) = re.findall(r'data-path="([^"]*)"', figure)
        part = report
        for key in filter(None, path.split("/")):
            part = part[int(key)] if isinstance(part, list) else part[key]
        assert part


def test_both_languages_are_in_the_page(private: str) -> None:
    assert private.count('class="zh" lang="zh"') == private.count('class="en" lang="en"') > 50
    assert "Where the documents went" in private
    assert "文档去了哪里" in private


def test_an_empty_run_has_a_page() -> None:
    assert "没有读入任何文档" in render(Run([]).report())


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (6665, "6,665"), (0.3, "0.3"), (0.123456, "0.1235"), (12345.6, "12,346"), (None, "–"), (-2, "-2")],
)
def test_numbers_are_aligned_and_short(value: float | None, expected: str) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 10, "0.0%"),
        (1, 100000, "<0.1%"),
        (99999, 100000, ">99.9%"),
        (10, 10, "100.0%"),
        (0, 0, "–"),
        (1, 3, "33.3%"),
    ],
)
def test_shares_never_hide_a_rest(part: int, whole: int, expected: str) -> None:
    assert percent(part, whole) == expected


def test_large_counts_read_as_people_say_them() -> None:
    assert short(19_603_000) == ("1,960 万", "19.6 M")
    assert short(250_000_000) == ("2.5 亿", "250 M")
    assert short(42) == ("42", "42")


def test_reasons_have_names_and_keep_their_code() -> None:
    assert "汉字占比过低" in reason_label("han_share.low")
    assert "<code>han_share.low</code>" in reason_label("han_share.low")
    assert "太短" in reason_label("too_short")
    assert reason_label("我的规则").count("我的规则") == 2
    assert "<code>" not in reason_label("我的规则")


def test_controls_are_shown_as_pictures() -> None:
    assert esc("a\x00b\x1b\tc\nd\x9f<") == "a␀b␛\tc\nd\ufffd&lt;"


def test_every_phrase_of_the_page_is_used_and_known() -> None:
    room = Path(sys.modules["pipeline.report.page"].__file__ or "").parent
    code = "".join(path.read_text("utf-8") for path in [*room.glob("*.py"), room / "assets" / "report.js"])
    ui = set(words()["ui"])
    outcomes = {f"nav_{key}" for key in (*NAV, *what_if.NAV)} | {outcome.value for outcome in Outcome}
    outcomes |= {f"wi_note_{note}" for note in what_if.NOTES}
    assert {key for key in ui if not re.search(rf"[\"']{key}[\"']", code)} <= outcomes
    assert set(re.findall(r'say\("(\w+)"', code)) <= ui


def test_every_reason_and_column_of_a_preset_has_a_name() -> None:
    presets = [preset(name) for name in preset_names()]
    reasons = {rule["name"] for found in presets for rule in found["select"] if rule.get("name")}
    columns = columns_of({spec["kind"]: build(spec) for found in presets for spec in found["steps"]}.values())
    assert reasons | {ID_REPEATED, SUPERSEDED, GONE} <= set(words()["reasons"])
    assert set(columns) <= set(words()["columns"])
