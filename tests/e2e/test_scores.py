"""How good reading and deduplication are on real data with ground truth, judged by the scorers beside the project."""

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

pytestmark = pytest.mark.e2e
READ_NOW = "txt,md,html,csv,tsv,json,jsonl,jsonl.gz,jsonl.zst,parquet"


def score(shared: Path, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(shared / "tools" / f"score_{name}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def require(*conditions: str) -> list[str]:
    return [part for condition in conditions for part in ("--require", condition)]


def test_the_messy_folder_is_read_and_accounted_for(shared: Path, tmp_path: Path, yuliao: Callable) -> None:
    unpacker = zstandard.ZstdDecompressor(max_window_size=2**31)
    archive = shared / "data" / "mixed-raw.tar.zst"
    with (
        archive.open("rb") as stream,
        unpacker.stream_reader(stream) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        tar.extractall(tmp_path, filter="data")
    place, out = tmp_path / "mixed-raw", tmp_path / "out"
    done = yuliao("ingest", place / "tree", "-o", out)
    assert done.returncode == 0, done.stderr
    conditions = require("all_right>=0.985", "boilerplate_free>=0.98")
    judged = score(shared, "ingest", place, out, "--formats", READ_NOW, *conditions)
    assert judged.returncode == 0, judged.stdout[-3000:] + judged.stderr
    judged = score(shared, "ingest", place, out, *require("found==1", "reasons_given==1", "extra==0"))
    assert judged.returncode == 0, judged.stdout[-3000:] + judged.stderr


def test_no_good_document_is_removed_as_a_duplicate(shared: Path, tmp_path: Path, yuliao: Callable) -> None:
    done = yuliao("dedup", shared / "data" / "neardup" / "docs.jsonl.zst", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["documents"] == 60000
    conditions = require(
        "precision==1", "survivors_valid==1", "pair_resolved_both_080>=0.9995", "wording_kept_recall>=0.999"
    )
    judged = score(shared, "neardup", shared / "data" / "neardup", tmp_path, *conditions)
    assert judged.returncode == 0, judged.stdout[-3000:] + judged.stderr


def test_evaluation_questions_are_found_in_documents(shared: Path, tmp_path: Path, yuliao: Callable) -> None:
    folder = shared / "data" / "contam"
    done = yuliao("overlap", folder / "docs.jsonl.zst", "--eval", folder / "benchmark.jsonl.zst", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["documents"] == 4350
    judged = score(
        shared, "overlap", folder, tmp_path, *require("recall_verbatim>=0.99", "recall>=0.95", "precision>=0.99")
    )
    assert judged.returncode == 0, judged.stdout[-3000:] + judged.stderr


def test_planted_furniture_goes_and_statutes_verse_and_dialogue_stay(
    shared: Path, tmp_path: Path, yuliao: Callable
) -> None:
    folder = shared / "data" / "neardup"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "dataset: t/c\nsources: [{id: all, path: raw, license: internal}]\npublish: {license: internal}\n"
        "steps: [{kind: characters}]\nselect: []\ndedup: {near: false}\npassages: {}\n",
        "utf-8",
    )
    done = yuliao("measure", folder / "docs.jsonl.zst", "-o", tmp_path / "out", "--recipe", recipe)
    assert done.returncode == 0, done.stderr
    parts = [pq.read_table(path, columns=["id", "passage_count"]) for path in (tmp_path / "out/signals").iterdir()]
    removed = {row["id"]: row["passage_count"] for part in parts for row in part.to_pylist()}
    with zstandard.open(folder / "truth.jsonl.zst", "rt", encoding="utf-8") as lines:
        planted = {row["id"]: row["edit"] for row in map(json.loads, lines) if "boiler" in row["edit"]}
    plain = [id for id, edit in planted.items() if edit.startswith("boiler")]
    assert sum(removed[id] > 0 for id in plain) >= 0.95 * len(plain)
    rightly = {"laws-cn", "laws-tw", "poetry", "classical", "classical-modern", "tcm-books", "kdconv", "crosswoz"}
    with zstandard.open(folder / "docs.jsonl.zst", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["source"] in rightly and row["id"] not in planted:
                assert removed[row["id"]] == 0, row["text"][:200]
