"""Progress on stderr: a live bar on a terminal, one plain line a stage elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flows import words


class Bar:
    """One stage's progress; `advance` may be called from any thread."""

    def __init__(self, rich_progress: Any, task: Any) -> None:
        self._progress, self._task = rich_progress, task
        self.steps = 0

    def advance(self, steps: int = 1) -> None:
        """Note that so many steps are done."""
        self.steps += steps
        if self._progress is not None:
            self._progress.advance(self._task, steps)


class Progress:
    """Shows stages; quiet unless `shown`."""

    def __init__(self, shown: bool, lang: str = "en") -> None:
        self.shown, self.lang = shown, lang
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
        self.stop()

    def stop(self) -> None:
        """Give the terminal back."""
        if self._rich is not None:
            self._rich.stop()

    @contextmanager
    def stage(self, name: str, total: int = 1) -> Iterator[Bar]:
        """Show a stage of `total` steps; one step is counted by itself."""
        started = time.perf_counter()
        name = words.stage(name, self.lang) if self.shown else name
        task = self._rich.add_task(name, total=max(total, 1)) if self._rich is not None else None
        bar = Bar(self._rich, task)
        yield bar
        if self._rich is not None:
            self._rich.update(task, completed=max(total, 1))
        elif self.shown:
            seconds = f"{time.perf_counter() - started:.1f}"
            line = words.say("stage.done", self.lang, name=name, total=max(bar.steps, total), seconds=seconds)
            print(line, file=sys.stderr, flush=True)  # noqa: T201


_current = Progress(shown=False)


def progress() -> Progress:
    """Return what shows the progress of this process."""
    return _current


@contextmanager
def showing(shown: bool, lang: str = "en") -> Iterator[None]:
    """Show progress on stderr within the block, in English or Chinese."""
    global _current
    before, _current = _current, Progress(shown, lang)
    try:
        with _current:
            yield
    finally:
        _current = before
