"""The benchmark from JSON lines to a decision: its recipes can be built, and its table says what was measured."""

from benchmarks.quality.run import TOOLS, Bench, recipe_of
from pipeline.plan import Plan
from schemas.recipe import Recipe


def test_its_recipe_is_the_preset_and_without_words_lacks_them_alone(tmp_path):
    whole, without = (Plan.of(Recipe.model_validate(recipe_of(name)), tmp_path) for name in ("zh-web", "no-words"))
    kinds = [step.kind for step in whole.steps]
    assert [step.kind for step in without.steps] == [kind for kind in kinds if kind != "words"]
    assert len(without.checks) < len(whole.checks)


def test_its_table_takes_the_start_off_and_compares_within_a_round(tmp_path):
    bench = Bench(tmp_path, tmp_path / "work", documents=100, rounds=1)
    for tool in TOOLS:
        slow = 20 if tool == "datatrove" else 1
        start = {"cpu": 1.0, "seconds": 1.0, "bytes": 10_000, "peak_mib": 100}
        bench.results.note(f"start, {tool}, round 0", lambda start=start: start)
        whole = {"cpu": 1.0 + slow, "seconds": 2.0 * slow, "bytes": 5_000_000, "peak_mib": 200}
        bench.results.note(f"whole, {tool}, round 0", lambda whole=whole: whole)
    table = bench.table()
    assert "| yuliao | zh-web, one worker | 5.0 | 2.0 | 2.0 | 1.0 | 200 |" in table
    assert "datatrove takes 20.0 times the time of yuliao with as many workers, and 10.5 times its CPU seconds" in table
    assert "yuliao has 1.00 of the rate of rjieba" in table
