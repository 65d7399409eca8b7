"""The dataset card of a version: README.md with the Hub's metadata header and a text in English and Chinese.

Every statement follows from the manifest and the counts passed beside it; what these do not say is called "not stated".
The prose is `data/card.template.txt`; this module fills in tables and the parts that depend on the recipe.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

import pyarrow as pa
import yaml

from pipeline.publish.hub_header import header, license_id
from schemas.manifest import Manifest, SourceRecord
from schemas.recipe import MatchForm
from schemas.source import LICENSE_TERMS

NOT_STATED = "not stated · 未说明"
PERSONAL = "personal"


def card(manifest: Manifest, *, facts: Mapping[str, Any]) -> str:
    """Return README.md of a version.

    `facts`: `languages` and `scripts` (documents by code), `length` (min, median, p90, max in characters) and
    `features` (the Arrow schema of the shards); each may be missing, and is then not stated.
    """
    head = yaml.safe_dump(header(manifest, facts), allow_unicode=True, sort_keys=False, width=1000)
    template = Template(_data("card.template.txt"))
    return f"---\n{head}---\n\n{template.substitute(_parts(manifest, facts))}"


def _parts(manifest: Manifest, facts: Mapping[str, Any]) -> dict[str, str]:
    counts, publish = manifest.counts, manifest.recipe.get("publish", {})
    english, chinese = _lineage(manifest)
    config, split = _first_split(manifest)
    return {
        "title": _inline(_titles(manifest, publish)),
        "about": _about(publish),
        "dataset": manifest.dataset,
        "version": manifest.version,
        "documents": f"{counts.documents:,}",
        "characters": f"{counts.characters:,}",
        "text_bytes": f"{counts.bytes:,}",
        "shards": f"{counts.shards:,}",
        "source_count": str(len(manifest.sources)),
        "lineage_en": english,
        "lineage_zh": chinese,
        "config": config,
        "split": split,
        "configs": _configs(manifest),
        "columns": _columns(manifest, facts.get("features")),
        "sources": _sources(manifest),
        "steps": _steps(manifest),
        "thresholds": _thresholds(manifest),
        "duplicates": _duplicates(manifest),
        "resources": _resources(manifest),
        "removed": _removed(manifest),
        "languages": _languages(facts),
        "lengths": _lengths(facts.get("length") or {}),
        "personal": _personal(manifest),
        "generated": _generated(manifest),
        "license": _license(manifest, publish),
        "contact": _contact(publish),
        "citation": _citation(manifest, publish),
        "fingerprint": manifest.fingerprint,
    }


@cache
def _data(name: str) -> str:
    return files("pipeline.publish").joinpath("data", name).read_text("utf-8")


def _inline(text: object) -> str:
    """Return text that Markdown shows as it is, on one line and inside a table cell."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", line).replace("&", "&amp;").replace("<", "&lt;")


def _code(text: object) -> str:
    """Return text as code on one line; a vertical line would end a table cell."""
    line = " ".join(str(text).split()).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of cells made by `_inline`, `_code` or numbers."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _both(english: str, chinese: str) -> str:
    return f"{english}\n\n{chinese}"


def _titles(manifest: Manifest, publish: Mapping[str, Any]) -> str:
    titles = [publish.get("title") or manifest.dataset, publish.get("title_zh")]
    return " · ".join(title for title in titles if title)


def _about(publish: Mapping[str, Any]) -> str:
    texts = [publish.get("description"), publish.get("description_zh")]
    return "\n\n".join(_inline(text) for text in texts if text) or f"Description: {NOT_STATED}."


def _lineage(manifest: Manifest) -> tuple[str, str]:
    counts, previous = manifest.counts, manifest.previous
    if previous is None:
        return "It is the first version.", "这是第一个版本。"
    return (
        f"It follows version {previous.version}: {counts.added:,} documents added, {counts.changed:,} changed, "
        f"{counts.removed:,} removed.",
        f"上一版本为 {previous.version}：新增 {counts.added:,} 篇，"
        f"变更 {counts.changed:,} 篇，移除 {counts.removed:,} 篇。",
    )


def _first_split(manifest: Manifest) -> tuple[str, str]:
    """Return the default config and its first split."""
    for config in sorted(manifest.configs, key=lambda config: not config.get("default")):
        for part in config["data_files"]:
            return config["config_name"], part["split"]
    return "default", "train"


def _configs(manifest: Manifest) -> str:
    rows = [
        [_code(config["config_name"]), ", ".join(_code(part["split"]) for part in config["data_files"])]
        for config in manifest.configs
    ]
    return _table(["Config · 子集", "Splits · 划分"], rows)


def _columns(manifest: Manifest, features: pa.Schema | None) -> str:
    known = {}
    for line in _data("columns.tsv").splitlines():
        if not line.startswith("#"):
            name, english, chinese = line.split("\t")
            known[name] = (english, chinese)
    if features is not None and len(features):
        columns = [(field.name, str(field.type)) for field in features]
    else:
        columns = [(column["name"], column["type"]) for column in manifest.columns]
    signal = ("measured by a step, see How it was built", "由步骤测得，见“如何制成”")
    rows = [[_code(name), _code(kind), *known.get(name, signal)] for name, kind in columns]
    return _table(["Column", "Type", "Meaning", "含义"], rows)


