"""Word order: whether words stand in an order that somebody wrote, whatever they are about, by a trained model.

The model knows 250 characters, most of them function words and marks, and hears only how these and the gaps between
them follow each other. It was trained on real text against the same text with its words shuffled, babbled by a chain
or cut to scraps; `docs/models.md` says how right it is. Texts of less than 150 characters often say too little.

Trade: what reads smoothly and means nothing passes; a table, a list of names or unpunctuated old verse has no order of
this kind either, and lies lower than prose.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import pyarrow as pa

from pipeline.models.file import ModelFile, model_resource, read_model
from pipeline.models.form import Folded
from pipeline.models.linear import KIND, Linear
from pipeline.step import Signal
from pipeline.text import CodePoints
from schemas.manifest import Resource

_SHIPPED = "word_order.model"


class WordOrder(Signal):
    """How likely the words of a text stand in an order that somebody wrote, by a trained model.

    - `order_score`: from 0 to 1, of the first 10,000 characters; 0.5 for a text without characters.
    """

    kind: ClassVar[str] = "word_order"

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """One score, float64."""
        return {"order_score": pa.float64()}

    def resources(self) -> Sequence[Resource]:
        """The model."""
        return (model_resource(None, _SHIPPED, KIND, self.kind),)

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the column of `adds`."""
        model = _model(read_model(None, _SHIPPED, KIND, self.kind))
        return [pa.array(model.scores(Folded.of(CodePoints.of(batch.column("text"))))[:, 1])]


@lru_cache(maxsize=1)
def _model(file: ModelFile) -> Linear:
    return Linear.of(file)
