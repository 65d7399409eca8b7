"""S3 and what speaks its protocol (MinIO, OSS, COS, OBS): listing with ETags, and signed requests.

botocore knows end points, regions, credentials and signatures. Objects come by the same fetch as files of the web, that
goes on where it broke off by `If-Match`, so that two states of an object are never stitched.
"""

import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from pipeline.stores.credentials import keys_of
from pipeline.stores.faults import NetworkError
from pipeline.stores.web import Web
from schemas.errors import SourceError
from schemas.store import Store

# What says that the credentials, the clock or the region are wrong: a fault of the machine, not of an object.
_OURS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed")

PAGE = 1000  # objects asked for at once, the most that a store gives


class Object(NamedTuple):
    """An object of a listing."""

    key: str
    bytes: int
    etag: str


class Bucket:
    """A bucket of a store."""

    def __init__(self, name: str, store: Store) -> None:
        import botocore.session

        self.name, self.store = name, store
        names = ("AWS_REGION", "AWS_DEFAULT_REGION")
        self.region = store.region or next((os.environ[n] for n in names if os.environ.get(n)), "us-east-1")
        given = store.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        host = urlsplit(given or f"https://s3.{self.region}.amazonaws.com")
        self.virtual = store.addressing == "virtual" or (store.addressing is None and not given)
        self.root = f"{host.scheme}://{name}.{host.netloc}" if self.virtual else f"{host.scheme}://{host.netloc}/{name}"
        self.web = Web(store, self._signed, follow=False)
        self._session = botocore.session.get_session()
        if keys := keys_of(store):
            self._session.set_credentials(keys.key, keys.secret, keys.token or None)

    @cached_property
    def _credentials(self) -> Any:
        """Those of the store, else what AWS's programs find (environment, files, roles); None for none."""
        return None if self.store.anonymous else self._session.get_credentials()

    @cached_property
    def _client(self) -> Any:
        from botocore import UNSIGNED
        from botocore.config import Config

        config = Config(
            signature_version=UNSIGNED if self._credentials is None else None,
            s3={"addressing_style": "virtual" if self.virtual else "path"},
            connect_timeout=self.store.timeout_seconds,
            read_timeout=self.store.timeout_seconds,
            retries={"total_max_attempts": self.store.tries, "mode": "standard"},
        )
        return self._session.create_client(
            "s3", region_name=self.region, endpoint_url=self.store.endpoint_url, config=config
        )

    def url(self, key: str) -> str:
        """The address of an object over HTTP."""
        return f"{self.root}/{quote(key, safe='/~')}"

    def objects(self, prefix: str) -> Iterator[Object]:
        """Yield the objects whose keys begin with a prefix, but for markers of folders, in order of keys.

        Raises SourceError, with the remedy, where the bucket cannot be listed, NetworkError where it is not reached.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.name, Prefix=prefix, PaginationConfig={"PageSize": PAGE}):
                for found in page.get("Contents", ()):
                    if not (found["Key"].endswith("/") and found["Size"] == 0):
                        yield Object(found["Key"], found["Size"], found.get("ETag", ""))
        except ClientError as error:
            raise SourceError(
                "s3://{bucket}/{prefix}: cannot be listed ({why}); check the bucket and what `store` names",
                bucket=self.name,
                prefix=prefix,
                why=_why(error.response),
            ) from None
        except BotoCoreError as error:
            raise NetworkError(
                "s3://{bucket}/{prefix}: cannot be listed ({error}); run again when the network works",
                bucket=self.name,
                prefix=prefix,
                error=str(error),
            ) from None

    def _signed(self, url: str, headers: dict[str, str]) -> dict[str, str]:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        if self._credentials is None:
            return headers
        request = AWSRequest("GET", url)
        S3SigV4Auth(self._credentials.get_frozen_credentials(), "s3", self.region).add_auth(request)
        return {**headers, **dict(request.headers.items())}

    def check(self, key: str) -> None:
        """Ask why an object was refused. Raises SourceError where it is the credentials' fault, not the object's."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.get_object(Bucket=self.name, Key=key, Range="bytes=0-0")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _OURS:
                raise SourceError(
                    "s3://{bucket}: {why}; check the credentials that `store` names, the region and the clock",
                    bucket=self.name,
                    why=_why(error.response),
                ) from None
        except BotoCoreError:  # it was reached a moment ago, and refused the object
            return


def _why(response: dict[str, Any]) -> str:
    """What a store answered, in its own code; nothing of the request, which an answer may repeat."""
    code = response.get("Error", {}).get("Code", "")
    told = response.get("ResponseMetadata", {})
    region = told.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    hint = f", the bucket lies in region {region}" if region else ""
    second = " (set `addressing: virtual`)" if code == "SecondLevelDomainForbidden" else ""
    return f"status {told.get('HTTPStatusCode', 'unknown')}, {code}{hint}{second}"
