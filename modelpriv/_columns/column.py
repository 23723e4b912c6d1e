"""A column on its way through a kernel and back, and what every kind of table can do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modelpriv._columns.building import build
from modelpriv._columns.refusals import convert
from modelpriv.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import Self

    from modelpriv._columns.arrow import Table
    from modelpriv._columns.dtypes import DType, Native

__all__ = ["Built", "Column", "Frame", "nulls_alone"]


@dataclass(frozen=True, slots=True)
class Column:
    """A named column on its way through a kernel: dense Arrow cells, and how its container held them."""

    name: Any
    data: Any = field(repr=False)
    dtype: DType
    categories: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Built:
    """A column on its way back: its cells, the dtype that they take, and the categories of a categorical.

    Cells are in Arrow, in one chunk or several, or numbers in a numpy array that nothing else holds: a masked one for
    nulls among integers and bools.
    """

    data: Any = field(repr=False)
    dtype: DType
    categories: Any = field(default=None, repr=False)


def nulls_alone(column: Column) -> Column:
    """Return a column without any value as one of Arrow's null type: what dtype it has depends on chance.

    pandas reads a part of a CSV file that holds nothing in a column of text as floats; others make objects of it.
    """
    size = len(column.data)
    return replace(column, data=pa.nulls(size)) if column.data.null_count == size else column


class Frame:
    """A table that was handed in, by the names and positions of its columns; it is never changed."""

    container: str
    dtype: Any = None  # the one dtype that all columns of an array have

    def __init__(self, native: Table, names: Sequence[Any], n_rows: int, *, named: bool = True) -> None:
        self.native = native
        self.names = list(names)
        self.n_rows = n_rows
        self.named = named  # False: the columns have positions only
        twice = {name for name, count in Counter(self.names).items() if count > 1}
        if twice:
            raise InputError(
                f"Column names must be unique, but these occur more than once: {sorted(map(repr, twice))}. Rename them."
            )

    def column(self, position: int, *, chunked: bool = False) -> Column:
        """Read one column, in one chunk unless it may stay `chunked` as its container has it."""
        name = self.names[position]
        native = self._read(position, name)
        return Column(name, native.cells if chunked else native.data, native.dtype, native.categories)

    def head(self, rows: int) -> Self:
        """Return a table of at most so many of the first rows, for what all rows of a column have in common."""
        return type(self)(self._first(rows), self.names, min(rows, self.n_rows), named=self.named)

    def replaced(self, columns: Mapping[int, Built]) -> Table:
        """Return a new table of the same kind in which the columns at these positions are replaced."""
        raise NotImplementedError  # pragma: no cover - every container has its own

    def assembled(self, columns: Sequence[tuple[Any, int, Built | None]]) -> Table:
        """Return a new table of the same kind and rows that has these columns, in this order.

        Parameters
        ----------
        columns : sequence of (name, position, Built or None)
            The name of each, the position of the column that it comes from, and what it holds now: None for what it
            held.
        """
        raise NotImplementedError  # pragma: no cover - every container has its own

    def as_dtype(self, result: Table, dtype: Any) -> Table:  # noqa: ARG002 - for arrays
        """Return a table of this kind with the one dtype that it had, where that changes no cell."""
        return result

    def as_wanted(self, result: Table, wanted: str) -> Table:  # noqa: ARG002 - for the container that needs it
        """Return a result as scikit-learn's `set_output` can take it."""
        return result

    def _read(self, position: int, name: Hashable) -> Native:
        raise NotImplementedError  # pragma: no cover - every container has its own

    def _first(self, rows: int) -> Table:
        return self.native[:rows]

    def _build(self, position: int, column: Built) -> Any:
        """Build the container's own column; what goes out may hold cells, so that its errors are reworded too."""
        name, kind = self.names[position], f"a column of {self.container}"
        return convert(lambda: build(column.data, column.dtype, column.categories), name, column.dtype, kind)
