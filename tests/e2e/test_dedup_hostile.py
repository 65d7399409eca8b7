"""`yuliao dedup` on texts that break others: the shortest, monotonous, without words, broken, huge, all the same."""

import json
import random
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.e2e
Found = Callable[[dict[str, str]], dict[str, tuple[str, float]]]


@pytest.fixture
def removed(yuliao: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> Found:
    """Run the command on texts; every survivor stays and the counts add up."""

    def run(texts: dict[str, str]) -> dict[str, tuple[str, float]]:
        lines = [json.dumps({"id": id, "text": text}) for id, text in texts.items()]
        (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        done = yuliao("dedup", tmp_path / "in.jsonl", "-o", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        rows = pq.read_table(tmp_path / "out/duplicates.parquet").to_pylist()
        assert report["documents"] == report["kept"] + len(rows)
        found = {row["id"]: (row["survivor_id"], row["jaccard"]) for row in rows}
        assert not found.keys() & {survivor for survivor, _ in found.values()}
        return found

    return run


def form(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(
        c for c in folded if unicodedata.category(c)[0] not in "PSZ" and unicodedata.category(c) not in ("Cc", "Cf")
    )


def jaccard(one: str, other: str) -> float:
    sets = [{text[i : i + 5] for i in range(len(text) - 4)} or {text} for text in (form(one), form(other))]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_the_shortest_texts_are_removed_only_where_they_are_alike(removed: Found) -> None:
    dice = random.Random(1)
    texts = {f"{size}-{n}": "".join(dice.choices("的一是在人", k=size)) for size in range(11) for n in range(40)}
    found = removed(texts)
    assert found
    for id, (survivor, value) in found.items():
        assert value == pytest.approx(jaccard(texts[id], texts[survivor]))
        assert value >= 0.8


def test_monotonous_and_wordless_texts(removed: Found) -> None:
    marks = {"dots": "……" * 500_000, "dashes": "——" * 500_000, "stars": "★" * 9, "blank": "\u200b" * 9}
    ones = {f"one-{n}": "啊" * n for n in (1_000_000, 999_999, 5, 4)}
    other = {
        "two": "哦" * 1_000_000,
        "mixed": "啊哦" * 500_000,
        "emoji": "😀" * 1000,
        "marks": "e\u0301" * 1000,
        "accents": "é" * 1000,
    }
    found = removed({**marks, **ones, **other})
    # Two of one character hold the same single shingle; a text of four characters is a shingle of its own.
    assert {id: survivor for id, (survivor, _) in found.items()} == {
        "one-999999": "one-1000000",
        "one-5": "one-1000000",
        "accents": "marks",
    }


def test_broken_characters_and_a_huge_document(removed: Found) -> None:
    dice = random.Random(2)
    huge = "".join(dice.choices([chr(code) for code in range(0x4E00, 0x9000)], k=6_000_000))  # 18 MB
    texts = {
        "huge": huge,
        "again": huge[:-500] + "另一个结尾",
        "half": huge[: len(huge) // 2],
        "lone": "前面的文字\ud800后面的文字，一共有不少",
        "low": "\udfff" * 20,
    }
    found = removed(texts)
    assert {id: survivor for id, (survivor, _) in found.items()} == {"again": "huge"}
    assert found["again"][1] > 0.999


def test_a_hundred_thousand_copies_of_one_text_leave_one(removed: Found) -> None:
    found = removed({f"{n:06d}": "国家保障自然资源的合理利用，保护珍贵的动物和植物。" for n in range(100_000)})
    assert len(found) == 99_999
    assert set(found.values()) == {("000000", 1.0)}
