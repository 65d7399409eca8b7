"""The last stage of a run: its report, the version's card and pages, and the version itself."""

import getpass
import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.curation import Curation
from pipeline.decide import Decided
from pipeline.publish.card import card
from pipeline.publish.version import Version, checksums, commit
from pipeline.storage import json_bytes, open_parquet, read_columns, write_bytes
from schemas.decision import FILES, LEDGER
from schemas.manifest import Manifest, Publication, Shard


def publish(curation: Curation, decided: Decided, manifest: Manifest | None, facts: dict[str, Any]) -> dict[str, Any]:
    """Write the run's report, make the version visible and return the run's summary.

    Without a manifest the run is a sample, or changed no document: then there is no version to make.

    `facts`: seconds, workers, peak_memory_bytes, prefect_flow_run.
    """
    private, public = _reports(curation, manifest)
    report = curation.folder / "report.html"
    write_bytes(report, private.encode("utf-8"))
    summary: dict[str, Any] = {
        "dataset": curation.plan.recipe.dataset,
        "version": manifest.version if manifest else None,
        "run": curation.run[:16],
        "read": decided.read.total(),
        "published": decided.kept.total(),
        "sources": _source_counts(decided),
        "files": dict(sorted(sum(curation.outcomes.values(), Counter[str]()).items())),
        "changes": summary_of(curation),
        "report": str(report),
        "ledger": str(curation.folder / "ledger"),
        **({"passages": _passages(curation)} if curation.plan.recipe.passages else {}),
        **facts,
    }
    if manifest is None:
        curation.finish(None, decided, facts)
        if not curation.sampled and curation.previous is not None:
            summary |= {"version": curation.previous.manifest.version, "unchanged": True}
        return summary
    version = _commit(curation, decided, manifest, public, facts)
    folder = version.folder
    return {
        **summary,
        "documents": manifest.counts.documents,
        "manifest": str(folder / "manifest.json"),
        "manifest_sha256": version.sha256,
        "folder": str(folder),
    }


def summary_of(curation: Curation) -> dict[str, int]:
    """Return how many input files are new, changed or gone since the previous version."""
    return dict(sorted(Counter(curation.changes.column("change").to_pylist()).items()))


def _source_counts(decided: Decided) -> dict[str, dict[str, Any]]:
    return {
        source: {
            "read": decided.read[source],
            "published": decided.kept[source],
            "removed": dict(sorted(decided.removed.get(source, {}).items())),
        }
        for source in sorted(decided.read)
    }


def _passages(curation: Curation) -> dict[str, str]:
    """For each source the list of its recurring lines for people, where this workspace counted them."""
    lists = {table.source: table.path.with_name("lines.tsv") for table in curation.plan.tables}
    return {source: str(path) for source, path in lists.items() if path.exists()}


def funnel(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a table: for each source what was read, each reason with its count, and what was published."""
    rows: list[dict[str, Any]] = []
    for source, counts in summary["sources"].items():
        rows.append({"source": source, "what": "read", "documents": counts["read"]})
        rows += [{"source": source, "what": f"removed: {r}", "documents": n} for r, n in counts["removed"].items()]
        rows.append({"source": source, "what": "published", "documents": counts["published"]})
    return rows


def _commit(curation: Curation, decided: Decided, manifest: Manifest, public: str, facts: dict[str, Any]) -> Version:
    dataset = curation.workspace.store(curation.plan.recipe.dataset)
    for table in curation.plan.tables:
        lasting = dataset / str(table.resource.path)
        if not lasting.exists():
            write_bytes(lasting, table.path.read_bytes())
    readme = card(manifest, facts=card_facts(manifest, dataset)).encode("utf-8")
    files = {"README.md": readme, "report.html": public.encode("utf-8")}
    data = json_bytes(manifest.model_dump(mode="json", by_alias=True))
    files["SHA256SUMS"] = checksums(manifest, {**files, "manifest.json": data})
    publication = Publication(
        dataset=manifest.dataset,
        version=manifest.version,
        manifest_sha256=hashlib.sha256(data).hexdigest(),
        published_at=datetime.now(UTC).isoformat(timespec="seconds"),
        published_by=getpass.getuser(),
        package=f"yuliao {package_version('yuliao')}",
        **facts,
    )
    files["publication.json"] = json_bytes(publication.model_dump(mode="json"))
    # The run's own record goes before the pointer: who finds the version latest finds how it came about.
    return commit(dataset, manifest, files, before=lambda: curation.finish(manifest, decided, facts))


def card_facts(manifest: Manifest, dataset: Path) -> dict[str, Any]:
    """Return what a card says that its manifest holds in parts: languages, scripts, lengths in characters, columns."""
    shards = [shard for segment in manifest.segments for shard in segment.shards]
    lengths = [read_columns(dataset / shard.path, ["char_count"]).column(0).to_numpy() for shard in shards]
    counts = np.sort(np.concatenate(lengths)) if lengths else np.zeros(0, np.int64)
    return {
        "languages": _sum(shards, "languages"),
        "scripts": _sum(shards, "scripts"),
        "length": {
            "min": int(counts[0]),
            "median": int(np.quantile(counts, 0.5, method="lower")),
            "p90": int(np.quantile(counts, 0.9, method="lower")),
            "max": int(counts[-1]),
        }
        if len(counts)
        else {},
        "features": open_parquet(dataset / shards[0].path).schema_arrow.remove_metadata() if shards else pa.schema([]),
    }


def _sum(shards: Sequence[Shard], name: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for shard in shards:
        for key, count in getattr(shard, name).items():
            total[key] = total.get(key, 0) + count
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _reports(curation: Curation, manifest: Manifest | None) -> tuple[str, str]:
    """The run's private page and the version's public one (empty for a sample)."""
    from pipeline.report.data import collect
    from pipeline.report.page import render
    from pipeline.report.shown import Shown

    parts = curation.parts
    ledger = pa.concat_tables([read_columns(part.ledger) for part in parts]) if parts else LEDGER.empty_table()
    numeric = [name for name, kind in curation.plan.signal_columns.items() if not pa.types.is_nested(kind)]
    signals = (
        pa.concat_tables([read_columns(part.folder / "signals.parquet", numeric) for part in parts]) if parts else None
    )
    files = read_columns(curation.folder / "files.parquet") if parts else FILES.empty_table()
    texts = Shown([part.folder / "documents.parquet" for part in parts]).texts
    version = manifest.version if manifest else None
    publish = curation.plan.recipe.publish
    heading = {
        "run": curation.run[:16],
        "fingerprint": curation.plan.fingerprint,
        **publish.model_dump(include={"title", "title_zh", "description", "description_zh", "license", "contact"}),
        "previous": curation.previous.manifest.version if curation.previous else None,
        "documents_total": manifest.counts.documents if manifest else None,
        **{f"files_{change}": n for change, n in summary_of(curation).items()},
    }
    heading = {name: value for name, value in heading.items() if value is not None}
    pages = []
    for is_public in (False, True):
        if is_public and manifest is None:
            pages.append("")
            continue
        data = collect(
            ledger,
            signals if signals is not None else pa.table({}),
            files,
            curation.plan.rules,
            texts,
            dataset=curation.plan.recipe.dataset,
            version=version,
            facts=heading,
            public=is_public,
        )
        pages.append(render(data))
    return pages[0], pages[1]
