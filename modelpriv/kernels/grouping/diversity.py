"""What the classes of a table show of a sensitive column: l-diversity and t-closeness, over all classes at once.

Only pairs of a class and a value that occur are looked at, so that neither the number of classes nor that of values
costs more than the rows do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelpriv.kernels.grouping.codes import ranked

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv.kernels.grouping.classes import Groups

__all__ = ["Pairs", "categorical_distances", "distinct", "entropies", "ordered_distances", "pairs", "recursive"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of a class and a value that occur, by class and value: their parts, and how many rows each has."""

    classes: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]


def pairs(groups: Groups, values: npt.NDArray[np.int64], totals: npt.NDArray[np.int64] | None = None) -> Pairs:
    """Count the rows of each class that have each value.

    Parameters
    ----------
    groups : Groups
        The class of each row.
    values : numpy array of int
        The number of each row's value.
    totals : numpy array of int, optional
        How many rows of the whole table have each number, where the rows are some of it; all numbers occur. By default
        the rows are the table.
    """
    if totals is None:
        values, different = ranked(values)
        totals = np.bincount(values, minlength=len(different))
    width = max(1, len(totals))
    labels, keys = ranked(groups.labels * width + values, len(groups.sizes) * width)
    classes, own = np.divmod(keys, width)
    return Pairs(classes, own, np.bincount(labels, minlength=len(keys)), groups.sizes, totals)


def distinct(found: Pairs) -> npt.NDArray[np.int64]:
    """Return how many different values each class has."""
    return np.bincount(found.classes, minlength=len(found.sizes))


def entropies(found: Pairs) -> npt.NDArray[np.float64]:
    """Return the entropy of the values of each class, in nats."""
    share = found.counts / found.sizes[found.classes]
    sums = np.bincount(found.classes, -share * np.log(share), minlength=len(found.sizes))
    return sums.astype(np.float64)


def recursive(found: Pairs, c: float) -> npt.NDArray[np.int64]:
    """Return the largest l of recursive (c, l)-diversity for each class; 0 if no l holds.

    A class with the counts r1 >= r2 >= ... >= rm has it if r1 < c * (rl + ... + rm).
    """
    order = np.lexsort((-found.counts, found.classes))
    counts, classes = found.counts[order], found.classes[order]
    starts = np.flatnonzero(np.diff(classes, prepend=-1))
    before = np.cumsum(counts) - counts
    place = np.searchsorted(starts, np.arange(len(counts)), side="right") - 1
    rest = found.sizes[classes] - (before - before[starts][place])
    holds = counts[starts][place] < c * rest
    return np.bincount(classes[holds], minlength=len(found.sizes))


def categorical_distances(found: Pairs) -> npt.NDArray[np.float64]:
    """Return the earth mover's distance of each class from the table, all values equally far apart."""
    whole = found.totals / found.totals.sum()
    own, there = found.counts / found.sizes[found.classes], whole[found.values]
    width = len(found.sizes)
    moved = np.bincount(found.classes, np.abs(own - there), minlength=width)
    absent = 1 - np.bincount(found.classes, there, minlength=width)
    distances: npt.NDArray[np.float64] = (moved + absent) / 2
    return distances


def ordered_distances(found: Pairs) -> npt.NDArray[np.float64]:
    """Return the earth mover's distance of each class from the table, values as far apart as their ranks."""
    size = len(found.totals)
    if size <= 1:
        return np.zeros(len(found.sizes))
    whole = np.cumsum(found.totals / found.totals.sum())
    sums = np.concatenate(([0.0], np.cumsum(whole)))
    starts = np.flatnonzero(np.diff(found.classes, prepend=-1))
    before = np.cumsum(found.counts)
    begun = np.repeat((before - found.counts)[starts], np.diff(starts, append=len(found.classes)))
    level = (before - begun) / found.sizes[found.classes]
    # From each value up to the next of its class the class's own sum stays; the table's rises through it once.
    stops = np.append(found.values[1:], size)
    stops[np.append(starts[1:] - 1, len(stops) - 1)] = size
    moved = _between(sums, whole, level, found.values, stops)
    distances = np.bincount(found.classes, moved, minlength=len(found.sizes))
    # Before its first value a class has nothing, and the table has all of its sum.
    distances += sums[found.values[starts]]
    result: npt.NDArray[np.float64] = distances / (size - 1)
    return result


def _between(
    sums: npt.NDArray[np.float64],
    whole: npt.NDArray[np.float64],
    level: npt.NDArray[np.float64],
    first: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the sums of ``abs(level - whole[i])`` for i from `first` up to `stop`."""
    middle = np.clip(np.searchsorted(whole, level), first, stop)
    below = level * (middle - first) - (sums[middle] - sums[first])
    above = (sums[stop] - sums[middle]) - level * (stop - middle)
    moved: npt.NDArray[np.float64] = below + above
    return moved
