"""Plans: a recipe, checked as a whole before any data is read, with its steps built and its identity known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from pipeline.preset import preset
from pipeline.recipes import line_in, parse_recipe, read_recipe
from pipeline.select import NO_TEXT, Check, check_columns, checks_of, for_emptied, is_number
from pipeline.step import Cleaner, Signal, Step, build, catalogue, columns_of
from pipeline.storage import digest
from schemas.document import DOCUMENT, PUBLISHED
from schemas.errors import RecipeError, SourceError, unknown_name
from schemas.recipe import Overlap, Recipe, Rule
from schemas.source import Source

if TYPE_CHECKING:
    from pipeline.clean.passages import Passages
    from pipeline.passages.table import Table

# Steps that every plan ends with unless the recipe sets them itself: a version publishes their columns.
REQUIRED = {"char_count": "characters", "lang": "language"}
# Columns that the engine itself adds to a measured shard.
ENGINE_COLUMNS = {"content_hash": pa.string(), "text_bytes": pa.int64()}


@dataclass(frozen=True)
class Plan:
    """A checked recipe: built steps, rules as checks, and what each stage depends on."""

    recipe: Recipe
    base: Path
    steps: tuple[Step, ...]
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, recipe: Recipe, base: Path) -> "Plan":
        """Build the steps and check that every column a step or rule needs is there when it runs.

        Raises RecipeError naming the step, rule or column, with its place in the recipe.
        """
        steps, rules = expand(recipe)
        for step in steps:
            if step.kind in FIELDS:
                raise RecipeError(f"steps: `{step.kind}` is a field of the recipe: `{FIELDS[step.kind]}`", ("steps",))
        steps = [*_passages(recipe), *steps]
        if recipe.overlap is not None:
            steps, rules = _kept_apart(recipe.overlap, base, steps, rules)
        emptied = for_emptied(rules) if any(isinstance(step, Cleaner) for step in steps) else ()
        plan = cls(recipe, base, tuple(steps), (*rules, *emptied))
        _check_readers(recipe)
        check_columns(rules, plan.columns, [source.id for source in recipe.sources])
        plan._check_names()
        return plan

    @classmethod
    def load(cls, path: Path) -> "Plan":
        """Return the plan of a recipe file. Raises RecipeError naming the file and line of what cannot be done."""
        text = read_recipe(path)
        try:
            return cls.of(parse_recipe(text, str(path), path.resolve().parent), path.resolve().parent)
        except RecipeError as error:
            if not error.place:
                raise
            line = line_in(text, error.place)
            raise RecipeError("{path}, line {line}, {error}", path=path, line=line, error=error) from None

    def _check_names(self) -> None:
        """Refuse columns to publish or to prefer by that no step adds."""
        for n, name in enumerate(self.recipe.publish.columns):
            place = ("publish", "columns", n)
            if name not in self.signal_columns:
                raise RecipeError("publish.columns: " + unknown_name("column", name, self.signal_columns), place)
            if name in PUBLISHED.names:
                raise RecipeError(f"publish.columns: '{name}' is always published; leave it out", place)
        known = ["rank", "id", *(name for name, kind in self.signal_columns.items() if is_number(kind))]
        for n, key in enumerate(self.recipe.dedup.keep):
            if key not in known:
                raise RecipeError("dedup.keep: " + unknown_name("number column", key, known), ("dedup", "keep", n))

    @cached_property
    def signal_columns(self) -> dict[str, pa.DataType]:
        """Columns that the steps add, in order."""
        return columns_of(self.steps)

    @cached_property
    def columns(self) -> dict[str, pa.DataType]:
        """Every column that a rule may test."""
        read = {field.name: field.type for field in DOCUMENT if field.name != "text"}
        return {**read, **self.signal_columns, **ENGINE_COLUMNS}

    @cached_property
    def checks(self) -> list[Check]:
        """The rules, one check a bound."""
        return checks_of(self.rules)

    def source(self, id: str) -> Source:
        """The source of an id."""
        return next(source for source in self.recipe.sources if source.id == id)

    def reading_identity(self, source: Source) -> dict[str, Any]:
        """What the outcome of reading a source's files depends on, besides the files."""
        given = {name for name in ("ocr", "sql") if getattr(source, name) is not None}
        return {
            "source": source.model_dump(include={"id", "reader", "fields", "hub"} | given),
            "limits": self.recipe.limits.model_dump(),
            "readers": reader_revisions(),
        }

    @property
    def tables(self) -> "tuple[Table, ...]":
        """The frozen passages, one table a source that has one."""
        return () if self.recipe.passages is None else cast("Passages", self.steps[0]).tables

    @property
    def uncounted(self) -> list[str]:
        """The sources whose passages are asked for and not frozen yet: until they are, the fingerprint is not final."""
        return sorted(self.recipe.with_passages - {table.source for table in self.tables})

    def frozen(self, tables: "Iterable[Table]") -> "Plan":
        """Return the plan with these tables of passages and no others."""
        found = sorted(tables, key=lambda table: table.source)
        if self.recipe.passages is None:
            return self
        return replace(self, steps=(cast("Passages", self.steps[0]).frozen(found), *self.steps[1:]))

    def measuring_identity(self, source: str | None = None) -> dict[str, Any]:
        """What cleaning, measuring and signing depend on, besides the documents: of one source, or of all."""
        steps = self.frozen(table for table in self.tables if source in (None, table.source)).steps
        dedup = self.recipe.dedup
        return {
            "steps": [step.identity() for step in steps],
            "signature": [dedup.permutations, dedup.seed, dedup.match.model_dump()],
            "engine": ENGINE_REVISION,
        }

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the built plan: equal for equal behaviour, whatever the recipe's words, order or paths."""
        recipe = self.recipe.model_dump(
            mode="json",
            by_alias=True,
            exclude={
                **dict.fromkeys(("steps", "select", "sources", "store", "register_file"), True),
                "publish": _WORDS,
                "overlap": {"eval"},
            },
        )
        words = {"path", "urls", "store", "name", "owner", "url", "evidence", "terms", "method", "period", "contact"}
        sources = [source.model_dump(mode="json", exclude=words) for source in self.recipe.sources]
        rules = [rule.model_dump(mode="json", by_alias=True) for rule in self.rules]
        return digest(recipe, sources, rules, self.measuring_identity(), reader_revisions())

    def public_recipe(self) -> dict[str, Any]:
        """The recipe with defaults and presets filled in, as the manifest carries it: no absolute or internal path."""
        recipe = self.recipe.model_dump(mode="json", by_alias=True)
        recipe.pop("store")
        recipe.pop("register")
        for entry, source in zip(recipe["sources"], self.recipe.sources, strict=True):
            entry.pop("store")
            if source.internal:
                entry["urls"] = entry["sql"] = None
            if source.internal or any(Path(path).is_absolute() for path in source.paths):
                entry["path"] = None
            if source.hub and (source.internal or Path(source.hub.name).is_absolute()):
                entry["hub"]["name"] = Path(source.hub.name).name
        # What follows from `overlap`, `passages` or cleaners stands there alone, so that the recipe can be read again.
        recipe["steps"] = [step.public_spec() for step in self.steps if step.kind not in FIELDS]
        if self.recipe.overlap is not None:
            recipe["overlap"]["eval"] = [Path(path).name for path in self.recipe.overlap.eval]
        rules = [rule for rule in self.rules if rule not in (NO_OVERLAP, NO_TEXT)]
        recipe["select"] = [rule.model_dump(mode="json", by_alias=True, exclude_none=True) for rule in rules]
        return recipe


