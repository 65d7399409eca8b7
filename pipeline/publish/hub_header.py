"""The metadata header of a dataset card, as the Hugging Face Hub and `datasets` read it.

`datasets` checks `num_examples` when it loads, and takes `features` as they are, so both are exact. A licence that the
Hub does not list becomes `other` with a name, and a link where SPDX has a page for it.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import pyarrow as pa

from schemas.manifest import Manifest, Shard
from schemas.source import LICENSE_TERMS

# Language recognition is right more often than always: a language is listed from this share of the documents on.
LISTED_SHARE = 0.01
SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
TASKS = ("text-generation", "fill-mask")


def header(manifest: Manifest, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the header as plain values, in the order in which it is written."""
    publish = manifest.recipe.get("publish", {})
    name = publish.get("title") or publish.get("title_zh") or manifest.dataset
    head: dict[str, Any] = {"language": _languages(manifest, facts.get("languages") or {})}
    head |= _license(publish.get("license"))
    head |= {
        "pretty_name": " ".join(str(name).split()),
        "size_categories": [size_category(manifest.counts.documents)],
        "task_categories": list(TASKS),
        "tags": ["chinese", "corpus", "yuliao"]
        if manifest.recipe.get("language", "zh") == "zh"
        else ["corpus", "yuliao"],
    }
    configs = [config for config in manifest.configs if config["data_files"]]
    if configs:
        head["configs"] = [_config(config) for config in configs]
        head["dataset_info"] = [_info(config, manifest, facts.get("features")) for config in configs]
    return head


def license_id(name: str) -> str | None:
    """Return the Hub's identifier of an SPDX licence; None where the Hub lists none."""
    return _hub_licenses().get(name.lower())


def size_category(documents: int) -> str:
    """Return the Hub's class of a number of documents, e.g. `10K<n<100K`."""
    place = next((i for i, _ in enumerate(SIZES) if documents < 1000 * 10**i), len(SIZES))
    if place == 0:
        return "n<1K"
    return f"n>{SIZES[-1]}" if place == len(SIZES) else f"{SIZES[place - 1]}<n<{SIZES[place]}"


@cache
def _hub_licenses() -> dict[str, str]:
    """Read the Hub's identifiers by SPDX id in lower case."""
    found = {}
    for line in files("pipeline.publish").joinpath("data", "hub_licenses.tsv").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            hub, spdx, _ = line.split("\t")
            found.update(dict.fromkeys(spdx.lower().split(), hub))
    return found


def _license(name: str | None) -> dict[str, str]:
    if not name:
        return {"license": "unknown"}
    hub = license_id(name)
    if hub:
        return {"license": hub}
    other = {"license": "other", "license_name": re.sub(r"[^a-z0-9.+]+", "-", name.lower()).strip("-")}
    if name in LICENSE_TERMS:
        return {**other, "license_details": LICENSE_TERMS[name]}
    if name.startswith("LicenseRef-") or " " in name:
        return {**other, "license_details": name}
    return {**other, "license_link": f"https://spdx.org/licenses/{name}.html"}


def _languages(manifest: Manifest, counts: Mapping[str, int]) -> list[str]:
    """Return languages of a share worth naming, most frequent first; the recipe's where nothing was counted."""
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = [code for code, count in ranked if re.fullmatch("[a-z]{2,3}", code) and code != "und"]
    named = [code for code in named if counts[code] >= LISTED_SHARE * total]
    return named or [manifest.recipe.get("language", "zh")]


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    files = [{"split": part["split"], "path": list(part["path"])} for part in config["data_files"]]
    default = {"default": True} if config.get("default") else {}
    return {"config_name": config["config_name"], **default, "data_files": files}


def _info(config: Mapping[str, Any], manifest: Manifest, features: pa.Schema | None) -> dict[str, Any]:
    """Return what `datasets` should find in a config: columns and the size of every split."""
    shards = {shard.path: shard for segment in manifest.segments for shard in segment.shards}
    parts = [(part["split"], [_shard(shards, path) for path in part["path"]]) for part in config["data_files"]]
    info: dict[str, Any] = {"config_name": config["config_name"]}
    if features is not None and len(features):
        info["features"] = [{"name": field.name, **_feature(field.type)} for field in features]
    info["splits"] = [
        {
            "name": split,
            "num_bytes": sum(shard.text_bytes for shard in members),
            "num_examples": sum(shard.rows for shard in members),
        }
        for split, members in parts
    ]
    info["download_size"] = sum(shard.bytes for _, members in parts for shard in members)
    info["dataset_size"] = sum(split["num_bytes"] for split in info["splits"])
    return info


def _shard(shards: Mapping[str, Shard], path: str) -> Shard:
    """Find a shard by its path relative to the version's folder."""
    return shards[path.removeprefix("../../")]


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """Return an Arrow type as `datasets` writes it in a card."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner["dtype"] if set(inner) == {"dtype"} else inner}
    if pa.types.is_struct(kind):
        return {"struct": [{"name": field.name, **_feature(field.type)} for field in kind]}
    names = {pa.float64(): "float64", pa.float32(): "float32", pa.float16(): "float16"}
    return {"dtype": names.get(kind, str(kind))}
