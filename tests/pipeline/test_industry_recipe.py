"""A recipe that selects one industry out of a mixed corpus: what stays, why the rest went, and that lists travel."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import yaml

CASES: dict[str, str] = yaml.safe_load(
    (Path(__file__).parent / "signals" / "industry_cases.yaml").read_text(encoding="utf-8")
)

RECIPE = """\
dataset: test/health
sources: [{id: raw, path: raw, license: internal}]
steps:
  - {kind: characters}
  - {kind: industry}
select:
  - {column: industry, in: [health]}
  - {column: industry_score, min: 0.5}
publish: {license: internal}
"""


def test_one_industry_is_selected_and_the_rest_accounted_for(
    make_corpus: Callable[..., Path], curate_here: Callable[..., dict]
) -> None:
    recipe = make_corpus({f"{name}.txt": text for name, text in CASES.items()}, RECIPE)
    summary = curate_here(recipe)
    store = recipe.parent / "store/test/health"
    (shard,) = (store / "shards").iterdir()
    assert pq.read_table(shard).column("text").to_pylist() == [CASES["health"]]
    rows = [row for path in Path(summary["ledger"]).glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    rules = {Path(row["uri"]).stem: row["rule"] for row in rows}
    assert {name for name, rule in rules.items() if rule == "industry.other"} == set(CASES) - {"health"}
