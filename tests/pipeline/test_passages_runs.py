"""Whole runs with `passages:` in this process: counted once, frozen for later batches, counted anew when asked."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests_support import article

from pipeline.curation import Curation
from pipeline.engine import read_shard
from pipeline.passages.counting import count_lines
from pipeline.plan import Plan
from pipeline.publish.rebuild import rebuild
from pipeline.publish.verify import verify
from pipeline.publish.version import Version, open_version
from pipeline.recipes import parse_recipe
from pipeline.stages import Plainly
from pipeline.storage import Workspace
from schemas.errors import RecipeError, StoreError

Make = Callable[..., Path]
Run = Callable[..., dict]

RECIPE = """\
dataset: test/corpus
sources:
  - {id: web, path: raw/web, license: CC-BY-4.0}
  - {id: laws, path: raw/laws, license: cn-official-text, rank: 2}
publish: {license: CC-BY-4.0, columns: [passage_count, passage_char_count]}
steps: [{kind: characters}]
select: [{column: char_count, min: 20, name: too_short}]
passages: {min_documents: 6}
"""
TOP = "首页 新闻 体育 财经 娱乐"
BOTTOM = "本站部分内容来自网络，如有侵权请联系我们删除。"
LATER = "本页已停止更新，请访问我们的新站阅读后续内容。"
LAW = "第一章 总则\n{}\n第九条 本条例自公布之日起施行。"


def page(number: int, bottom: str = BOTTOM) -> str:
    return f"{TOP}\n{article(number)}\n\n{bottom}\n"


def files() -> dict[str, str]:
    made = {f"web/{n:02d}.txt": page(n) for n in range(9)}
    return made | {f"laws/{n:02d}.txt": LAW.format(article(100 + n)) for n in range(9)}


def at(recipe: Path, version: str | None = None) -> Version:
    opened = open_version(Workspace(recipe.parent).store("test/corpus"), version)
    assert opened is not None
    return opened


def rows(recipe: Path) -> dict[tuple[str, str], dict]:
    version = at(recipe)
    table = pa.concat_tables([pq.read_table(version.dataset / shard.path) for shard in version.shards])
    return {(row["source"], row["uri"]): row for row in table.to_pylist()}


def tables(recipe: Path, version: str | None = None) -> dict[str, str]:
    found = {r.name: (r.hash, r.path) for r in at(recipe, version).manifest.resources if r.path}
    for sha256, path in found.values():
        data = (at(recipe).dataset / str(path)).read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256
        assert path == f"passages/{sha256}.tsv"
    return {name: sha256 for name, (sha256, _) in found.items()}


def add(recipe: Path, name: str, text: str) -> None:
    (recipe.parent / "raw" / name).write_text(text, encoding="utf-8")


@pytest.fixture
def run_once(make_corpus: Make, curate_here: Run) -> Path:
    recipe = make_corpus(files(), RECIPE)
    curate_here(recipe)
    return recipe


def test_furniture_goes_and_statutes_stay(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    summary = curate_here(recipe)
    found = rows(recipe)
    assert len(found) == 18
    for (source, uri), row in found.items():
        number = int(uri[:2])
        assert row["text"] == (article(number) if source == "web" else LAW.format(article(100 + number)))
        removed = (2, len(page(number)) - len(article(number))) if source == "web" else (0, 0)
        assert (row["passage_count"], row["passage_char_count"]) == removed
    assert set(tables(recipe)) == {"passages: web", "passages: laws"}
    lists = {source: Path(path).read_text("utf-8") for source, path in summary["passages"].items()}
    assert f"9\t1.0000\t9\tedge\t{TOP}\n" in lists["web"]
    assert "stays (protected)\t第九条 本条例自公布之日起施行。" in lists["laws"]
    manifest = json.dumps(at(recipe).manifest.model_dump(mode="json", by_alias=True), ensure_ascii=False)
    assert str(recipe.parent) not in manifest
    assert TOP not in manifest
    assert f"passages/{tables(recipe)['passages: web']}.tsv" in (at(recipe).folder / "SHA256SUMS").read_text("utf-8")
    assert verify(at(recipe)).faults == []
    assert curate_here(recipe) == {"nothing_to_do": True}


def test_marked_lines_stay_and_are_counted(run_once: Path, curate_here: Run) -> None:
    before = rows(run_once)
    run_once.write_text(RECIPE.replace("min_documents: 6", "min_documents: 6, action: mark"), "utf-8")
    assert Curation.open(run_once).plan.uncounted == [], "what is done with a line does not change which lines recur"
    curate_here(run_once)
    for key, row in rows(run_once).items():
        assert (row["passage_count"], row["passage_char_count"]) == (
            before[key]["passage_count"],
            before[key]["passage_char_count"],
        )
        assert row["text"].strip() == (page(int(key[1][:2])).strip() if key[0] == "web" else before[key]["text"])


def test_a_batch_is_cleaned_by_the_frozen_table_and_read_alone(run_once: Path, curate_here: Run) -> None:
    frozen, kept = tables(run_once), rows(run_once)
    for n in range(20, 28):
        add(run_once, f"web/{n}.txt", page(n, LATER))
    curation = Curation.open(run_once)
    assert (curation.append, curation.plan.uncounted) == (True, [])
    assert [len(job.files) for job in curation.read_jobs()] == [8]
    summary = curate_here(run_once)
    assert (summary["version"], summary["read"], summary["published"]) == ("1.1.0", 8, 8)
    assert tables(run_once) == frozen
    found = rows(run_once)
    assert {key: row for key, row in found.items() if key in kept} == kept
    assert found["web", "20.txt"]["text"].strip() == f"{article(20)}\n\n{LATER}"
    assert rebuild(at(run_once), run_once, Workspace(run_once.parent), Plainly()) == []


def test_a_refresh_counts_anew_and_makes_a_version(run_once: Path, curate_here: Run) -> None:
    for n in range(20, 28):
        add(run_once, f"web/{n}.txt", page(n, LATER))
    curate_here(run_once)
    frozen = tables(run_once)
    curation = Curation.open(run_once, refresh_passages=True)
    assert curation.plan.uncounted == ["laws", "web"]
    assert curation.read_jobs() == []
    assert len(curation.count_jobs()) == 1, "what was counted is found again"
    summary = curate_here(run_once, refresh_passages=True)
    assert (summary["version"], summary["published"]) == ("2.0.0", 26)
    assert tables(run_once)["passages: laws"] == frozen["passages: laws"]
    assert tables(run_once)["passages: web"] != frozen["passages: web"]
    assert rows(run_once)["web", "20.txt"]["text"] == article(20)
    assert rows(run_once)["web", "03.txt"]["first_version"] == "1.0.0"
    assert curate_here(run_once) == curate_here(run_once, refresh_passages=True) == {"nothing_to_do": True}
    assert rebuild(at(run_once), run_once, Workspace(run_once.parent), Plainly()) == []


def test_a_refresh_may_come_with_a_batch(run_once: Path, curate_here: Run) -> None:
    for n in range(20, 28):
        add(run_once, f"web/{n}.txt", page(n, LATER))
    assert curate_here(run_once, refresh_passages=True)["version"] == "1.1.0", "no published document changed"
    assert rows(run_once)["web", "20.txt"]["text"] == article(20)
    assert rebuild(at(run_once), run_once, Workspace(run_once.parent), Plainly()) == []


def test_another_count_or_source_is_counted_and_the_rest_stays_frozen(run_once: Path, curate_here: Run) -> None:
    frozen = tables(run_once)
    more = RECIPE.replace("publish:", "  - {id: more, path: raw/more, license: CC0-1.0}\npublish:")
    (run_once.parent / "raw/more").mkdir()
    add(run_once, "more/a.txt", page(70))
    run_once.write_text(more, "utf-8")
    curation = Curation.open(run_once)
    assert curation.plan.uncounted == ["more"]
    assert [job.files[0].uri for job in curation.read_jobs()] == ["a.txt"]
    curate_here(run_once)
    assert tables(run_once).items() > frozen.items()
    assert "本站" in rows(run_once)["more", "a.txt"]["text"]
    run_once.write_text(more.replace("min_documents: 6", "min_documents: 30"), "utf-8")
    assert Curation.open(run_once).plan.uncounted == ["laws", "more", "web"]


def test_only_the_named_sources_are_looked_at(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE.replace("min_documents: 6", "min_documents: 6, sources: [laws]"))
    curate_here(recipe)
    assert set(tables(recipe)) == {"passages: laws"}
    assert rows(recipe)["web", "03.txt"]["text"].startswith(TOP)


def test_a_run_stopped_between_any_stages_ends_the_same(make_corpus: Make, curate_here: Run) -> None:
    whole, broken = make_corpus(files(), RECIPE, "whole"), make_corpus(files(), RECIPE, "broken")
    for job in Curation.open(broken).read_jobs():
        read_shard(job)
    first, second = Curation.open(broken).count_jobs()
    count_lines(first)
    assert [job.folder for job in Curation.open(broken).count_jobs()] == [second.folder]
    lines = first.folder / "lines.parquet"
    stamp = lines.stat().st_mtime_ns
    assert curate_here(broken)["manifest_sha256"] == curate_here(whole)["manifest_sha256"]
    assert lines.stat().st_mtime_ns == stamp


def test_a_sample_is_cleaned_as_the_whole_would_be(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files(), RECIPE)
    summary = curate_here(recipe, limit=4)
    assert (summary["read"], summary["version"]) == (4, None)
    assert not (recipe.parent / "store").exists()
    assert curate_here(recipe, limit=4) == {"nothing_to_do": True}
    curation = Curation.open(recipe)
    assert (curation.plan.uncounted, curation.read_jobs()) == ([], [])
    curate_here(recipe)
    assert rows(recipe)["web", "03.txt"]["text"] == article(3)


def test_a_page_of_furniture_alone_is_dropped_by_a_rule(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(files() | {"web/90.txt": f"{TOP}\n{BOTTOM}\n" * 3}, RECIPE)
    summary = curate_here(recipe)
    assert summary["sources"]["web"] == {"read": 10, "published": 9, "removed": {"too_short": 1}}


def test_a_page_of_furniture_alone_is_dropped_where_no_rule_is_written(make_corpus: Make, curate_here: Run) -> None:
    made = files() | {f"web/none{n}.txt": f"{TOP}\n{BOTTOM}\n" for n in range(2)}
    whole = RECIPE.replace("select: [{column: char_count, min: 20, name: too_short}]", "select: []")
    recipe = make_corpus(made, whole + "dedup: {exact: false, near: false}\n")
    summary = curate_here(recipe)
    assert summary["sources"]["web"]["removed"] == {"empty": 2}
    assert not [row for row in rows(recipe).values() if not row["text"]]
    assert at(recipe).manifest.recipe["select"] == []


def test_a_lost_table_is_named_and_counted_anew_when_asked(run_once: Path, curate_here: Run) -> None:
    path = at(run_once).dataset / f"passages/{tables(run_once)['passages: web']}.tsv"
    path.write_text("# line\tdocuments\tplace\n", "utf-8")
    assert [fault for fault in verify(at(run_once)).faults if path.name in fault]
    with pytest.raises(StoreError, match="restore the file from a copy, or count anew with --refresh-passages"):
        Curation.open(run_once)
    path.unlink()
    assert curate_here(run_once, refresh_passages=True) == {"nothing_to_do": True}


def test_the_recipe_is_checked(make_corpus: Make) -> None:
    with pytest.raises(RecipeError, match="passages.sources: unknown source 'lawz'.*laws"):
        Plan.load(make_corpus(files(), RECIPE.replace("min_documents: 6", "sources: [lawz]")))
    with pytest.raises(RecipeError, match="`passages` is a field of the recipe"):
        Plan.of(parse_recipe(RECIPE.replace("kind: characters", "kind: passages")), Path())
