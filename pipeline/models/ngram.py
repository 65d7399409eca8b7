"""A language model of characters: how many bits each character of a text costs someone who has read clean Chinese.

A trigram model with interpolated absolute discounting (Ney, Essen, Kneser 1994) over folded characters (`form.py`).
Symbols are the commonest characters; a run of Latin letters is one symbol and a run of digits another, and a character
that is not listed costs UNLISTED bits more, as if there were 2^14 of them. An n-gram that is left out gives its share
to the shorter ones, so that probabilities add to one whatever is kept.

Bigrams and trigrams lie in tables without chains: one slot an n-gram, the commoner stays where two meet, a byte of
check, a byte for bits in sixteenths. Trade: one unseen n-gram in about 400 is taken for another one, and what does not
fit falls back; the price of 1.5 MB instead of hundreds.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.dedup.table import CODE_POINTS
from pipeline.models.file import ModelFile
from pipeline.models.form import REVISION, Folded
from schemas.errors import RecipeError

KIND = "ngram"
UNLISTED = 14.0
# Symbols: where a text begins, a run of Latin letters, one of digits, a character that is not listed, then the listed.
_BEGIN, _LATIN, _DIGITS, _OTHER, _LISTED = 0, 1, 2, 3, 4
_STEP = 16  # bits are stored in sixteenths, at most 255 of them
_MIX = np.uint64(0xD6E8FEB86659FD93)

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Counting:
    """How the model is trained: how many characters are listed, and slots of the tables, as powers of two."""

    listed: int = 6_000
    bigram_bits: int = 18
    trigram_bits: int = 20


@dataclass(frozen=True)
class Ngram:
    """A trained model.

    `listed`: uint32, the characters by falling count. `single`: float32, bits of each symbol alone; `retreat`: float32,
    bits that a symbol costs as the context of a bigram which is left out. `pairs`: uint8, (3, slots): check, bits, and
    bits of a trigram left out after this pair; `triples`: uint8, (2, slots): check, bits. Check 0 marks a free slot.
    """

    listed: npt.NDArray[np.uint32]
    single: npt.NDArray[np.float32]
    retreat: npt.NDArray[np.float32]
    pairs: Bytes
    triples: Bytes

    @classmethod
    def of(cls, file: ModelFile) -> "Ngram":
        """Return the model in a file of kind `ngram`. Raises RecipeError where it was made for other folding."""
        if file.header["parameters"]["form"] != REVISION:
            raise RecipeError("the model reads text in a form of another revision; train it again with `yuliao train`")
        return cls(*(file.arrays[name] for name in ("listed", "single", "retreat", "pairs", "triples")))

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What `write_model` stores."""
        names = ("listed", "single", "retreat", "pairs", "triples")
        return {name: getattr(self, name) for name in names}

    @cached_property
    def _symbols(self) -> npt.NDArray[np.uint16]:
        return _symbol_table(self.listed)

    @cached_property
    def _packed(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16]]:
        """Pairs and triples with all of a slot in one number, the check lowest, so that one look-up fetches it."""
        checks, bits, back = self.pairs.astype(np.uint32)
        signs, values = self.triples.astype(np.uint16)
        return checks | bits << 8 | back << 16, signs | values << 8

    def bits(self, texts: Folded) -> npt.NDArray[np.float64]:
        """Return bits a symbol, float64, (2, rows): in their order, and of the same symbols one by one.

        Shuffled words have the second of real text, and a first that is near it. An empty text has 0 and 0.
        """
        out = np.zeros((2, len(texts)))
        _bits(texts.points, texts.starts, self._symbols, self.single, self.retreat, *self._packed, out)
        return out


def train(texts: Folded, settings: Counting | None = None) -> Ngram:
    """Train a model on clean texts. Raises RecipeError where there is hardly any text."""
    chosen = Counting() if settings is None else settings
    if len(texts.points) < 100:
        raise RecipeError(f"a language model needs text: {len(texts.points)} characters were given; give more files")
    points, counts = np.unique(texts.points, return_counts=True)
    plain = (points != 0x30) & ~((points >= 0x61) & (points <= 0x7A))
    points, counts = points[plain], counts[plain]
    listed = points[np.lexsort((points, -counts))][: chosen.listed].astype(np.uint32)
    symbols = np.empty(len(texts.points) + len(texts), np.int64)
    count = _as_symbols(texts.points, texts.starts, _symbol_table(listed), symbols)
    symbols = symbols[:count]
    size = _LISTED + len(listed)
    single, heads = _singles(symbols, size)
    pair_keys, pair_counts = _runs(symbols, size, 2)
    pair_chance, retreat, kept = _pairs(pair_keys, pair_counts, single, heads, chosen.bigram_bits)
    triple_keys, triple_counts = _runs(symbols, size, 3)
    whole = (pair_keys, pair_counts, pair_chance, kept)
    pairs, triples = _triples(triple_keys, triple_counts, whole, size, chosen)
    return Ngram(listed, _as_bits(single), _as_bits(retreat), pairs, triples)


