"""The report page: one HTML file that loads nothing, in Chinese and English, light and dark, on paper and on a phone.

Tables and samples are plain HTML; charts are drawn from the same data, embedded as JSON, by Apache ECharts inlined
from `assets/`. That costs 0.5 MB a page and buys a report that still opens in twenty years. The page's own policy
(a `Content-Security-Policy` with the hashes of its two scripts) forbids every request.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.data import UNEXPLAINED, ReportData
from pipeline.report.evidence import duplicates_section, languages_section, rules_section, signals_section
from pipeline.report.markup import (
    asset,
    chart,
    embed,
    esc,
    number,
    percent,
    plain,
    reason_label,
    reason_name,
    say,
    short,
    table,
    two,
    words,
)

CHART_WORDS = ("read", "published", "kept", "removed", "retention", "other_reasons", "unexplained")
NAV = ("flow", "account", "rules", "duplicates", "languages", "files", "signals")


def render(data: ReportData) -> str:
    """Return the report as one HTML page: the same data give the same bytes."""
    ui = words()["ui"]
    payload = {
        "report": data.as_dict(),
        "words": {key: ui[key] for key in CHART_WORDS},
        "reasons": {reason.name: reason_name(reason.name) for reason in data.reasons},
    }
    name = data.facts.get("title") or data.facts.get("title_zh") or data.dataset
    return shell(f"{name} {data.version or ''}", NAV, _body(data), payload)


def shell(title: str, nav: Sequence[str], body: str, payload: Mapping[str, Any]) -> str:
    """Return a whole page around a body of escaped HTML; `nav`: ids of its sections, named `nav_ID` in `words.json`.

    `payload`: what `report.js` draws charts from: `report`, `words` and `reasons`.
    """
    scripts = [asset("echarts.min.js"), asset("report.js")]
    policy = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    csp = f"default-src 'none'; script-src {policy}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="zh" data-lang="both"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{csp}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">'
        f"<title>{esc(title)} · yuliao</title><style>{asset('report.css')}</style></head>\n"
        f'<body>{_bar(nav)}<main id="main">{body}</main><footer class="end">{say("footer")}</footer>\n'
        f'<script type="application/json" id="data">{embed(payload)}</script>\n'
        + "".join(f"<script>{script}</script>\n" for script in scripts)
        + "</body></html>\n"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _bar(nav: Sequence[str]) -> str:
    links = "".join(f'<a href="#{key}">{say(f"nav_{key}")}</a>' for key in nav)
    languages = (("zh", "中文"), ("en", "English"), ("both", say("both")))
    buttons = "".join(f'<button type="button" data-set-lang="{code}">{label}</button>' for code, label in languages)
    theme = f'<button type="button" data-set-theme aria-label="{plain("theme")}" title="{plain("theme")}">◐</button>'
    return (
        f'<a class="skip" href="#main">{say("skip")}</a><header class="bar"><b class="brand">语料</b>'
        f'<nav>{links}</nav><div class="switches" role="group">{buttons}{theme}</div></header>'
    )


def _body(data: ReportData) -> str:
    parts = [
        _heading(data),
        section("flow", "flow_title", _flow(data), say("flow_note")),
        section("account", "account_title", _account(data), say("account_note")),
        rules_section(data),
        duplicates_section(data),
        languages_section(data),
        section("files", "files_title", _files(data)),
        signals_section(data),
    ]
    return "".join(parts)


def section(key: str, title: str, body: str, note: str = "") -> str:
    """Return a section of a page; `key`: its id, `title`: a key of `words.json`, `note`: escaped."""
    lead = f'<p class="lead">{note}</p>' if note else ""
    return f'<section id="{key}"><h2>{say(title)}</h2>{lead}{body}</section>'


def _heading(data: ReportData) -> str:
    facts = data.facts
    english, chinese = facts.get("title") or data.dataset, facts.get("title_zh") or facts.get("title") or data.dataset
    title = esc(english) if english == chinese else two(esc(chinese), esc(english))
    about = ""
    if facts.get("description") or facts.get("description_zh"):
        texts = (
            facts.get("description_zh") or facts["description"],
            facts.get("description") or facts["description_zh"],
        )
        about = f'<p class="about">{two(esc(texts[0]), esc(texts[1]))}</p>'
    name = f"<code>{esc(data.dataset)}</code>"
    which = f"<b>{esc(data.version)}</b>" if data.version else say("run")
    return (
        f'<section class="hero"><p class="eyebrow">{say("public" if data.public else "private")}</p>'
        f'<h1>{title}</h1><p class="which">{name} {which}</p>{about}{_scope(data)}'
        f"{_tiles(data)}{_flow_bar(data)}{_verdict(data)}{_facts(data)}</section>"
    )


def _scope(data: ReportData) -> str:
    """What the counts are about: a version that appends holds more documents than its run has read."""
    if data.version is None:
        return ""
    total = data.facts.get("documents_total")
    whole = f" {say('scope_total', total=number(int(total)))}" if total is not None else ""
    return f'<p class="note">{say("scope", read=number(data.read))}{whole}</p>'


def _tiles(data: ReportData) -> str:
    removed = data.read - data.kept
    lengths = (data.characters_read, data.characters_kept)
    out = None if lengths[0] is None or lengths[1] is None else lengths[0] - lengths[1]
    tiles = []
    for key, count, length in (
        ("read", data.read, lengths[0]),
        ("published", data.kept, lengths[1]),
        ("removed", removed, out),
    ):
        below = say("not_measured") if length is None else characters(length)
        tiles.append(f'<div class="tile {key}"><dt>{say(key)}</dt><dd>{number(count)}<small>{below}</small></dd></div>')
    below = say("not_measured")
    if lengths[0] is not None and lengths[1] is not None:
        below = say("of_characters", n=percent(lengths[1], lengths[0]))
    share = percent(data.kept, data.read)
    tiles.append(f'<div class="tile"><dt>{say("retention")}</dt><dd>{share}<small>{below}</small></dd></div>')
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


def characters(count: int) -> str:
    """Return a count of characters as people write it."""
    chinese, english = short(count)
    ui = words()["ui"]["characters"]
    return f'<span title="{number(count)}">{two(ui[0].format(n=chinese), ui[1].format(n=english))}</span>'


def _flow_bar(data: ReportData) -> str:
    """One bar of everything read, with its labels under it: kept, then removed by stage."""
    if not data.read:
        return f'<p class="note">{say("nothing_read")}</p>'
    parts = [("kept", data.kept)]
    for stage in ("select", "exact", "near"):
        named = [reason for reason in data.reasons if reason.stage == stage and reason.name != UNEXPLAINED]
        parts.append((stage, sum(reason.documents for reason in named)))
    parts.append(("unexplained", data.read - sum(count for _, count in parts)))
    parts = [(key, count) for key, count in parts if count]
    bars = "".join(f'<i class="{key}" style="flex-grow:{count}"></i>' for key, count in parts)
    labels = "".join(
        f'<li class="{key}"><b>{say(key)}</b> {number(count)} <small>{percent(count, data.read)}</small></li>'
        for key, count in parts
    )
    return f'<div class="flow-bar" aria-hidden="true">{bars}</div><ul class="flow-key">{labels}</ul>'


def _verdict(data: ReportData) -> str:
    if data.adds_up:
        counts = {"read": number(data.read), "kept": number(data.kept), "removed": number(data.read - data.kept)}
        return f'<p class="verdict ok" role="status">✓ {say("balance_ok", **counts)}</p>'
    wrong = sum(not source.adds_up for source in data.sources)
    return f'<p class="verdict bad" role="alert">✗ {say("balance_bad", sources=wrong)}</p>'


def _facts(data: ReportData) -> str:
    hidden = ("title", "title_zh", "description", "description_zh", "documents_total")
    rows = [(key, value) for key, value in sorted(data.facts.items()) if key not in hidden and value]
    known = words()["ui"]
    items = "".join(f"<dt>{say(key) if key in known else esc(key)}</dt><dd>{esc(value)}</dd>" for key, value in rows)
    return f'<dl class="facts">{items}</dl>' if items else ""


def _flow(data: ReportData) -> str:
    rows = [[say("read"), "", number(data.read), "", number(data.characters_read)]]
    for reason in data.reasons:
        share = percent(reason.documents, data.read)
        stage = say(reason.stage) if reason.stage in words()["ui"] else esc(reason.stage)
        rows.append([reason_label(reason.name), stage, number(reason.documents), share, number(reason.characters)])
    foot = [say("published"), "", number(data.kept), percent(data.kept, data.read), number(data.characters_kept)]
    head = [say("reason"), say("stage"), say("count"), say("share"), say("chars")]
    waterfall = chart("waterfall", "", plain("flow_alt"), table(head, rows, left=2, foot=foot))
    head = [say("source"), say("read"), say("published"), say("retention"), say("kept_chars")]
    rows = [
        [
            esc(source.source),
            number(source.read),
            number(source.kept),
            percent(source.kept, source.read),
            number(source.characters_kept),
        ]
        for source in data.sources
    ]
    bars = chart("sources", "", plain("sources_alt"), table(head, rows))
    title = f'<h3>{say("sources_title")}</h3><p class="note">{say("sources_note")}</p><ul class="key" data-key></ul>'
    return waterfall + title + bars


def _account(data: ReportData) -> str:
    """A column for the whole and for each source, read downwards like an account."""
    sources, whole = data.sources, say("total")
    reasons = list(dict.fromkeys(reason.name for reason in data.reasons if reason.name != UNEXPLAINED))
    rows = [
        _line(say("records"), [source.records for source in sources]),
        _line(say("read"), [source.read for source in sources]),
        *(_line(f"− {reason_label(name)}", [source.removed.get(name, 0) for source in sources]) for name in reasons),
        _line(f"= {say('published')}", [source.kept for source in sources]),
        _line(say("difference"), [source.difference for source in sources], exact=True),
        _line(say("lost"), [source.lost for source in sources], exact=True),
    ]
    foot = ["", *map(_mark, [data.adds_up, *(source.adds_up for source in sources)])]
    head = [say("source"), whole, *(esc(source.source) for source in sources)]
    return f'<div class="account">{table(head, rows, foot=foot)}</div>'


def _line(name: str, counts: Sequence[int | None], *, exact: bool = False) -> list[str]:
    """A line of the account: its name, the sum and each source's count; `exact`: what is not 0 is marked."""
    numbers = [sum(count or 0 for count in counts), *counts]
    cells = [say("not_stated") if count is None else number(count) for count in numbers]
    if exact:
        cells = [f'<strong class="bad">{cell}</strong>' if n else cell for n, cell in zip(numbers, cells, strict=True)]
    return [name, *cells]


