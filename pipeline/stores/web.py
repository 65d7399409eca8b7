"""HTTP(S): what a server says of a file, and fetching it whole though connections break.

A fetch goes on where it broke off only by a strong ETag or a date that the server confirms, so two states of a file
are never stitched. Redirects lead nowhere that the recipe could not: from a public host to no loopback, link-local or
private address, checked on the connection itself, so that no name that resolves otherwise a moment later gets through.
"""

import base64
import hashlib
import http.client
import ipaddress
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, Any
from urllib.parse import urlsplit

from pipeline.stores.credentials import keys_of
from pipeline.stores.faults import ChangedError, NetworkError, NotGivenError
from schemas.errors import SourceError
from schemas.store import WEB, Store, redacted

BLOCK = 1 << 20
PROGRESS = 1 << 20  # bytes after which an attempt counts as progress
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds; the pause doubles
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_BROKEN = (OSError, http.client.HTTPException)
Prepare = Callable[[str, dict[str, str]], dict[str, str]]


@dataclass(frozen=True)
class State:
    """What a store tells of a file: bytes (-1 where it does not say) and a tag, empty where it has none."""

    bytes: int
    tag: str


@dataclass(frozen=True)
class Fetched:
    """What was fetched: bytes, their SHA-256, and the tag under which they came."""

    bytes: int
    sha256: str
    tag: str


class _RedirectError(SourceError):
    """A redirect that is not followed."""


class _Guard:
    """Which addresses a request's redirects may lead to."""

    def __init__(self, store: Store) -> None:
        self.open, self.hops = store.private_redirects, 0

    def reached(self, peer: str) -> None:
        """Look at the address of a connection before anything is sent. Raises SourceError for one that is refused."""
        private = is_private(peer)
        if self.hops == 0:
            self.open = self.open or private
        elif private and not self.open:
            raise _RedirectError(
                "a redirect leads to the private address {peer}, which a public host must not ask for; set "
                "`store: {{private_redirects: true}}` if it is right",
                peer=peer,
            )


