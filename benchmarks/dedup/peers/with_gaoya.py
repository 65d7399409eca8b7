"""gaoya: `MinHashStringIndex`, which cuts and hashes inside Rust, filled and asked on all cores.

The index checks candidates by their estimate. A document is removed when one that stays before it is found.
"""

from documents import SHINGLE, THRESHOLD, read, write
from gaoya.minhash import MinHashStringIndex

BANDS, ROWS = 25, 5
BATCH = 10_000


def main() -> None:
    ids, texts = read()
    index = MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=THRESHOLD,
        num_bands=BANDS,
        band_size=ROWS,
        analyzer="char",
        ngram_range=(SHINGLE, SHINGLE),
        id_container="smallvec",
    )
    gone: set[int] = set()
    for start in range(0, len(texts), BATCH):
        some = texts[start : start + BATCH]
        index.par_bulk_insert_docs(list(range(start, start + len(some))), some)
    for start in range(0, len(texts), BATCH):
        found = index.par_bulk_query(texts[start : start + BATCH])
        for row, others in enumerate(found, start):
            if any(other < row and other not in gone for other in others):
                gone.add(row)
    write([id for row, id in enumerate(ids) if row in gone])


if __name__ == "__main__":
    main()
