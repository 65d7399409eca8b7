"""Files made to hurt: each costs little time and memory, and has an outcome with a reason."""

import io
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engine import own_memory
from pipeline.readers.reading import read_file
from pipeline.snapshot import list_inputs
from schemas.source import Limits, Source

LIMITS = Limits(record_bytes=1 << 20)
BOMB = (
    '<!DOCTYPE html [<!ENTITY a "哈哈哈哈哈哈"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">%s]>'
    "<html><body><p>&h;</p></body></html>"
)
STEPS = "".join(f'<!ENTITY {one} "{f"&{other};" * 8}">' for other, one in zip("bcdefg", "cdefgh", strict=True))


def outcomes(folder: Path, limits: Limits = LIMITS) -> dict[str, dict]:
    source = Source(id="s", path=str(folder), license="CC0-1.0")
    found = {}
    for file in list_inputs(source, folder):
        reading = read_file(file, source, limits)
        for _ in reading:
            pass
        found[file.uri] = reading.outcome
    return found


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.md", "a.html", "a.json"])
def test_a_sparse_line_is_over_the_limit_or_binary(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.write(b"text\n")
        file.truncate(200 << 20)
    before, begun = own_memory(), time.process_time()
    outcome = outcomes(tmp_path)[name]
    assert outcome["outcome"] == "failed"
    assert outcome["reason"]
    assert own_memory() - before < 256 << 20
    assert time.process_time() - begun < 10


def test_many_fields_of_a_table_are_one_bad_record(read: Callable) -> None:
    found = read("a.csv", b"id,text\n1," + b"x," * 600_000 + b"\n2,\xe5\xa5\xbd\xe7\x9a\x84\n", limits=LIMITS)
    assert found.outcome["outcome"] == "partial"
    assert found.texts == ["好的"]


def test_entities_of_a_page_are_not_expanded(read: Callable) -> None:
    found = read("a.html", (BOMB % STEPS).encode())
    assert sum(map(len, found.texts)) < 5000


def test_no_page_fetches_an_entity(read: Callable, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("不可外传", "utf-8")
    page = f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><html><body><p>正文&x;</p></body></html>'
    assert all("不可外传" not in text for text in read("a.html", page.encode()).texts)


def test_what_is_no_file_has_a_reason(tmp_path: Path, prose: str) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "good.txt").write_text(prose, "utf-8")
    found = outcomes(tmp_path)
    assert {uri: outcome["outcome"] for uri, outcome in found.items()} == {
        "good.txt": "ok",
        "gone.txt": "failed",
        "loop.txt": "failed",
        "pipe.txt": "failed",
    }
    assert all(outcome["reason"] for uri, outcome in found.items() if uri != "good.txt")


def test_any_name_is_a_uri(tmp_path: Path, prose: str) -> None:
    for name in (b"a\nb.txt", b"\xff\xfe.txt", "法规.txt".encode("gbk"), b"'; DROP TABLE.txt", b"\x1b[31m.txt"):
        (tmp_path / os.fsdecode(name)).write_text(prose, "utf-8")
    found = outcomes(tmp_path)
    assert len(found) == 5
    assert {"a\nb.txt", "法规.txt"} <= set(found)
    assert {outcome["outcome"] for outcome in found.values()} == {"ok"}


def test_a_member_bomb_in_a_stream_is_refused(read: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    monkeypatch.setattr("pipeline.readers.archive.IN_MEMORY", 1 << 20)
    monkeypatch.setattr("pipeline.readers.content.IN_MEMORY", 1 << 20)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt.gz", gzip.compress(bytes(16 << 20)))
    found = read("x.zip", out.getvalue())
    assert found.outcome["outcome"] == "failed"
    assert "unpack" in found.outcome["reason"]
