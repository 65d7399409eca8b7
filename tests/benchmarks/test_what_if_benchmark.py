"""The benchmark of what-if lays out folders that the command reads, with copies that are decided anew."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.what_if import as_run, noisy
from pipeline.storage import Workspace
from pipeline.whatif.measured import TEXTS, of_recipe
from pipeline.whatif.study import study
from schemas.document import DOCUMENT
from schemas.recipe import Rule


def test_repeated_rows_are_a_run_whose_copies_are_known(tmp_path: Path) -> None:
    rows = {"id": ["x", "y"], "char_count": [40, 4000], "uri": ["a", "b"], "record": [0, 1]}
    signals = pa.table({**rows, "decision": ["drop", "keep"], "reason": ["too_short", ""]})
    chosen = np.tile([0, 1], 30)
    table = noisy(signals, chosen, np.random.default_rng(1), 0)
    assert len(set(table.column("id").to_pylist())) == 60
    lengths = np.array(table.column("char_count").to_pylist())
    assert all(0.9 < length / was < 1.1 for length, was in zip(lengths, np.tile([40, 4000], 30), strict=True))
    known = {"text": pa.array(["一段文字。"] * 60), "source": pa.array(["a"] * 60)}
    texts = pa.table({f.name: known.get(f.name, pa.nulls(60, f.type)) for f in DOCUMENT})
    for name, part in (("signals", table), (TEXTS, texts)):
        (tmp_path / "measured" / name).mkdir(parents=True)
        pq.write_table(part, tmp_path / "measured" / name / "part-00000.parquet")
    recipe = as_run(tmp_path / "measured", tmp_path / "home")
    place = of_recipe(recipe, Workspace(recipe.parent))
    found = study("x", place.load(["char_count"]), [Rule(column="char_count", min=1)])
    # One pair in ten documents, whose longer one stays.
    assert (found.passed.documents, found.kept.documents) == (60, 54)
    assert place.sources() == ["a", "b"]
