"""A table from a file, and into one: Parquet or CSV, whole in memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from modelpriv._core import files, magic
from modelpriv.errors import InputError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelpriv._columns.records import PandasTable

__all__ = ["read_table", "write_table"]

# A number that is written as numbers are: 007 is a code, and would lose its zeros.
_INTEGER, _FLOAT = r"-?(?:0|[1-9]\d{0,17})", r"-?(?:0|[1-9]\d{0,17})(?:\.\d+)?(?:[eE][+-]?\d+)?"


def read_table(path: str | os.PathLike[str], text: Iterable[str] = ()) -> PandasTable:
    """Read a table.

    Parameters
    ----------
    path : path-like
        A Parquet file, or a CSV file with a header. A column of CSV becomes numbers only if all of its cells are
        written as numbers are, without leading zeros: postcodes and phone numbers stay text. Blanks behind a comma
        are no part of a cell.
    text : iterable of str, optional
        Columns of CSV that stay text, whatever their cells look like.

    Raises
    ------
    InputError
        The file holds no table, or rows with more cells than its header has names; the message shows nothing of it.
    OSError
        The file cannot be read.
    """
    table = _read(path, frozenset(text))
    if table is None:
        raise InputError(f"{os.fspath(path)!r} is neither a whole Parquet file nor a CSV file with a header.")
    return table


def write_table(table: PandasTable, path: str | os.PathLike[str]) -> None:
    """Write a table to a file whose name ends in ``.parquet`` or ``.csv``, whole or not at all.

    Raises
    ------
    ParameterError
        The name ends in something else.
    OSError
        The file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in {".parquet", ".csv"}:
        raise ParameterError(f"{os.fspath(path)!r} must end in .parquet or .csv.")
    with files.replacing(path) as file:
        if suffix == ".parquet":
            table.to_parquet(file, index=False)
        else:
            file.write(table.to_csv(index=False).encode())


def _read(path: str | os.PathLike[str], text: frozenset[str]) -> PandasTable | None:
    """Return a table, or None if a file holds none: the words of pandas may hold cells."""
    with Path(path).open("rb") as file:
        is_parquet = file.read(len(magic.PARQUET.begins)) == magic.PARQUET.begins
        file.seek(0)
        try:
            if is_parquet:
                table = pd.read_parquet(file)
                # An index that pandas wrote is a column of the file: it is read as one, so that no one overlooks it.
                return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
            table = pd.read_csv(file, skipinitialspace=True, dtype=str, keep_default_na=False, na_values=[""])
        except (ValueError, OSError, MemoryError):  # ArrowInvalid is a ValueError
            return None
    if not isinstance(table.index, pd.RangeIndex):
        # pandas takes the first cell of each row for an index, and puts the others under the names before their own.
        raise InputError(
            f"{os.fspath(path)!r} has rows with more cells than its header has names, so no cell would be under its "
            "own name. Correct the file: look for commas at the ends of its lines."
        )
    return table.apply(lambda column: column if column.name in text else _typed(column))


def _typed(column: pd.Series) -> pd.Series:
    """Return a column of text as numbers or bools, if it is written as they are."""
    cells = column.dropna()
    if cells.empty:
        return column
    if cells.str.fullmatch(_INTEGER).all():
        return pd.to_numeric(column) if len(cells) == len(column) else column.astype("Int64")
    if cells.str.fullmatch(_FLOAT).all():
        return pd.to_numeric(column)
    if cells.isin(["True", "False"]).all() and len(cells) == len(column):
        return column == "True"
    return column
