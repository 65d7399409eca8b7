"""Wikitext to plain text: what a reader of the page sees as prose, in one pass over the bytes.

Links, headings, lists, cells of tables and templates whose argument is their text keep their words; other templates,
files, categories, references and comments go, and so do headings under which nothing is left. Which names mean what is
data (`data/wiki_names.tsv`).

Trade-off: nothing is expanded, since that needs all templates of a wiki; a sentence may miss the number that a template
would have computed. Marks that never close stay as they are.
"""

import html
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.readers.wikitext_closing import ARGUMENTS, LINKS, NO_TEXT, TEMPLATES, hash_of, unescaped
from pipeline.readers.wikitext_kernel import as_plain
from pipeline.readers.wikitext_tags import CELL, INLINE, LINE, SKIP, TAGS, VERBATIM

TAG_ACTIONS = {"skip": SKIP, "verbatim": VERBATIM, "line": LINE, "cell": CELL, "inline": INLINE}
# What templates and references leave behind in brackets.
_HOLLOW = re.compile(r"(?:（[ \t，、；：,;:]*）|\([ \t,;:，、；：]*\))")
_LEADING = re.compile(r"(?<=[（(])[ \t]*[，、；,;][ \t，、；,;]*")

Names = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]


def plain_text(wikitext: bytes, names: Names) -> str:
    """Return the prose of wikitext, given in XML's escapes; `names` as `known_names` makes them.

    Bytes that are no UTF-8 are read as U+FFFD.
    """
    raw = np.frombuffer(wikitext, np.uint8)
    source = np.empty(len(raw), np.uint8)
    source = source[: unescaped(raw, source)]
    out = np.empty(len(source) + 8, np.uint8)
    text = out[: as_plain(source, out, *names)].tobytes().decode("utf-8", "replace")
    if "&" in text:
        text = html.unescape(text).replace("\xa0", " ")
    if "（" in text or "(" in text:
        text = _LEADING.sub("", _HOLLOW.sub("", text))
    return text


def known_names(own: Iterable[str] = ()) -> Names:
    """Return hashes of the names that mean something, uint64, ascending, and what each means, int64.

    `own`: further prefixes of links that are no text, as a wiki calls its files and categories.
    """
    table = dict(_shipped())
    table |= {_hash(name, LINKS): NO_TEXT for name in own}
    hashes = np.array(sorted(table), np.uint64)
    return hashes, np.array([table[name] for name in hashes.tolist()], np.int64)


@cache
def _shipped() -> dict[int, int]:
    table: dict[int, int] = {}
    text = resources.files("pipeline.readers").joinpath("data/wiki_names.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        what, names, *arguments = line.split("\t")
        if what == "template":
            wanted = sum(int(digit) << ARGUMENTS * (n + 1) for n, digit in enumerate(arguments[0]))
            table[_hash(names, TEMPLATES)] = wanted
        else:
            kind, action = (LINKS, NO_TEXT) if what == "link" else (TAGS, TAG_ACTIONS[what])
            table |= {_hash(name, kind): action for name in names.split(" ")}
    return table


def _hash(name: str, kind: int) -> int:
    data: Any = np.frombuffer(name.encode(), np.uint8)
    return int(hash_of(data, 0, len(data), kind))
