"""The frozen table of a source: which lines are furniture, by hash, with the documents that say so. It holds no text.

A table is UTF-8 text, one line a row, sorted, so that equal counts give equal bytes in any environment; its SHA-256 is
its name. Beside a version it lies in the dataset's folder, and later batches use that one.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.passages.lines import OWN, Hashes, Lines, Places
from pipeline.storage import sha256_file
from schemas.errors import StoreError
from schemas.manifest import Resource
from schemas.recipe import Passages, Recipe

if TYPE_CHECKING:
    from pipeline.publish.version import Version

FOLDER = "passages"
PREFIX = "passages: "
_HEAD = "# line\tdocuments\tplace\n"
_PLACES = ("own", "within", "edge", "anywhere")


@dataclass(frozen=True)
class Table:
    """Where the table of a source lies, and what it must hold."""

    source: str
    hash: str
    path: Path
    license: str

    @property
    def resource(self) -> Resource:
        """How a manifest lists it."""
        return Resource(
            name=PREFIX + self.source, hash=self.hash, license=self.license, path=f"{FOLDER}/{self.hash}.tsv"
        )

    def known(self, lines: Lines) -> Places:
        """Return what the table says of each line, uint8. Raises StoreError where the file is not what it was."""
        hashes, places = _load(self.path, self.hash)
        return look_up(hashes, places, lines.hashes)


def look_up(known: Hashes, values: Places, hashes: Hashes) -> Places:
    """Return the values at some hashes, OWN for those that are not among the sorted `known`."""
    if not len(known):
        return np.zeros(len(hashes), np.uint8)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.where(known[place] == hashes, values[place], OWN).astype(np.uint8)


def table_bytes(hashes: Hashes, documents: list[int], places: Places) -> bytes:
    """Return the file of a table; hashes ascend."""
    rows = zip(hashes.tolist(), documents, places.tolist(), strict=True)
    return (_HEAD + "".join(f"{line:016x}\t{count}\t{_PLACES[place]}\n" for line, count, place in rows)).encode()


def place_name(place: int) -> str:
    """Return the word for a place."""
    return _PLACES[place]


@lru_cache(maxsize=64)
def _load(path: Path, sha256: str) -> tuple[Hashes, Places]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StoreError(f"{path}: the frozen passages are missing or changed; restore the file from a copy")
    rows = [row.split("\t") for row in data.decode("utf-8").splitlines()[1:]]
    hashes = np.array([int(row[0], 16) for row in rows], np.uint64)
    return hashes, np.array([_PLACES.index(row[2]) for row in rows], np.uint8)


def tables_of(version: "Version", recipe: Recipe) -> list[Table]:
    """Return the tables that a published version used, as far as a recipe counts the way the version did.

    Raises StoreError where a file is missing or changed.
    """
    from pipeline.clean.passages import Passages as Step

    before = version.manifest.recipe.get("passages")
    if before is None or recipe.passages is None or version.manifest.code["steps"].get(Step.kind) != Step.revision:
        return []
    if counting(Passages.model_validate(before)) != counting(recipe.passages):
        return []
    resources = {resource.name: resource for resource in version.manifest.resources}
    found = []
    for source in recipe.sources:
        resource = resources.get(PREFIX + source.id) if source.id in recipe.with_passages else None
        if resource is None or resource.path is None:
            continue
        path = version.dataset / resource.path
        if not path.is_file() or sha256_file(path) != resource.hash:
            raise StoreError(
                f"{path}: the passages that {version.manifest.dataset}@{version.manifest.version} froze are missing or "
                "changed; restore the file from a copy, or count anew with --refresh-passages"
            )
        found.append(Table(source.id, resource.hash, path, source.license))
    return found


def counting(passages: Passages) -> dict[str, object]:
    """Return the fields that a table depends on."""
    return passages.model_dump(exclude={"action", "sources"})
