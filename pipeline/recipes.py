"""Recipe files: YAML in, a checked recipe out, with file, line and remedy of everything that is wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from schemas.errors import RecipeError, unknown_name
from schemas.recipe import Recipe
from schemas.store import REMEDY, redacted, secret_in

_CHARACTERS = "letters a-z, digits, '.', '_' and '-'"
# Names that a pattern of the recipe refuses, in words.
_ALLOWED = {
    "dataset": f"write NAME or ORG/NAME, each of up to 96 {_CHARACTERS.replace('a-z', 'A-Z and a-z')}, "
    "beginning with a letter or digit",
    "id": f"write up to 64 lower-case {_CHARACTERS}, beginning with a letter or digit",
}


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe file. Raises RecipeError naming file, line, field, and the known fields."""
    return parse_recipe(read_recipe(path), str(path), path.resolve().parent)


def read_recipe(path: Path) -> str:
    """Return the text of a recipe file. Raises RecipeError saying what to give or do instead."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise RecipeError("{path}: no such file; `yuliao init DIR` makes a recipe to start from", path=path) from None
    except IsADirectoryError:
        inside = path / "recipe.yaml"
        hint = f"give the recipe in it: {inside}" if inside.is_file() else "give a recipe file; `yuliao init` makes one"
        raise RecipeError(f"{path}: a folder; {hint}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: no UTF-8 text from byte {error.start} on; save the recipe as UTF-8") from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}); check that it is there and readable") from None


def parse_recipe(text: str, name: str = "recipe", base: Path | None = None) -> Recipe:
    """Check a recipe's YAML; `name` stands before every message; `base`: the folder of its register.

    Raises RecipeError with all problems, one a line.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
        refuse_repeated(node, name)
        refuse_secrets(node, name)
    except yaml.YAMLError as error:
        raise RecipeError(f"{name}: not valid YAML: {redacted(_fault(error))}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{name}: a recipe is a mapping with at least `dataset`, `sources` and `publish`")
    from pipeline.register import with_facts

    try:
        values = with_facts(values, base or Path.cwd())
    except RecipeError as error:
        where = f"{name}, line {_line(node, error.place)}, " if error.place else ""
        raise RecipeError(f"{where}{error}") from None
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = [_problem(name, node, problem) for problem in error.errors()]
        raise RecipeError("\n".join(dict.fromkeys(problems))) from None


def _fault(error: yaml.YAMLError) -> str:
    """What is wrong with a YAML text, in one line, with what to do where that is known."""
    words = " ".join(str(error).split())
    mark = getattr(error, "problem_mark", None)
    if "'\\t'" in words and mark is not None:
        return f"line {mark.line + 1} holds a tab where YAML allows only spaces; put spaces in its place"
    return words


def refuse_repeated(node: Any, name: str) -> None:
    """Refuse a key that stands twice in a mapping: YAML would silently take the last."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise RecipeError(f"{name}, line {key.start_mark.line + 1}: '{key.value}' is given twice; keep one")
            seen.add(key.value)
            refuse_repeated(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            refuse_repeated(value, name)


def refuse_secrets(node: Any, name: str) -> None:
    """Refuse an address anywhere that holds a password or key, without saying it."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            refuse_secrets(key, name)
            refuse_secrets(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            refuse_secrets(value, name)
    elif isinstance(node, yaml.ScalarNode) and (secret := secret_in(node.value)):
        raise RecipeError(f"{name}, line {node.start_mark.line + 1}: an address holds {secret}; {REMEDY}")


def _problem(name: str, node: Any, problem: Mapping[str, Any]) -> str:
    place = [part for part in problem["loc"] if not (isinstance(part, str) and part in ("str", "list[str]"))]
    line = _line(node, place)
    field = ".".join(str(part) for part in place)
    if problem["type"] == "extra_forbidden":
        message = unknown_name("field", str(place[-1]), _known_fields(place[:-1]))
    elif problem["type"] == "missing":
        message = f"the field '{place[-1]}' is required"
    elif problem["type"] == "string_pattern_mismatch" and place[-1] in _ALLOWED:
        message = f"{_short(problem['input'])} is not allowed: {_ALLOWED[place[-1]]}"
    else:
        message = problem["msg"].removeprefix("Value error, ")
        if not isinstance(problem["input"], dict | list) and problem["type"] != "secret":
            message += f" (got {_short(problem['input'])})"
    return f"{name}, line {line}, {field}: {message}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def line_in(text: str, place: Sequence[Any]) -> int:
    """Return the line, from 1, of the deepest part of a place that the YAML of a recipe holds."""
    return _line(yaml.compose(text, Loader=yaml.SafeLoader), place)


def _line(node: Any, place: Sequence[Any]) -> int:
    line: int = node.start_mark.line + 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _known_fields(place: Sequence[Any]) -> list[str]:
    """The fields a mapping at a place of the recipe may have."""
    model: Any = Recipe
    for part in place:
        if isinstance(part, int):
            continue
        model = _model_in(model.model_fields[part].annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    """The pydantic model inside an annotation such as `list[Source]` or `Hub | None`."""
    if hasattr(annotation, "model_fields"):
        return annotation
    found = [_model_in(inner) for inner in getattr(annotation, "__args__", ())]
    return next((model for model in found if model is not None), None)
