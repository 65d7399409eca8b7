"""The main text of a page: the block of the page that holds most of its prose, without furniture.

One walk over the parsed page cuts it into lines and remembers which lines lie in which element. Prose (characters
outside links, in lines with sentence punctuation) decides how deep to go: from the body into the child that holds most
of it, as long as one does. What is named as furniture is left out unless most of the page lies in it.

Trade-off: in doubt text is kept; a cleaner can still drop lines that recur on many pages, nothing restores lost text.
"""

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Any

# Share of a block's prose from which its child is entered: elements that only lay out, and parts of tables, which may
# be a table in the text as well as the frame of a page.
MOST = dict.fromkeys(("div", "section", "article", "main", "form", "center", "body"), 0.8) | dict.fromkeys(
    ("table", "tbody", "tr", "td"), 0.9
)
FURNITURE_MOST = 0.4  # a block named as furniture that holds more of the page's text is kept
LINKED = 0.6  # share of link characters from which a line is a link
BORDER = 6  # lines at either end of the text in which border phrases are looked for
SHORT = 80  # characters; longer lines are never taken for border phrases
PUNCTUATION = re.compile(r"[，。；：？！、,.;?!]")
SPACE = re.compile(r"[ \t\r\n\f\v\xa0\u2002-\u200a\u202f]+")
CELL = "\x1f"  # stands between the cells of a row until the line is finished, then a tab does
BETWEEN_CELLS = re.compile(f" ?{CELL} ?")
WORD = re.compile(r"[a-z]+")
CAMEL = re.compile(r"([a-z])([A-Z])")
HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)

CELLS = frozenset(("td", "th"))


@dataclass(slots=True)
class Block:
    """An element that is no inline one: its lines are `lines[start:end]` of the page."""

    tag: str
    start: int
    end: int = 0
    children: list["Block"] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """The lines of a page in order, how many characters of each are in links, and the blocks they lie in."""

    lines: list[str] = field(default_factory=list)
    linked: list[int] = field(default_factory=list)
    root: Block = field(default_factory=lambda: Block("body", 0))


def main_text(body: Any) -> str:
    """Return the main text of a parsed body as lines; never empty where the page has any text."""
    page = _cut(body, skip=True)
    text = _chosen(page)
    if text:
        return text
    return "\n".join(lines_of(body))


def lines_of(body: Any) -> list[str]:
    """Return all lines of a parsed body, whatever they are; for books and letters, which have no frame."""
    return _cut(body, skip=False).lines


def _chosen(page: Page) -> str:
    prose = _running([_prose(line, linked) for line, linked in zip(page.lines, page.linked, strict=True)])
    if not prose[-1]:
        return "\n".join(page.lines)
    block = page.root
    while block.children:
        best = max(block.children, key=lambda child: prose[child.end] - prose[child.start])
        share = (prose[best.end] - prose[best.start]) / (prose[block.end] - prose[block.start])
        if best.end - best.start < 2 or share < MOST.get(best.tag, 2):
            break
        block = best
    kept = [i for i in range(block.start, block.end) if not _is_link_list(page, i, block)]
    lines = _without_border([page.lines[i] for i in kept or range(block.start, block.end)])
    return "\n".join(lines)


def _prose(line: str, linked: int) -> float:
    """Return how much prose a line is: its characters outside links, a quarter where it has no punctuation."""
    if linked > LINKED * len(line):
        return 0.0
    weight = 1.0 if PUNCTUATION.search(line) else 0.25
    return weight * (len(line) - linked)


def _running(values: list[float]) -> list[float]:
    total = [0.0]
    for value in values:
        total.append(total[-1] + value)
    return total


def _is_link_list(page: Page, i: int, block: Block) -> bool:
    """Say whether a line is a link among links: at least three in a row."""
    if page.linked[i] <= LINKED * len(page.lines[i]):
        return False
    first = last = i
    while first > block.start and page.linked[first - 1] > LINKED * len(page.lines[first - 1]) and last - first < 3:
        first -= 1
    while last + 1 < block.end and page.linked[last + 1] > LINKED * len(page.lines[last + 1]) and last - first < 3:
        last += 1
    return last - first >= 2


def _without_border(lines: list[str]) -> list[str]:
    """Drop phrases such as "you are here", "next page" or a copyright line near the ends of the text."""
    ends = {*range(min(BORDER, len(lines))), *range(max(0, len(lines) - BORDER), len(lines))}
    kept = [line for i, line in enumerate(lines) if not (i in ends and len(line) <= SHORT and _phrases().search(line))]
    return kept or lines


