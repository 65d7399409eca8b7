import json
import random
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.dedup import tool
from pipeline.dedup.index import Index
from pipeline.dedup.tool import DUPLICATES, DedupReport, dedup_documents
from schemas.errors import SourceError
from schemas.recipe import Dedup


def batches(texts: dict, rows: int = 7, column: pa.DataType | None = None) -> list[pa.RecordBatch]:
    ids, values = list(texts), list(texts.values())
    return [
        pa.record_batch(
            {
                "more": pa.nulls(len(ids[start : start + rows])),
                "id": pa.array(ids[start : start + rows]),
                "text": pa.array(values[start : start + rows], column or pa.string()),
            }
        )
        for start in range(0, len(ids), rows)
    ]


@pytest.fixture
def removed(tmp_path):
    """Run the tool and return its rows as id -> (survivor_id, kind, jaccard), and its report."""

    def run(documents, dedup=None, **options):
        report = dedup_documents(documents, tmp_path / "out", dedup or Dedup(), **options)
        table = pq.read_table(tmp_path / "out" / "duplicates.parquet")
        assert table.schema.equals(DUPLICATES)
        rows = table.to_pylist()
        assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
        assert report.kept == report.documents - len(rows)
        return {row["id"]: (row["survivor_id"], row["kind"], row["jaccard"]) for row in rows}, report

    return run


SENTENCE = "国家保障自然资源的合理利用，保护珍贵的动物和植物。禁止任何组织或者个人用任何手段侵占或者破坏自然资源。"
REPRINT = "國家保障自然資源的合理利用，保護珍貴的動物和植物。禁止任何組織或者個人用任何手段侵佔或者破壞自然資源！"


def test_exact_reprinted_and_edited_copies_name_their_survivor(removed):
    texts = {
        "b": SENTENCE,
        "a": SENTENCE,
        "hant": REPRINT.replace("佔", "占"),
        "long": "　" + SENTENCE.replace("珍贵的", "珍贵"),
        "other": "今天天气很好，我们去公园散步，看见许多人放风筝。",
    }
    rows, report = removed(batches(texts))
    assert rows == {"b": ("a", "exact", 1.0), "hant": ("a", "near", 1.0), "long": ("a", "near", 39 / 48)}
    assert report == DedupReport(documents=5, against=0, kept=2, exact=1, near=2, pairs=1)


def test_the_longest_stays_then_the_first_id(removed):
    rows, _ = removed(batches({"a": SENTENCE, "c": SENTENCE + "！！", "b": SENTENCE + "？？"}))
    assert set(rows) == {"a", "c"}


def test_every_removed_document_has_a_survivor_as_near_as_it_says(removed, planted, brute_jaccards, definition):
    texts = {f"d{number:03}": text for number, text in enumerate(planted(11, originals=20))}
    rows, _ = removed(batches(texts), Dedup(bands=32, rows=4))
    names, values = list(texts), list(texts.values())
    jaccards = {(names[a], names[b]): value for (a, b), value in brute_jaccards(values).items()}
    for name, (survivor, kind, value) in rows.items():
        assert survivor not in rows
        assert value == jaccards[min(name, survivor), max(name, survivor)] >= 0.8
        assert kind == ("exact" if texts[name] == texts[survivor] else "near")
    kept = [name for name in names if name not in rows]
    assert all(jaccards[a, b] < 0.8 for a in kept for b in kept if a < b)


def test_result_is_independent_of_order_batches_parts_and_column_types(removed, planted, monkeypatch):
    texts = {f"d{number:03}": text for number, text in enumerate(planted(12, originals=25, variants=7))}
    first = removed(batches(texts))
    shuffled = list(texts.items())
    random.Random(1).shuffle(shuffled)
    monkeypatch.setattr(tool, "PART_BYTES", 5000)
    assert removed(batches(dict(shuffled), rows=31, column=pa.large_string()), run=map) == first


def test_blank_and_missing_texts_are_kept(removed):
    texts = {"a": "", "b": "", "c": None, "d": " \n", "e": " \n", "f": "\u200b"}
    assert removed(batches(texts))[0] == {}


def test_texts_of_marks_and_short_texts_are_compared_as_they_are(removed):
    texts = {"a": "|----|----|", "b": "|----|----|\n", "c": "😀😀😀", "d": "😂😂😂", "e": "好", "f": "好！", "g": "坏"}
    assert removed(batches(texts))[0] == {"a": ("b", "near", 1.0), "e": ("f", "near", 1.0)}


