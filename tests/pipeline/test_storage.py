import itertools
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.storage import (
    ParquetSink,
    Workspace,
    batches,
    digest,
    json_bytes,
    locked,
    open_parquet,
    read_json,
    replacing,
    replacing_folder,
    sha256_file,
    write_bytes,
    write_parquet,
)
from schemas.errors import BusyError, StoreError

SCHEMA = pa.schema([pa.field("id", pa.string()), pa.field("text", pa.string()), pa.field("n", pa.int64())])


def rows(count: int, width: int = 40) -> pa.Table:
    return pa.table(
        {"id": [f"{i:04d}" for i in range(count)], "text": ["语" * width] * count, "n": range(count)}, SCHEMA
    )


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with pytest.raises(RuntimeError), replacing(path) as aside:
        aside.write_bytes(b"half")
        raise RuntimeError
    assert list(path.parent.iterdir()) == []
    write_bytes(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), replacing(path) as aside:
        aside.write_bytes(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old"


def test_a_full_disk_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the disk is full; free some space"), replacing(tmp_path / "file"):
        raise OSError(28, "No space left on device")


def test_a_folder_takes_the_place_of_its_own_parts_only(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "documents").mkdir(parents=True)
    (out / "documents" / "old.parquet").touch()
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with replacing_folder(out, ("documents",)) as aside:
        (aside / "documents").mkdir()
        (aside / "documents" / "new.parquet").touch()
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*")) == [
        "documents",
        "documents/new.parquet",
        "notes.txt",
    ]


def test_a_failed_folder_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "old.parquet").touch()
    with pytest.raises(RuntimeError), replacing_folder(tmp_path, ("documents",)) as aside:
        (aside / "documents").mkdir()
        raise RuntimeError
    assert [p.name for p in tmp_path.rglob("*")] == ["documents", "old.parquet"]


@given(cuts=st.lists(st.integers(0, 50), max_size=6))
def test_parquet_bytes_do_not_depend_on_batch_borders(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("cuts")
    table = rows(50)
    borders = sorted({0, 50, *cuts})
    with ParquetSink(folder / "a.parquet", SCHEMA, row_group_bytes=900) as whole:
        whole.write(table)
    with ParquetSink(folder / "b.parquet", SCHEMA, row_group_bytes=900) as parts:
        for start, stop in itertools.pairwise(borders):
            parts.write(table.slice(start, stop - start))
    assert whole.rows == parts.rows == 50
    assert sha256_file(folder / "a.parquet") == sha256_file(folder / "b.parquet")


def test_row_groups_are_cut_by_bytes_and_carry_a_page_index(tmp_path: Path) -> None:
    with ParquetSink(tmp_path / "a.parquet", SCHEMA, row_group_bytes=900, metadata={"yuliao.dataset": "x/y"}) as sink:
        sink.write(rows(50))
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
        assert sizes == [7] * 7 + [1]  # 132 bytes a row: the seventh brings the group past 900
        assert file.schema_arrow.metadata[b"yuliao.dataset"] == b"x/y"
        assert file.metadata.row_group(0).column(1).has_offset_index
        assert file.metadata.row_group(0).column(1).compression == "ZSTD"
        assert "RLE_DICTIONARY" not in file.metadata.row_group(0).column(1).encodings


def test_an_error_while_writing_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ParquetSink(tmp_path / "a.parquet", SCHEMA) as sink:
        sink.write(rows(3))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_has_its_schema(tmp_path: Path) -> None:
    assert write_parquet(tmp_path / "a.parquet", SCHEMA, []) == 0
    assert open_parquet(tmp_path / "a.parquet").schema_arrow.equals(SCHEMA)


def test_batches_give_every_row_in_order_and_small(tmp_path: Path) -> None:
    with ParquetSink(tmp_path / "a.parquet", SCHEMA, row_group_bytes=3000) as sink:
        sink.write(rows(100))
    tables = list(batches(tmp_path / "a.parquet", limit=500))
    assert pa.concat_tables(tables).equals(rows(100))
    assert max(table.num_rows for table in tables) <= 4


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(StoreError, match="a.parquet: cannot be read as Parquet"):
        open_parquet(tmp_path / "a.parquet")


def test_json_is_equal_for_equal_values_and_broken_json_is_named(tmp_path: Path) -> None:
    assert (
        json_bytes({"b": 1, "a": "语"})
        == json_bytes({"a": "语", "b": 1})
        == b'{\n  "a": "\xe8\xaf\xad",\n  "b": 1\n}\n'
    )
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="x.json: not valid JSON"):
        read_json(tmp_path / "x.json")


def test_digest_sees_values_not_key_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_a_second_process_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", "dataset 'x'"):
        with pytest.raises(BusyError, match=f"dataset 'x' is being written by process {os.getpid()} on "):
            with locked(tmp_path / "lock", "dataset 'x'"):
                pass
    with locked(tmp_path / "lock", "dataset 'x'"):
        pass


def test_sweep_removes_only_what_was_left_aside(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    kept = workspace.reading("k" * 64) / "documents.parquet"
    write_bytes(kept, b"done")
    left = kept.with_name(".documents.parquet.99999.aside")
    left.write_bytes(b"half")
    folder = workspace.store("a/b") / "versions" / ".v1.0.0.99999.aside"
    folder.mkdir(parents=True)
    (folder / "README.md").touch()
    workspace.sweep()
    assert kept.exists()
    assert not left.exists()
    assert not folder.exists()
