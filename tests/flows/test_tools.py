"""The standalone tools, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests_support import article, call

Make = Callable[..., Path]


def test_ingest_accounts_for_every_file(make_corpus: Make, tmp_path: Path, yuliao: Callable) -> None:
    raw = (
        make_corpus(
            {
                "a.txt": article(1),
                "b/c.jsonl": json.dumps({"id": "x", "text": article(2)}) + "\n{",
                ".DS_Store": b"\0\1",
            }
        ).parent
        / "raw"
    )
    out = tmp_path / "out"
    for _ in range(2):
        done = yuliao("ingest", raw, "-o", out, "--workers", 1)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"files": 3, "ok": 1, "partial": 1, "skipped": 1, "out": str(out)}
    documents = pq.read_table(out / "documents").to_pylist()
    assert sorted((row["uri"], row["record"]) for row in documents) == [("a.txt", 0), ("b/c.jsonl", 0)]
    files = {row["uri"]: row for row in pq.read_table(out / "files.parquet").to_pylist()}
    assert files["b/c.jsonl"]["bad_records"] == 1
    assert files[".DS_Store"]["reason"]
    assert pq.read_table(out / "quarantine.parquet").column("uri").to_pylist() == ["b/c.jsonl"]
    assert sorted(path.name for path in out.iterdir()) == ["documents", "files.parquet", "quarantine.parquet"]


def test_measure_decides_on_each_document_under_its_own_id(tmp_path: Path, yuliao: Callable) -> None:
    rows = [
        {"id": "good", "text": article(1)},
        {"id": "short", "text": "短。"},
        {"id": "en", "text": "An English text. " * 20},
    ]
    (tmp_path / "docs.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    done = yuliao("measure", tmp_path / "docs.jsonl", "-o", tmp_path / "out", "--workers", 1)
    assert done.returncode == 0, done.stderr
    found = {row["id"]: row for row in pq.read_table(tmp_path / "out/signals").to_pylist()}
    assert {id: (row["decision"], row["reason"]) for id, row in found.items()} == {
        "good": ("keep", ""),
        "short": ("drop", "too_short"),
        "en": ("drop", "other_language"),
    }
    assert {"lang", "script", "mixed", "char_count", "han_share"} <= set(found["good"])
    assert [(row["uri"], row["record"]) for row in found.values()] == [("docs.jsonl", n) for n in range(3)]


def test_dedup_lists_only_what_is_removed(tmp_path: Path, yuliao: Callable) -> None:
    rows = [{"id": str(n), "text": article(n)} for n in range(6)]
    rows += [{"id": "near", "text": article(3).replace("国", "囯", 1) + "完。"}, {"id": "same", "text": article(4)}]
    (tmp_path / "docs.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    done = yuliao("dedup", tmp_path / "docs.jsonl", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = {row["id"]: row for row in pq.read_table(tmp_path / "out/duplicates.parquet").to_pylist()}
    assert set(found) == {"3", "same"}
    assert (found["3"]["survivor_id"], found["3"]["kind"]) == ("near", "near")
    assert (found["3"]["uri"], found["3"]["record"], found["3"]["survivor_record"]) == ("docs.jsonl", 3, 6)
    assert (found["same"]["survivor_id"], found["same"]["kind"], found["same"]["jaccard"]) == ("4", "exact", 1.0)


@pytest.mark.parametrize(
    ("files", "status", "message"),
    [
        (
            {"a.jsonl": b'{"id": "x", "text": "a"}', "b.jsonl": b'{"id": "x", "text": "b"}'},
            1,
            "b.jsonl, record 0: the id 'x' is that of a.jsonl, record 0 (1 such records in all); ids must be unique",
        ),
        ({"a.jsonl": b"\x89PNG\r\n\x1a\n\0\0"}, 1, "no document could be read from 1 file: named as jsonl but"),
        ({"a.jsonl": b'{"id": "x", "text": "a"}\n{"id": "x", "text": "b"}'}, 0, "the id 'x' occurs again in this file"),
    ],
)
def test_dedup_says_what_it_cannot_answer_for(
    tmp_path: Path, yuliao: Callable, files: dict[str, bytes], status: int, message: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    done = yuliao("dedup", *(tmp_path / name for name in files), "-o", tmp_path / "out")
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_ids_that_come_twice_are_no_matter_where_they_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = json.dumps({"id": "x", "text": article(1)})
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(f"{line}\n{line}\n", encoding="utf-8")
    status, out, err = call(
        capsys, "dedup", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "-o", tmp_path / "out", "--id-column", "none"
    )
    assert (status, json.loads(out)["documents"], json.loads(out)["exact"]) == (0, 4, 3), err
    places = pq.read_table(tmp_path / "out/duplicates.parquet").select(["uri", "record"]).to_pylist()
    assert len({tuple(place.values()) for place in places}) == 3


@pytest.mark.parametrize("verb", ["ingest", "measure", "dedup"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text-column", "nope"], "no field 'nope'; found: id, text; name the field with --text-column"),
        (["--id-column", "nope"], "d.jsonl, record 0: the field 'nope' is not there or null"),
    ],
)
def test_a_field_that_is_not_there_fails_with_the_fields_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, options: list[str], message: str
) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps({"id": "a", "text": article(1)}), encoding="utf-8")
    status, out, err = call(capsys, verb, tmp_path / "d.jsonl", "-o", tmp_path / "out", "--workers", 1, *options)
    assert (status, out) == (1, "")
    assert message in err
    assert "recipe" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["ingest", "measure", "dedup"])
def test_an_input_that_is_not_there_is_named_and_no_folder_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    status, _, err = call(capsys, verb, tmp_path / "none.txt", "-o", tmp_path / "out")
    assert (status, err) == (1, f"yuliao {verb}: no file at {tmp_path}/none.txt; check INPUT\n")
    assert not (tmp_path / "out").exists()


def test_files_that_were_not_read_are_listed_up_to_twenty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for n in range(23):
        (tmp_path / f"{n:02}.txt").write_bytes(b"\x7fELF\0\1\2")
    (tmp_path / "good.txt").write_text(article(1), encoding="utf-8")
    (tmp_path / "void.txt").touch()
    status, out, err = call(capsys, "dedup", tmp_path, "-o", tmp_path.parent / "out")
    assert (status, json.loads(out)["documents"]) == (0, 1)
    assert err.count(".txt: failed: named as txt but the content is") == 20
    assert "and 3 more" in err
    assert "void.txt" not in err


def test_what_a_failed_tool_found_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps({"id": "a", "text": article(1)}), encoding="utf-8")
    call(capsys, "dedup", tmp_path / "d.jsonl", "-o", tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert call(capsys, "dedup", tmp_path / "d.jsonl", "-o", tmp_path / "out", "--text-column", "x")[0] == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
