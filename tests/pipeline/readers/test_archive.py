"""Members of archives are read as files are, and what is hostile in them is refused with a reason."""

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.source import Limits

HERE = Path(__file__).parent / "archives"
LAW, SECOND = "网络安全法.txt", "第二条.md"


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("utf8.zip", "法规/"),
        ("cp936.zip", ""),
        ("plain.tar", "法规/"),
        ("cp936.tar", ""),
        ("packed.tar.bz2", "法规/"),
        ("packed.tar.xz", "法规/"),
        ("packed.tar.zst", "法规/"),
    ],
)
def test_members_are_documents(read: Callable, name: str, folder: str) -> None:
    found = read(name, (HERE / name).read_bytes())
    assert found.outcome["outcome"] == "ok"
    assert sorted(row["uri"] for row in found.rows) == [f"{name}!{folder}{SECOND}", f"{name}!{folder}{LAW}"]
    assert all("网络安全" in text for text in found.texts)
    assert found.outcome["encoding"] is None  # the members have two
    assert found.outcome["format"] == ("zip" if name.endswith("zip") else name.split(".", 1)[1])


def test_archives_in_archives_are_opened_to_a_depth(read: Callable) -> None:
    content = (HERE / "nested.zip").read_bytes()
    found = read("n.zip", content)
    assert [row["uri"].count("!") for row in found.rows] == [2, 2, 1]
    shallow = read("n.zip", content, limits=Limits(depth=1))
    assert shallow.outcome["outcome"] == "partial"
    assert "'nested0.zip': an archive more than limits.depth 1 deep" in shallow.outcome["reason"]


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("encrypted.zip", "failed", "encrypted; unpack it with its password"),
        ("link.zip", "partial", "'法规/link.txt': a link, which is not followed"),
        ("link.tar", "partial", "'法规/link.txt': a link, which is not followed"),
        ("device.tar", "partial", "'法规/pipe': a device"),
        ("cut.zip", "failed", "no whole zip archive (File is not a zip file); fetch it again"),
        ("cut.tar", "partial", "it is cut off or damaged behind 1,536 bytes"),
    ],
)
def test_what_is_no_plain_file_is_named(read: Callable, name: str, outcome: str, reason: str) -> None:
    found = read(name, (HERE / name).read_bytes())
    assert found.outcome["outcome"] == outcome
    assert reason in found.outcome["reason"]


def test_a_name_is_a_label_that_climbs_nowhere(read: Callable, prose: str, tmp_path: Path) -> None:
    names = ["../../etc/a.txt", "/abs/b.txt", "C:\\dir\\c.txt", "./d.txt"]
    found = read("x.zip", zipped([(name, prose.encode()) for name in names]))
    assert [row["uri"] for row in found.rows] == [
        "x.zip!etc/a.txt",
        "x.zip!abs/b.txt",
        "x.zip!dir/c.txt",
        "x.zip!d.txt",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_a_name_is_decoded_as_the_standard_of_2022_says(read: Callable, prose: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", encoding="gb18030", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("国家的法律规定\ue78d.txt")  # the codec's place for the bytes A6D9
        info.size = len(prose.encode())
        archive.addfile(info, io.BytesIO(prose.encode()))
    assert [row["uri"] for row in read("x.tar", out.getvalue()).rows] == ["x.tar!国家的法律规定\ufe10.txt"]


def test_one_bad_member_costs_itself(read: Callable, prose: str) -> None:
    found = read("x.zip", zipped([("a.txt", prose.encode()), ("b.txt", b"\x89PNG\r\n\x1a\n"), (".DS_Store", b"x")]))
    assert found.outcome["outcome"] == "partial"
    assert found.quarantine[0]["uri"] == "x.zip!b.txt"
    assert "'b.txt': named as txt but the content is a PNG image" in found.outcome["reason"]
    assert found.outcome["encoding"] == "utf-8"


def test_a_format_not_read_is_said(read: Callable, prose: str) -> None:
    old = bytes.fromhex("d0cf11e0a1b11ae1")
    found = read("x.zip", zipped([("a.txt", prose.encode()), ("b.doc", old)]))
    assert found.outcome["outcome"] == "partial"
    assert "'b.doc': reading doc is not supported yet" in found.outcome["reason"]


def test_damage_of_a_member_costs_itself(read: Callable, prose: str) -> None:
    content = bytearray(zipped([("a.txt", prose.encode()), ("b.txt", prose.encode())]))
    content[40:44] = b"\xff\xff\xff\xff"
    found = read("x.zip", bytes(content))
    assert [row["uri"] for row in found.rows] == ["x.zip!b.txt"]
    assert "'a.txt': a damaged member" in found.outcome["reason"]


def test_a_second_member_of_a_name_is_refused(read: Callable, prose: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for _ in range(2):
            info = tarfile.TarInfo("a.txt")
            info.size = len(prose.encode())
            archive.addfile(info, io.BytesIO(prose.encode()))
    found = read("x.tar", out.getvalue())
    assert (found.outcome["records"], found.outcome["bad_records"]) == (1, 1)
    assert "a second member of this name" in found.outcome["reason"]


def test_a_bomb_is_refused(read: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.readers.archive.IN_MEMORY", 1 << 20)
    bomb = zipped([("a.txt", bytes(8 << 20))])
    found = read("x.zip", bomb)
    assert found.outcome["outcome"] == "failed"
    assert "unpack to more than" in found.outcome["reason"]
    nested = read("y.zip", zipped([(f"{n}.zip", bomb) for n in range(3)]))
    assert nested.outcome["outcome"] == "failed"
    assert "unpack to more than" in nested.outcome["reason"]


def test_too_many_members_are_refused(read: Callable, prose: str) -> None:
    many = zipped([(f"{n}.txt", prose.encode()) for n in range(5)])
    found = read("x.zip", many, limits=Limits(members=3))
    assert (found.outcome["outcome"], found.outcome["records"]) == ("partial", 3)
    assert "more than limits.members 3 members" in found.outcome["reason"]


def test_members_that_overlap_are_refused(read: Callable, prose: str) -> None:
    content = bytearray(zipped([("a.txt", prose.encode()), ("b.txt", prose.encode())]))
    second = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, second + 42, 8)  # the second begins inside the first
    found = read("x.zip", bytes(content))
    assert found.outcome["outcome"] == "failed"
    assert "overlap, as in a zip bomb" in found.outcome["reason"]


def test_a_large_archive_is_read_from_its_map(read: Callable, prose: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("large.txt", prose.encode() * 8000)
        archive.writestr("b.txt", prose.encode())
    assert read("x.zip", out.getvalue()).outcome["records"] == 2


def test_tables_in_archives_keep_their_records(read: Callable, prose: str) -> None:
    lines = "\n".join(f'{{"id": "{n}", "text": "第{n}条 网络安全等级保护"}}' for n in range(3))
    found = read("x.zip", zipped([("a.jsonl", lines.encode()), ("b.jsonl", lines.encode())]))
    assert [(row["uri"], row["record"]) for row in found.rows][:2] == [("x.zip!a.jsonl", 0), ("x.zip!a.jsonl", 1)]
    assert found.outcome["records"] == 6


def test_an_empty_archive_is_empty(read: Callable) -> None:
    assert read("x.zip", zipped([])).outcome["outcome"] == "empty"
