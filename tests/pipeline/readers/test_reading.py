import errno
import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.readers.reading import normalised, read_file, read_hub
from schemas.document import DOCUMENT, document_id
from schemas.errors import SourceError, StoreError
from schemas.source import Fields, Hub, InputFile, Limits, Source


def jsonl(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    ("name", "content", "outcome", "words"),
    [
        ("空.txt", b"", "empty", "no text"),
        ("空白.txt", " \n\u3000\t\n".encode() * 9, "empty", "no text"),
        ("空.jsonl", b"\n\n", "empty", "no text"),
        ("空.jsonl.gz", gzip.compress(b"", mtime=0), "empty", "no text"),
        ("图.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "failed", "PNG image"),
        ("程序.md", b"\x7fELF" + bytes(900), "failed", "ELF program"),
        ("零.txt", bytes(900), "failed", "binary"),
        ("表.csv", b"PK\x03\x04" + bytes(99), "failed", "zip archive"),
        ("a.parquet", b"", "failed", "0 bytes"),
        ("a.parquet", b"PAR1 and no more", "failed", "Parquet"),
        (".DS_Store", b"\0\0\0\1Bud1", "skipped", "operating-system file"),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0", "skipped", "operating-system file"),
        ("a.doc", b"\xd0\xcf\x11\xe0", "skipped", "doc is not supported yet; convert to txt or html"),
        ("a.warc.gz", gzip.compress(b"WARC/1.0", mtime=0), "failed", "whose header has no end"),
        ("文字.docx", "不是文档".encode("gb18030"), "failed", "named as docx"),
        ("~$锁.docx", b"\x05user" + bytes(157), "failed", "named as docx"),
        ("a.pdf", b"", "failed", "0 bytes"),
    ],
)
def test_what_is_no_document_has_an_outcome_and_a_reason(read, name, content, outcome, words):
    found = read(name, content)
    assert found.outcome["outcome"] == outcome
    assert words in found.outcome["reason"]
    assert not found.batches


def test_a_text_file_is_one_document(read, prose):
    found = read("目录/春天.txt", prose.encode("gb18030"))
    assert found.rows == [
        {
            "id": document_id("s", "目录/春天.txt#0"),
            "text": prose,
            "title": None,
            "source": "s",
            "uri": "目录/春天.txt",
            "record": 0,
            "url": None,
            "original_time": None,
            "last_modified_time": None,
        }
    ]
    assert found.outcome | {"evidence": "", "bytes": 0} == {
        "source": "s",
        "uri": "目录/春天.txt",
        "format": "txt",
        "encoding": "gb18030",
        "bom": False,
        "evidence": "",
        "outcome": "ok",
        "records": 1,
        "bad_records": 0,
        "bytes": 0,
        "sha256": None,
        "reason": "",
        "notes": None,
    }


def test_line_ends_nul_and_byte_order_mark_are_no_text(read):
    assert read("a.txt", "\ufeff一\r\n二\r三\0\n".encode("utf-8")).texts == ["一\n二\n三\n"]


@given(st.text())
def test_normalised_text_is_stable_and_fits_utf8(text):
    once = normalised(text)
    assert normalised(once) == once or once.startswith("\ufeff")
    once.encode("utf-8")


def test_surrogate_pairs_are_joined_and_lone_ones_replaced():
    assert normalised("\ud842\udfb7野") == "𠮷野"
    assert normalised("孤\ud842立") == "孤\ufffd立"


def test_a_file_without_a_suffix_is_sniffed(read, prose):
    assert read("README", prose.encode()).outcome["format"] == "txt"
    assert read("dump", jsonl({"text": prose})).texts == [prose]
    assert read("page", f"<html><body><p>{prose}</p></body></html>".encode()).outcome["format"] == "html"
    assert read("data.gz", gzip.compress(jsonl({"text": prose}))).outcome["format"] == "jsonl.gz"


def test_a_plain_file_with_a_packed_name_is_read_as_it_is(read, prose):
    found = read("a.jsonl.gz", jsonl({"text": prose}))
    assert (found.texts, found.outcome["format"]) == ([prose], "jsonl")


def test_a_cut_packed_text_is_partial(read, prose):
    found = read("a.txt.gz", gzip.compress((prose * 300).encode())[:-9])
    assert found.outcome["outcome"] == "partial"
    assert "cut off" in found.outcome["reason"]
    assert found.texts[0][:50] == prose[:50]


def test_bad_bytes_make_a_file_partial_and_are_counted(read, prose):
    found = read("a.txt", (prose * 9).encode()[:-1] + b"\xff\xff")
    assert found.outcome["outcome"] == "partial"
    assert "3 byte sequences are no utf-8" in found.outcome["reason"]


def test_a_file_of_two_encodings_is_partial_and_whole(read, prose):
    text = prose + "\n"
    found = read("a.txt", (text * 9).encode() + (text * 9).encode("gb18030"))
    assert found.texts == [text * 18]
    assert "two encodings" in found.outcome["reason"]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_a_document_over_the_limit_is_refused_by_its_size(read, name):
    found = read(name, b"<p>" + b"word " * 1000, limits=Limits(record_bytes=1000))
    assert found.outcome["outcome"] == "failed"
    assert "record_bytes 1,000" in found.outcome["reason"]


@pytest.mark.parametrize("codec", ["utf-8", "gb18030", "utf-16"])
def test_a_record_over_the_limit_costs_only_itself(read, codec):
    rows = jsonl({"text": "前面的记录很短。"}, {"text": "长" * 3_000_000}, {"text": "后面的记录也短。"}).decode()
    found = read("a.jsonl", rows.encode(codec), limits=Limits(record_bytes=1_000_000))
    assert found.texts == ["前面的记录很短。", "后面的记录也短。"]
    assert [row["record"] for row in found.rows] == [0, 2]
    assert "record_bytes 1,000,000" in found.quarantine[0]["reason"]
    assert found.quarantine[0]["excerpt"].startswith('{"text": "长')
    assert len(found.quarantine[0]["excerpt"]) == 200


def test_batches_hold_about_a_megabyte_of_text(read):
    rows = [{"text": chr(0x4E00 + i % 5000) * (1 + i * 37 % 5000)} for i in range(1500)]
    found = read("a.jsonl", jsonl(*rows))
    sizes = [batch.column("text").nbytes for batch in found.batches]
    assert all(500_000 <= size <= 2_000_000 for size in sizes[:-1])
    assert len(sizes) > 5
    assert found.texts == [row["text"] for row in rows]


def test_bad_records_keep_their_ordinal_and_blank_lines_have_none(read):
    content = b'{"text": "a1"}\n\n{"text": \n{"text": "b2"}\n \t\n{"text": "c3"}'
    found = read("a.jsonl", content)
    assert [(row["record"], row["text"]) for row in found.rows] == [(0, "a1"), (2, "b2"), (3, "c3")]
    assert found.rows[1]["id"] == document_id("s", "a.jsonl#2")
    assert [(row["record"], row["excerpt"]) for row in found.quarantine] == [(1, '{"text": ')]
    assert found.outcome["reason"].startswith("1 bad record, the first is record 1: ")
    two = read("a.jsonl", content + b"\n{\n{")
    assert two.outcome["reason"].startswith("3 bad records, the first is record 1: ")


@pytest.mark.parametrize(
    ("raw", "ids"),
    [(False, [document_id("s", "甲"), document_id("s", "7")]), (True, ["甲", "7"])],
)
def test_the_field_that_the_recipe_names_makes_the_id(read, raw, ids):
    found = read("a.jsonl", jsonl({"no": "甲", "text": "一"}, {"no": 7, "text": "二"}), id="no", raw_ids=raw)
    assert [row["id"] for row in found.rows] == ids


def test_raw_ids_fall_back_to_a_hash(read):
    found = read("a.jsonl", jsonl({"text": "一"}), raw_ids=True)
    assert found.rows[0]["id"] == document_id("s", "a.jsonl#0")


def test_a_repeated_id_is_quarantined_the_second_time(read):
    found = read("a.jsonl", jsonl(*({"id": i, "text": f"文{n}"} for n, i in enumerate("aba"))), id="id")
    assert found.texts == ["文0", "文1"]
    assert "'a' occurs again" in found.quarantine[0]["reason"]
    assert found.outcome["outcome"] == "partial"


def test_ids_do_not_depend_on_the_place_of_the_file(tmp_path, prose):
    ids = []
    for folder in ("x", "y"):
        path = tmp_path / folder
        path.write_text(prose, encoding="utf-8")
        source = Source(id="s", path=".", license="CC0-1.0")
        (batch,) = read_file(InputFile("s", "a.txt", str(path), 1, ""), source, Limits())
        ids.append(batch.column("id")[0].as_py())
    assert ids[0] == ids[1]


def test_a_missing_file_is_failed_not_raised(tmp_path):
    source = Source(id="s", path=".", license="CC0-1.0")
    reading = read_file(InputFile("s", "a.txt", str(tmp_path / "none"), 1, ""), source, Limits())
    assert list(reading) == []
    assert reading.outcome["outcome"] == "failed"
    assert "cannot be opened" in reading.outcome["reason"]


def test_the_recipe_can_name_the_reader(read, prose):
    assert read("a.dat", jsonl({"text": prose}), reader="json").texts == [prose]
    assert read("a.json", prose.encode(), reader="text").texts == [prose]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.csv", "a.tsv", "a.json", "a.jsonl", "a.jsonl.gz",
                                  "a.parquet", "a", "a.docx"])  # fmt: skip
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_content_makes_a_reader_raise(read, name, content):
    assert read(name, content).outcome["outcome"] in {"ok", "partial", "failed", "empty", "skipped"}


