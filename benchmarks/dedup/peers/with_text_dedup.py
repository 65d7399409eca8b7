"""text-dedup: its command `python -m text_dedup.minhash` on two processes.

It splits at what is no word character, so Chinese needs spaces between the characters; the others, which would count
as empty words, are left out. Bands are those it computes for the threshold.
"""

import re
import subprocess
import sys

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from documents import FILES, OUT, PERMUTATIONS, SHINGLE, THRESHOLD, read, write


def main() -> None:
    ids, texts = read()
    OUT.mkdir(parents=True)
    spaced = [" ".join(re.findall(r"\w", text)) for text in texts]
    pq.write_table(pa.table({"id": ids, "text": spaced}), OUT / "spaced.parquet")
    options = {
        "path": "parquet",
        "data_files": OUT / "spaced.parquet",
        "split": "train",
        "cache_dir": OUT / "cache",
        "output": OUT / "kept",
        "column": "text",
        "ngram": SHINGLE,
        "num_perm": PERMUTATIONS,
        "threshold": THRESHOLD,
        "hash_func": "xxh3",
        "num_proc": len(FILES),
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", "text_dedup.minhash", *arguments], check=True)
    kept = set(datasets.load_from_disk(str(OUT / "kept"))["id"])
    write([id for id in ids if id not in kept])


if __name__ == "__main__":
    main()
