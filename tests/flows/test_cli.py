"""The command line, verb by verb, in this process: results, exit status, messages in two languages."""

import ast
import json
import pickle
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests_support import article, call

from flows import show, words
from flows.cli import language, main
from flows.tools import for_tools
from flows.verbs import build_parser
from pipeline.recipes import parse_recipe
from schemas.errors import RecipeError, SourceError

Make = Callable[..., Path]
Run = Callable[..., dict]
VERBS = ["init", "plan", "run", "deploy", "ingest", "measure", "dedup", "explain", "list", "show", "report", "verify"]


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "r.yaml", "--limit", "x"], "--limit: 'x' is not a positive whole number"),
        (["run", "r.yaml", "--limit", "0"], "--limit: '0' is not a positive whole number"),
        (["run", "r.yaml", "--sample", "some"], "--sample: 'some' is not a share between 0 and 1"),
        (["dedup", "x", "-o", "o", "--threshold", "y"], "--threshold: 'y' is not a Jaccard threshold"),
    ],
)
@pytest.mark.parametrize(("lang", "head"), [("en", "error: "), ("zh", "错误：")])
def test_a_wrong_value_is_answered_in_words(
    arguments: list[str], message: str, lang: str, head: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*arguments, "--lang", lang])
    err = capsys.readouterr().err
    assert head in err
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["overlap", "x"], "以下参数须给出其一：--signatures --eval\n"),
        (["dedup", "x"], "缺少参数：-o/--out\n"),
        (["list", "--nothing"], "无法识别的参数：--nothing\n"),
        (["dedup", "x", "-o"], "参数 -o/--out: 需要一个值\n"),
    ],
)
def test_wrong_use_is_answered_in_chinese(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*arguments, "--lang", "zh"])
    assert capsys.readouterr().err.endswith(f"错误：{message}")


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


def test_init_names_the_dataset_after_the_folder_whatever_it_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {}
    for folder in ("语料一", "语料二", "2024", "新闻2024", "news"):
        call(capsys, "init", tmp_path / folder)
        text = (tmp_path / folder / "recipe.yaml").read_text("utf-8")
        names[folder] = parse_recipe(text).dataset
        assert ("目录名中没有" in text) == names[folder].startswith("my/corpus-")
    assert (names["2024"], names["news"]) == ("my/2024", "my/news")
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch("my/corpus-[0-9a-f]{6}", names[folder]) for folder in ("语料一", "语料二", "新闻2024"))


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
        "1 shard; disk",
        "few_different_words                  unique_word_share >= 0.1",
        "other_language                       lang in zh, yue, lzh",
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
    assert "1 shard, 4 documents: everything is as published" in out


def test_verify_makes_the_version_again(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rebuild = ("--workspace", published, "--rebuild", published / "recipe.yaml", "--workers", 1)
    status, out, err = call(capsys, "verify", "test/corpus", *rebuild, "--json")
    assert (status, json.loads(out)["faults"], json.loads(out)["rebuilt"]) == (0, [], True)
    (published / "raw/0.txt").write_text("别的。", encoding="utf-8")
    status, _, err = call(capsys, "verify", "test/corpus", *rebuild)
    assert status == 1
    assert "a rebuild needs them as they were" in err


def test_verify_says_in_words_where_a_version_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"python": "3.11.7", "pyarrow": "1.0"}
    version = SimpleNamespace(manifest=SimpleNamespace(environment=made))
    monkeypatch.setattr("pipeline.publish.version.environment", lambda: made | {"pyarrow": "2.0", "unicode": "15"})
    found = SimpleNamespace(notes=["x"], faults=["y"])
    (line,) = show.verify_lines(version, found, "en")
    assert line.startswith("made with pyarrow 1.0, unicode -, here pyarrow 2.0, unicode 15: bytes of a rebuild")


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