def _as_bits(chances: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return -np.log2(np.maximum(chances, 1e-12)).astype(np.float32)


def _as_bytes(chances: npt.NDArray[np.float64]) -> Bytes:
    steps: Bytes = np.clip(np.rint(-np.log2(np.maximum(chances, 1e-12)) * _STEP), 0, 255).astype(np.uint8)
    return steps


def _symbol_table(listed: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint16]:
    """Return the symbol of every code point, uint16, (CODE_POINTS,)."""
    table = np.full(CODE_POINTS, _OTHER, np.uint16)
    table[listed] = np.arange(_LISTED, _LISTED + len(listed))
    table[0x61:0x7B] = _LATIN
    table[0x30] = _DIGITS
    return table


def _singles(symbols: npt.NDArray[np.int64], size: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the chance of each symbol alone (half a count added to each), and how often each is a context."""
    counts = np.bincount(symbols, minlength=size).astype(np.float64)
    heads = counts.copy()
    heads[symbols[-1]] -= 1
    counts[_BEGIN] = 0
    counts[_LATIN:] += 0.5
    return counts / counts.sum(), np.maximum(heads, 1)


def _runs(symbols: npt.NDArray[np.int64], size: int, order: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return the n-grams of an order inside texts, as numbers to the base `size`, ascending, with their counts."""
    count = len(symbols) - order + 1
    keys = np.zeros(max(count, 0), np.int64)
    inside = np.ones(len(keys), np.bool_)
    for place in range(order):
        part = symbols[place : place + len(keys)]
        keys = keys * size + part
        inside &= (part != _BEGIN) if place else True
    return np.unique(keys[inside], return_counts=True)


def _discount(counts: npt.NDArray[Any]) -> float:
    """Return Ney's estimate n1 / (n1 + 2 n2), from how many n-grams were seen once and twice."""
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once else 0.5


def _placed(keys: npt.NDArray[np.int64], counts: npt.NDArray[Any], bits: int) -> npt.NDArray[np.int64]:
    """Return which n-grams have a slot: in each, the commonest (then the first)."""
    slots, _ = _slots(keys, bits)
    order = np.lexsort((keys, -counts, slots))
    first = np.ones(len(order), np.bool_)
    first[1:] = slots[order][1:] != slots[order][:-1]
    return np.sort(order[first])


def _slots(keys: npt.NDArray[np.int64], bits: int) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Return slot and check (1 to 255) of n-grams; the kernel's `_find` gives the same."""
    mixed = (keys.astype(np.uint64) + np.uint64(1)) * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(32))) * _MIX
    slots = (mixed >> np.uint64(64 - bits)).astype(np.int64)
    return slots, ((mixed >> np.uint64(8)) % np.uint64(255) + np.uint64(1)).astype(np.uint8)


