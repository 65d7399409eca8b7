"""A recipe that takes recurring lines out, as a user runs it: through Prefect, in several workers, and by the tool."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests_support import article

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("prefect")]
NOTE = "转载本站文章须注明出处，本站保留追究法律责任的权利。"
RECIPE = """\
dataset: test/corpus
sources:
  - {id: web, path: raw/web, license: CC-BY-4.0}
  - {id: laws, path: raw/laws, license: cn-official-text}
publish: {license: CC-BY-4.0}
passages: {}
"""


def test_a_recipe_with_passages_from_the_command_line(
    yuliao: Callable[..., subprocess.CompletedProcess[str]],
    make_corpus: Callable[..., Path],
    curate_here: Callable[..., dict],
    prefect_env: dict[str, str],
) -> None:
    files = {f"web/{n:03d}.txt": f"{article(n)}\n{NOTE}" for n in range(25)}
    files |= {f"laws/{n:03d}.txt": f"{article(n + 50)}\n本条例自公布之日起施行。" for n in range(25)}
    recipe, other = make_corpus(files, RECIPE), make_corpus(files, RECIPE, "other")

    done = yuliao("run", recipe, "--workers", 2, env=prefect_env)
    assert done.returncode == 0, done.stderr
    (listed,) = [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("passages (web): ")]
    assert f"25\t1.0000\t25\tedge\t{NOTE}" in Path(listed).read_text("utf-8")
    store = recipe.parent / "store/test/corpus"
    texts = [t for path in (store / "shards").iterdir() for t in pq.read_table(path).column("text").to_pylist()]
    assert [sum(ending in text for text in texts) for ending in (NOTE, "自公布之日起施行")] == [0, 25]
    sums = {
        line.split()[1]: line.split()[0] for line in (store / "versions/v1.0.0/SHA256SUMS").read_text().splitlines()
    }
    assert len([name for name in sums if name.startswith("../../passages/")]) == 2
    assert curate_here(other)["manifest_sha256"] == sums["manifest.json"], "workers and Prefect change nothing"

    done = yuliao("run", recipe, "--json")
    assert json.loads(done.stdout) == {"dataset": "test/corpus", "version": "1.0.0", "nothing_to_do": True}
    done = yuliao("run", recipe, "--refresh-passages", "--json")
    assert json.loads(done.stdout)["nothing_to_do"], "nothing new was there to be counted"
    done = yuliao("verify", "test/corpus", "--workspace", recipe.parent, "--rebuild", recipe, "--workers", 1)
    assert done.returncode == 0, done.stdout + done.stderr

    out = recipe.parent / "measured"
    done = yuliao("measure", recipe.parent / "raw/web", "-o", out, "--recipe", recipe)
    assert done.returncode == 0, done.stderr
    table = pa.concat_tables([pq.read_table(path) for path in (out / "signals").iterdir()])
    assert table.column("passage_count").to_pylist() == [1] * 25
    assert NOTE in (out / "passages.tsv").read_text("utf-8")
