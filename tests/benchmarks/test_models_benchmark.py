"""The texts that shipped models learn from: made bad ones, and good ones cut from files."""

import json
from pathlib import Path

import numpy as np
import zstandard
from tests_support import ARTICLES, article

from benchmarks.models.gather import evaluation, gather
from benchmarks.models.spoil import KINDS, grammar, say, spoil


def test_every_kind_of_bad_text_is_made_from_its_seed() -> None:
    for kind in KINDS:
        texts = spoil(ARTICLES, kind, 6, 1)
        assert len({*texts}) > 3, kind
        assert all(50 <= len(text) <= 3_000 for text in texts), kind
        assert texts == spoil(ARTICLES, kind, 6, 1), kind
        assert texts != spoil(ARTICLES, kind, 6, 2), kind


def test_every_rule_of_the_grammar_ends_in_words() -> None:
    random = np.random.default_rng(1)
    for rule in grammar():
        for _ in range(20):
            said = say(rule, random)
            assert "<" not in said, rule
            assert said.strip() or rule == "mark", rule


def test_good_texts_are_cut_cleaned_and_kept_from_what_they_share(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.md").write_text(f"# 题\n\n{article(number)}", encoding="utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "broken.json").write_text("{", encoding="utf-8")
    with zstandard.open(tmp_path / "docs.jsonl.zst", "wt", encoding="utf-8") as lines:
        lines.write(json.dumps({"text": ARTICLES[3][:40]}) + "\n")
    source = {"name": "a", "pattern": "*.md", "reader": "text", "most": "50"}
    everything, none = gather(source, tmp_path, np.empty(0, np.uint64))
    assert none == 0
    assert everything
    assert all(text and "# 题" not in text for text in everything)
    left, shared = gather(source, tmp_path, evaluation(tmp_path / "docs.jsonl.zst"))
    assert shared == sum(ARTICLES[3][:13] in text for text in everything)
    assert len(left) == len(everything) - shared
    assert gather({**source, "pattern": "sub/*.json", "reader": "json:x"}, tmp_path, np.empty(0))[0] == []
