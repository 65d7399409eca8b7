"""Archives: zip and tar, their members read by the same readers as files, to a depth, without a file written anywhere.

A document's uri is that of the archive with `!` and the member's name. Names without a UTF-8 flag are decoded by what
all of them together look like. A name is only a label: what climbs out of a folder is cut off. Links, devices,
encrypted members and second ones of a name are refused, as bad records; members that overlap, too many, or too large in
all, refuse the archive.

Trade: one member at a time is unpacked as a whole, in memory up to 64 MiB and beyond that in a temporary file.
"""

import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from stat import S_ISLNK
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.readers.content import IN_MEMORY, Content, Skipped, Unreadable, gathered
from pipeline.readers.encoding import LEGACY, BinaryContent, Data, Encoding, decode, detect
from pipeline.readers.formats import detect_format
from pipeline.readers.package import as_stream
from pipeline.readers.reader import Bad, Intake, Record, excerpt

if TYPE_CHECKING:
    from pipeline.readers.block import Block

REVISION = 2  # of what becomes of an archive; enters the fingerprint
BLOCK = 1 << 20
HEADER = 30  # bytes of a zip member's own header, without its name
ENCRYPTED, UTF8_NAME = 1, 0x800  # flags of a zip member (APPNOTE 4.4.4)
# What the standard library raises for archives that are not whole.
DAMAGES = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, IndexError,
    KeyError, OverflowError, RuntimeError,
)  # fmt: skip

Read = Callable[[Content, Intake], "Iterator[Record | Bad | Block]"]


@dataclass(slots=True)
class Budget:
    """What an archive, with the archives in it, may still cost."""

    bytes: int
    members: int
    depth: int
    most: str  # the limit on bytes, in words

    def spend(self, size: int) -> None:
        """Count unpacked bytes. Raises Unreadable past the limit."""
        self.bytes -= size
        if self.bytes < 0:
            raise _Exhausted(f"its members unpack to more than {self.most}; unpack it by hand or raise the limit")


class _Exhausted(Unreadable):
    """The limit of the whole archive is passed: no member of it is read any more."""


class Member(NamedTuple):
    """A member that may be read; `refused` says why it is not."""

    name: bytes | str
    blocks: Callable[[], Iterator[bytes]]
    refused: str = ""


def read_members(kind: str, content: Content, intake: Intake, read: Read) -> "Iterator[Record | Bad | Block]":
    """Yield what the members hold, and why one holds nothing. `kind`: zip or tar; `read`: reads one member.

    Raises Unreadable for the rest of an archive that is damaged or over a limit.
    """
    limits = intake.limits
    if intake.budget is None:
        most = min(limits.unpacked_bytes, max(IN_MEMORY, limits.ratio * len(content.data)))
        said = f"{most:,} bytes (limits: unpacked_bytes {limits.unpacked_bytes:,}, ratio {limits.ratio})"
        intake.budget = Budget(most, limits.members, limits.depth, said)
    budget = intake.budget
    if budget.depth <= 0:
        raise Unreadable(f"an archive more than limits.depth {limits.depth} deep in archives; unpack it by hand")
    if content.damage:
        intake.losses.append(content.damage)
    account = _Account(intake)
    try:
        for member in MEMBERS[kind](content.data, limits.members):
            budget.members -= 1
            if budget.members < 0:
                raise _Exhausted(f"more than limits.members {limits.members:,} members; unpack it or raise the limit")
            yield from account.read(member, read)
    except DAMAGES as error:
        raise Unreadable(f"no whole {kind} archive ({_said(error)}); fetch it again") from None
    finally:
        account.close()


class _Account:
    """Reads members and sums up what they are for the archive."""

    def __init__(self, intake: Intake) -> None:
        self._intake, self._encodings, self._seen, self._partial = intake, set[str | None](), set[str](), list[str]()

    def read(self, member: Member, read: Read) -> "Iterator[Record | Bad | Block]":
        """Yield what a member holds, or why it holds nothing. Raises Unreadable where no more may be read."""
        name = _label(member.name if isinstance(member.name, str) else member.name.decode("utf-8", "replace"))
        place = f"!{name}"
        if name in self._seen or member.refused:
            yield Bad(0, f"'{excerpt(name)}': {member.refused or 'a second member of this name'}", "", place)
            return
        self._seen.add(name)
        outer = self._intake
        budget = outer.budget
        assert budget is not None
        told = Intake(outer.uri + place, outer.fields, outer.limits, detect_format(name) or "unknown")
        told.ocr = outer.ocr
        told.budget = Budget(budget.bytes, budget.members, budget.depth - 1, budget.most)
        inner = told.budget
        try:
            with gathered(_counted(member.blocks(), budget), told.uri, outer.limits) as content:
                if content.packing:
                    budget.spend(len(content.data))
                inner.bytes = budget.bytes
                for item in read(content, told):
                    yield item._replace(member=place + item.member)
        except _Exhausted:
            raise
        except Skipped as error:
            if told.format != "junk":
                self._partial.append(f"'{excerpt(name)}': {error}")
        except Unreadable as error:
            yield Bad(0, f"'{excerpt(name)}': {error}", "", place)
        except DAMAGES as error:
            yield Bad(0, f"'{excerpt(name)}': a damaged member ({_said(error)}); fetch the archive again", "", place)
        finally:
            budget.bytes, budget.members = min(budget.bytes, inner.bytes), min(budget.members, inner.members)
        self._partial.extend(f"'{excerpt(name)}': {loss}" for loss in told.losses)
        if told.format != "junk" and (told.encoding or told.losses == []):
            self._encodings.add(told.encoding)

    def close(self) -> None:
        """Note what the members have in common, and what they lack."""
        known = self._encodings - {None}
        if len(known) == 1:
            self._intake.encoding, self._intake.evidence = known.pop(), f"of all {len(self._seen)} members"
        if self._partial:
            more = f" (and {len(self._partial) - 1} more)" if len(self._partial) > 1 else ""
            self._intake.losses.append(f"not read in full: {self._partial[0]}{more}")


