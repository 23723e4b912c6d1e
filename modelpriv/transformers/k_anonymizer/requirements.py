"""What a class of rows has to keep besides its size: l-diversity and t-closeness of the sensitive columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv.errors import InputError
from modelpriv.kernels.grouping.classes import Groups
from modelpriv.kernels.grouping.codes import as_codes, ranked
from modelpriv.kernels.grouping.diversity import pairs
from modelpriv.kernels.grouping.limits import as_closeness, as_diversity
from modelpriv.transformers.k_anonymizer.quasi import has_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from modelpriv._columns.frame import Column
    from modelpriv.kernels.grouping.limits import Limit

__all__ = ["Requirements", "requirements"]


@dataclass(frozen=True)
class _Sensitive:
    """A sensitive column: the rank of each cell, how many rows have each rank, and the limits."""

    name: Any
    ranks: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]
    limits: Sequence[Limit]


class Requirements:
    """Tells which groups of rows keep every limit of every sensitive column."""

    def __init__(self, columns: Sequence[_Sensitive]) -> None:
        self._columns = columns

    def __call__(self, rows: npt.NDArray[Any], labels: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.bool_]:
        """Return for each of `count` groups whether its rows keep the limits."""
        groups, kept = Groups(labels, np.bincount(labels, minlength=count)), np.ones(count, bool)
        for column in self._columns:
            found = pairs(groups, column.ranks[rows], column.totals)
            for limit in column.limits:
                kept &= limit.met(found)
        return kept

    def check_table(self) -> None:
        """Refuse a table that breaks a limit even as one class."""
        for column in self._columns:
            groups = Groups(np.zeros(len(column.ranks), np.int64), np.array([len(column.ranks)]))
            found = pairs(groups, column.ranks, column.totals)
            for limit in column.limits:
                if not limit.met(found).all():
                    raise InputError(
                        f"The whole table has {limit.letter}={limit.measures(found)[0]:.3g} in column {column.name!r}, "
                        f"so no class of its rows keeps {limit}. Ask for less."
                    )


def requirements(columns: Sequence[Column], l: object, t: object) -> Requirements | None:  # noqa: E741 - the field's letter
    """Return what the parameters ask of the sensitive columns; None where they ask for nothing."""
    found = []
    for column in columns:
        codes = as_codes(column.data, column.categories if column.dtype.ordered else None)
        ranks, different = ranked(codes.numbers, codes.size)
        limits = [] if l is None else [as_diversity(l)]
        limits += [] if t is None else [as_closeness(t, ordered=has_order(column))]
        found.append(_Sensitive(column.name, ranks, np.bincount(ranks, minlength=len(different)), limits))
    return Requirements(found) if any(column.limits for column in found) else None
