"""Equivalence classes: the rows of a table that its quasi-identifiers do not tell apart, and the risk that follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.dtypes import is_text
from modelpriv._columns.frame import Frame, as_names, open_frame
from modelpriv._core.checks import Text, check
from modelpriv.errors import InputError, ParameterError
from modelpriv.kernels.grouping.classes import Groups, group
from modelpriv.kernels.grouping.codes import Codes, as_codes
from modelpriv.transformers.declared import find_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from modelpriv._columns.arrow import Table
    from modelpriv._columns.frame import Column

__all__ = ["EquivalenceClasses", "classes_of", "codes_of", "equivalence_classes", "positions_of"]


@dataclass(frozen=True)
class EquivalenceClasses:
    """The classes of a table, without any of its values.

    Someone who knows all quasi-identifiers of a person in a class of `n` rows is right about the row with probability
    ``1 / n``: that is the row's risk.

    Attributes
    ----------
    labels : numpy array of int, shape (n_rows,)
        The class of each row, from 0; -1 for a row that is suppressed.
    sizes : numpy array of int
        The number of rows of each class.
    suppressed : int
        How many rows show nothing: every quasi-identifier is the cover. They form no class.
    """

    labels: npt.NDArray[np.int64] = field(repr=False)
    sizes: npt.NDArray[np.int64] = field(repr=False)
    suppressed: int

    @property
    def n_rows(self) -> int:
        """The number of rows, with those that are suppressed."""
        return len(self.labels)

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return len(self.sizes)

    @property
    def k(self) -> int:
        """The size of the smallest class; the number of rows where all are suppressed."""
        return int(self.sizes.min()) if len(self.sizes) else self.n_rows

    @property
    def highest_risk(self) -> float:
        """The highest risk of a row."""
        return 1 / self.k

    @property
    def mean_risk(self) -> float:
        """The mean risk of the rows that are in a class."""
        rows = self.n_rows - self.suppressed
        return self.n_classes / rows if rows else 0.0

    @property
    def uniqueness(self) -> float:
        """The share of rows that are alone in their class, among those that are in one."""
        rows = self.n_rows - self.suppressed
        return int(np.count_nonzero(self.sizes == 1)) / rows if rows else 0.0

    def rows_below(self, k: int) -> int:
        """Return how many rows are in classes of fewer than `k`.

        Parameters
        ----------
        k : int
            The size that a class should have.
        """
        return int(self.sizes[self.sizes < k].sum())

    def __repr__(self) -> str:
        return (
            f"<EquivalenceClasses rows={self.n_rows} classes={self.n_classes} k={self.k} suppressed={self.suppressed}>"
        )


def equivalence_classes(table: Table, quasi: object = None, *, cover: str | None = "*") -> EquivalenceClasses:
    """Find the rows that the quasi-identifiers do not tell apart.

    Null is a category of its own, never a wildcard: nulls equal each other and nothing else.

    Parameters
    ----------
    table : pandas, polars or pyarrow table, numpy array or list of rows
        The table; at least one row.
    quasi : list of str or int, optional
        The quasi-identifiers, by name or position; by default all columns.
    cover : str or None, default="*"
        The text of a covered cell. A row with this text in every quasi-identifier is suppressed: it is counted apart,
        and forms no class. None counts such rows as a class.

    Returns
    -------
    EquivalenceClasses
        The class of each row, and the risk.

    Raises
    ------
    ParameterError, ParameterTypeError
        A column is not there, or a parameter is not allowed.
    InputError, InputTypeError
        The table has no rows, a column cannot be read, or it is no table.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv.evidence import equivalence_classes
    >>> people = pd.DataFrame({"age": [31, 31, 47, 47, 47], "zip": ["021", "021", "100", "100", "945"]})
    >>> found = equivalence_classes(people)
    >>> found
    <EquivalenceClasses rows=5 classes=3 k=1 suppressed=0>
    >>> found.mean_risk, found.uniqueness
    (0.6, 0.2)
    """
    frame = open_frame(table)
    return classes_of(frame, positions_of(frame, quasi, "quasi"), cover)


def classes_of(frame: Frame, positions: Sequence[int], cover: str | None) -> EquivalenceClasses:
    """Return the classes of an open table."""
    check("cover", cover, Text(), None)
    if not frame.n_rows:
        raise InputError("The table has no rows, so it has no classes. Pass one with rows.")
    columns = [codes_of(frame.column(position)) for position in positions]
    covered = _covered(columns, cover, frame.n_rows)
    if not covered.any():
        found = group(columns, frame.n_rows)
        return EquivalenceClasses(found.labels, found.sizes, 0)
    found = _without([Codes(one.numbers[~covered], one.values) for one in columns], covered)
    return EquivalenceClasses(found.labels, found.sizes, int(covered.sum()))


def codes_of(column: Column) -> Codes:
    """Return the cells of a column as numbers, in the order of its categories where they are ordered."""
    return as_codes(column.data, column.categories if column.dtype.ordered else None)


def positions_of(frame: Frame, names: object, parameter: str) -> list[int]:
    """Return the positions of the columns that a parameter names; None names all."""
    if names is None:
        return list(range(len(frame.names)))
    listed = as_names(names)
    found = [find_column(frame, name, parameter) for name in ([names] if listed is None else listed)]
    if not found:
        raise ParameterError(f"{parameter} is empty. Name at least one column.")
    if len(set(found)) < len(found):
        raise ParameterError(f"{parameter} names a column twice. Name each column once.")
    return found


def _covered(columns: Sequence[Codes], cover: str | None, rows: int) -> npt.NDArray[np.bool_]:
    """Return which rows have the cover in every column."""
    covered = np.full(rows, cover is not None)
    for column in columns:
        if not covered.any():
            break
        place = -1
        if is_text(column.values.type):
            place = pc.index(column.values, pa.scalar(cover, column.values.type)).as_py()
        covered &= column.numbers == place + 1 if place >= 0 else False
    return covered


def _without(columns: Sequence[Codes], covered: npt.NDArray[np.bool_]) -> Groups:
    """Return the classes of the rows that are not covered, with -1 for those that are."""
    found: Any = group(columns, int(np.count_nonzero(~covered)))
    labels = np.full(len(covered), -1)
    labels[~covered] = found.labels
    return Groups(labels, found.sizes)