def _sources(manifest: Manifest) -> str:
    head = ["Source · 来源", "Owner · 所有者", "Licence · 许可", "Files · 文件", "Read · 读入", "Removed · 删除"]
    table = _table([*head, "Published · 发布"], [_source(source) for source in manifest.sources])
    stated = [[_code(s.id), name, _inline(value)] for s in manifest.sources for name, value in s.facts.items()]
    return f"{table}\n\n{_table(['Source · 来源', 'Stated · 声明', ''], stated)}" if stated else table


def _source(source: SourceRecord) -> list[str]:
    return [
        _code(source.id),
        _inline(source.owner) if source.owner else NOT_STATED,
        _code(source.license),
        f"{source.files:,}",
        f"{source.read:,}",
        f"{sum(source.removed.values()):,}",
        f"{source.published:,}",
    ]


def _steps(manifest: Manifest) -> str:
    rows = []
    for number, step in enumerate(manifest.steps, 1):
        params = json.dumps(step.params, ensure_ascii=False, sort_keys=True) if step.params else ""
        cells = [_code(step.kind), str(step.revision), _code(params) if params else "–"]
        rows.append([str(number), *cells, f"{step.rows_in:,}", f"{step.rows_out:,}"])
    return _table(["", "Step · 步骤", "Revision · 修订", "Parameters · 参数", "In · 入", "Out · 出"], rows)


def _thresholds(manifest: Manifest) -> str:
    rules = manifest.recipe.get("select")
    if rules is None:
        return NOT_STATED
    if not rules:
        return _both("No rule removes documents.", "没有规则删除文档。")
    head = ["Column · 列", "A document stays when · 保留条件", "Sources · 来源", "Reason · 原因"]
    return _table(head, [_threshold(rule) for rule in rules])


def _threshold(rule: Mapping[str, Any]) -> list[str]:
    words = {"in": "∈", "not_in": "∉"}
    tests = [f"{sign} {rule[key]:g}" for key, sign in (("min", "≥"), ("max", "≤")) if rule.get(key) is not None]
    tests += [f"{sign} {{{', '.join(rule[key])}}}" for key, sign in words.items() if rule.get(key) is not None]
    if rule.get("equals") is not None:
        tests.append(f"= {str(rule['equals']).lower()}")
    sources = ", ".join(map(_code, rule["sources"])) if rule.get("sources") else "all · 全部"
    reason = _code(rule["name"]) if rule.get("name") else "by column · 按列名"
    return [_code(rule["column"]), _inline(" , ".join(tests)), sources, reason]


def _duplicates(manifest: Manifest) -> str:
    dedup = manifest.recipe.get("dedup")
    if not dedup:
        return NOT_STATED
    exact = ("removed", "删除") if dedup["exact"] else ("not removed", "不删除")
    text = _both(f"Exact copies of a text are {exact[0]}.", f"完全相同的文本：{exact[1]}。")
    if not dedup["near"]:
        return text + "\n\n" + _both("Near-duplicates are not removed.", "近似重复：不删除。")
    marks = manifest.signatures
    form = f"{marks.match_form_revision}{_changed(marks.match)}"
    return f"{text}\n\n" + _both(
        f"Near-duplicates are removed when the exact Jaccard of their sets of character {marks.shingle}-grams is at "
        f"least {dedup['threshold']:g}. Candidates: MinHash `{marks.scheme}`, {marks.permutations} permutations, seed "
        f"{marks.seed}, {dedup['bands']} bands of {dedup['rows']} rows; match form revision "
        f"{form}, Unicode {marks.unicode}. Which copy stays: a published one, else by "
        f"{', '.join(map(_code, dedup['keep']))}.",
        f"两篇文本的 {marks.shingle} 字片段集合的精确 Jaccard 不低于 {dedup['threshold']:g} 时，删除其一。"
        f"候选：MinHash `{marks.scheme}`，{marks.permutations} 个置换，种子 {marks.seed}，{dedup['bands']} 段 × "
        f"{dedup['rows']} 行；归一形式修订 {form}，Unicode {marks.unicode}。"
        f"保留次序：已发布者优先，其次 {'、'.join(map(_code, dedup['keep']))}。",
    )


def _changed(match: Mapping[str, str]) -> str:
    """Return the options of a match form that are not the default ones, in parentheses."""
    usual = MatchForm().model_dump()
    changed = [_code(f"{name}: {value}") for name, value in match.items() if value != usual.get(name)]
    return f" ({', '.join(changed)})" if changed else ""


def _resources(manifest: Manifest) -> str:
    if not manifest.resources:
        return _both("No step uses a frozen resource.", "没有步骤使用固定资源。")
    rows = [[_code(item.name), _code(item.license), _code(item.hash)] for item in manifest.resources]
    return _table(["Resource · 资源", "Licence · 许可", "SHA-256"], rows)


