"""Tables and queries of databases that SQLAlchemy reaches: PostgreSQL, MySQL and MariaDB (and SQLite).

Rows are streamed through a cursor of the server in one read-only transaction, ordered by the recipe's `key`, and only
the columns that are read are asked for. A table has no bytes to hash, so its state is the SHA-256 of these columns
over all rows, from a pass of its own: every run reads the table once, and once more where it changed. `revision`, a
column that grows with every change, spares that pass: the state is then the newest value and the number of rows, and
a change that leaves both as they are is not seen. Either way what is read is held against the state, and a table that
changed in between stops the run.

Trade-off: a table is one input, read by one worker, and read whole after any change.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pipeline.readers.fields import Columns, choose, missing
from pipeline.readers.reader import Bad, Intake, Record, record_of, within
from pipeline.storage import digest
from pipeline.stores.credentials import keys_of
from pipeline.stores.faults import NetworkError
from schemas.errors import SourceError, unknown_name
from schemas.source import InputFile, Source, Sql
from schemas.store import Store, redacted

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection
    from sqlalchemy.engine import RowMapping

ROWS = 200  # asked for at once: of a long article each, about 2 MB
DRIVERS = {"postgresql": "pg8000", "mysql": "pymysql", "mariadb": "pymysql"}  # where the URL names none
# The levels under which a transaction sees one state of the data.
_LEVELS = {"postgresql": "REPEATABLE READ", "mysql": "REPEATABLE READ", "mariadb": "REPEATABLE READ"}
# Times come in UTC whatever the server's zone, and nothing is ever written.
_SETTINGS = {
    "postgresql": ("SET TIME ZONE 'UTC'",),
    "mysql": ("SET time_zone = '+00:00'", "SET SESSION TRANSACTION READ ONLY"),
    "sqlite": ("PRAGMA query_only = ON",),
}
_SETTINGS["mariadb"] = _SETTINGS["mysql"]
_PLAIN = {"no_parameters": True}  # a `%` in a query is a `%`
_FORM = "postgresql://USER:PASSWORD@HOST:5432/DATABASE or mysql://USER:PASSWORD@HOST:3306/DATABASE"


@dataclass
class _State:
    """A running hash over rows."""

    rows: int = 0
    bytes: int = 0
    hash: Any = field(default_factory=sha256)

    def add(self, row: "RowMapping") -> None:
        values = [bytes(value) if isinstance(value, memoryview) else value for value in row.values()]
        line = repr(values).encode("utf-8", "surrogatepass")
        self.rows += 1
        self.bytes += sum(len(value.encode("utf-8", "surrogatepass")) for value in values if isinstance(value, str))
        self.hash.update(line + b"\n")


def sql_uri(sql: Sql) -> str:
    """Return the uri: `sql/NAME/TABLE`, `sql/NAME/SCHEMA/TABLE` or `sql/NAME/query`, NAME being what holds the URL."""
    return f"sql/{sql.holder}/{(sql.table or 'query').replace('.', '/')}"  # no name has a suffix, as files have


def sql_file(source: Source, *, listed: bool = False) -> InputFile:
    """Return a source's table as an input, by its state now; `listed`: only look whether it can be read.

    Raises SourceError naming the variable or block, the column and the remedy; NetworkError for what may pass.
    """
    sql = _of(source)
    uri = sql_uri(sql)
    with _connected(source) as connection:
        columns = _columns(connection, source)
        if listed:
            return InputFile(source.id, uri, uri, 0, "")
        if sql.revision is not None:
            tag = _newest(connection, sql)
            return InputFile(source.id, uri, uri, 0, f"tag:{digest(sql.table, sql.query, tag)[:56]}", tag=tag)
        state = _State()
        for row in _rows(connection, source, columns):
            state.add(row)
    return InputFile(source.id, uri, uri, state.bytes, state.hash.hexdigest())


def sql_records(source: Source, file: InputFile, intake: Intake) -> Iterator[Record | Bad]:
    """Yield the rows of a source's table as records, in the order of its key.

    Raises SourceError where it cannot be read, or is no longer in the state that the snapshot saw.
    """
    intake.format, intake.encoding, intake.evidence = "sql", "utf-8", "strings of the database's driver"
    sql = _of(source)
    state = _State()
    with _connected(source) as connection:
        columns = _columns(connection, source)
        if sql.revision is not None and file.tag not in ("", _newest(connection, sql)):
            raise _changed(source)
        for row in _rows(connection, source, columns):
            yield within(record_of(state.rows, dict(row), columns), intake.limits)
            state.add(row)
    if not file.tag and file.sha256 not in ("", state.hash.hexdigest()):
        raise _changed(source)


def _of(source: Source) -> Sql:
    assert source.sql is not None, f"the source '{source.id}' names no database"
    return source.sql


def _columns(connection: "Connection", source: Source) -> Columns:
    """Return which columns hold what; the key makes the ids where the recipe names no other field for them."""
    sql = _of(source)
    names = list(
        connection.exec_driver_sql(_asked(connection, sql, "*") + " WHERE 1 = 0", execution_options=_PLAIN).keys()
    )
    fields = source.fields.model_copy(update={"id": source.fields.id or sql.key})
    for name in (sql.key, fields.id, sql.revision):
        if name is not None and name not in names:
            raise SourceError("source '{source}': {error}", source=source.id, error=unknown_name("column", name, names))
    columns = choose(fields, names)
    if columns is None:
        raise SourceError("source '{source}': {error}", source=source.id, error=missing(fields, names))
    return columns


def _newest(connection: "Connection", sql: Sql) -> str:
    """Return the newest revision and the number of rows, as a tag."""
    assert sql.revision is not None
    what = f"max({_quoted(connection, sql.revision)}), count(*)"
    newest, rows = connection.exec_driver_sql(_asked(connection, sql, what), execution_options=_PLAIN).one()
    return f"revision:{newest} rows:{rows}"


def _rows(connection: "Connection", source: Source, columns: Columns) -> "Iterator[RowMapping]":
    """Yield what is read of every row, by key. Raises SourceError where a key is missing or not unique."""
    sql = _of(source)
    others = (columns.id, columns.title, columns.url, columns.original_time, columns.last_modified_time)
    names = dict.fromkeys((sql.key, *columns.text, *(name for name in others if name is not None)))
    asked = _asked(connection, sql, ", ".join(_quoted(connection, name) for name in names))
    statement = f"{asked} ORDER BY {_quoted(connection, sql.key)}"
    options = {**_PLAIN, "stream_results": True, "yield_per": ROWS}
    before = None
    for row in connection.exec_driver_sql(statement, execution_options=options).mappings():
        key = row[sql.key]
        if key is None or key == before:
            raise SourceError(
                "source '{source}': {uri}: the key '{key}' is {fault}; name a unique column that is never null as "
                "`sql.key`",
                source=source.id,
                uri=sql_uri(sql),
                key=sql.key,
                fault="null" if key is None else f"{key!r} twice",
            )
        before = key
        yield row


def _asked(connection: "Connection", sql: Sql, what: str) -> str:
    """Return a SELECT from the table, or from the query as a table, whose last line may be a comment."""
    if sql.table is not None:
        return f"SELECT {what} FROM {'.'.join(_quoted(connection, part) for part in sql.table.split('.'))}"
    return f"SELECT {what} FROM (\n{(sql.query or '').rstrip().rstrip(';')}\n) AS source_rows"


def _quoted(connection: "Connection", name: str) -> str:
    mark = "`" if connection.dialect.name in ("mysql", "mariadb") else '"'
    return mark + name.replace(mark, mark * 2) + mark


@contextmanager
def _left_at_once(connection: "Connection") -> "Iterator[Connection]":
    """Close a connection in the end, and where something is raised without fetching the rows that are left."""
    raw = connection.connection.dbapi_connection
    with connection:
        try:
            yield connection
        except BaseException:
            left: Any = getattr(raw, "_result", None)
            if getattr(left, "unbuffered_active", False):  # PyMySQL would fetch them when it is no longer used
                left.unbuffered_active = False
            connection.invalidate()
            raise


@contextmanager
def _connected(source: Source) -> "Iterator[Connection]":
    """Give a connection in a transaction that only reads and sees one state of the data."""
    from sqlalchemy import NullPool, create_engine

    url = _url(source)
    kind = url.get_backend_name()
    try:
        # PyMySQL would take a text for Latin-1.
        secret = {"password": url.password.encode()} if url.get_driver_name() == "pymysql" and url.password else {}
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=secret)
        with _left_at_once(engine.connect()) as connection:
            if kind in _LEVELS:
                connection.execution_options(isolation_level=_LEVELS[kind])
            if kind == "postgresql":
                connection.execution_options(postgresql_readonly=True)
            for setting in _SETTINGS[kind]:
                connection.exec_driver_sql(setting)
            yield connection
    except SourceError:
        raise
    except Exception as error:  # noqa: BLE001 - drivers raise their own, and those of sockets
        if _is_missing(error):
            raise SourceError(
                "source '{source}': the driver for {kind} is not installed; run `pip install 'yuliao[{kind}]'`",
                source=source.id,
                kind="mysql" if kind == "mariadb" else kind,
            ) from None
        raise (NetworkError if _may_pass(error) else SourceError)(
            "source '{source}': {uri} cannot be read ({error}); check the URL in {holder}, the network, the names in "
            "the recipe and the user's right to read, and run again",
            source=source.id,
            uri=sql_uri(_of(source)),
            error=_told(error, url),
            holder=_of(source).holder,
        ) from None


def _url(source: Source) -> "URL":
    """Return the URL that the environment or a block holds, with a driver. Raises SourceError, which never says it."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    sql = _of(source)
    try:
        keys = keys_of(Store(token_env=sql.url_env, block=sql.block))
    except SourceError as error:
        raise SourceError("source '{source}': {error}", source=source.id, error=error) from None
    try:
        url = make_url(keys.token if keys else "")
        backend, _, driver = url.drivername.partition("+")
        backend = "postgresql" if backend == "postgres" else backend
        if backend in _SETTINGS:
            driver = driver or DRIVERS.get(backend, "")
            return url.set(drivername=f"{backend}+{driver}" if driver else backend)
    except (ArgumentError, ValueError):
        pass
    raise SourceError(
        "source '{source}': {holder} holds no URL of a database that is read; write it as {form}",
        source=source.id,
        holder=sql.holder,
        form=_FORM,
    )


