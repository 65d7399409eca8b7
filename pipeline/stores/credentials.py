"""Where credentials come from: environment variables, or a block that whoever runs the work has loaded.

They are held in memory alone: never written, logged, or shown by `repr`.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

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


def keys_of(store: Store) -> Keys | None:
    """Return the credentials that a store names, None where it names none or says `anonymous`.

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
    return None


def _variable(name: str) -> str:
    if value := os.environ.get(name):
        return value
    raise SourceError("store: the environment variable {name} is not set; set it and run again", name=name)
