"""Classes of rows that are equal in some columns: no loop over rows or classes, and no table of all combinations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelpriv.kernels.grouping.codes import ranked

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from modelpriv.kernels.grouping.codes import Codes

__all__ = ["Groups", "group"]

_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Groups:
    """The class of each row, numbered from 0, and the number of rows of each class."""

    labels: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


def group(columns: Sequence[Codes], rows: int) -> Groups:
    """Return the classes of rows that are equal in all columns, in ascending order of their cells.

    Parameters
    ----------
    columns : sequence of Codes
        The columns; without any, all rows are equal.
    rows : int
        How many rows each has.
    """
    keys, bound = np.zeros(rows, np.int64), 1
    for column in columns:
        if bound > _MOST // column.size:
            # Only as many keys as there are rows occur: number these, and go on.
            keys, different = ranked(keys, bound)
            bound = len(different)
        keys = keys * column.size + column.numbers
        bound *= column.size
    labels, different = ranked(keys, bound)
    return Groups(labels, np.bincount(labels, minlength=len(different)))
