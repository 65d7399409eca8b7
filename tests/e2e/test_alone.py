"""`yuliao run` on a machine where no Prefect server runs: it brings its own API, and takes it along when it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests_support import article

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("alone")]


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """An environment that knows no server, with a Prefect home of its own."""
    return {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_API_URL": "http://127.0.0.1:9/api"}


def start(recipe: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    # The address is taken away again: a server that happens to run on this machine is none of the test's.
    code = (
        "import os, sys; import flows.server as server; server._answers = lambda url: False; "
        "os.environ.pop('PREFECT_API_URL'); from flows.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", str(recipe), "--json"],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_publishes_and_leaves_nothing_running(make_corpus: Callable[..., Path], alone: dict[str, str]) -> None:
    recipe = make_corpus({f"{n}.txt": article(n) for n in range(8)})
    process = start(recipe, alone)
    out, err = process.communicate(timeout=200)
    assert json.loads(out)["published"] == 8, err
    _wait_until_alone(process.pid)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_whatever_ends_it_ends_everything(make_corpus: Callable[..., Path], alone: dict[str, str], how: int) -> None:
    recipe = make_corpus({f"{n:03d}.txt": article(n) * 50 for n in range(150)})
    recipe.write_text(recipe.read_text("utf-8") + "select: []\n", encoding="utf-8")
    process = start(recipe, alone)
    wait_for(recipe.parent / "workspace/read", process)
    if how == signal.SIGKILL:
        process.kill()
    elif how == signal.SIGTERM:
        process.terminate()
    else:
        os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if how != signal.SIGKILL:
        assert process.returncode == (1 if how == signal.SIGINT else 143)
        assert "Traceback" not in err
        assert "stopped; what was finished stays" in err
    _wait_until_alone(process.pid)
    out, err = start(recipe, alone).communicate(timeout=200)
    assert json.loads(out)["published"] == 150, err


def _wait_until_alone(session: int) -> None:
    deadline = time.monotonic() + 30
    while left := [p for p in psutil.process_iter() if _session_of(p) == session]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid) if process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, ProcessLookupError):
        return None
