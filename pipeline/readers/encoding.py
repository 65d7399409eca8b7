"""Which encoding a file is in, decided on its whole content, with the evidence.

A ladder: byte order mark, strict UTF-8 (at codec speed), HZ, then a contest of GB18030, Big5 and UTF-16 by how common
the characters are that each makes of the bytes. Python's detectors are not used: on Chinese files this is more exact
and 13 to 75 times faster than they are. Work is done block by block, so a 10 GB file needs a few MiB.

Trade-off: the contest looks at 4 MiB spread over the file; the winner is then checked against every byte.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from mmap import mmap

import numpy as np

from pipeline.readers.commonness import commonness, lines_of
from pipeline.text import looks

Data = bytes | mmap

REVISION = 1  # of what encoding a file is taken to be in; enters the fingerprint
BLOCK = 1 << 20
SAMPLES = 4  # blocks of the contest, spread over the file
GOOD = 0.35  # least score of a believable decoding; Chinese text has over 0.75, misread text at most 0.31 (605 files)
PLAIN = 0.75  # score of a decoding without error from which no other is looked at
DAMAGED = 0.3  # most errors for each high byte of UTF-8 with bad bytes; GBK read as UTF-8 makes over 0.5
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
LEGACY = ("gb18030", "cp950", "big5hkscs")
WIDE = ("utf-16-le", "utf-16-be")
HZ = re.compile(rb"~\{(?:[\x21-\x77][\x21-\x7e]){2,}(?:~\}|\n|[\x21-\x7e]?\Z)")
ASCII = bytes(range(128))
CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
PRIVATE = re.compile("[\ue78d-\ue864]")


class BinaryContent(Exception):
    """The bytes are no text in any encoding known here."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to decode a file: a Python codec, the length of the mark before the text, and why.

    `errors`: byte sequences that could not be decoded (read as U+FFFD). `legacy`: the codec of those lines that are
    not UTF-8 in a file of mixed encodings, else None.
    """

    name: str
    evidence: str
    mark: int = 0
    errors: int = 0
    legacy: str | None = None


def detect(data: Data, hint: str | None = None) -> Encoding:
    """Return the encoding of the whole content; `hint` is a declared charset, which only breaks ties.

    Raises BinaryContent when no encoding makes text of the bytes.
    """
    for mark, name in MARKS:
        if data[: len(mark)] == mark:
            found = Encoding(name, "byte order mark", len(mark))
            found = replace(found, errors=_errors(data, found))
            return _behind_mark(data, found, hint) if name == "utf-8" and found.errors else found
    nulls = _null_shares(data)
    narrow = max(nulls) < 0.2 and _control_share(data[:BLOCK]) < 0.1
    if narrow and _is_utf8(data):
        return _seven_bit(data) or _plain_utf8(data)
    if min(nulls) > 0.2:
        return _of_many_nulls(data)
    damaged = _damaged_utf8(data, hint) if narrow else None
    return damaged or _contest(data, hint)


def decode(data: Data, encoding: Encoding) -> str:
    """Return the whole text."""
    return "".join(blocks(data, encoding))


def blocks(data: Data, encoding: Encoding) -> Iterator[str]:
    """Yield the text in blocks of about 1 MiB of bytes; what cannot be decoded becomes U+FFFD."""
    if encoding.legacy:
        for lines in _line_blocks(data, encoding.mark):
            yield "".join(_decode_line(line, encoding) for line in lines)
        return
    decoder = codecs.getincrementaldecoder(encoding.name)(errors="replace")
    for start in range(encoding.mark, len(data), BLOCK):
        text = decoder.decode(data[start : start + BLOCK], start + BLOCK >= len(data))
        yield _standard(text) if encoding.name == "gb18030" else text


def read_bytes(value: bytes) -> tuple[str, Encoding]:
    """Return the text of a short value (a binary column, an archive's member) and its encoding."""
    encoding = detect(value)
    return decode(value, encoding), encoding


@cache
def _to_standard() -> dict[int, int]:
    rows = (line.split("\t") for line in lines_of("gb18030_2022.tsv"))
    return {int(old, 16): int(new, 16) for _, old, new in rows}


def _standard(text: str) -> str:
    """Move what Python's GB18030 table leaves in the private use area to where GB 18030-2022 has it."""
    return text.translate(_to_standard()) if PRIVATE.search(text) else text


def _chunks(data: Data) -> Iterator[bytes]:
    for start in range(0, len(data), BLOCK):
        yield data[start : start + BLOCK]


def _samples(data: Data) -> list[bytes]:
    """Return at most SAMPLES blocks spread evenly, cut at line ends where they do not begin the file."""
    if len(data) <= SAMPLES * BLOCK:
        return [data[:]]
    found = []
    for place in range(SAMPLES):
        start = place * (len(data) - BLOCK) // (SAMPLES - 1) & ~3
        block = data[start : start + BLOCK]
        # A double-byte text must not be entered in the middle of a character; after a line feed it begins anew.
        cut = block.find(b"\n") + 1 if place and b"\0" not in block else 0
        found.append(block[cut:])
    return found


def _null_shares(data: Data) -> tuple[float, float]:
    """Return the share of zero bytes at even and at odd positions of the samples."""
    if data.find(b"\0") < 0:
        return 0.0, 0.0
    units = np.frombuffer(b"".join(_samples(data)), np.uint8)
    return float((units[::2] == 0).mean()), float((units[1::2] == 0).mean()) if len(units) > 1 else 1.0


def _is_utf8(data: Data) -> bool:
    start, size = 0, len(data)
    while start < size:
        block = data[start : start + BLOCK]
        start += len(block)
        if start < size:  # leave a character that may be cut off to the next block
            begun = next((back for back in range(1, min(4, len(block)) + 1) if block[-back] & 0xC0 != 0x80), 0)
            if not begun:
                return False
            block, start = block[:-begun], start - begun
        if not looks(np.frombuffer(block, np.uint8))[0]:
            return False
    return True


def _errors(data: Data, encoding: Encoding) -> int:
    """Count what the codec replaces; replacement characters that the text itself holds are not errors."""
    decoder = codecs.getincrementaldecoder(encoding.name)(errors="replace")
    found = 0
    for start in range(encoding.mark, len(data), BLOCK):
        found += decoder.decode(data[start : start + BLOCK], start + BLOCK >= len(data)).count("\ufffd")
    if not found:
        return 0
    own = "\ufffd".encode(encoding.name, "ignore")
    return max(0, found - sum(block.count(own) for block in _chunks(data))) if own else found


def _behind_mark(data: Data, marked: Encoding, hint: str | None) -> Encoding:
    """Judge by its first 64 MiB a text whose mark of UTF-8 is not the whole truth, as where it was put before GBK."""
    try:
        found = detect(data[marked.mark : 64 * BLOCK], hint)
    except BinaryContent:
        return marked
    evidence = f"{found.evidence}, behind a byte order mark of UTF-8"
    found = replace(found, mark=marked.mark + found.mark, evidence=evidence)
    return found if found.legacy else replace(found, errors=_errors(data, found))


def _plain_utf8(data: Data) -> Encoding:
    sample = data[:BLOCK]
    units = np.frombuffer(sample, np.uint8)
    if len(units) and 0x80 <= units.max() < 0xE0 and (units >= 0x80).mean() > 0.6:
        # Some pairs of GBK are valid UTF-8 of two bytes; Greek or Cyrillic read as GBK has no common characters.
        score = commonness(sample.decode("gb18030", "replace"))
        if score >= 0.75 and _errors(data, Encoding("gb18030", "")) == 0:
            return Encoding("gb18030", f"valid as UTF-8, too, but common characters gb18030 {score:.2f}")
    return Encoding("utf-8", "valid UTF-8")


def _seven_bit(data: Data) -> Encoding | None:
    """Return HZ where an ASCII file holds its shifts and Chinese comes out of them."""
    if any(not block.isascii() for block in _chunks(data)) or data.find(b"~{") < 0:
        return None
    sample = data[:BLOCK]
    if not HZ.search(sample):
        return None
    score = commonness(sample.decode("hz", "replace"))
    if score < GOOD:
        return None
    found = Encoding("hz", f"seven-bit with ~{{ ~}} shifts, common characters {score:.2f}")
    return replace(found, errors=_errors(data, found))


def _of_many_nulls(data: Data) -> Encoding:
    for name in ("utf-32-le", "utf-32-be"):
        try:
            text = data[: min(len(data), BLOCK) & ~3].decode(name)  # the last character may be cut off
        except UnicodeDecodeError:
            continue
        if commonness(text, with_ascii=True) >= GOOD:
            found = Encoding(name, "zero bytes as UTF-32 has them")
            return replace(found, errors=_errors(data, found))
    raise BinaryContent("mostly zero bytes")


def _damaged_utf8(data: Data, hint: str | None) -> Encoding | None:
    """Return UTF-8 with bad bytes or with lines of another encoding; None where it is rather something else."""
    high, errors = 0, 0
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for block in _chunks(data):
        high += int((np.frombuffer(block, np.uint8) >= 128).sum())
        errors += decoder.decode(block).count("\ufffd")
    if not errors and high >= 6 and commonness(data[:BLOCK].decode("utf-8", "ignore")) >= GOOD:
        return Encoding("utf-8", "valid UTF-8, cut off in its last character", errors=1)
    return _of_lines(data, hint) if errors < DAMAGED * max(high, 1) else None


def _of_lines(data: Data, hint: str | None) -> Encoding:
    """Judge the lines that are not UTF-8: damaged, or whole in another encoding."""
    bad = bytearray()
    for lines in _line_blocks(data, 0):
        for line in lines:
            if len(bad) < BLOCK and not _valid(line):
                bad += line
    legacy, _ = _best(bytes(bad), LEGACY, hint)
    errors, foreign = 0, 0
    for lines in _line_blocks(data, 0):
        for line in lines:
            if _valid(line):
                continue
            if _is_legacy(line, legacy):
                foreign += 1
            else:
                errors += line.decode("utf-8", "replace").count("\ufffd")
    if foreign:
        return Encoding("utf-8", f"UTF-8 with {foreign} lines of {legacy}", errors=errors, legacy=legacy)
    return Encoding("utf-8", f"UTF-8 but for {errors} bad byte sequences", errors=errors)


def _contest(data: Data, hint: str | None) -> Encoding:
    sample = b"".join(_samples(data))
    if len(sample) == len(data) and (found := _plain_legacy(sample, hint)):
        return found
    name, scores = _best(sample, (*LEGACY, *WIDE), hint)
    evidence = "common characters: " + ", ".join(f"{codec} {score:.2f}" for codec, score in scores.items())
    if scores[name] < GOOD:
        return _other(data, sample, hint, evidence)
    found = Encoding(name, evidence)
    errors = _errors(data, found)
    if errors and name in LEGACY:
        return _with_utf8_lines(data, hint) or replace(found, errors=errors)
    return replace(found, errors=errors)


def _plain_legacy(data: bytes, hint: str | None) -> Encoding | None:
    """Return the encoding of what is plainly Chinese and without any error, the declared one tried first."""
    declared = _family(hint)
    for name in sorted(("gb18030", "cp950"), key=lambda name: name != declared):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        score = commonness(text)
        if score >= PLAIN:
            return Encoding(name, f"common characters: {name} {score:.2f}, without error")
    return None


def _with_utf8_lines(data: Data, hint: str | None) -> Encoding | None:
    """Return the encoding of a legacy file some lines of which are surely UTF-8; None where there are no such lines."""
    rest, count = bytearray(), 0
    for lines in _line_blocks(data, 0):
        for line in lines:
            if _is_utf8_line(line):
                count += 1
            elif len(rest) < BLOCK:
                rest += line
    if not count:
        return None
    name, scores = _best(bytes(rest), LEGACY, hint)
    return Encoding(name, f"{name} ({scores[name]:.2f}) with {count} lines of UTF-8", legacy=name)


def _best(sample: bytes, codecs_: tuple[str, ...], hint: str | None) -> tuple[str, dict[str, float]]:
    """Return the codec whose reading of the sample has the commonest characters, and the score of each."""
    scores = {}
    for name in codecs_:
        text = sample.decode(name, "replace")
        scores[name] = commonness(text, with_ascii=name in WIDE)
    declared = _family(hint)
    # Ties go to the declared charset, then to the order of the ladder; HKSCS only where it explains more bytes.
    bonus = {name: 0.1 * (name.startswith(declared) if declared else False) for name in scores}
    best = max(scores, key=lambda name: (round(scores[name] + bonus[name], 3), -codecs_.index(name)))
    return best, scores


def _family(hint: str | None) -> str:
    name = (hint or "").lower().replace("_", "-")
    if name.startswith(("gb", "x-gbk", "hz")):
        return "gb18030"
    return "cp950" if name.startswith(("big5", "x-x-big5", "cp950")) else ""


def _other(data: Data, sample: bytes, hint: str | None, evidence: str) -> Encoding:
    """Accept text that is not Chinese: the declared charset, or Western European where high bytes stand alone."""
    if _control_share(sample) > 0.02:
        raise BinaryContent("no encoding fits and control characters abound")
    if hint and _known(hint) and not _family(hint) and not hint.lower().startswith(("utf", "iso-8859", "ascii")):
        found = Encoding(codecs.lookup(hint).name, f"declared charset; {evidence}")
        if not _errors(data, found):
            return found
    units = np.frombuffer(sample, np.uint8) >= 128
    alone = float((units[1:-1] & ~units[:-2] & ~units[2:]).sum()) / max(1.0, float(units.sum()))
    if alone > 0.8 and units.mean() < 0.3:
        found = Encoding("cp1252", f"single high bytes among ASCII; {evidence}")
        return replace(found, errors=_errors(data, found))
    name, scores = _best(sample, LEGACY, hint)
    found = Encoding(name, f"weak: {evidence}")
    errors = _errors(data, found)
    if errors > 0.05 * len(data) or scores[name] < -0.2:
        raise BinaryContent("no encoding fits")
    return replace(found, errors=errors)


def _known(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except LookupError:
        return False


def _control_share(sample: bytes) -> float:
    return 1 - len(sample.translate(None, CONTROL)) / max(1, len(sample))


def _line_blocks(data: Data, start: int) -> Iterator[list[bytes]]:
    """Yield the lines, ends kept, in blocks of about 1 MiB; a line of more than 16 comes in pieces."""
    while start < len(data):
        far = min(start + 16 * BLOCK, len(data))
        end = data.rfind(b"\n", start, start + BLOCK) + 1 or data.find(b"\n", start + BLOCK, far) + 1 or far
        yield data[start:end].splitlines(keepends=True)
        start = end


def _valid(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8_line(line: bytes) -> bool:
    """Say whether a line is surely UTF-8: four characters of it are hardly valid by chance."""
    return not line.isascii() and _valid(line) and len(line.translate(None, ASCII)) >= 12


def _is_legacy(line: bytes, legacy: str) -> bool:
    """Say whether a line that is not UTF-8 is rather legacy text than damaged UTF-8."""
    text = line.decode(legacy, "replace")
    score = commonness(text)
    return len(text) >= 4 and score >= 0.5 and score > commonness(line.decode("utf-8", "replace"))


def _decode_line(line: bytes, encoding: Encoding) -> str:
    legacy = encoding.legacy or encoding.name
    if encoding.name == "utf-8":
        foreign = not _valid(line) and _is_legacy(line, legacy)
    else:
        foreign = not (line.isascii() or _is_utf8_line(line))
    text = line.decode(legacy if foreign else "utf-8", "replace")
    return _standard(text) if foreign and legacy == "gb18030" else text
