"""Boilerplate: lines of page furniture taken out of the running text, one document at a time.

Two tests, both of short lines only: a line matches a pattern of `data/boilerplate.txt` as a whole, or it recurs in the
document and looks like a menu (four or more short items between separators). Lines that recur in statutes, verse and
dialogue have no separators and stay. What recurs over the pages of a site is another matter: it needs counts of the
whole source.

Trade: a line is furniture or it is not; furniture inside a paragraph stays.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import ClassVar

import pyarrow as pa

from pipeline.clean.rows import with_texts
from pipeline.clean.suspects import Lines
from pipeline.step import Cleaner, replace_text
from pipeline.tables import lines_of, resource
from schemas.manifest import Resource

LONGEST = 80
"""Characters of the longest line that can be furniture; chosen by hand, the longest footers of Chinese portals."""

_PATTERNS = "boilerplate.txt"
# Items of at most ten characters between separators; white space alone separates nothing (verse, tables).
_ITEM, _BETWEEN = r"[^\s|｜>›»·•/]{1,10}", r"[ \t]*[|｜>›»·•/][ \t]*"
_MENU = rf"{_ITEM}(?:{_BETWEEN}{_ITEM})(?:{_BETWEEN}{_ITEM})(?:{_BETWEEN}{_ITEM})+(?:{_BETWEEN})?"


class Boilerplate(Cleaner):
    """Takes out page furniture; `boilerplate_char_count`: by how many characters the text became shorter."""

    kind: ClassVar[str] = "boilerplate"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """How many characters went, int64."""
        return {"boilerplate_char_count": pa.int64()}

    def resources(self) -> Sequence[Resource]:
        """The patterns."""
        return (resource(__package__, _PATTERNS, "CC0-1.0"),)

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch without furniture and the count."""
        column = batch.column("text")
        suspects = _lines().matched(column, _anywhere())
        counts = [0] * len(column)
        texts: dict[int, str] = {}
        for row in suspects:
            before = column[row].as_py()
            text = self.clean_text(before)
            if text != before:
                texts[row], counts[row] = text, len(before) - len(text)
        batch = replace_text(batch, with_texts(column, texts))
        return batch.append_column("boilerplate_char_count", pa.array(counts, pa.int64()))

    def clean_text(self, text: str) -> str:
        """Return the text without its lines of furniture."""
        furniture, menu = _compiled()
        lines = text.split("\n")
        short = [line.strip() if len(line) <= LONGEST else "" for line in lines]
        recurring = {line for line, times in Counter(short).items() if times > 1 and line}
        kept = [
            line
            for line, bare in zip(lines, short, strict=True)
            if not bare or not (furniture.fullmatch(bare) or (bare in recurring and menu.fullmatch(bare)))
        ]
        return text if len(kept) == len(lines) else "\n".join(kept).strip("\n")


@cache
def _anywhere() -> str:
    """Return one RE2 pattern that matches a text in which some line may be furniture.

    Counted repetitions are loosened (`{0,60}` to `*`, `{5,10}` to `+`): it matches a little more, twelve times faster.
    """
    patterns = "|".join((*lines_of(__package__, _PATTERNS), _MENU))
    loose = re.sub(r"\{(\d+)(?:,\d*)?\}", lambda bounds: "*" if bounds[1] == "0" else "+", patterns)
    return rf"(?m)^[ \t]*(?:{loose})[ \t]*$"


@cache
def _lines() -> Lines:
    """Return the lines that may be furniture: the short ones."""
    return Lines.all_up_to(LONGEST)


@cache
def _compiled() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the pattern of a line of furniture, and that of a menu."""
    return re.compile("|".join(f"(?:{line})" for line in lines_of(__package__, _PATTERNS))), re.compile(_MENU)
