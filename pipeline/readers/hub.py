"""Datasets of Hugging Face `datasets`: a local folder, a saved dataset or a name on a hub, streamed where it can be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.readers.content import Unreadable
from pipeline.readers.fields import choose, missing
from pipeline.readers.reader import Bad, Intake, Record, excerpt, record_of, within
from schemas.source import Hub


def hub_uri(hub: Hub) -> str:
    """Return the uri of a dataset: stable across machines and revisions."""
    name = Path(hub.name).name if Path(hub.name).exists() else hub.name
    return "/".join(part for part in ("hub", name, hub.config, hub.split) if part)


def hub_records(hub: Hub, intake: Intake) -> Iterator[Record | Bad]:
    """Yield the rows of a split. Raises Unreadable, naming the dataset, for whatever `datasets` cannot read."""
    intake.format, intake.encoding, intake.evidence = "hub", "utf-8", "strings of datasets"
    number = 0
    try:
        rows = _open(hub)
        for number, row in enumerate(rows):
            columns = choose(intake.fields, row)
            if columns is None:
                yield Bad(number, missing(intake.fields, row), excerpt(row))
            else:
                yield within(record_of(number, row, columns), intake.limits)
    except Exception as error:  # noqa: BLE001 - datasets raises errors of many libraries
        raise Unreadable(
            f"the dataset '{hub.name}' cannot be read from row {number} on ({type(error).__name__}: {error}); "
            "check its name, config, split and revision"
        ) from None


def _open(hub: Hub) -> Iterator[dict[str, Any]]:
    import datasets

    if (Path(hub.name) / "state.json").exists() or (Path(hub.name) / "dataset_dict.json").exists():
        saved = datasets.load_from_disk(hub.name)
        return iter(saved[hub.split] if isinstance(saved, dict) else saved)
    return iter(datasets.load_dataset(hub.name, hub.config, split=hub.split, revision=hub.revision, streaming=True))
