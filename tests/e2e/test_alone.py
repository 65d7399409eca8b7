"""`yuliao run` on a machine where no Prefect server runs: it brings its own API, and takes it along when it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from tests_support import article

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("alone")]

HURT = '''
import os, signal, time
from typing import ClassVar

from pipeline.readers.reader import Reader, Record


class Hurt(Reader):
    """Reads a text, and does to its process what the first word says."""

    kind: ClassVar[str] = "hurt"
    hostile: ClassVar[bool] = True

    def records(self, content, intake):
        text = bytes(content.data).decode("utf-8")
        if text.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if text.startswith("sleep"):
            time.sleep(1000)
        yield Record(0, text)
'''
HURTING = """\
dataset: test/corpus
sources:
  - {id: plain, path: raw/plain, license: public-domain}
  - {id: hurt, path: raw/hurt, license: public-domain, reader: hurt}
steps: []
select: []
publish: {license: public-domain}
"""


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


@pytest.fixture
def hurting(tmp_path: Path, alone: dict[str, str]) -> dict[str, str]:
    """An environment in which a package is installed whose reader crashes and sleeps."""
    metadata = tmp_path / "site/hurt-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hurt\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[yuliao.steps]\nhurt = hurt\n", encoding="utf-8")
    (tmp_path / "site/hurt.py").write_text(HURT, encoding="utf-8")
    return {**alone, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), *sys.path])}


def test_a_reader_that_crashes_costs_its_file_and_not_the_run(
    make_corpus: Callable[..., Path], hurting: dict[str, str]
) -> None:
    files = {f"plain/{n}.txt": article(n) for n in range(4)} | {f"hurt/{n}.txt": article(n) for n in range(4, 8)}
    files |= {"hurt/5a.txt": "crash", "hurt/9.txt": "crash", "plain/cut.pdf": "%PDF-1.7\n1 0 obj"}
    recipe = make_corpus(files, HURTING)
    process = start(recipe, hurting)
    out, err = process.communicate(timeout=200)
    assert json.loads(out)["published"] == 8, err
    _wait_until_alone(process.pid)
    (accounts,) = [path for path in recipe.parent.glob("workspace/**/files.parquet") if "read" not in path.parts]
    found = {row["uri"]: row for row in pq.read_table(accounts).to_pylist()}
    failed = {uri for uri, row in found.items() if row["outcome"] == "failed"}
    assert failed == {"5a.txt", "9.txt", "cut.pdf"}
    assert "the reader 'hurt' crashed on it (SIGSEGV)" in found["9.txt"]["reason"]


def test_a_kill_ends_a_reader_that_hangs(make_corpus: Callable[..., Path], hurting: dict[str, str]) -> None:
    recipe = make_corpus({"plain/0.txt": article(0), "hurt/1.txt": "sleep"}, HURTING)
    process = start(recipe, hurting)
    deadline = time.monotonic() + 120
    while not any("pipeline.readers.worker" in line for line in _commands(process.pid)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=60)
    _wait_until_alone(process.pid)


def _commands(session: int) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _session_of(process) == session:
                found.append(" ".join(process.cmdline()))
    return found
