"""The `yuliao` command: finds the verb and calls it. The work is in other modules, imported only when it is called."""

import importlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

from flows.parser import LANGUAGES
from flows.verbs import build_parser
from flows.words import say, told
from schemas.errors import CorpusError


def language(arguments: Sequence[str]) -> str:
    """Return the language of messages: `--lang`, else the locale, else English."""
    for i, argument in enumerate(arguments):
        value = argument.removeprefix("--lang=") if argument.startswith("--lang=") else None
        if argument == "--lang" and i + 1 < len(arguments):
            value = arguments[i + 1]
        if value in LANGUAGES:
            return str(value)
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "en"


# Which module a verb's command is in, where it is not flows.commands.
_MODULES = {"ingest": "flows.tools", "measure": "flows.tools", "dedup": "flows.dedup"}
_MODULES |= {"index": "flows.dedup", "overlap": "flows.overlap", "train": "flows.train", "what-if": "flows.what_if"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb.

    Returns 0 when done, 1 when it failed, was interrupted or nobody reads its results any more, 2 for wrong use, 143
    (128 and the signal's number, as shells have it) when it was told to end.
    """
    try:
        try:
            return _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if all([_is_read(sys.stdout), _is_read(sys.stderr)]):
            raise
        return 1


def _run(arguments: list[str]) -> int:
    lang = language(arguments)
    args = build_parser(lang).parse_args(arguments)
    args.lang = lang
    if args.verb == "overlap" and (bool(args.inputs), bool(args.out)) != (bool(args.eval),) * 2:
        args.misuse(say("overlap.misuse", lang))
    module = _MODULES.get(args.verb, "flows.commands")
    try:
        with _terminable():
            name = args.verb.replace("-", "_") + "_command"
            command: Callable[[Any], int] = getattr(importlib.import_module(module), name)
            return command(args)
    except CorpusError as error:
        print(say("error", lang, verb=args.verb, error=told(error, lang)), file=sys.stderr)  # noqa: T201
        return error.exit_status
    except BrokenPipeError:
        raise
    except (OSError, UnicodeDecodeError) as error:  # of a path that was given, or of the machine
        print(say("error", lang, verb=args.verb, error=_of_system(error, lang)), file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt as end:
        out = getattr(args, "out", None)
        stopped = say("stopped.tool", lang, out=out) if out else say("stopped", lang)
        print(say("error", lang, verb=args.verb, error=stopped), file=sys.stderr)  # noqa: T201
        return 128 + signal.SIGTERM if isinstance(end, _Terminated) else 1


class _Terminated(KeyboardInterrupt):
    """The process was told to end."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that what is half done is cleared away."""

    def end(_signal: int, _frame: object) -> NoReturn:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():  # only that one may
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _of_system(error: OSError | UnicodeDecodeError, lang: str) -> str:
    """What the system says, in one line."""
    if isinstance(error, UnicodeDecodeError):
        return say("system.encoding", lang, reason=error.reason, byte=error.start)
    named = {"path": error.filename, "reason": error.strerror or error}
    return say("system.path" if error.filename else "system", lang, **named)


def _is_read(stream: TextIO) -> bool:
    """Whether somebody still reads a stream; where nobody does (`| head`), what is left goes nowhere, quietly."""
    poll = select.poll()
    poll.register(stream, 0)
    if not any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
        return True
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return False


if __name__ == "__main__":
    sys.exit(main())
