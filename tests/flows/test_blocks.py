"""Credentials in blocks, with Prefect's own blocks but no server."""

import pytest

from flows import blocks
from schemas.errors import SourceError


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ({"key": "a", "secret": "b"}, ("a", "b", "")),
        ({"aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c"}, ("a", "b", "c")),
        ({"minio_root_user": "a", "minio_root_password": "b"}, ("a", "b", "")),
        ("bearer", ("", "", "bearer")),
    ],
)
def test_a_secret_holds_credentials_under_any_usual_name(monkeypatch, value, parts):
    from contextlib import nullcontext

    from prefect.blocks.system import Secret

    monkeypatch.setattr(blocks.server, "api", nullcontext)
    monkeypatch.setattr(Secret, "load", classmethod(lambda cls, name: Secret(value=value)))
    keys = blocks.load_block("secret/minio")
    assert (keys.key, keys.secret, keys.token) == parts
    assert repr(keys) == "Keys()"


def test_a_block_that_is_not_there_is_named(monkeypatch):
    from contextlib import nullcontext

    from prefect.blocks.core import Block

    def missing(name):
        raise ValueError("unable to find the block")

    monkeypatch.setattr(blocks.server, "api", nullcontext)
    monkeypatch.setattr(Block, "load", missing)
    with pytest.raises(SourceError, match="the block 'aws-credentials/x' cannot be loaded"):
        blocks.load_block("aws-credentials/x")
