from pathlib import Path

import pytest

from pipeline.plan import Plan
from pipeline.recipes import load_recipe, parse_recipe
from pipeline.step import build
from schemas.errors import RecipeError

BASE = """\
dataset: law/statutes
sources:
  - id: npc
    path: raw
    license: cn-official-text
publish:
  license: public-domain
"""


def plan(text: str) -> Plan:
    return Plan.of(parse_recipe(text), Path())


def test_defaults_make_a_working_plan() -> None:
    made = plan(BASE)
    assert [step.kind for step in made.steps][-1] == "perplexity"
    assert made.checks
    assert {"char_count", "lang", "script"} <= set(made.signal_columns)


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        pytest.param(
            ("    path: raw", "    pth: raw"), 4, "unknown field 'pth'. Did you mean 'path'?", id="misspelt-in-source"
        ),
        pytest.param(
            ("publish:\n", "publsh: {}\npublish:\n"),
            6,
            "unknown field 'publsh'. Did you mean 'publish'?",
            id="misspelt-at-top",
        ),
        pytest.param(("    license: cn-official-text\n", ""), 3, "the field 'license' is required", id="missing"),
        pytest.param(("cn-official-text", "CC-BY-9.9"), 5, "neither an SPDX licence expression", id="no-such-licence"),
        pytest.param(
            ("law/statutes", "law/法"), 1, "dataset: 'law/法' is not allowed: write NAME or ORG/NAME", id="dataset-name"
        ),
        pytest.param(
            ("id: npc", "id: 人大"),
            3,
            "sources.0.id: '人大' is not allowed: write up to 64 lower-case letters",
            id="source-id",
        ),
        pytest.param(
            ("publish:\n", "dedup: {threshold: 80}\npublish:\n"),
            6,
            "less than or equal to 1 (got 80)",
            id="out-of-range",
        ),
        pytest.param(
            ("publish:\n", "dedup: {bands: 64, rows: 5}\npublish:\n"), 6, "need more than 128 permutations", id="bands"
        ),
        pytest.param(
            ("publish:\n", "select: [{column: han_share, min: 0.9, max: 0.1}]\npublish:\n"),
            6,
            "min 0.9 is more than max 0.1",
            id="empty-range",
        ),
        pytest.param(
            ("  license: public", "  splits: {validation: 100%}\n  license: public"), 7, "less than 1", id="whole-split"
        ),
    ],
)
def test_a_wrong_recipe_is_refused_with_line_and_remedy(change: tuple[str, str], line: int, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse_recipe(BASE.replace(*change), "r.yaml")
    assert f"r.yaml, line {line}, " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a list", "a recipe is a mapping"),
        ("", "a recipe is a mapping"),
        ("a: [1", "not valid YAML"),
        (BASE + "steps: 3\n", "steps"),
        (BASE + "steps:\n\t- {kind: characters}\n", "line 9 holds a tab where YAML allows only spaces; put spaces"),
        (BASE + "  license: MIT\n", "line 8: 'license' is given twice; keep one"),
    ],
)
def test_what_is_no_recipe_is_said_to_be_none(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match="r.yaml") as error:
        parse_recipe(text, "r.yaml")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("steps: [{kind: charakters}]", "unknown step 'charakters'. Did you mean 'characters'?"),
        ("steps: [{preset: zh-wb}]", "unknown preset 'zh-wb'. Did you mean 'zh-web'?"),
        ("steps: [{preset: zh-web, n: 3}]", "a preset is one name and takes no parameters"),
        ("steps: [{knd: characters}]", "a step needs `kind: NAME` or `preset: NAME`"),
        ("steps: [{kind: characters, colour: red}]", "step 'characters': unknown parameter 'colour'"),
        ("steps: [{kind: characters}, {kind: characters}]", "adds the column 'char_count', which is there already"),
        ("steps: [{kind: json}]", "a reader is chosen by a source's `reader`"),
        ("steps: [{preset: 5}]", "a preset is one name"),
        ("dedup: {keep: [lang]}", "dedup.keep: unknown number column 'lang'"),
        ("select: [{column: hanshare, min: 1}]", "unknown column 'hanshare'. Did you mean 'han_share'?"),
        ("dedup: {keep: [worth_score]}", "dedup.keep: unknown number column 'worth_score'"),
    ],
)
def test_a_plan_that_cannot_run_is_refused_before_any_data(steps: str, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        plan(BASE + steps + "\n")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        ("steps:\n  - {preset: zh-web}\n  - {kind: unicod}\n", 10, "steps, number 2: unknown step 'unicod'. Did you"),
        (
            "steps:\n  - {kind: words}\n\n  - {kind: words}\n",
            11,
            "steps, number 2: words adds the column 'word_count'",
        ),
        ("select:\n  - {column: lang, in: [zh]}\n  - {column: x, min: 1}\n", 10, "select, rule 2: unknown column 'x'"),
        ("dedup:\n  keep:\n    - rank\n    - lang\n", 11, "dedup.keep: unknown number column 'lang'"),
        ("  columns:\n    - han_share\n    - nothing\n", 10, "publish.columns: unknown column 'nothing'"),
        ("on_gone: keep\n", 5, "source 'npc': unknown reader 'jason'. Did you mean 'json'?"),
    ],
)
def test_what_only_the_plan_can_check_names_file_and_line_too(
    tmp_path: Path, change: str, line: int, message: str
) -> None:
    path = tmp_path / "r.yaml"
    reader = "    reader: jason\n    license" if "jason" in message else "    license"
    path.write_text(BASE.replace("    license", reader) + change, encoding="utf-8")
    with pytest.raises(RecipeError) as error:
        Plan.load(path)
    assert str(error.value).startswith(f"{path}, line {line}, {message}")


