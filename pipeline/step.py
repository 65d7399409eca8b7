"""Steps: readers, cleaners and signals. A step is its own configuration, and defining it registers it.

A step is a frozen pydantic class whose fields are its parameters. It names its `kind`, the columns it `needs` and
`adds`, and the `revision` of its behaviour: whoever changes what a step computes raises its revision, and golden tests
hold them to it. Steps keep every row and their order; only `pipeline.select` drops.

An author writes the least that fits:

1. `score(text) -> float` (a signal of one column) or `clean_text(text) -> str` (a cleaner): a plain function of a text;
2. `measure(batch) -> list of arrays` or `clean(batch) -> batch` with `pipeline.text.CodePoints`: for hot loops.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import ContractError, RecipeError, unknown_name
from schemas.manifest import Resource

# Packages whose modules define steps; importing them fills the catalogue.
HOMES = ("pipeline.readers", "pipeline.clean", "pipeline.signals")
S = TypeVar("S", bound="Step")
_CATALOGUE: dict[str, type["Step"]] = {}


class Step(BaseModel):
    """What readers, cleaners and signals share: parameters as fields, a kind, a revision, a place in the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)

    kind: ClassVar[str] = ""
    revision: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("text",)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the class under its kind."""
        super().__pydantic_init_subclass__(**kwargs)
        if not cls.kind:
            return
        known = _CATALOGUE.get(cls.kind)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ContractError(
                f"the kind '{cls.kind}' is taken by {known.__module__}.{known.__qualname__}; "
                f"give {cls.__module__}.{cls.__qualname__} another"
            )
        _CATALOGUE[cls.kind] = cls

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Columns that the step adds, with their types."""
        return {}

    def resources(self) -> Sequence[Resource]:
        """Frozen inputs (lexicons, tables, models) that the result depends on, each with its hash."""
        return ()

    def spec(self) -> dict[str, Any]:
        """The step as a recipe writes it, defaults filled in; `build` gives the same step back."""
        return {"kind": self.kind, **self.model_dump(mode="json")}

    def public_spec(self) -> dict[str, Any]:
        """The step as a manifest writes it, where no absolute path may stand."""
        return self.spec()

    def identity(self) -> dict[str, Any]:
        """What enters the fingerprint: kind, behaviour revision, parameters and resource hashes."""
        return {
            "kind": self.kind,
            "revision": self.revision,
            "params": self.model_dump(mode="json"),
            "resources": [resource.hash for resource in self.resources()],
        }


class Cleaner(Step):
    """Replaces the text by a better one; may add columns that say what was changed."""

    def clean_text(self, text: str) -> str:  # noqa: ARG002 - the name is part of the contract
        """Return the better text. Write this for a plain cleaner, or override `clean`."""
        raise ContractError(f"the cleaner '{self.kind}' defines neither clean_text nor clean")

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with a better `text` column and the columns of `adds`: same rows, same order."""
        texts = [self.clean_text(text) for text in batch.column("text").to_pylist()]
        return replace_text(batch, pa.array(texts, pa.string()))


class Signal(Step):
    """Adds columns measured on the text; `measures` says whether on the cleaned text or on the one that was read."""

    measures: ClassVar[Literal["clean", "raw"]] = "clean"

    def score(self, text: str) -> float:  # noqa: ARG002 - the name is part of the contract
        """Return the value of the only column. Write this for a plain signal, or override `measure`."""
        raise ContractError(f"the signal '{self.kind}' defines neither score nor measure")

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return one array for each column of `adds`, in that order, each as long as the batch."""
        ((_, dtype),) = self.adds.items()
        return [pa.array([self.score(text) for text in batch.column("text").to_pylist()], dtype)]


def replace_text(batch: pa.RecordBatch, text: pa.Array) -> pa.RecordBatch:
    """Return the batch with another text column in the old one's place."""
    index = batch.schema.get_field_index("text")
    return batch.set_column(index, batch.schema.field(index), text)


def apply(steps: Sequence[Step], batch: pa.RecordBatch) -> pa.RecordBatch:
    """Run cleaners and signals over a batch in order and check that each kept its promise.

    Returns the batch with the cleaned `text` and every added column.
    Raises ContractError, naming the step, when rows were lost or columns differ from `adds`.
    """
    raw = batch.column("text")
    for step in steps:
        rows = batch.num_rows
        if isinstance(step, Cleaner):
            before = batch.schema.names
            batch = step.clean(batch)
            if batch.num_rows != rows or batch.schema.names != [*before, *step.adds]:
                raise ContractError(f"the cleaner '{step.kind}' changed rows or columns it does not declare")
        elif isinstance(step, Signal):
            view = replace_text(batch, raw) if step.measures == "raw" else batch
            arrays = step.measure(view)
            adds = step.adds
            if len(arrays) != len(adds) or any(len(array) != rows for array in arrays):
                raise ContractError(f"the signal '{step.kind}' declares {list(adds)} for {rows} rows, gave otherwise")
            for (name, dtype), array in zip(adds.items(), arrays, strict=True):
                batch = batch.append_column(pa.field(name, dtype), array)
    return batch


@cache
def catalogue() -> Mapping[str, type[Step]]:
    """Return every known step by kind: ours, and those that installed packages offer as `yuliao.steps`."""
    for home in HOMES:
        package = importlib.import_module(home)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{home}.{module.name}")
    for entry in entry_points(group="yuliao.steps"):
        entry.load()
    return dict(sorted(_CATALOGUE.items()))


def build(spec: Mapping[str, Any]) -> Step:
    """Return the step that a recipe's `{kind: ..., parameter: ...}` describes.

    Raises RecipeError for an unknown kind or parameter, naming the known ones.
    """
    params = dict(spec)
    kind = params.pop("kind", None)
    if not isinstance(kind, str):
        raise RecipeError(f"a step needs `kind: NAME` or `preset: NAME`, got {dict(spec)}")
    if kind not in catalogue():
        known = [name for name, cls in catalogue().items() if issubclass(cls, Cleaner | Signal)]
        raise RecipeError(unknown_name("step", kind, known))
    return build_class(catalogue()[kind], params)


def build_class(cls: type[S], params: Mapping[str, Any]) -> S:
    """Return a step of a class; errors name the parameter and the known ones."""
    try:
        return cls(**params)
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                message = unknown_name("parameter", name, cls.model_fields)
            else:
                message = f"parameter '{name}': {problem['msg']}, got {problem['input']!r}"
            raise RecipeError(f"step '{cls.kind}': {message}") from None
        raise


def of_role(role: type[S]) -> dict[str, type[S]]:
    """Return the part of the catalogue that plays a role, e.g. every Signal."""
    return {kind: cls for kind, cls in catalogue().items() if issubclass(cls, role)}


def columns_of(steps: Iterable[Step]) -> dict[str, pa.DataType]:
    """Return the columns that steps add, with types, in order."""
    return {name: dtype for step in steps for name, dtype in step.adds.items()}


__all__ = [
    "Cleaner",
    "Signal",
    "Step",
    "apply",
    "build",
    "build_class",
    "catalogue",
    "columns_of",
    "of_role",
    "replace_text",
]
