"""A table from a file: Parquet, or CSV as pandas reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from modelpriv._core import magic
from modelpriv.errors import InputError

if TYPE_CHECKING:
    from modelpriv._columns.records import PandasTable

__all__ = ["read_table"]


def read_table(path: str | os.PathLike[str]) -> PandasTable:
    """Read a table.

    Parameters
    ----------
    path : path-like
        A Parquet file, or a CSV file with a header.

    Raises
    ------
    InputError
        The file holds no table; the message shows nothing of it.
    OSError
        The file cannot be read.
    """
    with Path(path).open("rb") as file:
        is_parquet = file.read(len(magic.PARQUET.begins)) == magic.PARQUET.begins
        file.seek(0)
        try:
            return pd.read_parquet(file) if is_parquet else pd.read_csv(file)
        except (ValueError, OSError, MemoryError):  # their messages may hold cells; ArrowInvalid is a ValueError
            pass
    raise InputError(f"{os.fspath(path)!r} is neither a whole Parquet file nor a CSV file with a header.")
