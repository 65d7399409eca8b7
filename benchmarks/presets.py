"""What each preset keeps of every kind of text in the quality set, and of lines by language.

    python benchmarks/presets.py SHARED > benchmarks/presets.md

SHARED is the folder of the evaluation sets. A document is measured with the steps of each preset, and its rules decide;
copies are not looked for. Lines are those of 200 characters and more, which a preset can judge. Figures are shares of
documents kept, in percent; thresholds were argued from the nature of the text and not from these figures.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from pipeline.preset import preset, preset_names
from pipeline.select import checks_of, select
from pipeline.step import apply, build
from schemas.recipe import Rule

BATCH = 500
MIN_LINE = 200
# The kinds that a preset is made for.
OWN = {
    "zh-books": {"literature", "textbook", "article"},
    "zh-law": {"law", "law-hant"},
    "zh-dialogue": {"dialogue", "qa"},
    "zh-classical": {"classical", "poetry", "lzh"},
    "zh-code-mixed": {"docs", "textbook", "mixed-zh-en"},
}


def rows_of(path: Path) -> list[dict[str, Any]]:
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def measured(name: str, texts: list[str], seen: dict[str, pa.Table]) -> pa.Table:
    """The signals of texts by a preset's steps; presets with the same steps share them."""
    specs = preset(name)["steps"]
    key = json.dumps(specs, sort_keys=True)
    if key not in seen:
        steps = [build(spec) for spec in specs]
        batches = [pa.record_batch({"text": texts[start : start + BATCH]}) for start in range(0, len(texts), BATCH)]
        seen[key] = pa.Table.from_batches([apply(steps, batch) for batch in batches])
    return seen[key]


def shares(kept: Mapping[str, list[bool]]) -> dict[str, float]:
    return {kind: 100 * sum(found) / len(found) for kind, found in kept.items()}


def retention(groups: list[str], texts: list[str]) -> dict[str, dict[str, float]]:
    """For each preset the share kept of every group."""
    seen: dict[str, pa.Table] = {}
    found = {}
    for name in preset_names():
        rules = [Rule.model_validate(rule) for rule in preset(name)["select"]]
        kept = select(measured(name, texts, seen), checks_of(rules)).kept
        by_group: dict[str, list[bool]] = defaultdict(list)
        for group, stays in zip(groups, kept.tolist(), strict=True):
            by_group[group].append(stays)
        found[name] = shares(by_group)
    return found


def table(title: str, found: dict[str, dict[str, float]], counts: Mapping[str, int], label: str) -> Iterator[str]:
    yield f"\n{title}\n\n| {label} | documents | " + " | ".join(found) + " |"
    yield "| --- | ---: |" + " ---: |" * len(found)
    for group in sorted(counts):
        cells = []
        for name, kept in found.items():
            mark = "**" if group in OWN.get(name, ()) else ""
            cells.append(f"{mark}{kept[group]:.1f}{mark}")
        yield f"| {group} | {counts[group]:,} | " + " | ".join(cells) + " |"


def main() -> None:
    shared = Path(sys.argv[1])
    rows = rows_of(shared / "data/quality/docs.jsonl.zst")
    print("Documents that each preset keeps, in percent. Bold: the kinds it is made for.")
    for label in ("good", "bad"):
        mine = [row for row in rows if row["label"] == label]
        kinds = [row["kind"] for row in mine]
        found = retention(kinds, [row["text"] for row in mine])
        print(*table(f"Kinds labelled {label}:", found, {k: kinds.count(k) for k in set(kinds)}, "kind"), sep="\n")
    lines = [row for row in rows_of(shared / "data/langid/lines.jsonl.zst") if len(row["text"]) >= MIN_LINE]
    langs = [row["lang"] for row in lines]
    found = retention(langs, [row["text"] for row in lines])
    title = f"Lines of {MIN_LINE} characters and more:"
    print(*table(title, found, {lang: langs.count(lang) for lang in set(langs)}, "language"), sep="\n")


if __name__ == "__main__":
    main()