def _pairs(
    keys: npt.NDArray[np.int64],
    counts: npt.NDArray[Any],
    single: npt.NDArray[np.float64],
    heads: npt.NDArray[np.float64],
    bits: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the chance of each pair's second symbol, each context's chance of what is left out, and the pairs kept."""
    first, second = np.divmod(keys, len(single))
    share = np.maximum(counts - _discount(counts), 0).astype(np.float64) / heads[first]
    kept = _placed(keys, counts, bits)
    held = np.bincount(first[kept], share[kept], len(single))
    retreat: npt.NDArray[np.float64] = np.clip(1 - held, 1e-6, 1)
    chance = retreat[first] * single[second]
    chance[kept] += share[kept]
    return chance, retreat, kept


def _triples(
    keys: npt.NDArray[np.int64],
    counts: npt.NDArray[Any],
    whole: tuple[npt.NDArray[np.int64], npt.NDArray[Any], npt.NDArray[np.float64], npt.NDArray[np.int64]],
    size: int,
    chosen: Counting,
) -> tuple[Bytes, Bytes]:
    """Return the tables of pairs and triples."""
    pair_keys, pair_counts, pair_chance, kept = whole
    context, _ = np.divmod(keys, size)
    is_kept = np.zeros(len(pair_keys), np.bool_)
    is_kept[kept] = True
    place = np.searchsorted(pair_keys, context)
    # A context that stands only where a text begins, or that lost its slot, is followed as if it were not known.
    known = (place < len(pair_keys)) & is_kept[np.minimum(place, len(pair_keys) - 1)]
    known &= pair_keys[np.minimum(place, len(pair_keys) - 1)] == context
    keys, counts, context, place = keys[known], counts[known], context[known], place[known]
    share = np.maximum(counts - _discount(counts), 0).astype(np.float64) / pair_counts[place]
    chosen_triples = _placed(keys, counts, chosen.trigram_bits)
    chosen_triples = chosen_triples[counts[chosen_triples] > 1]
    held = np.bincount(place[chosen_triples], share[chosen_triples], len(pair_keys))
    back: npt.NDArray[np.float64] = np.clip(1 - held, 1e-6, 1)

    pairs = np.zeros((3, 1 << chosen.bigram_bits), np.uint8)
    slots, checks = _slots(pair_keys[kept], chosen.bigram_bits)
    pairs[:, slots] = checks, _as_bytes(pair_chance[kept]), _as_bytes(back[kept])

    taken = keys[chosen_triples]
    shorter = taken % (size * size)
    lower = pair_chance[np.searchsorted(pair_keys, shorter)]
    chance = share[chosen_triples] + back[place[chosen_triples]] * lower
    triples = np.zeros((2, 1 << chosen.trigram_bits), np.uint8)
    slots, checks = _slots(taken, chosen.trigram_bits)
    triples[:, slots] = checks, _as_bytes(chance)
    return pairs, triples


@njit(cache=True, nogil=True)
def _as_symbols(points: Any, starts: Any, table: Any, symbols: Any) -> int:
    """Write the symbols of texts end to end, each begun by _BEGIN, and return how many."""
    count = 0
    for row in range(len(starts) - 1):
        symbols[count] = _BEGIN
        count += 1
        for i in range(starts[row], starts[row + 1]):
            symbol = table[points[i]]
            if _LATIN <= symbol <= _DIGITS and symbols[count - 1] == symbol:
                continue
            symbols[count] = symbol
            count += 1
    return count


@njit(cache=True, nogil=True)
def _rest_of_255(value: Any) -> Any:
    """Return `value % 255` of less than 2^56 as the sum of its bytes, which several lanes can do at a time."""
    low = np.uint64(0x00FF00FF00FF00FF)
    total = (((value & low) + ((value >> np.uint64(8)) & low)) * np.uint64(0x0001000100010001)) >> np.uint64(48)
    total = (total & np.uint64(255)) + (total >> np.uint64(8))
    return total - np.uint64(255) * np.uint64(total >= np.uint64(255))


@njit(cache=True, nogil=True)
def _find(symbols: Any, count: Any, size: Any, order: int, table: Any, slots: Any, checks: Any, found: Any) -> None:
    """Write the check of the n-gram that ends at each symbol, and what `table` holds in its slot.

    `symbols` begins with two more; `slots`: room to work.
    """
    shift = np.uint64(64 - np.int64(np.round(np.log2(len(table)))))
    for i in range(count):
        key = np.uint64(symbols[i + 1]) * size + np.uint64(symbols[i + 2])
        key += np.uint64(symbols[i]) * size * size if order == 3 else np.uint64(0)
        mixed = (key + np.uint64(1)) * _MIX
        mixed = (mixed ^ (mixed >> np.uint64(32))) * _MIX
        slots[i] = np.uint32(mixed >> shift)
        checks[i] = np.uint8(_rest_of_255(mixed >> np.uint64(8)) + np.uint64(1))
    for i in range(count):
        found[i] = table[slots[i]]


@njit(cache=True, nogil=True)
def _row_symbols(points: Any, begin: int, end: int, table: Any, symbols: Any) -> int:
    """Write the symbols of a text behind two _BEGIN, and return how many."""
    symbols[0] = symbols[1] = old = np.uint16(_BEGIN)
    count = 0
    for i in range(begin, end):
        symbol = table[points[i]]
        symbols[count + 2] = symbol
        count += not (_LATIN <= symbol <= _DIGITS and symbol == old)
        old = symbol
    return count


@njit(cache=True, nogil=True)
def _bits(points: Any, starts: Any, table: Any, single: Any, retreat: Any, pairs: Any, triples: Any, out: Any) -> None:
    """Fill `out`, float64, (2, rows); `pairs`, `triples`: as `Ngram._packed` has them.

    Look-ups come first, a text at a time, and no branch depends on what they find, so that none waits for another.
    """
    longest = 0
    for row in range(len(starts) - 1):
        longest = max(longest, starts[row + 1] - starts[row])
    symbols = np.empty(longest + 3, np.uint16)
    slots, checks = np.empty(longest, np.uint32), np.empty((2, longest), np.uint8)
    found_pairs, found_triples = np.empty(longest, np.uint32), np.empty(longest, np.uint16)
    size = np.uint64(len(single))
    byte, eight, sixteen = np.uint32(255), np.uint32(8), np.uint32(16)
    for row in range(len(starts) - 1):
        count = _row_symbols(points, starts[row], starts[row + 1], table, symbols)
        _find(symbols, count, size, 2, pairs, slots, checks[0], found_pairs)
        _find(symbols, count, size, 3, triples, slots, checks[1], found_triples)
        ordered, alone = 0.0, 0.0
        followed, back = False, 0.0  # whether the pair before is known, and its bits of a trigram left out
        for i in range(count):
            old, symbol = symbols[i + 1], symbols[i + 2]
            extra = UNLISTED if symbol == _OTHER else 0.0
            alone += single[symbol] + extra
            pair = found_pairs[i]
            known = (pair & byte) == checks[0, i]
            bits = np.float64((pair >> eight) & byte) / _STEP if known else np.float64(retreat[old] + single[symbol])
            triple = np.uint32(found_triples[i])
            there = followed & ((triple & byte) == checks[1, i])
            bits = np.float64(triple >> eight) / _STEP if there else bits + back
            ordered += bits + extra
            followed, back = known, np.float64(pair >> sixteen) / _STEP if known else 0.0
        if count:
            out[0, row] = ordered / count
            out[1, row] = alone / count