def is_private(peer: str) -> bool:
    """Whether an IP address is loopback, link-local, private, or otherwise not of the public internet."""
    ip = ipaddress.ip_address(peer.split("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return not (mapped or ip).is_global


class _Checked(http.client.HTTPConnection):
    guard: _Guard

    def connect(self) -> None:
        super().connect()
        try:
            self.guard.reached(self.sock.getpeername()[0])
        except SourceError:
            self.close()
            raise


class _Plain(_Checked):
    def __init__(self, *args: Any, guard: _Guard, **options: Any) -> None:
        super().__init__(*args, **options)
        self.guard = guard


class _Tls(http.client.HTTPSConnection, _Checked):
    def __init__(self, *args: Any, guard: _Guard, **options: Any) -> None:
        super().__init__(*args, **options)
        self.guard = guard


class _Asked(urllib.request.Request):
    """A request with the guard of its redirects."""

    def __init__(self, url: str, headers: Mapping[str, str], method: str, guard: _Guard, *, follow: bool) -> None:
        super().__init__(url, headers=dict(headers), method=method)
        self.guard, self.follow = guard, follow


class _Opening(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    def http_open(self, req: Any) -> http.client.HTTPResponse:
        return self._opened(_Plain, req)

    def https_open(self, req: Any) -> http.client.HTTPResponse:
        return self._opened(_Tls, req)

    def _opened(self, kind: Any, req: Any) -> http.client.HTTPResponse:
        guard = req.guard
        if req.has_proxy() or getattr(req, "_tunnel_host", None):  # the connection is the proxy's: look at the name
            host = urlsplit(req.full_url).hostname or ""
            try:
                peers = {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
            except OSError:  # only the proxy knows it
                peers = set()
            for peer in peers:
                guard.reached(peer)
            guard = _Guard(Store(private_redirects=True))
        return self.do_open(partial(kind, guard=guard), req)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: ARG002
        if not req.follow:
            return None
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme not in WEB:
            raise _RedirectError("a redirect leads to {scheme}://, which is not followed", scheme=new.scheme)
        req.guard.hops += 1
        same = (old.scheme, old.netloc) == (new.scheme, new.netloc)
        kept = {k: v for k, v in req.headers.items() if same or k.lower() not in ("authorization", "cookie")}
        return _Asked(newurl.replace(" ", "%20"), kept, req.get_method(), req.guard, follow=True)


def bearing(store: Store) -> Prepare:
    """Return what adds the credentials of a store to a request's headers, Basic or Bearer."""
    keys = keys_of(store)

    def prepare(_url: str, headers: dict[str, str]) -> dict[str, str]:
        if keys is None:
            return headers
        pair = base64.b64encode(f"{keys.key}:{keys.secret}".encode()).decode()
        return {**headers, "Authorization": f"Bearer {keys.token}" if keys.token else f"Basic {pair}"}

    return prepare


def pauses(tries: int) -> Iterator[float]:
    """The seconds to wait after each attempt but the last."""
    for number in range(tries - 1):
        yield min(FIRST_PAUSE * 2**number, LONGEST_PAUSE)


class Web:
    """Requests to one kind of server. `prepare` adds or signs headers; `follow`: redirects are followed."""

    def __init__(self, store: Store, prepare: Prepare | None = None, *, follow: bool = True) -> None:
        self.store, self.follow = store, follow
        self._prepare = prepare or bearing(store)
        self._opener = urllib.request.OpenerDirector()
        for handler in (urllib.request.ProxyHandler(), _Opening(), _Redirects(), urllib.request.HTTPErrorProcessor()):
            self._opener.add_handler(handler)
        self._opener.add_handler(urllib.request.HTTPDefaultErrorHandler())

    @contextmanager
    def answer(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Any]:
        """Give the answer to one request, whatever its status.

        Raises OSError or HTTPException where the network fails, SourceError for a certificate or redirect refused.
        """
        asked = {"User-Agent": "yuliao", "Accept-Encoding": "identity", "Connection": "close", **(headers or {})}
        request = _Asked(url, self._prepare(url, asked), method, _Guard(self.store), follow=self.follow)
        try:
            found = self._opener.open(request, timeout=self.store.timeout_seconds)
        except urllib.error.HTTPError as error:
            found = error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise SourceError(
                    "{url}: its certificate is not trusted ({error}); SSL_CERT_FILE names the file of those that are",
                    url=redacted(url),
                    error=str(error.reason),
                ) from None
            raise
        except _RedirectError as error:
            raise _RedirectError("{url}: {error}", url=redacted(url), error=error) from None
        with found:
            yield found

    def whole(self, method: str, url: str, headers: Mapping[str, str] | None = None, most: int = 64 << 20) -> Any:
        """Return status, headers and body (up to `most` bytes) of an answer. Raises NetworkError after all tries."""
        fault = ""
        for pause in (*pauses(self.store.tries), None):
            try:
                with self.answer(method, url, headers) as found:
                    if found.status not in _AGAIN:
                        return found.status, found.headers, found.read(most) if method != "HEAD" else b""
                    fault = f"status {found.status}"
            except _BROKEN as error:
                fault = _words(error)
            if pause is not None:
                time.sleep(pause)
        raise unreached(url, fault, self.store)

    def state(self, url: str) -> State:
        """Return what a server tells of a file without sending it. Raises NotGivenError, or as `whole`."""
        status, headers, _ = self.whole("HEAD", url)
        if status in (400, 403, 405, 501):  # not every server answers to HEAD
            status, headers, _ = self.whole("GET", url, {"Range": "bytes=0-0"}, most=1)
        if status == 416:  # of an empty file there is no first byte
            return State(0, tag_of(headers))
        if status not in (200, 206):
            raise NotGivenError(refusal(status))
        size = headers.get("Content-Range", "").rpartition("/")[2] if status == 206 else headers.get("Content-Length")
        return State(int(size) if size and size.isdecimal() else -1, tag_of(headers))

    def fetch(self, url: str, out: IO[bytes], tag: str = "", condition: str = "If-Range") -> Fetched:
        """Write a file into `out`, going on where a connection broke; `tag`: the state it must have.

        Raises NotGivenError where the server refuses it, ChangedError, NetworkError after all tries without progress.
        """
        got = _Got(out, tag)
        left = pauses(self.store.tries)
        while True:
            before = got.bytes
            fault = ""
            try:
                with self.answer("GET", url, got.wanted(condition)) as found:
                    if found.status in _AGAIN:
                        fault = f"status {found.status}"
                    elif got.take(found, url):
                        return Fetched(got.bytes, got.hash.hexdigest(), got.tag)
                    else:
                        fault = "the connection broke"
            except _BROKEN as error:
                fault = _words(error)
            if got.bytes - before >= PROGRESS:
                left = pauses(self.store.tries)
            pause = next(left, None)
            if pause is None:
                raise unreached(url, fault, self.store)
            time.sleep(pause)


class _Got:
    """What has come of a file so far."""

    def __init__(self, out: IO[bytes], expected: str) -> None:
        self.out, self.expected, self.tag, self.bytes = out, expected, "", 0
        self.hash = hashlib.sha256()

    def wanted(self, condition: str) -> dict[str, str]:
        """The headers that ask for the rest, if this state of the file can be told from others; else for all of it."""
        kind, _, value = self.tag.partition(":")
        if not self.bytes or not value or value.startswith("W/"):
            self._again()
            return {condition: value} if condition == "If-Match" and value else {}
        return {"Range": f"bytes={self.bytes}-", condition if kind == "etag" else "If-Range": value}

    def take(self, found: Any, url: str) -> bool:
        """Take what an answer brings; True where the file is whole. Raises NotGivenError or ChangedError."""
        if found.status in (412, 416) and self.tag:
            if self.expected:
                raise ChangedError(redacted(url))
            self.tag = ""
            self._again()
            return False
        if found.status not in (200, 206):
            raise NotGivenError(refusal(found.status))
        tag = tag_of(found.headers)
        if self.expected and tag != self.expected:
            raise ChangedError(redacted(url))
        given = found.headers.get("Content-Range", "")
        if found.status == 206 and (tag != self.tag or not given.startswith(f"bytes {self.bytes}-")):
            self.tag = ""  # another state, or another part: from the start
            self._again()
            return False
        if found.status == 200:
            self._again()
        self.tag = tag
        size = given.rpartition("/")[2] if found.status == 206 else found.headers.get("Content-Length", "")
        while block := found.read1(BLOCK):
            self.out.write(block)
            self.hash.update(block)
            self.bytes += len(block)
        return not size.isdecimal() or self.bytes == int(size)

    def _again(self) -> None:
        if self.bytes:
            self.out.seek(0)
            self.out.truncate()
            self.hash, self.bytes = hashlib.sha256(), 0


def tag_of(headers: Mapping[str, str]) -> str:
    """Return by what a server tells the states of a file apart: its ETag, else its date; empty for neither."""
    if etag := headers.get("ETag"):
        return f"etag:{etag}"
    date = headers.get("Last-Modified")
    return f"modified:{date}" if date else ""


def refusal(status: int) -> str:
    """Return the reason of a file that a server does not give, with the remedy."""
    known = {401: "it asks for credentials", 403: "it is not allowed", 404: "it is not there", 410: "it is gone"}
    remedy = "check the address" if status in (404, 410) else "check the address and what `store` names"
    return f"not given by its server: status {status}, {known.get(status, 'refused')}; {remedy}"


def unreached(url: str, fault: str, store: Store) -> NetworkError:
    """Return the error of a store that was not reached."""
    return NetworkError(
        "{url}: not reached in {tries} tries ({fault}); nothing is noted of it, run again when the network works",
        url=redacted(url),
        tries=store.tries,
        fault=fault,
    )


def _words(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return redacted(str(reason)) or type(error).__name__
