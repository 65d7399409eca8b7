"""Versions: from published shards to an immutable folder `versions/vX.Y.Z`, and back.

The manifest follows from the inputs alone. A version's folder is written aside and renamed whole; the pointer `latest`
moves last, so a reader never meets half a version.
"""

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from platform import python_version
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from pipeline.decide import Earlier
from pipeline.keys import words16
from pipeline.plan import Plan
from pipeline.publish.shards import totals
from pipeline.snapshot import Snapshot
from pipeline.storage import ASIDE, json_bytes, read_columns, read_json, sync_folder, write_bytes
from schemas.errors import StoreError
from schemas.manifest import (
    FORMAT_VERSION,
    Counts,
    Manifest,
    Previous,
    Segment,
    Shard,
    Signatures,
    SourceRecord,
    StepRecord,
)

LATEST = "latest"


@dataclass(frozen=True)
class Version:
    """A published version: its folder, manifest and the manifest's SHA-256."""

    folder: Path
    manifest: Manifest
    sha256: str

    @property
    def dataset(self) -> Path:
        """The folder of the dataset, which shard paths are relative to."""
        return self.folder.parent.parent

    @property
    def shards(self) -> list[Shard]:
        """Every shard, in order."""
        return [shard for segment in self.manifest.segments for shard in segment.shards]


def open_version(dataset: Path, version: str | None = None) -> Version | None:
    """Open a version of a dataset, the latest by default; None where nothing was ever published.

    Raises StoreError when the version is not there or its manifest is broken.
    """
    if version is None:
        pointer = dataset / LATEST
        if not pointer.exists():
            return None
        version = pointer.read_text("utf-8").strip()
    folder = dataset / "versions" / f"v{version.removeprefix('v')}"
    path = folder / "manifest.json"
    if not path.exists():
        known = ", ".join(versions(dataset)) or "none"
        raise StoreError(
            "{dataset}: there is no version {version}; published are: {known}",
            dataset=dataset,
            version=version,
            known=known,
        )
    data = path.read_bytes()
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = ": ".join(part for part in (".".join(map(str, first["loc"])), first["msg"]) if part)
        raise StoreError(
            "{path}: no manifest of a format this program knows ({what}); restore it from a copy or a mirror",
            path=path,
            what=what,
        ) from None
    if manifest.format_version != FORMAT_VERSION:
        raise StoreError(
            f"{path}: is of format {manifest.format_version}, this program knows {FORMAT_VERSION}; use a newer yuliao"
        )
    return Version(folder, manifest, hashlib.sha256(data).hexdigest())


def complete(dataset: Path) -> None:
    """Move `latest` to a version whose publishing was cut off between its folder and the pointer.

    Call it while holding the dataset's lock: it is the one version that follows the latest and is there whole.
    """
    latest = open_version(dataset)
    following = latest.sha256 if latest else None
    for name in versions(dataset):
        version = open_version(dataset, name)
        previous = version.manifest.previous if version else None
        if version and (previous.sha256 if previous else None) == following and (latest is None or version != latest):
            write_bytes(dataset / LATEST, f"{name}\n".encode())
            return


def versions(dataset: Path) -> list[str]:
    """Return the published versions of a dataset, oldest first."""
    names = [folder.name[1:] for folder in (dataset / "versions").glob("v*")]
    found = [name for name in names if re.fullmatch(r"\d+\.\d+\.\d+", name)]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def datasets_in(store: Path) -> list[str]:
    """Return the names of the datasets under a store folder."""
    return sorted(str(pointer.parent.relative_to(store)) for pointer in store.rglob(LATEST) if pointer.is_file())


def load_earlier(version: Version) -> Earlier:
    """Read from a version what decisions need: id, content and split of every document, and since when it is there."""
    nothing = Earlier.nothing()
    ids, content, split, first = [nothing.ids], [nothing.content], [nothing.split], []
    for shard in version.shards:
        table = read_columns(version.dataset / shard.path, ["id", "content_hash", "first_version"])
        ids.append(words16(table.column("id")))
        content.append(words16(table.column("content_hash")))
        first += table.column("first_version").to_pylist()
        split.append(np.full(table.num_rows, shard.split, object))
    return Earlier(np.concatenate(ids), np.concatenate(content), first, np.concatenate(split))


