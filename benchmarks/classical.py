"""Train the weights that tell Classical from modern Chinese, on the texts in `classical_sources.tsv`.

    python benchmarks/classical.py REPOSITORIES TABLE [EXCLUDED...]

REPOSITORIES holds a clone of each repository as `owner+name`. TABLE is written: weights of characters and of pairs of
neighbours (see `pipeline.signals.classical`) by logistic regression, with a fixed seed. Pieces of text that share 13
Han characters in a row with an EXCLUDED file (JSON lines with `text`, compressed by zstd) are left out, so that a
measurement on that file stays fair. What is left out and how well the rest is told goes to stderr.

Trade: pieces of books are drawn at random, so a long book says no more than its row's share allows.
"""

import html
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import zstandard
from numba import njit

from pipeline.signals.classical import PUNCTUATION, SCALE, folds

SEED = 20260101
PIECE = 600
SHARED = 13
HAN = 0x2E80
PAIRS = 32_000
SAMPLES = 5_000_000
SHORTEST, LONGEST = 6.0, 50.0
RATE = 0.2
DECAY = 2e-7
MODERN_SIGNS = "的这们吗呢"
HEADER = """\
# Log-odds for Classical against modern written Chinese, natural logarithm times {scale}, rounded; folded to Simplified.
# Trained by benchmarks/classical.py on the texts in benchmarks/classical_sources.tsv: counts, no text of theirs.
# License: CC0-1.0. A comma stands for every mark of punctuation.
# characters in a row (0: before the first)\tweight\tthose that have it, end to end
"""

Tokens = npt.NDArray[np.uint16]


class Source(NamedTuple):
    """A row of the table of sources, and its text once it is read."""

    language: str
    share: float
    repository: str
    commit: str
    paths: str