@pytest.fixture
def hub_folder(tmp_path):
    folder = tmp_path / "poems"
    folder.mkdir()
    (folder / "train.jsonl").write_bytes(jsonl({"text": "床前明月光。", "title": "静夜思"}, {"text": None}))
    return folder


def test_a_hub_folder_is_read_by_datasets(hub_folder):
    source = Source(id="s", hub=Hub(name=str(hub_folder)), license="CC0-1.0")
    reading = read_hub(source, Limits())
    (batch,) = reading
    assert batch.schema == DOCUMENT
    row = batch.to_pylist()[0]
    assert (row["text"], row["title"], row["uri"], row["record"]) == ("床前明月光。", "静夜思", "hub/poems/train", 0)
    assert (reading.outcome["format"], reading.outcome["outcome"]) == ("hub", "partial")
    assert reading.quarantine[0]["record"] == 1


def test_a_saved_dataset_is_read_by_datasets(tmp_path):
    import datasets

    datasets.Dataset.from_dict({"no": ["a", "b"], "内容": ["一", "二"]}).save_to_disk(tmp_path / "saved")
    source = Source(id="s", hub=Hub(name=str(tmp_path / "saved")), license="CC0-1.0", fields=Fields(id="no"))
    table = pa.Table.from_batches(read_hub(source, Limits(), raw_ids=True))
    assert table.select(["id", "text"]).to_pylist() == [{"id": "a", "text": "一"}, {"id": "b", "text": "二"}]


