"""A new step of one file and one test keeps every promise: where CONTRIBUTING puts it, and in a package of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs/examples"
RECIPE = """\
dataset: my/corpus
sources: [{id: raw, path: raw, license: internal}]
steps: [{preset: zh-web}, {kind: question_share}]
select: [{column: question_share, max: 0.8, name: faq}]
publish: {license: internal, columns: [question_share]}
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which the example is an installed package that offers its step."""
    site = tmp_path / "site"
    metadata = site / "question_share-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: question_share\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[yuliao.steps]\nquestion_share = question_share\n", encoding="utf-8")
    shutil.copy(EXAMPLES / "question_share.py", site)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "PYTHONWARNINGS": "error"}


def call(arguments: list[str | Path], env: dict[str, str], cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the steps of CONTRIBUTING need of the repository, with the example put where they say."""
    clone = tmp_path / "clone"
    for name in ("schemas", "pipeline", "flows", "docs", "tests"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", clone)
    shutil.copy(EXAMPLES / "question_share.py", clone / "pipeline/signals")
    shutil.copy(EXAMPLES / "test_question_share.py", clone / "tests/pipeline/signals")
    meanings = clone / "docs/meanings.yaml"
    text = meanings.read_text("utf-8")
    for part in ("steps", "columns"):
        text = text.replace(f"\n{part}:\n", f"\n{part}:\n  question_share: 问句占比\n")
    meanings.write_text(text, encoding="utf-8")
    return clone


def test_the_steps_of_contributing_make_a_signal(clone: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    [commands] = [block for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "question_share" in block]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}", "PYTHONPATH": str(clone)}
    done = subprocess.run(
        ["bash", "-ec", commands], env=env, cwd=clone, capture_output=True, encoding="utf-8", timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (clone / "tests/golden/steps/question_share-1.json").exists()
    assert (clone / "docs/steps.md").read_text("utf-8").count("问句占比") == 2
    contract, everything = (int(count) for count in re.findall(r"(\d+) passed", done.stdout))
    assert everything == contract + 6, "the six rows of the example's own table"


def test_workers_measure_it_for_a_recipe(tmp_path: Path, installed: dict[str, str]) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.txt").write_text("你是谁？我是张三。", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "raw/b.txt").write_text("为什么？怎么办？何时？何地？谁？", encoding="utf-8")
    call(["flows.cli", "measure", "raw", "-o", "out", "--recipe", "recipe.yaml"], installed, tmp_path)
    rows = pq.read_table(tmp_path / "out/signals", columns=["question_share", "reason"]).to_pylist()
    assert rows == [{"question_share": 0.5, "reason": ""}, {"question_share": 1.0, "reason": "faq"}]
