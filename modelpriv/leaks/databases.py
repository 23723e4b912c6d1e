"""SQLite databases: every column of every table, the statements that made them, and pages that are free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelpriv.leaks.findings import Leak
from modelpriv.leaks.outline import NotReadError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from modelpriv.leaks.content import Content

_LONGEST_CELL = 2**26
_STEPS, _MOST_CALLS = 100_000, 50_000  # of SQLite's machine, before it is asked to stop


def in_sqlite(content: Content) -> Iterator[Leak]:
    """Count the cells of each column, by table and column number; views and triggers are not run."""
    import sqlite3  # noqa: PLC0415 - some Pythons are built without it

    connection = _open(content)
    connection.text_factory = _text
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_CELL)
        connection.execute("PRAGMA trusted_schema=OFF")
        calls = iter(range(_MOST_CALLS))
        connection.set_progress_handler(lambda: next(calls, None) is None, _STEPS)
        yield from _in_schema(connection, content)
    except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError):
        raise NotReadError("it is a database that is damaged or too large") from None
    finally:
        connection.close()


def _open(content: Content) -> sqlite3.Connection:
    """Open it so that nothing is written, neither to it nor next to it."""
    import sqlite3  # noqa: PLC0415

    if content.path is not None:
        return sqlite3.connect(f"file:{quote(str(content.path.absolute()))}?mode=ro&immutable=1", uri=True)
    connection = sqlite3.connect(":memory:")
    connection.deserialize(content.whole())
    return connection


def _in_schema(connection: sqlite3.Connection, content: Content) -> Iterator[Leak]:
    rows: list[tuple[Any, ...]] = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    statements = [str(sql) for _, _, sql in rows if sql]
    if statements:
        yield Leak("schema", "text", sum(map(len, statements)), repr(statements[0][:80]), count=len(statements))
    tables = [name for kind, name, sql in rows if kind == "table" and not _is_virtual(sql)]
    for index, table in enumerate(tables):
        yield from _in_table(connection, index, str(table))
    for index, (kind, _, sql) in enumerate(rows):
        if kind == "table" and _is_virtual(sql):
            yield Leak(f"schema[{index}]", "unread", 0, reason="it is a virtual table, whose module would run")
    pages, length = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
    for name in ("user_version", "application_id"):
        if number := connection.execute(f"PRAGMA {name}").fetchone()[0]:
            yield Leak(name, "numbers", 4, repr(number))
    size = connection.execute("PRAGMA page_count").fetchone()[0] * length
    if (rest := content.stream().rest()) > size:
        yield Leak("behind the database", "bytes", rest - size)
    if pages:
        yield Leak("free pages", "bytes", pages * length, count=pages)


def _is_virtual(sql: Any) -> bool:
    return str(sql or "").lstrip().upper().startswith("CREATE VIRTUAL")


def _in_table(connection: sqlite3.Connection, index: int, table: str) -> Iterator[Leak]:
    name = _quoted(table)
    columns = [row[1] for row in connection.execute(f"PRAGMA table_xinfo({name})")]
    for number, column in enumerate(columns):
        cell = _quoted(str(column))
        query = (
            f"SELECT typeof({cell}), count(*), sum(length(CAST({cell} AS BLOB))) FROM {name} "  # noqa: S608 - quoted
            f"WHERE {cell} IS NOT NULL GROUP BY 1"
        )
        for kind, count, size in connection.execute(query):
            yield Leak(f"table[{index}] column[{number}]", _KINDS.get(kind, "numbers"), size or 0, count=count)
    yield from _in_row_numbers(connection, index, name)


def _in_row_numbers(connection: sqlite3.Connection, index: int, name: str) -> Iterator[Leak]:
    """Count the rows' own numbers, unless they only count the rows."""
    import sqlite3  # noqa: PLC0415

    try:
        query = f"SELECT count(*), max(_rowid_) FROM {name}"  # noqa: S608 - quoted
        count, largest = connection.execute(query).fetchone()
    except sqlite3.OperationalError:  # rows without numbers
        return
    if count and largest > count:
        yield Leak(f"table[{index}] rowid", "numbers", 8 * count, count=count)


_KINDS = {"text": "text", "blob": "bytes"}


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
