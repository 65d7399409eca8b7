"""The code points of GB 18030-2022 that Python's codec, which has the table of the year 2000, puts elsewhere.

Trade-off: a text that was written in the private use area on purpose, at one of these 25 places, is moved, too.
"""

import re
from functools import cache

from pipeline.tables import lines_of

PRIVATE = re.compile("[\ue78d-\ue864]")


def standard(text: str) -> str:
    """Return text that the codec decoded, with what it left in the private use area where GB 18030-2022 has it."""
    return text.translate(_moves()) if PRIVATE.search(text) else text


@cache
def _moves() -> dict[int, int]:
    rows = (line.split("\t") for line in lines_of("pipeline.readers", "gb18030_2022.tsv"))
    return {int(old, 16): int(new, 16) for _, old, new in rows}
