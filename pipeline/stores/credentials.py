"""Where credentials come from: the environment, AWS's file of them, or a block that whoever runs the work has loaded.

They are held in memory alone: never written, logged, or shown by `repr`.
"""

import configparser
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import SourceError
from schemas.store import Store


@dataclass(frozen=True)
class Keys:
    """An access key, or a user with a password; or a token alone."""

    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


held: dict[str, Keys] = {}
_load: list[Callable[[str], Keys]] = []


def load_blocks_by(load: Callable[[str], Keys]) -> None:
    """Name the function that loads a block TYPE/NAME; without one, only what is `held` is known."""
    _load[:] = [load]


def hold(keys: dict[str, Keys]) -> None:
    """Take over the credentials that another process has loaded."""
    held.update(keys)


def keys_of(store: Store, *, s3: bool) -> Keys | None:
    """Return the credentials of a store, None for none. `s3`: look where AWS's programs look, too.

    Raises SourceError naming the variable or block that is missing.
    """
    if store.anonymous:
        return None
    if store.block:
        if store.block not in held:
            if not _load:
                raise SourceError("store: nothing here loads the block '{block}'", block=store.block)
            held[store.block] = _load[0](store.block)
        return held[store.block]
    if store.key_env or store.token_env:
        names = (store.key_env, store.secret_env, store.token_env)
        return Keys(*(_variable(name) if name else "" for name in names))
    if not s3:
        return None
    if os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"):
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return Keys(*(os.environ.get(name, "") for name in names))
    return _from_file()


def _variable(name: str) -> str:
    if value := os.environ.get(name):
        return value
    raise SourceError("store: the environment variable {name} is not set; set it and run again", name=name)


def _from_file() -> Keys | None:
    path = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        entry = parser[os.environ.get("AWS_PROFILE") or "default"]
        return Keys(entry["aws_access_key_id"], entry["aws_secret_access_key"], entry.get("aws_session_token", ""))
    except (KeyError, OSError, configparser.Error, UnicodeDecodeError):
        return None
