"""What a version is. The manifest follows from the inputs alone, and its SHA-256 is the version.

No wall-clock time, host, absolute path or random number stands in a manifest; those belong to the publication record.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

FORMAT_VERSION = 1


class Part(BaseModel):
    """A part of a manifest: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Resource(Part):
    """A frozen input that the result depends on: a lexicon, a table, a model, statistics of a source."""

    name: str
    hash: str = Field(description="SHA-256 of its bytes, hex")
    license: str
    path: str | None = Field(None, description="relative to the dataset's folder, where it lies there")


class Previous(Part):
    """The version this one follows."""

    version: str
    sha256: str


class SourceRecord(Part):
    """A source as this version used it; `published` counts its documents in the version, the rest this step's run."""

    id: str
    license: str
    owner: str | None
    rank: int
    snapshot: str = Field(description="SHA-256 of the listing of its files with their hashes")
    files: int
    bytes: int
    read: int
    published: int
    removed: dict[str, int] = Field(description="documents read but not published, by reason")
    outcomes: dict[str, int] = Field(description="input files by outcome; they add up to `files` of the run")
    facts: dict[str, str] = Field(
        {}, description="what else is known: name, url, evidence, terms, method, period, contact"
    )


class StepRecord(Part):
    """A step with every parameter, and the rows that went in and came out."""

    kind: str
    revision: int
    params: dict[str, Any]
    rows_in: int = Field(alias="in", serialization_alias="in")
    rows_out: int = Field(alias="out", serialization_alias="out")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Shard(Part):
    """A published Parquet file; its name is its SHA-256."""

    path: str = Field(description="relative to the dataset's folder")
    rows: int
    bytes: int
    sha256: str
    signatures_sha256: str
    rows_sha256: str = Field(description="hash of ids and content hashes in order: equal in any environment")
    source: str
    split: str
    characters: int
    text_bytes: int = Field(description="UTF-8 bytes of the text")
    languages: dict[str, int] = Field(description="documents by language, ISO 639")
    scripts: dict[str, int] = Field(description="documents by script")

    @property
    def signatures(self) -> str:
        """The path of its signatures, relative to the dataset's folder."""
        return self.path.replace("shards/", "signatures/", 1)


class Segment(Part):
    """The documents that one run added, in (source, split, uri, record) order."""

    run: str = Field(description="fingerprint of the run that added it")
    shards: list[Shard]


class Signatures(Part):
    """How the signatures beside the shards were made; another reader needs all of it to compare."""

    scheme: str
    seed: int
    permutations: int
    shingle: int
    match_form_revision: int
    unicode: str
    match: dict[str, str] = Field({}, description="options of the match form; empty: as in revision 1, the defaults")


class Counts(Part):
    """Totals: of the version, and of the run that made it."""

    documents: int
    characters: int
    bytes: int = Field(description="UTF-8 bytes of the text")
    shards: int
    read: int
    added: int
    removed: int
    changed: int


class Manifest(Part):
    """A version, whole."""

    format_version: int = FORMAT_VERSION
    dataset: str
    version: str
    previous: Previous | None
    fingerprint: str
    run: str
    recipe: dict[str, Any]
    code: dict[str, Any]
    environment: dict[str, str]
    sources: list[SourceRecord]
    steps: list[StepRecord]
    resources: list[Resource]
    counts: Counts
    segments: list[Segment]
    columns: list[dict[str, Any]] = Field(alias="schema", serialization_alias="schema")
    configs: list[dict[str, Any]]
    signatures: Signatures
    removed: list[dict[str, Any]]
    governance: dict[str, Any]

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Publication(Part):
    """When, by whom and at what cost a version was published; not part of its identity."""

    dataset: str
    version: str
    manifest_sha256: str
    published_at: str
    published_by: str
    package: str
    seconds: float
    workers: int
    peak_memory_bytes: int
    prefect_flow_run: str | None = None
