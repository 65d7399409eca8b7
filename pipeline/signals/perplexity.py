"""Perplexity: how surprising a text is to a language model of characters that has read clean Chinese.

Two measures, both in bits a character. Text of a kind the model knows costs 4 to 7; broken or encoded text far more.
How much the order helps tells real text from shuffled or generated words, whatever they are about: the same characters
drawn one by one cost a text's order more, and for a shuffled one nearly the same.

Trade: three characters at a time, so what is grammatical nonsense over longer stretches passes; and the model was
trained on the kinds of text that `docs/models.md` lists, so the bits of other kinds are higher without being worse.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from pipeline.models.file import ModelFile, model_resource, read_model
from pipeline.models.form import Folded
from pipeline.models.ngram import KIND, Ngram
from pipeline.step import Signal
from pipeline.text import CodePoints
from schemas.manifest import Resource

_SHIPPED = "perplexity.model"


class Perplexity(Signal):
    """Bits that a character costs a language model; a run of Latin letters or digits counts as one character.

    - `char_bits`: bits a character, of the first 10,000 characters. The perplexity is 2 to their power.
    - `order_bits`: bits a character that the order of the characters saves, against each taken alone.
    """

    kind: ClassVar[str] = "perplexity"

    model: str | None = Field(None, description="path of a model made by `yuliao train` (default: the shipped one)")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """Two measures, float64; 0 for a text without characters."""
        return {"char_bits": pa.float64(), "order_bits": pa.float64()}

    def resources(self) -> Sequence[Resource]:
        """The model."""
        return (model_resource(self.model, _SHIPPED, KIND, self.kind),)

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the columns of `adds`. Raises RecipeError where the model cannot be read."""
        model = _model(read_model(self.model, _SHIPPED, KIND, self.kind))
        ordered, alone = model.bits(Folded.of(CodePoints.of(batch.column("text"))))
        return [pa.array(ordered), pa.array(alone - ordered)]


@lru_cache(maxsize=4)
def _model(file: ModelFile) -> Ngram:
    return Ngram.of(file)
