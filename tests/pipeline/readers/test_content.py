import bz2
import errno
import gzip
import io
import lzma
import random
from contextlib import nullcontext
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readers import content as module
from pipeline.readers.content import PACKINGS, Unreadable, opened
from schemas.errors import SourceError, StoreError
from schemas.source import InputFile, Limits

PACK = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress, "bz2": bz2.compress, "xz": lzma.compress}
NOISE = bytes((i * i * 7 + i // 3) % 251 for i in range(60000))


def contents(path, content, limits=None):
    path.write_bytes(content)
    with opened(InputFile("s", path.name, str(path), len(content), ""), limits or Limits()) as found:
        return bytes(found.data), found.packing, found.damage


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("text", [b"", b"one line\n", NOISE])
def test_packed_content_is_unpacked_whatever_its_name(tmp_path, packing, text):
    assert contents(tmp_path / "plain.txt", PACK[packing](text)) == (text, packing, None)


@pytest.mark.parametrize("packing", PACK)
def test_concatenated_members_are_one_content(tmp_path, packing):
    packed = b"".join(PACK[packing](part) for part in (b"first\n", NOISE, b"", b"last\n"))
    assert contents(tmp_path / "a", packed) == (b"first\n" + NOISE + b"last\n", packing, None)


@pytest.mark.parametrize("packing", PACK)
def test_a_cut_stream_gives_what_came_before_and_says_so(tmp_path, packing):
    packed = PACK[packing](b"first\n" * 10) + PACK[packing](NOISE)
    data, _, damage = contents(tmp_path / "a", packed[:-20])
    assert data.startswith(b"first\n" * 10)
    assert (b"first\n" * 10 + NOISE).startswith(data)
    assert "cut off" in damage


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
def test_a_corrupt_stream_is_reported(tmp_path, packing):
    packed = bytearray(PACK[packing](NOISE * 10))
    packed[len(packed) // 2 : len(packed) // 2 + 16] = bytes(16)
    _, _, damage = contents(tmp_path / "a", bytes(packed))
    assert "damaged" in damage


def test_padding_after_the_last_member_is_no_damage(tmp_path):
    assert contents(tmp_path / "a", gzip.compress(b"text") + bytes(5000))[2] is None


def test_bytes_after_the_last_member_are_damage(tmp_path):
    data, _, damage = contents(tmp_path / "a", gzip.compress(b"text") + b"something else")
    assert data == b"text"
    assert "no member" in damage


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_after_a_magic_number_raise_nothing(tmp_path_factory, tail):
    path = tmp_path_factory.mktemp("magic") / "a"
    for magic, _ in PACKINGS.values():
        contents(path, magic + tail)


def test_a_bomb_is_refused_by_its_ratio(tmp_path):
    with pytest.raises(Unreadable, match="ratio 2"):
        contents(tmp_path / "a", zstandard.ZstdCompressor().compress(bytes(70 << 20)), Limits(ratio=2))


def test_the_unpacked_size_is_limited(tmp_path):
    with pytest.raises(Unreadable, match="unpacked_bytes 1,000"):
        contents(tmp_path / "a", gzip.compress(NOISE), Limits(unpacked_bytes=1000))


def test_large_content_is_mapped_and_the_same(tmp_path):
    large = NOISE * 30
    assert contents(tmp_path / "a", large) == (large, None, None)


def test_content_beyond_memory_goes_through_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.readers.content.IN_MEMORY", 1 << 20)
    assert contents(tmp_path / "a", gzip.compress(NOISE * 30))[0] == NOISE * 30


def test_a_mapped_file_lets_go_of_what_it_has_shown(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes((b"x" * (1 << 20) + b"\n") * 8)
    with path.open("rb") as stream, module._mapped(stream) as (data, descriptor):
        assert isinstance(data, module.Window)
        assert descriptor == stream.fileno()
        assert data.find(b"\n") == 1 << 20
        assert data.find(b"\n", (1 << 20) + 1) == (2 << 20) + 1
        assert data.find(b"missing") == -1
        assert data.find(b"\n", 5, 100) == -1
        module_window, module.WINDOW = module.WINDOW, 1 << 20
        try:
            assert data.find(b"\n", (1 << 20) + 1) == (2 << 20) + 1
            assert data[:] == path.read_bytes()
            assert data[3:6] == b"xxx"
        finally:
            module.WINDOW = module_window


@pytest.fixture
def spilling(monkeypatch):
    """Let unpacked content leave memory at once."""
    monkeypatch.setattr(module, "IN_MEMORY", 1000)


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("size", [2000, len(NOISE)])
def test_a_full_temporary_folder_is_no_damage_of_the_file(tmp_path, full_disk, packing, size):
    with pytest.raises(StoreError, match=r"^/small/tmp: the disk is full; '.*/book\.gz'.* set TMPDIR .* run again$"):
        contents(tmp_path / "book.gz", PACK[packing](NOISE[:size]))


def test_a_temporary_folder_that_cannot_be_used_is_no_damage_of_the_file(tmp_path, monkeypatch, spilling):
    def refuse(**_):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(SourceError, match="cannot be written .*No such file.* set TMPDIR"):
        contents(tmp_path / "book.gz", gzip.compress(NOISE))


def test_content_is_unpacked_where_tmpdir_says(tmp_path, monkeypatch, spilling):
    made = []
    real = module.tempfile.TemporaryFile
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **options: made.append(options["dir"]) or real(**options))
    assert contents(tmp_path / "book.gz", gzip.compress(NOISE))[0] == NOISE
    assert made == [None]
    assert module.tempfile.gettempdir() == str(tmp_path)


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_a_fault_of_the_input_disk_is_no_damage_of_the_file(tmp_path, monkeypatch, packing, code):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 3000:
                raise OSError(code, "the disk fails")
            return super().read(size)

    packed = PACK[packing](random.Random(0).randbytes(20000))
    monkeypatch.setattr(module, "_stream", lambda _: nullcontext(Failing(packed)))
    with pytest.raises(OSError, match="the disk fails"):
        contents(tmp_path / "a", packed)
