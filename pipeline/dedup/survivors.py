"""Who stays: a greedy walk in priority order over groups of equal match forms and verified pairs.

A document goes only when a document that stays ties it down, by equal content, an equal match form or a verified pair.
There are no chains: of A ~ B ~ C with A and C unlike, A and C stay. The walk is linear in documents and pairs, so it
is repeated whenever a rule changes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

Rows = npt.NDArray[np.int64]
NONE, EXACT, NEAR = 0, 1, 2


def survivors(
    order: Rows,
    selected: npt.NDArray[np.bool_],
    content: Rows,
    groups: Rows,
    pairs: pa.Table,
    *,
    exact: bool = True,
    near: bool = True,
    published: int = 0,
) -> tuple[Rows, npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """Return the survivor of each row, the kind of duplicate it is, and their Jaccard.

    Args:
        order: row numbers, first priority first; rows that it leaves out neither survive nor are removed.
        selected: bool, (rows,); only selected rows can survive, or be removed as duplicates.
        content: int64, (rows,), equal where the content hash is equal.
        groups: int64, (rows,), as `find_pairs` returns them; only equal content can remove a document of group -1.
        pairs: verified pairs of schema PAIRS, as `find_pairs` returns them.
        exact: whether equal content removes.
        near: whether an equal match form or a verified pair removes.
        published: the selected ones of that many first rows stay, whatever they resemble.

    Returns:
        `survivor`, int64: the row that stays instead, -1 for none; of several the one of highest Jaccard, then of
        first priority. `kind`, int8: 0 none, 1 exact (equal content), 2 near. `jaccard`, float64: of the match forms'
        shingle sets, 1.0 for equal content or match form, 0.0 where there is no survivor.
    """
    rows = len(groups)
    survivor = np.full(rows, -1, np.int64)
    kind, jaccard = np.zeros(rows, np.int8), np.zeros(rows)
    _, same = np.unique(content, return_inverse=True)
    begins, others, values = _neighbours(pairs, rows)
    first_of_group = np.full(rows, -1, np.int64)
    first_of_content = np.full(rows, -1, np.int64)
    place = np.empty(rows, np.int64)
    place[order] = np.arange(len(order))
    _walk(
        *(np.ascontiguousarray(order, np.int64), np.ascontiguousarray(selected, np.bool_)),
        *(same.astype(np.int64), np.ascontiguousarray(groups, np.int64)),
        *(begins, others, values, first_of_group, first_of_content, place),
        *(exact, near, published, survivor, kind, jaccard),
    )
    return survivor, kind, jaccard


def _neighbours(pairs: pa.Table, rows: int) -> tuple[Rows, Rows, npt.NDArray[np.float64]]:
    """Return pairs in both directions as compressed rows: neighbours of r are `others[begins[r]:begins[r + 1]]`."""
    left, right, jaccard = (pairs.column(name).to_numpy() for name in ("left", "right", "jaccard"))
    ends = np.concatenate([left, right])
    by_row = np.argsort(ends, kind="stable")
    begins = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(ends, minlength=rows), out=begins[1:])
    return begins, np.concatenate([right, left])[by_row], np.concatenate([jaccard, jaccard])[by_row]


@njit(cache=True, nogil=True)
def _walk(
    order: Any,
    selected: Any,
    content: Any,
    groups: Any,
    begins: Any,
    others: Any,
    values: Any,
    first_of_group: Any,
    first_of_content: Any,
    place: Any,
    exact: Any,
    near: Any,
    published: Any,
    survivor: Any,
    kind: Any,
    jaccard: Any,
) -> None:
    """Fill `survivor`, `kind`, `jaccard`; `first_of_*` hold the first survivor of each group and content, -1 none."""
    for row in order:
        if not selected[row]:
            continue
        group = groups[row]
        best, value = np.int64(-1), 0.0
        if row >= published:
            if exact and first_of_content[content[row]] >= 0:
                survivor[row], kind[row], jaccard[row] = first_of_content[content[row]], EXACT, 1.0
                continue
            if near and group >= 0:
                if first_of_group[group] >= 0:
                    best, value = first_of_group[group], 1.0
                for k in range(begins[group], begins[group + 1]):
                    other = first_of_group[others[k]]
                    if other >= 0 and (values[k] > value or (values[k] == value and place[other] < place[best])):
                        best, value = other, values[k]
        if best >= 0:
            survivor[row], kind[row], jaccard[row] = best, NEAR, value
            continue
        if first_of_content[content[row]] < 0:
            first_of_content[content[row]] = row
        if group >= 0 and first_of_group[group] < 0:
            first_of_group[group] = row