def _mark(right: bool) -> str:
    return (
        f'<span class="ok">✓ {say("adds_up")}</span>'
        if right
        else f'<strong class="bad">✗ {say("not_adds_up")}</strong>'
    )


def _files(data: ReportData) -> str:
    total = sum(data.outcomes.values())
    if not total:
        return f'<p class="note">{say("no_files")}</p>'
    known = words()["ui"]
    rows = [
        [say(key) if key in known else esc(key), number(count), percent(count, total)]
        for key, count in data.outcomes.items()
    ]
    body = table([say("outcome"), say("files_count"), ""], rows, foot=[say("total"), number(total), ""])
    if not data.problems:
        return f'<div class="narrow">{body}</div>'
    head = [say("file"), say("source"), say("outcome"), say("why"), say("records"), say("bad_records")]
    lines = [
        [
            esc(file.uri),
            esc(file.source),
            say(file.outcome) if file.outcome in known else esc(file.outcome),
            esc(file.reason),
            number(file.records),
            number(file.bad_records),
        ]
        for file in data.problems
    ]
    more = (
        f'<p class="note">{say("problems_more", n=number(data.problems_left_out))}</p>'
        if data.problems_left_out
        else ""
    )
    title = f"<h3>{say('problems_title')}</h3>"
    return f'<div class="narrow">{body}</div>{title}<div class="problems">{table(head, lines, left=4)}</div>{more}'


__all__ = ["characters", "render", "section", "shell"]