class _Cutter:
    """Builds a Page while elements open and close."""

    def __init__(self) -> None:
        self.page = Page()
        self.stack: list[Block] = []
        self.parts: list[str] = []
        self.links = 0  # depth of open links
        self.preformatted = 0
        self.linked = 0
        self.open: list[tuple[bool, bool]] = []  # of each open element: whether it is a block, and a link
        self.inline = _furniture()["inline"]

    def text(self, text: str | None) -> None:
        """Take text of the element that is open."""
        if not text:
            return
        if self.preformatted and "\n" in text:
            for line in text.split("\n"):
                self.parts.append(line)
                self.flush()
            return
        self.parts.append(text)
        if self.links:
            self.linked += len(text.strip())

    def flush(self) -> None:
        """End the line."""
        if not self.parts:
            self.linked = 0
            return
        line = "".join(self.parts)
        line = line.rstrip() if self.preformatted else SPACE.sub(" ", line).strip()
        if CELL in line:
            line = BETWEEN_CELLS.sub("\t", line)
        if line.strip():
            self.page.lines.append(line)
            self.page.linked.append(min(self.linked, len(line)))
        self.parts, self.linked = [], 0

    def enter(self, element: Any, tag: str) -> None:
        """Begin an element: a block, a link, a cell or nothing of note."""
        link = tag == "a" and "href" in element.attrib
        self.links += link
        block = False
        if tag in CELLS and _is_cell(element, self.inline):
            self.parts.append(CELL if self.parts else "")
        elif tag not in self.inline:
            block = True
            self.flush()
            self.preformatted += tag == "pre"
            self.stack.append(Block(tag, len(self.page.lines)))
        self.open.append((block, link))
        self.text(element.text)

    def leave(self, tag: str) -> None:
        """End the element that was begun last."""
        is_block, link = self.open.pop()
        self.links -= link
        if not is_block:
            return
        self.flush()
        self.preformatted -= tag == "pre"
        block = self.stack.pop()
        block.end = len(self.page.lines)
        if not self.stack:
            self.page.root = block
        elif block.end > block.start:
            self.stack[-1].children.append(block)


def _cut(body: Any, *, skip: bool) -> Page:
    """Walk over the elements of a body; `skip` leaves furniture out."""
    from lxml import etree

    cutter = _Cutter()
    most = FURNITURE_MOST * _length(body) if skip else 0.0
    left_out = None
    walk = etree.iterwalk(body, events=("start", "end"))
    for event, element in walk:
        tag = element.tag
        if event == "end":
            if element is not left_out:
                cutter.leave(tag)
            if element is not body:
                cutter.text(element.tail)
        elif skip and element is not body and _is_furniture(element, tag, cutter.inline) and _length(element) <= most:
            left_out = element
            cutter.flush()
            walk.skip_subtree()
        else:
            cutter.enter(element, tag)
    cutter.flush()
    return cutter.page


def _length(element: Any) -> float:
    """Return the number of characters of an element's text, runs of white space as one."""
    return float(element.xpath("string-length(normalize-space(.))"))


def _is_furniture(element: Any, tag: str, inline: frozenset[str]) -> bool:
    if tag in _furniture()["tag"]:
        return tag != "header" or not any(True for _ in element.iterancestors("article", "main"))
    attributes = element.attrib
    if not attributes:
        return False
    if "hidden" in attributes or HIDDEN.search(attributes.get("style", "")):
        return tag not in inline  # inside a sentence it is rather a variant that a script shows
    named = f"{attributes.get('class', '')} {attributes.get('id', '')}"
    return len(named) > 1 and _is_furniture_name(named)


@lru_cache(4096)
def _is_furniture_name(named: str) -> bool:
    table = _furniture()
    words = WORD.findall(CAMEL.sub(r"\1 \2", named).lower())
    return any(word in table["name"] or any(part in word for part in table["name-part"]) for word in words)


def _is_cell(element: Any, inline: frozenset[str]) -> bool:
    """Say whether a table cell holds plain text, so that it stays on the line of its row."""
    return all(child.tag in inline for child in element)


@cache
def _furniture() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    text = resources.files("pipeline.readers").joinpath("data/furniture.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            part, value = line.split("\t")
            table.setdefault(part, set()).add(value)
    return {part: frozenset(values) for part, values in table.items()}


@cache
def _phrases() -> re.Pattern[str]:
    return re.compile("|".join(sorted(_furniture()["line"])), re.IGNORECASE)
