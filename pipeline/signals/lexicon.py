"""Terms of lexicons in a text: how many, how much of it, of which categories, and where.

Lists are the user's own files; none is shipped for a topic that is a matter of opinion. What a term is and where a word
ends is `pipeline.lexicon`'s.

Trade: a count says that terms stand there, not what is said with them; a rule wants a share or a score per length.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
from pydantic import Field, PrivateAttr, field_validator

from pipeline.lexicon.files import Lexicon, read
from pipeline.lexicon.matcher import Hits, Matcher, matcher
from pipeline.step import Signal
from schemas.errors import SourceError
from schemas.manifest import Resource

MOST_TOLD = 50


class LexiconTerms(Signal):
    """Terms of the files that `files` names. With `name: plants`, the columns begin with `plants_` instead.

    - `lexicon_count`: hits, which do not overlap. `lexicon_share`: characters they cover, of all.
    - `lexicon_score`: sum of their weights per 1,000 characters.
    - `lexicon_<category>_count`: hits of a category, for every category of the files; a term may have several.
    - `lexicon_found`: JSON, up to 50 hits: the term as the file has it, first character in the cleaned text, and end.

    Width, case, script and zero-width characters make no difference; `disguised` looks through inserted marks and
    look-alikes as well. More: docs/lexicons.md.
    """

    kind: ClassVar[str] = "lexicon"

    files: tuple[str, ...] = Field((), description="lexicon files, relative to where the command is started · 词表文件")
    name: str = Field("lexicon", pattern=r"^[a-z][a-z0-9_]{0,39}$", description="what columns begin with · 列名前缀")
    disguised: bool = Field(False, description="also spaced, marked and look-alike spellings · 兼查变形写法")
    _hashes: tuple[str, ...] = PrivateAttr(())

    def model_post_init(self, context: Any, /) -> None:
        """Read the files once, so that their faults are told with the recipe. Raises RecipeError."""
        super().model_post_init(context)
        self._hashes = tuple(read(Path(path)).hash for path in self.files)

    @field_validator("files")
    @classmethod
    def _once(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(files)) < len(files):
            raise ValueError("a file is named twice")
        return files

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Counts are int64, share and score float64, what was found is JSON."""
        counts = {f"{self.name}_{category}_count": pa.int64() for category in self._categories}
        whole = {"count": pa.int64(), "share": pa.float64(), "score": pa.float64()}
        named = {f"{self.name}_{end}": dtype for end, dtype in whole.items()}
        return {**named, **counts, f"{self.name}_found": pa.string()}

    def resources(self) -> Sequence[Resource]:
        """The files, each with its hash."""
        return tuple(lexicon.resource for lexicon in self._lexicons)

    def public_spec(self) -> dict[str, Any]:
        """The step with relative paths as they are, and the names alone of absolute ones."""
        return {
            **self.spec(),
            "files": [path if not Path(path).is_absolute() else Path(path).name for path in self.files],
        }

    def identity(self) -> dict[str, Any]:
        """What enters the fingerprint: the content of the files, not where they lie."""
        whole = super().identity()
        return {**whole, "params": {name: value for name, value in whole["params"].items() if name != "files"}}

    @property
    def _lexicons(self) -> tuple[Lexicon, ...]:
        lexicons = tuple(read(Path(path)) for path in self.files)
        if tuple(lexicon.hash for lexicon in lexicons) != self._hashes:
            names = ", ".join(self.files)
            raise SourceError(f"{names}: changed since the run began; run again, so that the version says what it used")
        return lexicons

    @property
    def _categories(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(category for lexicon in self._lexicons for category in lexicon.categories))

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`."""
        column = batch.column("text")
        found = matcher(self._lexicons, self.disguised)
        hits = found.find(column)
        chars = np.maximum(pa.compute.utf8_length(column).to_numpy(zero_copy_only=False), 1)
        weights = np.array([form.weight for form in found.forms], np.float64)
        whole = [
            pa.array(count(hits, len(column))),
            pa.array(total(hits, hits.ends - hits.starts, len(column)) / chars),
            pa.array(total(hits, weights[hits.forms], len(column)) * 1000 / chars),
        ]
        members = [np.array([name in form.categories for form in found.forms], bool) for name in self._categories]
        counts = [pa.array(count(hits, len(column), member)) for member in members]
        return [*whole, *counts, pa.array(told(found, hits, len(column)), pa.string())]


def count(hits: Hits, rows: int, member: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
    """Return the hits of each row, int64, (rows,): all, or those of the forms that `member` marks."""
    those = hits.rows if member is None else hits.rows[member[hits.forms]]
    return np.bincount(those, minlength=rows).astype(np.int64)


def total(hits: Hits, values: npt.NDArray[Any], rows: int) -> npt.NDArray[np.float64]:
    """Return the sum over the hits of each row of a value a hit, float64, (rows,)."""
    return np.bincount(hits.rows, values, rows).astype(np.float64)


def told(found: Matcher, hits: Hits, rows: int) -> list[str]:
    """Return what was found in each row as JSON, the first hits of it; empty where nothing was."""
    texts = [""] * rows
    names = [found.forms[form].text for form in hits.forms.tolist()]
    entries = list(zip(names, hits.starts.tolist(), hits.ends.tolist(), strict=True))
    some, firsts = np.unique(hits.rows, return_index=True)
    lasts = np.minimum(np.append(firsts[1:], len(hits)), firsts + MOST_TOLD)
    for row, first, last in zip(some.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
        texts[row] = orjson.dumps(entries[first:last]).decode()
    return texts
