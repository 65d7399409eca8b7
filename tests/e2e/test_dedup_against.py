"""`yuliao dedup --against` and `yuliao index`, by the command line: versions, earlier outputs, refusals."""

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests_support import article

pytestmark = pytest.mark.e2e
Yuliao = Callable[..., subprocess.CompletedProcess[str]]


def jsonl(path: Path, texts: dict[str, str]) -> Path:
    lines = [json.dumps({"id": id, "text": text}, ensure_ascii=False) for id, text in texts.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def removed(out: Path) -> dict[str, tuple[str, str, str | None]]:
    rows = pq.read_table(out / "duplicates.parquet").to_pylist()
    return {row["id"]: (row["survivor_id"], row["kind"], row["survivor_index"]) for row in rows}


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    texts = {"same": article(3), "edited": article(4).replace("的", "之", 1), "new": article(99)}
    return jsonl(tmp_path / "batch.jsonl", texts)


def test_a_batch_is_compared_with_a_published_version(
    yuliao: Yuliao, make_corpus: Callable[..., Path], batch: Path, tmp_path: Path
) -> None:
    recipe = make_corpus({f"{n}.txt": article(n) for n in range(12)})
    done = yuliao("run", recipe)
    assert done.returncode == 0, done.stderr
    root = recipe.parent
    dataset = root / "store/test/corpus"
    ids = {row["uri"]: row["id"] for path in dataset.glob("shards/*") for row in pq.read_table(path).to_pylist()}
    expected = {
        "same": (ids["3.txt"], "near", "test/corpus@1.0.0"),  # the published text is a cleaned one
        "edited": (ids["4.txt"], "near", "test/corpus@1.0.0"),
    }
    before = {path: path.read_bytes() for path in dataset.glob("versions/**/*") if path.is_file()}
    for number, spec in enumerate(("test/corpus@1.0.0", "test/corpus", dataset / "versions/v1.0.0", dataset)):
        done = yuliao("dedup", batch, "-o", tmp_path / f"out{number}", "--against", spec, "--workspace", root)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["against"] == 12
        assert removed(tmp_path / f"out{number}") == expected
    # A lost or half-written index is made again; the version stays as it was.
    shutil.rmtree(dataset / "index")
    done = yuliao("dedup", batch, "-o", tmp_path / "again", "--against", dataset)
    assert removed(tmp_path / "again") == expected, done.stderr
    assert {path: path.read_bytes() for path in before} == before
    done = yuliao("dedup", batch, "-o", tmp_path / "none", "--against", "test/nothing", "--workspace", root)
    assert done.returncode == 1
    assert "no dataset 'test/nothing' is published here; published are: test/corpus" in done.stderr


def test_a_version_with_other_parameters_lends_them_and_two_that_differ_are_refused(
    yuliao: Yuliao, make_corpus: Callable[..., Path], batch: Path, tmp_path: Path
) -> None:
    recipe = make_corpus({f"{n}.txt": article(n) for n in range(6)})
    with recipe.open("a", encoding="utf-8") as file:
        file.write("dedup: {permutations: 64, bands: 12}\n")
    assert yuliao("run", recipe).returncode == 0
    version = recipe.parent / "store/test/corpus"
    done = yuliao("dedup", batch, "-o", tmp_path / "one", "--against", version, "--index")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "one/summary.json").read_text("utf-8"))["parameters"]["bands"] == 12
    assert set(removed(tmp_path / "one")) == {"same", "edited"}
    assert yuliao("dedup", batch, "-o", tmp_path / "two", "--index").returncode == 0
    both = ("--against", tmp_path / "two", "--against", tmp_path / "one")
    done = yuliao("dedup", batch, "-o", tmp_path / "three", *both)
    assert done.returncode == 1
    assert "made with permutations 64, not 128; bands 12, not 25; compare with the same parameters" in done.stderr
    assert not (tmp_path / "three").exists()
    done = yuliao("dedup", batch, "-o", tmp_path / "three", "--against", tmp_path / "one", "--match", "digits=zero")
    assert done.returncode == 1
    assert "made with match.digits keep, not zero; compare" in done.stderr


def test_what_texts_are_compared_by_is_chosen_and_kept_with_the_index(yuliao: Yuliao, tmp_path: Path) -> None:
    texts = {"a": "通知：2024年12月31日放假一天，请相互转告。", "b": "通知：2025年1月1日放假一天，请相互转告！"}
    first = jsonl(tmp_path / "first.jsonl", texts)
    assert yuliao("dedup", first, "-o", tmp_path / "usual").returncode == 0
    assert removed(tmp_path / "usual") == {}
    done = yuliao("dedup", first, "-o", tmp_path / "zero", "--match", "digits=zero", "--index")
    assert set(removed(tmp_path / "zero")) == {"b"}, done.stderr
    parameters = json.loads((tmp_path / "zero/summary.json").read_text("utf-8"))["parameters"]
    assert parameters["match"]["digits"] == "zero"
    batch = jsonl(tmp_path / "next.jsonl", {"c": texts["a"].replace("2024", "1999")})
    assert yuliao("dedup", batch, "-o", tmp_path / "next", "--against", tmp_path / "zero").returncode == 0
    assert set(removed(tmp_path / "next")) == {"c"}
    done = yuliao("dedup", batch, "-o", tmp_path / "none", "--match", "numbers=zero")
    assert done.returncode == 2
    assert "options of the match form, which are: script=fold|keep; width=fold|keep;" in done.stderr


