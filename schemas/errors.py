"""Every error that yuliao raises on purpose.

    CorpusError
    ├── RecipeError      the recipe asks for something that cannot be done      exit status 2
    ├── SourceError      an input cannot be listed or read at all               exit status 1
    ├── ShardError       the work on one shard failed                           exit status 1
    ├── ContractError    a step or a run broke its promise (counts, columns)    exit status 1
    ├── StoreError       a store holds something other than it should           exit status 1
    └── BusyError        another run holds the dataset                          exit status 1

`TransientError` is mixed into an error that may go away by itself; only those are retried. A message says the
place, the value, what is allowed and what to do. It may be a template with `{names}` and the values of these, so that
whoever shows it can say the same in another language.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class CorpusError(Exception):
    """The common root; `exit_status` is what the command line ends with.

    `template`: the message, with `{names}` where there are `values`.
    """

    exit_status = 1

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template)
        self.template = template
        # Others' exceptions are kept as words, since not all of them survive the way out of a worker process.
        foreign = (name for name, v in values.items() if isinstance(v, Exception) and not isinstance(v, CorpusError))
        self.values = values | {name: str(values[name]) for name in foreign}

    def __str__(self) -> str:
        """The message in English."""
        return self.template.format(**self.values) if self.values else self.template


class RecipeError(CorpusError):
    """The recipe, or an option, asks for something that cannot be done.

    `place`: where in the recipe, as keys and numbers from 0, such as `("steps", 2)`; whoever has its text makes it a
    line.
    """

    exit_status = 2

    def __init__(self, template: str, place: tuple[str | int, ...] = (), **values: object) -> None:
        super().__init__(template, **values)
        self.place = place


class SourceError(CorpusError):
    """An input cannot be listed or opened at all (bad records inside a file are quarantined instead)."""


class ShardError(CorpusError):
    """The work on one shard failed; the message names the shard and its first file."""


class ContractError(CorpusError):
    """A step or a run broke its promise, e.g. counts that do not reconcile."""


class StoreError(CorpusError):
    """A store, version or shard is missing or differs from its manifest."""


class BusyError(CorpusError):
    """Another run holds the lock of this dataset."""


class TransientError(CorpusError):
    """Mixed into errors that may go away by themselves: only these are retried."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return a message for a name that is not one of the known ones, with the nearest as a suggestion."""
    known = sorted(set(known))
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"unknown {what} '{name}'.{hint} Known: {', '.join(known)}"
