"""The page of `yuliao what-if`: what each rule removes and how that changes with its threshold.

In the look of the report and of its parts: one file, two languages, no network, every chart with the table behind it.
Texts shown are masked; the page still holds dropped text, so it is private.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from pipeline.report.markup import (
    categories_table,
    chart,
    column_name,
    esc,
    histogram_chart,
    number,
    percent,
    plain,
    reason_label,
    reason_name,
    sample_card,
    say,
    table,
    two,
    words,
)
from pipeline.report.page import characters, section, shell
from pipeline.report.samples import Sample
from pipeline.whatif.curve import Curve
from pipeline.whatif.study import Amount, ChangeStudy, RuleStudy, Study

NAV = ("wi_change", "wi_rules", "wi_overlap", "wi_each")
NOTES = ("no_copies", "copies_as_found", "other_steps", "no_texts")
CHART_WORDS = ("kept", "removed", "documents", "chars", "wi_now", "wi_was", "wi_threshold")


def render(study: Study) -> str:
    """Return the page of a study: the same study gives the same bytes."""
    ui = words()["ui"]
    rules = asdict(study)["rules"]
    drawn = [{"curve": _drawn(rule, study.read)} for rule in study.rules]
    payload = {
        "report": {"rules": [{**d, "histogram": rule["histogram"]} for d, rule in zip(drawn, rules, strict=True)]},
        "words": {key: ui[key] for key in CHART_WORDS},
        "reasons": {rule.reason: reason_name(rule.reason) for rule in study.rules},
    }
    nav = NAV if study.change else NAV[1:]
    body = _heading(study)
    if study.change is not None:
        body += section("wi_change", "wi_change_title", _change(study.change), say("wi_change_note"))
    body += section("wi_rules", "wi_rules_title", _overview(study), say("wi_rules_note"))
    body += section("wi_overlap", "wi_overlap_title", _overlap(study.rules), say("wi_overlap_note"))
    cards = "".join(_card(rule, number, study.read) for number, rule in enumerate(study.rules))
    body += section("wi_each", "wi_each_title", cards, say("wi_each_note"))
    return shell(f"{study.name} · what-if", nav, body, payload)


def _drawn(rule: RuleStudy, read: Amount) -> dict[str, object] | None:
    """What the chart of a curve draws: shares of all documents and characters."""
    line = rule.curve
    if line is None:
        return None
    shares = {"documents": [round(count / max(1, read.documents), 6) for count in line.documents]}
    if line.characters is not None and read.characters:
        shares["characters"] = [round(count / read.characters, 6) for count in line.characters]
    return {"thresholds": line.thresholds, "scale": line.scale, "now": line.at[0], "was": line.at[1], **shares}


def _heading(study: Study) -> str:
    tiles = [_tile("read", study.read, study.read), _tile("wi_passed", study.passed, study.read)]
    tiles.append(_tile("kept", study.kept, study.read, "published"))
    if study.change is not None:
        back = sum(source.back.documents for source in study.change.sources)
        gone = sum(source.gone.documents for source in study.change.sources)
        counts = f"+{number(back)} −{number(gone)}"
        tiles.append(f'<div class="tile"><dt>{say("wi_back_gone")}</dt><dd>{counts}<small></small></dd></div>')
    notes = "".join(f'<p class="note">{say(f"wi_note_{note}")}</p>' for note in NOTES if note in study.notes)
    return (
        f'<section class="hero"><p class="eyebrow">{say("wi_private")}</p><h1>{say("wi_title")}</h1>'
        f'<p class="which"><code>{esc(study.name)}</code></p><dl class="tiles">{"".join(tiles)}</dl>{notes}</section>'
    )


def _tile(key: str, amount: Amount, whole: Amount, kind: str = "") -> str:
    below = say("not_measured") if amount.characters is None else characters(amount.characters)
    share = "" if key == "read" else f" · {percent(amount.documents, whole.documents)}"
    value = f"<dd>{number(amount.documents)}<small>{below}{share}</small></dd>"
    return f'<div class="tile {kind or key}"><dt>{say(key)}</dt>{value}</div>'


def _change(change: ChangeStudy) -> str:
    lines = [[esc(before) or "–", esc(after) or say("wi_taken_away")] for before, after in change.lines]
    body = table([say("wi_line_before"), say("wi_line_after")], lines, left=2)
    head = ["source", "read", "wi_kept_before", "wi_back", "wi_gone", "wi_kept_after", "retention", "wi_chars_after"]
    rows = [
        [
            esc(source.source),
            number(source.read.documents),
            number(source.before.documents),
            f"+{number(source.back.documents)}",
            f"−{number(source.gone.documents)}",
            number(source.after.documents),
            percent(source.after.documents, source.read.documents),
            number(source.after.characters),
        ]
        for source in change.sources
    ]
    body += f"<h3>{say('sources_title')}</h3>" + table([say(key) for key in head], rows)
    if change.copies:
        body += f'<p class="note">{say("wi_copies", n=number(change.copies))}</p>'
    if change.reasons:
        reasons = [
            [reason_label(r.reason) if r.reason else say("wi_as_copies"), f"+{number(r.back)}", f"−{number(r.gone)}"]
            for r in change.reasons
        ]
        body += f"<h3>{say('wi_by_reason')}</h3>"
        body += f'<div class="narrow">{table([say("reason"), say("wi_back"), say("wi_gone")], reasons)}</div>'
    sides = _side("in", "wi_back", change.back) + _side("out", "wi_gone", change.gone)
    return f'{body}<h3>{say("wi_samples")}</h3><div class="sides">{sides}</div>'


def _side(kind: str, key: str, samples: Sequence[Sample]) -> str:
    cards = "".join(map(sample_card, samples)) or f'<p class="note">{say("no_sample")}</p>'
    return f'<div class="side {kind}"><h4>{say(key)}</h4>{cards}</div>'


def _overview(study: Study) -> str:
    """A line a rule: what it removes alone, first and beyond the others, with a bar to one scale."""
    if not study.rules:
        return f'<p class="note">{say("no_rules")}</p>'
    whole, top = study.read, max(1, *(rule.alone.documents for rule in study.rules))
    rows = []
    for rule in study.rules:
        beyond, rest = rule.beyond.documents, rule.alone.documents - rule.beyond.documents
        bars = "".join(f'<{tag} style="width:{100 * n / top:.2f}%"></{tag}>' for tag, n in (("s", beyond), ("u", rest)))
        gap = number(rule.unmeasured) if rule.unmeasured else ""
        rows.append(
            [
                f'{reason_label(rule.reason)}<br><small class="test-line"><code>{_test(rule)}</code></small>',
                f'<span class="pair-bar" aria-hidden="true">{bars}</span>',
                f"{number(rule.alone.documents)} <small>{percent(rule.alone.documents, whole.documents)}</small>",
                number(rule.alone.characters),
                number(rule.first.documents),
                f"{number(beyond)} <small>{percent(beyond, whole.documents)}</small>",
                number(rule.beyond.characters),
                gap if rule.measured else say("not_measured"),
            ]
        )
    head = [say("reason"), "", say("wi_alone"), say("chars"), say("wi_first"), say("wi_beyond"), say("chars")]
    return f'<div class="overview">{table([*head, say("wi_unmeasured")], rows, left=2)}</div>'


def _test(rule: RuleStudy) -> str:
    """What passes, in the words of a recipe."""
    if rule.threshold is not None:
        return esc(f"{rule.column} {'≥' if rule.side == 'low' else '≤'} {number(rule.threshold)}")
    if rule.words in (["true"], ["false"]):
        return esc(f"{rule.column} = {rule.words[0]}")
    return esc(f"{rule.column} {'∈' if rule.allows else '∉'} {', '.join(rule.words)}")


def _overlap(rules: Sequence[RuleStudy]) -> str:
    """A table of rules by rules: of what the row removes, the share that the column removes, too."""
    active = [n for n, rule in enumerate(rules) if rule.alone.documents]
    if len(active) < 2:
        return f'<p class="note">{say("wi_no_overlap")}</p>'
    rows = []
    for n in active:
        cells = [
            reason_label(rules[n].reason) + f" <small><code>{_test(rules[n])}</code></small>",
            number(rules[n].alone.documents),
        ]
        for other in active:
            both, mine = rules[n].with_others[other], rules[n].alone.documents
            share = both / mine
            shade = f"background:color-mix(in srgb,var(--out) {60 * share:.0f}%,transparent)"
            cells.append("" if other == n else f'<span class="heat" style="{shade}">{percent(both, mine)}</span>')
        rows.append(cells)
    times = Counter(rules[n].reason for n in active)
    head = [say("wi_of_these"), say("removed")]
    for rule in (rules[n] for n in active):
        which = f" <small><code>{esc(rule.column)}</code></small>" if times[rule.reason] > 1 else ""
        head.append(two(*(esc(word) for word in reason_name(rule.reason))) + which)
    return f'<div class="matrix">{table(head, rows)}</div>'


def _card(rule: RuleStudy, number_: int, read: Amount) -> str:
    names = column_name(rule.column)
    was = f" <small>{say('wi_before', n=number(rule.was))}</small>" if rule.was is not None else ""
    only = f'<p class="note">{say("only_sources", n="、".join(rule.sources))}</p>' if rule.sources else ""
    picture = _picture(rule, number_, read, names)
    gap = (
        f'<p class="note">{say("missing", n=number(rule.unmeasured))}</p>' if rule.measured and rule.unmeasured else ""
    )
    samples = ""
    if rule.removed or rule.kept:
        edge = rule.threshold is not None
        sides = _side("out", "samples_out" if edge else "removed", rule.removed)
        sides += _side("in", "samples_in", rule.kept) if edge else ""
        summary = f"{say('samples_out')} | {say('samples_in')}" if edge else say("removed")
        samples = f'<details class="samples"><summary>{summary}</summary><div class="sides">{sides}</div></details>'
    return (
        f'<article class="card"><header><h3>{reason_label(rule.reason)}</h3>'
        f'<p class="test"><code>{_test(rule)}</code>{was}</p></header>{only}'
        f'<div class="split"><div>{picture}{gap}</div><div class="stats">{_stats(rule, read)}</div></div>'
        f"{samples}</article>"
    )


def _picture(rule: RuleStudy, place: int, read: Amount, names: tuple[str, str]) -> str:
    if not rule.measured:
        return f'<p class="note">{say("wi_column_absent")}</p>'
    if rule.curve is None or rule.histogram is None:
        return (
            categories_table(say("value"), rule.categories)
            if rule.categories
            else f'<p class="note">{say("no_sample")}</p>'
        )
    line = rule.curve
    title = two(esc(f"{names[0]}：{words()['ui']['wi_curve'][0]}"), esc(f"{names[1]}: {words()['ui']['wi_curve'][1]}"))
    alt = plain("wi_curve_alt", n=" ".join(dict.fromkeys(names)))
    key = f'<span><i></i>{say("documents")}</span><span><i class="chars"></i>{say("chars")}</span>'
    return (
        f'<h4>{title}</h4><p class="note lines" aria-hidden="true">{key}</p>'
        f"{chart('curve', f'rules/{place}/curve', alt, _curve_table(line, read))}"
        f"{histogram_chart(f'rules/{place}/histogram', rule.histogram, names, 'small')}"
    )


def _curve_table(line: Curve, read: Amount) -> str:
    rows = []
    for place, threshold in enumerate(line.thresholds):
        mark = say("wi_now") if place == line.at[0] else say("wi_was") if place == line.at[1] else ""
        letters = None if line.characters is None else line.characters[place]
        share = "–" if letters is None else percent(letters, read.characters or 0)
        documents = line.documents[place]
        rows.append(
            [
                f"{number(threshold)} {mark}",
                number(documents),
                percent(documents, read.documents),
                number(letters),
                share,
            ]
        )
    head = [say("wi_threshold"), say("wi_passed"), say("share"), say("chars"), say("share")]
    return table(head, rows)


def _stats(rule: RuleStudy, read: Amount) -> str:
    rows = (("wi_alone", rule.alone), ("wi_first", rule.first), ("wi_beyond", rule.beyond))
    lines = "".join(
        f'<div class="out"><dt>{say(key)}</dt><dd>{number(amount.documents)} '
        f"<small>{percent(amount.documents, read.documents)}</small></dd></div>"
        for key, amount in rows
    )
    return f"<dl>{lines}</dl>"