def test_batches_follow_each_other_and_documents_can_be_removed(yuliao: Yuliao, batch: Path, tmp_path: Path) -> None:
    first = jsonl(tmp_path / "first.jsonl", {f"d{n}": article(n) for n in range(8)})
    assert yuliao("dedup", first, "-o", tmp_path / "kept", "--index").returncode == 0
    against = ("--against", tmp_path / "kept")
    assert yuliao("dedup", batch, "-o", tmp_path / "next", *against, "--index").returncode == 0
    assert set(removed(tmp_path / "next")) == {"same", "edited"}
    third = jsonl(tmp_path / "third.jsonl", {"again": article(99), "four": article(4)})
    against = (*against, "--against", tmp_path / "next")
    assert yuliao("dedup", third, "-o", tmp_path / "last", *against).returncode == 0
    found = removed(tmp_path / "last")
    assert found == {
        "again": ("new", "exact", str(tmp_path / "next")),
        "four": ("d4", "exact", str(tmp_path / "kept")),
    }
    (tmp_path / "ids.txt").write_text("d4\n\nnobody\n", encoding="utf-8")
    done = yuliao("index", tmp_path / "kept", "--remove", tmp_path / "ids.txt")
    assert json.loads(done.stdout)["removed"] == 1
    assert "1 of the ids are not in the index" in done.stderr
    assert json.loads(yuliao("index", tmp_path / "kept").stdout)["documents"] == 7
    assert yuliao("dedup", third, "-o", tmp_path / "last", *against).returncode == 0
    assert set(removed(tmp_path / "last")) == {"again"}
    done = yuliao("index", tmp_path / "last")
    assert done.returncode == 1
    assert "no index here; `yuliao dedup INPUT -o" in done.stderr


def test_a_disk_that_is_too_small_is_refused_before_anything_is_read(yuliao: Yuliao, tmp_path: Path) -> None:
    sparse = tmp_path / "huge.jsonl"
    with sparse.open("wb") as file:
        file.truncate(1 << 43)
    done = yuliao("dedup", sparse, "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "GB of temporary files are needed and" in done.stderr
    assert "--scratch" in done.stderr
    assert not (tmp_path / "out").exists()


def test_batches_leave_the_survivors_of_a_full_run(yuliao: Yuliao, tmp_path: Path) -> None:
    dice = random.Random(3)
    texts = {}
    for number in range(60):
        base = article(number)
        texts[f"a{number:02}"] = base
        for copy in range(dice.randrange(4)):
            chars = list(base)
            for _ in range(dice.randrange(12)):
                chars[dice.randrange(len(chars))] = dice.choice("的一是在不了有和人这")
            texts[f"b{number:02}{copy}"] = "".join(chars)
    names = sorted(texts)
    dice.shuffle(names)
    whole = jsonl(tmp_path / "whole.jsonl", {name: texts[name] for name in names})
    assert yuliao("dedup", whole, "-o", tmp_path / "whole").returncode == 0
    assert removed(tmp_path / "whole")
    first = jsonl(tmp_path / "first.jsonl", {name: texts[name] for name in names[:90]})
    assert yuliao("dedup", first, "-o", tmp_path / "one", "--index").returncode == 0
    rest = jsonl(tmp_path / "rest.jsonl", {name: texts[name] for name in names[90:]})
    assert yuliao("dedup", rest, "-o", tmp_path / "two", "--against", tmp_path / "one").returncode == 0
    gone = {**removed(tmp_path / "one"), **removed(tmp_path / "two")}
    assert all(survivor not in gone for survivor, _, _ in gone.values())
    # Nothing that stays resembles anything that stays: comparing what is left with itself removes nothing.
    left = jsonl(tmp_path / "left.jsonl", {name: texts[name] for name in names if name not in gone})
    assert yuliao("dedup", left, "-o", tmp_path / "none").returncode == 0
    assert removed(tmp_path / "none") == {}


def test_how_much_of_a_dataset_is_in_another_is_told_without_texts(
    yuliao: Yuliao, make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    one = make_corpus({f"{n}.txt": article(n) for n in range(12)}, name="one")
    other = make_corpus({f"{n}.txt": article(n) for n in range(6, 30)}, name="other")
    assert yuliao("run", one).returncode == yuliao("run", other).returncode == 0
    folders = [recipe.parent / "store/test/corpus" for recipe in (one, other)]
    shutil.copytree(folders[1] / "signatures", tmp_path / "handed")
    for second in (folders[1], folders[1] / "versions/v1.0.0", tmp_path / "handed"):
        done = yuliao("overlap", "--signatures", folders[0], second, "--json")
        assert done.returncode == 0, done.stderr
        first, back = json.loads(done.stdout)["overlaps"]
        assert first["of_documents"]["share"] == pytest.approx(0.5)
        assert back["of_documents"]["share"] == pytest.approx(0.25)
    done = yuliao("overlap", "--signatures", "test/corpus@1.0.0", tmp_path / "handed", "--workspace", one.parent)
    assert "50.00 % of 12 documents" in done.stdout
    done = yuliao("overlap", "--signatures", folders[0], folders[1], "--lang", "zh")
    assert "不度量包含关系" in done.stdout
    done = yuliao("overlap", "--eval", "x.jsonl")
    assert done.returncode == 2
    assert "--eval needs INPUT and -o OUT" in done.stderr
