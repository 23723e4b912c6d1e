"""Reading SQLite databases: the texts and the bytes in each column of each table."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from modelpriv.errors import InputError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["BEGINS", "database_cells"]

BEGINS = b"SQLite format 3\0"
_ROWS = 1000


def database_cells(source: Path | bytes, *, least: int) -> Iterator[tuple[str, str, Iterator[list[bytes]]]]:
    """Give the cells of a database that are long enough, column by column, some rows at a time.

    The bytes of the file itself are no help: SQLite writes one cell of a row directly behind the other.

    Parameters
    ----------
    source : Path or bytes
        The file, or what is in it. Nothing is written to it or next to it, and no view or trigger is run.
    least : int
        Shorter cells are left out.

    Yields
    ------
    name, kind, cells : str, {"text", "blob"}, iterator of lists of bytes
        The column, and its cells of that kind.

    Raises
    ------
    InputError
        The database is damaged, or has changes that wait in a file of their own.
    """
    import sqlite3  # noqa: PLC0415 - some Pythons are built without it

    connection = _open(source)
    connection.text_factory = bytes
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        for table, column in _columns(connection):
            for kind in ("text", "blob"):
                cell = _quoted(column)
                query = (
                    f"SELECT CAST({cell} AS BLOB) FROM {_quoted(table)} "  # noqa: S608 - quoted
                    f"WHERE typeof({cell}) = '{kind}' AND length(CAST({cell} AS BLOB)) >= {least}"
                )
                if kind == "text":  # as UTF-8, whatever the encoding of the database
                    query = query.replace(f"SELECT CAST({cell} AS BLOB)", f"SELECT {cell}", 1)
                yield f"{table}.{column}", kind, _batches(connection.execute(query))
    except (sqlite3.Error, sqlite3.Warning, OverflowError):
        raise InputError("it is an SQLite database that cannot be read.") from None
    finally:
        connection.close()


def _open(source: Path | bytes) -> sqlite3.Connection:
    import sqlite3  # noqa: PLC0415

    if isinstance(source, bytes):
        connection = sqlite3.connect(":memory:")
        connection.deserialize(source)
        return connection
    for more in ("-wal", "-journal"):
        if (waiting := source.with_name(source.name + more)).exists() and waiting.stat().st_size:
            raise InputError(
                f"{str(source)!r} has changes in {waiting.name!r} that are not in the database yet: close the programs "
                "that use it, or open and close it with sqlite3."
            )
    return sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=ro&immutable=1", uri=True)


def _columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the columns of all tables; a virtual table keeps what it holds in tables of its own."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    tables = [name.decode() for name, sql in rows if not (sql or b"").lstrip().upper().startswith(b"CREATE VIRTUAL")]
    return [
        (table, row[1].decode())
        for table in tables
        for row in connection.execute(f"PRAGMA table_xinfo({_quoted(table)})").fetchall()
    ]


def _batches(cursor: sqlite3.Cursor) -> Iterator[list[bytes]]:
    while rows := cursor.fetchmany(_ROWS):
        yield [row[0] for row in rows]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