def _is_missing(error: Exception) -> bool:
    from sqlalchemy.exc import NoSuchModuleError

    return isinstance(error, (ModuleNotFoundError, NoSuchModuleError))


def _may_pass(error: Exception) -> bool:
    """Whether it is the network's or the server's passing state, not what was asked for.

    PostgreSQL: classes 08, 40, 53 and 57 of its appendix A. MySQL: 2000 to 2999, its client's; 1040, 1205, 1213.
    """
    from sqlalchemy.exc import InterfaceError

    cause = getattr(error, "orig", None) or error
    said = cause.args[0] if cause.args else None
    if isinstance(cause, OSError):
        return True
    if isinstance(said, dict):
        return str(said.get("C", ""))[:2] in ("08", "40", "53", "57")
    if isinstance(said, int):
        return 2000 <= said < 3000 or said in (1040, 1205, 1213)
    return isinstance(error, InterfaceError)


def _told(error: Exception, url: "URL") -> str:
    """Return what the database says, without any part of the URL that is nobody's business."""
    cause = getattr(error, "orig", None) or error
    said = cause.args[0] if cause.args and isinstance(cause.args[0], dict) else {}
    words = " ".join(redacted(str(said.get("M") or cause)).split())
    for part in (url.password, url.username, url.host, *url.query.values()):
        if part:
            words = re.sub(rf"(?<!\w){re.escape(str(part))}(?!\w)", "***", words)
    return f"{type(cause).__name__}: {words}"


def _changed(source: Source) -> SourceError:
    return SourceError(
        "source '{source}': {uri} was changed while the run was reading it; run again when it is still, or read a copy",
        source=source.id,
        uri=sql_uri(_of(source)),
    )
