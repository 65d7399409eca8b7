import os
from pathlib import Path

import pytest

from pipeline.listing import list_files
from pipeline.snapshot import Snapshot, list_inputs, take
from pipeline.storage import Workspace
from schemas.errors import SourceError
from schemas.source import UNREADABLE, Hub, Source


def source(path: str | list[str], id: str = "s") -> Source:
    return Source(id=id, path=path, license="public-domain")


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def uris(path: str | list[str], base: Path) -> list[str]:
    return [uri for uri, _ in list_files(source(path), base)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("raw", [".DS_Store", "a.txt", "b.md", "子/c.txt"], id="folder-with-hidden-files"),
        pytest.param("raw/a.txt", ["a.txt"], id="one-file"),
        pytest.param("raw/*.txt", ["a.txt"], id="glob"),
        pytest.param("raw/**/*.txt", ["a.txt", "子/c.txt"], id="glob-through-folders"),
        pytest.param("raw/**/*.{txt,md}", ["a.txt", "b.md", "子/c.txt"], id="braces"),
        pytest.param(["raw/子", "raw/a.txt"], ["raw/a.txt", "raw/子/c.txt"], id="a-list-is-relative-to-the-recipe"),
        pytest.param("raw/**", [".DS_Store", "a.txt", "b.md", "子/c.txt"], id="everything-below"),
        pytest.param("raw/[ab].*", ["a.txt", "b.md"], id="a-set"),
        pytest.param("raw/[!a].??", ["b.md"], id="not-in-a-set"),
        pytest.param("raw/*/*.txt", ["子/c.txt"], id="one-folder-deep"),
    ],
)
def test_uris_are_relative_to_what_stands_before_the_wildcard(tmp_path: Path, path: str, expected: list[str]) -> None:
    fill(tmp_path, "raw/a.txt", "raw/b.md", "raw/子/c.txt", "raw/.DS_Store")
    assert uris(path, tmp_path) == expected


def test_a_file_matched_twice_counts_once(tmp_path: Path) -> None:
    fill(tmp_path, "raw/a.txt")
    assert uris(["raw", "raw/*.txt"], tmp_path) == ["raw/a.txt"]


@pytest.mark.parametrize("path", ["nowhere", "raw/*.nothing", "empty"])
def test_a_source_without_files_is_an_error_that_names_it(tmp_path: Path, path: str) -> None:
    fill(tmp_path, "raw/a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=f"source 's': no file at .*{path.split('/')[0]}.*check `path`"):
        take([source(path)], tmp_path, None)


def test_a_name_that_is_no_utf8_is_read_as_gb18030(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    try:
        Path(str(folder).encode().decode() + "/" + "法规".encode("gb18030").decode("utf-8", "surrogateescape")).touch()
    except OSError:
        pytest.skip("this file system refuses names that are no UTF-8")
    assert uris("raw", tmp_path) == ["法规"]


def test_a_snapshot_is_content_not_time_or_place(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one", "raw/a.txt"), fill(tmp_path / "two", "raw/a.txt")
    assert take([source("raw")], one, None).sha256 == take([source("raw")], two, None).sha256
    (two / "raw/a.txt").write_text("other", encoding="utf-8")
    assert take([source("raw")], one, None).sha256 != take([source("raw")], two, None).sha256


def test_the_hash_cache_notices_a_changed_file(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    fill(tmp_path, "raw/a.txt", "raw/b.txt")
    first = take([source("raw")], tmp_path, workspace)
    assert take([source("raw")], tmp_path, workspace).sha256 == first.sha256
    (tmp_path / "raw/a.txt").write_text("longer than before", encoding="utf-8")
    assert take([source("raw")], tmp_path, workspace).sha256 != first.sha256


def test_new_and_changed_files_make_the_next_batch(tmp_path: Path) -> None:
    fill(tmp_path, "raw/a.txt", "raw/b.txt")
    first = take([source("raw")], tmp_path, None)
    fill(tmp_path, "raw/0.txt")
    (tmp_path / "raw/b.txt").write_text("changed", encoding="utf-8")
    second = take([source("raw")], tmp_path, None).following(first)
    rows = [(f.uri, b, f.gone) for f, b in zip(second.files, second.batches, strict=True)]
    assert rows == [("0.txt", 2, False), ("a.txt", 1, False), ("b.txt", 1, True), ("b.txt", 2, False)]
    assert [f.uri for f in second.batch(2)] == ["0.txt", "b.txt"]


def test_a_file_that_comes_back_keeps_its_batch(tmp_path: Path) -> None:
    fill(tmp_path, "raw/a.txt", "raw/b.txt")
    first = take([source("raw")], tmp_path, None)
    (tmp_path / "raw/b.txt").unlink()
    second = take([source("raw")], tmp_path, None).following(first)
    assert [f.uri for f in second.present] == ["a.txt"]
    assert second.sha256 != first.sha256
    fill(tmp_path, "raw/b.txt")
    assert take([source("raw")], tmp_path, None).following(second).sha256 == first.sha256


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    fill(tmp_path, "raw/a.txt", "elsewhere/b.txt")
    (tmp_path / "raw/loop").symlink_to(tmp_path / "raw")
    (tmp_path / "raw/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "raw/dangling.txt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "raw/pipe.txt")
    assert uris("raw", tmp_path) == uris("raw/**", tmp_path) == ["a.txt", "dangling.txt", "more/b.txt", "pipe.txt"]
    snapshot = take([source("raw")], tmp_path, None)
    assert [file.sha256 == UNREADABLE for file in snapshot.files] == [False, True, False, True]
    assert [file.bytes for file in list_inputs(source("raw"), tmp_path)][1] == 0


def test_the_workspace_is_no_input_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt", "workspace/cache/x", "store/my/data/latest")
    assert [file.uri for file in take([source(".")], tmp_path, Workspace(tmp_path)).files] == ["a.txt"]


def test_a_source_may_become_empty(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    assert take([source("raw")], tmp_path, None, emptied={"s"}).files == []


def test_a_saved_snapshot_comes_back_or_not_at_all(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    fill(tmp_path, "raw/a.txt", "more/b.txt")
    snapshot = take([source("raw", "x"), source("more", "y")], tmp_path, None)
    snapshot.save(workspace)
    hashes = [snapshot.of_source(id).sha256 for id in ("x", "y")]
    loaded = Snapshot.load(workspace, [*hashes, snapshot.of_source("gone").sha256])
    assert loaded is not None
    assert loaded.sha256 == snapshot.sha256
    assert Snapshot.load(workspace, [*hashes, "0" * 64]) is None


def test_a_hub_name_needs_a_commit_and_a_local_copy_does_not(tmp_path: Path) -> None:
    named = Source(id="h", hub=Hub(name="org/data"), license="MIT")
    with pytest.raises(SourceError, match="needs `revision`"):
        take([named], tmp_path, None)
    fill(tmp_path, "org/data/train.jsonl")
    snapshot = take([named], tmp_path, None)
    assert [file.path for file in snapshot.files] == [str(tmp_path / "org/data")]
