"""The `yuliao` command: finds the verb and calls it. The work is in other modules, imported only when it is called."""

import importlib
import os
import select
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from flows.verbs import LANGUAGES, build_parser
from flows.words import say
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
_MODULES |= {"index": "flows.dedup", "overlap": "flows.overlap", "train": "flows.train"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb. Returns 0 when done, 1 when it failed or nobody reads its results any more, 2 for wrong use."""
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
    parser = build_parser(lang)
    args = parser.parse_args(arguments)
    args.lang = lang
    if args.verb == "overlap" and bool(args.eval) != bool(args.inputs and args.out):
        parser.error(say("overlap.misuse", lang))
    module = _MODULES.get(args.verb, "flows.commands")
    try:
        command: Callable[[Any], int] = getattr(importlib.import_module(module), args.verb + "_command")
        return command(args)
    except CorpusError as error:
        print(say("error", lang, verb=args.verb, error=error), file=sys.stderr)  # noqa: T201
        return error.exit_status
    except BrokenPipeError:
        raise
    except (OSError, UnicodeDecodeError) as error:  # of a path that was given, or of the machine
        print(say("error", lang, verb=args.verb, error=_of_system(error)), file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print(say("error", lang, verb=args.verb, error=say("stopped", lang)), file=sys.stderr)  # noqa: T201
        return 1


def _of_system(error: OSError | UnicodeDecodeError) -> str:
    """What the system says, in one line."""
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 text ({error.reason} at byte {error.start}); save the file as UTF-8"
    return f"{error.filename or ''}: {error.strerror or error}; check that the path is right and may be used".lstrip(
        ": "
    )


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
