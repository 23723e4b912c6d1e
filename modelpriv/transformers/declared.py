"""Which columns of a table a transformer protects: those that `columns` declares, by name, position or function."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv._columns.frame import as_names
from modelpriv._core.checks import Satisfies, check
from modelpriv.errors import ParameterError, ParameterTypeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelpriv._columns.frame import Frame

__all__ = ["declared_columns", "find_column"]


def declared_columns(frame: Frame, columns: Any, references: Sequence[Any], parameter: str) -> list[int]:
    """Return the positions of the columns to protect.

    Parameters
    ----------
    frame : Frame
        The table.
    columns : list of names or positions, callable or None
        What the user declared.
    references : sequence of names
        Columns that the transformer reads and leaves as they are; they cannot be protected by the same one.
    parameter : str
        The parameter that names `references`.
    """
    columns = columns(frame.native) if callable(columns) else columns
    read = {find_column(frame, name, parameter) for name in references}
    if columns is None and read:
        raise ParameterError(
            f"columns=None protects every column, but {parameter} names {sorted(frame.names[p] for p in read)!r}, "
            "which must stay as they are. List the columns to protect in columns."
        )
    if columns is None:
        return list(range(len(frame.names)))
    names = as_names(columns)
    if names is None:
        check("columns", columns, _LIST)
    positions = [find_column(frame, name, "columns") for name in names or ()]
    if not positions:
        raise ParameterError("columns is empty, so nothing would be protected. Name a column, or leave the step out.")
    if len(set(positions)) < len(positions):
        raise ParameterError("columns names a column twice. Name each column once.")
    if both := read & set(positions):
        raise ParameterError(
            f"columns and {parameter} both name {frame.names[min(both)]!r}: it must stay as it is, or the table could "
            "not be given back. Protect it in a later step of the pipeline."
        )
    return sorted(positions)


def find_column(frame: Frame, name: Hashable, parameter: str) -> int:
    """Return the position of a column that a parameter names, or gives by its position."""
    if isinstance(name, (bool, np.bool_)) or not isinstance(name, Hashable):
        raise ParameterTypeError(
            f"{parameter} must hold names or positions of columns, got {type(name).__name__}. A mask is not supported."
        )
    if name in frame.names:
        return frame.names.index(name)
    if isinstance(name, (int, np.integer)) and -len(frame.names) <= name < len(frame.names):
        return int(name) % len(frame.names)
    raise ParameterError(
        f"{parameter} names {name!r}, which is not a column of the table. Its columns are {frame.names!r}."
    )


_LIST = Satisfies(
    lambda columns: as_names(columns) is not None,
    "a list of names or positions, as in columns=['email'], a callable or None",
)
