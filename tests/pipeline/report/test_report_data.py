"""Counts of the report are those of the ledger; its public form holds nothing of what was dropped."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_cases import RULES, Run, files, typical

from pipeline.report.data import collect
from schemas.decision import FILES, LEDGER
from schemas.recipe import Rule

han = st.text("天地玄黄宇宙洪荒日月盈昃，。", min_size=0, max_size=40)
secrets = st.sampled_from(["13912345678", "zhang.san@mail.example.com.cn", "11010519491231002X", "秘密甲乙"])
documents = st.lists(
    st.tuples(st.sampled_from(["百科", "web"]), st.builds("{}{}{}".format, han, secrets, han), st.booleans()),
    max_size=12,
)


def run_of(rows: list[tuple[str, str, bool]]) -> Run:
    return Run([(source, text, 0 if again and row else None, 0.9) for row, (source, text, again) in enumerate(rows)])


@settings(deadline=None)
@given(documents)
def test_counts_are_the_ledgers(rows: list[tuple[str, str, bool]]) -> None:
    run = run_of(rows)
    report = run.report()
    records = run.ledger.to_pylist()
    assert report.read == len(records) == sum(source.read for source in report.sources)
    assert report.kept == sum(record["decision"] == "keep" for record in records)
    assert sum(reason.documents for reason in report.reasons) == report.read - report.kept
    for reason in report.reasons:
        mine = [record["rule"] == reason.name for record in records]
        assert reason.documents == sum(mine)
        assert reason.characters == sum(len(t) for t, hit in zip(run.texts, mine, strict=True) if hit)
    for source in report.sources:
        mine = [record for record in records if record["source"] == source.source]
        assert source.kept == sum(record["decision"] == "keep" for record in mine)
        assert all(n == sum(record["rule"] == name for record in mine) for name, n in source.removed.items())
    assert report.adds_up
    assert run.calls <= 1
    json.dumps(report.as_dict(), allow_nan=False)


@settings(deadline=None)
@given(documents)
def test_public_reports_fetch_and_hold_kept_documents_only(rows: list[tuple[str, str, bool]]) -> None:
    run = run_of(rows)
    report = run.report(public=True, version="1.0.0")
    kept = {row for row, record in enumerate(run.ledger.to_pylist()) if record["decision"] == "keep"}
    assert set(run.asked) <= kept
    text = json.dumps(report.as_dict(), ensure_ascii=False)
    for secret in ("13912345678", "zhang.san", "11010519491231002X", "机密"):
        assert secret not in text
    dropped = {record["id"] for record in run.ledger.to_pylist() if record["decision"] == "drop"}
    assert not any(id in text for id in dropped)


@settings(deadline=None)
@given(documents)
def test_both_sides_of_a_threshold_are_all_documents_it_applies_to(rows: list[tuple[str, str, bool]]) -> None:
    run = run_of(rows)
    report = run.report()
    sizes = {None: len(rows), ("百科",): sum(source == "百科" for source, *_ in rows)}
    for view in report.rules:
        for bound in view.bounds:
            assert bound.fails + bound.passes == sizes[None if view.sources is None else tuple(view.sources)]
            assert bound.decided == sum(reason == bound.reason for reason in run.ledger["rule"].to_pylist())
            assert all(sample.reason is None for sample in bound.passing)
            assert all(sample.reason is not None for sample in bound.failing)


def test_samples_are_nearest_to_the_threshold_on_their_side() -> None:
    (view,) = [view for view in typical().report().rules if view.column == "char_count"]
    low, high = view.bounds
    assert [sample.value for sample in low.failing] == [3]
    assert [sample.value for sample in high.failing] == [90]
    assert [sample.value for sample in low.passing] == [16]


def test_private_samples_say_where_they_are_from() -> None:
    (view,) = [view for view in typical().report().rules if view.column == "mixed"]
    (sample,) = view.bounds[0].failing
    assert (sample.place, sample.value, sample.reason) == ("/srv/机密/6.txt#0", "true", "mixed.other")


def test_duplicates_are_counted_and_paired_with_their_survivor() -> None:
    report = typical().report()
    found = report.duplicates
    assert (found.exact, found.near, found.survivors, found.largest, found.threshold) == (1, 1, 1, 2, 0.8)
    (pair,) = found.pairs
    assert pair.jaccard == 0.85
    assert pair.survivor is not None
    assert pair.parts[-1] == ("differs", "寒来暑往", "")


def test_a_survivor_of_an_earlier_version_is_named_without_its_text() -> None:
    run = typical()
    at = run.ledger.schema.get_field_index("survivor_id")
    ids = pa.array([None if id is None else "earlier" for id in run.ledger["survivor_id"].to_pylist()], pa.string())
    (pair,) = run.report(ledger=run.ledger.set_column(at, LEDGER.field(at), ids)).duplicates.pairs
    assert (pair.survivor, pair.survivor_id) == (None, "earlier")


@pytest.mark.parametrize(
    ("column", "value", "difference"),
    [
        pytest.param("rule", None, 1, id="drop_without_reason"),
        pytest.param("decision", "maybe", 1, id="unknown_decision"),
        pytest.param("decision", "keep", 0, id="kept_after_all"),
    ],
)
def test_an_account_that_does_not_add_up_says_by_how_much(column: str, value: str | None, difference: int) -> None:
    run = typical()
    records = run.ledger.to_pylist()
    records[3][column] = value
    report = run.report(ledger=pa.Table.from_pylist(records, LEDGER))
    assert {source.source: source.difference for source in report.sources} == {"百科": difference, "web": 0}
    assert report.adds_up is not bool(difference)


@pytest.mark.parametrize(
    ("rows", "lost"),
    [
        pytest.param([("百科", "ok", 5), ("web", "ok", 5)], {"百科": 0, "web": 0}, id="all_there"),
        pytest.param([("百科", "ok", 7), ("web", "ok", 5)], {"百科": 2, "web": 0}, id="records_lost"),
        pytest.param([("web", "ok", 5)], {"百科": 0, "web": 0}, id="no_files_listed"),
        pytest.param(
            [("百科", "ok", 5), ("web", "ok", 5), ("空", "failed", 0)], {"百科": 0, "web": 0, "空": 0}, id="all_failed"
        ),
    ],
)
def test_records_of_files_are_held_against_the_ledger(rows: list[tuple[str, str, int]], lost: dict[str, int]) -> None:
    report = typical().report(files=files(rows))
    assert {source.source: source.lost for source in report.sources} == lost
    assert report.adds_up is not any(lost.values())


def test_a_file_of_unknown_outcome_breaks_the_account() -> None:
    report = typical().report(files=files([("百科", "ok", 5), ("web", "vanished", 5)]))
    assert not report.adds_up


def test_problem_files_are_listed_worst_first_and_only_in_private() -> None:
    rows = [("web", outcome, 1) for outcome in ("ok", "skipped", "empty", "partial", "failed", "ok", "ok")]
    private = typical().report(files=files(rows))
    assert [file.outcome for file in private.problems] == ["failed", "partial", "skipped"]
    assert private.outcomes == {"ok": 3, "partial": 1, "failed": 1, "empty": 1, "skipped": 1}
    public = typical().report(files=files(rows), public=True)
    assert (public.problems, public.outcomes) == ([], private.outcomes)


def test_words_that_only_dropped_documents_have_stay_out_of_public_reports() -> None:
    run = typical()
    host = pa.array(["good.cn" if d == "keep" else "张三.cn" for d in run.ledger["decision"].to_pylist()], pa.string())
    rules = [Rule(column="host", none_of=["bad.cn"])]
    signals = run.signals.append_column("host", host)
    assert "张三" in json.dumps(run.report(rules=rules, signals=signals).as_dict(), ensure_ascii=False)
    assert "张三" not in json.dumps(run.report(rules=rules, signals=signals, public=True).as_dict(), ensure_ascii=False)


def test_a_rule_on_a_column_that_was_not_measured_is_shown_without_a_picture() -> None:
    (view,) = typical().report(rules=[Rule(column="perplexity", max=900)]).rules
    assert (view.measured, view.histogram, view.bounds[0].fails) == (False, None, 0)


def test_signals_that_no_rule_uses_are_pictured_too() -> None:
    report = typical().report()
    assert list(report.signals) == ["entropy"]
    assert report.signals["entropy"].missing == 1


def test_an_empty_run_has_an_empty_report() -> None:
    none = Run([])
    report = none.report(signals=pa.table({}), files=FILES.empty_table())
    assert (report.read, report.kept, report.reasons, report.sources, none.calls) == (0, 0, [], [], 0)


def test_ledger_and_signals_must_be_aligned() -> None:
    run = typical()
    with pytest.raises(ValueError, match="align them"):
        run.report(signals=run.signals.slice(1))


def test_the_order_of_rows_changes_nothing() -> None:
    run = typical()
    order = np.random.default_rng(3).permutation(run.ledger.num_rows)
    turned = run.report(
        ledger=run.ledger.take(pa.array(order)),
        signals=run.signals.take(pa.array(order)),
        texts=lambda rows: run.fetch([int(order[row]) for row in rows]),
    )
    assert turned == run.report()


def test_chunked_input_is_the_same_as_whole_input() -> None:
    run = typical()
    parts = pa.concat_tables([run.ledger.slice(0, 3), run.ledger.slice(3)])
    arguments = (parts, run.signals, run.files, RULES, run.fetch)
    facts = {"title": "Corpus", "run": "/srv/机密/run-7"}
    assert collect(*arguments, dataset="org/语料", version=None, facts=facts, public=False) == run.report()