Change = Literal["major", "minor", "patch"]


def next_version(version: str, change: Change) -> str:
    """Return the semantic version after a change (Croissant 1.1).

    Major: documents left, changed or moved to another split, or columns did. Minor: only additions. Patch: the data are
    the same.
    """
    major, minor, patch = (int(part) for part in version.split("."))
    if change == "major":
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if change == "minor" else f"{major}.{minor}.{patch + 1}"


def change_of(previous: Manifest, plan: Plan, schema: pa.Schema) -> Change:
    """Return what kind of change the recipe alone makes: to columns, and to what every row of a source says."""
    old = {column["name"]: column["type"] for column in previous.columns}
    new = {field.name: str(field.type) for field in schema}
    facts = ("license", "grade", "generated", "internal")
    before = {source["id"]: [source.get(name) for name in facts] for source in previous.recipe["sources"]}
    after = {source.id: [getattr(source, name) for name in facts] for source in plan.recipe.sources}
    if any(new.get(name) != kind for name, kind in old.items()):
        return "major"
    if any(after[id] != values for id, values in before.items() if id in after):
        return "major"
    return "minor" if len(new) > len(old) else "patch"


@dataclass(frozen=True)
class RunFacts:
    """What a run contributes to its manifest."""

    run: str
    snapshot: Snapshot
    read: Counter[str]
    removed: dict[str, Counter[str]]
    outcomes: dict[str, Counter[str]]
    kept: int
    added: int
    removed_earlier: int
    changed: int


def make_manifest(
    plan: Plan, version: str, previous: Version | None, segments: list[Segment], facts: RunFacts, schema: pa.Schema
) -> Manifest:
    """Return the manifest of a version."""
    shards = [shard for segment in segments for shard in segment.shards]
    resources = {r.name: r for step in plan.steps for r in step.resources()}
    rows = facts.read.total()
    return Manifest(
        dataset=plan.recipe.dataset,
        version=version,
        previous=Previous(version=previous.manifest.version, sha256=previous.sha256) if previous else None,
        fingerprint=plan.fingerprint,
        run=facts.run,
        recipe=plan.public_recipe(),
        code={
            "package": "yuliao",
            "version": package_version("yuliao"),
            "steps": {step.kind: step.revision for step in plan.steps},
        },
        environment=environment(),
        sources=[_source_record(plan, facts, source.id, shards) for source in plan.recipe.sources],
        steps=[
            *(
                StepRecord(kind=s.kind, revision=s.revision, params=s.identity()["params"], rows_in=rows, rows_out=rows)
                for s in plan.steps
            ),
            StepRecord(kind="select", revision=1, params={}, rows_in=rows, rows_out=facts.kept),
        ],
        resources=[resources[name] for name in sorted(resources)],
        counts=Counts(
            **totals(shards),
            shards=len(shards),
            read=rows,
            added=facts.added,
            removed=facts.removed_earlier,
            changed=facts.changed,
        ),
        segments=segments,
        columns=[{"name": f.name, "type": str(f.type), "nullable": f.nullable} for f in schema],
        configs=configs_of(shards),
        signatures=_signatures(plan),
        removed=[
            {"reason": reason, "count": count}
            for reason, count in sorted(sum(facts.removed.values(), Counter[str]()).items())
        ],
        governance={
            "license": plan.recipe.publish.license,
            "grades": sorted({source.grade for source in plan.recipe.sources if source.grade}),
            "grade_scheme": "GB/T 43697-2024",
            "generated_sources": sorted(source.id for source in plan.recipe.sources if source.generated),
        },
    )


def environment() -> dict[str, str]:
    """Return what bytes may depend on besides the inputs: interpreter, Parquet writer, Unicode tables."""
    import unicodedata

    return {"python": python_version(), "pyarrow": pa.__version__, "unicode": unicodedata.unidata_version}


