"""A source: one origin with one licence and one reader, as the recipe states it; and one input file of it."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from schemas.store import BLOCK, Store, is_address, refuse_address, refuse_value

# Terms that are no SPDX licence but state a legal ground for Chinese public text; each with what it means.
LICENSE_TERMS = {
    "public-domain": "No copyright, or its term has ended (著作权法 art. 23; works of authors dead over 50 years)",
    "cn-official-text": "Laws, judgments, decisions of state organs, official translations (著作权法 art. 5(1))",
    "tw-official-text": "Statutes and official documents of Taiwan (著作權法 art. 9)",
    "cn-public-data-open": "公共数据 无条件开放: open public data without conditions",
    "cn-public-data-conditional": "公共数据 有条件开放: open public data under stated conditions",
    "cn-public-data-authorized": "公共数据授权运营: public data under an operating authorisation",
    "commercial": "Licensed by contract; the contract is named in the source's `evidence`",
    "internal": "Owned by the publisher; not for release outside",
}


def _license(value: str) -> str:
    if value in LICENSE_TERMS:
        return value
    try:
        return str(canonicalize_license_expression(value))
    except InvalidLicenseExpression as error:
        raise ValueError(
            f"'{value}' is neither an SPDX licence expression ({error}) nor one of: {', '.join(LICENSE_TERMS)}. "
            "For a licence of your own write LicenseRef-NAME."
        ) from None


License = Annotated[str, AfterValidator(_license)]
Grade = Literal["general-1", "general-2", "general-3", "general-4", "important", "core"]
"""Grades of GB/T 43697-2024: 一般 1 to 4 (its appendix H), 重要, 核心."""

_DAY = r"\d{4}(-\d\d(-\d\d)?)?"


def _period(value: Any) -> Any:
    """A year or day that YAML has made a number or date of, as text."""
    value = str(value) if isinstance(value, int | date) and not isinstance(value, bool) else value
    if isinstance(value, str) and not re.fullmatch(rf"{_DAY}(/({_DAY}|\.\.))?", value):
        raise ValueError("write a period as 2024, 2024-03, 2024-03-01/2024-06-30 or 2024-03/..")
    return value


Period = Annotated[str, BeforeValidator(_period)]

SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Fields(BaseModel):
    """Which field of a record (JSON key, table column) holds what; None lets the reader look for the usual names.

    In JSON a name may lead into a record: `data.body.content`; `items[].text` joins the strings of a list by lines.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str | list[str] | None = Field(None, description="the text; several fields are joined by a line break")
    id: str | None = Field(None, description="the key that makes the document's id, unique in the source")
    title: str | None = None
    url: str | None = None
    original_time: str | None = None
    last_modified_time: str | None = None


