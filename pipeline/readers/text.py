"""Plain text and Markdown: the whole file is one document.

Markdown is kept as it is; a cleaner strips markup where a recipe wants that. Only title and time are taken from it.
"""

import re
from collections.abc import Iterator
from typing import ClassVar

from pipeline.readers.content import Content
from pipeline.readers.fields import parse_time
from pipeline.readers.reader import Bad, Intake, Reader, Record, whole_text

FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
ENTRY = re.compile(r"^(title|date|url|permalink)[ \t]*:[ \t]*(.+?)[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t#]*\r?$|^([^\n]*\S[^\n]*)\r?\n=+[ \t]*\r?$", re.MULTILINE)


class Text(Reader):
    """A plain text file."""

    kind: ClassVar[str] = "text"
    formats: ClassVar[tuple[str, ...]] = ("txt",)

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the file as one record."""
        yield Record(0, whole_text(content, intake))


class Markdown(Reader):
    """A Markdown file, with the title from its front matter or first heading."""

    kind: ClassVar[str] = "markdown"
    formats: ClassVar[tuple[str, ...]] = ("md",)

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the file as one record."""
        text = whole_text(content, intake)
        front = FRONT_MATTER.match(text)
        entries = {name.lower(): value.strip("\"'") for name, value in ENTRY.findall(front[1])} if front else {}
        heading = HEADING.search(text, front.end() if front else 0)
        title = entries.get("title") or (heading and (heading[1] or heading[2]).strip()) or None
        yield Record(0, text, title, entries.get("url"), parse_time(entries.get("date")))
