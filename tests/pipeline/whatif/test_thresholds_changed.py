"""Changed thresholds: from the command line to rules, and into the text of a recipe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plan import NO_OVERLAP
from pipeline.preset import preset
from pipeline.recipes import parse_recipe
from pipeline.whatif.changes import Change, changed, line_of, rewritten
from schemas.errors import RecipeError
from schemas.recipe import Rule

RULES = [Rule.model_validate(rule) for rule in preset("zh-web")["select"]]
COLUMNS = [rule.column for rule in RULES] + ["entropy"]
HEAD = "dataset: my/corpus\nsources: [{id: raw, path: raw, license: internal}]\npublish: {license: internal}\n"
SELECT = """\
select:   # mine
  # short ones
  - {column: char_count, min: 50, name: too_short}   # fifty
  - column: digit_share   # in a block
    max: 0.3
    name: digits

  - {column: lang, in: [zh, yue]}
  # the end
"""


def apply(*texts: str) -> list[Rule | None]:
    return changed(RULES, [Change.of(text) for text in texts], COLUMNS)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("too_short.min=30", Rule(column="char_count", min=30, name="too_short")),
        ("char_count.min=30", Rule(column="char_count", min=30, name="too_short")),
        ("char_count.max=9e5", Rule(column="char_count", min=50, max=900000, name="too_short")),
        ("han_share.min=35%", Rule(column="han_share", min=0.35, name="little_chinese")),
        ("lang.in=zh, ja", Rule(column="lang", one_of=["zh", "ja"], name="other_language")),
        ("word_entropy.min=2", Rule(column="word_entropy", min=2, name="few_different_words")),
        ("entropy.min=2", Rule(column="entropy", min=2)),
    ],
)
def test_a_change_is_of_one_rule(text: str, rule: Rule) -> None:
    after = apply(text)
    new = [found for found in after if found is not None and found not in RULES]
    assert new == [rule]
    assert len(after) == len(RULES) + (rule.column == "entropy")


def test_a_rule_without_a_test_is_taken_away() -> None:
    after = apply("digits.max=off")
    assert after.count(None) == 1
    assert "digits" not in [rule.name for rule in after if rule is not None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("too_short", "is no change: write RULE.min=VALUE"),
        ("too_short.least=3", "is no change: write RULE.min=VALUE"),
        ("too_short.min=many", "'many' is no number"),
        ("mixed.equals=maybe", "equals takes true, false or off"),
        ("to_short.min=3", "unknown rule or column 'to_short'. Did you mean 'too_short'?"),
        (
            "few_different_words.min=3",
            "means several rules: few_different_words (unique_word_share), few_different_words",
        ),
        ("lang.min=3", "a rule needs exactly one test"),
        ("entropy.min=off", "unknown rule or column 'entropy'"),
    ],
)
def test_a_change_that_cannot_be_made_says_why(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        apply(text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("too_short.min=30", "min: 50, name: too_short}   # fifty", "min: 30, name: too_short}   # fifty"),
        (
            "digits.max=0.4",
            "- column: digit_share   # in a block",
            "- {column: digit_share, max: 0.4, name: digits}\n\n  - {",
        ),
        ("lang.in=zh", "{column: lang, in: [zh, yue]}\n  # the end", "{column: lang, in: [zh]}\n  # the end"),
        ("digits.max=off", "  - column: digit_share", "# fifty\n\n  - {column: lang"),
        ("entropy.min=3", "in: [zh, yue]}\n  # the end", "in: [zh, yue]}\n  - {column: entropy, min: 3}\n  # the end"),
    ],
)
def test_a_recipe_is_changed_in_its_own_text(text: str, before: str, after: str) -> None:
    recipe = f"# about\n{SELECT}{HEAD}"
    rules = parse_recipe(recipe).select
    assert rules is not None
    wanted = changed(rules, [Change.of(text)], COLUMNS)
    made = rewritten(recipe, rules, wanted)
    assert before in recipe
    assert before not in made
    assert after in made
    assert parse_recipe(made).select == [rule for rule in wanted if rule is not None]
    assert made.startswith("# about\nselect:   # mine\n  # short ones\n")


@pytest.mark.parametrize("select", ["", "select:\n", "select: null   # presets\n"])
def test_a_recipe_of_presets_gets_rules_of_its_own(select: str) -> None:
    recipe = f"{HEAD}{select}# the end"
    made = rewritten(recipe, RULES, apply("digits.max=0.4"))
    assert parse_recipe(made).select == [rule for rule in apply("digits.max=0.4") if rule is not None]
    assert "# the end" in made
    assert "- {column: digit_share, max: 0.4, name: digits}" in made


def test_the_rule_of_evaluation_sets_stays_with_their_field() -> None:
    recipe = HEAD + "overlap: {eval: [q.jsonl]}\nselect:\n  - {column: char_count, min: 50}\n"
    rules = [*(parse_recipe(recipe).select or []), NO_OVERLAP]
    made = rewritten(recipe, rules, [Rule(column="char_count", min=30), NO_OVERLAP, Rule(column="entropy", min=1)])
    assert parse_recipe(made).select == [Rule(column="char_count", min=30), Rule(column="entropy", min=1)]
    with pytest.raises(RecipeError, match="write `action: mark` there instead"):
        rewritten(recipe, rules, [rules[0], None])


def test_a_text_that_cannot_be_changed_in_place_says_what_to_write() -> None:
    recipe = HEAD + "select: &rules\n  - &short {column: char_count, min: 50}\n  - *short\n"
    rules = parse_recipe(recipe).select
    assert rules is not None
    with pytest.raises(RecipeError, match=r"write it yourself:\nselect:\n  - \{column: char_count, min: 30\}"):
        rewritten(recipe, rules, [Rule(column="char_count", min=30), rules[1]])


@given(st.floats(-1e6, 1e6).map(lambda x: float(f"{x:.6g}")), st.sampled_from(["none", "off", "a: b", "词"]))
def test_a_rule_is_written_as_it_is_read(value: float, name: str) -> None:
    rule = Rule(column="x", min=value, name=name)
    made = parse_recipe(f"{HEAD}select:\n  - {line_of(rule)}\n").select
    assert made == [rule]
