"""Rows of a text column rewritten one by one while the rest stays in Arrow: most rows need no cleaning."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def with_texts(column: pa.Array, texts: Mapping[int, str]) -> pa.Array:
    """Return the column with the texts of some rows replaced; the column itself when there are none."""
    if not texts:
        return column
    rows = sorted(texts)
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    return pc.replace_with_mask(column, pa.array(mask), pa.array([texts[row] for row in rows], column.type))
