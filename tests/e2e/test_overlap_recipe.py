"""A recipe that keeps apart from evaluation sets: documents dropped or marked, and what a changed set does."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests_support import article

pytestmark = pytest.mark.e2e
QUESTION = "在农业生产中被当作极其重要的劳动对象发挥作用，最主要的不可替代的基本生产资料是"


def published(recipe: Path) -> tuple[dict, set[str]]:
    dataset = recipe.parent / "store/test/corpus"
    version = (dataset / "latest").read_text("utf-8").strip().removeprefix("v")
    manifest = json.loads((dataset / f"versions/v{version}/manifest.json").read_text("utf-8"))
    shards = [dataset / shard["path"] for segment in manifest["segments"] for shard in segment["shards"]]
    return manifest, {row["uri"] for path in shards for row in pq.read_table(path).to_pylist()}


def test_documents_with_questions_are_dropped_or_marked(
    yuliao: Callable[..., subprocess.CompletedProcess[str]], make_corpus: Callable[..., Path]
) -> None:
    files = {f"{n}.txt": article(n) for n in range(6)}
    files["2.txt"] += f"\n{QUESTION.replace('，', ' ')}\n"
    recipe = make_corpus(files)
    questions = recipe.parent / "bench/cmmlu.jsonl"
    questions.parent.mkdir()
    usual = recipe.read_text("utf-8")
    recipe.write_text(usual + "overlap: {eval: [bench/cmmlu.jsonl]}\n", "utf-8")
    done = yuliao("plan", recipe)
    assert done.returncode == 2
    assert "recipe.yaml, line 5, overlap.eval:" in done.stderr
    assert "no such file of evaluation questions" in done.stderr
    questions.write_text(json.dumps({"id": "q1", "question": QUESTION}) + "\n", "utf-8")

    assert yuliao("run", recipe).returncode == 0
    manifest, uris = published(recipe)
    assert uris == set(files) - {"2.txt"}
    assert manifest["recipe"]["overlap"] == {"eval": ["cmmlu.jsonl"], "action": "drop"}
    assert str(recipe.parent) not in json.dumps(manifest), "where files lie is no part of what a version is"
    assert "evaluation questions: cmmlu.jsonl" in [resource["name"] for resource in manifest["resources"]]
    done = yuliao("explain", "2.txt", "--workspace", recipe.parent, "--json")
    (verdict,) = json.loads(done.stdout)
    assert (verdict["rule"], verdict["value"], verdict["threshold"]) == ("overlap.eval", 1.0, 0.0)
    assert "q1" in json.dumps(verdict, ensure_ascii=False)
    assert json.loads(yuliao("run", recipe, "--json").stdout)["version"] == "1.0.0"

    # Renamed, the questions are the same; other questions make another version.
    questions.rename(questions.with_name("other.jsonl"))
    recipe.write_text(usual + "overlap: {eval: [bench/other.jsonl]}\n", "utf-8")
    before = manifest["fingerprint"]
    assert before in yuliao("plan", recipe, "--json").stdout
    questions.write_text(json.dumps({"id": "q2", "question": article(4)[:40]}) + "\n", "utf-8")
    columns = usual.replace("publish: {", "publish: {columns: [overlap_score, overlap_found], ")
    mark = "overlap: {eval: [bench/other.jsonl, bench/cmmlu.jsonl], action: mark}\n"
    recipe.write_text(columns + mark, "utf-8")
    done = yuliao("run", recipe)
    assert done.returncode == 0, done.stderr
    manifest, uris = published(recipe)
    assert uris == set(files)
    assert manifest["version"] != "1.0.0"
    shard = recipe.parent / "store/test/corpus" / manifest["segments"][0]["shards"][0]["path"]
    scores = {row["uri"]: row["overlap_score"] for row in pq.read_table(shard).to_pylist()}
    assert {"2.txt", "4.txt"} <= {uri for uri, score in scores.items() if score} < set(files)
