"""What each option of the match form does to recall and precision, on the near-duplicate evaluation set.

    python benchmarks/match_forms.py SHARED > benchmarks/match_forms.md

SHARED is the folder of the evaluation sets and their scorers. Each row is `yuliao dedup --match OPTION`, scored by
`tools/score_neardup.py`, whose own match form is the default one, so for other forms `precision` counts what the
default form would not call a near-duplicate. Two controls look at plain texts only: removed documents whose plain
5-gram Jaccard with the survivor is below 0.8, and those that differ from the survivor in digits and in nothing else.
"""

import json
import re
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import pyarrow.parquet as pq
import zstandard

OPTIONS = (
    "script=fold",
    "script=keep",
    "width=keep",
    "punctuation=keep",
    "digits=zero",
    "digits=drop",
    "script=keep,width=keep,punctuation=keep",
)
EDITS = ("simp_trad", "width", "punctuation", "whitespace", "date_number")


def texts(folder: Path) -> dict[str, str]:
    """Return the documents of the set by id."""
    with zstandard.open(folder / "docs.jsonl.zst", "rt", encoding="utf-8") as lines:
        return {row["id"]: row["text"] for row in map(json.loads, lines)}


def plain_jaccard(one: str, other: str) -> float:
    """Return the Jaccard of the character 5-grams after NFKC, without white space."""
    sets = []
    for text in (one, other):
        form = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
        sets.append({form[i : i + 5] for i in range(len(form) - 4)} or {form})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def only_digits_differ(one: str, other: str) -> bool:
    """Say whether two texts are equal but for the values of their numbers."""
    return one != other and re.sub(r"\d+", "0", one) == re.sub(r"\d+", "0", other)


def measure(option: str, shared: Path, documents: dict[str, str]) -> list[str]:
    """Return the cells of one row."""
    folder = shared / "data" / "neardup"
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "flows.cli", "dedup", folder / "docs.jsonl.zst", "-o", out, "--match", option]
        subprocess.run(command, check=True, capture_output=True)
        scorer = [sys.executable, shared / "tools" / "score_neardup.py", folder, out, "--json"]
        scored = json.loads(subprocess.run(scorer, check=True, capture_output=True).stdout)
        rows = pq.read_table(Path(out) / "duplicates.parquet", columns=["id", "survivor_id"]).to_pylist()
    score = scored["score"]
    pairs = [(documents[row["id"]], documents[row["survivor_id"]]) for row in rows]
    unlike = sum(plain_jaccard(*pair) < 0.8 for pair in pairs)
    digits = sum(only_digits_differ(*pair) for pair in pairs)
    resolved = {row["edit"]: row["resolved"] for row in scored["tables"]["planted variants resolved"]}
    names = ("precision", "pair_resolved_080", "pair_resolved_both_080", "wording_kept_recall")
    cells = [f"`{option}`" + (" (default)" if option == OPTIONS[0] else ""), f"{len(rows):,}"]
    cells += [f"{float(score[name]):.4f}" for name in names]
    cells += [f"{float(resolved[edit]):.3f}" for edit in EDITS]
    return [*cells, str(unlike), str(digits)]


def main() -> None:
    """Print the table."""
    shared = Path(sys.argv[1])
    documents = texts(shared / "data" / "neardup")
    head = ["option", "removed", "precision", "pairs ≥ .8", "pairs ≥ .8, both forms", "wording kept"]
    head += [*EDITS, "removed, plain Jaccard < .8", "removed, only digits differ"]
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for option in OPTIONS:
        print("| " + " | ".join(measure(option, shared, documents)) + " |", flush=True)


if __name__ == "__main__":
    main()
