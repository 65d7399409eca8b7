"""A table of PostgreSQL, a bucket and a folder in one recipe, with real servers on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection, NullPool, create_engine
from tests_support import article

from pipeline.publish.verify import verify
from pipeline.publish.version import open_version
from pipeline.storage import Workspace

pytestmark = pytest.mark.xdist_group("databases")  # whose servers start once

RECIPE = """\
dataset: test/three
on_gone: retract
sources:
  - {id: folder, path: raw, license: public-domain}
  - {id: bucket, path: "s3://corpus/raw/*.jsonl", license: public-domain, store: STORE}
  - id: table
    license: public-domain
    sql: {url_env: CORPUS_DB, table: texts.articles, key: nr}
    fields: {text: body, title: heading}
publish: {license: public-domain}
"""


@pytest.fixture
def articles(postgres, monkeypatch) -> Iterator[Connection]:
    monkeypatch.setenv("CORPUS_DB", postgres)
    url = postgres.replace("postgresql:", "postgresql+pg8000:")
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("CREATE SCHEMA texts")
        connection.exec_driver_sql("CREATE TABLE texts.articles (nr INTEGER PRIMARY KEY, heading TEXT, body TEXT)")
        for n in range(5):
            put(connection, n, article(30 + n))
        yield connection
        connection.exec_driver_sql("DROP SCHEMA texts CASCADE")


def put(connection: Connection, n: int, body: str) -> None:
    connection.exec_driver_sql("INSERT INTO texts.articles VALUES (%s, %s, %s)", (n, f"第{n}篇", body))


def rows(recipe: Path) -> list[dict]:
    opened = open_version(Workspace(recipe.parent).store("test/three"))
    assert opened is not None
    assert verify(opened).faults == []
    return [row for shard in opened.shards for row in pq.read_table(opened.dataset / shard.path).to_pylist()]


def test_a_table_a_bucket_and_a_folder_feed_one_version(articles, postgres, s3, bucket, make_corpus, curate_here):
    bucket.put_object(Bucket="corpus", Key="raw/a.jsonl", Body=json.dumps({"text": article(20)}).encode())
    store = {"endpoint_url": s3, "key_env": "STORE_KEY", "secret_env": "STORE_SECRET"}
    recipe = make_corpus({"c.txt": article(11)}, RECIPE.replace("STORE}", json.dumps(store) + "}"))
    summary = curate_here(recipe)
    assert {name: counts["read"] for name, counts in summary["sources"].items()} == {
        "bucket": 1,
        "folder": 1,
        "table": 5,
    }
    found = [row for row in rows(recipe) if row["source"] == "table"]
    assert sorted(row["title"] for row in found) == [f"第{n}篇" for n in range(5)]
    assert {row["uri"] for row in found} == {"sql/CORPUS_DB/texts/articles"}
    assert curate_here(recipe) == {"nothing_to_do": True}

    ids = {row["title"]: row["id"] for row in found}
    articles.exec_driver_sql("DELETE FROM texts.articles WHERE nr = 0")
    articles.exec_driver_sql("UPDATE texts.articles SET body = %s WHERE nr = 1", (article(60),))
    put(articles, 9, article(61))
    again = curate_here(recipe)
    assert again["changes"] == {"changed": 1}
    found = [row for row in rows(recipe) if row["source"] == "table"]
    assert sorted(row["title"] for row in found) == ["第1篇", "第2篇", "第3篇", "第4篇", "第9篇"]
    assert {row["title"]: row["id"] for row in found if row["title"] in ids}.items() <= ids.items()
    assert next(row["text"] for row in found if row["title"] == "第1篇").split()[0] == article(60).split()[0]

    secrets = [postgres.split("@")[0].split(":")[2].encode(), postgres.split("@")[1].encode(), b"very-secret-value"]
    for path in recipe.parent.rglob("*"):
        if path.is_file():
            assert not any(secret in path.read_bytes() for secret in secrets), path


def test_a_plan_looks_at_a_table_and_reads_none_of_it(articles, make_corpus, yuliao):
    recipe = make_corpus({"c.txt": article(11)}, RECIPE.replace("  - {id: bucket", "  # {id: bucket"))
    planned = yuliao("plan", recipe, "--json")
    assert planned.returncode == 0, planned.stderr
    assert [source["files"] for source in json.loads(planned.stdout)["sources"]] == [1, 1]
    recipe.write_text(recipe.read_text("utf-8").replace("key: nr}", "key: number}"), encoding="utf-8")
    refused = yuliao("plan", recipe)
    assert refused.returncode == 1
    assert "source 'table': unknown column 'number'" in refused.stderr
