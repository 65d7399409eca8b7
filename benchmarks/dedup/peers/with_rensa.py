"""rensa: `RMinHashDeduplicator.add_pairs`, the way of its README to keep unique documents; candidates are checked."""

from documents import PERMUTATIONS, THRESHOLD, read, shingles, write
from rensa import RMinHashDeduplicator

BANDS = 32  # a divisor of 128; its own choice at 0.8, 8 bands of 16, finds one pair in five there


def main() -> None:
    ids, texts = read()
    deduplicator = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=PERMUTATIONS, use_lsh=True, num_bands=BANDS)
    keep = deduplicator.add_pairs((id, shingles(text)) for id, text in zip(ids, texts, strict=True))
    write([id for id, kept in zip(ids, keep, strict=True) if not kept])


if __name__ == "__main__":
    main()