def test_an_unknown_step_is_answered_with_steps_that_a_recipe_may_name() -> None:
    with pytest.raises(RecipeError) as error:
        plan(BASE + "steps: [{kind: zzz}]\n")
    known = str(error.value).partition("Known: ")[2].split(", ")
    assert {"unicode", "characters"} <= set(known)
    assert not {"json", "parquet", "table"} & set(known)


def test_two_sources_of_one_id_are_named_without_a_dump_of_them() -> None:
    twice = BASE.replace("publish:", "  - {id: npc, path: more, license: MIT}\npublish:")
    with pytest.raises(RecipeError) as error:
        parse_recipe(twice, "r.yaml")
    assert str(error.value) == "r.yaml, line 2, sources: two sources have the id npc"


@pytest.mark.parametrize(
    ("column", "message"), [("han_shar", "Did you mean 'han_share'?"), ("lang", "is always published")]
)
def test_published_columns_must_exist_and_be_new(column: str, message: str) -> None:
    with pytest.raises(RecipeError, match=r"publish\.columns") as error:
        plan(BASE + f"  columns: [{column}]\n")
    assert message in str(error.value)


def test_the_fingerprint_follows_behaviour_not_wording_or_place() -> None:
    one = plan(BASE)
    reordered = "publish: {license: public-domain}  # a comment\n" + BASE[: BASE.index("publish:")]
    assert plan(reordered).fingerprint == one.fingerprint
    assert plan(BASE.replace("path: raw", "path: /elsewhere")).fingerprint == one.fingerprint
    assert plan(BASE + "dedup: {threshold: 0.8}\n").fingerprint == one.fingerprint
    for change in (
        "dedup: {threshold: 0.9}\n",
        "select: []\n",
        "on_gone: retract\n",
        "steps: [{kind: characters}]\nselect: []\n",
    ):
        assert plan(BASE + change).fingerprint != one.fingerprint, change


def test_only_measuring_changes_measure_again() -> None:
    one, other = plan(BASE), plan(BASE + "select: [{column: char_count, min: 9}]\n")
    assert one.measuring_identity() == other.measuring_identity()
    assert plan(BASE + "dedup: {seed: 2}\n").measuring_identity() != one.measuring_identity()


def test_another_ocr_reads_again() -> None:
    named = [BASE.replace("path: raw\n", f"path: raw\n    ocr: a:{function}\n") for function in "bc"]
    one, other, again = map(plan, (BASE, *named))
    identities = [found.reading_identity(found.recipe.sources[0]) for found in (one, other, again)]
    assert identities[0] != identities[1] != identities[2]
    assert one.fingerprint != other.fingerprint != again.fingerprint


def test_the_published_recipe_names_no_place_of_the_machine() -> None:
    assert plan(BASE).public_recipe()["sources"][0]["path"] == "raw"
    assert plan(BASE.replace("path: raw", "path: /data/raw")).public_recipe()["sources"][0]["path"] is None
    internal = BASE.replace("    path: raw", "    path: raw\n    internal: true")
    assert plan(internal).public_recipe()["sources"][0]["path"] is None


def test_a_published_recipe_builds_the_same_plan() -> None:
    one = plan(BASE)
    steps = [build(spec) for spec in one.public_recipe()["steps"]]
    assert steps == list(one.steps)


def test_a_missing_recipe_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such file; `yuliao init DIR`"):
        load_recipe(tmp_path / "recipe.yaml")


def test_a_folder_is_answered_with_the_recipe_in_it(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="a folder; give a recipe file"):
        load_recipe(tmp_path)
    (tmp_path / "recipe.yaml").write_text(BASE, encoding="utf-8")
    with pytest.raises(RecipeError, match=f"a folder; give the recipe in it: {tmp_path}/recipe.yaml"):
        load_recipe(tmp_path)


def test_a_recipe_in_another_encoding_says_to_save_it_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(("# 配方\n" + BASE).encode("gb18030"))
    with pytest.raises(RecipeError, match="from byte 2 on; save the recipe as UTF-8"):
        load_recipe(path)
    path.write_bytes(BASE.encode("utf-8-sig"))
    assert load_recipe(path).dataset == "law/statutes"


def test_overlap_is_a_field_and_no_step_of_a_recipe() -> None:
    with pytest.raises(RecipeError, match="`overlap` is a field of the recipe"):
        plan(BASE + "steps: [{kind: overlap, eval: [/somewhere/a.jsonl]}]\n")


def test_a_step_of_ones_own_takes_the_place_of_the_presets() -> None:
    kinds = [step.kind for step in plan(BASE).steps]
    made = plan(BASE + "steps:\n  - preset: zh-web\n  - {kind: repetition}\n")
    assert [step.kind for step in made.steps] == kinds
    with pytest.raises(RecipeError, match="keep one of the two"):
        plan(BASE + "steps:\n  - preset: zh-web\n  - {kind: repetition}\n  - {kind: repetition}\n")


def test_columns_of_a_step_that_every_recipe_has_are_taken() -> None:
    steps = "steps:\n  - {kind: lexicon, files: [LEXICON], name: han}\n"
    sample = Path(__file__).parents[2] / "pipeline/lexicon/data/adult.tsv"
    with pytest.raises(RecipeError, match=r"adds the column 'han_\w+', which is there already.*every recipe has"):
        plan(BASE + steps.replace("LEXICON", str(sample)))


@pytest.mark.parametrize("test", ["min: .nan", "max: .inf", "in: []"])
def test_a_threshold_that_no_document_meets_is_refused(test: str) -> None:
    with pytest.raises(RecipeError, match="finite number|no document could pass"):
        plan(BASE + f"select: [{{column: char_count, {test}}}]\n")