def hub_reading(name, **options):
    return read_hub(Source(id="s", hub=Hub(name=str(name), **options), license="CC0-1.0"), Limits())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"split": "trian"}, r"config 'default', split 'trian'.*'train'"),
        ({"config": "modern"}, r"config 'modern', split 'train'.*'default'"),
    ],
)
def test_a_typo_in_the_place_of_a_dataset_stops_the_run_and_names_what_there_is(hub_folder, options, words):
    with pytest.raises(SourceError, match=rf"'.*poems' \({words}.*check these"):
        list(hub_reading(hub_folder, **options))


def test_a_typo_in_the_split_of_a_saved_dataset_stops_the_run(tmp_path):
    import datasets

    one = datasets.Dataset.from_dict({"text": ["一"]})
    datasets.DatasetDict({"train": one, "test": one}).save_to_disk(tmp_path / "saved")
    with pytest.raises(SourceError, match=r"Did you mean 'test'\? Known: test, train"):
        list(hub_reading(tmp_path / "saved", split="tset"))
    assert sum(batch.num_rows for batch in hub_reading(tmp_path / "saved", split="test")) == 1


def test_a_dataset_without_files_stops_the_run(tmp_path):
    with pytest.raises(SourceError, match="cannot be read from row 0 on"):
        list(hub_reading(tmp_path))


