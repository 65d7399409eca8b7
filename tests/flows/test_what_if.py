"""`yuliao what-if` on the terminal, its page, and the recipe it writes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import article, call

from flows.cli import main
from pipeline.recipes import load_recipe
from schemas.recipe import Rule


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `measure` wrote, beside what it read."""
    folder = tmp_path_factory.mktemp("measured")
    rows = [{"id": f"{n}", "text": article(n)[: 20 + 10 * n]} for n in range(12)] + [
        {"id": "e", "text": "English. " * 9}
    ]
    (folder / "docs.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert main(["measure", f"{folder / 'docs.jsonl'}", "-o", f"{folder / 'out'}", "--texts", "--workers", "1"]) == 0
    return folder


@pytest.fixture
def measured(tool: Path, tmp_path: Path) -> Path:
    """The same in a folder of its own."""
    shutil.copytree(tool, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out"


def test_what_if_shows_each_rule_on_the_terminal_and_as_a_page(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = call(capsys, "what-if", measured)
    assert (status, err) == (0, "")
    assert out.startswith(f"{measured}: 13 documents")
    line = next(line for line in out.splitlines() if line.startswith("  too_short"))
    assert "char_count >= 50" in line
    assert "█" in line
    page = (measured / "what-if.html").read_text("utf-8")
    assert "What each rule removes" in page
    assert "http-equiv" in page
    assert "独有  重叠最多\n" in call(capsys, "what-if", measured, "--lang", "zh")[1]


def test_what_if_says_what_comes_back_and_writes_no_page_but_there(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(
        call(capsys, "what-if", measured, "--rule", "too_short", "--min", "30", "--out", tmp_path / "page", "--json")[1]
    )
    (source,) = found["change"]["sources"]
    assert source["before"]["documents"] + source["back"]["documents"] == source["after"]["documents"]
    assert source["back"]["documents"] > 0
    assert found["page"] == str(tmp_path / "page/what-if.html")
    assert not (measured / "what-if.html").exists()
    text = call(capsys, "what-if", measured, "--rule", "too_short", "--min", "30")[1]
    assert "documents, gone 0 documents; kept: " in text
    assert "just removed:" in text
    assert (
        "  - {column: char_count, min: 50, name: too_short}\n  + {column: char_count, min: 30, name: too_short}" in text
    )


def test_what_if_takes_the_rules_of_another_recipe_or_preset(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(call(capsys, "what-if", measured, "--recipe", "zh-classical", "--json")[1])
    assert "few_function_words" not in [rule["reason"] for rule in found["rules"]]


def test_what_if_measures_first_where_files_are_named(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on = ("--on", tmp_path / "docs.jsonl", "--out", tmp_path / "tried", "--workers", 1, "--json")
    status, out, _ = call(capsys, "what-if", "zh-web", *on)
    assert status == 0
    found = json.loads(out)
    assert (found["read"]["documents"], found["page"]) == (13, str(tmp_path / "tried/what-if.html"))
    assert call(capsys, "what-if", tmp_path / "tried", "--set", "digits.max=off")[0] == 0


def test_what_if_writes_the_changed_recipe_beside_the_old_one(
    make_corpus: Callable[..., Path], curate_here: Callable[..., dict], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make_corpus({f"{n}.txt": article(n) for n in range(3)} | {"s.txt": "短短的一句话。"})
    with recipe.open("a", encoding="utf-8") as stream:
        stream.write("select:\n  # by hand\n  - {column: char_count, min: 50}\n")
    curate_here(recipe)
    target = recipe.with_name("lower.yaml")
    status, out, _ = call(capsys, "what-if", recipe, "--set", "char_count.min=5", "--write", target)
    assert status == 0
    assert f"recipe written: {target}" in out
    assert "back 1 document," in out
    assert load_recipe(target).select == [Rule(column="char_count", min=5)]
    assert "# by hand" in target.read_text("utf-8")
    status, _, err = call(capsys, "what-if", recipe, "--set", "char_count.min=5", "--write", target)
    assert (status, "exists already" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nothing"], 1, "is no recipe, no folder of `yuliao measure`, and no run or dataset"),
        (["zh-web"], 2, "'zh-web' is a preset: name the files to try it on with --on"),
        (["nothing.yaml"], 2, "nothing.yaml: no such file"),
        (["MEASURED", "--min", "3"], 2, "--min is of the rule that --rule names"),
        (["MEASURED", "--rule", "nope"], 2, "no rule has the name or column 'nope'"),
        (["MEASURED", "--set", "nope.min=3"], 2, "unknown rule or column 'nope'"),
        (["MEASURED", "--set", "script.min=3"], 2, "'script' is string; min/max cannot test it"),
        (
            ["MEASURED", "--set", "digits.max=1", "--write", "x.yaml"],
            2,
            "--write changes a recipe: name it with --recipe",
        ),
    ],
)
def test_what_if_says_what_it_lacks(
    measured: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    got, _, err = call(capsys, "what-if", *(str(measured) if a == "MEASURED" else a for a in arguments))
    assert (got, message in err) == (status, True), err
