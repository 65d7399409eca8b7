"""What the count of passages means, said once more in plain Python."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.dedup.matchform import match_forms
from pipeline.passages.lines import LINE_FORM, Lines
from pipeline.passages.table import Table
from pipeline.text import CodePoints
from schemas.document import DOCUMENT, document_id
from schemas.recipe import Passages


def batch_of(texts: Sequence[str], source: str = "s") -> pa.RecordBatch:
    rows = [
        {"id": document_id(source, str(n)), "text": text, "source": source, "uri": f"{n}.txt", "record": 0}
        for n, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, DOCUMENT)


def form_of(line: str) -> str:
    return "".join(map(chr, match_forms(pa.array([line]), LINE_FORM).points.tolist()))


def label_of(line: str) -> str | None:
    bare = line.lstrip(" \t\v\f\r\xa0\u3000*\n")[:9].replace("：", ":")
    head, colon, _ = bare.partition(":")
    return head if colon and head else None


def forms_and_turns(text: str) -> list[tuple[str, bool]]:
    """What each line of a text is compared by, and whether it is a turn of a dialogue."""
    lines = text.split("\n")
    said = defaultdict(set)
    for line in lines:
        said[label_of(line)].add(form_of(line))
    return [(form_of(line), label_of(line) is not None and len(said[label_of(line)]) > 1) for line in lines]


def plain_peel(forms: list[str], places: dict[str, str], turns: list[bool]) -> list[bool]:
    """Which lines go, by the words of `peel`'s description."""
    known = ["own" if turn else places.get(form, "own") for form, turn in zip(forms, turns, strict=True)]
    gone = [place == "anywhere" for place in known]
    ends = []
    for order in (range(len(forms)), range(len(forms) - 1, -1, -1)):
        run: list[int] = []
        last = 0
        for i in order:
            if forms[i] and known[i] == "own":
                break
            run.append(i)
            last = len(run) if known[i] in ("edge", "anywhere") else last
        ends.append(run[:last])
    for i in {*ends[0], *ends[1]}:
        gone[i] = True
    return gone


def plain_table(texts: Sequence[str], passages: Passages) -> dict[str, tuple[int, str]]:
    """Form -> (witnesses, place) of the lines that a source's table holds, patterns of protected lines aside."""
    least = max(passages.min_documents, math.ceil(passages.min_share * len(texts)))
    inner = max(passages.min_documents, math.ceil(passages.inner_share * len(texts)))
    documents = [forms_and_turns(text) for text in texts]
    held = Counter(form for lines in documents for form in {f for f, turn in lines if f and not turn})
    candidates = {form for form, times in held.items() if times >= least}
    usual = {form: "edge" if len(form) >= passages.min_chars else "within" for form in candidates}
    everywhere, at_edge = defaultdict(set), defaultdict(set)
    for lines in documents:
        own = [form for form, turn in lines if form and (turn or form not in candidates)]
        if 2 * sum(map(len, own)) < sum(len(form) for form, _ in lines) or not own:
            continue
        longest = max(map(len, own))
        witness = max({form for form in own if len(form) == longest}, key=hash_of)
        gone = plain_peel([form for form, _ in lines], usual, [turn for _, turn in lines])
        for (form, turn), edge in zip(lines, gone, strict=True):
            if form in candidates and not turn:
                everywhere[form].add(witness)
                if edge:
                    at_edge[form].add(witness)
    found = {}
    for form in candidates:
        if len(everywhere[form]) >= inner and len(form) >= passages.inner_chars:
            found[form] = (len(everywhere[form]), "anywhere")
        elif len(at_edge[form]) >= least:
            found[form] = (len(everywhere[form]), usual[form])
    return found


def hash_of(form: str) -> int:
    """The hash that a table knows a form by."""
    return int(Lines.of(CodePoints.of(pa.array([form]))).hashes[0])


def rows_of(table: Table) -> dict[str, tuple[int, str]]:
    """The rows of a table by the hash of the line."""
    rows = [row.split("\t") for row in Path(table.path).read_text("utf-8").splitlines()[1:]]
    assert rows == sorted(rows)
    return {line: (int(documents), place) for line, documents, place in rows}
