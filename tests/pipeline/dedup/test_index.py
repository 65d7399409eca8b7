import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dedup import index as module
from pipeline.dedup.buckets import pack
from pipeline.dedup.candidates import LEADERS, LOW, matches
from pipeline.dedup.index import Index, Segment, parameters_of, write_segment
from pipeline.storage import ASIDE, sync_folder
from schemas.errors import StoreError
from schemas.recipe import Dedup

keys = st.lists(st.integers(0, 30), max_size=60)


@settings(deadline=None)  # the first call compiles
@given(keys, keys)
def test_every_equal_key_is_found_once(one, other):
    packed = pack(np.array(one, np.uint32), np.ones(len(one), bool))
    there = pack(np.array(other, np.uint32), np.ones(len(other), bool))
    found = matches(packed, (there >> np.uint64(32)).astype(np.uint32), (there & LOW).astype(np.uint32))
    pairs = [(int(pair >> np.uint64(32)), int(pair & LOW)) for pair in found]
    assert sorted(pairs) == [(a, b) for a in range(len(one)) for b in range(len(other)) if one[a] == other[b]]


def test_texts_are_read_by_row_from_few_blocks(segment, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", 40)
    texts = [f"第{number}篇" + "字" * (number % 7) for number in range(50)] + ["长" * 1000, "", "短"]
    one = segment(texts)
    for rows in ([], [0], [3, 4, 5, 49], [50], [51, 52], list(range(53))):
        found = {}
        for here, column in one.texts(np.array(rows, np.int64)):
            found |= dict(zip(rows[here], column.to_pylist(), strict=True))
        assert found == {row: texts[row] for row in rows}
    assert pa.ipc.open_file(str(one.folder / "texts.arrow")).num_record_batches > 10


def test_a_segment_names_ids_lengths_and_contents(segment):
    one = segment(["甲乙", "丙", "甲乙"], ids=["x", "y", "z"])
    assert len(one) == 3
    rows = np.array([0, 2, 1])
    assert one.places(rows).column("id").to_pylist() == ["x", "z", "y"]
    assert one.chars(rows).tolist() == [2, 2, 1]
    content = one.content(rows).tolist()
    assert content[0] == content[1] != content[2]


def test_a_segment_made_with_other_parameters_is_refused_and_each_difference_named(segment):
    one = segment(["一二三四五六"])
    with pytest.raises(StoreError, match=r"made with permutations 128, not 64; bands 25, not 8; compare with the same"):
        Segment.open(one.folder, Dedup(permutations=64, bands=8), "")
    assert len(Segment.open(one.folder, Dedup(threshold=0.9), "")) == 1


@pytest.fixture
def many(segment):
    """A segment of several blocks of texts."""
    return segment(
        [f"第{number}篇" + "".join(chr(0x4E00 + (number * k) % 5000) for k in range(90)) for number in range(900)]
    )


def damage(path, how):
    """Change a file as a disk or a person does; bytes are changed where values are, in the middle of the file."""
    data = bytearray(path.read_bytes())
    if how == "lost":
        path.unlink()
        return
    if how == "changed":
        for place in range(len(data) // 2, len(data) // 2 + 64):
            data[place] ^= 0x5A
    path.write_bytes(data[: len(data) // 2] if how == "cut" else data)


@pytest.mark.parametrize("name", ["texts.arrow", "keys.arrow", "rows.arrow"])
@pytest.mark.parametrize(("how", "what"), [("lost", "is missing"), ("cut", "is cut|cannot be read")])
def test_a_file_that_is_lost_or_cut_is_named_with_the_remedy_when_a_segment_is_opened(many, name, how, what):
    damage(many.folder / name, how)
    with pytest.raises(StoreError, match=rf"{name}: ({what}).*; make it again"):
        Segment.open(many.folder, Dedup(), "make it again")


@pytest.mark.parametrize("name", ["texts.arrow", "keys.arrow", "rows.arrow", "removed.arrow"])
def test_a_changed_file_is_found_when_all_is_read(many, name):
    many.remove(many.places(np.arange(0, 900, 2)).column("id"))
    assert list(many.faults()) == []
    damage(many.folder / name, "changed")
    (fault,) = Segment.open(many.folder, Dedup(), "make it again").faults()
    assert str(fault).startswith(f"{many.folder / name}: ")
    assert str(fault).endswith("; make it again")


@pytest.mark.parametrize("name", ["texts.arrow", "keys.arrow"])
def test_a_search_stops_at_a_changed_file_and_never_takes_what_it_says(many, search, name):
    texts = [text for _, column in many.texts(np.arange(900)) for text in column.to_pylist()]
    assert len(search(texts, against=[many]).staying) == 900
    damage(many.folder / name, "changed")
    with pytest.raises(StoreError, match=rf"{name}: .*; make it again"):
        search(texts, against=[Segment.open(many.folder, Dedup(), "make it again")])


def test_removed_documents_are_found_no_more_and_stay_removed(search, segment):
    text = "国家保障自然资源的合理利用，保护珍贵的动物和植物。"
    one = segment([text, text[:-3], "别的文字"], ids=["a", "b", "c"])
    index = Index("old", (one,))
    assert search([text + "！"], against=[one]).staying.tolist() == [0, 1]
    assert index.remove(pa.array(["a", "c", "nobody"])) == 2
    assert index.remove(pa.array(["a"])) == 0
    for again in (one, Segment.open(one.folder, Dedup(), "")):
        assert again.removed.tolist() == [0, 2]
        assert search([text + "！"], against=[again]).staying.tolist() == [1]


def test_a_kill_while_a_segment_is_written_leaves_none(tmp_path, monkeypatch):
    folder = tmp_path / "index" / "one"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_sorted_keys", killed)
    with pytest.raises(KeyboardInterrupt):
        write_segment(folder, Dedup(), [])
    assert list(folder.parent.iterdir()) == []


def test_a_segment_appears_whole_and_is_not_written_twice(tmp_path, segment, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "sync_folder", lambda path: (seen.append(path), sync_folder(path)))
    one = segment(["甲乙丙丁戊己"])
    assert seen == [one.folder.parent]
    before = {path: path.stat().st_mtime_ns for path in one.folder.iterdir()}
    assert sorted(path.name for path in before) == ["keys.arrow", "rows.arrow", "texts.arrow"]
    write_segment(one.folder, Dedup(), [])
    assert {path: path.stat().st_mtime_ns for path in one.folder.iterdir()} == before
    assert not list(tmp_path.rglob(f"*{ASIDE}"))


def test_a_segment_that_another_process_wrote_meanwhile_is_as_good(segment):
    one = segment(["甲乙丙丁戊己"])
    write_segment(one.folder, Dedup(), [pa.table({"id": ["x"], "text": ["别的文字"]})])
    assert one.places(np.array([0])).column("id").to_pylist() == ["old-0"]


def test_a_place_that_cannot_be_written_is_named_with_a_remedy(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"file/index/one: the index cannot be written \(Not a directory\); make room"):
        write_segment(tmp_path / "file/index/one", Dedup(), [])


def test_equal_documents_give_equal_files(segment):
    texts = [f"第{number}篇，" + "文字" * 20 for number in range(300)]
    one, two = segment(texts), segment(texts)
    for path in one.folder.iterdir():
        assert path.read_bytes() == (two.folder / path.name).read_bytes()


def test_a_large_bucket_is_kept_by_its_leaders(search, segment):
    dice = np.random.default_rng(4)
    template = [chr(0x4E00 + k) for k in range(200)]

    def filled(number: int) -> str:
        chars = list(template)
        for place in dice.integers(0, 200, 2):
            chars[place] = chr(0x6000 + number)
        return "".join(chars)

    one = segment([filled(number) for number in range(2000)])
    batch = pa.ipc.open_file(str(one.folder / "keys.arrow")).get_batch(0)
    _, sizes = np.unique(batch.column("key").to_numpy(), return_counts=True)
    assert sizes.max() <= LEADERS
    assert len(batch) < 2000
    found = search([filled(3000 + number) for number in range(50)], against=[one])
    assert found.pairs.num_rows
    assert (found.pairs.column("jaccard").to_numpy() >= 0.8).all()


def test_an_index_is_the_list_of_its_segments(tmp_path, segment):
    one, two = segment(["甲"], ids=["a"]), segment(["乙", "丙"], ids=["b", "c"])
    Index.write(tmp_path, [one.folder.name, two.folder.name], Dedup())
    index = Index.open(tmp_path, "kept", Dedup())
    assert [len(part) for part in index.segments] == [1, 2]
    assert parameters_of(tmp_path)["bands"] == 25
    assert index.remove(pa.array(["a", "c"])) == 2


@pytest.mark.parametrize("content", ["[]", "{}", '{"segments": ["a"], "parameters": {"bands": "x"}}'])
def test_a_list_of_segments_that_is_none_is_named_with_the_remedy(tmp_path, content):
    (tmp_path / "index.json").write_text(content, encoding="utf-8")
    with pytest.raises(StoreError, match=r"index\.json: does not list .* make the index again with `yuliao dedup"):
        parameters_of(tmp_path)
