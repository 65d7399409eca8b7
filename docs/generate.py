"""Writes the reference tables in docs/ from the code: the recipe's fields, the steps, the presets, the command line.

Each stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; what is around them is written by hand. What the code
does not know, Chinese above all, is in `meanings.yaml`. Without arguments the files are rewritten; tests/test_docs.py
fails when that would change one. The text of `--help` is not pasted, because its layout differs between Pythons.
"""

import argparse
import inspect
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from flows.verbs import build_parser
from pipeline.preset import preset, preset_names
from pipeline.readers.reader import Reader
from pipeline.step import Cleaner, Signal, Step, of_role
from schemas.recipe import Dedup, MatchForm, Overlap, Passages, Publish, Recipe, Rule
from schemas.source import LICENSE_TERMS, Fields, Hub, Limits, Source, Sql
from schemas.store import Store

HERE = Path(__file__).parent
MODELS: tuple[type[BaseModel], ...] = (
    *(Recipe, Source, Store, Fields, Hub, Sql, Limits, Rule, Dedup, MatchForm, Overlap, Passages, Publish),
)
# Annotations that read better by name than by their parts.
NAMED = {"parse_size": "size", "_share": "share", "_license": "licence"}
COMPARISONS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}


def meanings() -> dict[str, Any]:
    """Return what is written by hand about fields, steps and columns."""
    return dict(yaml.safe_load((HERE / "meanings.yaml").read_text("utf-8")))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def type_name(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Return an annotation in words a writer of YAML knows, e.g. `list of text`."""
    for part in metadata:
        if isinstance(part, BeforeValidator | AfterValidator) and getattr(part.func, "__name__", "") in NAMED:
            return NAMED[part.func.__name__]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(inner[0], inner[1:])
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(part) for part in inner if part is not type(None))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (list, tuple):
        return f"list of {type_name(inner[0])}"
    if origin is dict:
        return "mapping" if inner[1] is Any else f"mapping to {type_name(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__
    return {str: "text", int: "integer", float: "number", bool: "true, false"}[annotation]


def field_type(field: FieldInfo) -> str:
    """Return the type of a field with its bounds."""
    name = type_name(field.annotation, field.metadata)
    bounds = [f"{sign} {getattr(m, attribute)}" for m in field.metadata if type(m) in COMPARISONS
              for sign, attribute in (COMPARISONS[type(m)],)] if name in ("integer", "number") else []  # fmt: skip
    bounds += ["not empty" for m in field.metadata if isinstance(m, MinLen)]
    return ", ".join([name, *bounds])


def default(field: FieldInfo) -> str:
    """Return the default as YAML flow text, or that there is none."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required · 必填"
    if value is None:
        return "–"
    if isinstance(value, BaseModel):
        return "its defaults · 各默认值"
    text = yaml.safe_dump(list(value) if isinstance(value, tuple) else value, default_flow_style=True, width=1000)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def recipe_reference() -> str:
    """Return a table of fields for each part of the recipe."""
    known: dict[str, Any] = meanings()["recipe"]
    parts: list[str] = []
    for model in MODELS:
        rows = []
        own = sorted(model.model_fields.items(), key=lambda item: item[0] not in model.__annotations__)
        for name, field in own:
            key = field.alias or name
            meaning = known[model.__name__][key]
            rows.append([f"`{key}`", field_type(field), default(field), meaning["en"], meaning["zh"]])
        head = ["field · 字段", "type · 类型", "default · 默认", "meaning", "含义"]
        summary = (inspect.getdoc(model) or "").split("\n\n")[0].replace("\n", " ")
        parts += [f"### {model.__name__}", summary, table(head, rows)]
    return "\n\n".join(parts)


def license_reference() -> str:
    """Return the terms a licence may be besides an SPDX expression."""
    known = meanings()["licenses"]
    return table(["term · 用语", "meaning", "含义"], ([f"`{t}`", en, known[t]] for t, en in LICENSE_TERMS.items()))


def step_reference(role: type[Step]) -> str:
    """Return a chapter for each step of a role: what it does, parameters, columns."""
    known, parts = meanings(), []
    for kind, cls in of_role(role).items():
        parts += [f"### `{kind}`", f"Revision {cls.revision}. {known['steps'].get(kind, '')}".strip()]
        parts.append(inspect.cleandoc(cls.__doc__ or ""))
        if fields := cls.model_fields:
            rows = [[f"`{n}`", field_type(f), default(f), f.description or "–"] for n, f in fields.items()]
            parts.append(table(["parameter · 参数", "type · 类型", "default · 默认", "meaning · 含义"], rows))
        if adds := cls().adds:
            rows = [[f"`{n}`", f"{dtype}", known["columns"].get(n, "–")] for n, dtype in adds.items()]
            parts.append(table(["column added · 新增列", "type · 类型", "含义"], rows))
    return "\n\n".join(parts)


def step_index() -> str:
    """Return one line for each cleaner and signal."""
    rows = [
        [f"[`{kind}`](#{kind})", "cleaner · 清洗" if issubclass(cls, Cleaner) else "signal · 度量", str(cls.revision),
         ", ".join(f"`{name}`" for name in cls.model_fields) or "–", str(len(cls().adds))]
        for role in (Cleaner, Signal) for kind, cls in of_role(role).items()
    ]  # fmt: skip
    return table(["kind · 名称", "role · 角色", "revision · 修订", "parameters · 参数", "columns · 列数"], rows)


def reader_reference() -> str:
    """Return what each reader reads."""
    known = meanings()["steps"]
    rows = [
        [f"`{kind}`", ", ".join(f"`{name}`" for name in cls.formats), str(cls.revision), (cls.__doc__ or "").strip(),
         known.get(kind, "–")]
        for kind, cls in of_role(Reader).items()
    ]  # fmt: skip
    return table(["reader · 读取器", "formats · 格式", "revision · 修订", "reads", "读取"], rows)


def preset_reference() -> str:
    """Return the steps and rules of every preset."""
    parts = []
    for name in preset_names():
        found = preset(name)
        steps = ", ".join(f"[`{step['kind']}`](#{step['kind']})" for step in found["steps"])
        rules = [Rule.model_validate(rule) for rule in found["select"]]
        rows = [[f"`{rule.column}`", _test(rule), f"`{rule.name}`"] for rule in rules]
        more = f" Built on `{found['extends']}`. / 基于 `{found['extends']}`。" if "extends" in found else ""
        parts += [f"### `{name}`", f"{found['description']}.{more}", f"Steps · 步骤: {steps}"]
        parts.append(
            table(["column · 列", "a document stays when · 保留条件", "else its reason is · 否则原因为"], rows)
        )
    return "\n\n".join(parts)


def _test(rule: Rule) -> str:
    bounds = [f"{sign} {bound:g}" for sign, bound in (("≥", rule.min), ("≤", rule.max)) if bound is not None]
    words = [
        f"{what} {', '.join(values)}" for what, values in (("in", rule.one_of), ("not in", rule.none_of)) if values
    ]
    return "; ".join([*bounds, *words, *([f"is {rule.equals}"] if rule.equals is not None else [])])


def cli_reference() -> str:
    """Return a chapter for each verb, in English with Chinese beside it."""
    english, chinese = (_verbs(build_parser(language)) for language in ("en", "zh"))
    known, parts = meanings()["arguments"], []
    for name, verb in english.items():
        other = {action.dest: action for action in chinese[name]._actions}
        actions = [action for action in verb._actions if action.dest not in ("help", "lang")]
        usage = " ".join(["yuliao", name, *map(_usage, actions)])
        example = (verb.epilog or "").split("\n", 1)[-1].strip()
        parts += [f"### `yuliao {name}`", f"{verb.description} · {chinese[name].description}"]
        parts.append(f"```text\n{usage}\n```")
        rows = []
        for action in actions:
            meaning = known.get(action.metavar, {"en": "–", "zh": "–"})
            rows.append([f"`{_label(action)}`", action.help or meaning["en"], other[action.dest].help or meaning["zh"]])
        parts += [table(["argument · 参数", "meaning", "含义"], rows), f"Example · 示例: `{example}`"]
    return "\n\n".join(parts)


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next(dict(a.choices) for a in parser._actions if isinstance(a, argparse._SubParsersAction))


def _label(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else str(action.metavar or "{" + ",".join(map(str, action.choices or ())) + "}")
    return " ".join([*[", ".join(action.option_strings)][: len(action.option_strings)], value]).strip()


def _usage(action: argparse.Action) -> str:
    label = _label(action).replace(", ", "|")
    if action.option_strings:
        return label if action.required else f"[{label}]"
    return {"?": f"[{label}]", "+": f"{label}..."}.get(str(action.nargs), label)


BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "recipe.md": {"recipe": recipe_reference, "licenses": license_reference},
    "steps.md": {
        "index": step_index,
        "cleaners": lambda: step_reference(Cleaner),
        "signals": lambda: step_reference(Signal),
        "presets": preset_reference,
        "readers": reader_reference,
    },
    "cli.md": {"cli": cli_reference},
}


def generated(name: str) -> str:
    """Return a file of docs/ as it ought to be: hand-written text with fresh tables."""
    text = (HERE / name).read_text("utf-8")
    for block, render in BLOCKS[name].items():
        begin, end = f"<!-- begin {block} -->\n", f"<!-- end {block} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"docs/{name}: the block '{block}' has lost its begin or end line")
        text = f"{before}{begin}\n{render()}\n\n{end}{after}"
    return text


def main() -> None:
    """Rewrite every file that has tables."""
    for name in BLOCKS:
        (HERE / name).write_text(generated(name), encoding="utf-8")


if __name__ == "__main__":
    main()
