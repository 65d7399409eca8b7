"""`yuliao what-if`: what each rule removes and what other thresholds would keep, on the terminal and as a page."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flows.commands import readable_workspace, show_result
from flows.show import named, pad, short
from flows.words import count, say
from pipeline.preset import preset_names
from pipeline.whatif.study import Amount, ChangeStudy, RuleStudy, Study
from schemas.errors import RecipeError

PAGE = "what-if.html"
BAR = 12
LINES = 15  # of a curve
EXCERPT = 56


def what_if_command(args: Any) -> int:
    """Show what rules do to what was measured, and what the changed ones would; write the page, and the recipe."""
    from pipeline.report.what_if import render
    from pipeline.select import check_columns
    from pipeline.storage import write_bytes
    from pipeline.whatif.changes import changed, line_of
    from pipeline.whatif.study import study

    place, changes = _place(args), _changes(args)
    columns = place.columns()
    after = changed(place.rules, changes, list(columns))
    wanted = [rule for rule in after if rule is not None]
    check_columns([rule for rule in wanted if rule not in place.rules], columns, place.sources())
    before = [*place.rules, *(None for _ in after[len(place.rules) :])]
    lines = [
        (line_of(old) if old else "", line_of(new) if new else "")
        for old, new in zip(before, after, strict=True)
        if old != new
    ]
    measured = place.load([rule.column for rule in (*place.rules, *wanted)])
    found = study(place.name, measured, place.rules, wanted if changes else None, lines, place.notes)
    if args.rule:
        _shown(found, args.rule)
    page = Path(args.out or place.folder) / PAGE
    write_bytes(page, render(found).encode("utf-8"))
    written = _write(args, place, after) if args.write else None
    value = {**found.as_dict(), "page": str(page), "written": written}
    return show_result(args, value, _lines(found, args, page, written))


def _place(args: Any) -> Any:
    """Where what was measured lies; with `--on` it is measured first."""
    from pipeline.explain import plan_of
    from pipeline.whatif import measured

    subject = Path(args.subject)
    if args.on:
        from flows.tools import measure

        args.inputs, args.texts, args.out = args.on, True, args.out or "what-if"
        args.recipe = args.recipe or args.subject
        measure(args, plan_of(args.subject))
        rules = plan_of(args.recipe).rules
        return measured.of_folder(Path(args.out), rules).ruled_by(Path(args.recipe), rules)
    if args.subject in preset_names() and not subject.exists():
        raise RecipeError("'{name}' is a preset: name the files to try it on with --on", name=args.subject)
    if subject.is_dir():
        place = measured.of_folder(subject, plan_of(args.recipe).rules if args.recipe else None)
    elif subject.is_file() or subject.suffix in (".yaml", ".yml"):
        place = measured.of_recipe(subject, readable_workspace(args, args.subject))
    else:
        place = measured.of_run(args.subject, readable_workspace(args))
    return place.ruled_by(Path(args.recipe), plan_of(args.recipe).rules) if args.recipe else place


def _changes(args: Any) -> list[Any]:
    from pipeline.whatif.changes import Change

    texts = list(args.set)
    for bound in ("min", "max"):
        if (value := getattr(args, bound)) is not None:
            if not args.rule:
                raise RecipeError("--{bound} is of the rule that --rule names", bound=bound)
            texts.append(f"{args.rule}.{bound}={value}")
    return [Change.of(text) for text in texts]


def _write(args: Any, place: Any, after: Sequence[Any]) -> str:
    """Write the changed recipe. Raises RecipeError where there is none to change, or another file is in the way."""
    from pipeline.recipes import read_recipe
    from pipeline.storage import write_bytes
    from pipeline.whatif.changes import rewritten

    target, source = Path(args.write), place.recipe
    if source is None or not source.is_file():
        raise RecipeError("--write changes a recipe: name it with --recipe, or give it instead of a run or folder")
    if target.resolve().parent != source.resolve().parent:
        raise RecipeError(
            "{path}: paths in a recipe are relative to its folder; write it into {folder}",
            path=target,
            folder=source.parent,
        )
    if target.exists():
        raise RecipeError("{path} exists already; choose another name", path=target)
    write_bytes(target, rewritten(read_recipe(source), place.rules, after).encode("utf-8"))
    return str(target)


def _shown(found: Study, name: str) -> list[RuleStudy]:
    """The rules of a name, or on a column. Raises RecipeError with the known ones where there is none."""
    rules = [rule for rule in found.rules if name in (rule.reason, rule.column)]
    if not rules:
        known = ", ".join(sorted({rule.reason for rule in found.rules}))
        raise RecipeError("no rule has the name or column '{name}'; rules are: {known}", name=name, known=known)
    return rules


def _lines(found: Study, args: Any, page: Path, written: str | None) -> Iterator[str]:
    lang = args.lang
    yield say(
        "whatif.head",
        lang,
        name=found.name,
        documents=_documents(found.read, lang),
        characters=_length(found.read, lang),
    )
    passed, kept = (
        f"{a.documents:,} ({_percent(a.documents, found.read.documents)})" for a in (found.passed, found.kept)
    )
    yield say("whatif.kept", lang, passed=passed, kept=kept)
    for note in found.notes:
        yield "  " + say(f"whatif.note.{note}", lang)
    if found.change is not None:
        yield from _change_lines(found.change, found, lang)
    if args.rule:
        for rule in _shown(found, args.rule):
            yield from _rule_lines(rule, found.read, lang)
    else:
        yield from _overview_lines(found, lang)
    if found.change is not None:
        yield say("whatif.lines", lang)
        for before, after in found.change.lines:
            yield from (f"  {mark} {line}" for mark, line in (("-", before), ("+", after)) if line)
    if written:
        yield say("whatif.written", lang, path=written)
    yield say("whatif.page", lang, path=page)


def _overview_lines(found: Study, lang: str) -> Iterator[str]:
    """A line a rule."""
    if not found.rules:
        return
    head = [say(f"whatif.{key}", lang) for key in ("rule", "test", "alone", "first", "beyond", "with")]
    yield _row(head[0], head[1], head[2], "", head[3], head[4], head[5])
    top = max(1, *(rule.alone.documents for rule in found.rules))
    for number, rule in enumerate(found.rules):
        if not rule.measured:
            yield _row(rule.reason, _test(rule), "–", "", "–", "–", say("whatif.absent", lang))
            continue
        alone, beyond = rule.alone.documents, rule.beyond.documents
        others = [(both, n) for n, both in enumerate(rule.with_others) if n != number and both]
        both, other = max(others, key=lambda pair: (pair[0], -pair[1]), default=(0, 0))
        most = f"{found.rules[other].reason} {_percent(both, alone)}" if both else ""
        if rule.unmeasured:
            most = f"{most} {say('whatif.unmeasured', lang, n=f'{rule.unmeasured:,}')}".strip()
        share = f"{alone:,} {_percent(alone, found.read.documents):>6}"
        yield _row(
            rule.reason, _test(rule), share, _bar(beyond, alone, top), f"{rule.first.documents:,}", f"{beyond:,}", most
        )
    yield say("whatif.key", lang)


def _row(rule: str, test: str, alone: str, bar: str, first: str, beyond: str, most: str) -> str:
    left = f"  {pad(rule, 20)} {pad(test, 32)} {' ' * max(0, 17 - _wide(alone))}{alone} {pad(bar, BAR)}"
    return f"{left} {' ' * max(0, 9 - _wide(first))}{first} {' ' * max(0, 9 - _wide(beyond))}{beyond}  {most}".rstrip()


def _wide(text: str) -> int:
    return len(pad(text, 0)) + sum(ord(char) > 0x2E7F for char in text)


def _bar(dark: int, whole: int, top: int) -> str:
    """A bar of what a rule removes to the scale of the widest; what only it removes is dark. Never empty for a few."""
    full = -(-whole * BAR // top)
    solid = min(full, round(dark * BAR / top) or bool(dark))
    return "█" * solid + "░" * (full - solid)


def _test(rule: RuleStudy) -> str:
    if rule.threshold is not None:
        return f"{rule.column} {'>=' if rule.side == 'low' else '<='} {short(rule.threshold)}"
    if rule.words in (["true"], ["false"]):
        return f"{rule.column} is {rule.words[0]}"
    return f"{rule.column} {'in' if rule.allows else 'not in'} {', '.join(rule.words)}"


def _rule_lines(rule: RuleStudy, read: Amount, lang: str) -> Iterator[str]:
    """A rule with its curve and the documents nearest to its threshold."""
    yield f"{named(rule.reason, lang)}: {_test(rule)}" + ("" if rule.measured else f"  ({say('whatif.absent', lang)})")
    for key, amount in (("alone", rule.alone), ("first", rule.first), ("beyond", rule.beyond)):
        share = _percent(amount.documents, read.documents)
        yield f"  {pad(say(f'whatif.{key}', lang), 10)} {amount.documents:>12,} {share:>7}  {_length(amount, lang)}"
    if rule.curve is not None:
        yield f"  {pad(say('whatif.threshold', lang), 12)} {say('whatif.passed', lang)}"
        line = rule.curve
        for place in _places(len(line.thresholds), line.at):
            mark = (
                say("whatif.now", lang)
                if place == line.at[0]
                else say("whatif.was", lang)
                if place == line.at[1]
                else ""
            )
            documents = line.documents[place]
            letters = "" if line.characters is None else f"  {count(line.characters[place], 'characters', lang)}"
            bar = "█" * round(2 * BAR * documents / max(1, read.documents))
            share = _percent(documents, read.documents)
            point = f"{short(line.thresholds[place]):>12} {documents:>12,} {share:>7}"
            yield f"  {point} {pad(bar, 2 * BAR)}{letters}  {mark}".rstrip()
    for key, samples in (("in", rule.kept), ("out", rule.removed)):
        if samples:
            yield f"  {say(f'whatif.{key}', lang)}"
            yield from (_sample_line(sample) for sample in samples)


def _places(points: int, at: tuple[int, int | None]) -> list[int]:
    """Some points of a curve: the thresholds in force, and others spread evenly."""
    step = max(1, -(-points // LINES))
    return sorted({*range(0, points, step), *(place for place in at if place is not None)})


def _sample_line(sample: Any) -> str:
    text = " ".join(sample.excerpt.split())
    text = text if len(text) <= EXCERPT else text[:EXCERPT] + "…"
    return f"    {short(sample.value):>10}  {sample.place or sample.id}  {text}"


def _change_lines(change: ChangeStudy, found: Study, lang: str) -> Iterator[str]:
    back, gone = (sum(getattr(source, side).documents for source in change.sources) for side in ("back", "gone"))
    before = sum(source.before.documents for source in change.sources)
    kept = f"{before:,} -> {found.kept.documents:,} ({_percent(found.kept.documents, found.read.documents)})"
    yield say(
        "whatif.change", lang, back=count(back, "documents", lang), gone=count(gone, "documents", lang), kept=kept
    )
    if change.copies:
        yield "  " + say("whatif.copies", lang, documents=count(change.copies, "documents", lang))
    head = [say(f"whatif.{key}", lang) for key in ("before", "back", "gone", "after")]
    yield f"  {'':<20}" + "".join(f" {' ' * max(0, 11 - _wide(word))}{word}" for word in head)
    for source in change.sources:
        cells = f"{source.before.documents:>12,}{'+' + format(source.back.documents, ','):>12}"
        cells += f"{'-' + format(source.gone.documents, ','):>12}{source.after.documents:>12,}"
        yield f"  {pad(source.source, 20)}{cells}  {_percent(source.after.documents, source.read.documents):>6}"


def _documents(amount: Amount, lang: str) -> str:
    return count(amount.documents, "documents", lang)


def _length(amount: Amount, lang: str) -> str:
    return say("whatif.absent", lang) if amount.characters is None else count(amount.characters, "characters", lang)


def _percent(part: int, whole: int) -> str:
    from pipeline.report.markup import percent

    return percent(part, whole)
