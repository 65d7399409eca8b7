"""What-if over runs: it says what the next run would publish, copies and all."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import article

from pipeline.storage import Workspace
from pipeline.whatif.changes import Change, changed
from pipeline.whatif.measured import Place, of_folder, of_recipe, of_run
from pipeline.whatif.study import Study, study
from schemas.errors import StoreError

Make = Callable[..., Path]
Run = Callable[..., dict]
HEAD = (
    "dataset: test/corpus\npublish: {license: public-domain}\n"
    "sources:\n  - {id: raw, path: raw, license: public-domain}\n"
)


def texts(count: int) -> dict[str, str]:
    """Articles of different lengths, some near copies of longer ones."""
    found = {f"{n:02}.txt": article(n)[: 40 + 12 * n] for n in range(count)}
    return found | {f"copy{n:02}.txt": article(n)[: 40 + 12 * n] + "完。" for n in range(6, count, 3)}


def asked(place: Place, *changes: str) -> Study:
    after = changed(place.rules, [Change.of(text) for text in changes], list(place.columns()))
    wanted = [rule for rule in after if rule is not None]
    data = place.load([rule.column for rule in (*place.rules, *wanted)])
    return study(place.name, data, place.rules, wanted if changes else None)


@pytest.mark.parametrize(
    ("select", "change", "rewritten"),
    [
        ("{column: char_count, min: 100}", "char_count.min=60", "{column: char_count, min: 60}"),
        ("{column: char_count, min: 60}", "char_count.min=150", "{column: char_count, min: 150}"),
        # A column of documents, which no signal measures.
        ("{column: text_bytes, min: 300}", "text_bytes.min=200", "{column: text_bytes, min: 200}"),
        # What stays is shorter than what goes: a copy comes back in place of the document it was a copy of.
        ("{column: char_count, max: 900}", "char_count.max=200", "{column: char_count, max: 200}"),
        ("{column: char_count, max: 200}", "char_count.max=230", "{column: char_count, max: 230}"),
    ],
)
def test_a_change_keeps_what_the_next_run_publishes(
    make_corpus: Make, curate_here: Run, select: str, change: str, rewritten: str
) -> None:
    recipe = make_corpus(texts(18), f"{HEAD}select: [{select}]\n")
    first = curate_here(recipe)
    found = asked(of_recipe(recipe, Workspace(recipe.parent)), change)
    assert found.change is not None
    assert found.change.sources[0].before.documents == first["published"]
    recipe.write_text(f"{HEAD}select: [{rewritten}]\n", encoding="utf-8")
    second = curate_here(recipe)
    assert found.kept.documents == second["published"]
    assert 0 < second["published"] != first["published"]
    again = asked(of_run(second["run"][:12], Workspace(recipe.parent)))
    assert (again.kept.documents, again.read.documents) == (second["published"], second["read"])
    assert asked(of_run("test/corpus@1.0.0", Workspace(recipe.parent))).kept.documents == first["published"]


def test_batches_count_together_with_copies_as_their_runs_found_them(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(texts(10), f"{HEAD}select: [{{column: char_count, min: 60}}]\n")
    first = curate_here(recipe)
    for n in range(20, 24):
        (recipe.parent / f"raw/new{n}.txt").write_text(article(n), encoding="utf-8")
    second = curate_here(recipe)
    place = of_recipe(recipe, Workspace(recipe.parent))
    assert (place.name, place.notes) == ("test/corpus@1.1.0", ("copies_as_found",))
    found = asked(place)
    assert found.read.documents == first["read"] + second["read"]
    assert found.kept.documents == first["published"] + second["published"]


def test_a_recipe_with_other_steps_shows_what_its_run_measured_and_says_so(make_corpus: Make, curate_here: Run) -> None:
    recipe = make_corpus(texts(6), f"{HEAD}select: [{{column: char_count, min: 60}}]\n")
    curate_here(recipe, limit=4)
    place = of_recipe(recipe, Workspace(recipe.parent))
    assert (asked(place).read.documents, place.notes) == (4, ())
    steps = "steps: [{kind: unicode}, {kind: overlap, eval: [q.jsonl]}]\n"
    (recipe.parent / "q.jsonl").write_text('{"id": "1", "text": "人民行使国家权力的机关是什么呢？"}', encoding="utf-8")
    recipe.write_text(f"{HEAD}{steps.replace('overlap, eval: [q.jsonl]', 'repetition')}", encoding="utf-8")
    assert of_recipe(recipe, Workspace(recipe.parent)).notes == ("other_steps",)
    recipe.write_text(f"{HEAD}overlap: {{eval: [q.jsonl]}}\nselect: []\n", encoding="utf-8")
    absent = asked(of_recipe(recipe, Workspace(recipe.parent))).rules
    assert [(rule.reason, rule.measured, rule.unmeasured) for rule in absent] == [
        ("overlap.eval", False, 4),
        ("empty", True, 0),  # the recipe has no rule of its own about length
    ]


def test_repeated_and_gone_records_stay_out_whatever_the_rules_say(make_corpus: Make, curate_here: Run) -> None:
    lines = [json.dumps({"key": "a", "text": article(n)}) for n in (1, 2)]
    recipe = make_corpus(
        {"a.jsonl": "\n".join(lines)},
        HEAD.replace("path: raw, ", "path: raw, fields: {id: key}, ") + "select: []\n",
    )
    summary = curate_here(recipe)
    found = asked(of_recipe(recipe, Workspace(recipe.parent)))
    assert found.kept.documents == summary["published"] == 1


def test_what_is_not_there_is_named(make_corpus: Make, tmp_path: Path) -> None:
    recipe = make_corpus({"a.txt": "甲"})
    workspace = Workspace(recipe.parent)
    with pytest.raises(
        StoreError, match="'test/corpus' was not run in .*; `yuliao run .*--limit 1000` measures a sample"
    ):
        of_recipe(recipe, workspace)
    with pytest.raises(StoreError, match="no run or dataset in .*; the newest runs are: none"):
        of_run("abcdef12", workspace)
    with pytest.raises(StoreError, match="holds no signals"):
        of_folder(tmp_path)
