"""Progress on stderr: a live bar on a terminal, one plain line a stage elsewhere; and the end of it by Ctrl-C.

Ctrl-C raises KeyboardInterrupt, as always; but code far below may swallow it, so it is also remembered, and no further
stage begins.
"""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Bar:
    """One stage's progress; `advance` may be called from any thread."""

    def __init__(self, rich_progress: Any, task: Any) -> None:
        self._progress, self._task = rich_progress, task

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C was pressed: begin nothing new."""
        return _interrupted.is_set()

    def advance(self, steps: int = 1) -> None:
        """Note that so many steps are done."""
        if self._progress is not None:
            self._progress.advance(self._task, steps)


class Progress:
    """Shows stages; quiet unless `shown`."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self._rich: Any = None
        if shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Rich

            self._rich = Rich(
                SpinnerColumn(),
                TextColumn("{task.description:<22}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )

    def __enter__(self) -> "Progress":
        if self._rich is not None:
            self._rich.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._rich is not None:
            self._rich.stop()

    @contextmanager
    def stage(self, name: str, total: int = 1) -> Iterator[Bar]:
        """Show a stage of `total` steps; one step is counted by itself. Raises KeyboardInterrupt after a Ctrl-C."""
        if _interrupted.is_set():
            raise KeyboardInterrupt
        started = time.perf_counter()
        task = self._rich.add_task(name, total=max(total, 1)) if self._rich is not None else None
        yield Bar(self._rich, task)
        if _interrupted.is_set():
            raise KeyboardInterrupt
        if self._rich is not None:
            self._rich.update(task, completed=max(total, 1))
        elif self.shown:
            print(f"{name}: {total} done in {time.perf_counter() - started:.1f} s", file=sys.stderr, flush=True)  # noqa: T201


_current = Progress(shown=False)
_interrupted = threading.Event()


def _interrupt(_signal: int, _frame: object) -> None:
    _interrupted.set()
    raise KeyboardInterrupt


def progress() -> Progress:
    """Return what shows the progress of this process."""
    return _current


@contextmanager
def showing(shown: bool) -> Iterator[None]:
    """Show progress on stderr within the block, which a Ctrl-C ends at the end of a stage at the latest."""
    global _current
    before, _current = _current, Progress(shown)
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, _interrupt) if main else None
    try:
        with _current:
            yield
    finally:
        _current = before
        if main:
            signal.signal(signal.SIGINT, handler)
        _interrupted.clear()
