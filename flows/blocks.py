"""Credentials from Prefect blocks: a Secret that holds JSON, or a block of credentials such as prefect-aws has."""

from typing import Any

from flows import server
from pipeline.stores.credentials import Keys
from schemas.errors import SourceError

# What blocks call the parts of credentials.
_NAMES = {
    "key": ("key", "aws_access_key_id", "minio_root_user", "username"),
    "secret": ("secret", "aws_secret_access_key", "minio_root_password", "password"),
    "token": ("token", "aws_session_token"),
}


def load_block(name: str) -> Keys:
    """Return the credentials in a block TYPE/NAME. Raises SourceError, without its values, where there are none."""
    server.prepare()
    try:
        from prefect.blocks.core import Block
        from prefect.blocks.system import Secret

        with server.api():
            block: Any = Secret.load(name.split("/", 1)[1]) if name.startswith("secret/") else Block.load(name)
        found = block.get() if isinstance(block, Secret) else block.model_dump()
    except (ValueError, ImportError, RuntimeError) as error:
        raise SourceError(
            "store: the block '{block}' cannot be loaded ({kind}); `prefect block ls` lists those that are there",
            block=name,
            kind=type(error).__name__,
        ) from None
    if not isinstance(found, dict):
        found = {"token": found}
    parts = {part: next((_plain(found[n]) for n in names if found.get(n)), "") for part, names in _NAMES.items()}
    if not any(parts.values()):
        raise SourceError("store: the block '{block}' holds no key, secret or token", block=name)
    return Keys(**parts)


def _plain(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)
