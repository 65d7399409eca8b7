import io

import pyarrow as pa
import pytest

ROWS = pa.table({"id": [1, 2, 3], "content": ["春天来了", "秋天来了", None], "title": ["春", "秋", "冬"]})


def packed(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "feather":
        import pyarrow.feather

        pyarrow.feather.write_feather(ROWS, out)
    else:
        new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        with new(out, ROWS.schema) as writer:
            writer.write_table(ROWS, max_chunksize=1)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "name"), [("file", "a.arrow"), ("stream", "a.arrow"), ("feather", "a.feather"), ("file", "a")]
)
def test_reads_files_streams_and_feather(read, kind, name):
    found = read(name, packed(kind))
    assert found.texts == ["春天来了", "秋天来了"]
    assert [(row["record"], row["title"]) for row in found.rows] == [(0, "春"), (1, "秋")]
    assert (found.outcome["outcome"], found.outcome["format"]) == ("partial", "arrow")
    assert [row["record"] for row in found.quarantine] == [2]


def test_damage_is_told(read):
    whole = packed("file")
    assert read("a.arrow", whole[: len(whole) // 2]).outcome["outcome"] == "failed"
    cut = read("b.arrow", packed("stream")[:-200])
    assert cut.outcome["outcome"] in ("partial", "failed")
    assert "fetch the file again" in cut.outcome["reason"]
    assert read("c.arrow", b"no arrow at all").outcome["outcome"] == "failed"


def test_no_text_column_names_those_there_are(read):
    out = io.BytesIO()
    table = pa.table({"n": [1]})
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    assert "n (int64)" in read("a.arrow", out.getvalue()).outcome["reason"]


def test_mutated_files_never_raise(read):
    whole = packed("file")
    for place in range(0, len(whole), 7):
        read("m.arrow", whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
