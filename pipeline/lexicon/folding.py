"""Which characters count as one when terms are looked for: width, case, script; and look-alikes where asked for.

Every code point has a label, and terms are compared by labels, so places in a text stay those of the original. A label
is the match form of one character taken alone (NFKC, casefold, Traditional to Simplified). Zero-width characters,
variation selectors and combining marks have no label: they are passed over wherever they stand.

Disguised spelling is undone on demand: `data/lookalikes.tsv` gives look-alikes one label, and marks, symbols and spaces
are soft, so that a walk may step over a few of them (微-信, 加 V 信). Marks that end a clause stay hard.

Trade: a character whose form is several (㎏, ﬁ) counts as itself, and letters written as two code points match as the
bare letter.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.dedup.matchform import single_forms
from pipeline.properties import of_categories
from pipeline.signals import classes
from pipeline.tables import lines_of

LABEL = np.uint32(0x3FFFF)
SOFT = np.uint32(1 << 30)
HARD = np.uint32(1 << 31)
"""An entry is a label, with SOFT where a walk may step over it; HARD stands alone: no label, always passed over."""
LOOKALIKES = "lookalikes.tsv"
_ENDS = "！？!?"


@cache
def labels(disguised: bool) -> npt.NDArray[np.uint32]:
    """Return label and bits of every code point below `classes.SIZE`, uint32; those above count as the last one."""
    size, bits = classes.SIZE, classes.table()
    table = single_forms()[:size].copy()
    blank = of_categories("Zs")[:size]
    table[blank] = 32
    if disguised:
        for line in lines_of(__package__, LOOKALIKES):
            canonical, alike = line.split("\t")
            table[[ord(char) for char in alike.replace(" ", "")]] = ord(canonical)
        ends = np.zeros(size, bool)
        ends[[ord(char) for char in _ENDS]] = True
        marks = (bits & (classes.PUNCTUATION | classes.SYMBOL)) > 0
        marks &= ((bits & (classes.STOP | classes.CLAUSE_END)) == 0) & ~ends
        marks |= blank
        table[marks] |= SOFT
    table[of_categories("Cf", "Mn", "Me")[:size]] = HARD
    table[size - 1] = LABEL
    table.setflags(write=False)
    return table


def label_of(char: str, table: npt.NDArray[np.uint32]) -> int:
    """Return the entry of one character."""
    return int(table[min(ord(char), classes.SIZE - 1)])
