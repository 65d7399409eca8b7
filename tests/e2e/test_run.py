"""The command `yuliao run` as users meet it: a server, kills, workers, two at a time, and who can read the result."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import article

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("prefect")]

RECIPE = """\
dataset: test/corpus
sources:
  - {id: laws, path: "raw/laws/**/*.{txt,html}", license: cn-official-text}
  - {id: tables, path: raw/tables, license: CC-BY-4.0}
publish: {license: CC-BY-4.0, shard_bytes: 40kB}
"""
Make = Callable[..., Path]
Call = Callable[..., subprocess.CompletedProcess[str]]


def files() -> dict[str, str | bytes]:
    made: dict[str, str | bytes] = {f"laws/{n:03d}.txt": article(n) for n in range(60)}
    made |= {f"laws/gbk/{n:03d}.txt": article(n).encode("gb18030") for n in range(60, 80)}
    made |= {f"laws/near/{n}.txt": article(n).replace("国家", "囯家", 1) for n in range(5)}
    made["tables/rows.jsonl"] = "".join(json.dumps({"text": article(n)}) + "\n" for n in range(100, 160))
    return made


def sums(recipe: Path) -> dict[str, str]:
    """The SHA-256 of the latest manifest and of every shard it names."""
    store = recipe.parent / "store/test/corpus"
    folder = store / "versions" / ("v" + (store / "latest").read_text("utf-8").strip())
    data = (folder / "manifest.json").read_bytes()
    shards = [shard for segment in json.loads(data)["segments"] for shard in segment["shards"]]
    for shard in shards:
        assert hashlib.sha256((store / shard["path"]).read_bytes()).hexdigest() == shard["sha256"]
    return {"manifest": hashlib.sha256(data).hexdigest()}


def ask_server(env: dict[str, str], expression: str) -> list:
    """Evaluate an expression over a Prefect `client` in a process of its own, which has the right settings."""
    code = (
        "import json; from prefect.client.orchestration import get_client\n"
        f"with get_client(sync_client=True) as client: print(json.dumps({expression}))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, prefect_env: dict[str, str]) -> tuple[Path, dict[str, str]]:
    """A recipe that was run once without disturbance, and the sums of what it published."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for name, content in files().items():
        path = folder / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    done = start(recipe, prefect_env, "--workers", "2").communicate(timeout=240)
    assert (recipe.parent / "store/test/corpus/latest").exists(), done
    return recipe, sums(recipe)


