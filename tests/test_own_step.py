"""Somebody else's step, in one file with one test, keeps every promise: in the contract tests and in a recipe."""

import os
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


def test_one_file_and_one_test_make_a_step(tmp_path: Path, installed: dict[str, str]) -> None:
    tests = tmp_path / "tests"
    (tests / "golden/steps").mkdir(parents=True)
    for path in (EXAMPLES / "test_question_share.py", ROOT / "tests/test_contract.py"):
        shutil.copy(path, tests)
    shutil.copy(ROOT / "tests/golden/documents.json", tests / "golden")
    pytest_here: list[str | Path] = ["pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, tests]
    select = ["-k", "question_share"]
    call([*pytest_here, *select], {**installed, "YULIAO_WRITE_GOLDENS": "1"}, tests)
    assert [path.name for path in (tests / "golden/steps").iterdir()] == ["question_share-1.json"]
    told = call([*pytest_here, *select, "-rA"], installed, tests)
    assert "test_contract.py::test_gives_the_stored_columns[question_share]" in told
    assert "test_counts_sentences_that_ask" in told


def test_workers_measure_it_for_a_recipe(tmp_path: Path, installed: dict[str, str]) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.txt").write_text("你是谁？我是张三。", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "raw/b.txt").write_text("为什么？怎么办？何时？何地？谁？", encoding="utf-8")
    call(["flows.cli", "measure", "raw", "-o", "out", "--recipe", "recipe.yaml"], installed, tmp_path)
    rows = pq.read_table(tmp_path / "out/signals", columns=["question_share", "reason"]).to_pylist()
    assert rows == [{"question_share": 0.5, "reason": ""}, {"question_share": 1.0, "reason": "faq"}]
