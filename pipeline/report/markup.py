"""HTML of the report's smallest parts: words in two languages, numbers, tables, charts with their tables, samples.

Whatever comes from data is escaped here; the other modules of the page put escaped parts together.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from pipeline.report.data import UNEXPLAINED
from pipeline.report.histogram import Histogram
from pipeline.report.rules import Category
from pipeline.report.samples import Sample

# C0 and C1 controls break HTML; their pictures (U+2400...) and U+FFFD show where they were. Tab and line feed stay.
CONTROLS = {code: 0x2400 + code for code in range(32) if code not in (9, 10)} | dict.fromkeys(range(0x7F, 0xA0), 0xFFFD)
DUPLICATE = "duplicate."


def asset(name: str) -> str:
    """Return the text of a file in `assets/`."""
    return files("pipeline.report").joinpath("assets", name).read_text("utf-8")


@cache
def words() -> dict[str, dict[str, list[str]]]:
    """Return the words of the page: `ui`, `columns` and `reasons`, each key with [Chinese, English]."""
    found: dict[str, dict[str, list[str]]] = json.loads(asset("words.json"))
    return found


def esc(text: object) -> str:
    """Return text safe for content and quoted attributes."""
    return escape(str(text).translate(CONTROLS), quote=True)


def two(chinese: str, english: str) -> str:
    """Return two escaped wordings of which the page shows the one of its language, or both."""
    return f'<span class="zh" lang="zh">{chinese}</span><span class="en" lang="en">{english}</span>'


def say(key: str, **values: object) -> str:
    """Return a phrase of `words.json` in both languages; values are escaped."""
    safe = {name: esc(value) for name, value in values.items()}
    chinese, english = words()["ui"][key]
    return two(esc(chinese).format(**safe), esc(english).format(**safe))


def plain(key: str, **values: object) -> str:
    """Return a phrase for an attribute, both languages with a slash between."""
    chinese, english = words()["ui"][key]
    return esc(f"{chinese} / {english}".format(**values))


def column_name(column: str) -> tuple[str, str]:
    """Return what a column is called in Chinese and English; its own name where there is no other."""
    chinese, english = words()["columns"].get(column, [column, column])
    return chinese, english


def reason_name(reason: str) -> tuple[str, str]:
    """Return what a reason is called in Chinese and English."""
    ui = words()["ui"]
    if reason == UNEXPLAINED:
        return ui["unexplained"][0], ui["unexplained"][1]
    if reason.startswith(DUPLICATE) and reason.removeprefix(DUPLICATE) in ("exact", "near"):
        kind = ui[reason.removeprefix(DUPLICATE)]
        return kind[0], kind[1]
    if reason in words()["reasons"]:
        chinese, english = words()["reasons"][reason]
        return chinese, english
    column, _, side = reason.rpartition(".")
    if side in ("low", "high", "other") and column in words()["columns"]:
        chinese, english = column_name(column)
        return f"{chinese}{ui[side][0]}", f"{english} {ui[side][1]}"
    return reason, reason


def reason_label(reason: str) -> str:
    """Return a reason's name with its code."""
    chinese, english = reason_name(reason)
    code = "" if reason in (chinese, UNEXPLAINED) else f" <code>{esc(reason)}</code>"
    return two(esc(chinese), esc(english)) + code


