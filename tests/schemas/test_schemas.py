import pytest
from pydantic import ValidationError

from schemas.document import DOCUMENT, PUBLISHED, content_hash, document_id
from schemas.errors import BusyError, CorpusError, RecipeError, TransientError, unknown_name
from schemas.recipe import Dedup, Publish, parse_size
from schemas.source import Source


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("256MB", 256_000_000),
        ("2GiB", 2 << 30),
        ("1.5k", 1500),
        (12, 12),
        ("7", 7),
        ("1 TiB", 1 << 40),
        ("0.5KiB", 512),
    ],
)
def test_sizes_are_read_as_people_write_them(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["big", "", "-1MB", "0", 0])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValidationError):
        Publish.model_validate({"license": "MIT", "shard_bytes": text})


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("mit", "MIT"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("LicenseRef-Contract-7", "LicenseRef-Contract-7"),
        ("public-domain", "public-domain"),
        ("cn-official-text", "cn-official-text"),
    ],
)
def test_licences_are_spdx_or_listed_terms(written: str, kept: str) -> None:
    assert Source(id="s", path="raw", license=written).license == kept


@pytest.mark.parametrize("written", ["CC-BY", "free", ""])
def test_an_unknown_licence_names_what_is_allowed(written: str) -> None:
    with pytest.raises(ValidationError, match="nor one of: public-domain"):
        Source(id="s", path="raw", license=written)


def test_a_source_lies_in_one_place() -> None:
    for places in ({}, {"path": "raw", "hub": {"name": "org/x"}}):
        with pytest.raises(ValidationError, match="one of `path`, `urls`, `hub` and `sql`"):
            Source.model_validate({"id": "s", "license": "MIT", **places})


def test_an_id_is_sixteen_bytes_of_source_and_key() -> None:
    # SHA-256 of "npc\0law.txt#0", by sha256sum
    assert document_id("npc", "law.txt#0") == "2d745eb628c0245298823ea499f0dbbd"
    assert document_id("a", "bc") != document_id("ab", "c")
    assert content_hash("语") == "759e16b81f75e6389761f9c93602bdc47a2f8770bf57094e4b257c8980b5d0ee"


def test_published_documents_keep_every_column_that_was_read() -> None:
    assert set(DOCUMENT.names) <= set(PUBLISHED.names)
    for field in DOCUMENT:
        assert PUBLISHED.field(field.name).type == field.type


def test_bands_must_fit_the_permutations() -> None:
    with pytest.raises(ValidationError, match="need more than 128 permutations"):
        Dedup(bands=26, rows=5)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": 0.1}, "cannot name a split"),
        ({"a b": 0.1}, "cannot name a split"),
        ({"x": 0.6, "y": 0.4}, "leave something"),
    ],
)
def test_splits_leave_something_to_train(splits: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Publish.model_validate({"license": "MIT", "splits": splits})


def test_errors_have_one_root_and_say_how_the_command_ends() -> None:
    assert issubclass(TransientError, CorpusError)
    assert (RecipeError.exit_status, BusyError.exit_status) == (2, 1)
    assert unknown_name("step", "langage", ["language", "unicode"]) == (
        "unknown step 'langage'. Did you mean 'language'? Known: language, unicode"
    )
