"""Results as lines for people, in English or Chinese; `--json` shows the same values whole.

Codes that other commands and files use (rules, steps, columns) stay as they are, in Chinese with their name beside.
"""

from collections.abc import Iterator
from typing import Any
from unicodedata import east_asian_width

from flows.words import count, label, say
from pipeline.select import test_of


def pad(text: str, width: int) -> str:
    """The text with spaces up to a width on the screen, where a Chinese character takes two."""
    taken = sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
    return text + " " * max(0, width - taken)


def short(value: Any) -> str:
    """A value as people read it: four digits of a number that has more."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.4g}"
    return str(value)


def named(code: str, lang: str) -> str:
    """A reason as people read it: in Chinese with its name before."""
    from pipeline.report.markup import reason_name

    name = reason_name(code)[0]
    return code if lang == "en" or name == code else f"{name} {code}"


def plan_lines(plan: Any, value: dict[str, Any], lang: str) -> Iterator[str]:
    """A recipe's sources, steps and rules with their tests, and what a run of it takes."""
    yield say("plan.head", lang, dataset=value["dataset"], fingerprint=value["fingerprint"][:16])
    yield say("plan.sources", lang)
    for s in value["sources"]:
        yield f"  {s['id']:<20} {count(s['files'], 'files', lang):>14}  {s['license']}"
        for name, value in s["facts"].items():
            yield f"    {name}: {value}"
    yield say("plan.steps", lang)
    for step in value["steps"]:
        yield f"  {step['kind']:<20} " + say("plan.adds", lang, columns=", ".join(step["adds"]) or "-")
    yield say("plan.rules", lang)
    for check in plan.checks:
        only = say("plan.only", lang, sources=", ".join(check.rule.sources)) if check.rule.sources else ""
        yield f"  {pad(named(check.reason, lang), 36)} {test_of(check)} {only}".rstrip()
    yield say(
        "plan.size",
        lang,
        files=count(value["files"], "files", lang),
        megabytes=f"{value['bytes'] / 1e6:.1f}",
        shards=count(value["shards"], "shards", lang),
        needed=f"{value['disk_needed'] / 1e6:.0f}",
        free=f"{value['disk_free'] / 1e6:.0f}",
    )


def run_lines(summary: dict[str, Any], lang: str) -> Iterator[str]:
    """What a run read, removed and published, or would publish; `wall_seconds` is what it took."""
    name = f"{summary['dataset']}@{summary['version']}" if summary.get("version") else summary["dataset"]
    if summary.get("nothing_to_do"):
        yield say("run.nothing", lang, what=summary.get("sampled") or name)
        return
    seconds = f"{summary['wall_seconds']:.1f}"
    if summary.get("unchanged"):
        yield say("run.unchanged", lang, name=name, seconds=seconds)
    else:
        counts = {key: count(summary[key], "documents", lang) for key in ("read", "published")}
        if lang == "en":
            counts["published"] = str(summary["published"])
        yield say("run.done" if summary["version"] else "run.sample", lang, name=name, seconds=seconds, **counts)
        for source, row in summary["sources"].items():
            yield _row(source, say("row.read", lang), row["read"])
            for reason, documents in row["removed"].items():
                yield _row(source, say("row.removed", lang, reason=named(reason, lang)), documents)
            yield _row(source, say("row.published" if summary["version"] else "row.would", lang), row["published"])
    outcomes: dict[str, int] = summary.get("files", {})
    if set(outcomes) - {"ok"}:
        listed = ", ".join(f"{number} {label(outcome, lang)}" for outcome, number in outcomes.items())
        yield say("run.files", lang, counts=listed)
    if changes := summary.get("changes"):
        listed = ", ".join(f"{number} {label(change, lang)}" for change, number in changes.items())
        yield say("run.changes", lang, counts=listed)
    for key in ("folder", "report", "ledger"):
        if summary.get(key):
            yield f"{label(key, lang)}: {summary[key]}"
    for source, path in summary.get("passages", {}).items():
        yield f"{label('passages', lang)} ({source}): {path}"


def _row(source: str, what: str, documents: int) -> str:
    return f"  {source:<20} {pad(what, 40)} {documents:>10}"


def list_lines(rows: list[dict[str, Any]], lang: str) -> Iterator[str]:
    """One line a version."""
    for r in rows:
        documents, characters = count(r["documents"], "documents", lang), count(r["characters"], "characters", lang)
        name = f"{r['dataset']}@{r['version']:<10}"
        yield f"{name} {documents:>20} {characters:>25}  {r['published_at']}  {r['sha256'][:12]}"
    if not rows:
        yield say("list.none", lang)


def version_lines(version: Any, lang: str) -> Iterator[str]:
    """What a version holds and how it was built."""
    manifest = version.manifest
    counts, previous = manifest.counts, manifest.previous
    yield f"{manifest.dataset}@{manifest.version}  sha256 {version.sha256}"
    yield say(
        "show.size",
        lang,
        previous=say("show.follows", lang, version=previous.version) if previous else say("show.first", lang),
        **{what: count(getattr(counts, what), what, lang) for what in ("documents", "characters", "shards")},
    )
    yield say("show.run", lang, **{what: getattr(counts, what) for what in ("read", "added", "removed", "changed")})
    for s in manifest.sources:
        yield f"  {s.id:<20} {s.license:<16} " + say("show.published", lang, n=f"{s.published:>10}")
    for entry in manifest.removed:
        yield (
            "  " + pad(say("show.removed", lang, reason=named(entry["reason"], lang)), 40) + f" {entry['count']:>10}"
        )
    yield str(version.folder)


def verify_lines(version: Any, found: Any, lang: str) -> Iterator[str]:
    """What a verification found, but for the faults, which are errors."""
    if found.notes:
        from pipeline.publish.version import environment

        here = {k: v for k, v in environment().items() if version.manifest.environment.get(k) != v}
        made = {name: version.manifest.environment.get(name, "-") for name in here}
        places = {"made": made, "here": here}
        yield say("verify.elsewhere", lang, **{k: ", ".join(map(" ".join, v.items())) for k, v in places.items()})
    if not found.faults:
        shards, documents = count(found.shards, "shards", lang), count(found.documents, "documents", lang)
        yield say("verify.ok", lang, shards=shards, documents=documents)