def number(value: float | None) -> str:
    """Return a number with thousands separators, at most four significant digits after the point."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def percent(part: float, whole: float) -> str:
    """Return a share; one that is not quite nothing or all never reads 0 % or 100 %."""
    if not whole:
        return "–"
    share = part / whole
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}"


def short(value: float) -> tuple[str, str]:
    """Return a large count as people write it: 1960.3万 and 19.6 M."""
    chinese = next((f"{value / unit:,.4g} {name}" for unit, name in ((1e8, "亿"), (1e4, "万")) if value >= unit), None)
    english = next((f"{value / unit:,.3g} {name}" for unit, name in ((1e9, "B"), (1e6, "M")) if value >= unit), None)
    return chinese or number(value), english or number(value)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1, foot: Sequence[str] = ()) -> str:
    """Return a table of escaped cells in its own scroller; columns after the first `left` are numbers."""

    def line(cells: Sequence[str], tag: str, scope: str) -> str:
        made = []
        for place, cell in enumerate(cells):
            kind = "th" if tag == "th" or place == 0 else "td"
            mark = f' scope="{scope}"' if kind == "th" else ""
            side = "" if place < left else ' class="num"'
            made.append(f"<{kind}{mark}{side}>{cell}</{kind}>")
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(line(row, "td", "row") for row in rows)
    tail = f"<tfoot>{line(foot, 'td', 'row')}</tfoot>" if foot else ""
    top = line(head, "th", "col")
    return f'<div class="scroll" tabindex="0"><table><thead>{top}</thead><tbody>{body}</tbody>{tail}</table></div>'


def chart(kind: str, path: str, alt: str, behind: str, size: str = "") -> str:
    """Return a chart with the table behind it.

    `kind`: a drawing function of report.js; `path`: where its data lies in the embedded JSON, keys with `/` between.
    """
    frame = f'<div class="chart {esc(kind)} {size}" role="img" aria-label="{alt}"'
    data = f' data-chart="{esc(kind)}" data-path="{esc(path)}"></div>'
    return f'<figure>{frame}{data}<details class="behind"><summary>{say("table")}</summary>{behind}</details></figure>'


def histogram_chart(path: str, picture: Histogram, names: tuple[str, str], size: str = "") -> str:
    """Return a histogram with its table and its quantiles."""
    bins = zip(picture.edges, picture.edges[1:], picture.kept, picture.dropped, strict=False)
    rows = [[number(a), number(b), number(kept), number(out)] for a, b, kept, out in bins if kept or out]
    head = [say("from"), say("to"), say("kept"), say("removed")]
    alt = plain("histogram_alt", n=names[0] if names[0] == names[1] else f"{names[0]} {names[1]}")
    a, b, c, d, e = (number(value) for value in picture.quantiles)
    scale = f" · {say('log_scale')}" if picture.scale == "log" else ""
    note = f'<p class="note">{say("quantiles", a=a, b=b, c=c, d=d, e=e)}{scale}</p>'
    return (
        chart("histogram", path, alt, table(head, rows, left=0) + f'<p class="note">{say("open_ends")}</p>', size)
        + note
    )


def categories_table(name: str, categories: Sequence[Category]) -> str:
    """Return values with their documents; a bar in each row shows kept and removed to one scale."""
    top = max((category.kept + category.dropped for category in categories), default=1) or 1
    rows = []
    for category in categories:
        value = say("no_value") if category.value in (None, "") else f"<b>{esc(category.value)}</b>"
        kept, out = (100 * part / top for part in (category.kept, category.dropped))
        bar = f'<span class="pair-bar"><i style="width:{kept:.2f}%"></i><s style="width:{out:.2f}%"></s></span>'
        rows.append([value, bar, number(category.kept), number(category.dropped)])
    return f'<div class="values">{table([name, "", say("kept"), say("removed")], rows, left=2)}</div>'


def sample_card(sample: Sample) -> str:
    """Return a document as a card: value, title, first characters, where it is from."""
    value = sample.value if isinstance(sample.value, str) else number(sample.value)
    badge = f'<span class="badge">{esc(value)}</span>' if sample.value is not None else ""
    title = f"<b>{esc(sample.title)}</b>" if sample.title else ""
    more = "…" if sample.characters > len(sample.excerpt) else ""
    why = f"<span>{reason_label(sample.reason)}</span>" if sample.reason else ""
    where = f"<span>{esc(sample.place)}</span>" if sample.place else f"<code>{esc(sample.id)}</code>"
    length = say("chars_long", n=number(sample.characters))
    return (
        f'<article class="sample"><header>{badge}{title}</header><p class="text">{esc(sample.excerpt)}{more}</p>'
        f"<footer>{why}<span>{esc(sample.source)}</span>{where}<span>{length}</span></footer></article>"
    )


def embed(value: Any) -> str:
    """Return JSON that can stand inside a script element: no `<`, `>`, `&` and no line separators in it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate({ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})
