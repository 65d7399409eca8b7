"""What every peer's script needs: the documents, and where removed ids go.

The scripts run alone, each in the environment of its peer: `python with_PEER.py OUT FILE...`.
"""

import sys
from pathlib import Path

OUT, FILES = Path(sys.argv[1]), sys.argv[2:]
THRESHOLD, PERMUTATIONS, SHINGLE = 0.8, 128, 5


def read() -> tuple[list[str], list[str]]:
    """Return ids and texts."""
    import pyarrow.parquet as pq

    ids: list[str] = []
    texts: list[str] = []
    for file in FILES:
        table = pq.read_table(file, columns=["id", "text"])
        ids += table["id"].to_pylist()
        texts += table["text"].to_pylist()
    return ids, texts


def read_ids() -> list[str]:
    """Return ids."""
    import pyarrow.parquet as pq

    return [id for file in FILES for id in pq.read_table(file, columns=["id"])["id"].to_pylist()]


def shingles(text: str) -> list[str]:
    """Return the character 5-grams of a text."""
    return [text[at : at + SHINGLE] for at in range(max(len(text) - SHINGLE + 1, 1))]


def write(removed: list[str]) -> None:
    """Write the ids of removed documents, one a line."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "removed.txt").write_text("".join(f"{id}\n" for id in removed), "utf-8")
