"""Sections of the report page that show evidence: rules with their samples, duplicates, languages, lengths, signals."""

from pipeline.report.data import ReportData
from pipeline.report.markup import (
    categories_table,
    column_name,
    esc,
    histogram_chart,
    number,
    percent,
    reason_label,
    sample_card,
    say,
    two,
)
from pipeline.report.rules import Bound, RuleView
from pipeline.report.samples import Pair, Sample


def rules_section(data: ReportData) -> str:
    """Return a card for each column that rules test."""
    note = say("rules_note_public" if data.public else "rules_note")
    if not data.rules:
        note = say("no_rules")
    cards = "".join(_rule(view, f"rules/{place}", data) for place, view in enumerate(data.rules))
    return f'<section id="rules"><h2>{say("rules_title")}</h2><p class="lead">{note}</p>{cards}</section>'


def _rule(view: RuleView, path: str, data: ReportData) -> str:
    names = column_name(view.column)
    only = "" if view.sources is None else f'<p class="note">{say("only_sources", n="、".join(view.sources))}</p>'
    code = f" <code>{esc(view.column)}</code>"
    tests = " · ".join(_test(bound) for bound in view.bounds)
    picture = f'<p class="note">{say("column_absent")}</p>'
    if view.histogram is not None:
        picture = histogram_chart(f"{path}/histogram", view.histogram, names)
    elif view.measured:
        picture = categories_table(say("value"), view.categories)
    gap = f'<p class="note">{say("missing", n=number(view.missing))}</p>' if view.missing else ""
    stats = "".join(_stats(bound) for bound in view.bounds)
    samples = "".join(_bound_samples(bound, data.public, len(view.bounds) > 1) for bound in view.bounds)
    return (
        f'<article class="card"><header><h3>{two(esc(names[0]), esc(names[1]))}{code}</h3>'
        f'<p class="test">{tests}</p></header>{only}<div class="split"><div>{picture}{gap}</div>'
        f'<div class="stats">{stats}</div></div>{samples}</article>'
    )


def _test(bound: Bound) -> str:
    if bound.threshold is not None:
        return say("at_least" if bound.side == "low" else "at_most", n=number(bound.threshold))
    if bound.words in (["true"], ["false"]):
        return say("must_equal", n=bound.words[0])
    return say("must_be_in" if bound.allows else "must_not_be_in", n="、".join(bound.words))


def _stats(bound: Bound) -> str:
    total = bound.fails + bound.passes
    rows = ((("fails", bound.fails), "out"), (("decided", bound.decided), "out"), (("passes", bound.passes), "in"))
    lines = "".join(
        f'<div class="{side}"><dt>{say(key)}</dt><dd>{number(count)} <small>{percent(count, total)}</small></dd></div>'
        for (key, count), side in rows
    )
    return f'<p class="reason">{reason_label(bound.reason)}</p><dl>{lines}</dl>'


def _bound_samples(bound: Bound, public: bool, named: bool) -> str:
    """The documents nearest to a threshold: removed at the left, kept at the right."""
    title = f'<span class="sub">{_test(bound)}</span>' if named else ""
    # Only a number has documents that are nearest to it.
    out_key, in_key = ("samples_out", "samples_in") if bound.threshold is not None else ("removed", "kept")
    if bound.failing and not bound.decided:
        out_key = "samples_elsewhere"
    inside = _cards(in_key, "in", bound.passing)
    if public:
        return f'<details class="samples"><summary>{say(in_key)} {title}</summary>{inside}</details>'
    sides = f'<div class="sides">{_cards(out_key, "out", bound.failing)}{inside}</div>'
    opened = " open" if bound.failing and bound.decided else ""
    summary = f"{say(out_key)} | {say(in_key)} {title}"
    return f'<details class="samples"{opened}><summary>{summary}</summary>{sides}</details>'


def _cards(key: str, side: str, samples: list[Sample]) -> str:
    body = "".join(map(sample_card, samples)) or f'<p class="note">{say("no_sample")}</p>'
    return f'<div class="side {side}"><h4>{say(key)}</h4>{body}</div>'


