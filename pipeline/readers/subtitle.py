"""Subtitles (srt, vtt, ass): what is said, in order; times, numbers, styles and tags away.

A cue that ends in the middle of a sentence goes on in the next one, where the file closes its sentences at all;
otherwise, and where cues are in two languages, each cue is a line or several. A line that is shown again in the next
cue, as in rolling captions, is taken once.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import ClassVar

from pipeline.readers.content import Content
from pipeline.readers.reader import Bad, Intake, Reader, Record, whole_text

TIMES = re.compile(r"^\s*(?:\d+:)?\d+:\d+[.,]\d+\s*-->\s*(?:\d+:)?\d+:\d+[.,]\d+.*$")
TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
HEAD = re.compile(r"\A\ufeff?WEBVTT[^\n]*")
APART = re.compile(r"(NOTE|STYLE|REGION)\b")
ENDS = re.compile(r"[。！？!?.…」』”’\")）]$")
HAN = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
CLOSED = 0.2  # least share of cues that end a sentence, from which unfinished ones are joined; chosen by hand


class Subtitle(Reader):
    """A file of timed captions."""

    kind: ClassVar[str] = "subtitle"
    formats: ClassVar[tuple[str, ...]] = ("srt", "vtt", "ass")

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the file as one record."""
        text = whole_text(content, intake).replace("\r\n", "\n").replace("\r", "\n")
        cues = _events(text) if re.search(r"^Dialogue:", text, re.MULTILINE) else _blocks(text)
        yield Record(0, "\n".join(_sentences(_once(cues))))


def _blocks(text: str) -> Iterator[list[str]]:
    """Yield the lines of each cue of an srt or vtt file."""
    lines = HEAD.sub("", text).split("\n")
    cue: list[str] | None = None
    for at, line in enumerate(lines):
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if TIMES.match(line):
            if cue:
                yield cue
            cue = []
        elif cue is not None and not (TIMES.match(following) and (line.strip().isdigit() or not line.strip())):
            if line.strip():
                cue.append(line)
            elif APART.match(following):
                yield cue
                cue = None
    if cue:
        yield cue


def _events(text: str) -> Iterator[list[str]]:
    """Yield the lines of each event of an ass file; the text is its tenth field."""
    for line in text.split("\n"):
        fields = line.split(",", 9)
        if line.startswith("Dialogue:") and len(fields) == 10:
            yield re.sub(r"\\[Nn]", "\n", fields[9]).replace("\\h", " ").split("\n")


def _once(cues: Iterator[list[str]]) -> list[str]:
    """Return the text of each cue, without the lines that the cue before has shown."""
    found: list[str] = []
    shown: list[str] = []
    for cue in cues:
        lines = [" ".join(unescape(TAG.sub("", line)).split()) for line in cue]
        fresh = [line for line in lines if line and line not in shown]
        shown = lines
        two_languages = len({bool(HAN.search(line)) for line in fresh}) > 1
        text = "\n".join(fresh) if two_languages else _joined(fresh)
        if text:
            found.append(text)
    return found


def _sentences(cues: list[str]) -> Iterator[str]:
    """Yield cues as lines, joined up to the end of their sentence where most sentences have one."""
    closed = sum(bool(ENDS.search(cue)) for cue in cues)
    if closed < CLOSED * len(cues) or any("\n" in cue for cue in cues):
        yield from cues
        return
    waiting: list[str] = []
    for cue in cues:
        waiting.append(cue)
        if ENDS.search(cue):
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[str]) -> str:
    """Return lines as one, without a space where two Han characters meet."""
    text = ""
    for part in parts:
        text += part if not text or (HAN.match(text[-1]) and HAN.match(part)) else " " + part
    return text
