"""Published versions, as the verbs that look at them find them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import article

Make = Callable[..., Path]
Run = Callable[..., dict]


@pytest.fixture
def published(make_corpus: Make, curate_here: Run) -> Path:
    """A folder in which one version of test/corpus is published."""
    recipe = make_corpus(
        {f"{n}.txt": article(n) for n in range(4)} | {"again.txt": article(2).replace("国", "囯", 1), "s.txt": "短。"}
    )
    curate_here(recipe)
    return recipe.parent


@pytest.fixture
def half_read(make_corpus: Make, curate_here: Run) -> Path:
    """A folder in which a version was published from files of which some could not be read."""
    lines = [json.dumps({"text": article(1)}), "{", json.dumps({"text": "短。"})]
    recipe = make_corpus(
        {"a/b.jsonl": "\n".join(lines), "bad.txt": b"\x7fELF\0\1\2", "void.txt": "", ".DS_Store": b"\0"}
    )
    curate_here(recipe)
    return recipe.parent
