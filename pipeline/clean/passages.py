"""Passages: lines that recur over the documents of their source, taken out row by row by a frozen table.

A recipe's `passages:` puts this step first, on the text as it was read, because that is what was counted. Without a
table (a text alone, a source that is left out) nothing is known to recur, and the text stays.

Trade: furniture is a line; what stands inside a paragraph with other text stays, and so does a line at an edge beyond
one that belongs to the document, unless it recurs far more.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, PrivateAttr

from pipeline.passages.lines import OWN, Lines
from pipeline.passages.table import Table
from pipeline.step import Cleaner, replace_text
from pipeline.tables import resource
from pipeline.text import CodePoints, encode
from schemas.manifest import Resource


class Passages(Cleaner):
    """Lines of page furniture that recur over a source; a recipe's `passages:` puts this step in place.

    - `passage_count`: how many lines were taken out, or would be (`action: mark`).
    - `passage_char_count`: by how many characters that makes the text shorter.
    """

    kind: ClassVar[str] = "passages"
    revision: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("text", "source")

    action: Literal["remove", "mark"] = Field("remove", description="take the lines out, or only count them")
    _tables: tuple[Table, ...] = PrivateAttr(())

    @property
    def tables(self) -> tuple[Table, ...]:
        """The frozen tables, one a source."""
        return self._tables

    def frozen(self, tables: Iterable[Table]) -> "Passages":
        """Return the step with other tables."""
        step = self.model_copy()
        step._tables = tuple(tables)
        return step

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Two counts."""
        return {"passage_count": pa.int64(), "passage_char_count": pa.int64()}

    def resources(self) -> Sequence[Resource]:
        """The tables, and the patterns of lines that never enter one."""
        patterns = resource("pipeline.passages", "protected_lines.txt", "CC0-1.0")
        return (patterns, *(table.resource for table in self._tables))

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with the lines taken out, if asked for, and the two counts."""
        column, count, chars = batch.column("text"), np.zeros(len(batch), np.int64), np.zeros(len(batch), np.int64)
        known = None
        if self._tables and len(batch):
            lines = Lines.of(CodePoints.of(column))
            known = np.full(len(lines.chars), OWN, np.uint8)
            for table in self._tables:
                here = pc.equal(batch.column("source"), table.source).to_numpy(zero_copy_only=False)
                if here.any():
                    known = np.where(here[lines.rows], table.known(lines), known)
        if known is not None and known.any():
            gone = lines.furniture(known)
            shorter = lines.without(gone)
            count = np.add.reduceat(gone & (lines.chars > 0), lines.firsts[:-1]).astype(np.int64)
            chars = lines.texts.counts - np.where(count > 0, shorter.counts, lines.texts.counts)
            changed = count > 0
            if self.action == "remove" and changed.any():
                texts = encode(shorter.take(np.flatnonzero(changed)))
                batch = replace_text(batch, pc.replace_with_mask(column, pa.array(changed), texts.cast(column.type)))
        for name, values in zip(self.adds, (count, chars), strict=True):
            batch = batch.append_column(name, pa.array(values))
        return batch
