"""Tables of databases: SQLite for what all share, real servers for what is theirs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text
from tests_support import article

from pipeline.parts import planned
from pipeline.plan import Plan
from pipeline.readers.reading import Reading, read_sql
from pipeline.readers.sql import DRIVERS, sql_file, sql_uri
from pipeline.recipes import parse_recipe
from pipeline.stores import credentials
from pipeline.stores.credentials import Keys
from schemas.errors import RecipeError, SourceError, TransientError
from schemas.source import InputFile, Limits, Source, Sql

pytestmark = pytest.mark.xdist_group("databases")  # whose servers start once

Change = Callable[..., None]


def filled(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Change]:
    """Make a table of texts behind TEXTS_DB; give what changes it."""
    monkeypatch.setenv("TEXTS_DB", url)
    known = make_url(url)
    kind = known.get_backend_name()
    password = {"connect_args": {"password": str(known.password).encode()}} if kind == "mysql" else {}
    if kind in DRIVERS:
        known = known.set(drivername=f"{kind}+{DRIVERS[kind]}")
    engine = create_engine(known, poolclass=NullPool, **password)

    def change(*statements: str, **values: Any) -> None:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), values)

    change("CREATE TABLE texts (no INTEGER, title VARCHAR(20), content TEXT, created_at TIMESTAMP, views INTEGER)")
    for n in (3, 1, 2):
        change(
            "INSERT INTO texts VALUES (:n, :title, :content, '2024-03-01 08:00:00', 0)",
            n=n,
            title=f"题{n}",
            content=article(n),
        )

    def hang_up() -> None:
        """Let the server end all other connections."""
        with engine.begin() as connection:
            if kind == "postgresql":
                asked = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                connection.execute(text(asked + " AND datname = current_database()"))
            else:
                asked = "SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db IS NOT NULL"
                for (number,) in connection.execute(text(asked)).all():
                    connection.execute(text(f"KILL {number}"))

    change.hang_up = hang_up
    yield change
    change("DROP TABLE texts")


@pytest.fixture
def table(tmp_path, monkeypatch) -> Iterator[Change]:
    yield from filled(f"sqlite:///{tmp_path}/texts.db", monkeypatch)


@pytest.fixture(params=["postgres", "mariadb"])
def served(request, monkeypatch) -> Iterator[Change]:
    """The same on a real server."""
    yield from filled(request.getfixturevalue(request.param), monkeypatch)


def source(fields: dict[str, Any] | None = None, **sql: Any) -> Source:
    asked = {"url_env": "TEXTS_DB", "key": "no", **({} if "query" in sql else {"table": "texts"}), **sql}
    asked = {name: value for name, value in asked.items() if value is not None}
    return Source.model_validate({"id": "t", "license": "MIT", "sql": asked, "fields": fields or {}})


def read(source: Source, file: InputFile | None = None) -> tuple[list[dict[str, Any]], Reading]:
    reading = read_sql(file or sql_file(source), source, Limits(), raw_ids=True)
    return [row for batch in reading for row in batch.to_pylist()], reading


def test_rows_come_in_the_order_of_the_key_which_makes_their_ids(table):
    rows, reading = read(source())
    assert [(row["id"], row["title"], row["record"]) for row in rows] == [
        ("1", "题1", 0),
        ("2", "题2", 1),
        ("3", "题3", 2),
    ]
    assert {row["uri"] for row in rows} == {"sql/TEXTS_DB/texts"}
    assert rows[0]["text"] == article(1)
    assert rows[0]["original_time"].isoformat() == "2024-03-01T08:00:00+00:00"
    assert (reading.outcome["format"], reading.outcome["outcome"]) == ("sql", "ok")
    assert len(reading.outcome["sha256"]) == 64


def test_a_query_is_read_like_a_table(table):
    query = "SELECT no AS nr, content AS body FROM texts WHERE title LIKE '题%' AND '::x' <> ':y' -- all of them\n;"
    rows, _ = read(source(query=query, key="nr", fields={"text": "body"}))
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert {row["uri"] for row in rows} == {"sql/TEXTS_DB/query"}


def test_the_state_is_that_of_the_columns_that_are_read(table):
    before = sql_file(source())
    table("UPDATE texts SET views = 7")
    assert sql_file(source()) == before
    table("UPDATE texts SET content = 'x' WHERE no = 2")
    assert sql_file(source()).sha256 != before.sha256


def test_a_revision_spares_the_pass_over_all_rows(table):
    before = sql_file(source(revision="created_at"))
    table("UPDATE texts SET content = 'x' WHERE no = 2")
    assert sql_file(source(revision="created_at")) == before
    table("UPDATE texts SET created_at = '2024-03-02 08:00:00' WHERE no = 2")
    changed = sql_file(source(revision="created_at"))
    assert changed.sha256 != before.sha256
    table("DELETE FROM texts WHERE no = 1")
    assert sql_file(source(revision="created_at")).sha256 != changed.sha256


@pytest.mark.parametrize("revision", [None, "created_at"])
def test_a_table_that_changes_before_it_is_read_stops_the_run(table, revision):
    file = sql_file(source(revision=revision))
    table("INSERT INTO texts VALUES (4, '', '新文', '2025-01-01 00:00:00', 0)")
    with pytest.raises(SourceError, match="sql/TEXTS_DB/texts was changed while the run was reading it; run again"):
        read(source(revision=revision), file)


@pytest.mark.parametrize(("no", "words"), [("2", "is 2 twice"), ("NULL", "is null")])
def test_a_key_that_is_not_unique_is_refused(table, no, words):
    table(f"INSERT INTO texts VALUES ({no}, '', '新文', '2024-03-01 08:00:00', 0)")
    with pytest.raises(SourceError, match=f"the key 'no' {words}; name a unique column"):
        sql_file(source())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"key": "nr"}, "unknown column 'nr'. Known: content, created_at, no"),
        ({"revision": "changed"}, "unknown column 'changed'"),
        ({"fields": {"text": "body"}}, "no field 'body'; found: no, title"),
        ({"fields": {"id": "nr"}}, "unknown column 'nr'"),
        ({"table": "nowhere"}, "sql/TEXTS_DB/nowhere cannot be read (OperationalError: no such table"),
        ({"query": "DELETE FROM texts"}, "cannot be read"),
        ({"url_env": "NOT_SET"}, "the environment variable NOT_SET is not set"),
    ],
)
def test_what_cannot_be_read_says_the_source_and_the_remedy(table, asked, words):
    with pytest.raises(SourceError) as caught:
        sql_file(source(**asked), listed=True)
    assert str(caught.value).startswith("source 't': ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("topsecret", "TEXTS_DB holds no URL of a database that is read; write it as postgresql://USER"),
        ("oracle://u:topsecret@h/d", "TEXTS_DB holds no URL of a database that is read"),
        ("postgresql+pg8001://u:topsecret@h/d", "run `pip install 'yuliao[postgresql]'`"),
    ],
)
def test_a_url_that_is_no_use_is_not_said(monkeypatch, url, words):
    monkeypatch.setenv("TEXTS_DB", url)
    with pytest.raises(SourceError) as caught:
        sql_file(source())
    assert words in str(caught.value)
    assert "topsecret" not in str(caught.value)


def test_a_block_may_hold_the_url(table, monkeypatch):
    import os

    monkeypatch.setitem(credentials.held, "secret/texts", Keys(token=os.environ["TEXTS_DB"]))
    monkeypatch.delenv("TEXTS_DB")
    rows, _ = read(source(url_env=None, block="secret/texts"))
    assert {row["uri"] for row in rows} == {"sql/texts/texts"}


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("{url_env: A, table: t}", "'key' is required"),
        ("{url_env: A, key: k}", "either a `table` or a `query`"),
        ("{url_env: A, table: t, query: q, key: k}", "either a `table` or a `query`"),
        ("{table: t, key: k}", "either `url_env` or `block`"),
        ("{url_env: 'postgresql://u:topsecret@h/d', table: t, key: k}", "a user name or password before the host"),
        ("{url_env: topsecret, table: t, key: k}", "write the name of an environment variable"),
        ("{url_env: A, table: t, key: k, password: topsecret}", "unknown field 'password'"),
        ("{url_env: A, table: a.b.c, key: k}", "sources.0.sql.table"),
    ],
)
def test_a_recipe_that_cannot_be_or_holds_a_secret_is_refused(sql, words):
    text = f"dataset: a/b\nsources:\n  - {{id: t, license: MIT, sql: {sql}}}\npublish: {{license: MIT}}\n"
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text)
    assert words in str(caught.value)
    assert "topsecret" not in str(caught.value)


def test_a_table_named_like_a_file_is_no_file_of_several_parts():
    file = InputFile("t", sql_uri(Sql(url_env="A", table="corpus.jsonl", key="k")), "", 1 << 40, "")
    assert file.uri == "sql/A/corpus/jsonl"
    assert planned(file) == [file]


def test_an_internal_source_publishes_nothing_of_its_query(tmp_path):
    sql = "{url_env: A, query: SELECT 1, key: k}"
    text = (
        f"dataset: a/b\nsources:\n  - {{id: t, license: MIT, internal: true, sql: {sql}}}\npublish: {{license: MIT}}\n"
    )
    plan = Plan.of(parse_recipe(text), tmp_path)
    assert plan.public_recipe()["sources"][0]["sql"] is None


def test_a_server_gives_what_sqlite_gives(served):
    rows, _ = read(source())
    assert [(row["id"], row["title"], row["text"]) for row in rows] == [
        (str(n), f"题{n}", article(n)) for n in (1, 2, 3)
    ]
    assert rows[0]["original_time"].isoformat() == "2024-03-01T08:00:00+00:00"
    query = "SELECT no, content FROM texts WHERE title LIKE '题%' AND '::x' <> ':y' -- all\n"
    assert [row["id"] for row in read(source(query=query))[0]] == ["1", "2", "3"]
    assert read(source(revision="created_at"))[1].outcome["records"] == 3


def test_many_rows_are_streamed_in_one_state(served, monkeypatch):
    monkeypatch.setattr("pipeline.readers.sql.ROWS", 7)
    served("DELETE FROM texts")
    served(*(f"INSERT INTO texts VALUES ({n}, '', '第{n}篇', '2024-03-01 08:00:00', 0)" for n in range(100)))
    file = sql_file(source())
    batches = iter(read_sql(file, source(fields={"text": "content"}), Limits()))
    monkeypatch.setattr("pipeline.readers.reading.BATCH_BYTES", 1)
    first = next(batches)
    served("DELETE FROM texts WHERE no > 50")
    rest = list(batches)
    assert first.num_rows + sum(batch.num_rows for batch in rest) == 100


def test_a_connection_that_breaks_may_be_tried_again(served, monkeypatch):
    monkeypatch.setattr("pipeline.readers.sql.ROWS", 2)
    monkeypatch.setattr("pipeline.readers.reading.BATCH_BYTES", 1)
    served(
        *(f"INSERT INTO texts VALUES ({n}, '', '{'文' * 20_000}', '2024-03-01 08:00:00', 0)" for n in range(10, 300))
    )
    batches = iter(read_sql(sql_file(source()), source(), Limits()))
    next(batches)
    served.hang_up()
    with pytest.raises(TransientError, match="sql/TEXTS_DB/texts cannot be read"):
        list(batches)


def test_a_server_lets_nothing_be_written(served):
    with pytest.raises(SourceError, match="cannot be read"):
        sql_file(source(query="WITH gone AS (DELETE FROM texts RETURNING no) SELECT no, 'x' AS content FROM gone"))
    assert len(read(source())[0]) == 3


def test_what_a_server_refuses_names_no_secret(served, monkeypatch):
    import os

    url = make_url(os.environ["TEXTS_DB"])
    password, faults = str(url.password), []
    for wrong in (url.set(password=password + "x"), url.set(database="nowhere"), url.set(port=1)):
        monkeypatch.setenv("TEXTS_DB", wrong.render_as_string(hide_password=False))
        with pytest.raises(SourceError) as caught:
            sql_file(source())
        faults.append(caught.value)
    assert all("check the URL in TEXTS_DB" in str(fault) for fault in faults)
    assert not any(word in str(fault) for fault in faults for word in (password, str(url.host), str(url.username)))
    assert [isinstance(fault, TransientError) for fault in faults] == [False, False, True]
