"""Make bad text: what a crawl brings that nobody should learn from, varied, from a grammar and from real text.

Kinds: `ads`, `casino`, `adult`, `seo`, `menu`, `list`, `fragments`, `repeated`, `mojibake`, `mixed` (real text between
advertising), `spun` (real text with words replaced by others), and what only the order of words gives away: `shuffled`
and `babble`. Each text is drawn from a seed. Trade: made text has less variety than the web; the grammar holds what
such pages are put together from, not pages that somebody wrote.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import rjieba

Random = np.random.Generator
_SLOT = re.compile(r"<(\w+)>")
_DIGIT, _LETTER = re.compile("N"), re.compile("A")
_SEPARATORS = (" ", "，", ",", "、", "|", " | ", "\n", "_", "-", "/", " / ", "；", "·", "\t", "  ", "+", "#")
# What a text was written in, and what it was read as.
_WRONG = (("utf-8", "gb18030"), ("gb18030", "big5"), ("utf-8", "latin-1"), ("big5", "gb18030"), ("gb18030", "latin-1"))


@cache
def grammar() -> dict[str, list[str]]:
    """Return the rules of advertising.txt."""
    lines = (Path(__file__).parent / "advertising.txt").read_text("utf-8").splitlines()
    rules = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {name: right.split(" | ") for name, _, right in rules}


def one_of(options: Sequence[str], random: Random) -> str:
    """Return one of the options."""
    return options[int(random.integers(len(options)))]


def say(rule: str, random: Random) -> str:
    """Return a phrase of a rule; N becomes a digit and A a letter, the same words of a brand stay within a phrase."""
    text = one_of(grammar()[rule], random)
    while match := _SLOT.search(text):
        text = text[: match.start()] + one_of(grammar()[match[1]], random) + text[match.end() :]
    if rule in ("contact", "offer", "casinoclaim", "adultclaim", "loanclaim", "menu") or "N" in text or "A" in text:
        text = _DIGIT.sub(lambda _: str(random.integers(0, 10)), text)
        text = re.sub(r"(?<![A-Z])A+(?![A-Z])", lambda m: "".join(chr(97 + random.integers(26)) for _ in m[0]), text)
    return text


def joined(rules: tuple[str, ...], random: Random, least: int = 60, most: int = 1_200) -> str:
    """Return phrases of rules, one after the other, up to a length drawn from least to most."""
    length = int(np.exp(random.uniform(np.log(least), np.log(most))))
    between = str(random.choice(["\n", "", " ", "\n\n", "。", "，"], p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05]))
    bounds = np.cumsum(random.dirichlet(np.ones(len(rules))))[:-1]
    parts: list[str] = []
    while sum(map(len, parts)) < length:
        parts.append(say(rules[int(np.searchsorted(bounds, random.random()))], random))
    return between.join(parts)


def disguised(text: str, random: Random) -> str:
    """Return advertising as senders hide it: marks between characters, or words in another script."""
    if random.random() < 0.85:
        return text
    mark = str(random.choice(["", " ", ".", "*", "~", "/", "、"]))
    return "".join(c + mark if random.random() < 0.3 else c for c in text)


def ads(_: list[str], random: Random) -> str:
    rules = (("ad",), ("long",), ("ad", "long", "pitch"), ("job", "ad"), ("loan", "ad"), ("job",), ("loan",), ("game",))
    chosen = rules[int(random.choice(len(rules), p=[0.25, 0.25, 0.2, 0.05, 0.05, 0.05, 0.05, 0.1]))]
    return disguised(joined(chosen, random), random)


def casino(_: list[str], random: Random) -> str:
    rules = (
        ("casinopage", "casinopage", "casinoclaim"),
        ("casinopage", "casino", "casinobrand"),
        ("casinopage", "adultpage"),
    )
    return disguised(joined(rules[int(random.integers(len(rules)))], random), random)


def adult(_: list[str], random: Random) -> str:
    rules = (("adultpage", "adultpage", "adultclaim", "adult"), ("adultpage",), ("adult", "adultclaim"))
    return disguised(joined(rules[int(random.integers(len(rules)))], random), random)


def seo(real: list[str], random: Random) -> str:
    """Return a doorway page: search phrases, sometimes of one subject, sometimes woven into real sentences."""
    if random.random() < 0.4:
        subject, text = say("item", random), joined(("seo", "seopage"), random)
        return text if random.random() < 0.3 else re.sub("|".join(grammar()["item"]), subject, text)
    if random.random() < 0.4:
        words = [say("item", random) for _ in range(int(random.integers(2, 6)))]
        sentences = sentences_of(real, random, 8)
        keys = [str(random.choice(words)) for _ in sentences]
        parts = (f"{one.rstrip('。')}{key}，{random.choice(words)}" for one, key in zip(sentences, keys, strict=True))
        return "".join(parts)
    words = sorted({word for word in rjieba.cut(drawn(real, random), False) if len(word) > 1 and word.isalpha()})
    most = min(len(words), int(random.integers(4, 30)))
    few = random.choice(words, most, replace=False).tolist() if words else ["价格"]
    return str(random.choice(_SEPARATORS)).join(random.choice(few, int(random.integers(20, 250))).tolist())


def menu(_: list[str], random: Random) -> str:
    return str(random.choice(_SEPARATORS)).join(say("menu", random) for _ in range(int(random.integers(12, 120))))


def listing(real: list[str], random: Random) -> str:
    """Return rows that a machine wrote: names, numbers, dates."""
    words = [word for word in rjieba.cut(drawn(real, random), False) if len(word) > 1] or ["数据"]
    number: list[Callable[[], str]] = [
        lambda: str(random.integers(10 ** int(random.integers(1, 9)))),
        lambda: f"{random.integers(1990, 2026)}-{random.integers(1, 13):02}-{random.integers(1, 29):02}",
        lambda: f"{random.random() * 1000:.2f}",
        lambda: str(random.choice(words)),
        lambda: say("place", random) + say("brand", random),
        lambda: f"{chr(65 + random.integers(26))}{random.integers(1000, 99999)}",
    ]
    columns = random.choice(len(number), int(random.integers(2, 7)))
    mark = str(random.choice(_SEPARATORS))
    return "\n".join(mark.join(number[n]() for n in columns) for _ in range(int(random.integers(8, 60))))


def fragments(real: list[str], random: Random) -> str:
    """Return scraps of many texts, two to nine characters each, without an end."""
    mark, parts = str(random.choice([*_SEPARATORS, "…", "...", ""])), []
    for _ in range(int(random.integers(15, 120))):
        text = drawn(real, random)
        begin = int(random.integers(0, max(1, len(text) - 9)))
        parts.append(text[begin : begin + int(random.integers(2, 10))].replace("\n", ""))
    return mark.join(parts)


def repeated(real: list[str], random: Random) -> str:
    """Return few sentences again and again, with words or numbers changed between."""
    few = sentences_of(real, random, int(random.integers(1, 4)))
    slots = [say(str(random.choice(["item", "place", "brand", "seo"])), random) for _ in range(8)]
    lines = []
    for n in range(int(random.integers(6, 60))):
        line = str(random.choice(few))
        at = int(random.integers(0, len(line) + 1))
        lines.append(line[:at] + str(random.choice(slots)) + line[at:] if random.random() < 0.6 else f"{n + 1}{line}")
    return str(random.choice(["\n", ""])).join(lines)


def mojibake(real: list[str], random: Random) -> str:
    """Return real text written in one encoding and read in another, as a whole or from some place on."""
    written, read = _WRONG[int(random.integers(len(_WRONG)))]
    text = drawn(real, random)
    at = 0 if random.random() < 0.6 else int(random.integers(0, len(text) // 2 + 1))
    return text[:at] + text[at:].encode(written, "replace").decode(read, "replace")


def mixed(real: list[str], random: Random) -> str:
    """Return a page whose real sentences are outweighed by advertising."""
    rules = [("ad", "pitch"), ("casinopage", "casino"), ("adultpage", "adult"), ("seopage", "seo"), ("loan",)]
    chosen = rules[int(random.choice(len(rules), p=[0.3, 0.25, 0.2, 0.15, 0.1]))]
    parts = []
    for one in sentences_of(real, random, int(random.integers(2, 9))):
        parts += [one] + [say(str(random.choice(chosen)), random) for _ in range(int(random.integers(1, 4)))]
    return str(random.choice(["", "\n"])).join(parts)


def spun(real: list[str], random: Random) -> str:
    """Return real text of which many words were replaced by words of other texts, as spinning programs do."""
    words = list(rjieba.cut(drawn(real, random), False))
    others = [word for word in rjieba.cut(drawn(real, random), False) if len(word) > 1] or ["东西"]
    share = random.uniform(0.3, 0.8)
    return "".join(one_of(others, random) if len(w) > 1 and random.random() < share else w for w in words)


def shuffled(real: list[str], random: Random) -> str:
    """Return the words (or characters) of a text in another order: of the whole, of clauses, or of a few places."""
    text = drawn(real, random)
    words = list(text) if random.random() < 0.15 else list(rjieba.cut(text, False))
    reach = random.choice([0, 0, 12, 40, 100])
    if reach == 0:
        return "".join(np.array(words, object)[random.permutation(len(words))])
    keys = np.arange(len(words)) + random.uniform(0, reach, len(words))
    return "".join(np.array(words, object)[np.argsort(keys)])


def babble(real: list[str], random: Random) -> str:
    """Return what a Markov chain of words or characters says that read a few texts."""
    texts = [drawn(real, random) for _ in range(int(random.integers(2, 12)))]
    kind = random.random()
    tokens = [list(rjieba.cut(text, False)) if kind < 0.6 else list(text) for text in texts]
    after: dict[str, list[str]] = defaultdict(list)
    for line in tokens:
        for one, two in pairwise(line):
            after[one].append(two)
    everything = [token for line in tokens for token in line]
    said = [one_of(everything, random)]
    for _ in range(int(random.integers(40, 500))):
        said.append(one_of(after.get(said[-1]) or everything, random))
    return "".join(said)


def drawn(real: list[str], random: Random, most: int = 1_500) -> str:
    """Return a piece of one of the texts."""
    text = real[int(random.integers(len(real)))]
    return text[: int(np.exp(random.uniform(np.log(80), np.log(most))))]


def sentences_of(real: list[str], random: Random, count: int) -> list[str]:
    """Return sentences of the texts, in any order."""
    found: list[str] = []
    while len(found) < count:
        found += [one for one in re.split(r"(?<=[。！？\n])", drawn(real, random)) if len(one.strip()) > 5][:count]
    return [found[n] for n in random.permutation(len(found))[:count]]


KINDS: dict[str, Callable[[list[str], Random], str]] = {
    "ads": ads,
    "casino": casino,
    "adult": adult,
    "seo": seo,
    "menu": menu,
    "list": listing,
    "fragments": fragments,
    "repeated": repeated,
    "mojibake": mojibake,
    "mixed": mixed,
    "spun": spun,
    "shuffled": shuffled,
    "babble": babble,
}


def spoil(real: list[str], kind: str, count: int, seed: int) -> list[str]:
    """Return `count` bad texts of a kind, each of 50 characters or more."""
    random = np.random.default_rng([seed, list(KINDS).index(kind)])
    found: list[str] = []
    while len(found) < count:
        text = KINDS[kind](real, random)
        if len(text) >= 50:
            found.append(text[:3_000])
    return found
