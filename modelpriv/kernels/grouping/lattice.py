"""Full-domain generalisation: one level for each column and all rows, with the least loss of all that are anonymous.

More general levels merge classes. So a choice of levels below one that leaves too many rows exposed leaves at least as
many, and need not be tried; nor need one that loses more than the best found. Each try looks at different rows only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from modelpriv.kernels.grouping.classes import Groups, group
from modelpriv.kernels.grouping.codes import Codes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int64]
    Exposed: TypeAlias = Callable[[Groups], tuple[npt.NDArray[np.bool_], int]]
    """Which classes break a limit, and how many rows they have."""

__all__ = ["Found", "Levels", "search"]


@dataclass(frozen=True, slots=True)
class Levels:
    """A column at each of its levels, from its values to the root: the node of each cell, and what a level loses."""

    nodes: Sequence[Ints]
    sizes: Sequence[int]
    losses: Sequence[float]


@dataclass(frozen=True, slots=True)
class Found:
    """The chosen level of each column, the class of each row, which classes are suppressed, and the tries that it took.

    `optimal` is False where the budget ended before all other choices were excluded.
    """

    levels: tuple[int, ...]
    groups: Groups
    suppressed: npt.NDArray[np.bool_]
    tries: int
    optimal: bool


def search(columns: Sequence[Levels], exposed: Exposed, most: int, budget: int) -> Found | None:
    """Return the levels that lose least and leave `most` rows exposed; None if even the roots expose more.

    Parameters
    ----------
    columns : sequence of Levels
        The columns.
    exposed : callable
        Which classes break a limit, and how many rows they have.
    most : int
        How many rows may be in such classes, and are suppressed.
    budget : int
        How many choices of levels are tried.
    """
    shape = [len(column.nodes) for column in columns]
    every = np.stack(np.unravel_index(np.arange(int(np.prod(shape))), shape))
    losses = sum(np.array(column.losses)[levels] for column, levels in zip(columns, every, strict=True))
    # Of equal losses the lower levels come first, so that nothing is generalised for nothing.
    every = every[:, np.lexsort((every.sum(axis=0), np.round(losses, 12)))]
    root = _try(columns, tuple(size - 1 for size in shape), exposed, most, 1)
    if root is None:
        return None
    best, open_, tries = root, np.ones(every.shape[1], bool), 1
    while open_.any() and tries < budget:
        place = _next(open_, tries)
        tries += 1
        found = _try(columns, tuple(every[:, place].tolist()), exposed, most, tries)
        if found is None:
            open_ &= ~(every <= every[:, place, None]).all(axis=0)
        else:
            best = found
            open_[place:] = False
    return Found(best.levels, best.groups, best.suppressed, tries, not open_.any())


def _next(open_: npt.NDArray[np.bool_], tries: int) -> int:
    """Return the choice to try: by turns one in the middle, which halves what is left if it is good, and the last."""
    places = np.flatnonzero(open_)
    return int(places[len(places) // 2 if tries % 2 else len(places) - 1 - len(places) // 8])


def _try(columns: Sequence[Levels], levels: tuple[int, ...], exposed: Exposed, most: int, tries: int) -> Found | None:
    """Return what a choice gives; None if it leaves too many rows exposed."""
    chosen = [
        Codes(column.nodes[level], range(column.sizes[level] - 1))
        for column, level in zip(columns, levels, strict=True)
        if column.sizes[level] > 1
    ]
    groups = group(chosen, len(columns[0].nodes[0]))
    broken, rows = exposed(groups)
    if rows > most:
        return None
    return Found(levels, groups, broken, tries, optimal=True)
