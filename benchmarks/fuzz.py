"""Arbitrary text through every cleaner and signal, the segmenter and personal data; and how time grows with length.

    python benchmarks/fuzz.py run FOLDER [--seconds 600] [--only NAME ...]   # resumes
    python benchmarks/fuzz.py growth FOLDER [--only NAME ...]                # the same, 10 MB of one document
    python benchmarks/fuzz.py report FOLDER > benchmarks/fuzzing.md

A target raises when it breaks a promise: rows stay, cleaning twice is cleaning once, segments join to the text, spans
lie in it. With atheris (libFuzzer, led by coverage of the Python code) where it is installed, and with hypothesis.
`growth` measures one document of 1 and of 10 MB of each shape: a ratio near 10 is linear.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa

Target = Callable[[str], None]
Shape = Callable[[int], str]
FRAGMENTS = (
    *("第一条", "的了是", "，。", "：", "\n", "\n\n", "\r\n", "\t", " ", "\u3000", "# ", "**", "_", "`"),
    *("```\n", "~~~\n", "|", "---\n", "<p>", "</p>", "<!--", "-->", "<script>", "</script>", "<ref>"),
    *("<![CDATA[", "]]>", "&nbsp;", "&amp;", "&nbsp", "&#x4e2d;", "[", "]", "](", ")", "[[", "]]", "{{"),
    *("}}", "'''", "==", "[b]", "[/b]", "[img]", "[/img]", "-{", "}-", "{|", "|}", "![", "]: ", "ä¸"),
    *("\u00adæ–‡", "Ã¤", "â€™", "涓", "枃", "€", "ÖÐ", "ÎÄ", "\u0085", "\ufffd", "锟斤拷", "ﬁ", "⼀", "⻓"),
    *("\uf0b7", "中 文 字 ，", "１２", "Ａ", "ｶﾞ", "｡", "好,", "好.", "12:30", "13912345678"),
    *("11010519491231002X", "a@b.cn", "卡号", "6222", "第3页 共9页\n", "\u200d", "\u200c", "\ufe0f"),
    *("\U000e0101", "\U000e0067", "🏴", "👩", "\ufff9", "\ufffa", "\ufffb", "\u00ad", "é", "é", "क्"),
    *("a sentence of words that goes on to the end of its line, and\n"),
    *("这一行的字数与别的行都一样，所以它是被人按宽度截断的，没有\n",),
)
MARKS = (
    *(
        "<!--",
        "<div ",
        "<script>",
        "<b>",
        "[",
        "[[",
        "{{",
        "**a",
        "`",
        "```\n",
        "![",
        "&amp;",
        "[b]",
        "\n{|",
        "<ref",
        "|a",
    ),
    *("<![CDATA[", "> ", "- ", "é", "Ã©", "中 ", "好,", "第3页\n", "a@", "卡号", "\ufffa"),
)
DICE = random.Random(1)


def drawn(size: int, points: Sequence[int]) -> str:
    """Return so many of the code points at random."""
    return "".join(map(chr, DICE.choices(points, k=size)))


def repeated(piece: str, size: int) -> str:
    """Return the piece repeated up to so many bytes."""
    return piece * (size // len(piece.encode()))


SHAPES: dict[str, Shape] = {
    "random digits": lambda size: drawn(size, range(0x30, 0x3A)),
    "random code points": lambda size: drawn(size // 4, [*range(0xD800), *range(0xE000, 0x110000)]),
    "random Latin-1": lambda size: drawn(size // 2, range(0x80, 0x100)),
    "a heading of spaces": lambda size: "# a" + " " * size + "b",
    "a table of spaces": lambda size: "|a|\n" + " " * size + "-b|",
    "a wiki heading of spaces": lambda size: "[[甲方]][[乙方]]\n=a" + " " * size + "b",
    "a wrapped text of one word": lambda size: (FRAGMENTS[-2] * 9) + "a" * size,
    "random rare Han": lambda size: drawn(size // 3, range(0x4E00, 0xA000)),
    **{
        f"`{piece}` repeated".replace("\n", "\\n").replace("|", "\\|"): partial(repeated, piece)
        for piece in ("中", "a", " ", "\n", "短行\n", *FRAGMENTS[-2:], *MARKS)
    },
}
SMALL, LARGE, LIMIT = 1_000_000, 10_000_000, 40


def targets() -> dict[str, Target]:
    """Return what is fuzzed, by name."""
    from pipeline.personal.actions import replaced
    from pipeline.personal.patterns import TYPES, find
    from pipeline.signals.words import segment
    from pipeline.step import Cleaner, Signal, build, of_role

    def clean(kind: str) -> Target:
        step = build({"kind": kind})

        def target(text: str) -> None:
            once = applied(step, [text, "甲"])
            assert once[1] == applied(step, ["甲"])[0], "another row changed a row"
            assert applied(step, once) == once, "cleaning twice is not cleaning once"

        return target

    def measure(kind: str) -> Target:
        step = build({"kind": kind})
        return lambda text: applied(step, [text, "甲", text]) and None

    def words(text: str) -> None:
        for hmm in (False, True):
            assert "".join(segment(text, hmm)) == text, "segments do not join to the text"

    def personal(text: str) -> None:
        spans = find(text, TYPES)
        assert all(0 <= span.start < span.end <= len(text) for span in spans), "a span lies outside the text"
        for action in ("redact", "mask", "pseudonymise"):
            replaced(text, spans, lambda _, action=action: action, b"key" * 11)

    steps = {kind: clean(kind) for kind in of_role(Cleaner)} | {kind: measure(kind) for kind in of_role(Signal)}
    return {"segment": words, "personal types": personal, **steps}


def applied(step: Any, texts: list[str]) -> list[str]:
    """Return the texts behind a step."""
    from pipeline.step import apply
    from schemas.document import DOCUMENT

    rows = [
        {"id": f"{n:032x}", "text": text, "source": "s", "uri": str(n), "record": 0} for n, text in enumerate(texts)
    ]
    done = apply([step], pa.RecordBatch.from_pylist(rows, DOCUMENT))
    assert done.num_rows == len(texts), "rows were lost"
    return done.column("text").to_pylist()


def text_of(data: bytes) -> str:
    """Return the text that the bytes of a fuzzer stand for: UTF-8, pieces of text, or code points."""
    if not data:
        return ""
    kind, rest = data[0] % 3, data[1:]
    if kind == 0:
        return rest.decode("utf-8", "ignore")
    if kind == 1:
        return "".join(FRAGMENTS[byte % len(FRAGMENTS)] for byte in rest)
    points = (int.from_bytes(rest[i : i + 3], "little") % 0x110000 for i in range(0, len(rest) - 2, 3))
    return "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)


def with_hypothesis(name: str, folder: Path, seconds: float) -> None:
    """Run a target on texts that hypothesis draws, until time is up; it keeps what failed in the folder."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st
    from hypothesis.database import DirectoryBasedExampleDatabase

    pieces = st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=12), st.text("的一是了，。 \n[]<>&", max_size=20))
    target, end, runs = targets()[name], time.monotonic() + seconds, 0
    database = DirectoryBasedExampleDatabase(folder / "hypothesis" / name)
    phases, quiet = (Phase.reuse, Phase.generate, Phase.shrink), list(HealthCheck)
    checks = settings(max_examples=500, deadline=None, database=database, phases=phases, suppress_health_check=quiet)
    while time.monotonic() < end:

        @checks
        @given(st.lists(pieces, max_size=40).map("".join))
        def test(text: str) -> None:
            nonlocal runs
            runs += 1
            target(text)

        test()
    print(f"runs {runs}")


