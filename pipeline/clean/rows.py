"""Rows of a text column rewritten one by one while the rest stays in Arrow: most rows need no cleaning."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.step import replace_text


def mended(
    batch: pa.RecordBatch, rows: Iterable[int], change: Callable[[str], tuple[str, int]], name: str
) -> pa.RecordBatch:
    """Return the batch with the texts of some rows changed, and a column of what was counted in each row.

    `change` takes a text and returns the better one, or the same, and a count. The column is int64, 0 in other rows.
    """
    column = batch.column("text")
    counts = np.zeros(len(column), np.int64)
    texts: dict[int, str] = {}
    for row in rows:
        before = column[row].as_py()
        text, counts[row] = change(before)
        if text != before:
            texts[row] = text
    return replace_text(batch, with_texts(column, texts)).append_column(name, pa.array(counts))


def with_texts(column: pa.Array, texts: Mapping[int, str]) -> pa.Array:
    """Return the column with the texts of some rows replaced; the column itself when there are none."""
    if not texts:
        return column
    rows = sorted(texts)
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    return pc.replace_with_mask(column, pa.array(mask), pa.array([texts[row] for row in rows], column.type))
