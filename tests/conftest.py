"""What all tests share: small corpora, the command as a user calls it, and the evaluation sets where they are."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).parent.parent.parent / "shared"


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder with raw files and a recipe; returns the recipe's path."""

    def make(files: dict[str, bytes | str], recipe: str = "", name: str = "corpus") -> Path:
        folder = tmp_path / name
        for path, content in files.items():
            target = folder / "raw" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        text = recipe or (
            "dataset: test/corpus\n"
            "sources:\n  - {id: raw, path: raw, license: public-domain}\n"
            "publish: {license: public-domain}\n"
        )
        (folder / "recipe.yaml").write_text(text, encoding="utf-8")
        return folder / "recipe.yaml"

    return make


@pytest.fixture
def yuliao() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the command in a process of its own, as a user would."""

    def call(*arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None, timeout: float = 240):
        command = [sys.executable, "-m", "flows.cli", *map(str, arguments)]
        environment = {**os.environ, "LANG": "C.UTF-8", **(env or {})}
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment,
            cwd=cwd,
            timeout=timeout,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def shared() -> Path:
    """The evaluation sets beside the project; tests that need them skip visibly where they are not."""
    if not SHARED.is_dir():
        pytest.skip("the evaluation sets are not beside the project")
    return SHARED


@pytest.fixture
def curate_here() -> Callable[..., dict]:
    """Run a recipe's stages in this process, in order, without Prefect or workers; returns the run's summary."""

    def run(recipe: Path, root: Path | None = None, **options: object) -> dict:
        from pipeline.curation import Curation
        from pipeline.publish.version import complete
        from pipeline.recipes import load_recipe
        from pipeline.stages import Plainly, carry_out
        from pipeline.storage import Workspace

        complete(Workspace(root or recipe.parent).store(load_recipe(recipe).dataset))
        curation = Curation.open(recipe, root, **options)
        if curation.finished:
            return {"nothing_to_do": True}
        facts = {"seconds": 0.0, "workers": 1, "peak_memory_bytes": 0, "prefect_flow_run": None}
        return carry_out(curation, Plainly(), lambda _: facts)

    return run


PASSWORD = "Geheim-密-0815"


def _unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _found(package: str, *patterns: str) -> Path:
    """An executable of a Debian package. Without it tests skip with a reason, but not where everything must pass."""
    paths = sorted(path for pattern in patterns for path in Path("/usr").glob(pattern))
    if not paths:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs Debian's package {package}")
    return paths[-1]


@pytest.fixture(scope="session")
def _server_home() -> Iterator[tuple[Path, dict[str, object]]]:
    """A folder of servers' data, and with whose rights they run: they refuse those of root."""
    folder = Path(tempfile.mkdtemp(prefix="yuliao-servers-"))
    account: dict[str, object] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    yield folder, account
    shutil.rmtree(folder)


def _serve(
    command: list[object], home: Path, account: dict[str, object], ready: Callable[[], object]
) -> Iterator[None]:
    """Run a server until it is no longer needed."""
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, cwd=home, **account)
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    ready()
                    break
                except Exception:
                    if server.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="session")
def postgres(_server_home: tuple[Path, dict[str, object]]) -> Iterator[str]:
    """The URL of a PostgreSQL server on loopback, with its password."""
    import pg8000.dbapi

    home, account = _server_home
    initdb = _found("postgresql", "lib/postgresql/*/bin/initdb")
    (home / "password").write_text(PASSWORD, encoding="utf-8")
    data, port = home / "postgres", _unused_port()
    made = [initdb, "-D", data, "-U", "reader", "--auth=scram-sha-256", "--pwfile", home / "password", "-E", "UTF8"]
    subprocess.run(
        [*map(str, made), "--locale=C.UTF-8", "--no-sync"], check=True, capture_output=True, cwd=home, **account
    )
    command = [initdb.with_name("postgres"), "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1"]
    command += ["-c", f"unix_socket_directories={data}", "-c", "fsync=off"]
    options = {"user": "reader", "password": PASSWORD, "host": "127.0.0.1", "port": port, "database": "postgres"}
    for _ in _serve(command, data, account, lambda: pg8000.dbapi.connect(**options).close()):
        yield f"postgresql://reader:{PASSWORD}@127.0.0.1:{port}/postgres"


@pytest.fixture(scope="session")
def mariadb(_server_home: tuple[Path, dict[str, object]]) -> Iterator[str]:
    """The URL of a MariaDB server, which speaks MySQL's protocol, on loopback."""
    import pymysql

    home, account = _server_home
    server, data, port = _found("mariadb-server-core", "sbin/mariadbd"), home / "mariadb", _unused_port()
    subprocess.run(["mkdir", str(data)], check=True, **account)
    tables = "CREATE DATABASE mysql;\nUSE mysql;\n" + "".join(
        Path(f"/usr/share/mysql/mysql_{part}.sql").read_text("utf-8")
        for part in ("system_tables", "performance_tables", "system_tables_data")
    )
    made = [server, "--no-defaults", f"--datadir={data}", "--bootstrap", "--log-warnings=0"]
    subprocess.run(list(map(str, made)), input=tables.encode(), check=True, capture_output=True, cwd=home, **account)
    rights = f"CREATE DATABASE texts;\nCREATE USER reader@'%' IDENTIFIED BY '{PASSWORD}';\n"
    (home / "rights.sql").write_text(rights + "GRANT ALL ON texts.* TO reader@'%';", encoding="utf-8")
    command = [server, "--no-defaults", f"--datadir={data}", f"--port={port}"]
    command += ["--bind-address=127.0.0.1", f"--socket={data}/socket", f"--init-file={home}/rights.sql"]
    command += ["--character-set-server=utf8mb4", "--skip-log-bin"]
    options = {"user": "reader", "password": PASSWORD.encode(), "host": "127.0.0.1", "port": port, "database": "texts"}
    for _ in _serve(command, data, account, lambda: pymysql.connect(**options).close()):
        yield f"mysql://reader:{PASSWORD}@127.0.0.1:{port}/texts"