def with_atheris(name: str, folder: Path, seconds: float) -> None:
    """Run a target on what libFuzzer makes of its corpus; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["pipeline"]):
        import pipeline.clean.markup
        import pipeline.personal.patterns  # noqa: F401
    target = targets()[name]
    target("")
    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds:.0f}",
        "-max_len=2000",
        f"-artifact_prefix={folder}/crash-{name}-",
        "-timeout=60",
    ]
    atheris.Setup(["fuzz", *options, str(corpus)], lambda data: target(text_of(data)))
    atheris.Fuzz()


ENGINES = {"hypothesis": with_hypothesis, "atheris": with_atheris}


def run(folder: Path, seconds: float, only: list[str]) -> None:
    """Run every target with every engine that is not yet noted, each in a process of its own, and note how it ended."""
    results = noted(folder / "runs.jsonl")
    for name in only or targets():
        for engine in ENGINES:
            if any(row["target"] == name and row["engine"] == engine and not row["failed"] for row in results):
                continue
            if find_spec(engine) is None:
                print(f"{name}: {engine} is not installed, skipped", file=sys.stderr)
                continue
            command = [sys.executable, __file__, "one", str(folder), "--seconds", str(seconds), "--engine", engine]
            begin = time.monotonic()
            done = subprocess.run([*command, "--only", name], capture_output=True, check=False)
            spent, output = time.monotonic() - begin, (done.stdout + done.stderr).decode("utf-8", "replace")
            runs = re.findall(r"^(?:runs|Done) (\d+)", output, re.M)
            row = {"target": name, "engine": engine, "seconds": round(spent), "runs": int(runs[-1]) if runs else 0}
            row["failed"] = "" if done.returncode == 0 else output[-3000:]
            note(folder / "runs.jsonl", row)
            print(name, engine, row["runs"], "failed" if row["failed"] else "", flush=True)


def growth(folder: Path, only: list[str]) -> None:
    """Measure each step on 1 and 10 MB of each shape, in a process a step, which ends where it takes too long."""
    for name in only or targets():
        while missing := [shape for shape in SHAPES if (name, shape) not in measured(folder)]:
            done = subprocess.run(
                [sys.executable, __file__, "grow", str(folder), "--only", name], stderr=subprocess.PIPE, check=False
            )
            if done.returncode:
                shape = next(shape for shape in missing if (name, shape) not in measured(folder))
                end = (
                    f"more than {LIMIT} s of CPU"
                    if done.returncode == -signal.SIGPROF
                    else done.stderr.decode()[-1000:]
                )
                note(folder / "growth.jsonl", {"target": name, "shape": shape, "seconds": [], "failed": end})


def measured(folder: Path) -> set[tuple[str, str]]:
    return {(row["target"], row["shape"]) for row in noted(folder / "growth.jsonl")}


def grow(folder: Path, name: str) -> None:
    """Note the CPU seconds of one step for the two sizes, the least of three for the small one."""
    from pipeline.step import build, catalogue

    work: Callable[[str], object] = targets()[name]
    if name in catalogue():
        step = build({"kind": name})
        work = lambda text: applied(step, [text])  # noqa: E731
    known = measured(folder)
    for shape, make in SHAPES.items():
        work(make(1000))
        if (name, shape) in known:
            continue
        signal.setitimer(signal.ITIMER_PROF, LIMIT)
        seconds = []
        for size, times in ((SMALL, 3), (LARGE, 1)):
            text, spent = make(size), []
            for _ in range(times):
                begin = time.process_time()
                work(text)
                spent.append(time.process_time() - begin)
            seconds.append(round(min(spent), 4))
        signal.setitimer(signal.ITIMER_PROF, 0)
        note(folder / "growth.jsonl", {"target": name, "shape": shape, "seconds": seconds, "failed": ""})
        print(name, shape, seconds, flush=True)


def report(folder: Path) -> Iterator[str]:
    """Yield the lines of the page."""
    yield "<!-- made by benchmarks/fuzz.py -->"
    yield "Arbitrary text, one process a target and engine. A run is one text.\n"
    yield "| target | engine | seconds | runs | failed |\n|---|---|--:|--:|---|"
    last = {(row["target"], row["engine"]): row for row in noted(folder / "runs.jsonl")}
    for row in last.values():
        cells = (row["target"], row["engine"], row["seconds"], f"{row['runs']:,}", "yes" if row["failed"] else "no")
        yield "| " + " | ".join(map(str, cells)) + " |"
    yield "\nOne document of 10 MB: the slowest shape, and the one whose time grows most from 1 MB (linear is 10).\n"
    yield "| target | slowest shape | seconds | MB/s | steepest shape | ratio |\n|---|---|--:|--:|---|--:|"
    rows = noted(folder / "growth.jsonl")
    for name in dict.fromkeys(row["target"] for row in rows):
        mine = [row for row in rows if row["target"] == name]
        for row in mine:
            if row["failed"]:
                yield f"| {name} | {row['shape']} | {row['failed'].splitlines()[-1]} | | | |"
        ended = {row["shape"]: row["seconds"] for row in mine if not row["failed"]}
        slow = max(ended, key=lambda shape: ended[shape][1])
        # Below a fiftieth of a second the clock says little.
        ratios = {shape: large / max(small, 0.02) for shape, (small, large) in ended.items()}
        steep = max(ratios, key=lambda shape: ratios[shape])
        cells = (slow, f"{ended[slow][1]:.2f}", f"{10 / max(ended[slow][1], 1e-3):.0f}", steep, f"{ratios[steep]:.1f}")
        yield f"| {name} | " + " | ".join(cells) + " |"


def noted(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines, none where there is no file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def note(path: Path, row: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    """Do what the first argument says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "growth", "report", "one", "grow"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--engine", choices=ENGINES)
    options = parser.parse_args()
    if options.what == "run":
        run(options.folder, options.seconds, options.only)
    elif options.what == "growth":
        growth(options.folder, options.only)
    elif options.what == "one":
        ENGINES[options.engine](options.only[0], options.folder, options.seconds)
    elif options.what == "grow":
        grow(options.folder, options.only[0])
    else:
        print("\n".join(report(options.folder)))


if __name__ == "__main__":
    main()
