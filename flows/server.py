"""The Prefect API that a run talks to: the server of the settings, or one in this very process.

Prefect's own temporary server is a process of its own: it takes two to four times longer to start, gets the Ctrl-C of
the terminal, and outlives a killed parent. One in a thread starts in about 2 s and ends with the process; it writes
the same database, so a server that is started later shows these runs, too.
"""

import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import CorpusError

LOCAL = "http://127.0.0.1:4200/api"
PATIENCE = 180  # seconds; the first start makes the database


def prepare() -> None:
    """Set Prefect up before it is imported: no telemetry, quiet logs, a local server's address if one runs."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    if not os.environ.get("PREFECT_API_URL"):
        os.environ.pop("PREFECT_API_URL", None)
        if _answers(LOCAL):
            os.environ["PREFECT_API_URL"] = LOCAL


def configured() -> str | None:
    """Return the address of the server that the environment or Prefect's profile names, None where there is none."""
    from prefect.settings import PREFECT_API_URL

    return str(PREFECT_API_URL.value()) if PREFECT_API_URL.value() else None


@contextmanager
def api() -> Iterator[None]:
    """Have a Prefect API within the block. Call `prepare` first. Raises CorpusError when none can be started."""
    if configured():
        yield
        return
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}/api"
    with temporary_settings({PREFECT_API_URL: url}):
        config = uvicorn.Config(create_app(ephemeral=True), host="127.0.0.1", port=port, log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True, name="prefect server")
        thread.start()
        deadline = time.monotonic() + PATIENCE
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise CorpusError("Prefect's server did not start; `prefect server start` says why, in the foreground")
            time.sleep(0.02)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(10)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=0.5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False
