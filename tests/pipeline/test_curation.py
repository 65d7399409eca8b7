"""Whole runs in this process: accounting, incremental batches, changed and gone files, retuning, determinism."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests_support import article

from pipeline.curation import Curation
from pipeline.publish.verify import verify
from pipeline.publish.version import Version, open_version, versions
from pipeline.storage import Workspace
from schemas.errors import ContractError, SourceError, StoreError

Make = Callable[..., Path]
Run = Callable[..., dict]

RECIPE = """\
dataset: test/corpus
sources:
  - {id: first, path: raw/first, license: cn-official-text, rank: 1}
  - {id: second, path: raw/second, license: CC-BY-4.0, rank: 2, generated: true, grade: general-1, internal: true}
publish: {license: CC-BY-4.0, columns: [han_share]}
"""


def files(**more: str | bytes) -> dict[str, str | bytes]:
    made: dict[str, str | bytes] = {f"first/{n:02d}.txt": article(n) for n in range(8)}
    made |= {
        "first/copy.txt": article(3),
        "second/reprint.txt": article(4).replace("，", ",").replace("。", "."),
        "second/near.txt": article(5).replace("国家", "囯家", 1),
        "second/own.txt": article(99),
        "second/short.txt": "太短了。",
        "second/english.txt": "This page is written in English and has nothing to do with the corpus. " * 5,
        "second/table.jsonl": "".join(json.dumps({"text": article(n)}) + "\n" for n in range(20, 24)) + '{"text": \n',
        "second/empty.txt": "",
        "second/picture.png": b"\x89PNG\r\n\x1a\n\0\0\0",
    }
    return made | more


def published(recipe: Path, version: str | None = None) -> pa.Table:
    opened = at(recipe, version)
    tables = [pq.read_table(opened.dataset / shard.path) for shard in opened.shards]
    return pa.concat_tables(tables)


def at(recipe: Path, version: str | None = None) -> Version:
    opened = open_version(Workspace(recipe.parent).store("test/corpus"), version)
    assert opened is not None
    return opened


def ledger(summary: dict) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted(Path(summary["ledger"]).glob("*.parquet"))])


def add(recipe: Path, name: str, text: str) -> None:
    (recipe.parent / "raw" / name).write_text(text, encoding="utf-8")


def test_every_document_and_file_is_accounted_for(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    summary = curate_here(recipe)
    rows = ledger(summary).to_pylist()
    reasons = Counter((row["source"], row["rule"]) for row in rows)
    assert reasons == {
        ("first", None): 8,
        ("first", "duplicate.exact"): 1,
        ("second", None): 5,
        ("second", "duplicate.near"): 2,
        ("second", "too_short"): 1,
        ("second", "other_language"): 1,
    }
    assert summary["read"] == len(rows) == 18
    assert summary["published"] == 13
    by_uri = {row["uri"]: row for row in rows}
    short = by_uri["short.txt"]
    assert (short["decision"], short["stage"], short["value"]) == ("drop", "select", 4)
    assert short["threshold"] > 4
    near = by_uri["near.txt"]
    assert near["survivor_id"] == by_uri["05.txt"]["id"]
    assert near["threshold"] == 0.8 < near["jaccard"] < 1
    assert by_uri["reprint.txt"]["jaccard"] == 1
    kept, copy = sorted((by_uri["copy.txt"], by_uri["03.txt"]), key=lambda row: row["id"])
    assert (kept["decision"], copy["rule"], copy["survivor_id"]) == ("keep", "duplicate.exact", kept["id"])
    outcomes = pq.read_table(Path(summary["report"]).parent / "files.parquet").to_pylist()
    assert {row["uri"]: row["outcome"] for row in outcomes if row["outcome"] != "ok"} == {
        "empty.txt": "empty",
        "picture.png": "failed",
        "table.jsonl": "partial",
    }
    assert all(row["reason"] for row in outcomes if row["outcome"] != "ok")


def test_a_version_holds_the_contract_columns(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    table = published(recipe)
    assert table.column_names == [
        *("id", "text", "title", "source", "uri", "record", "url", "license", "lang", "script", "original_time"),
        *("last_modified_time", "char_count", "content_hash", "first_version", "generated", "grade", "han_share"),
    ]
    rows = {(row["source"], row["uri"], row["record"]): row for row in table.to_pylist()}
    first = rows["first", "02.txt", 0]
    assert (first["license"], first["lang"], first["first_version"]) == (
        "cn-official-text",
        "zh",
        "1.0.0",
    )
    assert first["char_count"] == len(first["text"])
    assert (first["generated"], first["grade"]) == (None, None)
    inside = [row for row in rows.values() if row["source"] == "second"]
    assert {(row["uri"], row["generated"], row["grade"]) for row in inside} == {("", True, "general-1")}
    manifest = at(recipe).manifest
    assert manifest.version == "1.0.0"
    assert [(s.id, s.read, s.published) for s in manifest.sources] == [("first", 9, 8), ("second", 9, 5)]
    assert manifest.counts.documents == table.num_rows == 13
    assert manifest.recipe["sources"][1]["path"] is None
    order = list(
        zip(
            table.column("source").to_pylist(),
            table.column("uri").to_pylist(),
            table.column("record").to_pylist(),
            strict=True,
        )
    )
    assert order == sorted(order)


def test_a_second_run_does_nothing(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    assert curate_here(recipe) == {"nothing_to_do": True}
    assert versions(Workspace(recipe.parent).store("test/corpus")) == ["1.0.0"]


def test_new_files_append_a_segment_and_leave_old_shards_alone(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    before = {shard.sha256 for shard in at(recipe).shards}
    add(recipe, "first/new.txt", article(50))
    add(recipe, "first/again.txt", article(2).replace("国家", "囯家", 1))
    summary = curate_here(recipe)
    manifest = at(recipe).manifest
    assert (summary["version"], summary["read"], summary["published"]) == ("1.1.0", 2, 1)
    assert manifest.previous is not None
    assert manifest.previous.sha256 == at(recipe, "1.0.0").sha256
    assert [len(segment.shards) for segment in manifest.segments] == [2, 1]
    assert before < {shard.sha256 for shard in at(recipe).shards}
    rows = ledger(summary).to_pylist()
    again = next(row for row in rows if row["uri"] == "again.txt")
    assert again["rule"] == "duplicate.near"
    assert again["survivor_id"] in published(recipe, "1.0.0").column("id").to_pylist()
    assert again["detail"] == "published since 1.0.0"
    assert Counter(published(recipe).column("first_version").to_pylist()) == {"1.0.0": 13, "1.1.0": 1}
    assert verify(at(recipe)).faults == verify(at(recipe, "1.0.0")).faults == []


def test_a_new_batch_reads_and_measures_only_itself(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    add(recipe, "first/new.txt", article(50))
    curation = Curation.open(recipe)
    assert curation.append
    assert [[file.uri for file in job.files] for job in curation.read_jobs()] == [["new.txt"]]


def test_a_changed_file_replaces_its_document(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    add(recipe, "first/06.txt", article(60))
    summary = curate_here(recipe)
    manifest = at(recipe).manifest
    assert (manifest.version, manifest.counts.changed, manifest.counts.documents) == ("2.0.0", 1, 13)
    texts = {row["uri"]: row["text"] for row in published(recipe).to_pylist() if row["source"] == "first"}
    assert texts["06.txt"].startswith("第六零条")
    assert summary["published"] == 13
    assert verify(at(recipe)).faults == []
    assert published(recipe, "1.0.0").num_rows == 13


def test_a_file_that_grew_keeps_its_old_records(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    path = recipe.parent / "raw/second/table.jsonl"
    lines = [*path.read_text("utf-8").splitlines()[:4], json.dumps({"text": article(70)})]
    path.write_text("\n".join(lines), encoding="utf-8")
    summary = curate_here(recipe)
    assert at(recipe).manifest.version == "1.1.0"
    assert (summary["read"], summary["published"]) == (5, 5)
    assert published(recipe).num_rows == 14
    details = Counter(row["detail"] for row in ledger(summary).to_pylist())
    assert details == {"unchanged since an earlier version": 4, None: 1}


@pytest.mark.parametrize(("on_gone", "version", "documents"), [("keep", "1.0.0", 13), ("retract", "2.0.0", 12)])
def test_a_gone_file_is_kept_or_retracted(
    make_corpus: Make, curate_here: Run, on_gone: str, version: str, documents: int
) -> None:
    recipe = make_corpus(files(), RECIPE + f"on_gone: {on_gone}\n")
    curate_here(recipe)
    (recipe.parent / "raw/second/own.txt").unlink()
    curate_here(recipe)
    manifest = at(recipe).manifest
    assert (manifest.version, manifest.counts.documents) == (version, documents)
    assert verify(at(recipe)).faults == []
    assert curate_here(recipe) == {"nothing_to_do": True}


def test_a_changed_threshold_only_decides_and_publishes_again(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    recipe.write_text(RECIPE + "select: [{column: lang, in: [zh]}]\n", encoding="utf-8")
    curation = Curation.open(recipe)
    assert (curation.read_jobs(), curation.measure_jobs(), curation.wants_pairs) == ([], [], False)
    curate_here(recipe)
    manifest = at(recipe).manifest
    assert (manifest.version, manifest.counts.added, manifest.counts.removed, manifest.counts.documents) == (
        "1.1.0",
        1,
        0,
        14,
    )
    assert Counter(published(recipe).column("first_version").to_pylist()) == {"1.0.0": 13, "1.1.0": 1}


def test_a_rebuild_after_batches_reuses_what_was_measured(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    add(recipe, "first/new.txt", article(50))
    curate_here(recipe)
    recipe.write_text(RECIPE + "select: [{column: lang, in: [zh]}]\n", encoding="utf-8")
    curation = Curation.open(recipe)
    assert (curation.append, curation.read_jobs(), curation.measure_jobs()) == (False, [], [])
    curate_here(recipe)
    assert at(recipe).manifest.counts.documents == 15
    assert len(at(recipe).manifest.segments) == 2
    assert verify(at(recipe)).faults == []


def test_the_same_inputs_give_the_same_manifest_anywhere(make_corpus: Make, curate_here: Run) -> None:
    one, two = make_corpus(files(), RECIPE, "one"), make_corpus(files(), RECIPE, "two")
    sums = [curate_here(recipe)["manifest_sha256"] for recipe in (one, two)]
    assert sums[0] == sums[1]


def test_a_run_stopped_between_stages_ends_the_same(make_corpus: Make, curate_here: Run) -> None:
    from pipeline.engine import read_shard

    whole, broken = make_corpus(files(), RECIPE, "whole"), make_corpus(files(), RECIPE, "broken")
    curation = Curation.open(broken)
    jobs = curation.read_jobs()
    read_shard(jobs[0])
    assert [job.folder for job in Curation.open(broken).read_jobs()] == [job.folder for job in jobs[1:]]
    assert curate_here(broken)["manifest_sha256"] == curate_here(whole)["manifest_sha256"]


def test_a_sample_is_measured_but_never_published(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    summary = curate_here(recipe, sample=0.5)
    assert 0 < summary["read"] < 18
    assert summary["version"] is None
    assert open_version(Workspace(recipe.parent).store("test/corpus")) is None
    whole = curate_here(recipe)
    ids = ledger(summary).column("id").to_pylist()
    assert set(ids) == {id for id in ledger(whole).column("id").to_pylist() if int(id, 16) <= 2**127}


def test_a_limit_takes_that_many_documents(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    assert curate_here(recipe, limit=7)["read"] == 7
    assert curate_here(recipe, limit=1000)["read"] == 18


def test_splits_are_a_stable_share_by_id(make_corpus: Make, curate_here: Run) -> None:
    text = RECIPE.replace("publish: {", "publish: {splits: {validation: 30%}, ")
    recipe = make_corpus({f"first/{n}.txt": article(n) for n in range(40)} | {"second/x.txt": article(99)}, text)
    curate_here(recipe)
    version = at(recipe)
    split = {
        id: s.split for s in version.shards for id in pq.read_table(version.dataset / s.path).column("id").to_pylist()
    }
    counts = Counter(split.values())
    assert 4 <= counts["validation"] <= 22
    add(recipe, "first/more.txt", article(200))
    curate_here(recipe)
    later = at(recipe)
    again = {id: s.split for s in later.shards for id in pq.read_table(later.dataset / s.path).column("id").to_pylist()}
    assert {id: again[id] for id in split} == split
    default = version.manifest.configs[0]
    assert [entry["split"] for entry in default["data_files"]] == ["train", "validation"]


def test_shards_are_cut_by_bytes_of_text(make_corpus: Make, curate_here: Run) -> None:
    text = RECIPE.replace("publish: {", "publish: {shard_bytes: 3kB, ")
    recipe = make_corpus(files(), text)
    curate_here(recipe)
    version = at(recipe)
    assert len(version.shards) >= 4
    assert all(shard.text_bytes < 6000 for shard in version.shards)
    assert verify(version).faults == []
    assert published(recipe).num_rows == 13


def test_an_id_that_two_records_share_is_published_once(make_corpus: Make, curate_here: Run) -> None:
    text = RECIPE.replace("path: raw/first,", "path: raw/first, fields: {id: key, text: text},")
    rows = [json.dumps({"key": "same", "text": article(n)}) for n in (1, 2)]
    recipe = make_corpus({"first/a.jsonl": rows[0], "first/b.jsonl": rows[1], "second/x.txt": article(9)}, text)
    summary = curate_here(recipe)
    reasons = {row["uri"]: row["rule"] for row in ledger(summary).to_pylist()}
    assert reasons == {"a.jsonl": None, "b.jsonl": "id.repeated", "x.txt": None}


def test_counts_that_do_not_reconcile_stop_the_run(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curation = Curation.open(recipe)
    curate_here(recipe, sample=0.99)
    report = curation.read_folder(curation.shards[0]) / "report.json"
    value = json.loads(report.read_text("utf-8"))
    report.write_text(json.dumps({**value, "rows": value["rows"] + 1}), encoding="utf-8")
    with pytest.raises(ContractError, match="source 'first': 10 documents were read but 9 are accounted for"):
        curate_here(recipe)
    assert open_version(Workspace(recipe.parent).store("test/corpus")) is None


@pytest.mark.parametrize("what", ["changed", "gone"])
def test_a_file_that_changes_under_the_run_stops_it(make_corpus: Make, curate_here: Run, what: str) -> None:
    from pipeline.engine import read_shard

    recipe = make_corpus(files(), RECIPE)
    jobs = Curation.open(recipe).read_jobs()
    if what == "changed":
        add(recipe, "first/06.txt", article(61))
    else:
        (recipe.parent / "raw/first/06.txt").unlink()
    with pytest.raises(SourceError, match="06.txt: was changed or removed while the run was reading it; run again"):
        read_shard(jobs[0])
    assert not (jobs[0].folder / "report.json").exists()
    assert curate_here(recipe)["published"] == (13 if what == "changed" else 12)


def test_verify_finds_every_kind_of_damage(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    version = at(recipe)
    shard = version.dataset / version.shards[0].path
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + b"X")
    (version.folder / "README.md").write_text("changed", encoding="utf-8")
    faults = verify(version).faults
    assert any("SHA-256 is" in fault and shard.name in fault for fault in faults)
    assert any("README.md: missing or changed" in fault for fault in faults)
    shard.unlink()
    assert any("missing; restore it" in fault for fault in verify(version).faults)


def test_a_published_version_never_changes(make_corpus: Make, curate_here: Run) -> None:
    from pipeline.publish.version import commit

    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    version = at(recipe)
    other = version.manifest.model_copy(update={"fingerprint": "0" * 64})
    with pytest.raises(StoreError, match="a published version never changes"):
        commit(version.dataset, other, {})
    with pytest.raises(StoreError, match="there is no version 9.9.9; published are: 1.0.0"):
        open_version(version.dataset, "9.9.9")


def test_a_lost_workspace_is_built_again_with_the_same_documents(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    before = published(recipe)
    shutil.rmtree(recipe.parent / "workspace")
    add(recipe, "first/new.txt", article(50))
    curate_here(recipe)
    manifest = at(recipe).manifest
    assert (manifest.version, manifest.counts.documents) == ("1.1.0", 14)
    kept = published(recipe).filter(pc.equal(published(recipe).column("first_version"), "1.0.0"))
    assert sorted(kept.column("id").to_pylist()) == sorted(before.column("id").to_pylist())


def test_runs_are_listed_with_what_they_did(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe, sample=0.5)
    curate_here(recipe)
    found = Workspace(recipe.parent).runs()
    assert sorted((run["mode"], run["version"]) for run in found if run["mode"] == "build") == [("build", "1.0.0")]
    assert {run["mode"] for run in found} == {"build", "sample"}


def test_nothing_kept_is_still_a_version(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus({"first/a.txt": "短。", "second/b.txt": "也短。"}, RECIPE)
    summary = curate_here(recipe)
    assert (summary["read"], summary["published"]) == (2, 0)
    assert at(recipe).manifest.counts.documents == 0
    assert verify(at(recipe)).faults == []


def test_a_hugging_face_dataset_is_a_source(make_corpus: Make, curate_here: Run, tmp_path: Path) -> None:
    import datasets

    folder = tmp_path / "corpus" / "saved"
    texts = [article(n) for n in range(5)]
    datasets.Dataset.from_dict({"text": texts, "title": [f"题{n}" for n in range(5)]}).save_to_disk(str(folder))
    recipe = make_corpus({"a.txt": article(1)}, RECIPE.replace("path: raw/first", "hub: {name: saved}"))
    (recipe.parent / "raw/second").mkdir()
    (recipe.parent / "raw/second/x.txt").write_text(article(50), encoding="utf-8")
    curate_here(recipe)
    found = [row for row in published(recipe).to_pylist() if row["source"] == "first"]
    assert sorted(row["title"] for row in found) == [f"题{n}" for n in range(5)]
    assert {row["uri"] for row in found} == {"hub/saved/train"}
    assert curate_here(recipe) == {"nothing_to_do": True}
