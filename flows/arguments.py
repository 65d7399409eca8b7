"""Values of arguments: what a text of the command line stands for, or why it stands for none."""

import argparse
import math


def positive(text: str) -> int:
    """Return a positive whole number. Raises ArgumentTypeError saying what is meant."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive whole number")
    return int(text)


def size(text: str) -> str:
    """Return a size in bytes, as it was written. Raises ArgumentTypeError saying what is meant."""
    from schemas.recipe import parse_size

    if not isinstance(parse_size(text), int) or int(parse_size(text)) < 256 << 20:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size of at least 256MiB, such as 2GiB")
    return text


def _number(text: str) -> float:
    """The number, or not a number, which is within no bounds."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def share(text: str) -> float:
    """Return a share between 0 and 1. Raises ArgumentTypeError saying what is meant."""
    value = _number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share between 0 and 1, such as 1% or 0.01")
    return value


def threshold(text: str) -> float:
    """Return a Jaccard threshold. Raises ArgumentTypeError saying what is meant."""
    if not 0.5 <= _number(text) <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a Jaccard threshold between 0.5 and 1")
    return float(text)


def match(text: str) -> dict[str, str]:
    """Return options of the match form. Raises ArgumentTypeError saying what is meant."""
    from schemas.recipe import MatchForm

    try:
        return MatchForm.model_validate(dict(part.split("=", 1) for part in text.split(","))).model_dump()
    except ValueError:
        fields = MatchForm.model_json_schema()["properties"]
        choices = "; ".join(f"{name}={'|'.join(field['enum'])}" for name, field in fields.items())
        raise argparse.ArgumentTypeError(f"'{text}' names no options of the match form, which are: {choices}") from None
