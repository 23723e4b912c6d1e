"""Mondrian: cut a table into regions of at least k rows, all regions of one depth at once.

A partition is a run of rows, and a depth is one pass over those that can still be cut. `reduceat` finds the width of
each partition in each column, and one sort brings every partition into the order of the column that it is cut by. The
key of that sort holds the partition, the cell and the row in 64 bits, so that no second array is moved along. A
partition that cannot be cut any more leaves the passes for good.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from modelpriv.kernels.grouping.axes import descend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from modelpriv.kernels.grouping.axes import Axis

    Ints: TypeAlias = npt.NDArray[np.int64]
    Flags: TypeAlias = npt.NDArray[np.bool_]
    Keeps: TypeAlias = Callable[[npt.NDArray[Any], Ints, int], Flags]
    """From rows, the group of each and the number of groups: which groups keep the limits other than `k`."""

__all__ = ["Regions", "Tree", "mondrian"]

_BLOCK = 2**20  # rows that are sorted at a time, unless one partition has more
_PART = 2**17  # rows that are cut to the end before the next ones
_NONE = -1


@dataclass(frozen=True, slots=True)
class Tree:
    """The cuts: at each node a column and the first number that goes right; at a leaf -1 and its class."""

    column: Ints
    threshold: Ints
    left: Ints
    right: Ints

    def find(self, cells: Sequence[Ints]) -> Ints:
        """Return the class of each row, from the numbers of its cells by column."""
        return self.threshold[descend(self.column, self.threshold, self.left, self.right, cells)]


@dataclass(frozen=True, slots=True)
class Regions:
    """The class of each row, the least and greatest number of each column and class, and how to get there."""

    labels: Ints
    low: Ints
    high: Ints
    tree: Tree


def mondrian(axes: Sequence[Axis], k: int, keeps: Keeps | None = None) -> Regions:
    """Cut each partition by its most urgent column, at the value nearest the median that leaves enough on both sides.

    Parameters
    ----------
    axes : sequence of Axis
        The columns, at least one, of `k` rows or more.
    k : int
        How many rows a class has, at least.
    keeps : callable, optional
        Which groups of rows keep the limits that a class has, other than `k`. All rows together must keep them.
    """
    found = _Found(len(axes[0].numbers))
    waiting = [_whole(axes, k, keeps)]
    while waiting:
        # Small parts are cut to the end before the next one, so that they stay in the processor's cache.
        waiting += waiting.pop().grow(found)
    return found.regions()


@dataclass
class _Cuts:
    """For each partition where it is cut, by which column, and the first number right; and the rows in that order."""

    place: Ints
    column: Ints
    threshold: Ints
    order: Ints


class _Found:
    """What was found so far: classes with their bounds and nodes, and cuts."""

    def __init__(self, size: int) -> None:
        self.labels = np.empty(size, np.int64)
        self.n_nodes, self.n_classes = 1, 0
        self.bounds: list[Ints] = []
        self.leaves: list[Ints] = []
        self.cuts: list[Ints] = []

    def regions(self) -> Regions:
        """Return everything, when no partition is left."""
        low, high = np.concatenate(self.bounds, axis=2)
        tree, leaves = np.full((4, self.n_nodes), _NONE), np.concatenate(self.leaves)
        tree[1, leaves] = np.arange(len(leaves))
        for node, *cut in self.cuts:
            tree[:, node] = cut
        return Regions(self.labels, low, high, Tree(*tree))


def _whole(axes: Sequence[Axis], k: int, keeps: Keeps | None) -> _Growing:
    """Return a table as one partition."""
    size = len(axes[0].numbers)
    cells = np.empty((len(axes), size), np.uint32)
    for line, axis in zip(cells, axes, strict=True):
        line[:] = axis.numbers
    uncut = np.zeros((len(axes), 1), bool)
    return _Growing(
        axes, k, keeps, np.arange(size, dtype=np.int32), cells, np.array([0, size]), np.zeros(1, np.int64), uncut
    )


@dataclass
class _Growing:
    """Partitions that can perhaps still be cut, as runs of rows; `uncut` says by which columns none below can be."""

    axes: Sequence[Axis]
    k: int
    keeps: Keeps | None
    rows: npt.NDArray[np.int32]
    cells: npt.NDArray[np.uint32]
    starts: Ints
    nodes: Ints
    uncut: Flags

    def __post_init__(self) -> None:
        self.hierarchical = np.array([axis.ancestors is not None for axis in self.axes])

    def grow(self, found: _Found) -> Iterator[_Growing]:
        """Cut every partition once; give those that cannot be cut to what was found, and yield the others."""
        low, high = (
            np.stack([ufunc.reduceat(line, self.starts[:-1]) for line in self.cells]).astype(np.int64)
            for ufunc in (np.minimum, np.maximum)
        )
        widths = np.stack([axis.urgency(*ends) for axis, *ends in zip(self.axes, low, high, strict=True)])
        widths[self.uncut | (np.diff(self.starts) < 2 * self.k)] = 0
        cuts = self._cut(widths, low, high)
        done = cuts.place == _NONE
        self._finish(done, low, high, found)
        return self._split(~done, cuts, found) if not done.all() else iter(())

    def _cut(self, widths: npt.NDArray[np.float64], low: Ints, high: Ints) -> _Cuts:
        """Find a cut for each partition: by its most urgent column, or the next where that leaves a side too small."""
        count = len(self.nodes)
        nowhere = np.full(count, _NONE)
        cuts = _Cuts(nowhere, nowhere.copy(), np.zeros(count, np.int64), np.zeros(0, np.int64))
        pending = np.flatnonzero(widths.max(axis=0) > 0)
        while len(pending):
            chosen = widths[:, pending].argmax(axis=0)
            order, place, threshold = self._try(pending, chosen, low, high)
            missing = place == _NONE
            stays = missing & ~self.hierarchical[chosen]
            self.uncut[chosen[stays], pending[stays]] = True
            if self.keeps is not None:
                missing |= ~self._kept(self.keeps, pending, place, order)
            found = pending[~missing]
            cuts.place[found], cuts.column[found] = place[~missing], chosen[~missing]
            cuts.threshold[found] = threshold[~missing]
            self._keep_order(cuts, pending, missing, order)
            widths[chosen[missing], pending[missing]] = 0
            pending = pending[missing]
            pending = pending[widths[:, pending].max(axis=0) > 0]
        return cuts

    def _try(self, pending: Ints, chosen: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints, Ints]:
        """Sort partitions by their chosen columns: return the rows, the cut of each and the first number right."""
        sizes = np.diff(self.starts)[pending]
        places, part = _runs(self.starts[pending], sizes), np.repeat(np.arange(len(pending)), sizes)
        at = (chosen * len(self.rows))[part]
        at += places
        keys = self.cells.ravel().take(at)
        del at  # as long as the table
        for column in np.flatnonzero(self.hierarchical).tolist():
            # The children of the lowest node above all cells take their place: they alone may be parted.
            own = np.flatnonzero(chosen == column)
            depth = self.axes[column].depths(low[column, pending[own]], high[column, pending[own]]) + 1
            inside = _runs(np.cumsum(sizes)[own] - sizes[own], sizes[own])
            keys[inside] = self.axes[column].above(np.repeat(depth, sizes[own]), keys[inside])
        order, keys = _sorted(part, keys, sizes)
        cut, first = _nearest(keys, sizes, self.k)
        return places[order], cut, first

    def _keep_order(self, cuts: _Cuts, pending: Ints, missing: Flags, order: Ints) -> None:
        """Remember the order of the rows of the partitions that have a cut."""
        if not missing.any() and len(pending) == len(self.nodes):
            cuts.order = order
            return
        sizes, found = np.diff(self.starts), pending[~missing]
        if not len(cuts.order):
            cuts.order = np.arange(self.starts[-1])
        cuts.order[_runs(self.starts[found], sizes[found])] = order[np.repeat(~missing, sizes[pending])]

    def _kept(self, keeps: Keeps, pending: Ints, cut: Ints, order: Ints) -> Flags:
        """Return for which partitions both sides of a cut keep the limits; there is no cut where it is -1."""
        there = cut != _NONE
        if not there.any():
            return np.zeros(len(cut), bool)
        sizes = np.diff(self.starts)[pending]
        order, sizes, count = order[np.repeat(there, sizes)], sizes[there], int(there.sum())
        inside = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        sides = 2 * np.repeat(np.arange(count), sizes) + (inside >= np.repeat(cut[there], sizes))
        kept = np.zeros(len(pending), bool)
        kept[there] = keeps(self.rows[order], sides, 2 * count).reshape(-1, 2).all(axis=1)
        return kept

    def _finish(self, done: Flags, low: Ints, high: Ints, found: _Found) -> None:
        """Make classes of partitions that cannot be cut."""
        sizes = np.diff(self.starts)[done]
        own = self.rows[_runs(self.starts[:-1][done], sizes)]
        found.labels[own] = np.repeat(np.arange(found.n_classes, found.n_classes + len(sizes)), sizes)
        found.n_classes += len(sizes)
        found.bounds.append(np.stack([low[:, done], high[:, done]]))
        found.leaves.append(self.nodes[done])

    def _split(self, cut: Flags, cuts: _Cuts, found: _Found) -> Iterator[_Growing]:
        """Yield both sides of each cut, in parts of about `_PART` rows."""
        sizes, count = np.diff(self.starts)[cut], int(cut.sum())
        kept = cuts.order[_runs(self.starts[:-1][cut], sizes)] if count < len(cut) else cuts.order
        below = np.arange(found.n_nodes, found.n_nodes + 2 * count)
        found.n_nodes += 2 * count
        left = cuts.place[cut]
        found.cuts.append(np.stack([self.nodes[cut], cuts.column[cut], cuts.threshold[cut], below[0::2], below[1::2]]))
        uncut = np.repeat(self.uncut[:, cut], 2, axis=1)
        sizes = np.column_stack([left, sizes - left]).ravel()
        for parts, rows in _blocks(sizes, _PART):
            own = kept[rows]
            starts = np.concatenate(([0], np.cumsum(sizes[parts])))
            cells = np.empty((len(self.axes), len(own)), np.uint32)
            for old, new in zip(self.cells, cells, strict=True):
                new[:] = old[own]
            yield replace(
                self, rows=self.rows[own], cells=cells, starts=starts, nodes=below[parts], uncut=uncut[:, parts]
            )


def _nearest(keys: npt.NDArray[np.uint32], sizes: Ints, k: int) -> tuple[Ints, Ints]:
    """Return how many rows of each sorted partition go left, with `k` or more on each side, and the first key right."""
    stops = np.cumsum(sizes)
    starts = stops - sizes
    changes = np.empty(len(keys), bool)
    changes[1:] = keys[1:] != keys[:-1]
    changes[starts] = True
    places = np.append(np.flatnonzero(changes), len(keys))
    middle = starts + sizes // 2
    after = np.searchsorted(places, middle)
    above, below = places[after], places[np.maximum(after - 1, 0)]
    fits_above, fits_below = stops - above >= k, below - starts >= k
    # `above` of the last value is the start of the next partition, which leaves nothing right.
    nearer = fits_above & (~fits_below | (above - middle <= middle - below))
    place = np.where(nearer, above, np.where(fits_below, below, _NONE))
    return np.where(place == _NONE, _NONE, place - starts), keys[place].astype(np.int64)


def _sorted(part: Ints, keys: npt.NDArray[np.uint32], sizes: Ints) -> tuple[Ints, npt.NDArray[np.uint32]]:
    """Return the order of rows by partition and key, and the keys in that order."""
    order, ordered = np.empty(len(keys), np.int64), np.empty(len(keys), np.uint32)
    for parts, rows in _blocks(sizes, _BLOCK):
        size = rows.stop - rows.start
        row_bits = np.uint64(size.bit_length())
        key_bits = np.uint64(int(keys[rows].max()).bit_length())
        packed = (part[rows] - parts.start).view(np.uint64)
        packed <<= key_bits
        packed |= keys[rows]
        packed <<= row_bits
        packed |= np.arange(size, dtype=np.uint64)
        packed.sort()
        np.bitwise_and(packed, (np.uint64(1) << row_bits) - np.uint64(1), out=order[rows].view(np.uint64))
        order[rows] += rows.start
        packed >>= row_bits
        packed &= (np.uint64(1) << key_bits) - np.uint64(1)
        ordered[rows] = packed
    return order, ordered


def _blocks(sizes: Ints, most: int) -> Iterator[tuple[slice, slice]]:
    """Yield runs of whole partitions, and their rows: of `most` rows, or one partition of more."""
    stops, first = np.cumsum(sizes), 0
    while first < len(sizes):
        begin = int(stops[first] - sizes[first])
        last = max(first + 1, int(np.searchsorted(stops, begin + most, side="right")))
        yield slice(first, last), slice(begin, int(stops[last - 1]))
        first = last


def _runs(starts: Ints, sizes: Ints) -> Ints:
    """Return the numbers from each start on, as many as its size, one run after the other."""
    if not len(starts) or (starts[1:] == starts[:-1] + sizes[:-1]).all():
        return np.arange(starts[0], starts[0] + sizes.sum()) if len(starts) else np.zeros(0, np.int64)
    runs: Ints = np.arange(sizes.sum()) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
    return runs
