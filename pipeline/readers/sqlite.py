"""SQLite databases: every table with a text column, found as a CSV file's columns are.

Opened in memory or read-only, without views, triggers or virtual tables, so that a database can neither run anything
nor write. Trade-off: a database above `IN_MEMORY` bytes is copied into a temporary file first.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from tempfile import NamedTemporaryFile
from typing import Any, ClassVar

from pipeline.readers.content import IN_MEMORY, Content, Unreadable
from pipeline.readers.fields import choose, missing
from pipeline.readers.reader import Bad, Intake, Reader, Record, record_of, within

BLOCK = 1 << 20
ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})


class Sqlite(Reader):
    """A SQLite database with tables that hold text."""

    kind: ClassVar[str] = "sqlite"
    formats: ClassVar[tuple[str, ...]] = ("sqlite",)
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield a record for each row of each table with text, in the order of the tables' names and of their rows.

        Raises Unreadable for a damaged database or one without a text column.
        """
        intake.encoding, intake.evidence = "utf-8", "strings of SQLite"
        number = 0
        try:
            with _opened(content) as base:
                tables = _tables(base)
                chosen = {name: columns for name, names in tables.items() if (columns := choose(intake.fields, names))}
                if not chosen:
                    names = [f"{table}.{name}" for table, columns in tables.items() for name in columns]
                    raise Unreadable(missing(intake.fields, names))
                unread = sorted(tables.keys() - chosen.keys())
                if unread:
                    intake.notes.append(f"tables without a text column, not read: {', '.join(unread)}")
                base.set_authorizer(_authorised)
                for table, columns in chosen.items():
                    for row in base.execute(f"SELECT * FROM {_quoted(table)}"):
                        named = dict(zip(tables[table], row, strict=True))
                        yield within(record_of(number, named, columns), intake.limits)
                        number += 1
        except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError) as error:
            where = f"damaged from record {number} on" if number else "no whole SQLite database"
            raise Unreadable(f"{where} ({error}); fetch the file again") from None


@contextmanager
def _opened(content: Content) -> Iterator[sqlite3.Connection]:
    data = content.data
    if len(data) <= IN_MEMORY:
        with closing(sqlite3.connect(":memory:")) as base:
            base.deserialize(data[:])
            yield _strict(base)
        return
    with NamedTemporaryFile(suffix=".sqlite") as copy:
        for start in range(0, len(data), BLOCK):
            copy.write(data[start : start + BLOCK])
        copy.flush()
        with closing(sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)) as base:
            yield _strict(base)


def _strict(base: sqlite3.Connection) -> sqlite3.Connection:
    base.execute("PRAGMA trusted_schema = OFF")
    base.execute("PRAGMA cell_size_check = ON")
    base.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return base


def _tables(base: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the names of the columns of each plain table."""
    rows = base.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    ).fetchall()
    return {name: [row[1] for row in base.execute(f"PRAGMA table_info({_quoted(name)})")] for (name,) in rows}


def _authorised(action: int, *_: Any) -> int:
    return sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