ENGINE_REVISION = 2
# Steps that fields of the recipe put in place, with how those are written.
FIELDS = {"overlap": "overlap: {eval: [FILE]}", "passages": "passages: {}"}
# A document that holds any evaluation question goes.
NO_OVERLAP = Rule(column="overlap_score", max=0, name="overlap.eval")
# What a card says and no row holds.
_WORDS = {"title", "title_zh", "description", "description_zh", "contact"}


def reader_revisions() -> dict[str, int]:
    """Return the behaviour revision of every reader, of what opens archives, and of what decides on encodings."""
    from pipeline.readers import archive, encoding
    from pipeline.readers.reader import Reader

    readers = {kind: step.revision for kind, step in catalogue().items() if issubclass(step, Reader)}
    return {**readers, "archive": archive.REVISION, "encoding": encoding.REVISION}


def expand(recipe: Recipe) -> tuple[list[Step], list[Rule]]:
    """Return the built steps, presets expanded and the required ones added, and the rules: the recipe's or presets'.

    A step that adds columns of a preset's step of the same kind takes its place.
    """
    steps: list[Step] = []
    rules: list[Rule] = []
    there = {field.name for field in DOCUMENT}
    replaceable: list[Step] = []
    for number, spec in enumerate(recipe.steps):
        try:
            built, found = _expanded(spec)
            old = [step for step in replaceable if _takes_place(built[0], step)] if "preset" not in spec else []
            if old:
                steps = [built[0] if step is old[0] else step for step in steps]
                replaceable = [step for step in replaceable if step is not old[0]]
                there, built = {field.name for field in DOCUMENT}, []
                _check_steps(steps, there)
            _check_steps(built, there)
        except RecipeError as error:
            raise RecipeError(f"steps, number {number + 1}: {error}", ("steps", number)) from None
        steps += built
        replaceable += built if "preset" in spec else []
        rules += found
    required = [build({"kind": kind}) for column, kind in REQUIRED.items() if column not in there]
    try:
        _check_steps(required, there)
    except RecipeError as error:
        raise RecipeError(f"steps: {error}; every recipe has this step", ("steps",)) from None
    return [*steps, *required], rules if recipe.select is None else list(recipe.select)


