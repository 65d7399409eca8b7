"""The command line, verb by verb, in this process: results, exit status, messages in two languages."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests_support import article

from flows.cli import build_parser, language, main

Make = Callable[..., Path]
Run = Callable[..., dict]
VERBS = ["init", "plan", "run", "deploy", "ingest", "measure", "dedup", "explain", "list", "show", "report", "verify"]


@pytest.fixture
def published(make_corpus: Make, curate_here: Run) -> Path:
    """A folder in which one version of test/corpus is published."""
    recipe = make_corpus(
        {f"{n}.txt": article(n) for n in range(4)} | {"again.txt": article(2).replace("国", "囯", 1), "s.txt": "短。"}
    )
    curate_here(recipe)
    return recipe.parent


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help", "--lang", lang])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    assert ("示例:" if lang == "zh" else "example:") in out
    assert f"  yuliao {verb} " in out
    assert any("\u4e00" <= char <= "\u9fff" for char in out) == (lang == "zh")


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["list"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["list"], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        (["list", "--lang", "en"], {"LANG": "zh_TW.UTF-8"}, "en"),
        (["list", "--lang=zh"], {"LANG": "de_DE.UTF-8"}, "zh"),
        (["list"], {}, "en"),
    ],
)
def test_the_language_is_the_options_or_the_locales(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: dict[str, str], expected: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language(arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run"],
        ["run", "r.yaml", "--workers", "0"],
        ["run", "r.yaml", "--memory", "lots"],
        ["run", "r.yaml", "--memory", "1MB"],
        ["run", "r.yaml", "--sample", "2"],
        ["run", "r.yaml", "--sample", "1%", "--limit", "5"],
        ["dedup", "x.jsonl", "-o", "out", "--threshold", "80"],
        ["ingest", "x"],
    ],
)
def test_wrong_use_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: yuliao" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.25", 0.25)])
def test_a_sample_is_a_share(text: str, share: float) -> None:
    assert build_parser("en").parse_args(["run", "r.yaml", "--sample", text]).sample == share


def test_init_makes_a_recipe_that_passes_its_own_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "我的 corpus"
    assert call(capsys, "init", folder)[0] == 0
    status, out, _ = call(capsys, "plan", folder / "recipe.yaml", "--json")
    plan = json.loads(out)
    assert (status, plan["dataset"], plan["files"]) == (0, "my/corpus", 1)
    status, _, err = call(capsys, "init", folder)
    assert status == 2
    assert "exists already; choose another folder" in err


def test_init_runs_to_a_version(tmp_path: Path, capsys: pytest.CaptureFixture[str], curate_here: Run) -> None:
    call(capsys, "init", tmp_path / "mine")
    assert curate_here(tmp_path / "mine" / "recipe.yaml")["published"] == 1


def test_plan_prints_sources_steps_rules_and_disk(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "plan", published / "recipe.yaml")
    assert status == 0
    for part in (
        "test/corpus  fingerprint ",
        "raw ",
        "6 files  public-domain",
        "characters ",
        "too_short",
        "1 shards; disk",
    ):
        assert part in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dedup: {treshold: 0.9}", "line 5, dedup.treshold: unknown field 'treshold'. Did you mean 'threshold'?"),
        ("select: [{column: nothing, min: 1}]", "select, rule 1: unknown column 'nothing'"),
    ],
)
def test_a_wrong_recipe_ends_with_two_and_one_clear_line(
    make_corpus: Make, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    recipe = make_corpus({"a.txt": article(1)})
    recipe.write_text(recipe.read_text("utf-8") + line + "\n", encoding="utf-8")
    for verb in ("plan", "run"):
        status, out, err = call(capsys, verb, recipe)
        assert (status, out) == (2, "")
        assert err.startswith(f"yuliao {verb}: ")
        assert message in err


def test_an_empty_folder_is_named(make_corpus: Make, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = make_corpus({"a.txt": ""})
    (recipe.parent / "raw/a.txt").unlink()
    status, _, err = call(capsys, "run", recipe)
    assert status == 1
    assert "source 'raw': no file at " in err


def test_list_show_report_and_verify_agree(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--workspace", published)
    rows = json.loads(call(capsys, "list", *at, "--json")[1])
    assert [(row["dataset"], row["version"], row["documents"]) for row in rows] == [("test/corpus", "1.0.0", 4)]
    assert "test/corpus@1.0.0" in call(capsys, "list", *at)[1]
    manifest = json.loads(call(capsys, "show", "test/corpus", *at, "--json")[1])
    assert manifest["counts"]["documents"] == 4
    text = call(capsys, "show", "test/corpus@1.0.0", *at)[1]
    assert f"sha256 {rows[0]['sha256']}" in text
    assert "removed duplicate.near" in text
    report = json.loads(call(capsys, "report", "test/corpus", *at, "--json")[1])
    assert "<html" in Path(report["report"]).read_text("utf-8")
    status, out, _ = call(capsys, "verify", "test/corpus", *at)
    assert status == 0
    assert "1 shards, 4 documents: everything is as published" in out


def test_report_of_a_run_by_its_first_digits(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = (published / "workspace/runs").iterdir()
    report = json.loads(call(capsys, "report", folder.name[:8], "--workspace", published, "--json")[1])
    assert Path(report["report"]) == folder / "report.html"


def test_verify_fails_when_a_shard_was_changed(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shard,) = (published / "store/test/corpus/shards").iterdir()
    shard.write_bytes(shard.read_bytes() + b"x")
    status, out, err = call(capsys, "verify", "test/corpus", "--workspace", published, "--json")
    assert status == 1
    assert shard.name in json.loads(out)["faults"][0]
    assert "restore it from a copy" in err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/such", "no dataset 'no/such' is published here; published are: test/corpus"),
        ("test/corpus@3.0.0", "there is no version 3.0.0; published are: 1.0.0"),
    ],
)
def test_an_unknown_version_is_named_with_the_known_ones(
    published: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    status, _, err = call(capsys, "show", name, "--workspace", published)
    assert status == 1
    assert message in err


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


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["explain"], 2, "either ID|URI or --text FILE"),
        (["explain", "nothing.txt"], 1, "no document with the id or uri 'nothing.txt'"),
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


def test_nothing_is_published_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "list", "--workspace", tmp_path)[:2] == (0, "nothing is published here\n")
    assert "此处尚未发布" in call(capsys, "list", "--workspace", tmp_path, "--lang", "zh")[1]


def test_ingest_accounts_for_every_file(make_corpus: Make, tmp_path: Path, yuliao: Callable) -> None:
    raw = (
        make_corpus(
            {
                "a.txt": article(1),
                "b/c.jsonl": json.dumps({"id": "x", "text": article(2)}) + "\n{",
                ".DS_Store": b"\0\1",
            }
        ).parent
        / "raw"
    )
    out = tmp_path / "out"
    for _ in range(2):
        done = yuliao("ingest", raw, "-o", out, "--workers", 1)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"files": 3, "ok": 1, "partial": 1, "skipped": 1, "out": str(out)}
    documents = pq.read_table(out / "documents").to_pylist()
    assert sorted((row["uri"], row["record"]) for row in documents) == [("a.txt", 0), ("b/c.jsonl", 0)]
    files = {row["uri"]: row for row in pq.read_table(out / "files.parquet").to_pylist()}
    assert files["b/c.jsonl"]["bad_records"] == 1
    assert files[".DS_Store"]["reason"]
    assert pq.read_table(out / "quarantine.parquet").column("uri").to_pylist() == ["b/c.jsonl"]
    assert sorted(path.name for path in out.iterdir()) == ["documents", "files.parquet", "quarantine.parquet"]


def test_measure_decides_on_each_document_under_its_own_id(tmp_path: Path, yuliao: Callable) -> None:
    rows = [
        {"id": "good", "text": article(1)},
        {"id": "short", "text": "短。"},
        {"id": "en", "text": "An English text. " * 20},
    ]
    (tmp_path / "docs.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    done = yuliao("measure", tmp_path / "docs.jsonl", "-o", tmp_path / "out", "--workers", 1)
    assert done.returncode == 0, done.stderr
    found = {row["id"]: row for row in pq.read_table(tmp_path / "out/signals").to_pylist()}
    assert {id: (row["decision"], row["reason"]) for id, row in found.items()} == {
        "good": ("keep", ""),
        "short": ("drop", "too_short"),
        "en": ("drop", "other_language"),
    }
    assert {"lang", "script", "mixed", "char_count", "han_share"} <= set(found["good"])
    assert [(row["uri"], row["record"]) for row in found.values()] == [("docs.jsonl", n) for n in range(3)]


def test_dedup_lists_only_what_is_removed(tmp_path: Path, yuliao: Callable) -> None:
    rows = [{"id": str(n), "text": article(n)} for n in range(6)]
    rows += [{"id": "near", "text": article(3).replace("国", "囯", 1) + "完。"}, {"id": "same", "text": article(4)}]
    (tmp_path / "docs.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    done = yuliao("dedup", tmp_path / "docs.jsonl", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = {row["id"]: row for row in pq.read_table(tmp_path / "out/duplicates.parquet").to_pylist()}
    assert set(found) == {"3", "same"}
    assert (found["3"]["survivor_id"], found["3"]["kind"]) == ("near", "near")
    assert (found["3"]["uri"], found["3"]["record"], found["3"]["survivor_record"]) == ("docs.jsonl", 3, 6)
    assert (found["same"]["survivor_id"], found["same"]["kind"], found["same"]["jaccard"]) == ("4", "exact", 1.0)


@pytest.mark.parametrize(
    ("files", "status", "message"),
    [
        (
            {"a.jsonl": b'{"id": "x", "text": "a"}', "b.jsonl": b'{"id": "x", "text": "b"}'},
            1,
            "1 ids come more than once, the first is 'x'",
        ),
        ({"a.jsonl": b"\x89PNG\r\n\x1a\n\0\0"}, 1, "none of 1 files could be read"),
        ({"a.jsonl": b'{"id": "x", "text": "a"}\n{"id": "x", "text": "b"}'}, 0, "the id 'x' occurs again in this file"),
    ],
)
def test_dedup_says_what_it_cannot_answer_for(
    tmp_path: Path, yuliao: Callable, files: dict[str, bytes], status: int, message: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    done = yuliao("dedup", *(tmp_path / name for name in files), "-o", tmp_path / "out")
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
