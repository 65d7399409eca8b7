"""What `passages` removes of planted page furniture, and of lines that nobody planted, on the near-duplicate set.

    python benchmarks/passages.py SHARED > benchmarks/passages.md

SHARED is the folder of the evaluation sets. Its documents are counted as one source, or each of its sources by itself.
`planted removed` is a share of characters: lines that a variant with planted furniture has and its parent has not.
The other columns count lines removed that nobody planted; variants in which furniture was edited further are left out.
Below the table the most frequent of these lines stand, to be judged by eye.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from pipeline.clean.passages import Passages as Step
from pipeline.passages.counting import CountJob, count_lines
from pipeline.passages.freezing import FreezeJob, freeze
from pipeline.storage import write_parquet
from schemas.document import DOCUMENT
from schemas.recipe import Passages

KINDS = {
    "statutes": {"laws-cn", "laws-tw"},
    "verse, classics": {"poetry", "classical", "classical-modern", "tcm-books"},
    "dialogue": {"kdconv", "crosswoz"},
}
CASES: tuple[tuple[bool, dict[str, Any]], ...] = (
    (True, {}),
    (True, {"min_documents": 10, "min_share": 0.0002}),
    (False, {}),
    (False, {"min_documents": 10}),
    (False, {"min_documents": 5}),
    (False, {"min_chars": 4}),
    (False, {"inner_share": 0.02, "inner_chars": 15}),
)
MEMORY = 2 << 30


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a compressed file of JSON lines."""
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def lines_in(text: str) -> Counter[str]:
    """Return the lines of a text that are not blank, with how often each stands there."""
    return Counter(line.strip() for line in text.split("\n") if line.strip())


def planted_in(rows: list[dict[str, Any]], truth: list[dict[str, Any]]) -> dict[str, Counter[str] | None]:
    """Return the planted lines of each variant that has some; None where they cannot be told from other edits."""
    texts = {row["id"]: row["text"] for row in rows}
    found: dict[str, Counter[str] | None] = {}
    for row in truth:
        if "boiler" in row["edit"]:
            parent = texts.get(row["parent"])
            plain = parent is not None and parent in texts[row["id"]] and not row["edit"].startswith("compound")
            found[row["id"]] = lines_in(texts[row["id"]]) - lines_in(parent) if plain and parent else None
    return found


def removed_from(
    rows: list[dict[str, Any]], passages: Passages, folder: Path
) -> Iterator[tuple[str, str, Counter[str]]]:
    """Count, freeze and clean one source; yield id, source and the removed lines of each document that lost some."""
    records = [
        {"id": f"{n:032x}", "text": row["text"], "source": "s", "uri": row["id"], "record": n}
        for n, row in enumerate(rows)
    ]
    documents = pa.RecordBatch.from_pylist(records, DOCUMENT)
    write_parquet(folder / "read/documents.parquet", DOCUMENT, [documents])
    count_lines(CountJob(folder / "lines", folder / "read", MEMORY))
    job = FreezeJob(folder / "frozen", "s", (folder / "lines",), (folder / "read",), passages, MEMORY)
    freeze(job)
    texts = Step().frozen([job.table("internal")]).clean(documents).column("text").to_pylist()
    for row, text in zip(rows, texts, strict=True):
        if text != row["text"]:
            yield row["id"], row["source"], lines_in(row["text"]) - lines_in(text)


def measure(rows: list[dict[str, Any]], planted: dict[str, Any], case: dict[str, Any], *, one: bool) -> Any:
    """Return the share of planted characters removed, and the other removed lines by source and text."""
    sources = {"": rows} if one else {s: [r for r in rows if r["source"] == s] for s in {r["source"] for r in rows}}
    found, lost = 0, Counter[tuple[str, str]]()
    for part in sources.values():
        with tempfile.TemporaryDirectory() as folder:
            for id, source, gone in removed_from(part, Passages(**case), Path(folder)):
                if (own := planted.get(id, Counter())) is None:
                    continue
                found += sum(len(line) * times for line, times in (gone & own).items())
                for line, times in (gone - own).items():
                    lost[source, line] += times
    total = sum(len(line) * times for lines in planted.values() if lines for line, times in lines.items())
    return found / total, lost


def main() -> None:
    """Print the table, and what was removed that nobody planted."""
    folder = Path(sys.argv[1]) / "data" / "neardup"
    rows = rows_of(folder / "docs.jsonl.zst")
    planted = planted_in(rows, rows_of(folder / "truth.jsonl.zst"))
    print("<!-- made by benchmarks/passages.py -->")
    known = sum(lines is not None for lines in planted.values())
    print(f"{len(rows):,} documents, {known:,} with planted furniture.\n")
    print("| counted as | changed | planted removed | " + " | ".join(KINDS) + " | other sources |")
    print("|" + "---|" * (4 + len(KINDS)))
    told = Counter[tuple[str, str]]()
    for one, case in CASES:
        share, lost = measure(rows, planted, case, one=one)
        told |= lost
        kinds = [sum(n for (source, _), n in lost.items() if source in names) for names in KINDS.values()]
        cells = ["one source" if one else "31 sources", json.dumps(case)[1:-1].replace('"', "`") or "nothing"]
        cells += [f"{share:.3f}", *map(str, kinds), str(lost.total() - sum(kinds))]
        print("| " + " | ".join(cells) + " |", flush=True)
    print("\nLines that nobody planted, removed in any of these, with the most documents that lost one:\n")
    for (source, line), times in told.most_common(60):
        print(f"- {times} {source}: `{line[:60].replace('`', '')}`")


if __name__ == "__main__":
    main()