class Hub(BaseModel):
    """A dataset read with Hugging Face `datasets`: a folder, a script-free local copy, or a name on a hub."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    config: str | None = None
    split: str = "train"
    revision: str | None = Field(None, description="a commit; needed for a hub name, so that a version can be repeated")


class Sql(BaseModel):
    """A table or query of PostgreSQL, MySQL or MariaDB; its URL stands in an environment variable or a block."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url_env: str | None = Field(None, description="name of the environment variable of the database's URL")
    block: str | None = Field(None, pattern=BLOCK, description="a Prefect block TYPE/NAME that holds the URL")
    table: str | None = Field(None, pattern=r"^[^.\x00]+(\.[^.\x00]+)?$", description="TABLE or SCHEMA.TABLE")
    query: str | None = Field(None, min_length=1, description="a SELECT, in place of a table")
    key: str = Field(min_length=1, description="a unique column: gives the order, and the ids without `fields.id`")
    revision: str | None = Field(None, description="a column that grows with every change, instead of a hash of rows")

    @field_validator("url_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        return refuse_value(value)

    @model_validator(mode="after")
    def _one_of_each(self) -> "Sql":
        if (self.url_env is None) == (self.block is None):
            raise ValueError("the URL of a database comes from either `url_env` or `block`")
        if (self.table is None) == (self.query is None):
            raise ValueError("a database is asked for either a `table` or a `query`")
        return self

    @property
    def holder(self) -> str:
        """The name of what holds the URL."""
        return self.url_env or str(self.block).partition("/")[2]


class Facts(BaseModel):
    """What is known of an origin, whoever reads it: stated in the recipe, or once in a register of sources."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    license: License
    name: str | None = Field(None, description="what people call it")
    owner: str | None = None
    url: str | None = Field(None, description="where the source is described")
    evidence: str | None = Field(None, description="what the licence rests on: a page, a contract number")
    terms: str | None = Field(None, description="terms of use beside the licence: a page, or in words")
    method: str | None = Field(None, description="how it was collected")
    period: Period | None = Field(None, description="when it was collected, ISO 8601: a day, month, year or interval")
    contact: str | None = Field(None, description="whom to ask about it")
    generated: bool | None = Field(None, description="whether the text was written by a machine, where known")
    grade: Grade | None = None
    internal: bool = Field(False, description="publish no `uri` of this source")

    @property
    def words(self) -> dict[str, str]:
        """What is known beside licence and owner, as far as it is stated."""
        names = ("name", "url", "evidence", "terms", "method", "period", "contact")
        return {name: str(value) for name in names if (value := getattr(self, name)) is not None}


class Source(Facts):
    """One origin, one licence, one reader."""

    id: str = Field(pattern=SOURCE_ID.pattern + "$", description="short name, part of every document's id")
    path: str | list[str] | None = Field(None, description="folders, files, globs or addresses")
    urls: str | None = Field(None, description="a file of addresses, one a line, relative to the recipe")
    hub: Hub | None = None
    sql: Sql | None = None
    store: Store | None = Field(None, description="how its addresses are reached")
    reader: str = Field("auto", description="auto, or the kind of a reader for every file of the source")
    fields: Fields = Fields()
    ocr: str | None = Field(
        None,
        pattern=r"^\w+(\.\w+)*:\w+$",
        description="module:function that reads the pages of PDF files that have no text layer",
    )
    rank: int = Field(1, ge=0, description="priority when duplicates meet; 1 goes before 2")

    @field_validator("id")
    @classmethod
    def _id_is_free(cls, id: str) -> str:
        if id == "default":
            raise ValueError("'default' names the subset of all sources; choose another id")
        return id

    @field_validator("path")
    @classmethod
    def _addresses_are_reached(cls, path: str | list[str] | None) -> str | list[str] | None:
        for one in [path] if isinstance(path, str) else path or []:
            if is_address(one):
                refuse_address(one)
        return path

    @model_validator(mode="after")
    def _one_place(self) -> "Source":
        if sum(place is not None for place in (self.path, self.urls, self.hub, self.sql)) != 1:
            raise ValueError("a source needs one of `path`, `urls`, `hub` and `sql`")
        return self

    @property
    def paths(self) -> list[str]:
        """The paths as a list; empty for a hub or a database."""
        return [self.path] if isinstance(self.path, str) else list(self.path or [])


class Limits(BaseModel):
    """What a single input may cost; past a limit the file or record is quarantined with the limit in the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    record_bytes: int = Field(64 << 20, gt=0, description="largest single document before decoding")
    unpacked_bytes: int = Field(16 << 30, gt=0, description="largest unpacked size of a compressed file")
    ratio: int = Field(200, gt=1, description="largest unpacked size as a multiple of the packed one, past 64 MiB")
    members: int = Field(100_000, gt=0, description="most members of an archive, those of archives in it counted")
    depth: int = Field(3, gt=0, description="how deep archives may lie in archives")
    seconds: int = Field(
        120, gt=0, description="CPU time for a file that is read in a process of its own; a second more a MiB"
    )
    memory_bytes: int = Field(1 << 30, gt=0, description="memory of such a process, beyond what it held before")


@dataclass(frozen=True, slots=True)
class Part:
    """One of `count` pieces of a large file of UTF-8, `number` counted from 0: what a task reads of it.

    Bytes from `start` up to `end`, at the borders of records, the first of which is `record`. What the whole file told
    goes with each: `evidence` of its encoding, and whether it has a byte order mark (`bom`). `digest` is of the bytes
    that the part depends on. Where start and end are equal, there is nothing in it.
    """

    number: int
    count: int
    start: int = 0
    end: int = 0
    record: int = 0
    evidence: str = ""
    bom: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of a source as the snapshot saw it.

    `uri` is relative to the source's root; `path` is where it lies; `sha256` names the bytes, or is `UNREADABLE`.
    `tag`: by what a store tells its files' states apart (`etag:…`, `modified:…`); such a file is not fetched to be
    hashed, and `sha256` is then `tag:` with a digest of tag and size.
    `gone`: an earlier snapshot saw it, and now it is not there, or holds something else. `part`: what is read of
    it, where that is not all.
    """

    source: str
    uri: str
    path: str
    bytes: int
    sha256: str
    gone: bool = False
    tag: str = ""
    part: Part | None = None


UNREADABLE = "unreadable"