def _counted(blocks: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
    for block in blocks:
        budget.spend(len(block))
        yield block


def _label(name: str) -> str:
    """Return a member's name as a label: relative, with slashes, without what climbs up."""
    parts = re.split(r"[/\\]+", re.sub(r"^[A-Za-z]:", "", name))
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _names(raw: list[bytes], otherwise: str) -> list[str]:
    """Return names decoded by what all of them look like: UTF-8, an encoding of Chinese, or `otherwise`."""
    odd = b"\n".join(name for name in raw if not name.isascii())
    try:
        odd.decode("utf-8")
        codec = "utf-8"
    except UnicodeDecodeError:
        try:
            codec = detect(odd).name
        except BinaryContent:
            codec = otherwise
        codec = codec if codec in LEGACY else otherwise
    return [decode(name, Encoding(codec, "")) for name in raw]


def _zip_members(data: Data, most: int) -> Iterator[Member]:
    with zipfile.ZipFile(as_stream(data)) as archive:
        infos = [info for info in archive.infolist()[: most + 1] if not info.is_dir()]
        _refuse_overlaps(infos)
        plain = [info for info in infos if not info.flag_bits & UTF8_NAME]
        decoded = _names([info.orig_filename.encode("cp437", "replace") for info in plain], "cp437")
        names = {id(info): name for info, name in zip(plain, decoded, strict=True)}
        for info in infos:
            name = _unicode_path(info) or names.get(id(info), info.orig_filename)
            yield Member(name, lambda info=info: _blocks(archive.open(info)), _refused(info))  # type: ignore[misc]


def _refused(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & ENCRYPTED:
        return "encrypted; unpack it with its password"
    return "a link, which is not followed" if S_ISLNK(info.external_attr >> 16) else ""


def _refuse_overlaps(infos: list[zipfile.ZipInfo]) -> None:
    """Raise Unreadable where members share bytes, as those of a bomb do."""
    for one, other in pairwise(sorted(infos, key=lambda info: info.header_offset)):
        if one.header_offset + HEADER + one.compress_size > other.header_offset:
            raise Unreadable(
                f"the members '{excerpt(one.filename)}' and '{excerpt(other.filename)}' overlap, as in a zip bomb; "
                "unpack it by hand if you trust it"
            )


def _unicode_path(info: zipfile.ZipInfo) -> str:
    """Return the name of the extra field 0x7075 (APPNOTE 4.6.9), empty where there is none that belongs to it."""
    extra, place = info.extra, 0
    while place + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, place)
        field = extra[place + 4 : place + 4 + size]
        place += 4 + size
        if kind == 0x7075 and len(field) > 5 and field[0] == 1:
            raw = info.orig_filename.encode("utf-8" if info.flag_bits & UTF8_NAME else "cp437", "replace")
            if int.from_bytes(field[1:5], "little") == zlib.crc32(raw):
                return field[5:].decode("utf-8", "replace")
    return ""


def _tar_members(data: Data, most: int) -> Iterator[Member]:
    """Yield the members; raises TarError behind the last one where no block of zeros ends the archive (POSIX ustar)."""
    infos: list[tarfile.TarInfo] = []
    damage: Exception | None = None
    with tarfile.open(fileobj=as_stream(data), mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        try:
            while len(infos) <= most and (info := archive.next()) is not None:
                if not info.isdir():
                    infos.append(info)
        except DAMAGES as error:
            damage = error
        yield from _of_tar(archive, infos)
        place = archive.offset
        if damage or (len(infos) <= most and data[place : place + tarfile.BLOCKSIZE] != bytes(tarfile.BLOCKSIZE)):
            raise tarfile.ReadError(f"it is cut off or damaged behind {place:,} bytes") from damage


def _of_tar(archive: tarfile.TarFile, infos: list[tarfile.TarInfo]) -> Iterator[Member]:
    names = _names([info.name.encode("utf-8", "surrogateescape") for info in infos], "latin-1")
    for info, name in zip(infos, names, strict=True):
        kind = "" if info.isreg() else "a link, which is not followed" if info.issym() or info.islnk() else "a device"

        def blocks(info: tarfile.TarInfo = info) -> Iterator[bytes]:
            stream = archive.extractfile(info)
            if stream is None:
                raise tarfile.ReadError("no content")
            size = 0
            for block in _blocks(stream):
                size += len(block)
                yield block
            if size < info.size:
                raise tarfile.ReadError(f"cut off after {size:,} of {info.size:,} bytes")

        yield Member(name, blocks, kind)


MEMBERS: dict[str, Callable[[Data, int], Iterator[Member]]] = {"zip": _zip_members, "tar": _tar_members}


def _blocks(stream: Any) -> Iterator[bytes]:
    with stream:
        while block := stream.read(BLOCK):
            yield block
