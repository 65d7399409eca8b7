import sqlite3
from pathlib import Path

import pytest


def database(tmp_path: Path, *statements: str) -> bytes:
    path = tmp_path / "made.sqlite"
    path.unlink(missing_ok=True)
    base = sqlite3.connect(path)
    for statement in statements:
        base.execute(statement)
    base.commit()
    base.close()
    return path.read_bytes()


POSTS = (
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT, content TEXT)",
    "INSERT INTO posts VALUES (1, '春', '春天来了'), (2, '夏', NULL), (3, '秋', '秋天来了')",
    "CREATE TABLE counts (n INTEGER)",
    "CREATE VIEW doubled AS SELECT content FROM posts",
)


@pytest.mark.parametrize("name", ["a.sqlite", "a.db", "a"])
def test_reads_tables_with_text_and_names_the_others(read, tmp_path, name):
    found = read(name, database(tmp_path, *POSTS))
    assert [(row["record"], row["title"], row["text"]) for row in found.rows] == [
        (0, "春", "春天来了"),
        (2, "秋", "秋天来了"),
    ]
    assert (found.outcome["outcome"], found.outcome["format"]) == ("partial", "sqlite")
    assert [row["record"] for row in found.quarantine] == [1]
    assert found.outcome["notes"] == "tables without a text column, not read: counts"


def test_records_run_on_over_tables_and_a_large_one_is_read_from_disk(read, tmp_path, monkeypatch):
    more = ('CREATE TABLE "a""b" (text)', 'INSERT INTO "a""b" VALUES (\'甲\')')
    content = database(tmp_path, *POSTS, *more)
    texts = read("a.sqlite", content).texts
    assert texts == ["甲", "春天来了", "秋天来了"]
    monkeypatch.setattr("pipeline.readers.sqlite.IN_MEMORY", 10)
    assert read("b.sqlite", content).texts == texts


def test_damage_and_missing_text_are_told(read, tmp_path):
    whole = database(tmp_path, *POSTS)
    assert read("a.sqlite", whole[:5000]).outcome["outcome"] in ("partial", "failed")
    assert read("b.sqlite", b"no database").outcome["outcome"] == "failed"
    assert "counts.n" in read("c.sqlite", database(tmp_path, POSTS[2])).outcome["reason"]


def test_a_message_that_is_no_utf8_is_damage(read, tmp_path):
    data = database(tmp_path, *POSTS).replace(b"CREATE TABLE counts", b"CREATE T\xc2BLE counts")
    assert "no whole SQLite database" in read("a.db", data).outcome["reason"]


def test_mutated_databases_never_raise(read, tmp_path):
    whole = database(tmp_path, *POSTS)
    for place in (*range(0, 120, 5), *range(4096, len(whole), 331)):
        read("m.sqlite", whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