def start(recipe: Path, env: dict[str, str], *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "flows.cli", "run", str(recipe), "--json", *more]
    return subprocess.Popen(
        command,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def test_ten_kills_at_random_moments_change_nothing(
    make_corpus: Make, undisturbed: tuple[Path, dict[str, str]], prefect_env: dict[str, str]
) -> None:
    recipe = make_corpus(files(), RECIPE)
    chance = random.Random(20261122)
    kills = 0
    for _ in range(30):
        process = start(recipe, prefect_env)
        # An undisturbed run takes about 2 s to import Prefect and 3 s to work; the last moments matter most.
        try:
            process.wait(chance.uniform(1.5, 5))
        except subprocess.TimeoutExpired:
            process.kill()  # only the parent: its workers must notice by themselves
            kills += 1
        process.communicate(timeout=60)
        if kills == 10:
            break
        if process.returncode == 0:
            # Done before the kill: take back the pointer and the version, as if it had died just before them.
            store = recipe.parent / "store/test/corpus"
            (store / "latest").unlink()
            for path in sorted((store / "versions").rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
    assert kills == 10
    out, err = start(recipe, prefect_env).communicate(timeout=240)
    assert json.loads(out)["dataset"] == "test/corpus", err
    assert sums(recipe) == undisturbed[1]
    states = ask_server(prefect_env, "[[r.parameters['recipe'], r.state.type.value] for r in client.read_flow_runs()]")
    # One killed before it began looks like one that is about to, for a minute.
    assert {state for name, state in states if name == str(recipe)} <= {"COMPLETED", "CRASHED", "PENDING"}
    left = [path.name for path in recipe.parent.rglob("*.aside")]
    assert left == []


@pytest.mark.parametrize("workers", ["1", "4"])
def test_the_number_of_workers_changes_nothing(
    make_corpus: Make, undisturbed: tuple[Path, dict[str, str]], prefect_env: dict[str, str], workers: str
) -> None:
    recipe = make_corpus(files(), RECIPE)
    out, err = start(recipe, prefect_env, "--workers", workers).communicate(timeout=240)
    assert json.loads(out)["published"] == 140, err
    assert sums(recipe) == undisturbed[1]


def test_a_finished_recipe_is_recognised_before_prefect_is_imported(undisturbed: tuple[Path, dict[str, str]]) -> None:
    code = (
        "import sys; from flows.cli import main; status = main(sys.argv[1:]); "
        "assert not any(name == 'prefect' or name.startswith('prefect.') for name in sys.modules); sys.exit(status)"
    )
    command = [sys.executable, "-c", code, "run", str(undisturbed[0]), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert json.loads(done.stdout) == {"dataset": "test/corpus", "version": "1.0.0", "nothing_to_do": True}


def test_two_runs_at_the_same_time_are_told_apart(make_corpus: Make, prefect_env: dict[str, str]) -> None:
    recipe = make_corpus(files(), RECIPE)
    both = [start(recipe, prefect_env), start(recipe, prefect_env)]
    results = [process.communicate(timeout=240) for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes, results
    for code, (out, err) in zip(codes, results, strict=True):
        if code:
            assert "dataset 'test/corpus' in " in err
            assert "is being written by process" in err
            assert "Traceback" not in err
        else:
            assert json.loads(out).get("published") == 140 or json.loads(out)["nothing_to_do"]


def test_ctrl_c_says_how_to_go_on(make_corpus: Make, prefect_env: dict[str, str]) -> None:
    recipe = make_corpus(files(), RECIPE)
    process = start(recipe, prefect_env)
    deadline = time.monotonic() + 60
    while not (recipe.parent / "workspace/read").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped; what was finished stays" in err
    assert not (recipe.parent / "store/test/corpus/latest").exists()


def test_four_libraries_read_the_version_alike(undisturbed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    import datasets
    import duckdb
    import polars
    import pyarrow.dataset

    store = undisturbed[0].parent / "store/test/corpus"
    folder = store / "versions/v1.0.0"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    shards = [str(store / shard["path"]) for segment in manifest["segments"] for shard in segment["shards"]]
    loaded = datasets.load_dataset(str(folder), "default", split="train", cache_dir=str(tmp_path))
    laws = datasets.load_dataset(str(folder), "laws", split="train", cache_dir=str(tmp_path))
    glob = str(store / "shards/*.parquet")
    counted = duckdb.connect().execute(f"select count(*), count(distinct id) from read_parquet('{glob}')").fetchone()
    rows = {
        "datasets": loaded.num_rows,
        "pyarrow": pyarrow.dataset.dataset(shards).count_rows(),
        "polars": polars.read_parquet(shards).height,
        "duckdb": counted[0] if counted else None,
        "distinct": counted[1] if counted else None,
        "manifest": manifest["counts"]["documents"],
    }
    assert set(rows.values()) == {140}, rows
    assert laws.num_rows == 80
    assert loaded[0]["text"]


def test_the_server_knows_the_run_and_its_artifacts(
    undisturbed: tuple[Path, dict[str, str]], prefect_env: dict[str, str]
) -> None:
    runs = ask_server(prefect_env, "[[r.name, r.state.type.value] for r in client.read_flow_runs()]")
    artifacts = ask_server(prefect_env, "[[a.key, a.type] for a in client.read_artifacts()]")
    assert [str(undisturbed[0]), "COMPLETED"] in runs
    assert {("funnel-test-corpus", "table"), ("report-test-corpus", "markdown")} <= {tuple(a) for a in artifacts}
