"""rensa's rho pipeline, what its headline figures are about: a matrix of sampled sketches, one call for all flags.

It marks every member of a group and keeps none, so it is judged by whether any other document resembles a marked one.
"""

from documents import PERMUTATIONS, THRESHOLD, read, shingles, write
from rensa import RMinHash, RMinHashLSH

BANDS = 32
SEED = 42


def main() -> None:
    ids, texts = read()
    matrix = RMinHash.digest_matrix_from_token_sets_rho(map(shingles, texts), PERMUTATIONS, SEED)
    lsh = RMinHashLSH(THRESHOLD, PERMUTATIONS, BANDS)
    flags = lsh.query_duplicate_flags_matrix_one_shot(matrix)
    write([id for id, flag in zip(ids, flags, strict=True) if flag])


if __name__ == "__main__":
    main()
