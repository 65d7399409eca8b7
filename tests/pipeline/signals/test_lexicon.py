"""The signal on the user's own lists: columns, places, resources, and a file that changes under a run."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.plan import Plan
from pipeline.signals.lexicon import MOST_TOLD, LexiconTerms
from pipeline.step import build
from schemas.errors import RecipeError, SourceError
from schemas.recipe import Recipe

DOCS = Path(__file__).parents[3] / "docs"
HEAD = "---\nname: plants\nversion: 1\nlicense: CC0-1.0\nlanguage: zh\n---\nterm\tcategory\tweight\tflags\n"


@pytest.fixture
def plants(tmp_path: Path) -> Path:
    path = tmp_path / "plants.tsv"
    path.write_text(HEAD + "牡丹\tflower\t2\n牡丹江\t\t\tallow\n银杏\ttree\n", "utf-8")
    return path


def row(step: LexiconTerms, text: str) -> dict[str, Any]:
    arrays = step.measure(pa.record_batch({"text": pa.array(["", text], pa.string())}))
    return {name: array.to_pylist()[1] for name, array in zip(step.adds, arrays, strict=True)}


def test_counts_covers_weighs_and_tells_places(plants: Path) -> None:
    step = LexiconTerms(files=(str(plants),), name="plants")
    found = row(step, "牡丹江的牡丹与銀杏。")
    assert json.loads(found.pop("plants_found")) == [["牡丹", 4, 6], ["银杏", 7, 9]]
    assert found == {
        "plants_count": 2,
        "plants_share": pytest.approx(0.4),
        "plants_score": pytest.approx(300),
        "plants_flower_count": 1,
        "plants_tree_count": 1,
    }


def test_tells_no_more_than_it_says(plants: Path) -> None:
    found = row(LexiconTerms(files=(str(plants),)), "牡丹，" * 80)
    assert found["lexicon_count"] == 80
    assert len(json.loads(found["lexicon_found"])) == MOST_TOLD


def test_looks_through_disguise_when_asked(plants: Path) -> None:
    assert row(LexiconTerms(files=(str(plants),)), "牡-丹")["lexicon_count"] == 0
    assert row(LexiconTerms(files=(str(plants),), disguised=True), "牡-丹")["lexicon_count"] == 1


def test_is_known_by_the_content_of_its_files(plants: Path, tmp_path: Path) -> None:
    other = tmp_path / "copy.tsv"
    other.write_bytes(plants.read_bytes())
    step = LexiconTerms(files=(str(plants),))
    assert step.identity() == LexiconTerms(files=(str(other),)).identity()
    other.write_text(HEAD + "牡丹\n", "utf-8")
    assert step.identity() != LexiconTerms(files=(str(other),)).identity()
    assert [resource.name for resource in step.resources()] == ["lexicon plants 1"]


def test_a_manifest_holds_no_absolute_path(plants: Path, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {
            "dataset": "my/corpus",
            "sources": [{"id": "raw", "path": "raw", "license": "internal"}],
            "steps": [{"kind": "lexicon", "files": [str(plants)]}],
            "publish": {"license": "internal"},
        }
    )
    plan = Plan.of(recipe, tmp_path)
    assert plan.public_recipe()["steps"][0]["files"] == ["plants.tsv"]
    assert plan.steps[0].spec()["files"] == [str(plants)]


def test_a_file_that_changes_under_a_run_is_refused(plants: Path) -> None:
    step = LexiconTerms(files=(str(plants),))
    plants.write_text(HEAD + "牡丹\n", "utf-8")
    with pytest.raises(SourceError, match="changed since the run began; run again"):
        row(step, "牡丹")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("牡丹与玫瑰", ["牡丹", "玫瑰"]),
        ("銀杏 · ＧＩＮＫＧＯ", ["银杏", "ginkgo"]),
        ("负荷很重，荷花", []),
        ("荷与水仙", ["荷", "水仙"]),
        ("玫瑰金的表", []),
        ("牡丹江市", []),
        ("ginkgos", []),
    ],
)
def test_the_list_in_the_docs_finds_what_they_say(text: str, terms: list[str]) -> None:
    found = row(LexiconTerms(files=(str(DOCS / "examples" / "plants.tsv"),)), text)["lexicon_found"]
    assert [term for term, _, _ in json.loads(found or "[]")] == terms


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"files": ["nowhere.tsv"]}, "lexicon nowhere.tsv: No such file"),
        ({"files": ["a.tsv", "a.tsv"]}, "a file is named twice"),
        ({"name": "Plants"}, "parameter 'name'"),
    ],
)
def test_faults_are_told_with_the_recipe(params: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        build({"kind": "lexicon", **params})
