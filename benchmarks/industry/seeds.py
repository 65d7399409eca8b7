"""The words of `seeds.txt`: which industry each names, and which texts hold them.

Trade: a word is found wherever its characters stand, as the signal finds terms, so that it is counted as it will be
used; a cut into words would find fewer, and rightly.
"""

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.lexicon.files import parse
from pipeline.lexicon.matcher import matcher

SEEDS = Path(__file__).parent / "seeds.txt"
_HEAD = '---\nname: seeds\nversion: "1"\nlicense: CC0-1.0\nlanguage: zh\n---\nterm\tcategory\tweight\tflags\n'


@cache
def seeds() -> dict[str, str]:
    """Return the industry of each word; one that is listed for two belongs to the first."""
    found: dict[str, str] = {}
    for line in SEEDS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("# "):
            name, *words = line.split()
            found |= {word: name for word in words if word not in found}
    return found


def flags(term: str) -> str:
    """Return the flags of a term: Chinese ones are found without a look at borders of words, which would cost most."""
    return "" if term.isascii() else "anywhere"


def held(texts: pa.Array) -> list[frozenset[str]]:
    """Return the words that each text holds."""
    lines = (f"{word}\t{name}\t1\t{flags(word)}\n" for word, name in seeds().items())
    machine = matcher((parse((_HEAD + "".join(lines)).encode(), "seeds.txt"),))
    hits = machine.find(texts)
    forms = [form.text for form in machine.forms]
    order = np.argsort(hits.rows, kind="stable")
    bounds = np.searchsorted(hits.rows[order], np.arange(len(texts) + 1))
    return [frozenset(forms[k] for k in hits.forms[order[a:b]].tolist()) for a, b in pairwise(bounds)]
