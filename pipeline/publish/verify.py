"""Verification: is what lies in the store what the manifest says, to the byte and to the row?"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow.compute as pc

from pipeline.publish.shards import rows_sha256
from pipeline.publish.version import Version, environment
from pipeline.storage import batches, open_parquet, sha256_file
from schemas.errors import StoreError
from schemas.manifest import Shard


@dataclass
class Findings:
    """What was checked and every fault, each naming the file and what to do."""

    shards: int = 0
    documents: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(version: Version, advance: Callable[[], None] | None = None) -> Findings:
    """Check every file of a version against its manifest: SHA-256, rows, columns, row hashes, unique ids, SHA256SUMS.

    Faults are collected, not raised; a version without faults is what was published.
    """
    found = Findings()
    manifest = version.manifest
    names = [column["name"] for column in manifest.columns]
    ids: set[str] = set()
    for shard in version.shards:
        found.shards += 1
        found.documents += shard.rows
        try:
            _verify_shard(version, shard, names, ids, found)
        except StoreError as error:
            found.faults.append(str(error))
        if advance:
            advance()
    for resource in manifest.resources:
        path = version.dataset / (resource.path or "")
        if resource.path and (not path.is_file() or sha256_file(path) != resource.hash):
            found.faults.append(
                f"{path}: missing or changed since it was published; restore it from a copy or a mirror"
            )
    if found.documents != manifest.counts.documents:
        found.faults.append(f"{found.documents} rows in shards, but the manifest counts {manifest.counts.documents}")
    _verify_sums(version, found)
    different = {k: v for k, v in environment().items() if manifest.environment.get(k) != v}
    if different:
        made = {name: manifest.environment.get(name) for name in different}
        found.notes.append(f"made with {made}, here {different}: bytes of a rebuild may differ, row hashes must not")
    return found


def _verify_shard(version: Version, shard: Shard, names: list[str], ids: set[str], found: Findings) -> None:
    path = version.dataset / shard.path
    beside = version.dataset / shard.signatures
    restore = "restore it from a copy or a mirror"
    for file, sha256 in ((path, shard.sha256), (beside, shard.signatures_sha256)):
        if not file.exists():
            found.faults.append(f"{file}: missing; {restore}")
            return
        if (got := sha256_file(file)) != sha256:
            found.faults.append(f"{file}: SHA-256 is {got}, the manifest says {sha256}; {restore}")
            return
    with open_parquet(path) as opened:
        if opened.metadata.num_rows != shard.rows or opened.schema_arrow.names != names:
            found.faults.append(
                f"{path}: {opened.metadata.num_rows} rows of {opened.schema_arrow.names}; not as stated"
            )
    if rows_sha256(path) != shard.rows_sha256:
        found.faults.append(f"{path}: ids and content hashes differ from the manifest's")
    for table in batches(path, ["id", "source"]):
        column = table.column("id").to_pylist()
        repeated = [id for id in column if id in ids]
        ids.update(column)
        if repeated or len(set(column)) < len(column):
            found.faults.append(f"{path}: ids that another row has, e.g. {(repeated or column)[0]}")
        if pc.any(pc.not_equal(table.column("source"), shard.source)).as_py():
            found.faults.append(f"{path}: rows of another source than {shard.source}")


def _verify_sums(version: Version, found: Findings) -> None:
    path = version.folder / "SHA256SUMS"
    if not path.exists():
        found.faults.append(f"{path}: missing")
        return
    for line in path.read_text("utf-8").splitlines():
        sha256, name = line.split("  ", 1)
        if name.startswith("../../"):
            continue  # shards were hashed above
        file = version.folder / name
        if not file.exists() or sha256_file(file) != sha256:
            found.faults.append(f"{file}: missing or changed since it was published")
