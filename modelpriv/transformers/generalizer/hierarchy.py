"""Hierarchies of categories: read from a dict, a table or a file, and applied at one level."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelpriv._columns.arrow import pc
from modelpriv._columns.dtypes import is_text
from modelpriv._columns.frame import open_frame
from modelpriv._columns.plain import array_from_plain, array_to_plain
from modelpriv._core.checks import plural
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.transformers.generalizer.ways import Way, as_text, is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelpriv._columns.arrow import Array
    from modelpriv.transformers.fitted import State

__all__ = ["by_group", "read_hierarchy"]


def by_group(state: State) -> Way:
    """Return the way of values to their group in a hierarchy; a value that it does not name fits no class."""
    values, groups = (array_from_plain(state[name]) for name in ("values", "groups"))
    codes = pc.index_in(groups, value_set=groups.unique()).cast(pa.int64())

    def run(cells: Array, output: str) -> Array:
        text = cells if is_text(cells.type) else as_text(cells)
        return (codes if output == "code" else groups).take(pc.index_in(text, value_set=values.cast(text.type)))

    return Way("text, numbers, bools and dates", [is_text, is_number, pa.types.is_boolean, pa.types.is_date], run)


def read_hierarchy(hierarchy: Any, level: int) -> State:
    """Return the values of a hierarchy and their groups at a level, as plain data.

    Parameters
    ----------
    hierarchy : dict, table or path
        Values with their groups, from the finest to the coarsest; a file has the form of ARX: no header, one value a
        line, and semicolons or commas between it and its groups.
    level : int
        Which of the groups; 1 is the finest.

    Raises
    ------
    ParameterError, ParameterTypeError
        It is not a hierarchy, gives a value two groups, or has no such level.
    """
    groups: dict[str, str] = {}
    for number, (value, *levels) in enumerate(_rows(hierarchy)):
        if len(levels) < level:
            raise ParameterError(
                f"level={level}, but row {number} of the hierarchy has {plural(len(levels), 'level')} above its value. "
                "Choose a smaller level, or complete the row."
            )
        if groups.setdefault(value, levels[level - 1]) != levels[level - 1]:
            raise ParameterError(
                f"row {number} of the hierarchy gives another group to a value of an earlier row. Remove one of them."
            )
    if not groups:
        raise ParameterError("hierarchy is empty, so every cell would be covered. Name at least one value.")
    columns = {"values": list(groups), "groups": list(groups.values())}
    return {name: array_to_plain(pa.array(texts, pa.large_string())) for name, texts in columns.items()}


def _rows(hierarchy: Any) -> Iterable[Sequence[str]]:
    """Return the rows of a hierarchy: a value as text, and its groups."""
    if isinstance(hierarchy, dict):
        return _rows_of_dict(hierarchy)
    if isinstance(hierarchy, (str, os.PathLike)):
        return _rows_of_file(Path(hierarchy))
    frame = open_frame(hierarchy)
    columns = [frame.column(position).data for position in range(len(frame.names))]
    if len(columns) == 1:
        raise ParameterError("hierarchy has one column. Pass a column of values, then one for each level of groups.")
    for name, column in zip(frame.names, columns, strict=True):
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise ParameterError(f"Column {name!r} of the hierarchy has a null in row {row}. Fill it, or drop the row.")
    return list(zip(*(as_text(column).to_pylist() for column in columns), strict=True))


def _rows_of_dict(hierarchy: Mapping[Any, Any]) -> Iterable[Sequence[str]]:
    for value, groups in hierarchy.items():
        levels = groups if isinstance(groups, (list, tuple)) else [groups]
        if not all(isinstance(group, str) for group in levels) or not isinstance(value, (str, int)):
            raise ParameterTypeError(
                "hierarchy must map values (texts or integers) to a group or a list of groups, all of them texts."
            )
        yield [("true" if value else "false") if isinstance(value, bool) else str(value), *levels]


def _rows_of_file(path: Path) -> Iterable[Sequence[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = f"cannot be read as UTF-8 text ({type(error).__name__})"
    else:
        first = text.partition("\n")[0]
        rows = [row for row in csv.reader(text.splitlines(), delimiter=";" if ";" in first else ",") if row]
        if all(len(row) > 1 for row in rows):
            return rows
        reason = "has a line without a semicolon or a comma"
    raise ParameterError(f"hierarchy: the file {os.fspath(path)!r} {reason}. Pass one value a line, then its groups.")
