"""The words of results, messages and progress, in English or Chinese.

They are data (`words.yaml`), both languages beside each other, so that no wording hides in code; what has no Chinese
there (a step's kind, a column, a path) is said as it stands.
"""

from functools import cache
from importlib.resources import files
from typing import Any

from schemas.errors import CorpusError


@cache
def _words() -> dict[str, dict[str, Any]]:
    import yaml

    table: dict[str, dict[str, Any]] = yaml.safe_load((files("flows") / "words.yaml").read_text("utf-8"))
    return table


def say(key: str, lang: str, **values: object) -> str:
    """Return a text of `words.yaml` in a language (en or zh), with values filled in."""
    return str(_words()["texts"][key][lang]).format(**values)


def count(number: int, what: str, lang: str) -> str:
    """Return `1 shard`, `2 shards`, `2 个分片`; `what` is files, shards, documents or characters."""
    words = _words()["counts"][what]
    return str(words["one"] if number == 1 and lang == "en" else words[lang]).format(n=number)


def misuse(message: str, lang: str) -> str:
    """Return what argparse says of wrong use, with the words that `words.yaml` knows in Chinese."""
    for english, chinese in _words()["usage"].items() if lang == "zh" else ():
        message = message.replace(english, chinese)
    return message


def told(error: CorpusError, lang: str) -> str:
    """Return what an error says in a language: in Chinese where `words.yaml` has its template, in English else."""
    template = _words()["errors"].get(error.template) if lang == "zh" else None
    if template is None:
        return str(error)
    return str(template).format(**{name: _told(value, lang) for name, value in error.values.items()})


def _told(value: object, lang: str) -> object:
    """A value within a message: an error, or a remedy that several errors have, is said in the language as well."""
    if isinstance(value, CorpusError):
        return told(value, lang)
    return _words()["errors"].get(value, value) if isinstance(value, str) else value


def size(amount: float) -> str:
    """Return a number of bytes in the unit that shows three digits of it, decimal: `940 kB`, `1.25 GB`."""
    for unit in ("kB", "MB"):
        amount /= 1000
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
    return f"{amount / 1000:.{2 if amount < 99_500 else 0}f} GB"


def label(name: str, lang: str) -> str:
    """Return what a field of a result, or one of its set values, is called; its own name where there is no other."""
    return str(_words()["labels"].get(name, name)) if lang == "zh" else name


def stage(name: str, lang: str) -> str:
    """Return what a stage of progress is called; `name` is what it is called in English."""
    return str(_words()["stages"].get(name, name)) if lang == "zh" else name