def _removed(manifest: Manifest) -> str:
    if not manifest.removed:
        return _both("The run that made this version removed no document.", "生成本版本的运行没有删除文档。")
    total = manifest.counts.read
    ranked = sorted(manifest.removed, key=lambda item: (-item["count"], item["reason"]))
    rows = [[_code(r["reason"]), f"{r['count']:,}", f"{r['count'] / total:.2%}" if total else "–"] for r in ranked]
    rows.append(["**all · 合计**", f"**{sum(r['count'] for r in ranked):,}**", ""])
    note = f"Of {total:,} documents read by the run that made this version. · 以该次运行读入的 {total:,} 篇为准。"
    return f"{note}\n\n" + _table(["Reason · 原因", "Documents · 篇", "Of read · 占读入"], rows)


def _languages(facts: Mapping[str, Any]) -> str:
    tables = []
    for key, title in (("languages", "Language · 语言"), ("scripts", "Script · 字形")):
        counts = facts.get(key)
        if not counts:
            tables.append(f"{title}: {NOT_STATED}.")
            continue
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        rows = [[_code(code) if code else "none · 无", f"{count:,}"] for code, count in ranked]
        tables.append(_table([title, "Documents · 篇"], rows))
    return "\n\n".join(tables)


def _lengths(length: Mapping[str, int]) -> str:
    if not length:
        return f"Length · 篇幅: {NOT_STATED}."
    names = {"min": "shortest · 最短", "median": "median · 中位", "p90": "90 % · 九成", "max": "longest · 最长"}
    keys = [key for key in names if key in length]
    return _table(["Characters · 字数", *(names[key] for key in keys)], [["", *(f"{length[key]:,}" for key in keys)]])


def _personal(manifest: Manifest) -> str:
    step = next((step for step in manifest.steps if step.kind == PERSONAL), None)
    if step is None:
        return _both(
            "No step of this version masks personal data. Whether the texts hold any is not stated.",
            "本版本没有遮盖个人信息的步骤；文本是否含有个人信息，未说明。",
        )
    types = ", ".join(map(_code, step.params.get("types", []))) or NOT_STATED
    others = step.params.get("actions", {}).items()
    action = _code(step.params.get("action", "redact")) + "".join(f"; {_code(t)}: {_code(a)}" for t, a in others)
    return _both(
        f"The step {_code(PERSONAL)} looked for what its patterns and check digits recognise ({types}) and treated it "
        f"({action}): `redact` puts a placeholder, `mask` hides most digits, `pseudonymise` puts a keyed pseudonym, "
        "`flag` changes nothing. Other types, and whatever is written otherwise, are not recognised; this is no "
        "anonymisation.",
        f"步骤 {_code(PERSONAL)} 查找其模式与校验位能识别的内容（{types}），处置方式为 {action}："
        "`redact` 换成占位符，`mask` 隐去大部分数字，`pseudonymise` 换成带密钥的假名，`flag` 不改动。"
        "其他类型及以其他方式书写的信息不在识别之列；这不等于匿名化。",
    )


def _generated(manifest: Manifest) -> str:
    generated = manifest.governance.get("generated_sources") or []
    if not generated:
        return "No source is stated to be written by machines. · 没有来源声明为机器生成。"
    names = ", ".join(map(_code, generated))
    return f"Sources stated to be written by machines: {names}. · 声明为机器生成的来源：{names}。"


def _license(manifest: Manifest, publish: Mapping[str, Any]) -> str:
    name = publish.get("license")
    if not name:
        return f"Licence: {NOT_STATED}."
    meaning = f": {_inline(LICENSE_TERMS[name])}" if name in LICENSE_TERMS else ""
    kinds = sorted({source.license for source in manifest.sources})
    listed = ", ".join(map(_code, kinds))
    hub = "" if license_id(name) else " It is not among the licences that the Hub lists."
    return _both(
        f"The collection: {_code(name)}{meaning}.{hub} The texts keep the licences of their sources ({listed}), given "
        "for each document in the column `license`.",
        f"汇编：{_code(name)}。各文本沿用其来源的许可（{listed}），逐篇记于 `license` 列。",
    )


def _contact(publish: Mapping[str, Any]) -> str:
    contact = publish.get("contact")
    if not contact:
        return f"Contact: {NOT_STATED}."
    where = _inline(contact)
    return _both(
        f"To report a fault or ask for a text to be taken down: {where}. Name the document's `id` or `content_hash`.",
        f"报告问题或申请下架：{where}。请给出文档的 `id` 或 `content_hash`。",
    )


def _citation(manifest: Manifest, publish: Mapping[str, Any]) -> str:
    """BibTeX without author and year: the manifest holds neither."""
    key = re.sub(r"[^A-Za-z0-9]+", "-", f"{manifest.dataset}-{manifest.version}")
    title = re.sub(r"[{}\\`<>]", "", publish.get("title") or manifest.dataset)
    return (
        f"@misc{{{key},\n  title = {{{' '.join(title.split())}}},\n  note = {{Dataset {manifest.dataset}, "
        f"version {manifest.version}, plan fingerprint {manifest.fingerprint}}}\n}}"
    )


__all__ = ["card"]
