"""The card of a version: header the Hub and `datasets` accept, only true statements, snippets that run."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard

from pipeline.publish.card import card
from pipeline.publish.hub_header import header, license_id, size_category
from schemas.document import PUBLISHED
from schemas.manifest import Counts, Manifest, Previous, Resource, Segment, Shard, Signatures, SourceRecord, StepRecord
from schemas.recipe import MatchForm
from schemas.source import LICENSE_TERMS

GOLDEN = Path(__file__).parent / "golden" / "card.md"
FACTS: dict[str, Any] = {
    "languages": {"zh": 9700, "lzh": 250, "en": 30, "": 20},
    "scripts": {"Hans": 9000, "Hant": 1000},
    "length": {"min": 12, "median": 480, "p90": 2100, "max": 90000},
    "features": PUBLISHED.append(pa.field("quality_score", pa.float64())),
}


def shard(name: str, source: str, rows: int, split: str = "train") -> Shard:
    return Shard(
        path=f"shards/{name}.parquet",
        rows=rows,
        bytes=rows * 700,
        sha256=name * 64,
        signatures_sha256=name * 64,
        rows_sha256=name * 64,
        source=source,
        split=split,
        characters=rows * 500,
        text_bytes=rows * 1500,
        languages={"zh": rows},
        scripts={"Hans": rows},
    )


def manifest(**changes: Any) -> Manifest:
    shards = [shard("a", "npc", 6000), shard("b", "npc", 40, "validation"), shard("c", "wiki", 3960)]
    publish = {
        "license": "CC-BY-SA-4.0",
        "title": "Chinese Statutes",
        "title_zh": "中国法规",
        "description": "Statutes & notes | cleaned.",
        "description_zh": "法规与注释。",
        "contact": "corpus@example.org",
    }
    recipe = {
        "dataset": "legal/cn-statutes",
        "language": "zh",
        "select": [
            {"column": "han_share", "min": 0.3},
            {"column": "lang", "in": ["zh", "lzh"], "name": "not_chinese"},
            {"column": "top_ngram_share", "max": 0.2, "sources": ["wiki"]},
            {"column": "mixed", "equals": False},
        ],
        "dedup": {
            "exact": True,
            "near": True,
            "threshold": 0.8,
            "permutations": 128,
            "bands": 25,
            "rows": 5,
            "seed": 1,
            "keep": ["rank", "char_count", "id"],
        },
        "publish": publish,
    }
    whole = {
        "dataset": "legal/cn-statutes",
        "version": "1.1.0",
        "previous": Previous(version="1.0.0", sha256="0" * 64),
        "fingerprint": "f" * 64,
        "run": "e" * 64,
        "recipe": recipe,
        "code": {"package": "yuliao"},
        "environment": {"python": "3.11"},
        "sources": [source_record("npc", "全国人大|常委会", 6500, 6040), source_record("wiki", None, 5500, 3960)],
        "steps": [
            StepRecord(kind="unicode", revision=1, params={"form": "NFC"}, rows_in=12000, rows_out=12000),
            StepRecord(kind="personal", revision=2, params={"types": ["mobile"]}, rows_in=12000, rows_out=12000),
            StepRecord(kind="select", revision=1, params={}, rows_in=12000, rows_out=10000),
        ],
        "resources": [Resource(name="mobile_prefixes.txt", hash="d" * 64, license="CC0-1.0")],
        "counts": Counts(
            documents=10000,
            characters=5_000_000,
            bytes=15_000_000,
            shards=3,
            read=12000,
            added=90,
            removed=0,
            changed=0,
        ),
        "segments": [Segment(run="e" * 64, shards=shards)],
        "columns": [{"name": "id", "type": "string", "nullable": False}],
        "configs": [
            {
                "config_name": "default",
                "default": True,
                "data_files": [
                    {"split": "train", "path": ["../../shards/a.parquet", "../../shards/c.parquet"]},
                    {"split": "validation", "path": ["../../shards/b.parquet"]},
                ],
            },
            {
                "config_name": "wiki",
                "default": False,
                "data_files": [{"split": "train", "path": ["../../shards/c.parquet"]}],
            },
        ],
        "signatures": Signatures(
            scheme="affine32", seed=1, permutations=128, shingle=5, match_form_revision=1, unicode="15.1.0"
        ),
        "removed": [{"reason": "duplicate.near", "count": 800}, {"reason": "han_share.low", "count": 1200}],
        "governance": {"license": "CC-BY-SA-4.0", "generated_sources": []},
    }
    return Manifest(**{**whole, **changes})


def source_record(id: str, owner: str | None, read: int, published: int) -> SourceRecord:
    return SourceRecord(
        id=id,
        license="public-domain" if owner else "CC-BY-SA-4.0",
        owner=owner,
        rank=1,
        snapshot="5" * 64,
        files=3,
        bytes=1000,
        read=read,
        published=published,
        removed={"han_share.low": read - published},
        outcomes={"ok": 3},
    )


def published_under(license: str) -> Manifest:
    recipe = manifest().recipe
    return manifest(recipe={**recipe, "publish": {**recipe["publish"], "license": license}})


def head_of(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text.split("---\n")[1]))


def test_card_is_the_golden_one() -> None:
    assert card(manifest(), facts=FACTS) == GOLDEN.read_text("utf-8")


def test_header_is_what_yaml_and_the_hub_client_read() -> None:
    text = card(manifest(), facts=FACTS)
    data = DatasetCard(text).data.to_dict()
    assert data == head_of(text)
    assert data["license"] == "cc-by-sa-4.0"
    assert data["language"] == ["zh", "lzh"]
    assert data["size_categories"] == ["10K<n<100K"]
    assert [config["config_name"] for config in data["configs"]] == ["default", "wiki"]
    assert data["configs"][0]["default"] is True
    assert "default" not in data["configs"][1]


def test_sizes_of_splits_are_those_of_their_shards() -> None:
    default, wiki = header(manifest(), FACTS)["dataset_info"]
    assert default["splits"] == [
        {"name": "train", "num_bytes": 9960 * 1500, "num_examples": 9960},
        {"name": "validation", "num_bytes": 40 * 1500, "num_examples": 40},
    ]
    assert default["download_size"] == 10000 * 700
    assert wiki["dataset_size"] == 3960 * 1500


@pytest.mark.parametrize(
    ("license", "expected"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC0-1.0", {"license": "cc0-1.0"}),
        ("ODbL-1.0", {"license": "odbl"}),
        ("GPL-3.0-or-later", {"license": "gpl-3.0"}),
        ("GFDL-1.3-only", {"license": "gfdl"}),
        (
            "MulanPSL-2.0",
            {
                "license": "other",
                "license_name": "mulanpsl-2.0",
                "license_link": "https://spdx.org/licenses/MulanPSL-2.0.html",
            },
        ),
        (
            "public-domain",
            {"license": "other", "license_name": "public-domain", "license_details": LICENSE_TERMS["public-domain"]},
        ),
        (
            "CC-BY-4.0 AND MIT",
            {"license": "other", "license_name": "cc-by-4.0-and-mit", "license_details": "CC-BY-4.0 AND MIT"},
        ),
        (
            "LicenseRef-Ours",
            {"license": "other", "license_name": "licenseref-ours", "license_details": "LicenseRef-Ours"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_licence_is_the_hubs_or_other_with_a_name(license: str, expected: dict[str, str]) -> None:
    found = header(published_under(license), FACTS)
    assert {key: value for key, value in found.items() if key.startswith("license")} == expected


def test_every_spdx_licence_of_the_list_is_known_to_the_validator() -> None:
    from packaging.licenses import canonicalize_license_expression

    path = Path(sys.modules["pipeline.publish.card"].__file__ or "").parent / "data" / "hub_licenses.tsv"
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    names = [name for row in rows for name in row[1].split()]
    assert all(canonicalize_license_expression(name) == name for name in names)
    assert len(names) == len({name.lower() for name in names}) > 60
    assert {license_id(name) for name in names} <= {row[0] for row in rows}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**9, "1B<n<10B"), (10**12, "n>1T")],
)
def test_size_category_is_the_hubs_class(documents: int, expected: str) -> None:
    assert size_category(documents) == expected


def test_features_round_trip_through_datasets() -> None:
    from datasets import Features

    schema = pa.schema([*FACTS["features"], pa.field("spans", pa.list_(pa.int32())), pa.field("flag", pa.bool_())])
    info = header(manifest(), {**FACTS, "features": schema})["dataset_info"][0]
    assert (
        Features._from_yaml_list(info["features"])
        .arrow_schema.remove_metadata()
        .equals(pa.schema([field.with_nullable(True) for field in schema]))
    )


def test_what_is_not_known_is_said_to_be_not_stated() -> None:
    recipe = {"dataset": "a/b", "publish": {"license": "MIT"}}
    text = card(manifest(recipe=recipe, steps=[], previous=None, resources=[], removed=[]), facts={})
    for line in (
        "Description: not stated · 未说明.",
        "Contact: not stated · 未说明.",
        "Language · 语言: not stated · 未说明.",
        "Length · 篇幅: not stated · 未说明.",
        "Whether the texts hold any is not stated.",
        "It is the first version.",
        "The run that made this version removed no document.",
    ):
        assert line in text
    assert "features" not in head_of(text)["dataset_info"][0]


def test_personal_data_is_called_masked_only_where_a_step_masks() -> None:
    assert "no anonymisation" in card(manifest(), facts=FACTS)
    assert "No step of this version masks personal data" in card(manifest(steps=[]), facts=FACTS)


def test_duplicates_that_stay_are_not_called_removed() -> None:
    recipe = manifest().recipe
    text = card(manifest(recipe={**recipe, "dedup": {**recipe["dedup"], "exact": False, "near": False}}), facts=FACTS)
    assert "Exact copies of a text are not removed." in text
    assert "Near-duplicates are not removed." in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "revision 1, Unicode"),
        (MatchForm().model_dump(), "revision 1, Unicode"),
        (MatchForm(script="keep", digits="zero").model_dump(), "revision 1 (`script: keep`, `digits: zero`), Unicode"),
    ],
)
def test_options_of_the_match_form_are_said_where_they_are_not_the_usual_ones(
    options: dict[str, str], said: str
) -> None:
    usual = manifest()
    text = card(manifest(signatures=usual.signatures.model_copy(update={"match": options})), facts=FACTS)
    assert f"match form {said}" in text
    assert said.replace("revision", "归一形式修订").replace(", Unicode", "，Unicode") in text


def test_words_of_the_recipe_cannot_break_tables_or_markup() -> None:
    hostile = "a|b\n# h <script>alert(1)</script> `x` [l](javascript:1)"
    recipe = manifest().recipe
    publish = {**recipe["publish"], "title": hostile, "description": hostile, "contact": hostile}
    text = card(manifest(recipe={**recipe, "publish": publish}), facts=FACTS)
    body = text.split("---\n", 2)[2]
    assert "<script" not in body
    assert head_of(text)["pretty_name"] == " ".join(hostile.split())
    for block in re.findall(r"(?:^\|.*\n)+", body, re.M):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_an_empty_version_has_a_card_without_configs() -> None:
    empty = manifest(segments=[], configs=[{"config_name": "default", "default": True, "data_files": []}])
    text = card(empty, facts={"languages": {}, "scripts": {}, "length": {}, "features": pa.schema([])})
    assert "configs" not in head_of(text)


def test_loading_snippets_run_in_the_folder_of_the_version(tmp_path: Path) -> None:
    folder = tmp_path / "store" / "versions" / "v1.1.0"
    folder.mkdir(parents=True)
    (folder.parents[1] / "shards").mkdir()
    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("source", pa.string())])
    for name, rows in (("a", 6), ("b", 1), ("c", 3)):
        table = pa.table(
            {"id": [f"{name}{i}" for i in range(rows)], "text": ["文"] * rows, "source": [name] * rows}, schema
        )
        pq.write_table(table, folder.parents[1] / "shards" / f"{name}.parquet")
    shards = [shard("a", "npc", 6), shard("b", "npc", 1, "validation"), shard("c", "wiki", 3)]
    made = manifest(segments=[Segment(run="e" * 64, shards=shards)])
    text = card(made, facts={**FACTS, "features": schema})
    (folder / "README.md").write_text(text, "utf-8")
    (folder / "manifest.json").write_text(made.model_dump_json(by_alias=True), "utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))
    code += "\nprint(len(data), table.num_rows, frame.height, sum(count for _, count in rows))"
    env = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[-4:] == ["9", "10", "10", "10"], done.stderr
