"""Documents that are zip packages of XML (docx, epub): their members within limits, their XML without tricks.

Every byte unpacked counts against one budget for the whole document, so a bomb is refused as soon as it has passed it,
whatever its directory says. Entities are never expanded, nothing is fetched, elements nest at most 256 deep.

Trade-off: XML is read as a stream that is let go of piece by piece, so a member's elements are seen once and in order.
"""

import posixpath
import zlib
from collections.abc import Iterator
from datetime import datetime
from io import BufferedReader, BytesIO, RawIOBase
from typing import IO, Any
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

from pipeline.readers.content import IN_MEMORY, Content, Unreadable
from pipeline.readers.encoding import Data
from pipeline.readers.fields import parse_time
from pipeline.readers.reader import Intake

MOST_MEMBERS = 100_000  # each costs about 500 bytes of memory before anything is read
DAMAGE = (BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
"""What `zipfile` lets through of packages that are damaged, locked or packed in a way it does not know."""
XML = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "remove_comments": True,
    "remove_pis": True,
    "huge_tree": False,
}
RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


class Package:
    """The members of one document. Every method raises Unreadable for what is damaged or over the limits."""

    def __init__(self, content: Content, intake: Intake) -> None:
        """Open the package. Raises Unreadable where it is no zip archive or holds too many members."""
        self._format = intake.format
        limits = intake.limits
        self._most = min(limits.unpacked_bytes, max(IN_MEMORY, limits.ratio * len(content.data)))
        self._left = self._most
        try:
            self._zip = ZipFile(as_stream(content.data))
        except DAMAGE as error:
            raise Unreadable(f"a damaged {self._format} file ({error}); fetch it again") from None
        if len(self._zip.filelist) > MOST_MEMBERS:
            raise Unreadable(f"a {self._format} file of {len(self._zip.filelist):,} members, over {MOST_MEMBERS:,}")
        self.names = frozenset(self._zip.namelist())

    def read(self, name: str) -> bytes:
        """Return the bytes of a member."""
        with self._open(name) as stream:
            return stream.read()

    def measure(self) -> None:
        """Unpack every member and let go of it: for libraries that unpack by themselves, without limits."""
        for name in self.names:
            with self._open(name) as stream:
                while stream.read(1 << 20):
                    pass

    def tree(self, name: str) -> Any:
        """Return the root element of a small XML member; an empty element where there is no such member."""
        from lxml import etree

        if name not in self.names:
            return etree.Element("nothing")
        try:
            return etree.fromstring(self.read(name), etree.XMLParser(**XML))
        except etree.XMLSyntaxError as error:
            raise self._damaged(name, error) from None

    def children(self, name: str, parent: str) -> Iterator[Any]:
        """Yield the child elements of the elements with this local name, each as it ends; then it is let go of."""
        from lxml import etree

        with self._open(name) as stream:
            try:
                for _, element in etree.iterparse(stream, events=("end",), **XML):
                    above = element.getparent()
                    if above is not None and local(above) == parent:
                        yield element
                        element.clear()
                        while element.getprevious() is not None:
                            del above[0]
            except etree.XMLSyntaxError as error:
                raise self._damaged(name, error) from None

    def relations(self, name: str) -> dict[str, tuple[str, str]]:
        """Return what a part of an Office document refers to: by id, the last word of its kind and the member."""
        folder, base = posixpath.split(name)
        found = {}
        for relation in self.tree(f"{folder}/_rels/{base}.rels".lstrip("/")).iter(RELATIONS):
            if relation.get("TargetMode") != "External":
                kind = relation.get("Type", "").rsplit("/", 1)[-1]
                found[relation.get("Id", "")] = kind, resolved(folder, relation.get("Target", ""))
        return found

    def stated(self, name: str) -> tuple[str | None, datetime | None, datetime | None]:
        """Return the title and the times of creation and change that a member with metadata states."""
        said = {local(element): (element.text or "").strip() for element in self.tree(name).iter() if local(element)}
        created = said.get("created") or said.get("creation-date")
        return said.get("title") or None, parse_time(created), parse_time(said.get("modified") or said.get("date"))

    def _open(self, name: str) -> "_Counted":
        try:
            return _Counted(self._zip.open(name), self, name)
        except KeyError:
            raise Unreadable(f"a damaged {self._format} file: it holds no {name}; fetch it again") from None
        except DAMAGE as error:
            raise self._damaged(name, error) from None

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Unreadable(
                f"unpacks to more than {self._most:,} bytes (limits.unpacked_bytes, limits.ratio); "
                "unpack it by hand or raise the limit"
            )

    def _damaged(self, name: str, error: Exception) -> Unreadable:
        if isinstance(error, RuntimeError) and "password" in str(error):
            return Unreadable(f"a {self._format} file locked with a password; save it without one")
        return Unreadable(f"a damaged {self._format} file: {name} cannot be read ({error}); fetch it again")


class _Counted:
    """A member as a stream whose every byte counts against the package's budget."""

    def __init__(self, stream: IO[bytes], package: Package, name: str) -> None:
        self._stream, self._package, self._name = stream, package, name

    def __enter__(self) -> "_Counted":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; at most the budget's rest and one more are unpacked."""
        most = self._package._left + 1
        try:
            data = self._stream.read(most if size < 0 else min(size, most))
        except DAMAGE as error:
            raise self._package._damaged(self._name, error) from None
        self._package._take(len(data))
        return data


def local(element: Any) -> str:
    """Return the local name of an element; empty for an entity."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Any, name: str) -> str | None:
    """Return the value of the attribute with this local name, whatever its namespace."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), None)


def resolved(folder: str, target: str) -> str:
    """Return the member that a reference in a member of `folder` leads to, without its fragment."""
    path = unquote(target.split("#", 1)[0])
    return posixpath.normpath(path if path.startswith("/") else posixpath.join("/", folder, path)).lstrip("/")


def as_stream(data: Data) -> IO[bytes]:
    """Return bytes or a mapped file as a stream that can be sought in."""
    return BytesIO(data) if isinstance(data, bytes) else BufferedReader(_Mapped(data))


class _Mapped(RawIOBase):
    """A mapped file as a raw stream of its own position."""

    def __init__(self, data: Data) -> None:
        self._data, self._at = data, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        at = offset + (0, self._at, len(self._data))[whence]
        if at < 0:
            raise ValueError("a place before the first byte")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        part = self._data[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)
