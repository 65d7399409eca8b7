"""Lexicon files: a TSV of terms under a YAML header that says what the list is and who may use it.

    ---
    name: garden plants
    version: "1.0"
    license: CC0-1.0
    language: zh
    ---
    term<TAB>category<TAB>weight<TAB>flags
    牡丹<TAB>flower<TAB>2
    牡丹江<TAB><TAB><TAB>allow

Trade: a file with one bad line is refused whole, with the line named, because a list that is silently shorter than its
author thinks lets through what it was written for.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import RecipeError
from schemas.manifest import Resource

FLAGS = ("allow", "anywhere", "exact", "word")
LONGEST = 64
"""Characters of a term. A walk from one place of a text reads no further, so that cost stays linear."""
_HEAD = ("name", "version", "license", "language")
_COLUMNS = ("term", "category", "weight", "flags")
_CATEGORY = re.compile(r"\w{1,40}")
_DEFAULT_CATEGORY = "other"


@dataclass(frozen=True, slots=True)
class Term:
    """A line of a lexicon. `flags`: some of FLAGS. `place`: file and line, for errors."""

    text: str
    category: str
    weight: float
    flags: frozenset[str]
    place: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A list of terms with the words of its header and the SHA-256 of its bytes."""

    name: str
    version: str
    license: str
    language: str
    terms: tuple[Term, ...]
    hash: str

    def __hash__(self) -> int:
        """Return a number for look-ups: of the hash of the bytes, since there are thousands of terms."""
        return hash(self.hash)

    @property
    def resource(self) -> Resource:
        """The record of the list for fingerprints and manifests."""
        return Resource(name=f"lexicon {self.name} {self.version}", hash=self.hash, license=self.license)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories of terms that count, in the order in which they first appear."""
        return tuple(dict.fromkeys(term.category for term in self.terms if "allow" not in term.flags))


def read(path: Path) -> Lexicon:
    """Return the lexicon of a file. Raises RecipeError naming file, line and remedy."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"lexicon {path}: {error.strerror}; give the path of a file") from None
    return parse(data, path.name)


@lru_cache(maxsize=32)
def parse(data: bytes, name: str) -> Lexicon:
    """Return the lexicon in the bytes of a file; `name` is for errors. Raises RecipeError naming the line."""
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RecipeError(f"lexicon {name}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    if not lines or lines[0].strip() != "---" or "---" not in (line.strip() for line in lines[1:]):
        raise RecipeError(f"lexicon {name}: line 1: a header between two lines `---` is missing, with {_listed(_HEAD)}")
    close = next(number for number, line in enumerate(lines[1:], 1) if line.strip() == "---")
    head = _head("\n".join(lines[1:close]), name)
    terms, columns = [], None
    for number, line in enumerate(lines[close + 1 :], close + 2):
        if not line.strip() or line.startswith("# "):
            continue
        place, cells = f"lexicon {name}: line {number}", line.split("\t")
        if columns is None:
            columns = _columns(cells, place)
        else:
            terms.append(_term(cells, columns, place))
    if not terms:
        raise RecipeError(f"lexicon {name}: holds no term; the columns are {_listed(_COLUMNS)}, separated by tabs")
    return Lexicon(**head, terms=tuple(terms), hash=hashlib.sha256(data).hexdigest())


def _head(text: str, name: str) -> dict[str, str]:
    try:
        head: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"lexicon {name}: the header is no YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(head, Mapping) or set(head) != set(_HEAD) or not all(str(word).strip() for word in head.values()):
        there = _listed(map(str, head)) if isinstance(head, Mapping) else "no fields"
        raise RecipeError(f"lexicon {name}: the header has {there}; it needs {_listed(_HEAD)} and nothing else")
    return {key: str(head[key]).strip() for key in _HEAD}


def _columns(cells: list[str], place: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    if "term" not in names or set(names) - set(_COLUMNS) or len(set(names)) != len(names):
        raise RecipeError(
            f"{place}: the first line after the header names the columns: term, and any of category, weight, flags, "
            f"separated by tabs; it is {cells!r}"
        )
    return names


def _term(cells: list[str], columns: list[str], place: str) -> Term:
    if len(cells) > len(columns):
        raise RecipeError(f"{place}: {len(cells)} cells for {len(columns)} columns; a term holds no tab")
    cell = dict(zip(columns, (part.strip() for part in cells), strict=False))
    text, category = cell.get("term", ""), cell.get("category") or _DEFAULT_CATEGORY
    if not text or len(text) > LONGEST:
        raise RecipeError(f"{place}: a term has 1 to {LONGEST} characters, this one has {len(text)}")
    if not _CATEGORY.fullmatch(category):
        raise RecipeError(f"{place}: category {category!r}: up to 40 letters, digits and '_', it names a column")
    flags = frozenset((cell.get("flags") or "").split())
    if unknown := flags - set(FLAGS):
        raise RecipeError(f"{place}: unknown flag {sorted(unknown)[0]!r}; known are {_listed(FLAGS)}")
    try:
        weight = float(cell.get("weight") or 1)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= 1000:
        raise RecipeError(f"{place}: weight {cell['weight']!r} is no number from 0 to 1000")
    return Term(text, category, weight, flags, place)


def _listed(names: Any) -> str:
    return ", ".join(names)
