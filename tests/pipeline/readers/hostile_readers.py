"""Readers that do what libraries do on bad days; of no kind, so no catalogue holds them."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar

import pyarrow as pa

from pipeline.readers.block import Block
from pipeline.readers.content import Content, Unreadable
from pipeline.readers.reader import Bad, Intake, Reader, Record
from schemas.errors import StoreError

KEPT: list[bytes] = []


class Told(Reader):
    """Does what the content says, after a first good record."""

    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        intake.encoding, intake.bom, intake.evidence = "utf-8", False, "told"
        yield Record(0, "先有一条", "题", None, datetime(2020, 1, 2, tzinfo=UTC), None, "k")
        yield from getattr(self, bytes(content.data[:20]).split()[0].decode())(content, intake)

    def good(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        yield Bad(1, "broken", "\ud800")
        yield Record(2, "a\ud800b")
        intake.losses.append("something is missing")

    def block(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        text, keys, times = pa.array(["甲乙", "丙丁"]), pa.array([7, 8]), pa.array(["2020-01-02", None])
        yield Block(1, text, None, pa.array([" u ", None]), times, None, keys, lambda: iter(()))
        nulls = pa.array(["戊", None])
        yield Block(3, nulls, None, None, None, None, None, lambda: iter([Record(3, "戊"), Bad(4, "null", "")]))

    def process(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        yield Record(1, str(os.getpid()))

    def size(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        yield Record(1, f"{len(content.data)} {type(content.data).__name__}")

    def crash(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        yield Record(1, str(ctypes.string_at(0)))

    def abort(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        os.abort()
        yield

    def leave(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        os._exit(3)
        yield

    def spin(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        while True:
            pass
        yield

    def sleep(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        time.sleep(1000)
        yield

    def swell(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        yield Record(1, str(len(bytes(3 << 30))))

    def keep(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        KEPT.append(bytes(80 << 20))
        yield Record(1, "kept")

    def flood(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        for number in range(1, 1000):
            yield Record(number, "多" * (1 << 20))

    def spill(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        import tempfile

        with tempfile.TemporaryFile(buffering=0) as file:
            for _ in range(3):
                file.write(bytes(1 << 20))
        yield Record(1, "spilled")

    def recurse(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        yield from self.recurse(content, intake)

    def refuse(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        raise Unreadable("refused; take another")
        yield

    def trip(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        raise KeyError("no such thing")
        yield

    def panic(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        raise type("PanicException", (BaseException,), {})("index out of range")
        yield

    def disk(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        raise OSError(5, "Input/output error")
        yield

    def store(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        raise StoreError("{place} is full", place="the folder")
        yield

    def ended(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1000)
        yield

    def write(self, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        sys.stderr.write("a library that prints\n")
        sys.stderr.flush()
        yield Record(1, "quiet")
