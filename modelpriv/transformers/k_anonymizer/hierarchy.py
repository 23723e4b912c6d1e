"""Hierarchies of generalisation: values, and above each its wider and wider categories up to one root."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.frame import open_frame
from modelpriv._columns.refusals import convert
from modelpriv.errors import InputError, ModelprivError, ParameterError, ParameterTypeError
from modelpriv.kernels.grouping.codes import ranked

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    from modelpriv._columns.arrow import Array
    from modelpriv._columns.frame import Column

__all__ = ["Hierarchy", "read_hierarchy"]

COVER = "*"


@dataclass(frozen=True)
class Hierarchy:
    """The values of a hierarchy, in an order in which those below one node are neighbours.

    Attributes
    ----------
    values : pyarrow array of text
        The values; the number of the first is 1, as 0 is null.
    ancestors : numpy array of int, shape (depths, 1 + values)
        The node above each number at each depth, from the root; null is below the root alone.
    words : list of pyarrow arrays of text
        For each depth what the node above each number is called.
    """

    values: Array
    ancestors: npt.NDArray[np.int64]
    words: list[Array]

    def numbers_of(self, texts: Array) -> npt.NDArray[np.int64]:
        """Return the number of each text: 0 for null, -1 for one that the hierarchy does not have."""
        found = pc.index_in(texts.cast(self.values.type), value_set=self.values).cast(pa.int64())
        numbers: npt.NDArray[np.int64] = found.fill_null(-2).to_numpy(zero_copy_only=False) + 1
        if texts.null_count:
            numbers = np.where(texts.is_null().to_numpy(zero_copy_only=False), 0, numbers)
        return numbers


def read_hierarchy(given: Any, name: Hashable) -> Hierarchy:
    """Read a hierarchy: a table or list of rows (a value, then its ancestors), or a dict of values to their ancestors.

    Raises
    ------
    ParameterError, ParameterTypeError
        It is neither, a row has no ancestor or too few, a value is there twice, or a node has two parents.
    """
    if isinstance(given, dict):
        given = [[value, *([above] if isinstance(above, str) else above)] for value, above in given.items()]
    levels = _levels(given, name)
    if pc.any(pc.is_null(levels[0])).as_py() or any(level.null_count for level in levels):
        raise ParameterError(
            f"The hierarchy of {name!r} has a null. Leave nulls out: they are below the root by themselves."
        )
    if pc.count_distinct(levels[0]).as_py() < len(levels[0]):
        raise ParameterError(f"The hierarchy of {name!r} has a value twice. Give each value one row.")
    if pc.count_distinct(levels[-1]).as_py() > 1:
        levels.append(pa.array([COVER] * len(levels[0]), pa.large_string()))
    return _ordered(levels, name)


def _levels(given: Any, name: Hashable) -> list[Any]:
    """Return the columns of a hierarchy as text, from the values up."""
    try:
        frame = open_frame(given)
        columns = [frame.column(position) for position in range(len(frame.names))]
        levels = list(map(_text_of, columns))
    except (ModelprivError, TypeError):
        levels = []
    if not levels:
        raise ParameterTypeError(
            f"The hierarchy of {name!r} must be a table or list of rows (a value, then its ancestors from narrow to "
            f"wide), all of one length, or a dict of values to lists of ancestors, got {type(given).__name__}."
        )
    if not len(levels[0]):
        raise ParameterError(f"The hierarchy of {name!r} is empty. Give each value a row.")
    return levels


def _text_of(column: Column) -> Any:
    return convert(lambda: column.data.cast(pa.large_string()), column.name, column.dtype, "text")


def _ordered(levels: list[Any], name: Hashable) -> Hierarchy:
    """Bring the values below each node together, in the order in which nodes come first."""
    coded = [level.dictionary_encode() for level in levels]
    numbers = [level.indices.to_numpy(zero_copy_only=False).astype(np.int64) for level in coded]
    for child, parent in itertools.pairwise(numbers):
        _, different = ranked(child * (len(child) + 1) + parent)
        if len(different) > len(np.unique(child)):
            raise ParameterError(
                f"The hierarchy of {name!r} has a node with two parents, so its levels do not nest. Give each node of "
                "a level one node of the next level."
            )
    order = np.lexsort(numbers)
    lines = [np.append(0, _numbered([level[order] for level in numbers[depth:]])) for depth in range(len(numbers))]
    lines[-1][0] = 1  # null is below the root
    words = [level.take(pa.array(order)) for level in levels]
    return Hierarchy(words[0], np.stack(lines[::-1]), words[::-1])


def _numbered(path: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Return the numbers of the nodes of sorted rows, from 1: a new one begins where any of its ancestors does."""
    changes = np.zeros(len(path[0]), bool)
    for level in path:
        changes[1:] |= level[1:] != level[:-1]
    return np.cumsum(changes) + 1


def refuse_unknown(name: Hashable, numbers: npt.NDArray[np.int64]) -> None:
    """Refuse cells that a hierarchy does not have."""
    if (numbers < 0).any():
        raise InputError(
            f"Column {name!r} has {int((numbers < 0).sum()):,} cells that its hierarchy does not have, the first in "
            f"row {int((numbers < 0).argmax())}. Add them to the hierarchy."
        )
