"""What the cleaner `personal` finds that is personal, and what it takes for personal by mistake.

    python benchmarks/personal.py [SHARED] > benchmarks/personal.md

Numbers are made with a seed, valid ones and near misses, and set into sentences of the bundled statutes; the near
misses are numbers of the same shape whose check digit, date, prefix or word is wrong, and numbers of other kinds. Found
means with the exact span and type. Then every type is looked for in statutes as they are, which hold no personal data:
those of the bundled sample, and those of SHARED, the folder of the evaluation sets, where given. Made numbers say
nothing about how people write their own.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pipeline.clean.personal import DEFAULT
from pipeline.personal import checks
from pipeline.personal.patterns import TYPES, Type, find

STATUTES = Path(__file__).parent.parent / "examples" / "sample" / "raw"
NUMBERS = 2_000
WORDS = {"identity_card": "身份证号", "social_credit": "统一社会信用代码", "bank_card": "银行卡号", "mobile": "手机"}
OTHERS: tuple[Callable[[random.Random], str], ...] = (
    lambda chance: "978" + digits(chance, 10),
    lambda chance: f"2023{digits(chance, 14)}",
    lambda chance: digits(chance, 18),
    lambda chance: "".join(chance.choices("0123456789ABCDEF", k=18)),
    lambda chance: "17" + digits(chance, 11),
)


def digits(chance: random.Random, count: int) -> str:
    """Return digits drawn at random."""
    return "".join(chance.choices("0123456789", k=count))


def identity_card(chance: random.Random) -> str:
    first = chance.choice(sorted(checks.regions())) + digits(chance, 4)
    first += f"{chance.randint(1940, 2015)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}{digits(chance, 3)}"
    return first + checks.identity_digit(first)


def social_credit(chance: random.Random) -> str:
    code = "".join(chance.choices(checks.CREDIT, k=8))
    first = chance.choice(("91", "92", "12")) + chance.choice(sorted(checks.regions())) + digits(chance, 4) + code
    first += checks.organisation_digit(code)
    return first + checks.credit_digit(first)


def bank_card(chance: random.Random) -> str:
    first = "62" + digits(chance, chance.choice((13, 14, 16)))
    return first + checks.luhn_digit(first)


def mobile(chance: random.Random) -> str:
    return chance.choice(("138", "159", "186", "199", "177")) + digits(chance, 8)


MAKERS: dict[Type, Callable[[random.Random], str]] = {
    "identity_card": identity_card,
    "social_credit": social_credit,
    "bank_card": bank_card,
    "mobile": mobile,
}


def broken(kind: Type, number: str, chance: random.Random) -> str:
    """Return the number with another last character, or for a mobile number with a prefix that is not in use."""
    if kind == "mobile":
        return chance.choice(("154", "140", "160", "194")) + number[3:]
    signs = checks.CREDIT if kind == "social_credit" else "0123456789"
    return number[:-1] + chance.choice([sign for sign in signs if sign != number[-1]])


def written(number: str, chance: random.Random) -> str:
    """Return the number as it is, or in full-width digits."""
    return number if chance.random() < 0.8 else "".join(chr(ord(char) + 0xFEE0) for char in number)


def accuracy(kind: Type, sentences: list[str]) -> list[str]:
    """Return the cells of a row: valid numbers, found, recall, near misses, found among them, precision."""
    chance = random.Random(11)
    found = wrong = 0
    for place in range(NUMBERS):
        before, after = chance.choice(sentences), chance.choice(sentences)
        number = written(MAKERS[kind](chance), chance)
        label = (
            WORDS[kind] + chance.choice(("", "：", "为", " ")) if kind == "bank_card" or chance.random() < 0.5 else "，"
        )
        start = len(before) + len(label)
        spans = find(before + label + number + chance.choice("。，；）\n") + after, DEFAULT)
        found += [(s.type, s.start, s.end) for s in spans] == [(kind, start, start + len(number))]
        miss = broken(kind, MAKERS[kind](chance), chance) if place % 2 else chance.choice(OTHERS)(chance)
        wrong += any(s.type == kind for s in find(f"{before}{label}{miss}。{after}", DEFAULT))
    recall, precision = found / NUMBERS, found / max(found + wrong, 1)
    return [
        f"`{kind}`",
        f"{NUMBERS:,}",
        f"{found:,}",
        f"{recall:.4f}",
        f"{NUMBERS:,}",
        f"{wrong:,}",
        f"{precision:.4f}",
    ]


def sample_statutes() -> list[str]:
    """Return the bundled texts of law."""
    texts = []
    for path in sorted(STATUTES.rglob("*")):
        if path.is_file() and path.suffix in (".txt", ".md"):
            text = path.read_bytes().decode("utf-8", "replace")
            if "第一条" in text:
                texts.append(text)
    return texts


def shared_statutes(shared: Path) -> list[str]:
    """Return the documents of the near-duplicate set that have articles: statutes and their copies."""
    import orjson
    import zstandard

    with zstandard.open(shared / "data" / "neardup" / "docs.jsonl.zst", "rt", encoding="utf-8") as lines:
        texts = [orjson.loads(line)["text"] for line in lines]
    return [text for text in texts if "第一条" in text and "第二条" in text]


def mistakes(name: str, texts: list[str]) -> list[str]:
    """Return the cells of a row: documents, characters, finds per million characters of every type."""
    size = sum(map(len, texts))
    counts = Counter(span.type for text in texts for span in find(text))
    per = [f"{counts[kind] / size * 1e6:.2f} ({counts[kind]})" for kind in TYPES]
    return [name, f"{len(texts):,}", f"{size:,}", *per]


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    print("\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)) + "\n")


def main() -> None:
    """Print the tables."""
    sets = {"bundled sample": sample_statutes()}
    if len(sys.argv) > 1:
        sets["near-duplicate set"] = shared_statutes(Path(sys.argv[1]))
    sentences = [part for text in sets["bundled sample"] for part in text.split("\n") if 20 < len(part) < 200]
    print("<!-- made by benchmarks/personal.py -->\n")
    head = ["type", "valid", "found", "recall", "near misses", "found", "precision"]
    table(head, [accuracy(kind, sentences) for kind in MAKERS])
    print("Finds per million characters of statutes, in parentheses how many:\n")
    table(["texts", "documents", "characters", *TYPES], [mistakes(name, texts) for name, texts in sets.items()])


if __name__ == "__main__":
    main()
