"""S3 and what speaks its protocol (MinIO, OSS, COS, OBS): listing with ETags, and signed requests.

Own requests instead of a library's: the listing gives the ETag of every object, by which a snapshot trusts it without
fetching, and objects come by the same fetch as from the web, which goes on where it broke off by `If-Match`. Trade: of
the ways to credentials only environment, AWS's file and blocks are known, not the roles of machines.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_plus, urlencode, urlsplit

from pipeline.stores.credentials import Keys, keys_of
from pipeline.stores.web import Web
from schemas.errors import SourceError
from schemas.store import Store

_NOTHING = hashlib.sha256(b"").hexdigest()
# What says that the credentials, the clock or the region are wrong: a fault of the machine, not of an object.
_OURS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed")


class Object(NamedTuple):
    """An object of a listing."""

    key: str
    bytes: int
    etag: str


class Bucket:
    """A bucket of a store."""

    def __init__(self, name: str, store: Store) -> None:
        self.name, self.keys = name, keys_of(store, s3=True)
        names = ("AWS_REGION", "AWS_DEFAULT_REGION")
        self.region = store.region or next((os.environ[n] for n in names if os.environ.get(n)), "us-east-1")
        given = store.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        host = urlsplit(given or f"https://s3.{self.region}.amazonaws.com")
        virtual = store.addressing == "virtual" or (store.addressing is None and not given)
        self.root = f"{host.scheme}://{name}.{host.netloc}" if virtual else f"{host.scheme}://{host.netloc}/{name}"
        self.web = Web(store, self._signed, follow=False)

    def url(self, key: str) -> str:
        """The address of an object over HTTP."""
        return f"{self.root}/{quote(key, safe='/~')}"

    def objects(self, prefix: str) -> Iterator[Object]:
        """Yield the objects whose keys begin with a prefix, but for markers of folders, in order of keys.

        Raises SourceError, with the remedy, where the bucket cannot be listed.
        """
        token, seen = "", set()
        while True:
            query = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "max-keys": "1000"}
            query |= {"continuation-token": token} if token else {}
            status, headers, body = self.web.whole(
                "GET", f"{self.root}/?{urlencode(sorted(query.items()), quote_via=quote)}"
            )
            if status != 200:
                raise SourceError(
                    "s3://{bucket}/{prefix}: cannot be listed ({why}); check the bucket and what `store` names",
                    bucket=self.name,
                    prefix=prefix,
                    why=_why(status, headers, body),
                )
            found, token = _page(body)
            yield from found
            if not token:
                return
            if token in seen:
                raise SourceError("s3://{bucket}: the listing does not end", bucket=self.name)
            seen.add(token)

    def _signed(self, url: str, headers: dict[str, str]) -> dict[str, str]:
        if self.keys is None:
            return headers
        return {**headers, **signature("GET", url, self.keys, self.region, datetime.now(UTC))}

    def check(self, key: str) -> None:
        """Ask why an object was refused. Raises SourceError where it is the credentials' fault, not the object's."""
        status, headers, body = self.web.whole("GET", self.url(key), {"Range": "bytes=0-0"}, most=1 << 16)
        if status >= 300 and any(code in body.decode("utf-8", "replace") for code in _OURS):
            raise SourceError(
                "s3://{bucket}: {why}; check the credentials that `store` names, the region and the clock",
                bucket=self.name,
                why=_why(status, headers, body),
            )


def signature(method: str, url: str, keys: Keys, region: str, now: datetime) -> dict[str, str]:
    """Return the headers that sign a request without a body (AWS Signature Version 4, service `s3`)."""
    parts = urlsplit(url)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    signed = {"host": parts.netloc, "x-amz-content-sha256": _NOTHING, "x-amz-date": stamp}
    signed |= {"x-amz-security-token": keys.token} if keys.token else {}
    pairs = sorted(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    query = "&".join(f"{quote(unquote(k), safe='~')}={quote(unquote(v), safe='~')}" for k, v in pairs)
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = "\n".join([method, parts.path or "/", query, lines, names, _NOTHING])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{keys.secret}".encode()
    for part in (stamp[:8], region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    proof = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    given = {name: value for name, value in signed.items() if name != "host"}
    credential = f"Credential={keys.key}/{scope}, SignedHeaders={names}, Signature={proof}"
    return {**given, "Authorization": f"AWS4-HMAC-SHA256 {credential}"}


def _page(body: bytes) -> tuple[list[Object], str]:
    """The objects of a page of a listing, and the token of the next one, empty for none."""
    from lxml import etree

    try:
        tree = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    except etree.XMLSyntaxError:
        raise SourceError("the listing of a store is no XML; check `endpoint_url`") from None
    coded = tree.findtext("{*}EncodingType") == "url"
    found = []
    for entry in tree.iterfind("{*}Contents"):
        key, size = entry.findtext("{*}Key") or "", int(entry.findtext("{*}Size") or 0)
        if not (key.endswith("/") and size == 0):
            found.append(Object(unquote_plus(key) if coded else key, size, entry.findtext("{*}ETag") or ""))
    more = tree.findtext("{*}IsTruncated") == "true"
    return found, (tree.findtext("{*}NextContinuationToken") or "") if more else ""


def _why(status: int, headers: object, body: bytes) -> str:
    """What a store answered, in its own code; nothing of the request, which an answer may repeat."""
    code = re.search(rb"<Code>(\w{1,60})</Code>", body)
    region = getattr(headers, "get", lambda _: None)("x-amz-bucket-region")
    hint = f", the bucket lies in region {region}" if region else ""
    second = " (set `addressing: virtual`)" if code and code[1] == b"SecondLevelDomainForbidden" else ""
    return f"status {status}{', ' + code[1].decode() if code else ''}{hint}{second}"
