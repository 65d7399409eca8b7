from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import article

from pipeline.publish import rebuild as rebuilding
from pipeline.publish.rebuild import rebuild
from pipeline.publish.version import Version, open_version
from pipeline.stages import Plainly
from pipeline.storage import Workspace
from schemas.errors import StoreError

RECIPE = """\
dataset: t/c
sources:
  - {id: a, path: raw, license: public-domain}
publish: {license: public-domain}
"""


@pytest.fixture
def published(make_corpus: Callable[..., Path], curate_here: Callable[..., dict]) -> Path:
    """A recipe with two versions, the second appended."""
    recipe = make_corpus({f"{n}.txt": article(n) for n in range(6)}, RECIPE)
    curate_here(recipe)
    (recipe.parent / "raw/new.txt").write_text(article(30), encoding="utf-8")
    curate_here(recipe)
    return recipe


def latest(recipe: Path) -> Version:
    version = open_version(Workspace(recipe.parent).store("t/c"))
    assert version is not None
    return version


def again(recipe: Path, version: Version) -> list[str]:
    return rebuild(version, recipe, Workspace(recipe.parent), Plainly())


def test_a_version_made_again_is_the_same_to_the_byte(published: Path) -> None:
    version = latest(published)
    assert version.manifest.version == "1.1.0"
    assert again(published, version) == []
    assert latest(published) == version
    assert [path for path in (published.parent / "workspace").iterdir() if path.name.startswith(".")] == []


def test_gone_and_changed_files_are_lent_what_was_read(published: Path, curate_here: Callable[..., dict]) -> None:
    published.write_text(RECIPE + "on_gone: retract\n", encoding="utf-8")
    curate_here(published)
    (published.parent / "raw/1.txt").unlink()
    (published.parent / "raw/2.txt").write_text(article(40), encoding="utf-8")
    curate_here(published)
    version = latest(published)
    assert {entry["reason"] for entry in version.manifest.removed} == {"record.superseded", "source.gone"}
    assert again(published, version) == []


def test_what_differs_is_said(published: Path) -> None:
    version = latest(published)
    forged = Version(version.folder, version.manifest, "0" * 64)
    (difference,) = again(published, forged)
    assert "made again it is " + version.sha256 in difference


def test_in_another_environment_rows_are_compared(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = latest(published)
    monkeypatch.setattr(rebuilding, "environment", lambda: {"python": "3.99"})
    assert again(published, Version(version.folder, version.manifest, "0" * 64)) == []
    segment = version.manifest.segments[0]
    shard = segment.shards[0].model_copy(update={"rows_sha256": "f" * 64})
    segments = [segment.model_copy(update={"shards": [shard]}), *version.manifest.segments[1:]]
    forged = Version(version.folder, version.manifest.model_copy(update={"segments": segments}), "0" * 64)
    (difference,) = again(published, forged)
    assert difference.startswith("shard 0: its rows hash to ffff")


def test_other_files_or_another_recipe_are_refused(published: Path) -> None:
    version = latest(published)
    (published.parent / "raw/0.txt").write_text(article(77), encoding="utf-8")
    with pytest.raises(StoreError, match="the files of source 'a' are not those that t/c@1.1.0 was made from"):
        again(published, version)
    published.write_text(RECIPE + "select: []\n", encoding="utf-8")
    with pytest.raises(StoreError, match="is not the recipe of t/c@1.1.0 any more"):
        again(published, version)


def test_a_version_whose_sources_share_a_table_of_lines_is_made_again(
    make_corpus: Callable[..., Path], curate_here: Callable[..., dict]
) -> None:
    sources = "\n".join(f"  - {{id: {id}, path: raw/{id}, license: public-domain}}" for id in "ab")
    recipe = make_corpus(
        {"a/1.txt": article(1), "b/2.txt": article(2)},
        f"dataset: t/c\nsources:\n{sources}\npublish: {{license: public-domain}}\npassages: {{action: remove}}\n",
    )
    curate_here(recipe)
    (recipe.parent / "raw/a/3.txt").write_text(article(3), encoding="utf-8")
    curate_here(recipe)
    version = latest(recipe)
    paths = [resource.path for resource in version.manifest.resources if resource.path]
    assert len(paths) == 2
    assert len(set(paths)) == 1  # nothing recurs in either
    assert again(recipe, version) == []