def test_documents_compared_against_stay_and_are_not_judged(tmp_path, removed):
    dedup_documents(batches({"old": SENTENCE, "short": "短的"}, rows=1), tmp_path / "first", Dedup(), index=True)
    against = [Index.open(tmp_path / "first/index", "first", Dedup())]
    texts = {
        "new": SENTENCE + "！！！",
        "old": "别的文字",
        "same": SENTENCE,
        "more": "别的文字。",
        "edit": SENTENCE[1:],
    }
    rows, report = removed(batches(texts), against=against, index=True)
    assert rows == {
        "new": ("old", "near", 1.0),
        "same": ("old", "exact", 1.0),
        "edit": ("old", "near", 43 / 44),
        "old": ("more", "near", 1.0),
    }
    assert (report.documents, report.against, report.kept) == (5, 2, 1)
    table = pq.read_table(tmp_path / "out" / "duplicates.parquet", columns=["id", "survivor_index"])
    assert dict(zip(*table.to_pydict().values(), strict=True)) == {
        **dict.fromkeys(("new", "same", "edit"), "first"),
        "old": None,
    }
    against.append(Index.open(tmp_path / "out/index", "second", Dedup()))
    assert removed(batches({"third": "别的文字", "fourth": "短的"}), against=against)[0] == {
        "third": ("more", "near", 1.0),
        "fourth": ("short", "exact", 1.0),
    }
    assert against[0].remove(pa.array(["short", "nobody"])) == 1
    assert set(removed(batches({"third": "别的文字", "fourth": "短的"}), against=against)[0]) == {"third"}


def test_exact_and_near_can_be_switched_off(removed):
    texts = {"a": SENTENCE, "b": SENTENCE, "c": REPRINT}
    assert set(removed(batches(texts), Dedup(near=False))[0]) == {"b"}
    assert removed(batches(texts), Dedup(exact=False))[0]["b"] == ("a", "near", 1.0)
    assert removed(batches(texts), Dedup(exact=False, near=False))[0] == {}


@pytest.mark.parametrize("documents", [[], batches({"only": SENTENCE}), [batches({"a": SENTENCE})[0].slice(0, 0)]])
def test_little_input_gives_an_empty_table(removed, documents):
    assert removed(documents)[0] == {}


def test_repeated_or_missing_ids_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(SourceError, match=r"document 2: the id 'a' is that of document 0 \(1 such.*given twice"):
        dedup_documents([*batches({"a": "甲", "b": "乙"}), *batches({"a": "丙"})], tmp_path, Dedup())
    with pytest.raises(SourceError, match="has no id"):
        dedup_documents(batches({None: "甲"}), tmp_path, Dedup())
    assert list(tmp_path.iterdir()) == []


def test_numbers_may_be_ids(removed):
    assert removed(batches({1: SENTENCE, 2: SENTENCE}))[0] == {"2": ("1", "exact", 1.0)}


def test_summary_says_what_was_done_and_how(tmp_path, removed):
    _, report = removed(batches({"a": SENTENCE, "b": REPRINT}))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert summary["near"] == report.near == 1
    assert summary["parameters"]["scheme"] == "affine32"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["duplicates.parquet", "summary.json"]


def test_progress_is_told(removed):
    stages = []
    texts = {"a": SENTENCE, "b": SENTENCE.replace("珍贵的", "珍贵")}
    removed(batches(texts), progress=lambda stage, *_: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["signatures", "buckets", "texts", "pairs"]


def test_the_evaluation_set_is_resolved(shared, tmp_path):
    zstandard = pytest.importorskip("zstandard")
    folder = shared / "data" / "neardup"
    with zstandard.open(folder / "docs.jsonl.zst", "rt", encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    table = pa.table({name: [document[name] for document in documents] for name in ("id", "text")})
    dedup_documents(table.to_batches(max_chunksize=1000), tmp_path, Dedup())
    wanted = ("precision>=1", "survivors_valid>=1", "pair_resolved_both_080>=0.9995", "wording_kept_recall>=0.999")
    requires = [part for key in wanted for part in ("--require", key)]
    scorer = [sys.executable, shared / "tools" / "score_neardup.py", folder, tmp_path, *requires]
    scored = subprocess.run(scorer, capture_output=True, text=True, encoding="utf-8", check=False)
    assert scored.returncode == 0, scored.stdout[-2000:] + scored.stderr


def test_jaccards_of_near_duplicates_lie_between_threshold_and_one(removed, planted):
    texts = {f"d{number:03}": text for number, text in enumerate(planted(13))}
    rows, _ = removed(batches(texts), Dedup(threshold=0.7))
    values = np.array([value for _, _, value in rows.values()])
    assert len(values)
    assert ((values >= 0.7) & (values <= 1)).all()
