"""The benchmark beside the peers: its corpus, its truth, its scores, and that it leaves no process behind."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests_support import edited

from benchmarks.dedup.corpus import COPIES, copies, make_large, points_of
from benchmarks.dedup.report import write_report
from benchmarks.dedup.scoring import Corpus, given, jaccard, match_form, precision, resembling, resolved, shingles

ROOT = Path(__file__).parents[2]


def text(dice, length=200):
    return "".join(chr(dice.randrange(0x4E00, 0x5400)) for _ in range(length))


def sets_jaccard(one, other):
    sets = [{value[i : i + 5] for i in range(len(value) - 4)} or {value} for value in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_the_large_corpus_depends_on_seed_and_place_alone(tmp_path):
    dice = random.Random(1)
    rows = [{"id": f"d{n}", "text": text(dice)} for n in range(20)]
    size = make_large(rows, tmp_path / "one")
    make_large(rows, tmp_path / "two")
    make_large(rows, tmp_path / "three", seed=2)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert (len(names), size["documents"]) == (COPIES + 1, 20 * COPIES)
    content = [[(tmp_path / folder / name).read_bytes() for name in names] for folder in ("one", "two", "three")]
    assert content[0] == content[1] != content[2]


def test_copies_resemble_each_other_only_where_they_are_said_to():
    dice = random.Random(2)
    pool = points_of(text(dice, 5000))
    links = unlike = 0
    for number in range(60):
        made, sources = copies(pool[number * 20 :][:600], pool, np.random.default_rng(number))
        texts = [points.tobytes().decode("utf-32-le") for points in made]
        links += sum(source is not None for source in sources)
        for copy, source in enumerate(sources):
            if source is not None:
                assert sets_jaccard(texts[copy], texts[source]) > 0.65
            elif copy:
                unlike += sets_jaccard(texts[copy], texts[0]) < 0.7
    assert 0.1 < links / (60 * COPIES) < 0.2
    assert unlike == 60 * (COPIES - 1) - links


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("一二三四五六七", "一二三四五六八"),
        ("", ""),
        ("一二", "一二"),
        ("一二", "一三"),
        ("", "一"),
        ("一二三四五", "二三四五六"),
    ],
)
def test_hashed_sets_are_the_sets(one, other):
    # The neighbours of a text must not leak into it.
    assert jaccard(*shingles([one, other])) == jaccard(*shingles([other, "零", one])[::2])
    assert jaccard(*shingles([one, other])) == sets_jaccard(one, other)


def test_the_search_finds_all_that_comparing_everything_finds(tmp_path):
    dice = random.Random(3)
    texts = [text(dice) for _ in range(40)]
    texts += [edited(dice, dice.choice(texts[:40]), dice.randrange(8)) for _ in range(60)]
    for number, some in enumerate((texts[:50], texts[50:])):
        table = pa.table({"id": [f"{number}-{n}" for n in range(len(some))], "text": some})
        pq.write_table(table, tmp_path / f"part-{number}.parquet")
    corpus = Corpus(sorted(tmp_path.glob("*.parquet")))
    found = resembling(corpus, range(len(texts)), given)
    likeness = {(a, b): sets_jaccard(texts[a], texts[b]) for a in range(100) for b in range(100) if a != b}
    assert found == {pair: pytest.approx(value) for pair, value in likeness.items() if value >= 0.8}
    assert len(found) > 20
    assert corpus.texts({3, 70}) == {3: texts[3], 70: texts[70]}


def test_the_match_form_folds():
    assert match_form("「臺灣」， ＡＢＣ\u200b①") == "台湾abc1"


def test_scores():
    pairs = [("a", "b"), ("b", "c"), ("d", "e")]
    # c resembles b alone, which goes too; e is not removed, so d resembles one that stays.
    assert precision({"b", "c", "d"}, pairs, ["b", "c", "d"]) == pytest.approx(2 / 3)
    assert precision({"a", "b"}, pairs, ["a", "b"], keeps=False) == 1
    assert resolved({"c", "d"}, pairs) == pytest.approx(2 / 3)


ALONE = """
import json, pathlib, sys, psutil
from benchmarks.dedup.measure import measured
folder, limit, program = sys.argv[1:]
found = measured([sys.executable, "-c", program], folder, pathlib.Path(folder, "log"), float(limit))
print(json.dumps({**found, "left": len(psutil.Process().children(recursive=True))}))
"""


def measured_alone(folder, limit, program):
    """What `measured` says; it ends all children of its process, so it gets one of its own."""
    command = [sys.executable, "-c", ALONE, folder, str(limit), program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_program_is_measured_with_its_orphans_and_none_is_left(tmp_path):
    orphan = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    found = measured_alone(
        tmp_path, 30, f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {orphan!r}])"
    )
    assert found["cpu"] >= 0.5
    assert found["peaks_mib"] >= 3
    assert found["left"] == 0


def test_a_program_that_takes_too_long_or_fails_is_noted(tmp_path):
    found = measured_alone(tmp_path, 0.5, "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)")
    assert (found["over"], found["seconds"] < 5, found["left"]) == (0.5, True, 0)
    assert measured_alone(tmp_path, 30, "raise SystemExit('no wheel')")["failed"] == "no wheel"


def test_the_report_names_what_failed_and_what_took_too_long(tmp_path: Path):
    peers = [
        {"name": name, "install": [f"{name}==1"], "small": 1, "large": 0, "bands": "9 × 13", "checks": "no"}
        for name in ("fast", "slow", "broken")
    ]
    ours = {"seconds": 2.0, "cpu": 2.0, "peaks_mib": 10, "peak_mib": 9, "removed": 3}
    rows = [
        {"name": "corpus small", "documents": 10, "mb": 4.0},
        *({"name": f"small {peer['name']}, round 0: yuliao", **ours} for peer in peers),
        {"name": "small fast, round 0", **ours, "seconds": 5.0},
        {"name": "small fast, judged", "removed": 3, "precision": 0.99999, "recall": 1.0, "recall_both_forms": 1.0},
        {"name": "small slow, round 0", **ours, "over": 7.0},
        {"name": "small broken, round 0", "failed": "no wheel"},
        {"name": "install broken==1", "failed": "no matching distribution"},
    ]
    del rows[6]["removed"]
    write_report(rows, peers, tmp_path, 2)
    written = (tmp_path / "results.md").read_text("utf-8")
    assert "| fast | 0.8 | 5.0 | 2.5 | 2.0 | 1.0 | 10 | 9 | 1 |" in written
    assert "| fast | 9 × 13 | no | 3 | 0.9999 | 1.0000 | 1.0000 |" in written
    assert "| slow | over 7 s |" in written
    assert "| broken | failed: no wheel |" in written
    assert "could not be installed: no matching distribution" in written
    assert "precision 0.9999" in (tmp_path / "speed.svg").read_text("utf-8")