def _takes_place(step: Step, old: Step) -> bool:
    return step.kind == old.kind and bool(step.adds.keys() & old.adds.keys())


def _passages(recipe: Recipe) -> list[Step]:
    """Return the step that a recipe's `passages` asks for; it goes before the others, on the text that was counted."""
    if recipe.passages is None:
        return []
    ids = [source.id for source in recipe.sources]
    for n, id in enumerate(recipe.passages.sources or []):
        if id not in ids:
            raise RecipeError("passages.sources: " + unknown_name("source", id, ids), ("passages", "sources", n))
    return [build({"kind": "passages", "action": recipe.passages.action})]


def _kept_apart(overlap: Overlap, base: Path, steps: list[Step], rules: list[Rule]) -> tuple[list[Step], list[Rule]]:
    """Add the step and the rule that a recipe's `overlap` asks for, when its files can be read.

    Raises RecipeError naming the file and line of what is no question.
    """
    from pipeline.overlap.questions import read
    from pipeline.signals.overlap import Overlap as Questioned

    paths = [base / path for path in overlap.eval]
    for number, path in enumerate(paths):
        try:
            for _ in read(path):
                pass
        except SourceError as error:
            raise RecipeError(f"overlap.eval: {error}", ("overlap", "eval", number)) from None
    step = Questioned(eval=tuple(map(str, paths))).pinned()
    _check_steps([step], {name for known in steps for name in known.adds} | {"text"})
    return [*steps, step], [*rules, NO_OVERLAP] if overlap.action == "drop" else rules


def _expanded(spec: Mapping[str, Any]) -> tuple[list[Step], list[Rule]]:
    """The steps and rules of one entry of a recipe's steps."""
    if "preset" not in spec:
        return [build(spec)], []
    if set(spec) != {"preset"} or not isinstance(spec["preset"], str):
        raise RecipeError(f"a preset is one name and takes no parameters, got {spec}; write its steps out instead")
    found = preset(spec["preset"])
    return [build(step) for step in found["steps"]], [Rule.model_validate(rule) for rule in found["select"]]


def _check_steps(steps: Sequence[Step], there: set[str]) -> None:
    """Refuse steps whose columns are not there, or are there already; add theirs to `there`."""
    for step in steps:
        if not isinstance(step, Cleaner | Signal):
            raise RecipeError(f"{step.kind}: a reader is chosen by a source's `reader`, not among the steps")
        for column in step.needs:
            if column not in there:
                raise RecipeError(f"{step.kind} needs the column '{column}', which no step before it adds")
        for column in step.adds:
            if column in there:
                raise RecipeError(
                    f"{step.kind} adds the column '{column}', which is there already; keep one of the two"
                )
            there.add(column)


def _check_readers(recipe: Recipe) -> None:
    readers = ["auto", *reader_revisions()]
    for n, source in enumerate(recipe.sources):
        if source.reader not in readers:
            message = f"source '{source.id}': " + unknown_name("reader", source.reader, readers)
            raise RecipeError(message, ("sources", n, "reader"))
