"""How common the characters of a text are in Chinese: what tells a right decoding from a wrong one.

Trade-off: single characters and no pairs, so a table of a few thousand is enough and a look-up is all it costs.
"""

from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt


def commonness(text: str, *, with_ascii: bool = False) -> float:
    """Return how common the characters of a text are in Chinese, at most 1: the mean weight of those beyond ASCII.

    Weight 1 for the thousand most frequent Han characters of either script and for Chinese punctuation, falling to
    0.4 at the four-thousandth; 0.7 for frames and full-width ASCII; 0 for any other; -2 for U+FFFD and -1 for private
    use. The weights are chosen by hand.
    """
    units = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    if with_ascii:
        plain = ((units >= 32) & (units < 127)) | ((units >= 9) & (units <= 13))
        return float((_weights()[units] + 0.6 * plain).mean()) if len(units) else 0.0
    units = units[units >= 128]
    return float(_weights()[units].mean()) if len(units) else 0.0


@cache
def _weights() -> npt.NDArray[np.float32]:
    """Weight of each UTF-16 unit, float32, (65536,)."""
    weights = np.zeros(1 << 16, np.float32)
    for line in lines_of("common_characters.txt"):
        units = np.frombuffer(line.encode("utf-16-le"), np.uint16)
        ranked = np.interp(np.arange(len(units)), [1000, 4000], [1.0, 0.4])
        weights[units] = np.maximum(weights[units], ranked)
    for mark in "，。、；：？！“”‘’（）《》〈〉「」『』【】…—·\u3000":
        weights[ord(mark)] = 1.0
    weights[0xFF01:0xFF5F] = np.maximum(weights[0xFF01:0xFF5F], 0.7)
    weights[0x2500:0x2580] = 0.7  # frames of tables, which statutes and old mail are full of
    weights[0xE000:0xF900] = -1.0
    weights[0xFFFD] = -2.0
    return weights


def lines_of(name: str) -> list[str]:
    """Return the lines of a data file of the readers that are no comments."""
    text = resources.files("pipeline.readers").joinpath("data", name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]