def test_a_broken_version_is_named_in_one_line_and_the_others_are_listed(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = published / "store/test/corpus"
    for name in ("other", "third"):
        shutil.copytree(good, good.with_name(name))
    manifest = good.with_name("other") / "versions/v1.0.0/manifest.json"
    manifest.write_text("{", encoding="utf-8")
    publication = good.with_name("third") / "versions/v1.0.0/publication.json"
    publication.unlink()
    status, out, err = call(capsys, "list", "--workspace", published, "--json")
    assert (status, [row["dataset"] for row in json.loads(out)]) == (1, ["test/corpus"])
    first, second = err.splitlines()
    assert first.startswith(f"yuliao list: {manifest}: no manifest of a format this program knows (Invalid JSON: ")
    assert first.endswith("; restore it from a copy or a mirror")
    assert second == f"yuliao list: {publication}: is missing; restore it from a copy or a mirror"
    manifest.write_text('{"dataset": "a"}', encoding="utf-8")
    assert "(version: Field required)" in call(capsys, "show", "test/other", "--workspace", published)[2]


@pytest.mark.parametrize(
    "arguments", [["list"], ["show", "a/b"], ["report", "a/b"], ["verify", "a/b"], ["explain", "x"]]
)
def test_a_workspace_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    status, out, err = call(capsys, *arguments, "--workspace", tmp_path / "nosuch")
    assert (status, out) == (1, "")
    assert err == f"yuliao {arguments[0]}: {tmp_path / 'nosuch'}: no such folder; check --workspace\n"


SUMMARY = {
    "dataset": "test/corpus",
    "version": "1.0.0",
    "run": "0f",
    "read": 3,
    "published": 1,
    "sources": {"raw": {"read": 3, "published": 1, "removed": {"too_short": 2}}},
    "report": "/r.html",
    "wall_seconds": 12.345,
}


@pytest.mark.parametrize(
    ("change", "lang", "expected"),
    [
        ({}, "en", ["test/corpus@1.0.0: 1 of 3 documents published in 12.3 s", "removed: too_short", "published"]),
        ({}, "zh", ["test/corpus@1.0.0：读入 3 篇，发布 1 篇，用时 12.3 秒", "剔除：太短 too_short", "报告: /r.html"]),
        (
            {"version": None},
            "en",
            ["sample of test/corpus: 1 of 3 documents would be published; nothing was published", "would be published"],
        ),
        ({"version": None}, "zh", ["将会发布 1 篇；未发布任何内容", "将会发布"]),
        ({"unchanged": True}, "en", ["test/corpus@1.0.0 stays: no document changed (12.3 s)", "report: /r.html"]),
        ({"unchanged": True}, "zh", ["test/corpus@1.0.0 不变：没有文档变化"]),
        ({"nothing_to_do": True}, "zh", ["无事可做：test/corpus@1.0.0 已是最新"]),
    ],
)
def test_a_run_says_what_came_of_it(change: dict, lang: str, expected: list[str]) -> None:
    text = "\n".join(show.run_lines(SUMMARY | change, lang))
    for part in expected:
        assert part in text


@pytest.mark.parametrize(
    ("lang", "line"), [("en", "starting Prefect (the first start"), ("zh", "正在启动 Prefect（首次")]
)
def test_run_says_that_prefect_starts_and_how_long_the_whole_command_took(
    make_corpus: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lang: str, line: str
) -> None:
    def slow(**_: object) -> dict:
        time.sleep(0.3)
        return {**SUMMARY, "seconds": 0.1}

    monkeypatch.setitem(sys.modules, "flows.curate", SimpleNamespace(curate=slow))
    monkeypatch.setattr("flows.server.prepare", lambda: None)
    monkeypatch.setattr("flows.server.api", nullcontext)
    monkeypatch.setattr("flows.commands._end_at_once", lambda lang: None)
    recipe = make_corpus({"a.txt": article(1)})
    status, _, err = call(capsys, "run", recipe, "--lang", lang)
    assert status == 0
    assert err.startswith(line)
    status, out, err = call(capsys, "run", recipe, "--json")
    assert json.loads(out)["wall_seconds"] >= 0.3
    assert err == ""


def test_a_finished_run_says_what_is_up_to_date(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = published / "recipe.yaml"
    assert call(capsys, "run", recipe)[1] == "nothing to do: test/corpus@1.0.0 is up to date\n"


def test_results_in_chinese_hold_no_english_sentence(
    published: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    at = ("--workspace", published)
    for arguments in (
        ["plan", published / "recipe.yaml"],
        ["list", *at],
        ["show", "test/corpus@latest", *at],
        ["verify", "test/corpus@latest", *at],
        ["explain", "s.txt", *at],
        ["explain", "again.txt", *at],
    ):
        status, out, _ = call(capsys, *arguments)
        assert status == 0
        for word in ("documents", "files", "shard", "adds", "removed", "published", "rule", "version:", "stage"):
            assert not re.search(rf"(?<![\w./-]){word}\b", out), (arguments, word)
    status, _, err = call(capsys, "show", "no/such", *at)
    assert err.startswith("yuliao show 错误：")


def test_every_error_that_is_said_in_chinese_is_one_that_the_code_raises() -> None:
    root = Path(words.__file__).parent.parent
    raised = set()
    for path in (path for package in ("schemas", "pipeline", "flows") for path in root.glob(f"{package}/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                raised.add(node.value)
    raised |= set(map(for_tools, raised))
    assert set(words._words()["errors"]) <= raised


def test_an_error_is_said_in_chinese_with_its_values_and_in_english_where_it_has_no_chinese() -> None:
    error = pickle.loads(pickle.dumps(SourceError("no file at {path}; check INPUT", path="a{b}.txt")))
    assert words.told(error, "en") == str(error) == "no file at a{b}.txt; check INPUT"
    assert words.told(error, "zh") == "a{b}.txt 处没有文件；请检查 INPUT"
    assert words.told(RecipeError("nothing but {braces}"), "zh") == "nothing but {braces}"


def test_every_word_stands_in_both_languages_with_the_same_blanks() -> None:
    table = words._words()
    for key, text in table["texts"].items():
        assert set(text) == {"en", "zh"}, key
        blanks = [set(re.findall(r"\{(\w+)\}", text[lang])) for lang in ("en", "zh")]
        assert blanks[0] == blanks[1], key
    for template, chinese in table["errors"].items():
        assert set(re.findall(r"\{(\w+)\}", template)) == set(re.findall(r"\{(\w+)\}", chinese)), template
    sizes = (0, 4_321, 950_000, 999_600, 12_345_678, 999_600_000, 40_160_000_000, 8_800_000_000_000)
    expected = "0 kB, 4.32 kB, 950 kB, 1 MB, 12.3 MB, 1.00 GB, 40.16 GB, 8800 GB"
    assert ", ".join(map(words.size, sizes)) == expected
    assert words.stage("write shards", "zh") == "写分片"
    assert words.stage("write shards", "en") == "write shards"
    assert [words.count(n, "shards", "en") for n in (0, 1, 2)] == ["0 shards", "1 shard", "2 shards"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["plan", "recipe.yaml"], ["run", "--help"]])
def test_a_reader_that_leaves_is_met_quietly(
    make_corpus: Make, monkeypatch: pytest.MonkeyPatch, arguments: list[str], unbuffered: str
) -> None:
    recipe = make_corpus({"a.txt": article(1)})
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    command = [sys.executable, "-m", "flows.cli", *arguments]
    with subprocess.Popen(command, cwd=recipe.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)


def test_nothing_is_published_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "list", "--workspace", tmp_path)[:2] == (0, "nothing is published here\n")
    assert "此处尚未发布" in call(capsys, "list", "--workspace", tmp_path, "--lang", "zh")[1]