def duplicates_section(data: ReportData) -> str:
    """Return counts of duplicates, how near they were, and pairs side by side."""
    found = data.duplicates
    head = f'<section id="duplicates"><h2>{say("duplicates_title")}</h2>'
    if not found.exact + found.near:
        return f'{head}<p class="lead">{say("no_duplicates")}</p></section>'
    tiles = "".join(
        f'<div class="tile"><dt>{say(key)}</dt><dd>{number(count)}<small>{below}</small></dd></div>'
        for key, count, below in (
            ("exact", found.exact, percent(found.exact, data.read)),
            ("near", found.near, percent(found.near, data.read)),
            ("survivors", found.survivors, ""),
            ("largest", found.largest, ""),
        )
    )
    picture = ""
    if found.jaccard is not None:
        title = f"<h3>{say('jaccard_title')}</h3>"
        picture = title + histogram_chart("duplicates/jaccard", found.jaccard, ("Jaccard", "Jaccard"))
    pairs = ""
    if found.pairs:
        pairs = f'<h3>{say("pairs_title")}</h3><p class="note">{say("pairs_note")}</p>'
        pairs += "".join(map(_pair, found.pairs))
    note = f'<p class="lead">{say("duplicates_note")}</p>'
    return f'{head}{note}<dl class="tiles">{tiles}</dl>{picture}{pairs}</section>'


def _pair(pair: Pair) -> str:
    if pair.survivor is None:
        elsewhere = f'<p class="note">{say("survivor_elsewhere", n=pair.survivor_id)}</p>'
        sides = sample_card(pair.removed) + elsewhere
    else:
        sides = _pair_side("out", "pair_removed", pair.removed, [(kind, one) for kind, one, _ in pair.parts])
        sides += _pair_side("in", "pair_survivor", pair.survivor, [(kind, two) for kind, _, two in pair.parts])
    badge = f'<span class="badge">Jaccard {number(pair.jaccard)}</span>'
    return f'<article class="pair"><header>{badge}</header><div class="sides">{sides}</div></article>'


def _pair_side(side: str, key: str, sample: Sample, parts: list[tuple[str, str]]) -> str:
    text = "".join(f"<mark>{esc(part)}</mark>" if kind == "differs" and part else esc(part) for kind, part in parts)
    title = f"<b>{esc(sample.title)}</b>" if sample.title else ""
    where = f"<span>{esc(sample.source)}</span><span>{esc(sample.place or sample.id)}</span>"
    length = say("chars_long", n=number(sample.characters))
    return (
        f'<div class="side {side}"><h4>{say(key)}</h4><article class="sample"><header>{title}</header>'
        f'<p class="text">{text}</p><footer>{where}<span>{length}</span></footer></article></div>'
    )


def languages_section(data: ReportData) -> str:
    """Return languages, scripts and the distribution of lengths."""
    tables = ""
    for key, categories in (("language", data.languages), ("script", data.scripts)):
        if categories:
            tables += f"<div><h3>{say(key)}</h3>{categories_table(say(key), categories)}</div>"
    body = f'<div class="halves">{tables}</div>' if tables else f'<p class="note">{say("not_measured")}</p>'
    if data.lengths is not None:
        body += f'<h3>{say("lengths_title")}</h3><p class="note">{say("lengths_note")}</p>'
        body += histogram_chart("lengths", data.lengths, column_name("char_count"))
    return f'<section id="languages"><h2>{say("languages_title")}</h2>{body}</section>'


def signals_section(data: ReportData) -> str:
    """Return the distributions of the columns that no rule uses, folded away."""
    cards = []
    for column, picture in data.signals.items():
        names = column_name(column)
        title = two(esc(names[0]), esc(names[1])) + ("" if names[0] == column else f" <code>{esc(column)}</code>")
        chart = histogram_chart(f"signals/{column}", picture, names, "small")
        cards.append(f'<article class="card"><h3>{title}</h3>{chart}</article>')
    note = say("signals_note", n=len(cards))
    inside = f'<details class="more"><summary>{note}</summary><div class="grid">{"".join(cards)}</div></details>'
    return f'<section id="signals"><h2>{say("signals_title")}</h2>{inside}</section>'