def sources() -> list[Source]:
    """Return the rows of `classical_sources.tsv`."""
    lines = Path(__file__).with_name("classical_sources.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [Source(row[0], float(row[1]), row[2], row[3], row[5]) for row in rows]


def files_of(source: Source, repositories: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file of a source."""
    folder = repositories / source.repository.replace("/", "+")
    git = ["git", "-C", str(next(path for path in (folder / "repo/.git", folder / "repo", folder) if path.is_dir()))]
    listed = subprocess.run([*git, "ls-tree", "-rz", source.commit], capture_output=True, check=True)
    entries = [entry.split("\t", 1) for entry in listed.stdout.decode("utf-8").split("\0") if entry]
    wanted = re.compile(source.paths)
    paths = {kind.split()[2]: path for kind, path in entries if wanted.search(path)}
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as told:
        asked.write("\n".join(paths).encode("ascii"))
        asked.seek(0)
        subprocess.run([*git, "cat-file", "--batch"], stdin=asked, stdout=told, check=True)
        told.seek(0)
        for line in told:  # "<object> blob <size>", or "<object> missing": a snapshot may lack large files
            name, kind, *size = line.decode("ascii").split()
            if kind == "blob":
                yield paths[name], told.read(int(size[0]))
                told.read(1)


def strings_in(value: Any) -> Iterator[str]:
    """Yield every string of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings_in(item)


def pieces_of(path: str, content: bytes) -> Iterator[str]:
    """Yield the Chinese lines of a file, joined to pieces of about PIECE characters."""
    text = content.decode("utf-8", "replace")
    if path.endswith(".json"):
        text = "\n".join(strings_in(json.loads(text)))
    text = re.sub(r"<[^>\n]*>|&KR\d+;|¶/?\n?|(?m:^#.*$)", "", html.unescape(text))
    kept, size = [], 0
    for line in text.splitlines():
        han = len(re.findall(r"[\u4e00-\u9fff]", line))
        if han < 4 or len(re.findall(r"[A-Za-z]", line)) > han or re.search(r"[\u3041-\u30fa\uac00-\ud7a3]", line):
            continue
        kept.append(line.strip())
        size += len(line)
        if size >= PIECE:
            yield "\n".join(kept)
            kept, size = [], 0
    if kept:
        yield "\n".join(kept)


def tokens_of(text: str) -> Tokens:
    """Return a text as the kernel sees it."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return folds()[np.minimum(points, len(folds()) - 1)]


def runs_of(tokens: Tokens) -> npt.NDArray[np.uint64]:
    """Return a hash of every SHARED Han characters in a row."""
    han = tokens[tokens >= HAN].astype(np.uint64)
    if len(han) < SHARED:
        return np.zeros(0, np.uint64)
    hashes = np.zeros(len(han) - SHARED + 1, np.uint64)
    for i in range(SHARED):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + han[i : len(hashes) + i]
    return hashes


def excluded_runs(files: list[str]) -> npt.NDArray[np.uint64]:
    """Return the sorted runs of all texts that must not be trained on."""
    runs = [np.zeros(0, np.uint64)]
    for file in files:
        with zstandard.open(file, "rt", encoding="utf-8") as lines:
            runs += [runs_of(tokens_of(json.loads(line)["text"])) for line in lines]
    return np.unique(np.concatenate(runs))


def read(source: Source, repositories: Path, excluded: npt.NDArray[np.uint64]) -> tuple[Tokens, Tokens]:
    """Return what to train on and, every tenth piece, what to judge by; pieces are parted by a zero."""
    parts: list[Tokens] = []
    shared = translated = 0
    for path, content in files_of(source, repositories):
        for piece in pieces_of(path, content):
            tokens = tokens_of(piece)
            runs = runs_of(tokens)
            signs = sum(piece.count(sign) for sign in MODERN_SIGNS)
            if len(excluded) and (excluded[np.searchsorted(excluded, runs) % len(excluded)] == runs).any():
                shared += 1
            elif source.language == "lzh" and signs > 0.012 * len(piece):
                translated += 1
            else:
                parts.append(np.append(tokens, np.uint16(0)))
    note = f"{source.language}\t{source.repository}\t{sum(map(len, parts)):,} characters, {len(parts)} pieces"
    print(f"{note}, {shared} shared, {translated} modern", file=sys.stderr)
    held = parts[::10]
    del parts[::10]
    return np.concatenate([*parts, np.zeros(1, np.uint16)]), np.concatenate([*held, np.zeros(1, np.uint16)])


def vocabulary(texts: list[Tokens], rows: list[Source]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint32]]:
    """Return which characters have a weight, and the PAIRS that tell most, by weighted counts of both languages."""
    singles = np.zeros((2, 0x10000))
    found: dict[bool, list[Any]] = {False: [], True: []}
    for tokens, row in zip(texts, rows, strict=True):
        scale = row.share / max(len(tokens), 1)
        singles[int(row.language == "lzh")] += np.bincount(tokens, minlength=0x10000) * scale
        both = (tokens[:-1].astype(np.uint32) << np.uint32(16)) | tokens[1:]
        keys, counts = np.unique(both[(tokens[:-1] > 0) & (tokens[1:] > 0)], return_counts=True)
        often = counts >= 3
        found[row.language == "lzh"].append((keys[often], counts[often] * scale))
    keys = np.unique(np.concatenate([keys for pairs in found.values() for keys, _ in pairs]))
    counts = np.zeros((2, len(keys)))
    for language, pairs in found.items():
        for some, count in pairs:
            counts[int(language), np.searchsorted(keys, some)] += count
    shares = counts / counts.sum(axis=1, keepdims=True) + 1e-7
    telling = np.abs(np.log(shares[1] / shares[0])) * shares.max(axis=0)
    telling[keys == (PUNCTUATION << 16 | PUNCTUATION)] = 0
    best = np.sort(keys[np.argsort(-telling, kind="stable")[:PAIRS]])
    known = (singles / singles.sum(axis=1, keepdims=True)).max(axis=0) > 2e-6
    known[[0, PUNCTUATION]] = False
    return known, best


@njit(cache=True, nogil=True, inline="always")
def slot_of(pairs: Any, key: Any) -> Any:
    """Return where a pair stands in the open hash table `pairs`, or the empty slot where it would."""
    last = np.uint32(len(pairs) - 1)
    # Knuth's multiplicative hash: the golden ratio of 2**32.
    slot = (np.uint32(key * np.uint32(2654435769)) >> np.uint32(12)) & last
    while pairs[slot] != 0 and pairs[slot] != key:
        slot = (slot + np.uint32(1)) & last
    return slot


@njit
def features(tokens: Any, begin: int, end: int, known: Any, slots: Any, places: Any) -> int:
    """Write which weights a stretch of text has, one by one, to `places`, and return how many."""
    used = 0
    before = np.uint32(0)
    for i in range(begin, end):
        token = np.uint32(tokens[i])
        if known[token]:
            places[used] = 1 + token
            used += 1
        if before and token:
            slot = slot_of(slots, before << np.uint32(16) | token)
            if slots[slot]:
                places[used] = 65537 + slot
                used += 1
        before = token
    return used


@njit
def descend(
    tokens: Any, starts: Any, cumulated: Any, half: int, draws: Any, known: Any, slots: Any, weights: Any
) -> None:
    """Fit `weights` (bias, 65536 characters, slots of pairs) in place by AdaGrad, rows before `half` being modern.

    `draws`: numbers from 0 to 1, (samples, 3), for the row, the length and the place of each stretch.
    """
    squares = np.full(len(weights), 1e-2, np.float32)
    places = np.empty(1000, np.int64)
    for sample in range(len(draws)):
        classical = sample & 1
        first, last = (half, len(cumulated)) if classical else (0, half)
        row = min(first + np.searchsorted(cumulated[first:last], draws[sample, 0]), last - 1)
        length = int(SHORTEST * (LONGEST / SHORTEST) ** draws[sample, 1])
        begin = starts[row] + int(draws[sample, 2] * max(starts[row + 1] - starts[row] - length, 1))
        used = features(tokens, begin, min(begin + length, starts[row + 1]), known, slots, places)
        total = weights[0]
        for k in range(used):
            total += weights[places[k]]
        error = np.float32(1 / (1 + np.exp(-total)) - classical)
        squares[0] += error * error
        weights[0] -= RATE * error / np.sqrt(squares[0])
        for k in range(used):
            place = places[k]
            slope = error + np.float32(DECAY) * weights[place]
            squares[place] += slope * slope
            weights[place] -= RATE * slope / np.sqrt(squares[place])


@njit
def called_classical(tokens: Any, length: int, known: Any, slots: Any, weights: Any) -> float:
    """Return the share of a text's stretches of `length` characters whose sum is above zero."""
    places = np.empty(2 * length, np.int64)
    above = 0
    for begin in range(0, len(tokens) - length + 1, length):
        used = features(tokens, begin, begin + length, known, slots, places)
        total = weights[0]
        for k in range(used):
            total += weights[places[k]]
        above += total > 0
    return above / max(len(tokens) // length, 1)


def fit(texts: list[Tokens], rows: list[Source]) -> tuple[Any, Any, Any]:
    """Return which characters are known, the hash table of pairs, and the rounded weights."""
    known, pairs = vocabulary(texts, rows)
    slots = np.zeros(1 << 16, np.uint32)
    for pair in pairs:
        slots[slot_of(slots, pair)] = pair
    half = sum(row.language != "lzh" for row in rows)
    shares = np.array([row.share for row in rows])
    cumulated = np.concatenate([np.cumsum(part / part.sum()) for part in (shares[:half], shares[half:])])
    starts = np.cumsum([0, *map(len, texts)])
    fitted = np.zeros(1 + 65536 + len(slots), np.float32)
    draws = np.random.default_rng(SEED).random((SAMPLES, 3))
    descend(np.concatenate(texts), starts, cumulated, half, draws, known, slots, fitted)
    return known, slots, np.clip(np.rint(fitted * SCALE), -127, 127).astype(np.int64)


def write(path: Path, slots: Any, fitted: Any) -> None:
    """Write the table, one line a weight."""

    def char(token: int) -> str:
        return "，" if token == PUNCTUATION else chr(token)

    lines = [f"0\t{fitted[0]}\t"]
    names = [np.array([char(token) for token in range(65536)], object)]
    names.append(np.array([char(int(pair) >> 16) + char(int(pair) & 0xFFFF) for pair in slots], object))
    for length, some, weighed in zip((1, 2), names, (fitted[1:65537], fitted[65537:]), strict=True):
        weights = np.unique(weighed[weighed != 0])
        lines += [f"{length}\t{weight}\t{''.join(sorted(some[weighed == weight]))}" for weight in weights]
    path.write_text(HEADER.format(scale=SCALE) + "\n".join(lines) + "\n", encoding="utf-8")


def main(repositories: str, table: str, *excluded: str) -> None:
    """Read the sources, fit, write the table, and say how the pieces kept back are told, source by source."""
    runs = excluded_runs(list(excluded))
    rows = sorted(sources(), key=lambda row: row.language == "lzh")
    read_ones = [read(row, Path(repositories), runs) for row in rows]
    known, slots, fitted = fit([text for text, _ in read_ones], rows)
    write(Path(table), slots, fitted)
    for row, (_, held) in zip(rows, read_ones, strict=True):
        shares = [called_classical(held, length, known, slots, fitted) for length in (12, 25, 50, 100)]
        told = " ".join(f"{share if row.language == 'lzh' else 1 - share:.4f}" for share in shares)
        print(f"{row.language}\t{row.repository}\t{told}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
