"""Measured documents for what-if, made of plain columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.whatif.measured import Measured
from schemas.recipe import Rule

RULES = [
    Rule(column="char_count", min=20, max=900, name="length"),
    Rule(column="han_share", min=0.3),
    Rule(column="lang", one_of=["zh", "yue"], name="language"),
    Rule(column="mixed", equals=False, sources=["论坛"]),
    Rule(column="digit_share", max=0.2, sources=["百科"], name="digits"),
]


class Texts:
    """Stands in for files of documents: every row has a text that says its number."""

    def __init__(self, table: pa.Table) -> None:
        self.table, self.near = table, np.ones(table.num_rows, bool)

    def __call__(self, rows: Sequence[int]) -> dict[int, dict[str, Any]]:
        facts = {"uri": "a/b.txt", "title": None}
        return {
            row: {
                **facts,
                "id": self.table["id"][row].as_py(),
                "source": self.table["source"][row].as_py(),
                "record": row,
                "text": f"第{row}篇，电话13912345678。",
            }
            for row in rows
        }


def measured(columns: dict[str, list[Any]], *, texts: bool = True) -> Measured:
    """Documents with these columns, their ids made from their numbers."""
    rows = len(columns["source"])
    ids = [f"{row * 2654435761 % 2**32:032x}" for row in range(rows)]
    types = {"char_count": pa.int64(), "lang": pa.string(), "mixed": pa.bool_(), "source": pa.string()}
    arrays = {name: pa.array(values, types.get(name, pa.float64())) for name, values in columns.items()}
    table = pa.table({"id": ids, "content_hash": [id * 2 for id in ids], **arrays})
    none = np.zeros(rows, bool)
    return Measured(table, Texts(table) if texts else None, none, none, None)  # type: ignore[arg-type]


def some(rows: int, seed: int = 7) -> Measured:
    """Documents of two sources with values on both sides of every rule, some of them missing."""
    dice = np.random.default_rng(seed)
    gaps = dice.random(rows) < 0.1
    return measured(
        {
            "source": dice.choice(["百科", "论坛"], rows).tolist(),
            "char_count": dice.integers(0, 1200, rows).tolist(),
            "han_share": dice.random(rows).round(3).tolist(),
            "lang": dice.choice(["zh", "yue", "ja"], rows, p=[0.7, 0.1, 0.2]).tolist(),
            "mixed": [None if gap else bool(value) for gap, value in zip(gaps, dice.random(rows) < 0.2, strict=True)],
            "digit_share": [None if gap else round(v, 3) for gap, v in zip(gaps, dice.random(rows) / 3, strict=True)],
        }
    )
