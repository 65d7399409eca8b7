"""Pieces of every kind of text through cleaners and signals, a little on each change, by the hour when asked for."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import ENGINES, FRAGMENTS, noted, repeated, report, run, targets, text_of

TARGETS = targets()
PIECES = st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8))


@pytest.mark.parametrize("name", ["segment", "personal types", "mojibake", "leftovers", "wrapped", "pages"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.lists(PIECES, max_size=30).map("".join))
def test_keeps_its_promises_on_any_text(name: str, text: str) -> None:
    TARGETS[name](text)


def test_an_engine_that_is_not_installed_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.fuzz.ENGINES", {"no-such-engine": None})
    run(tmp_path, 1, ["segment"])
    assert noted(tmp_path / "runs.jsonl") == []


@pytest.mark.parametrize(
    ("data", "wanted"),
    [(b"", ""), (b"\x00abc\xff", "abc"), (b"\x01\x00", FRAGMENTS[0]), (b"\x02\x2d\x4e\x00\x00\xd8\x00", "中")],
)
def test_bytes_stand_for_text(data: bytes, wanted: str) -> None:
    assert text_of(data) == wanted


def test_a_shape_has_the_size_asked_for() -> None:
    assert repeated("中", 10) == "中中中"


def test_the_report_names_what_failed_and_the_steepest_shape(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_text(
        '{"target": "segment", "engine": "atheris", "seconds": 9, "runs": 1000, "failed": "boom"}\n', "utf-8"
    )
    (tmp_path / "growth.jsonl").write_text(
        '{"target": "unicode", "shape": "a", "seconds": [0.1, 1.0], "failed": ""}\n'
        '{"target": "unicode", "shape": "b", "seconds": [0.1, 5.0], "failed": ""}\n'
        '{"target": "unicode", "shape": "c", "seconds": [], "failed": "more than 40 s of CPU"}\n',
        "utf-8",
    )
    lines = list(rows(tmp_path))
    assert "| segment | atheris | 9 | 1,000 | yes |" in lines
    assert "| unicode | b | 5.00 | 2 | b | 50.0 |" in lines
    assert any("more than 40 s" in line for line in lines)


def rows(folder: Path) -> Iterator[str]:
    for part in report(folder):
        yield from part.split("\n")


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", TARGETS)
def test_by_the_hour(name: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed: pip install 'yuliao[fuzz]'")
    monkeypatch.setattr("benchmarks.fuzz.ENGINES", {engine: ENGINES[engine]})
    run(tmp_path, 600, [name])
    assert [row["failed"] for row in noted(tmp_path / "runs.jsonl")] == [""]
