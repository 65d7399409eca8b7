"""The document: one row of text with its identity and origin, and the columns a version publishes.

Counts are in code points unless a name says bytes. Columns marked published are never renamed or retyped within a
major version of a dataset.
"""

import hashlib

import pyarrow as pa

TIME = pa.timestamp("ms", "UTC")

# What a reader yields, in this order. `record` is the ordinal in the file; a file that is one document has record 0.
DOCUMENT: pa.Schema = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("original_time", TIME),
        pa.field("last_modified_time", TIME),
    ]
)

# What a version publishes, before `publish.columns` are appended.
PUBLISHED: pa.Schema = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("license", pa.string(), nullable=False),
        pa.field("lang", pa.string()),
        pa.field("script", pa.string()),
        pa.field("original_time", TIME),
        pa.field("last_modified_time", TIME),
        pa.field("char_count", pa.int64(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("first_version", pa.string(), nullable=False),
        pa.field("generated", pa.bool_()),
        pa.field("grade", pa.string()),
    ]
)


def document_id(source: str, key: str) -> str:
    """Return the id of a document: the first 16 bytes of SHA-256(source, NUL, key) in hex.

    `key` is the value of the field the recipe names, else `uri#record`. Stable across runs, versions and machines.
    """
    return hashlib.sha256(f"{source}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def content_hash(text: str) -> str:
    """Return the SHA-256 of the UTF-8 text in hex, as in the column `content_hash`."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def content_hashes(texts: pa.Array) -> pa.Array:
    """Return `content_hash` of each text of a string column as a string array."""
    return pa.array([hashlib.sha256(text).hexdigest() for text in texts.cast(pa.binary()).to_pylist()], pa.string())
