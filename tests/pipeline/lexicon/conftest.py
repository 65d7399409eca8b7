"""Lexicons written out as tests need them."""

from collections.abc import Callable

import pytest

from pipeline.lexicon.files import Lexicon, parse

HEAD = '---\nname: trees\nversion: "1.0"\nlicense: CC0-1.0\nlanguage: zh\n---\nterm\tcategory\tweight\tflags\n'


@pytest.fixture
def lexicon() -> Callable[..., Lexicon]:
    """Make a lexicon of lines; a bare word is a term."""
    return lambda *lines: parse((HEAD + "\n".join(lines) + "\n").encode(), "trees.tsv")
