"""Quality: how much a text reads like text that people wrote to be read, by a trained linear model.

The shipped model was trained on articles, documentation, textbooks, literature, verse, dialogue and answers against
advertising, doorway pages, gambling and adult pages, lists, menus and broken text; `docs/models.md` says on what, and
how right it is on sources that it never saw. `yuliao train` makes another from your own labels.

Trade: characters and their neighbours, no understanding. What looks like a kind of text that the model does not know is
judged by resemblance, so thresholds belong to a model and to a collection; look at the curve before choosing one.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from pipeline.models.file import ModelFile, model_resource, read_model
from pipeline.models.form import Folded
from pipeline.models.linear import KIND, Linear
from pipeline.step import Signal
from pipeline.text import CodePoints
from schemas.errors import RecipeError
from schemas.manifest import Resource

_SHIPPED = "quality.model"


class Quality(Signal):
    """How likely a text is a good one, by a trained model.

    - `quality_score`: from 0 to 1, of the first 10,000 characters; 0.5 for a text without characters.
    """

    kind: ClassVar[str] = "quality"

    model: str | None = Field(None, description="path of a model made by `yuliao train` (default: the shipped one)")
    label: str = Field("good", description="the label of the model whose likelihood is the score")

    @property
    def adds(self) -> Mapping[str, pa.DataType]:
        """One score, float64."""
        return {"quality_score": pa.float64()}

    def resources(self) -> Sequence[Resource]:
        """The model. Raises RecipeError where it cannot be read or has no such label."""
        labels = _model(read_model(self.model, _SHIPPED, KIND, self.kind)).labels
        if self.label not in labels:
            raise RecipeError(
                f"step 'quality': the model has no label '{self.label}'; its labels are: {', '.join(labels)}"
            )
        return (model_resource(self.model, _SHIPPED, KIND, self.kind),)

    def measure(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Return the column of `adds`. Raises RecipeError where the model cannot be read."""
        model = _model(read_model(self.model, _SHIPPED, KIND, self.kind))
        scores = model.scores(Folded.of(CodePoints.of(batch.column("text"))))
        return [pa.array(scores[:, model.labels.index(self.label)])]


@lru_cache(maxsize=4)
def _model(file: ModelFile) -> Linear:
    return Linear.of(file)
