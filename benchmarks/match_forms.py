"""What each option of the match form does to recall and precision, on the near-duplicate evaluation set.

    python benchmarks/match_forms.py SHARED > benchmarks/match_forms.md

SHARED is the folder of the evaluation sets and their scorers. Each row is `yuliao dedup --match OPTION`, scored by
`tools/score_neardup.py`, whose own match form is the default one, so for other forms `precision` counts what the
default form would not call a near-duplicate. The controls compare a removed document with its survivor, without any
match form: how many have a plain 5-gram Jaccard (NFKC, no white space) below 0.8, how many of these reach 0.8 once
digits are left out, so that only figures tell them apart, and how many are equal but for their figures. Each is
counted over all removed documents and over those that nobody planted: these are what a user would lose.
"""

import json
import re
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

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


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a compressed file of JSON lines."""
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def plain_jaccard(one: str, other: str, left_out: str = r"\s+") -> float:
    """Return the Jaccard of the character 5-grams after NFKC, without what the pattern `left_out` matches."""
    sets = []
    for text in (one, other):
        form = re.sub(left_out, "", unicodedata.normalize("NFKC", text))
        sets.append({form[i : i + 5] for i in range(len(form) - 4)} or {form})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def only_digits_differ(one: str, other: str) -> bool:
    """Say whether two texts are equal but for the values of their numbers."""
    return one != other and re.sub(r"\d+", "0", one) == re.sub(r"\d+", "0", other)


def controls(pairs: list[tuple[str, str, bool]]) -> list[str]:
    """Return the cells `all (not planted)` of three controls over pairs (removed, survivor, planted)."""
    found: list[list[bool]] = [[], [], []]
    for one, other, planted in pairs:
        if plain_jaccard(one, other) < 0.8:
            found[0].append(planted)
            if plain_jaccard(one, other, r"[\s\d]+") >= 0.8:
                found[1].append(planted)
        if only_digits_differ(one, other):
            found[2].append(planted)
    return [f"{len(planted):,} ({planted.count(False)})" for planted in found]


def measure(option: str, shared: Path, documents: dict[str, str], clusters: dict[str, str]) -> list[str]:
    """Return the cells of one row."""
    folder = shared / "data" / "neardup"
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "flows.cli", "dedup", folder / "docs.jsonl.zst", "-o", out, "--match", option]
        subprocess.run(command, check=True, capture_output=True)
        scorer = [sys.executable, shared / "tools" / "score_neardup.py", folder, out, "--json"]
        scored = json.loads(subprocess.run(scorer, check=True, capture_output=True).stdout)
        rows = pq.read_table(Path(out) / "duplicates.parquet", columns=["id", "survivor_id"]).to_pylist()
    score = scored["score"]
    ends = [(row["id"], row["survivor_id"]) for row in rows]
    planted = [clusters.get(one, one) == clusters.get(other, other) for one, other in ends]
    pairs = [(documents[one], documents[other], known) for (one, other), known in zip(ends, planted, strict=True)]
    resolved = {row["edit"]: row["resolved"] for row in scored["tables"]["planted variants resolved"]}
    names = ("precision", "pair_resolved_080", "pair_resolved_both_080", "wording_kept_recall")
    cells = [f"`{option}`" + (" (default)" if option == OPTIONS[0] else ""), f"{len(rows):,} ({planted.count(False)})"]
    cells += [f"{float(score[name]):.4f}" for name in names]
    cells += [f"{float(resolved[edit]):.3f}" for edit in EDITS]
    return [*cells, *controls(pairs)]


def main() -> None:
    """Print the table."""
    shared = Path(sys.argv[1])
    folder = shared / "data" / "neardup"
    documents = {row["id"]: row["text"] for row in rows_of(folder / "docs.jsonl.zst")}
    clusters = {row["id"]: row["cluster"] for row in rows_of(folder / "truth.jsonl.zst")}
    print("<!-- made by benchmarks/match_forms.py -->")
    print(f"{len(documents):,} documents. In parentheses: removed documents that nobody planted.\n")
    head = ["option", "removed", "precision", "pairs ≥ .8", "pairs ≥ .8, both forms", "wording kept", *EDITS]
    head += ["plain Jaccard < .8", "of these, only figures tell apart", "equal but for figures"]
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for option in OPTIONS:
        print("| " + " | ".join(measure(option, shared, documents, clusters)) + " |", flush=True)


if __name__ == "__main__":
    main()
