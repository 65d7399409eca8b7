"""The index of published versions: a segment beside every shard, made when somebody first searches it.

`store/<dataset>/index/<shard's hash>-<parameters>/` follows from the shard alone, so it is no part of the version:
it may be removed at any time and is made again, and a kill leaves a segment whole or absent.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pipeline.dedup.index import SEGMENT_REVISION, Index, Segment, check_parameters_match, write_segment
from pipeline.dedup.signature import parameters
from pipeline.publish.version import Version
from pipeline.storage import batches, digest
from schemas.recipe import Dedup

INDEX = "index"


def index_version(
    version: Version, name: str, dedup: Dedup, run: Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]] = map
) -> Index:
    """Open the index of a version, making the segments that are not there yet.

    Args:
        version: the version whose documents stay.
        name: how outputs and messages call it.
        dedup: the parameters to search with; they must be those that the version was built with.
        run: how segments are made; like `map`.

    Raises:
        StoreError: the version was built with other parameters, or its index cannot be written.
    """
    check_parameters_match(parameters_in(version), dedup, name)
    folder = version.dataset / INDEX
    tag = digest("index", SEGMENT_REVISION, parameters(dedup), dedup.threshold)[:8]
    shards = [(version.dataset / shard.path, folder / f"{Path(shard.path).stem}-{tag}") for shard in version.shards]

    def segment(job: tuple[Path, Path]) -> Segment:
        shard, place = job
        if not place.exists():
            write_segment(place, dedup, batches(shard, ["id", "text", "uri", "record"]))
        return Segment.open(place, dedup, "remove its folder, it is made again")

    return Index(name, tuple(run(segment, shards)))


def parameters_in(version: Version) -> dict[str, Any]:
    """Return the parameters that a version's duplicates were found with."""
    return parameters(Dedup.model_validate(version.manifest.recipe["dedup"]))
