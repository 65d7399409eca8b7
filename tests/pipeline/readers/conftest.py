"""`read(name, content)`: what becomes of one file, as `read_file` tells it."""

import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from pipeline.readers.reading import read_file
from schemas.decision import FILES, QUARANTINE
from schemas.document import DOCUMENT
from schemas.source import Fields, InputFile, Limits, Source

PROSE = (
    "春天来了，城市里的树木开始发芽，人们走出家门，在公园里散步、聊天、晒太阳。\n"
    "老师对学生说：学习没有捷径，要多读书，多思考，还要把学到的知识用到生活中去。\n"
    "这个村子以前交通不便，现在修好了公路，农产品可以很快运到市场，收入也增加了。"
)
TRADITIONAL = (
    "春天來了，城市裡的樹木開始發芽，人們走出家門，在公園裡散步、聊天、曬太陽。\n"
    "老師對學生說：學習沒有捷徑，要多讀書，多思考，還要把學到的知識用到生活中去。\n"
    "這個村子以前交通不便，現在修好了公路，農產品可以很快運到市場，收入也增加了。"
)


class Read(NamedTuple):
    batches: list[pa.RecordBatch]
    outcome: dict[str, Any]
    quarantine: list[dict[str, Any]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for batch in self.batches for row in batch.to_pylist()]

    @property
    def texts(self) -> list[str]:
        return [row["text"] for row in self.rows]


def read_bytes(
    folder: Path, name: str, content: bytes, *, raw_ids=False, limits=None, reader="auto", ocr=None, **fields
) -> Read:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    source = Source(id="s", path=".", license="CC0-1.0", fields=Fields(**fields), reader=reader, ocr=ocr)
    file = InputFile("s", name, str(path), len(content), "")
    reading = read_file(file, source, limits or Limits(), raw_ids=raw_ids)
    batches = list(reading)
    assert all(batch.schema == DOCUMENT for batch in batches)
    pa.Table.from_pylist([reading.outcome], FILES)
    pa.Table.from_pylist(reading.quarantine, QUARANTINE)
    assert bool(reading.outcome["reason"]) == (reading.outcome["outcome"] != "ok")
    assert reading.outcome["records"] == sum(batch.num_rows for batch in batches)
    assert reading.outcome["bad_records"] == len(reading.quarantine)
    return Read(batches, reading.outcome, reading.quarantine)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Read]:
    def run(name: str, content: bytes, **options: Any) -> Read:
        return read_bytes(tmp_path, name, content, **options)

    return run


class _Full(io.RawIOBase):
    """A file on a full disk: empty, and buffers of it fail as they are written."""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def readinto(self, buffer: Any) -> int:
        return 0

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let content leave memory at once, for a temporary folder that is full."""
    monkeypatch.setattr("pipeline.readers.content.IN_MEMORY", 1000)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: io.BufferedRandom(_Full()))
    monkeypatch.setattr("tempfile.tempdir", "/small/tmp")


@pytest.fixture
def prose() -> str:
    return PROSE


@pytest.fixture
def traditional() -> str:
    return TRADITIONAL
