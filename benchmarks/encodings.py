"""How often a piece of real text is read in its right encoding, by encoding and by length of the piece.

    python benchmarks/encodings.py FOLDER [--pieces 200] > benchmarks/encodings.md

FOLDER: text files in UTF-8, such as examples/sample/raw (statutes, public domain). Each piece begins at a character, is
written in the encoding without a mark, and cut after so many bytes, be it inside a character. It is right when all its
whole characters come back. Pieces with a character the encoding lacks are left out, and so are those of ASCII alone.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from pipeline.readers.commonness import commonness
from pipeline.readers.encoding import BinaryContent, decode, detect

ENCODINGS = ("utf-8", "gb18030", "hz", "cp950", "big5hkscs", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
SIZES = (20, 50, 200, 1000)


def texts(folder: Path) -> Iterator[str]:
    """Yield the files that are UTF-8 and Chinese, which those read wrongly before are not."""
    for path in sorted(folder.glob("**/*.txt")):
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        if commonness(text) >= 0.75:
            yield text


def pieces(found: list[str], codec: str, size: int, count: int) -> Iterator[tuple[bytes, str]]:
    """Yield pieces of so many bytes with their whole characters."""
    dice = random.Random(f"{codec} {size}")
    made = 0
    for _ in range(20 * count):
        text = dice.choice(found)
        begin = dice.randrange(max(1, len(text) - size // 2))
        try:
            data = text[begin : begin + size].encode(codec)[:size]
        except UnicodeEncodeError:
            continue
        whole = data.decode(codec, "ignore")
        if len(data) < size or whole.isascii():
            continue
        yield data, whole
        made += 1
        if made == count:
            return


def is_right(data: bytes, whole: str) -> bool:
    """Say whether the characters come back."""
    try:
        return decode(data, detect(data)).startswith(whole.rstrip("~{"))
    except BinaryContent:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pieces", type=int, default=200)
    args = parser.parse_args()
    found = list(texts(args.folder))
    print(f"# Encodings of pieces\n\nShare read rightly, {args.pieces} pieces each; without a byte order mark.\n")
    print("| encoding | " + " | ".join(f"{size} bytes" for size in SIZES) + " |\n|---|" + "---|" * len(SIZES))
    for codec in ENCODINGS:
        shares = []
        for size in SIZES:
            results = [is_right(*piece) for piece in pieces(found, codec, size, args.pieces)]
            shares.append(f"{sum(results) / len(results):.3f}" if results else "none")
        print(f"| {codec} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