def _source_record(plan: Plan, facts: RunFacts, id: str, shards: list[Shard]) -> SourceRecord:
    source, listing = plan.source(id), facts.snapshot.of_source(id)
    return SourceRecord(
        id=id,
        license=source.license,
        owner=source.owner,
        rank=source.rank,
        snapshot=listing.sha256,
        files=len(listing.present),
        bytes=sum(file.bytes for file in listing.present),
        read=facts.read[id],
        published=sum(shard.rows for shard in shards if shard.source == id),
        removed=dict(sorted(facts.removed.get(id, Counter()).items())),
        outcomes=dict(sorted(facts.outcomes.get(id, Counter()).items())),
        facts=source.words,
    )


def _signatures(plan: Plan) -> Signatures:
    from pipeline.dedup.matchform import MATCH_FORM_REVISION, UNICODE
    from pipeline.dedup.signature import SCHEME, SHINGLE

    dedup = plan.recipe.dedup
    return Signatures(
        scheme=SCHEME,
        seed=dedup.seed,
        permutations=dedup.permutations,
        shingle=SHINGLE,
        match_form_revision=MATCH_FORM_REVISION,
        unicode=UNICODE,
        match=dedup.match.model_dump(),
    )


def configs_of(shards: list[Shard]) -> list[dict[str, Any]]:
    """Return the subsets a reader may load: `default` is everything, then one a source where there are several.

    Paths are relative to the version's folder, which is a Hugging Face dataset folder by itself.
    """
    sources = sorted({shard.source for shard in shards})
    subsets: list[tuple[str, list[Shard]]] = [("default", shards)]
    if len(sources) > 1:
        subsets += [(source, [shard for shard in shards if shard.source == source]) for source in sources]
    return [
        {
            "config_name": name,
            "default": name == "default",
            "data_files": [
                {"split": split, "path": [f"../../{shard.path}" for shard in subset if shard.split == split]}
                for split in sorted({shard.split for shard in subset}, key=lambda s: (s != "train", s))
            ],
        }
        for name, subset in subsets
    ]


def commit(
    dataset: Path, manifest: Manifest, files: dict[str, bytes], before: Callable[[], None] = lambda: None
) -> Version:
    """Make a version visible: all its files at once, then the pointer. Doing it again changes nothing.

    `files`: everything but the manifest, by name. `before` is called between the two. Raises StoreError when the
    version exists with another manifest.
    """
    data = json_bytes(manifest.model_dump(mode="json", by_alias=True))
    sha256 = hashlib.sha256(data).hexdigest()
    folder = dataset / "versions" / f"v{manifest.version}"
    if folder.exists():
        there = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        if there != sha256:
            raise StoreError(
                f"{folder}: exists with another manifest ({there[:12]}); a published version never changes"
            )
    else:
        aside = folder.with_name(f".{folder.name}.{os.getpid()}{ASIDE}")
        shutil.rmtree(aside, ignore_errors=True)
        for name, content in {**files, "manifest.json": data}.items():
            write_bytes(aside / name, content)
        aside.replace(folder)
        sync_folder(folder.parent)
    before()
    write_bytes(dataset / LATEST, f"{manifest.version}\n".encode())
    return Version(folder, manifest, sha256)


def checksums(manifest: Manifest, files: dict[str, bytes]) -> bytes:
    """Return SHA256SUMS of a version, for `sha256sum -c` in its folder."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in sorted(files.items())]
    for segment in manifest.segments:
        lines += [f"{shard.sha256}  ../../{shard.path}" for shard in segment.shards]
        lines += [f"{shard.signatures_sha256}  ../../{shard.signatures}" for shard in segment.shards]
    lines += [f"{resource.hash}  ../../{resource.path}" for resource in manifest.resources if resource.path]
    return ("\n".join(lines) + "\n").encode()


def publication_of(version: Version) -> dict[str, Any]:
    """Return when, by whom and at what cost a version was published. Raises StoreError where nothing says it."""
    path = version.folder / "publication.json"
    if not path.exists():
        raise StoreError("{path}: is missing; restore it from a copy or a mirror", path=path)
    return dict(read_json(path))
