"""The few documents that a report or a page shows, out of files that hold all of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.storage import open_parquet

# Of the documents that may be shown, row groups spread over all of them are read, up to so many bytes of text.
SHOWN_BYTES = 96 << 20
DOCUMENT_COLUMNS = ["id", "source", "uri", "record", "title", "text"]


class Shown:
    """Fetches a few documents by their rows, numbered over files, reading only the row groups that hold them.

    Documents that are as good as others to show are taken from some row groups alone (`near`), so that showing costs
    the same for a thousand documents and for a hundred million.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.groups: list[tuple[Path, int]] = []
        rows, sizes = [], []
        for path in paths:
            meta = open_parquet(path).metadata
            text = meta.schema.names.index("text")
            for number in range(meta.num_row_groups):
                self.groups.append((path, number))
                rows.append(meta.row_group(number).num_rows)
                sizes.append(meta.row_group(number).column(text).total_uncompressed_size)
        self.starts = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
        self.near = np.zeros(int(self.starts[-1]), bool)
        for group in _spread(sizes):
            self.near[self.starts[group] : self.starts[group + 1]] = True

    def texts(self, rows: Sequence[int]) -> list[tuple[str | None, str]]:
        """Return (title, text) of each row."""
        found = self(rows)
        return [(found[int(row)]["title"], found[int(row)]["text"]) for row in rows]

    def __call__(self, rows: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Return the documents of rows: `DOCUMENT_COLUMNS` of each."""
        wanted = np.unique(np.asarray(rows, np.int64))
        group_of = np.searchsorted(self.starts, wanted, side="right") - 1
        found: dict[int, dict[str, Any]] = {}
        for group in np.unique(group_of).tolist():
            here = wanted[group_of == group]
            path, number = self.groups[group]
            with open_parquet(path) as file:
                table = file.read_row_group(number, DOCUMENT_COLUMNS).take(here - self.starts[group])
            found |= dict(zip(here.tolist(), table.to_pylist(), strict=True))
        return found


def _spread(sizes: Sequence[int]) -> list[int]:
    """Row groups evenly over all of them, as many as hold `SHOWN_BYTES`; one at least."""
    mean = max(1, sum(sizes) // max(1, len(sizes)))
    count = min(len(sizes), max(1, SHOWN_BYTES // mean))
    return sorted({round(place) for place in np.linspace(0, len(sizes) - 1, count)}) if sizes else []
