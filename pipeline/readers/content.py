"""The bytes of an input file, unpacked where it is compressed, without holding a large one in memory.

A plain file is mapped. A compressed one is unpacked as a stream: into memory up to 64 MiB, beyond that into a
temporary file that is mapped (in the folder that TMPDIR names). What a damaged stream gave before its damage is kept,
together with the error. Only what a decompressor refuses is damage: faults of disks go up as they are, or as the
StoreError of a full temporary folder, so that they are never noted as the state of a file.
"""

import bz2
import errno
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from pipeline.readers.encoding import Data
from schemas.errors import SourceError, StoreError
from schemas.source import InputFile, Limits

IN_MEMORY = 64 << 20
SMALL = 1 << 20  # files below are read, not mapped: faster
BLOCK = 1 << 20
WINDOW = 64 << 20  # bytes of a mapped file that may be resident
# Packed bytes unpacked at once: what precedes damage is kept to within this much, and a bomb of zstd blocks can make
# at most 64 MiB of it before the limits are looked at.
PIECE = 2048


class Unreadable(Exception):
    """The file, or the rest of it, cannot be read; the message is the reason in `files`, with the remedy."""


class Skipped(Exception):
    """The file is known not to be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Content:
    """The unpacked bytes of a file; `damage`: why they end early, `descriptor`: the file they are mapped from."""

    data: Data
    packing: str | None = None
    damage: str | None = None
    descriptor: int | None = None


@contextmanager
def opened(file: InputFile, limits: Limits) -> Iterator[Content]:
    """Give the content of a file, unpacked when its first bytes say that it is compressed.

    Raises Unreadable when a limit on the unpacked size is passed, OSError when the file cannot be opened or read,
    StoreError when the temporary folder is full, SourceError when it cannot be used at all.
    """
    if Path(file.path).exists() and not Path(file.path).is_file():
        raise Unreadable("cannot be opened: no regular file but a folder, a pipe, a socket or a device")
    with _stream(file.path) as stream, _content(stream, file.path, limits) as content:
        yield content


@contextmanager
def gathered(blocks: Iterable[bytes], uri: str, limits: Limits) -> Iterator[Content]:
    """Give the content that comes in blocks, as the member of an archive does. Raises as `opened`, and as they do."""
    with _Spool(uri) as spool:
        for block in blocks:
            spool.write(block)
        spool.seek(0)
        with _content(spool, uri, limits) as content:
            yield content


@contextmanager
def _content(stream: IO[bytes], path: str, limits: Limits) -> Iterator[Content]:
    head = stream.read(8)
    stream.seek(0)
    packing = next((name for name, (magic, _) in PACKINGS.items() if head.startswith(magic)), None)
    if packing is None:
        with _mapped(stream) as (data, descriptor):
            yield Content(data, descriptor=descriptor)
        return
    with _Spool(path) as spool:
        damage = _unpack(stream, packing, spool, limits)
        with _mapped(spool) as (data, descriptor):
            yield Content(data, packing, damage, descriptor)


def _stream(path: str) -> IO[bytes]:
    return Path(path).open("rb")


class _Spool(SpooledTemporaryFile[bytes]):
    """Bytes in memory, beyond IN_MEMORY in a temporary file, whose own faults are never taken for the input's."""

    def __init__(self, path: str) -> None:
        super().__init__(IN_MEMORY)
        self._path = path

    def write(self, data: Any) -> int:
        with self._own_faults():
            return super().write(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        with self._own_faults():  # what is still in a buffer is written now
            return super().seek(offset, whence)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk was told of when it was met; closing tries to write once more
            self.close()

    @contextmanager
    def _own_faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            folder = tempfile.tempdir or "the temporary folder"
            where = f"'{self._path}' is unpacked in the temporary folder"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreError(
                    f"{folder}: the disk is full; {where}: free some space there, or set TMPDIR to a folder with room, "
                    "and run again"
                ) from error
            raise SourceError(
                f"{folder}: cannot be written ({error}); {where}: set TMPDIR to another one, and run again"
            ) from error


@contextmanager
def _mapped(stream: Any) -> Iterator[tuple[Data, int | None]]:
    """Give the bytes of a stream, and the descriptor they are mapped from where they are."""
    size = stream.seek(0, 2)
    stream.seek(0)
    if size <= SMALL or (isinstance(stream, SpooledTemporaryFile) and size <= IN_MEMORY):
        yield stream.read(), None
        return
    with Window(stream.fileno(), 0, access=ACCESS_READ) as data:
        yield data, stream.fileno()


class Window(mmap):
    """A mapped file that lets go of the pages it has shown: however large, little of it stays resident.

    The kernel keeps them cached while it has memory to spare, so looking again costs little.
    """

    _shown = 0

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if isinstance(part, bytes):
            self._show(len(part))
        return part

    def find(self, sub: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the first place of `sub` from `start` on, -1 where there is none, a window at a time."""
        stop = len(self) if stop is None else min(stop, len(self))
        for begin in range(start, stop, WINDOW):
            found = super().find(sub, begin, min(begin + WINDOW + len(sub) - 1, stop))
            if found >= 0:
                return found
            self._show(WINDOW)
        return -1

    def _show(self, count: int) -> None:
        self._shown += count
        if self._shown >= WINDOW:
            self.madvise(MADV_DONTNEED)
            self._shown = 0


def _zstd() -> Any:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj()


PACKINGS: dict[str, tuple[bytes, Callable[[], Any]]] = {
    "gz": (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),
    "zst": (b"\x28\xb5\x2f\xfd", _zstd),
    "bz2": (b"BZh", bz2.BZ2Decompressor),
    "xz": (b"\xfd7zXZ", lzma.LZMADecompressor),
}


def _unpack(stream: IO[bytes], packing: str, out: IO[bytes], limits: Limits) -> str | None:
    """Write the unpacked bytes of all members; return what is wrong with the stream, or None."""
    most = min(limits.unpacked_bytes, max(IN_MEMORY, limits.ratio * stream.seek(0, 2)))
    stream.seek(0)
    size = 0
    try:
        for block in _members(stream, packing):
            size += len(block)
            if size > most:
                raise Unreadable(
                    f"unpacks to more than {most:,} bytes (limits: unpacked_bytes {limits.unpacked_bytes:,}, ratio "
                    f"{limits.ratio}); unpack it by hand or raise the limit"
                )
            out.write(block)
    except _Damaged as damage:
        return f"the {packing} stream is damaged after {size:,} unpacked bytes ({damage}); fetch the file again"
    return None


class _Damaged(Exception):
    """The decompressor refuses the stream, or it ends too early."""


def _decompressed(member: Any, packed: bytes) -> bytes:
    import zstandard

    try:
        return bytes(member.decompress(packed))
    except (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError) as error:  # OSError: from bz2
        raise _Damaged(str(error)) from None


def _members(stream: IO[bytes], packing: str) -> Iterator[bytes]:
    """Yield the unpacked bytes of all members. Raises _Damaged, or the OSError of reading."""
    magic, new = PACKINGS[packing]
    rest = stream.read(PIECE)
    while rest:
        rest += stream.read(len(magic)) if len(rest) < len(magic) else b""
        if not rest.startswith(magic):
            if rest.strip(b"\0"):
                raise _Damaged("bytes that are no member follow the last one")
            rest = stream.read(PIECE)  # padding
            continue
        member = new()
        while not member.eof:
            if not rest:
                raise _Damaged("it is cut off")
            yield _decompressed(member, rest)
            rest = b"" if member.eof else stream.read(PIECE)
        rest = member.unused_data or stream.read(PIECE)
