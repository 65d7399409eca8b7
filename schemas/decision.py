"""Decisions, reasons and the ledger: what became of each document and each input file.

For every source `read = published + sum of removed by reason`, and for its files
`seen = ok + partial + failed + empty + skipped`.
"""

from enum import StrEnum

import pyarrow as pa


class Decision(StrEnum):
    """Whether a document is published."""

    KEEP = "keep"
    DROP = "drop"


class Stage(StrEnum):
    """The stage that decided: a rule, a duplicate, or none (kept)."""

    SELECT = "select"
    EXACT = "exact"
    NEAR = "near"
    KEPT = "kept"


class Outcome(StrEnum):
    """What became of an input file."""

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    EMPTY = "empty"
    SKIPPED = "skipped"


def bad_records(count: int) -> str:
    """Return how the reason of a file speaks of its bad records, up to the ordinal of the first."""
    return f"{count} bad record{'s' * (count > 1)}, the first is record "


# Reasons that the duplicate stage writes in the column `rule`.
DUPLICATE_EXACT = "duplicate.exact"
DUPLICATE_NEAR = "duplicate.near"

# One row a document. `value` and `threshold` are numbers; where a rule tests words (a language code), `detail` holds
# the value. `jaccard` and `survivor_id` are set where a duplicate was removed.
LEDGER: pa.Schema = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("decision", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("rule", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("detail", pa.string()),
        pa.field("survivor_id", pa.string()),
        pa.field("jaccard", pa.float64()),
        pa.field("content_hash", pa.string(), nullable=False),
    ]
)

# One row an input file. `encoding` is a Python codec name; `bom` says whether a byte order mark stood before the
# text; `evidence` says why this encoding; `reason` is never empty unless the outcome is ok; `notes` are facts that take
# nothing from it: what else the file holds, what its pages reserve.
FILES: pa.Schema = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("encoding", pa.string()),
        pa.field("bom", pa.bool_()),
        pa.field("evidence", pa.string()),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("records", pa.int64(), nullable=False),
        pa.field("bad_records", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("notes", pa.string()),
    ]
)

# One row a record that could not be read: where, why, and its first characters. Private to the workspace.
QUARANTINE: pa.Schema = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("excerpt", pa.string(), nullable=False),
    ]
)
