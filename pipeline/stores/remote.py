"""What lies behind a source's addresses: listing with size and tag, and copies of the files while they are read.

A file is fetched into the temporary folder just before it is read and removed after it, a few ahead of the reader.
"""

import hashlib
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from pipeline.stores.faults import ChangedError, NetworkError, NotGivenError
from pipeline.stores.s3 import Bucket
from pipeline.stores.web import BLOCK, Fetched, Web, pauses
from schemas.errors import SourceError
from schemas.source import InputFile, Source
from schemas.store import WEB, Store

AHEAD = 8  # files fetched before their turn


@dataclass(frozen=True)
class Entry:
    """A file behind an address; `bytes` is -1 where nothing tells it, `tag` empty where there is none."""

    address: str
    bytes: int
    tag: str


class Reach:
    """The files behind addresses, through one store."""

    def __init__(self, store: Store | None) -> None:
        self.store = store or Store()
        self.web = cache(lambda: Web(self.store))
        self.bucket = cache(lambda name: Bucket(name, self.store))

    def below(self, folder: str) -> list[Entry]:
        """List what lies at or below an address without wildcards.

        Raises SourceError where it cannot be listed. An address of the web is one file, there or not.
        """
        scheme, _, rest = folder.partition("://")
        if scheme in WEB:
            try:
                state = self.web().state(folder)
            except NotGivenError:
                return [Entry(folder, 0, "")]
            return [Entry(folder, state.bytes, state.tag)]
        name, _, key = rest.partition("/")
        if scheme != "s3":
            return self._foreign(folder)
        prefix = key.rstrip("/")
        return [
            Entry(f"s3://{name}/{found.key}", found.bytes, f"etag:{found.etag}" if found.etag else "")
            for found in self.bucket(name).objects(prefix)
            if not prefix or found.key == prefix or found.key.startswith(prefix + "/")
        ]

    def _foreign(self, folder: str) -> list[Entry]:
        scheme = folder.partition("://")[0]
        try:
            fs, path = _filesystem(folder)
            found = fs.find(path, detail=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise NetworkError("{address}: cannot be listed ({error})", address=folder, error=str(error)) from error
        root = folder.partition("://")[2].partition("/")[0]
        lead = "" if path.lstrip("/").startswith(root) else f"{root}/"
        return [
            Entry(f"{scheme}://{lead}{place.lstrip('/')}", int(info.get("size") or 0), _tag_of(info))
            for place, info in sorted(found.items())
        ]

    def fetch(self, address: str, out: IO[bytes], tag: str = "") -> Fetched:
        """Write a file into `out`; `tag`: the state it must have.

        Raises NotGivenError where it is refused, ChangedError, NetworkError after all tries.
        """
        scheme, _, rest = address.partition("://")
        if scheme in WEB:
            return self.web().fetch(address, out, tag)
        if scheme != "s3":
            return self._copied(address, out)
        name, _, key = rest.partition("/")
        bucket = self.bucket(name)
        try:
            return bucket.web.fetch(bucket.url(key), out, tag, "If-Match")
        except NotGivenError:
            bucket.check(key)
            raise

    def _copied(self, address: str, out: IO[bytes]) -> Fetched:
        fault: Exception = OSError()
        for _ in (*pauses(self.store.tries), None):
            out.seek(0)
            out.truncate()
            digest, size = hashlib.sha256(), 0
            try:
                fs, path = _filesystem(address)
                with fs.open(path, "rb") as stream:
                    while block := stream.read(BLOCK):
                        out.write(block)
                        digest.update(block)
                        size += len(block)
                return Fetched(size, digest.hexdigest(), "")
            except (FileNotFoundError, PermissionError) as error:
                raise NotGivenError(f"not given by its store ({type(error).__name__}); check the address") from None
            except OSError as error:
                fault = error
        raise NetworkError("{address}: cannot be read ({error})", address=address, error=str(fault)) from fault


def _filesystem(address: str) -> tuple[Any, str]:
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise SourceError("{address}: {error}", address=address, error=str(error)) from None
    return fs, str(path)


def _tag_of(info: dict[str, Any]) -> str:
    """The tag in what fsspec tells of a file; its keys differ by store."""
    etag = next((info[name] for name in ("ETag", "etag", "md5Hash", "content_md5", "oid") if info.get(name)), None)
    date = next((info[n] for n in ("LastModified", "last_modified", "mtime", "updated", "modify") if info.get(n)), "")
    return f"etag:{etag}" if etag else f"modified:{date}" if date else ""


def hashed(file: InputFile, source: Source) -> Fetched:
    """Fetch a file to hash it. Raises as `Reach.fetch`."""
    with tempfile.TemporaryFile() as out:
        return Reach(source.store).fetch(file.path, out, file.tag)


@contextmanager
def at_hand(files: Sequence[InputFile], source: Source) -> Iterator[Iterator[tuple[InputFile, str | None]]]:
    """Give an iterator over the files as they lie here, each with the reason why its store does not give it, or None.

    Local files come as they are. Raises SourceError where the network fails or a file changed since the snapshot.
    """
    if not any("://" in file.path for file in files):
        yield ((file, None) for file in files)
        return
    reach = Reach(source.store)
    with tempfile.TemporaryDirectory(prefix="yuliao-") as folder, ThreadPoolExecutor(AHEAD) as pool:

        def one(number: int, file: InputFile) -> Callable[[], tuple[InputFile, str | None]]:
            return lambda: _fetched(reach, file, Path(folder) / str(number))

        def turn() -> Iterator[tuple[InputFile, str | None]]:
            waiting: deque[Future[tuple[InputFile, str | None]]] = deque()
            for number, file in enumerate(files):
                waiting.append(pool.submit(one(number, file)))
                if len(waiting) > AHEAD:
                    yield from _once(waiting.popleft())
            while waiting:
                yield from _once(waiting.popleft())

        try:
            yield turn()
        finally:
            pool.shutdown(cancel_futures=True)


def _once(future: "Future[tuple[InputFile, str | None]]") -> Iterator[tuple[InputFile, str | None]]:
    file, reason = future.result()
    yield file, reason
    if Path(file.path).parent.name.startswith("yuliao-"):
        Path(file.path).unlink(missing_ok=True)


def _fetched(reach: Reach, file: InputFile, path: Path) -> tuple[InputFile, str | None]:
    if "://" not in file.path:
        return file, None
    with path.open("w+b") as out:
        try:
            found = reach.fetch(file.path, out, file.tag)
        except NotGivenError as error:
            return file, str(error)
    if not file.tag and len(file.sha256) == len(found.sha256) and file.sha256 != found.sha256:
        raise ChangedError(file.path)
    return replace(file, path=str(path), bytes=found.bytes, sha256=found.sha256), None


def address_uri(address: str) -> str:
    """The last part of an address, by which a single file of the web is named."""
    parts = urlsplit(address)
    name = parts.path.rstrip("/").rpartition("/")[2] or parts.netloc
    return f"{name}?{parts.query}" if parts.query else name
