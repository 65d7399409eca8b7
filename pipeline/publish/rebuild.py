"""Rebuilding: a version made once more from its inputs, in a place of its own, and compared with what was published."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pipeline.curation import Curation
from pipeline.engine import is_done, plan_shards
from pipeline.passages.table import FOLDER, tables_of
from pipeline.publish.version import LATEST, Version, environment, open_version
from pipeline.stages import Runner, carry_out
from pipeline.storage import ASIDE, Workspace, write_bytes
from schemas.errors import StoreError


def rebuild(version: Version, recipe: Path, workspace: Workspace, runner: Runner, **options: Any) -> list[str]:
    """Repeat the run that made a version, from its sources and the version before it, and return what differs.

    Nothing that was read or measured before is used, but what was read from files that are gone since. Empty where the
    manifests are equal to the byte; in another environment (`Manifest.environment`) bytes may differ, so ids and texts
    of every shard are compared instead.
    Raises StoreError where the recipe or the source files are no longer those of the version.
    """
    manifest = version.manifest
    with _place(version, workspace) as place:
        refresh = _was_refreshed(version)
        curation = Curation.open(recipe, place.root, place=place, refresh_passages=refresh, **options)
        if curation.plan.frozen(tables_of(version, curation.plan.recipe)).fingerprint != manifest.fingerprint:
            raise StoreError(f"{recipe}: is not the recipe of {manifest.dataset}@{manifest.version} any more")
        for source in manifest.sources:
            if curation.snapshot.of_source(source.id).sha256 != source.snapshot:
                raise StoreError(
                    f"the files of source '{source.id}' are not those that {manifest.dataset}@{manifest.version} "
                    "was made from; a rebuild needs them as they were"
                )
        _lend(curation, workspace)
        facts = {"seconds": 0.0, "workers": 1, "peak_memory_bytes": 0, "prefect_flow_run": None}
        carry_out(curation, runner, lambda _: facts)
        again = open_version(place.store(manifest.dataset), manifest.version)
        assert again is not None
        return _differences(version, again)


def _was_refreshed(version: Version) -> bool:
    """Whether a version counted the passages of a source anew, though the version before it had frozen them."""
    previous = version.manifest.previous
    before = open_version(version.dataset, previous.version) if previous else None
    if before is None:
        return False
    known = {resource.name: resource.hash for resource in before.manifest.resources if resource.path}
    return any(known.get(r.name, r.hash) != r.hash for r in version.manifest.resources if r.path)


def _lend(curation: Curation, workspace: Workspace) -> None:
    """Lend what was read from files that are gone or changed since: it is all there is left of them."""
    for shard in plan_shards(curation.plan, curation.snapshot, set(curation.snapshot.batches)):
        if any(file.gone for file in shard.files) and is_done(workspace.reading(shard.read_key)):
            folder = curation.workspace.reading(shard.read_key)
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.symlink_to(workspace.reading(shard.read_key), target_is_directory=True)


@contextmanager
def _place(version: Version, workspace: Workspace) -> Iterator[Workspace]:
    """A scratch workspace in which only the version before is published."""
    root = workspace.private / f".rebuild.{os.getpid()}{ASIDE}"
    place = Workspace(root, also=(workspace.private, workspace.root / "store"))
    previous = version.manifest.previous
    try:
        (place.private / "snapshots").mkdir(parents=True)
        if previous is not None:
            before = open_version(version.dataset, previous.version)
            assert before is not None
            store = place.store(version.manifest.dataset)
            shutil.copytree(before.folder, store / "versions" / before.folder.name)
            for folder in ("shards", "signatures", FOLDER):
                (store / folder).mkdir()
            for path in {resource.path for resource in before.manifest.resources if resource.path}:
                (store / path).symlink_to(before.dataset / path)
            for folder in ("shards", "signatures"):
                for shard in before.shards:
                    (store / folder / Path(shard.path).name).symlink_to(before.dataset / folder / Path(shard.path).name)
            write_bytes(store / LATEST, f"{previous.version}\n".encode())
            for source in before.manifest.sources:
                listing = workspace.snapshot(source.snapshot)
                if listing.exists():
                    shutil.copy(listing, place.snapshot(source.snapshot))
        yield place
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _differences(version: Version, again: Version) -> list[str]:
    if again.sha256 == version.sha256:
        return []
    if version.manifest.environment == environment():
        return [f"the manifest's SHA-256 is {version.sha256}, made again it is {again.sha256}"]
    pairs = zip_longest([s.rows_sha256 for s in version.shards], [s.rows_sha256 for s in again.shards])
    return [
        f"shard {number}: its rows hash to {published or 'nothing'}, made again to {made or 'nothing'}"
        for number, (published, made) in enumerate(pairs)
        if published != made
    ]
