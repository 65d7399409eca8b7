"""What a run's decisions come to: the number of the next version, and its manifest with every count checked."""

from collections.abc import Sequence

from pipeline.curation import Curation
from pipeline.decide import Decided
from pipeline.publish.version import RunFacts, change_of, make_manifest, next_version
from schemas import manifest as manifests
from schemas.errors import ContractError


def version_of(curation: Curation, decided: Decided) -> tuple[str, RunFacts]:
    """The version to publish and what the run contributes to its manifest."""
    facts = RunFacts(
        curation.run,
        curation.snapshot,
        decided.read,
        decided.removed,
        curation.outcomes,
        decided.kept.total(),
        decided.added,
        decided.removed_earlier,
        decided.changed,
    )
    if curation.previous is None:
        return "1.0.0", facts
    change = change_of(curation.previous.manifest, curation.plan, curation.schema)
    if decided.removed_earlier or decided.changed or decided.moved:
        change = "major"
    elif decided.added and change != "major":
        change = "minor"
    return next_version(curation.previous.manifest.version, change), facts


def changes_nothing(curation: Curation, decided: Decided) -> bool:
    """Whether the version would hold the very documents of the previous one, built by the same recipe."""
    if curation.previous is None or curation.previous.manifest.fingerprint != curation.plan.fingerprint:
        return False
    same = not (decided.added or decided.removed_earlier or decided.changed or decided.moved)
    return same and curation.previous.manifest.recipe == curation.plan.public_recipe()


def manifest_of(
    curation: Curation,
    decided: Decided,
    written: Sequence[manifests.Shard],
) -> manifests.Manifest:
    """The manifest of the version; checks that the shards hold what the decisions say.

    `written` in the order of `shard_jobs`. Raises ContractError when counts differ.
    """
    version, facts = version_of(curation, decided)
    published = sum(shard.rows for shard in written)
    expected = decided.kept.total() - decided.unchanged.total()
    if published != expected:
        raise ContractError(f"{expected} documents were to be published but shards hold {published}; nothing was")
    segments = _segments(curation, decided, written)
    manifest = make_manifest(curation.plan, version, curation.previous, segments, facts, curation.schema)
    before = curation.previous.manifest.counts.documents if curation.previous else 0
    if before + facts.added - facts.removed_earlier != manifest.counts.documents:
        raise ContractError(
            f"{before} documents before, {facts.added} added, {facts.removed_earlier} removed, but shards hold "
            f"{manifest.counts.documents}; nothing was published"
        )
    return manifest


def _segments(curation: Curation, decided: Decided, written: Sequence[manifests.Shard]) -> list[manifests.Segment]:
    """Earlier segments when appending, then one segment for each batch this run published."""
    segments = list(curation.previous.manifest.segments) if curation.append and curation.previous is not None else []
    keys = sorted(decided.chunks)
    for batch in sorted({key[0] for key in keys}):
        shards_of = [shard for key, shard in zip(keys, written, strict=True) if key[0] == batch]
        segments.append(manifests.Segment(run=curation.run, shards=shards_of))
    return segments
