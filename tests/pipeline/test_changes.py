"""Versions over time: what changed documents displaced, gone files, cut-off publishing, what a version number means."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests_support import article

from pipeline.curation import Curation
from pipeline.explain import explain_document
from pipeline.publish import version as versioning
from pipeline.publish.verify import verify
from pipeline.publish.version import Version, open_version, versions
from pipeline.storage import Workspace
from schemas.errors import SourceError

Make = Callable[..., Path]
Run = Callable[..., dict]
RECIPE = """\
dataset: t/c
sources:
  - {id: a, path: raw, license: public-domain}
select: []
publish: {license: public-domain}
"""
KEYED = RECIPE.replace("path: raw,", "path: raw, fields: {id: id, text: text},")
RETRACT = "on_gone: retract\n"
OTHER_RULES = "dedup: {keep: [rank, id]}\n"


def latest(recipe: Path, version: str | None = None) -> Version:
    found = open_version(Workspace(recipe.parent).store("t/c"), version)
    assert found is not None
    return found


def rows(recipe: Path, version: str | None = None) -> dict[str, dict]:
    found = latest(recipe, version)
    assert verify(found).faults == []
    return {r["uri"]: r for shard in found.shards for r in pq.read_table(found.dataset / shard.path).to_pylist()}


def reasons(summary: dict) -> dict[str, str | None]:
    paths = sorted(Path(summary["ledger"]).glob("*.parquet"))
    return {
        f"{r['uri']}#{r['record']}/{r['content_hash'][:4]}": r["rule"]
        for p in paths
        for r in pq.read_table(p).to_pylist()
    }


def numbered(count: int) -> dict[str, str]:
    return {f"{n}.txt": article(n) for n in range(count)}


def keyed(key: str, number: int) -> str:
    return json.dumps({"id": key, "text": article(number)}) + "\n"


def write(recipe: Path, name: str, text: str) -> None:
    (recipe.parent / "raw" / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("leaves", ["changes", "goes"])
def test_a_duplicate_comes_back_when_its_survivor_leaves(make_corpus: Make, curate_here: Run, leaves: str) -> None:
    recipe = make_corpus({"a.txt": article(1), "b.txt": article(1), "c.txt": article(2)}, RECIPE + RETRACT)
    curate_here(recipe)
    (survivor,) = set(rows(recipe)) - {"c.txt"}
    if leaves == "changes":
        write(recipe, survivor, article(3))
    else:
        (recipe.parent / "raw" / survivor).unlink()
    curate_here(recipe)
    found = rows(recipe)
    assert {"a.txt", "b.txt"} - {survivor} < set(found)
    assert len(found) == (3 if leaves == "changes" else 2)
    assert latest(recipe).manifest.version == "2.0.0"


def test_a_gone_document_is_kept_through_a_rebuild(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(4), RECIPE)
    curate_here(recipe)
    (recipe.parent / "raw/1.txt").unlink()
    assert curate_here(recipe)["unchanged"]
    recipe.write_text(RECIPE + OTHER_RULES, encoding="utf-8")
    curate_here(recipe)
    assert set(rows(recipe)) == set(numbered(4))


def test_a_gone_document_that_cannot_be_kept_stops_the_run(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(4), RECIPE)
    curate_here(recipe)
    (recipe.parent / "raw/1.txt").unlink()
    shutil.rmtree(recipe.parent / "workspace/read")
    recipe.write_text(RECIPE + OTHER_RULES, encoding="utf-8")
    with pytest.raises(SourceError, match="1.txt: is gone or changed, .* bring the file back, or set"):
        curate_here(recipe)
    recipe.write_text(RECIPE + OTHER_RULES + RETRACT, encoding="utf-8")
    curate_here(recipe)
    assert set(rows(recipe)) == set(numbered(4)) - {"1.txt"}


def test_a_retraction_is_in_the_ledger_and_needs_no_ledger(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(4), RECIPE + RETRACT)
    curate_here(recipe)
    (recipe.parent / "raw/1.txt").unlink()
    shutil.rmtree(recipe.parent / "workspace/runs")
    summary = curate_here(recipe)
    assert [rule for uri, rule in reasons(summary).items() if uri.startswith("1.txt")] == ["source.gone"]
    assert "1.txt" not in rows(recipe)
    assert latest(recipe).manifest.counts.removed == 1


def test_a_retracted_file_that_returns_is_published_again(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(4), RECIPE + RETRACT)
    curate_here(recipe)
    (recipe.parent / "raw/1.txt").unlink()
    curate_here(recipe)
    write(recipe, "1.txt", article(1))
    curate_here(recipe)
    assert set(rows(recipe)) == set(numbered(4))


def test_a_file_that_turns_back_is_published_as_it_was(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(3), RECIPE)
    curate_here(recipe)
    for number in (9, 1):
        write(recipe, "1.txt", article(number))
        curate_here(recipe)
        assert rows(recipe)["1.txt"]["text"].startswith("第九条" if number == 9 else "第一条")
    assert latest(recipe).manifest.version == "3.0.0"


def test_an_id_that_another_file_still_offers_is_not_retracted(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus({"a.jsonl": keyed("k", 1), "z.jsonl": keyed("z", 5)}, KEYED + RETRACT)
    curate_here(recipe)
    write(recipe, "b.jsonl", keyed("k", 1))
    curate_here(recipe)
    (recipe.parent / "raw/a.jsonl").unlink()
    curate_here(recipe)
    assert latest(recipe).manifest.counts.documents == 2


def test_a_later_record_supersedes_and_a_rebuild_agrees(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus({"a.jsonl": keyed("k", 1) + keyed("other", 8)}, KEYED)
    curate_here(recipe)
    write(recipe, "b.jsonl", keyed("k", 2))
    summary = curate_here(recipe)
    assert sorted(str(rule) for rule in reasons(summary).values()) == ["None", "None", "record.superseded"]
    appended = {row["text"] for row in rows(recipe).values()}
    recipe.write_text(KEYED + OTHER_RULES, encoding="utf-8")
    curate_here(recipe)
    assert {row["text"] for row in rows(recipe).values()} == appended
    assert any(text.startswith("第二条") for text in appended)


def test_equal_shards_are_not_written_again(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(30), RECIPE.replace("publish: {", "publish: {shard_bytes: 4kB, "))
    curate_here(recipe)
    before = [shard.sha256 for shard in latest(recipe).shards]
    write(recipe, "15.txt", article(99))
    curate_here(recipe)
    after = [shard.sha256 for shard in latest(recipe).shards]
    assert len(before) >= 5
    assert len(set(before) - set(after)) == 1
    assert len(set(after) - set(before)) == 2


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_publishing_that_was_cut_off_is_completed(make_corpus: Make, curate_here: Run, version: str) -> None:
    recipe = make_corpus(numbered(4), RECIPE)
    curate_here(recipe)
    if version == "1.1.0":
        write(recipe, "9.txt", article(9))
        curate_here(recipe)
    pointer = recipe.parent / "store/t/c/latest"
    pointer.unlink()
    if version == "1.1.0":
        pointer.write_text("1.0.0\n", encoding="utf-8")  # as if the process had died before it moved
    write(recipe, "10.txt", article(10))
    curate_here(recipe)
    assert pointer.read_text("utf-8").strip() == ("1.2.0" if version == "1.1.0" else "1.1.0")
    assert "10.txt" in rows(recipe)
    previous = latest(recipe).manifest.previous
    assert previous is not None
    assert previous.version == version


def test_whoever_finds_a_version_finds_its_run(
    make_corpus: Make, curate_here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_corpus(numbered(2), RECIPE)
    write_bytes = versioning.write_bytes

    def die_at_the_pointer(path: Path, data: bytes) -> None:
        if path.name == "latest":
            raise KeyboardInterrupt
        write_bytes(path, data)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(versioning, "write_bytes", die_at_the_pointer)
        curate_here(recipe)
    assert curate_here(recipe) == {"nothing_to_do": True}
    (verdict,) = explain_document(Workspace(recipe.parent), "1.txt")
    assert verdict["version"] == "t/c@1.0.0"


@pytest.mark.parametrize(
    ("before", "after", "version"),
    [
        pytest.param("publish: {columns: [han_share], ", "publish: {", "2.0.0", id="a-column-leaves"),
        pytest.param("publish: {", "publish: {columns: [han_share], ", "1.1.0", id="a-column-comes"),
        pytest.param("path: raw, license: public-domain", "path: raw, license: MIT", "2.0.0", id="another-licence"),
        pytest.param("path: raw,", "path: raw, internal: true,", "2.0.0", id="uris-withdrawn"),
        pytest.param("publish: {", "publish: {splits: {test: 30%}, ", "2.0.0", id="documents-move-to-a-split"),
        pytest.param("publish: {", "publish: {contact: me@example.com, ", "1.0.1", id="only-words"),
    ],
)
def test_the_version_says_what_kind_of_change_it_is(
    make_corpus: Make, curate_here: Run, before: str, after: str, version: str
) -> None:
    recipe = make_corpus(numbered(12), RECIPE.replace("publish: {", before) if before.startswith("publish") else RECIPE)
    curate_here(recipe)
    shards = {shard.sha256 for shard in latest(recipe).shards}
    recipe.write_text(recipe.read_text("utf-8").replace(before, after), encoding="utf-8")
    curate_here(recipe)
    assert latest(recipe).manifest.version == version
    if version == "1.0.1":
        assert {shard.sha256 for shard in latest(recipe).shards} == shards
        assert latest(recipe).manifest.recipe["publish"]["contact"] == "me@example.com"


def test_a_file_that_adds_nothing_makes_no_version(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(3), RECIPE)
    curate_here(recipe)
    write(recipe, "copy.txt", article(1))
    summary = curate_here(recipe)
    assert (summary["version"], summary["unchanged"], summary["read"]) == ("1.0.0", True, 1)
    assert versions(Workspace(recipe.parent).store("t/c")) == ["1.0.0"]
    assert curate_here(recipe) == {"nothing_to_do": True}
    write(recipe, "new.txt", article(50))
    assert curate_here(recipe)["version"] == "1.1.0"
    assert set(rows(recipe)) == {*numbered(3), "new.txt"}


def test_an_emptied_source_is_retracted(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(2), RECIPE + RETRACT)
    curate_here(recipe)
    for path in (recipe.parent / "raw").iterdir():
        path.unlink()
    curate_here(recipe)
    assert latest(recipe).manifest.counts.documents == 0


def test_a_source_that_left_the_recipe_takes_its_documents_along(make_corpus: Make, curate_here: Run) -> None:
    two = RECIPE.replace("path: raw,", "path: raw/x,").replace(
        "select:", "  - {id: b, path: raw/y, license: public-domain}\nselect:"
    )
    recipe = make_corpus({"x/1.txt": article(1), "y/2.txt": article(2)}, two)
    curate_here(recipe)
    recipe.write_text(RECIPE.replace("path: raw,", "path: raw/x,"), encoding="utf-8")
    curate_here(recipe)
    assert set(rows(recipe)) == {"1.txt"}
    assert latest(recipe).manifest.version == "2.0.0"


def test_names_of_old_systems_and_broken_links_are_accounted_for(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(1), RECIPE)
    raw = recipe.parent / "raw"
    try:
        (raw / "公告.txt".encode("gb18030").decode("utf-8", "surrogateescape")).write_text(article(7), encoding="utf-8")
    except OSError:
        pytest.skip("this file system refuses names that are no UTF-8")
    (raw / "断链.txt").symlink_to(raw / "nowhere")
    os.mkfifo(raw / "管道.txt")
    summary = curate_here(recipe)
    assert set(rows(recipe)) == {"0.txt", "公告.txt"}
    files = pq.read_table(Path(summary["report"]).parent / "files.parquet").to_pylist()
    outcomes = {row["uri"]: (row["outcome"], bool(row["reason"])) for row in files}
    assert outcomes["断链.txt"] == outcomes["管道.txt"] == ("failed", True)
    assert summary["files"] == {"failed": 2, "ok": 2}
    assert Curation.open(recipe).finished


def test_two_datasets_may_share_a_workspace(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(numbered(3), RECIPE)
    other = recipe.with_name("other.yaml")
    other.write_text(RECIPE.replace("t/c", "t/other"), encoding="utf-8")
    sums = [curate_here(path)["manifest_sha256"] for path in (recipe, other)]
    assert sums[0] != sums[1]
    assert curate_here(recipe) == curate_here(other) == {"nothing_to_do": True}
