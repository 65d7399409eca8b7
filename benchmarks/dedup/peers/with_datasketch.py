"""datasketch: `MinHash.generator` (what `bulk` runs, without holding all) in its fastest scheme, with xxHash.

A 5-gram is a slice of the text's UTF-32, which spares encoding each. `MinHashLSH` gives candidates; as its
documentation advises, they are filtered by `MinHash.jaccard`. A document is removed when one that stays before it
passes.
"""

from datasketch import MinHash, MinHashLSH
from documents import PERMUTATIONS, SHINGLE, THRESHOLD, read, write
from xxhash import xxh32_intdigest

BANDS, ROWS = 25, 5


def shingles(text: str) -> list[bytes]:
    """Return the character 5-grams of a text, 4 bytes a character."""
    points, width = text.encode("utf-32-le"), 4 * SHINGLE
    return [points[at : at + width] for at in range(0, max(len(points) - width, 0) + 1, 4)]


def main() -> None:
    ids, texts = read()
    lsh = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    stay: dict[int, MinHash] = {}
    removed = []
    settings = {"num_perm": PERMUTATIONS, "hashfunc": xxh32_intdigest, "scheme": "affine32"}
    for row, minhash in enumerate(MinHash.generator(map(shingles, texts), **settings)):
        if any(stay[other].jaccard(minhash) >= THRESHOLD for other in lsh.query(minhash)):
            removed.append(ids[row])
        else:
            lsh.insert(row, minhash, check_duplication=False)
            stay[row] = minhash
    write(removed)


if __name__ == "__main__":
    main()