def test_damage_behind_rows_that_were_read_costs_what_follows(hub_folder):
    (hub_folder / "train_2.jsonl").write_bytes(b'{"text": \n')
    reading = hub_reading(hub_folder)
    assert [batch.num_rows for batch in reading] == [1]
    assert reading.outcome["outcome"] == "partial"
    assert "damaged from row 2 on" in reading.outcome["reason"]


def test_a_network_that_goes_in_the_middle_stops_the_run(monkeypatch):
    def rows(_):
        yield {"text": "一"}
        raise ConnectionError("the network is gone")

    monkeypatch.setattr("pipeline.readers.hub._open", rows)
    reading = hub_reading("org/poems", revision="abc")
    with pytest.raises(SourceError, match=r"'org/poems' .*revision 'abc'.*from row 1 on .*the network is gone"):
        list(reading)
    assert not reading.outcome


def test_a_dataset_has_the_size_and_hash_that_the_snapshot_saw(hub_folder):
    source = Source(id="s", hub=Hub(name=str(hub_folder)), license="CC0-1.0")
    file = InputFile("s", "hub/poems/train", str(hub_folder), 77, "ab" * 32)
    reading = read_hub(source, Limits(), file=file)
    list(reading)
    assert (reading.outcome["bytes"], reading.outcome["sha256"]) == (77, "ab" * 32)


def reading_of(path):
    return read_file(InputFile("s", "a.txt", str(path), 1, ""), Source(id="s", path=".", license="CC0-1.0"), Limits())


def test_what_is_no_hash_is_not_told_as_one(tmp_path):
    file = InputFile("s", "a.txt", str(tmp_path / "none"), 0, "unreadable")
    reading = read_file(file, Source(id="s", path=".", license="CC0-1.0"), Limits())
    assert list(reading) == []
    assert reading.outcome["sha256"] is None


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to(path)], ids=["folder", "loop"])
def test_what_cannot_be_opened_is_failed(tmp_path, make):
    make(tmp_path / "a.txt")
    reading = reading_of(tmp_path / "a.txt")
    assert list(reading) == []
    assert reading.outcome["outcome"] == "failed"
    assert "cannot be opened" in reading.outcome["reason"]


@pytest.fixture
def failing(monkeypatch):
    """Let every input file fail with an error of the system as it is opened."""

    def fail(code):
        def refuse(_):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("pipeline.readers.content._stream", refuse)

    return fail


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_file_without_permission_is_failed(tmp_path, failing, code):
    failing(code)
    reading = reading_of(tmp_path / "a.txt")
    assert list(reading) == []
    assert reading.outcome["outcome"] == "failed"
    assert os.strerror(code) in reading.outcome["reason"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOSPC])
def test_a_fault_of_the_machine_is_raised_and_nothing_is_noted(tmp_path, failing, code):
    failing(code)
    reading = reading_of(tmp_path / "a.txt")
    with pytest.raises(SourceError, match=r"a\.txt: reading broke off \(.*run again"):
        list(reading)
    assert not reading.outcome


def test_a_full_temporary_folder_leaves_no_outcome(tmp_path, full_disk, prose):
    (tmp_path / "a.txt").write_bytes(gzip.compress(prose.encode() * 99))
    reading = reading_of(tmp_path / "a.txt")
    with pytest.raises(StoreError, match="the disk is full"):
        list(reading)
    assert not reading.outcome
