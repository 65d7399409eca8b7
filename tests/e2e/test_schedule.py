"""A deployment with a one-minute schedule on a real server and worker: a version, and the next when files arrive."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests_support import article

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def worker(prefect_env: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """A process worker of the pool `nightly`, as a data team starts one."""
    env = {**os.environ, **prefect_env, "PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_WORKER_PREFETCH_SECONDS": "2"}
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "nightly", "--type", "process"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=tmp_path)
        try:
            yield
        finally:
            for _ in range(2):  # Prefect's worker answers the second one
                process.terminate()
                try:
                    process.wait(10)
                    break
                except subprocess.TimeoutExpired:
                    continue
            process.kill()
            process.wait()


def wait_for(path: Path, log: Path) -> dict:
    deadline = time.monotonic() + 200
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear\n{log.read_text('utf-8', 'replace')[-4000:]}"
        time.sleep(0.5)
    return json.loads(path.read_text("utf-8"))


def test_a_schedule_publishes_and_publishes_again_when_files_arrive(
    make_corpus: Callable[..., Path],
    yuliao: Callable[..., subprocess.CompletedProcess[str]],
    prefect_env: dict[str, str],
    worker: None,
    tmp_path: Path,
) -> None:
    recipe = make_corpus({f"{n}.txt": article(n) for n in range(12)})
    more = ("--cron", "* * * * *", "--pool", "nightly", "--name", "minute", "--workers", 1)
    done = yuliao("deploy", recipe, *more, env=prefect_env)
    assert done.returncode == 0, done.stderr
    assert "deployment curate/minute registered" in done.stdout
    versions = recipe.parent / "store/test/corpus/versions"
    first = wait_for(versions / "v1.0.0/manifest.json", tmp_path / "worker.log")
    assert first["counts"]["documents"] == 12
    (recipe.parent / "raw/more.txt").write_text(article(40), encoding="utf-8")
    second = wait_for(versions / "v1.1.0/manifest.json", tmp_path / "worker.log")
    assert (second["counts"]["documents"], second["counts"]["added"]) == (13, 1)
    assert second["previous"]["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--cron", "every night"], "--cron 'every night' --timezone 'Asia/Shanghai'"),
        (["--cron", "0 2 * * *", "--timezone", "Mars/Olympus"], "--timezone 'Mars/Olympus'"),
    ],
)
def test_a_schedule_that_is_none_is_refused(
    make_corpus: Callable[..., Path],
    yuliao: Callable[..., subprocess.CompletedProcess[str]],
    prefect_env: dict[str, str],
    more: list[str],
    message: str,
) -> None:
    recipe = make_corpus({"a.txt": article(1)})
    none = {"PREFECT_HOME": str(recipe.parent), "PREFECT_API_URL": ""}  # said before a server is looked for
    done = yuliao("deploy", recipe, *more, env=prefect_env | none)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert message in done.stderr


def test_parameters_are_checked_by_the_server(prefect_env: dict[str, str]) -> None:
    code = (
        "import asyncio, json\n"
        "from prefect.client.orchestration import get_client\n"
        "from prefect.exceptions import PrefectHTTPStatusError\n"
        "from flows.deploy import register\n"
        "register('checked', {'recipe': '/tmp/r.yaml'}, pool='nightly', schedule=None)\n"
        "with get_client(sync_client=True) as client:\n"
        "    deployment = client.read_deployment_by_name('curate/checked')\n"
        "    try:\n"
        "        client.create_flow_run_from_deployment(deployment.id, parameters={'workers': 0})\n"
        "    except PrefectHTTPStatusError as error:\n"
        "        print(error.response.status_code, error.response.text)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **prefect_env}, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("409")
    assert "workers" in done.stdout


def test_without_a_server_deploy_says_how_to_start_one(
    make_corpus: Callable[..., Path], yuliao: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    recipe = make_corpus({"a.txt": article(1)})
    done = yuliao("deploy", recipe, env={"PREFECT_HOME": str(tmp_path), "PREFECT_API_URL": ""})
    assert done.returncode == 1
    assert "prefect server start" in done.stderr
