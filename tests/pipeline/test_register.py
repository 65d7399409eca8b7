from pathlib import Path

import pytest

from pipeline.plan import Plan
from pipeline.recipes import parse_recipe
from pipeline.register import load_register
from schemas.errors import RecipeError

YAML = """- id: npc
  license: cn-official-text
  owner: 全国人民代表大会
  method: 网页采集
  period: 2024
  terms: https://example.org/terms
- {id: other, license: MIT}
"""
RECIPE = """dataset: my/corpus
register: {register}
sources:
  - {{from: npc, path: raw, rank: 2}}
publish: {{license: internal}}
"""


def made(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    (folder / name).write_text(text, encoding=encoding)
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(register=name), "utf-8")
    return recipe


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_says_the_same_as_yaml(tmp_path, encoding):
    one = Plan.load(made(tmp_path, "s.yaml", YAML)).recipe.sources[0]
    table = "id,license,owner,method,period,terms\nnpc,cn-official-text,全国人民代表大会,网页采集,2024,https://example.org/terms\n"
    assert Plan.load(made(tmp_path, "s.csv", table, encoding)).recipe.sources[0] == one
    assert (one.id, one.rank, one.words["period"]) == ("npc", 2, "2024")


def test_every_fault_of_a_register_is_named_with_line_and_field(tmp_path):
    text = "- {id: A, license: MIT}\n- id: b\n  licence: MIT\n- {id: c, license: MIT, period: lately}\n"
    text += "- {id: c, license: MIT}\n"
    (tmp_path / "s.yaml").write_text(text, "utf-8")
    with pytest.raises(RecipeError) as found:
        load_register(tmp_path / "s.yaml")
    lines = str(found.value).splitlines()
    for fault in ("line 1, id: ", "line 2, licence: unknown field", "line 2, license: is required"):
        assert any(fault in line for line in lines), fault
    assert any("line 4, period: write a period" in line for line in lines)
    assert any("line 5, id: 'c' stands twice" in line for line in lines)


def test_a_fact_stands_in_one_place(tmp_path):
    made(tmp_path, "s.yaml", YAML)
    text = RECIPE.format(register="s.yaml").replace("rank: 2", "license: MIT")
    with pytest.raises(RecipeError, match="line 4, 'license' stands in the register; take it out here"):
        parse_recipe(text, "r", tmp_path)
    with pytest.raises(RecipeError, match="line 4, unknown entry of the register 'npd'. Did you mean 'npc'"):
        parse_recipe(RECIPE.format(register="s.yaml").replace("npc", "npd"), "r", tmp_path)


def test_the_card_and_the_manifest_carry_the_facts(make_corpus, curate_here, tmp_path):
    from tests_support import article

    from pipeline.publish.version import open_version

    recipe = make_corpus({"a.txt": article(1)})
    made(recipe.parent, "s.yaml", YAML)
    summary = curate_here(recipe)
    version = open_version(recipe.parent / "store" / "my/corpus")
    assert version.manifest.sources[0].facts["method"] == "网页采集"
    assert "网页采集" in (Path(summary["folder"]) / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "  - {id: a, license: MIT, path: 'https://me:hunter2@example.org/x'}",
        "  - {id: a, license: MIT, path: 's3://b/x?X-Amz-Signature=hunter2'}",
        "  - {id: a, license: MIT, path: raw, url: 'https://example.org/?api_key=hunter2'}",
        "  - {id: a, license: MIT, path: 's3://b/x', store: {secret: hunter2}}",
        "  - {id: a, license: MIT, path: 's3://b/x', store: {key_env: hunter2, secret_env: hunter2}}",
        "  - {id: a, license: MIT, path: 's3://b/x', store: {endpoint_url: 'http://me:hunter2@h'}}",
        "  - {id: a, license: MIT, path: 'https://me:hunter2@example.org/x'",
    ],
)
def test_a_secret_in_a_recipe_is_refused_and_never_said(line):
    with pytest.raises(RecipeError) as found:
        parse_recipe(f"dataset: my/x\nsources:\n{line}\npublish: {{license: MIT}}\n")
    assert "hunter2" not in str(found.value)
    assert "line" in str(found.value)
