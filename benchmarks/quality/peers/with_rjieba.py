"""rjieba alone: JSON lines are read and the first characters of every text cut into words, in one process.

python with_rjieba.py CHARACTERS FILE.jsonl...
"""

import json
import sys
from pathlib import Path

import rjieba


def main() -> None:
    words = 0
    for file in sys.argv[2:]:
        with Path(file).open(encoding="utf-8") as lines:
            for line in lines:
                words += len(rjieba.cut(json.loads(line)["text"][: int(sys.argv[1])], False))
    sys.stdout.write(f"{words} words\n")


if __name__ == "__main__":
    main()
