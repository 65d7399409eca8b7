"""What became of one document, as lines for people: reason, every rule, what was cleaned, its copies, every signal."""

from collections.abc import Iterator
from typing import Any

from flows.show import named, pad, short
from flows.words import count, label, say

_VERDICT = (
    "run",
    "version",
    "outcome",
    "reason",
    "stage",
    "rule",
    "value",
    "threshold",
    "detail",
    "survivor_id",
    "survivor_uri",
    "jaccard",
)
# Signals in a line, and characters of a value or a line of text.
ROW, VALUE, LINE = 3, 10, 60


def verdict_lines(verdict: dict[str, Any], lang: str) -> Iterator[str]:
    """Why a document is in or out, or why a file or record is no document."""
    place = verdict["uri"] if verdict["record"] is None else f"{verdict['uri']}#{verdict['record']}"
    head = [say(f"explain.{verdict['decision']}", lang), verdict["id"], verdict["source"], place]
    yield "  ".join(part for part in head if part)
    for name in _VERDICT:
        value = verdict.get(name)
        if name == "version" and verdict.get("mode") in ("sample", "unchanged"):
            value = say(f"explain.{verdict['mode']}", lang, dataset=verdict["dataset"])
        if value is None:
            continue
        words = {"stage": label, "outcome": label, "rule": named}.get(name)
        yield f"  {label(name, lang)}: {words(value, lang) if words else short(value)}"
    yield from _test_lines(verdict.get("tests", []), lang)
    if verdict.get("cleaned"):
        yield from _cleaned_lines(verdict["cleaned"], lang)
    if verdict.get("copies"):
        yield from _copy_lines(verdict["copies"], lang)
    yield from _signal_lines(verdict.get("signals", {}), lang)


def _test_lines(tests: list[dict[str, Any]], lang: str) -> Iterator[str]:
    """A table of all rules, in their order; those that it fails are marked."""
    if tests:
        yield f"  {say('explain.tests', lang)}"
    for test in tests:
        mark = "✗" if test["verdict"] == "fail" else "✓" if test["verdict"] == "pass" else "·"
        value = "–" if test["value"] is None else _cut(short(_claim(test["value"])), VALUE)
        name = pad(named(test["reason"], lang), 32)
        yield f"    {mark} {name} {value:>{VALUE}}  {pad(test['test'], 36)} {say('explain.' + test['verdict'], lang)}"


def _cleaned_lines(cleaned: dict[str, Any], lang: str) -> Iterator[str]:
    """How cleaning changed the text, and the first lines that it changed."""
    before, after = (count(cleaned[f"characters_{when}"], "characters", lang) for when in ("before", "after"))
    yield f"  {say('explain.cleaned', lang, before=before, after=after)}"
    for name, number in cleaned["counts"].items():
        yield f"    {pad(_column(name, lang), 40)} {number:>8}"
    for line in cleaned["lines"]:
        for mark, text in (("-", line["before"]), ("+", line["after"])):
            if text is not None:
                yield f"    {mark} {_cut(text.strip(), LINE)}"
    if cleaned["line_count"] > len(cleaned["lines"]):
        yield f"    {say('explain.more', lang, n=cleaned['line_count'] - len(cleaned['lines']))}"


def _copy_lines(copies: dict[str, Any], lang: str) -> Iterator[str]:
    yield f"  {say('explain.copies', lang, documents=count(copies['count'], 'documents', lang))}"
    for copy in copies["first"]:
        where = f"{copy['source']}/{copy['uri']}#{copy['record']}"
        yield f"    {label(copy['stage'], lang)} {short(copy['jaccard'])}  {copy['id']}  {where}"
    if copies["count"] > len(copies["first"]):
        yield f"    {say('explain.more', lang, n=copies['count'] - len(copies['first']))}"


def _signal_lines(signals: dict[str, Any], lang: str) -> Iterator[str]:
    """All signals in columns; what is longer than a value goes whole to a line of its own."""
    if signals:
        yield f"  {say('explain.signals', lang)}"
    cells: list[tuple[str, str]] = []
    long: list[tuple[str, str]] = []
    for name, value in signals.items():
        shown = "–" if value is None else short(_claim(value))
        (long if len(shown) > VALUE else cells).append((name, shown))
    for start in range(0, len(cells), ROW):
        row = (f"{pad(name, 28)} {value:>{VALUE}}" for name, value in cells[start : start + ROW])
        yield f"    {'   '.join(row)}".rstrip()
    for name, value in long:
        yield f"    {name}: {value}"


def _column(name: str, lang: str) -> str:
    from pipeline.report.markup import column_name

    chinese = column_name(name)[0]
    return name if lang == "en" or chinese == name else f"{chinese} {name}"


def _claim(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
