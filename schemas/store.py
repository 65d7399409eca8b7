"""A store: how files behind addresses are reached. It says where things lie, so it is no part of a version's identity.

Nothing here is a secret: credentials stand in environment variables or a Prefect block, and a store names these.
"""

import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

WEB = ("http", "https")
# What fsspec reaches, where the package for it is installed; `s3` and the web are reached without.
FOREIGN = ("abfs", "abfss", "az", "ftp", "gcs", "gs", "hdfs", "hf", "oss", "sftp", "webhdfs")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SECRET = r"(?:key|key_?id|secret|token|signature|sign|sig|password|passwd|pwd|credentials?)"
# A parameter of an address that holds a secret, by its name: `X-Amz-Signature`, `OSSAccessKeyId`, `api_key`, `token`.
_SECRET_NAME = re.compile(rf"(?:.*[-_.]|(?:aws|oss)?access|api|auth|client|security|secret){_SECRET}|{_SECRET}", re.I)
_USER = re.compile(r"(?<=://)[^/?#\s@]*@")
_PARAMETER = re.compile(r"(?<=[?&;#])([^=&;\s'\"#]+)=([^&;\s'\"#]+)")
# Keys have shapes of their own: AWS and Alibaba Cloud name theirs AKIA…, ASIA… and LTAI….
_KEY = re.compile(r"(AKIA|ASIA|LTAI)[A-Z0-9]{12,}")
BLOCK = r"^[a-z0-9-]+/[a-z0-9-]+$"
REMEDY = (
    "take it out and name the environment variables that hold it: `store: {key_env: NAME, secret_env: NAME}`, or "
    "`store: {token_env: NAME}`"
)


def is_address(path: str) -> bool:
    """Whether a path is an address (`s3://…`, `https://…`) rather than a place on this machine's disks."""
    return ADDRESS.match(path) is not None


def refuse_address(path: str) -> None:
    """Raise ValueError, with the remedy, for an address that is not reached: its scheme, its form or a secret in it."""
    if secret := secret_in(path):
        raise PydanticCustomError("secret", "{message}", {"message": f"the address holds {secret}; {REMEDY}"})
    scheme = path.split("://", 1)[0]
    known = (*WEB, "s3", *FOREIGN)
    if scheme not in known:
        raise ValueError(f"no files are read from {scheme}://; known are {', '.join(sorted(known))}, or a plain path")
    if "::" in path:
        raise ValueError("an address is one place, without `::`; archives are unpacked by themselves")
    if not urlsplit(path).netloc:
        raise ValueError(f"the address names no {'host' if scheme in WEB else 'bucket or host'}")
    if scheme in WEB and "*" in path.split("?", 1)[0]:
        raise ValueError("the web cannot be listed: name every file, or list the addresses in a file (`urls`)")


def refuse_value(name: str | None) -> str | None:
    """Return the name of an environment variable. Raises ValueError, which does not say it, for what is a value."""
    if name is not None and (not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name) or _KEY.fullmatch(name)):
        message = "write the name of an environment variable (A-Z, 0-9, _), never its value"
        raise PydanticCustomError("secret", "{message}", {"message": message})
    return name


def secret_in(text: str) -> str | None:
    """Return what secret an address holds, in words that do not say it; None where it holds none."""
    if not ADDRESS.search(text):
        return None
    if _USER.search(text):
        return "a user name or password before the host"
    names = [name for name, _ in _PARAMETER.findall(text) if _SECRET_NAME.fullmatch(name)]
    return f"a key or signature in the parameter '{names[0]}'" if names else None


def redacted(text: str) -> str:
    """Return a message with the secrets that its addresses hold replaced by `***`."""

    def hide(match: re.Match[str]) -> str:
        return f"{match[1]}=***" if _SECRET_NAME.fullmatch(match[1]) else match[0]

    return _PARAMETER.sub(hide, _USER.sub("***@", text))


class Store(BaseModel):
    """How the addresses of a source are reached: end point, region, and the names of what holds the credentials."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint_url: str | None = Field(None, description="of an S3-compatible service; without it that of AWS")
    region: str | None = Field(None, description="default AWS_REGION, AWS_DEFAULT_REGION, us-east-1")
    addressing: Literal["path", "virtual"] | None = Field(
        None, description="bucket in the path or in the host name; default path with `endpoint_url`, else virtual"
    )
    anonymous: bool = Field(False, description="use no credentials, also where there are some")
    key_env: str | None = Field(None, description="name of the environment variable of the access key id or user")
    secret_env: str | None = Field(None, description="name of that of the secret key or password")
    token_env: str | None = Field(None, description="name of that of a session token (S3) or bearer token (HTTP)")
    block: str | None = Field(None, pattern=BLOCK, description="a Prefect block TYPE/NAME that holds the credentials")
    timeout_seconds: float = Field(60, gt=0, le=3600, description="longest silence of a connection")
    tries: int = Field(5, ge=1, le=20, description="attempts without progress before it counts as a fault")
    private_redirects: bool = Field(
        False, description="follow redirects from a public host to loopback, link-local and private addresses"
    )

    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, values: Any) -> Any:
        for name in values if isinstance(values, dict) else ():
            if name not in cls.model_fields and _SECRET_NAME.fullmatch(str(name)):
                message = f"'{name}': a recipe never holds credentials; {REMEDY}"
                raise PydanticCustomError("secret", "{message}", {"message": message})
        return values

    @field_validator("key_env", "secret_env", "token_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        return refuse_value(value)

    @field_validator("endpoint_url")
    @classmethod
    def _is_an_endpoint(cls, value: str | None) -> str | None:
        if value is None:
            return None
        refuse_address(value)
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.path.strip("/"):
            raise ValueError("write an end point as https://HOST or http://HOST:PORT")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _key_and_secret(self) -> "Store":
        if (self.key_env is None) != (self.secret_env is None):
            raise ValueError("`key_env` and `secret_env` go together")
        if self.block and (self.key_env or self.token_env):
            raise ValueError("credentials come either from a block or from environment variables")
        return self
