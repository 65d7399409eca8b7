"""Documents counted in shards."""

import re
from collections.abc import Callable, Sequence

import pytest
from passage_cases import batch_of

from pipeline.passages import freezing
from pipeline.passages.counting import CountJob, count_lines
from pipeline.passages.freezing import FreezeJob, freeze
from pipeline.passages.table import Table
from pipeline.storage import write_parquet
from schemas.document import DOCUMENT
from schemas.recipe import Passages


@pytest.fixture
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Table]:
    """Count and freeze texts, given as shards; the list for people lies beside the table."""

    def run(shards: Sequence[Sequence[str]], passages: Passages, memory: int = 2 << 30) -> Table:
        folder = tmp_path_factory.mktemp("count")
        read, lines = [], []
        for number, texts in enumerate(shards):
            read.append(folder / f"read-{number}")
            lines.append(folder / f"lines-{number}")
            write_parquet(read[-1] / "documents.parquet", DOCUMENT, [batch_of(texts)])
            count_lines(CountJob(lines[-1], read[-1], 8 << 30))
        job = FreezeJob(folder / "frozen", "s", tuple(lines), tuple(read), passages, memory)
        freeze(job)
        return job.table("internal")

    return run


@pytest.fixture
def unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pattern protects a line."""
    monkeypatch.setattr(freezing, "_protected", lambda: re.compile("(?!)"))
