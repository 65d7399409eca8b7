"""Datasets of Hugging Face `datasets`: a local folder, a saved dataset or a name on a hub, streamed where it can be.

A dataset of which nothing can be read stops the run: a typo in the recipe or a network that is gone must not publish
an empty version. Damage behind rows that were read costs what follows it, as in a file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.readers.content import Unreadable
from pipeline.readers.fields import choose, missing
from pipeline.readers.reader import Bad, Intake, Record, excerpt, record_of, within
from schemas.errors import SourceError, unknown_name
from schemas.source import Hub

DAMAGE = (ValueError, EOFError, pa.ArrowException)  # what `datasets` lets through of records that cannot be parsed


def hub_uri(hub: Hub) -> str:
    """Return the uri of a dataset: stable across machines and revisions."""
    name = Path(hub.name).name if Path(hub.name).exists() else hub.name
    return "/".join(part for part in ("hub", name, hub.config, hub.split) if part)


def hub_records(hub: Hub, intake: Intake) -> Iterator[Record | Bad]:
    """Yield the rows of a split as records.

    Raises SourceError when the dataset cannot be loaded or reached, Unreadable for damage behind rows that were read.
    """
    intake.format, intake.encoding, intake.evidence = "hub", "utf-8", "strings of datasets"
    for number, row in enumerate(_rows(hub)):
        columns = choose(intake.fields, row)
        if columns is None:
            yield Bad(number, missing(intake.fields, row), excerpt(row))
        else:
            yield within(record_of(number, row, columns), intake.limits)


def _rows(hub: Hub) -> Iterator[dict[str, Any]]:
    count = 0
    try:
        for row in _open(hub):
            yield row
            count += 1
    except Exception as error:  # datasets raises errors of many libraries
        why = f"({type(error).__name__}: {error})"
        if count and isinstance(error, DAMAGE) and not isinstance(error, OSError):
            raise Unreadable(
                f"the dataset '{hub.name}' is damaged from row {count} on {why}; fetch it again"
            ) from error
        what = f"config '{hub.config or 'default'}', split '{hub.split}', revision '{hub.revision or 'none'}'"
        raise SourceError(
            f"the dataset '{hub.name}' ({what}) cannot be read from row {count} on {why}; check these and that it can "
            "be reached, and run again"
        ) from error


def _open(hub: Hub) -> Iterator[dict[str, Any]]:
    import datasets

    if (Path(hub.name) / "state.json").exists() or (Path(hub.name) / "dataset_dict.json").exists():
        saved = datasets.load_from_disk(hub.name)
        if isinstance(saved, dict) and hub.split not in saved:
            raise ValueError(unknown_name("split", hub.split, saved))
        return iter(saved[hub.split] if isinstance(saved, dict) else saved)
    return iter(datasets.load_dataset(hub.name, hub.config, split=hub.split, revision=hub.revision, streaming=True))
