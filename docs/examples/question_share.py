"""How much of a text are questions: interviews and FAQ pages lie high, statutes at zero.

Trade: only marks are looked at, so a question without ？ is missed and a rhetorical one is counted.
"""

import re
from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa

from pipeline.step import Signal

_ENDS = re.compile(r"[。！？!?…]+")


class QuestionShare(Signal):
    """Share of the sentences that end in ？ or ?; 0.0 for a text without a sentence's end."""

    kind: ClassVar[str] = "question_share"
    revision: ClassVar[int] = 1

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """One column of the same name, from 0 to 1."""
        return {"question_share": pa.float64()}

    def score(self, text: str) -> float:
        """Return the share of one text."""
        ends = _ENDS.findall(text)
        asked = sum("？" in end or "?" in end for end in ends)
        return asked / len(ends) if ends else 0.0
