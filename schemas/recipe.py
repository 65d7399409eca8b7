"""The recipe: everything that decides what a version holds. Where and how fast it runs is no part of it."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from schemas.source import License, Limits, Source
from schemas.store import Store

DATASET_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def parse_size(value: Any) -> Any:
    """Return a number of bytes from `256MB`, `2GiB` or a plain number; anything else is handed on to be refused."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*([\d.]+)\s*([kmgt]i?)?b?\s*", value.lower())):
        return int(float(match[1]) * _UNITS[match[2] or ""])
    return value


def _share(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"\s*([\d.]+)\s*%\s*", value)):
        return float(match[1]) / 100
    return value


Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]
Share = Annotated[float, BeforeValidator(_share), Field(gt=0, lt=1)]


class Frozen(BaseModel):
    """A part of the recipe: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Rule(Frozen):
    """One test on one column; a document that fails it is dropped. A missing value passes."""

    column: str
    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)
    one_of: list[str] | None = Field(None, alias="in")
    none_of: list[str] | None = Field(None, alias="not_in")
    equals: bool | None = Field(None, description="what a boolean column must be")
    name: str | None = Field(None, description="the reason in the ledger; default `<column>.low`, `.high` or `.other`")
    sources: list[str] | None = Field(None, description="only for documents of these sources")

    @model_validator(mode="after")
    def _one_kind_of_test(self) -> "Rule":
        bounds = self.min is not None or self.max is not None
        tests = [bounds, self.one_of is not None, self.none_of is not None, self.equals is not None]
        if sum(tests) != 1:
            raise ValueError("a rule needs exactly one test: min and/or max, in, not_in, or equals")
        if self.one_of == []:
            raise ValueError("`in` names no value: no document could pass")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:.10g} is more than max {self.max:.10g}: no document could pass")
        return self


class MatchForm(Frozen):
    """What two texts are compared by. White space, control and format characters never count, case never does."""

    script: Literal["fold", "keep"] = Field("fold", description="whether Traditional counts as Simplified")
    width: Literal["fold", "keep"] = Field("fold", description="whether compatibility forms count as usual ones (NFKC)")
    punctuation: Literal["drop", "keep"] = Field("drop", description="whether punctuation and symbols count")
    digits: Literal["keep", "zero", "drop"] = Field(
        "keep", description="whether decimal digits count, only that some stand there, or not at all"
    )


class Dedup(Frozen):
    """How duplicates are found and which copy stays.

    32 bits a permutation, datasketch's `affine32`. Bands of 25 x 5 find 99.995 % of the pairs at Jaccard 0.8
    (1 - (1 - 0.8^5)^25); every candidate is verified, so looseness costs time, not precision.
    """

    exact: bool = True
    near: bool = True
    threshold: float = Field(0.8, ge=0.5, le=1, description="least Jaccard of the 5-gram sets of the match forms")
    permutations: int = Field(128, ge=16, le=512)
    bands: int = Field(25, ge=1)
    rows: int = Field(5, ge=1)
    seed: int = Field(1, ge=0, lt=2**32)
    match: MatchForm = MatchForm()
    keep: list[str] = Field(
        ["rank", "char_count", "id"],
        description="which copy stays, after published ones: `rank` and `id` ascending, signals descending",
    )

    @model_validator(mode="after")
    def _bands_fit(self) -> "Dedup":
        if self.bands * self.rows > self.permutations:
            raise ValueError(f"{self.bands} bands of {self.rows} rows need more than {self.permutations} permutations")
        return self


class Overlap(Frozen):
    """Evaluation sets that documents must not hold."""

    eval: list[str] = Field(min_length=1, description="files of questions, relative to the recipe")
    action: Literal["drop", "mark"] = Field("drop", description="drop such documents, or only measure the overlap")


class Passages(Frozen):
    """Page furniture: lines that recur over the documents of a source, counted once and then frozen."""

    action: Literal["remove", "mark"] = Field("remove", description="take the lines out, or only count them")
    min_documents: int = Field(20, ge=2, description="least documents of a source that hold a line")
    min_share: Share = Field(0.001, description="least share of the documents of a source that hold a line")
    inner_share: Share = Field(0.05, description="the same for a line that goes wherever it stands")
    min_chars: int = Field(8, ge=1, description="letters and digits of a line that goes by itself")
    inner_chars: int = Field(30, ge=1, description="letters and digits of a line that goes wherever it stands")
    sources: list[str] | None = Field(None, min_length=1, description="ids of the sources to look at; by default all")


class Publish(Frozen):
    """What the published version looks like."""

    license: License
    title: str | None = Field(None, description="name of the dataset for people, English")
    title_zh: str | None = None
    description: str | None = None
    description_zh: str | None = None
    contact: str | None = Field(None, description="where to ask for a takedown or report a fault")
    shard_bytes: Size = 256_000_000
    row_group_bytes: Size = 48_000_000
    columns: list[str] = Field([], description="signal columns to publish beside the fixed ones")
    splits: dict[str, Share] = Field({}, description="share of documents by id hash that goes to a named split")

    @field_validator("splits")
    @classmethod
    def _splits_fit(cls, splits: dict[str, float]) -> dict[str, float]:
        if sum(splits.values()) >= 1:
            raise ValueError("the shares of the splits must leave something for `train`")
        for name in splits:
            if name == "train" or not re.fullmatch(r"\w+", name):
                raise ValueError(f"'{name}' cannot name a split: use letters, digits and _, and not `train`")
        return splits


class Recipe(Frozen):
    """A recipe as its author wrote it, defaults filled in. Steps stay plain; the plan builds them."""

    dataset: str = Field(pattern=f"^{DATASET_NAME.pattern}$", description="org/name, as in a hub")
    language: str = Field("zh", description="main language of the dataset, ISO 639")
    register_file: str | None = Field(
        None, alias="register", description="a file of sources with what is known of them"
    )
    sources: list[Source] = Field(min_length=1)
    store: Store | None = Field(None, description="how addresses are reached, where a source does not say")
    steps: list[dict[str, Any]] = Field(
        [{"preset": "zh-web"}], description="cleaners and signals, in order, or presets"
    )
    select: list[Rule] | None = Field(None, description="rules; default those of the presets; [] keeps everything")
    dedup: Dedup = Dedup()
    overlap: Overlap | None = Field(None, description="evaluation sets to keep apart from")
    passages: Passages | None = Field(None, description="lines that recur over a source, to be taken out or counted")
    on_gone: Literal["keep", "retract"] = Field("keep", description="documents whose file has gone from its source")
    limits: Limits = Limits()
    publish: Publish

    @field_validator("sources")
    @classmethod
    def _ids_differ(cls, sources: list[Source]) -> list[Source]:
        ids = [source.id for source in sources]
        if repeated := {id for id in ids if ids.count(id) > 1}:
            raise ValueError(f"two sources have the id {', '.join(sorted(repeated))}")
        return sources

    @model_validator(mode="after")
    def _stores_are_passed_on(self) -> "Recipe":
        if self.store is None:
            return self
        sources = [s if s.store else s.model_copy(update={"store": self.store}) for s in self.sources]
        object.__setattr__(self, "sources", sources)
        return self

    @property
    def with_passages(self) -> set[str]:
        """Ids of the sources whose recurring lines are looked for."""
        if self.passages is None:
            return set()
        return {source.id for source in self.sources} if self.passages.sources is None else set(self.passages.sources)
