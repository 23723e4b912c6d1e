"""Full-domain generalisation of a table: its levels, its classes, and the way of new rows to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelpriv._core.checks import plural
from modelpriv._core.warn import warn
from modelpriv.errors import InputError, ProtectionWarning
from modelpriv.kernels.grouping.classes import Groups, group
from modelpriv.kernels.grouping.codes import ranked
from modelpriv.kernels.grouping.lattice import Levels, search
from modelpriv.transformers.k_anonymizer.fitting import Fitted, loss_of
from modelpriv.transformers.k_anonymizer.places import numbers_of, state_of
from modelpriv.transformers.k_anonymizer.recoding import Members, as_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from modelpriv._columns.frame import Column
    from modelpriv.kernels.grouping.lattice import Found
    from modelpriv.transformers.fitted import State
    from modelpriv.transformers.k_anonymizer.quasi import Quasi
    from modelpriv.transformers.k_anonymizer.requirements import Requirements

    Ints = npt.NDArray[np.int64]

__all__ = ["classes_of", "full_domain"]

_BUDGET = 20_000  # choices of levels: seconds for tens of thousands of different rows


def full_domain(quasi: Sequence[Quasi], k: int, keeps: Requirements | None, suppress: float) -> Fitted:
    """Return what is kept of the least generalisation that leaves at most a share of rows exposed.

    Raises
    ------
    InputError
        Even if every column is covered, the table breaks a limit.
    """
    whole = group([one.codes for one in quasi], len(quasi[0].codes.numbers))
    first = np.unique(whole.labels, return_index=True)[1]
    levels = [_levels(one, first, whole.sizes) for one in quasi]

    def exposed(groups: Groups) -> tuple[npt.NDArray[np.bool_], int]:
        sizes = np.bincount(groups.labels, whole.sizes, len(groups.sizes))
        broken = sizes < k
        if keeps is not None:
            labels = groups.labels[whole.labels]
            broken |= ~keeps(np.arange(len(labels)), labels, len(sizes))
        return broken, int(sizes[broken].sum())

    found = search(levels, exposed, int(suppress * len(whole.labels)), _BUDGET)
    if found is None:
        raise InputError(f"The table has no generalisation with k={k}. Ask for less, or fit on more rows.")
    if not found.optimal:
        warn(
            f"full-domain: {plural(found.tries, 'choice')} of levels were tried, and others are left: this is the best "
            "found. Give the columns fewer levels for one that is known to be the best.",
            ProtectionWarning,
        )
    return _fitted(quasi, found, whole, k)


def classes_of(columns: Mapping[int, Column], states: Mapping[int, State], way: Sequence[Ints]) -> Ints:
    """Return the class of each new row, -1 for one whose generalised cells no class has."""
    found = np.zeros(len(next(iter(columns.values())).data), np.int64)
    *steps, last = way
    for (position, column), known in zip(columns.items(), steps, strict=True):
        table = states[position]["nodes"]
        keys = found * max(1, len(table))
        if len(table):  # else the column is covered, whatever it holds
            numbers = numbers_of(column, states[position])
            keys = np.where(numbers % 2 == 0, keys + table[np.minimum(numbers // 2, len(table) - 1)], -1)
        place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        found = np.where((found >= 0) & (known[place] == keys), place, -1)
    return np.where(found >= 0, last[found], -1)


def _levels(quasi: Quasi, first: Ints, counts: Ints) -> Levels:
    """Return a column at each level, for distinct rows; `counts` says how often each occurs."""
    numbers, axis = quasi.codes.numbers[first], quasi.axis
    if axis.ancestors is None:
        return Levels([numbers, np.zeros_like(numbers)], [quasi.codes.size, 1], [0.0, axis.weight])
    nodes, sizes, losses = [], [], []
    for line in axis.ancestors[::-1]:
        below = np.bincount(line[1:], minlength=line.max() + 1)[line]
        widths = np.where(below > 1, below / max(1, len(line) - 1), 0.0)
        nodes.append(line[numbers])
        sizes.append(int(line.max()) + 1)
        losses.append(axis.weight * float((widths[numbers] * counts).sum() / counts.sum()))
    # The root is one node for all, also for null.
    return Levels([*nodes[:-1], np.zeros_like(numbers)], [*sizes[:-1], 1], [*losses[:-1], axis.weight])


def _fitted(quasi: Sequence[Quasi], found: Found, whole: Groups, k: int) -> Fitted:
    """Return what is kept, with the suppressed rows in no class."""
    renumbered = np.where(found.suppressed, -1, np.cumsum(~found.suppressed) - 1)
    labels = renumbered[found.groups.labels][whole.labels]
    sizes = np.bincount(labels[labels >= 0], minlength=int((~found.suppressed).sum()))
    rows = np.full(len(sizes), len(labels))
    np.minimum.at(rows, labels[labels >= 0], np.flatnonzero(labels >= 0))
    states, losses, way, prefix = [], [], [], np.zeros(len(sizes), np.int64)
    for one, level in zip(quasi, found.levels, strict=True):
        members = _members(one, level, one.codes.numbers[rows])
        state, _ = state_of(one, members, as_words(one, members), np.zeros(0, np.int64), middles=False)
        nodes, table = _nodes(one, level, state)
        prefix, known = ranked(prefix * max(1, len(table)) + nodes)
        way.append(known)
        states.append(state | {"nodes": table})
        losses.append(float((members.loss * sizes).sum() + (labels < 0).sum()) / len(labels))
    ncp = dict(zip([one.column.name for one in quasi], losses, strict=True))
    loss = loss_of(ncp, sizes, k, int((labels < 0).sum())) | {"levels": dict(zip(ncp, found.levels, strict=True))}
    return Fitted(labels, sizes, states, None, loss, [*way, np.argsort(prefix)])


def _members(quasi: Quasi, level: int, numbers: Ints) -> Members:
    """Return what classes show of a column at a level, from the number of one cell of each."""
    axis, size = quasi.axis, len(numbers)
    if level == _top(quasi):
        everything = np.full(size, max(1, quasi.codes.size - 1))
        return Members(np.zeros(size, np.int64), everything, np.ones(size, bool), np.ones(size))
    if axis.ancestors is None:
        return Members(numbers, numbers, np.zeros(size, bool), np.zeros(size))
    low, high = axis.below(_top(quasi) - level, numbers)
    return Members(low, high, np.zeros(size, bool), axis.widths(low, high))


def _nodes(quasi: Quasi, level: int, state: State) -> tuple[Ints, Ints]:
    """Return the node of each class at a level, and that of each point, with null first; of none for the root."""
    if level == _top(quasi):
        return np.zeros(len(state["open"]), np.int64), np.zeros(0, np.int64)
    if quasi.axis.ancestors is None:
        return state["low"] // 2, np.arange(state["points"]["length"] + 1)
    table = quasi.axis.ancestors[_top(quasi) - level]
    return table[state["low"] // 2], table


def _top(quasi: Quasi) -> int:
    """Return the level of the root."""
    return 1 if quasi.axis.ancestors is None else len(quasi.axis.ancestors) - 1
