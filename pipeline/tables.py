"""Word lists, patterns and character tables: files in a package's `data/` folder, each with its hash for fingerprints.

A table is UTF-8 text with one entry a line; lines that begin with `# ` are its header and name source and licence.
"""

import hashlib
from functools import cache
from importlib.resources import files

from schemas.manifest import Resource


@cache
def lines_of(package: str, name: str) -> tuple[str, ...]:
    """Return the entries of a table in the `data/` folder of a package, without header and empty lines."""
    text = files(package).joinpath("data", name).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("# "))


@cache
def resource(package: str, name: str, license: str) -> Resource:
    """Return the record of a table, with the SHA-256 of its bytes."""
    data = files(package).joinpath("data", name).read_bytes()
    return Resource(name=name, hash=hashlib.sha256(data).hexdigest(), license=license)
