"""`yuliao explain`: documents, files and records, and texts that nobody read."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import article, call

Make = Callable[..., Path]
Run = Callable[..., dict]


def test_explain_tells_rule_value_threshold_and_survivor(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--workspace", published, "--json")
    (short,) = json.loads(call(capsys, "explain", "s.txt", *at)[1])
    assert (short["decision"], short["rule"], short["value"]) == ("drop", "too_short", 2)
    (near,) = json.loads(call(capsys, "explain", "again.txt", *at)[1])
    (kept,) = json.loads(call(capsys, "explain", "2.txt", *at)[1])
    pair = {near["decision"]: near, kept["decision"]: kept}
    assert pair["drop"]["survivor_uri"] == pair["keep"]["uri"]
    assert 0.8 <= pair["drop"]["jaccard"] < 1
    by_id = json.loads(call(capsys, "explain", short["id"], *at)[1])
    assert by_id == [short]
    text = call(capsys, "explain", "s.txt", "--workspace", published)[1]
    assert text.startswith(f"REMOVED  {short['id']}  raw  s.txt#0")
    assert "rule: too_short" in text
    chinese = call(capsys, "explain", "s.txt", "--workspace", published, "--lang", "zh")[1]
    assert chinese.startswith("剔除")


def test_explain_a_text_that_nobody_read_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.txt"
    path.write_bytes(article(1).encode("gb18030"))
    (verdict,) = json.loads(call(capsys, "explain", "--text", path, "--json")[1])
    assert (verdict["decision"], verdict["failed"], verdict["signals"]["lang"]) == ("keep", [], "zh")
    path.write_text("Nothing Chinese here, only a short English sentence that says so twice. " * 3, encoding="utf-8")
    (verdict,) = json.loads(call(capsys, "explain", "--text", path, "--json")[1])
    assert verdict["decision"] == "drop"
    assert "other_language" in [rule["reason"] for rule in verdict["failed"]]


def test_explain_shows_every_rule_signal_and_what_cleaning_changed(
    make_corpus: Make, curate_here: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    page = f"首页 > 法律 > 正文\n**{article(1)}**\n联系人13912345678\n责任编辑：张三"
    recipe = make_corpus({"page.txt": page, "copy.txt": f"{page}。", "s.txt": "短。"})
    with recipe.open("a", encoding="utf-8") as stream:
        stream.write(
            "select:\n  - {column: char_count, min: 50}\n  - {column: lang, in: [zh]}\n"
            "  - {column: han_share, min: 0.9, sources: [raw]}\n"
        )
    curate_here(recipe)
    at = ("--workspace", recipe.parent, "--json")
    both = [json.loads(call(capsys, "explain", name, *at)[1])[0] for name in ("page.txt", "copy.txt")]
    kept, gone = sorted(both, key=lambda verdict: verdict["decision"] == "drop")
    assert kept["copies"]["count"] == 1
    assert kept["copies"]["first"][0]["id"] == gone["id"]
    assert [test["verdict"] for test in kept["tests"]] == ["pass"] * 3
    assert kept["tests"][0] == {
        "reason": "char_count.low",
        "threshold": 50.0,
        "test": "char_count >= 50",
        "verdict": "pass",
        "value": kept["signals"]["char_count"],
    }
    counts = kept["cleaned"]["counts"]
    assert (counts["personal_mobile_count"], counts["boilerplate_char_count"] > 0) == (1, True)
    lines = [(line["before"], line["after"]) for line in kept["cleaned"]["lines"]]
    assert ("首页 > 法律 > 正文", None) in lines
    assert next(after for before, after in lines if (before or "").startswith("责任编辑")) is None
    assert "13912345678" not in json.dumps(kept)
    (short,) = json.loads(call(capsys, "explain", "s.txt", *at)[1])
    assert [test["verdict"] for test in short["tests"]] == ["fail", "pass", "fail"]
    assert "copies" not in short
    text = call(capsys, "explain", "s.txt", "--workspace", recipe.parent)[1]
    assert "✗ char_count.low" in text
    assert "FAILS" in text
    assert "全部" not in text
    assert "清洗：" in call(capsys, "explain", "page.txt", "--workspace", recipe.parent, "--lang", "zh")[1]


def test_explain_still_answers_when_what_was_measured_is_gone(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--workspace", published, "--json")
    shutil.rmtree(published / "workspace/read")
    (verdict,) = json.loads(call(capsys, "explain", "s.txt", *at)[1])
    assert "cleaned" not in verdict
    assert verdict["signals"]["char_count"] == 2
    shutil.rmtree(published / "workspace/measured")
    (verdict,) = json.loads(call(capsys, "explain", "s.txt", *at)[1])
    assert (verdict["rule"], "signals" in verdict) == ("too_short", False)


def test_explain_reads_a_text_from_stdin_and_takes_a_preset() -> None:
    command = [sys.executable, "-m", "flows.cli", "explain", "--text", "-", "--recipe", "zh-classical", "--json"]
    poem = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
    done = subprocess.run(command, input=poem.encode("gb18030"), capture_output=True, check=True)
    (verdict,) = json.loads(done.stdout)
    assert (verdict["decision"], verdict["uri"]) == ("keep", "stdin.txt")
    assert "few_function_words" not in [test["reason"] for test in verdict["tests"]]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["explain"], 2, "either ID|URI or --text FILE"),
        (["explain", "nothing.txt"], 1, "no document, file or record with the id or uri 'nothing.txt'"),
        (["explain", "--text", "nowhere.txt"], 1, "nowhere.txt: no such file"),
    ],
)
def test_explain_says_what_it_lacks(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    got, _, err = call(capsys, *arguments)
    assert got == status
    assert message in err


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("bad.txt", [("unread", None, "failed", "the content is an ELF program")]),
        ("raw/bad.txt", [("unread", None, "failed", "the content is an ELF program")]),
        ("void.txt", [("unread", None, "empty", "no text in it")]),
        (".DS_Store", [("unread", None, "skipped", "")]),
        ("a/b.jsonl#1", [("unread", 1, "failed", "no valid JSON")]),
        ("a/b.jsonl#2", [("drop", 2, None, None)]),
        ("raw/a/b.jsonl#0", [("keep", 0, None, None)]),
        ("a/b.jsonl#9", [("absent", None, "partial", "2 documents, but this one is not among those")]),
        ("a/b.jsonl", [("keep", 0, None, None), ("unread", 1, "failed", ""), ("drop", 2, None, None)]),
    ],
)
def test_explain_answers_for_files_and_records_that_were_not_read(
    half_read: Path, capsys: pytest.CaptureFixture[str], document: str, expected: list[tuple]
) -> None:
    at = ("--workspace", half_read)
    verdicts = json.loads(call(capsys, "explain", document, *at, "--json")[1])
    assert [(v["decision"], v["record"], v.get("outcome")) for v in verdicts] == [row[:3] for row in expected]
    assert all(
        reason in verdict.get("reason", "") for verdict, (*_, reason) in zip(verdicts, expected, strict=True) if reason
    )
    assert {verdict["version"] for verdict in verdicts} == {"test/corpus@1.0.0"}
    status, out, _ = call(capsys, "explain", document, *at, "--version", "test/corpus@latest")
    assert status == 0
    assert out.count("  version: test/corpus@1.0.0\n") == len(expected)


def test_explain_begins_with_the_newest_run(
    half_read: Path, capsys: pytest.CaptureFixture[str], curate_here: Run
) -> None:
    curate_here(half_read / "recipe.yaml", limit=1)
    at = ("--workspace", half_read)
    first, second = json.loads(call(capsys, "explain", "bad.txt", *at, "--json")[1])
    assert (first["mode"], first["version"], second["version"]) == ("sample", None, "test/corpus@1.0.0")
    assert "版本: test/corpus（抽样）" in call(capsys, "explain", "bad.txt", *at, "--lang", "zh")[1]
    assert len(json.loads(call(capsys, "explain", "bad.txt", *at, "--json", "--version", "test/corpus")[1])) == 1
