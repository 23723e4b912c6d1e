"""What the cells of a class become: a range, a set, a node of a hierarchy, or a middle value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv.kernels.grouping.codes import ranked
from modelpriv.kernels.grouping.diversity import pairs
from modelpriv.transformers.k_anonymizer.hierarchy import COVER
from modelpriv.transformers.k_anonymizer.quasi import as_text

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import Array
    from modelpriv.kernels.grouping.classes import Groups
    from modelpriv.transformers.k_anonymizer.hierarchy import Hierarchy
    from modelpriv.transformers.k_anonymizer.quasi import Quasi

__all__ = ["Members", "Words", "as_words", "members_of", "middles"]

Ints = Any


@dataclass(frozen=True)
class Members:
    """What each class holds of a column.

    Attributes
    ----------
    low, high : numpy array of int
        The least and the greatest number; below the class's node where there is a hierarchy.
    open : numpy array of bool
        Which classes say nothing: their cells are covered.
    loss : numpy array of float
        The normalised certainty penalty of each class, from 0 to 1.
    offsets, numbers : numpy array of int, optional
        For a set: the numbers that occur in each class, one class after the other, and where each begins.
    """

    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    open: npt.NDArray[np.bool_]
    loss: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.int64] | None = None
    numbers: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Words:
    """What the cells of each class become, and which classes have null."""

    cells: Array
    absent: npt.NDArray[np.bool_]


def members_of(quasi: Quasi, groups: Groups, low: Ints, high: Ints) -> Members:
    """Return what the classes hold of a column."""
    mixed = (low == 0) & (high > 0)
    if quasi.kind == "tree":
        first, last = quasi.axis.ends(low, high)
        whole = quasi.axis.depths(low, high) == 0
        return Members(first, last, whole & (high > 0), quasi.axis.widths(low, high))
    if quasi.kind != "set":
        return Members(low, high, mixed, quasi.axis.widths(low, high))
    size = quasi.codes.size
    _, found = ranked(groups.labels * size + quasi.codes.numbers, len(groups.sizes) * size)
    classes, numbers = np.divmod(found, size)
    counts = np.bincount(classes, minlength=len(groups.sizes))
    full = mixed | ((counts == size - 1) & (counts > 1) & (not quasi.has_nulls))
    loss = np.where(full, 1.0, np.where(counts > 1, counts / max(1, size - 1), 0.0))
    return Members(low, high, full, loss, np.append(0, np.cumsum(counts)), numbers)


def as_words(quasi: Quasi, members: Members) -> Words:
    """Return the range, the set or the node of each class as text."""
    absent = members.high == 0
    if quasi.hierarchy is not None:
        depth = quasi.axis.depths(members.low, members.high)
        cells = _of_nodes(quasi.hierarchy, depth, np.maximum(members.high, 1))
    elif members.offsets is not None and members.numbers is not None:
        cells = _of_sets(quasi, members.open | absent, members.offsets, members.numbers)
    else:
        cells = _of_ranges(quasi, members)
    return Words(
        _where(members.open, pa.scalar(COVER, cells.type), _where(absent, pa.scalar("", cells.type), cells)), absent
    )


def _of_nodes(hierarchy: Hierarchy, depth: Ints, number: Ints) -> Array:
    words: Any = hierarchy.words
    return pa.concat_arrays(words).take(pa.array(depth * len(words[0]) + number - 1))


def _of_ranges(quasi: Quasi, members: Members) -> Array:
    low, high = (_texts(quasi, np.maximum(ends, 1)) for ends in (members.low, members.high))
    written = _joined("[", low, ", ", high, "]")
    return _where(members.low == members.high, low, written)


def _of_sets(quasi: Quasi, silent: npt.NDArray[np.bool_], offsets: Ints, numbers: Ints) -> Array:
    # What is covered is never written out: a class of all values would have the longest text.
    sizes = np.where(silent, 0, np.diff(offsets))
    texts = _texts(quasi, numbers[np.repeat(~silent, np.diff(offsets))])
    lists = pa.LargeListArray.from_arrays(pa.array(np.append(0, np.cumsum(sizes))), texts)
    joined: Any = pc.binary_join(lists, pa.scalar(", ", texts.type))
    return _where(sizes > 1, _joined("{", joined, "}"), joined)


def _texts(quasi: Quasi, numbers: Ints) -> Array:
    if not len(quasi.codes.values):
        return pa.array([""] * len(numbers), pa.large_string())
    back, known = ranked(numbers, quasi.codes.size)
    texts: Any = as_text(replace(quasi.column, data=quasi.codes.values.take(pa.array(known - 1))))
    return texts.cast(pa.large_string()).take(pa.array(back))


def _joined(*parts: Any) -> Any:
    type_ = pa.large_string()
    cells = [pa.scalar(part, type_) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*cells, pa.scalar("", type_))


def _where(chosen: npt.NDArray[np.bool_], yes: Any, no: Any) -> Any:
    return pc.if_else(pa.array(chosen), yes, no)


# --- middles ----------------------------------------------------------------------------------------------------------


def middles(quasi: Quasi, groups: Groups, output: str) -> Words:
    """Return the mean or median of the numbers of each class, without nulls, and of other values the most frequent."""
    if quasi.kind != "number" or quasi.hierarchy is not None:
        return _most_frequent(quasi, groups)
    sizes = _sizes_of(quasi)
    valid = quasi.codes.numbers > 0
    labels, cells = groups.labels[valid], sizes[valid]
    counts = np.bincount(labels, minlength=len(groups.sizes))
    found = (_means if output == "mean" else _medians)(labels, cells, counts)
    return Words(_typed(quasi, found), counts == 0)


def _means(labels: Ints, cells: npt.NDArray[np.float64], counts: Ints) -> npt.NDArray[np.float64]:
    sums = np.bincount(labels, cells, minlength=len(counts))
    means: npt.NDArray[np.float64] = sums / np.maximum(counts, 1)
    return means


def _medians(labels: Ints, cells: npt.NDArray[np.float64], counts: Ints) -> npt.NDArray[np.float64]:
    ordered = np.append(cells[np.lexsort((cells, labels))], 0.0)
    starts = np.cumsum(counts) - counts
    low, high = (
        ordered[np.minimum(starts + half, len(cells))] for half in (np.maximum(counts - 1, 0) // 2, counts // 2)
    )
    return np.where(counts > 0, low + (high - low) / 2, 0.0)


def _most_frequent(quasi: Quasi, groups: Groups) -> Words:
    found = pairs(groups, quasi.codes.numbers, np.ones(quasi.codes.size, np.int64))
    order = np.lexsort((found.values, -found.counts, found.classes))
    first = order[np.searchsorted(found.classes[order], np.arange(len(groups.sizes)))]
    numbers = found.values[first]
    return Words(_texts(quasi, np.maximum(numbers, 1)), numbers == 0)


def _sizes_of(quasi: Quasi) -> npt.NDArray[np.float64]:
    """Return the cells as floats; times as their counts of units."""
    data = quasi.column.data
    if pa.types.is_temporal(data.type):
        data = data.cast(pa.int32() if data.type.bit_width == 32 else pa.int64())  # noqa: PLR2004 - bits
    sizes: npt.NDArray[np.float64] = data.cast(pa.float64(), safe=False).fill_null(0).to_numpy(zero_copy_only=False)
    return sizes


def _typed(quasi: Quasi, found: npt.NDArray[np.float64]) -> Array:
    """Return middles as floats, or as times of the column's type."""
    type_ = quasi.column.data.type
    if not pa.types.is_temporal(type_):
        return pa.array(found)
    wide = np.int32 if type_.bit_width == 32 else np.int64  # noqa: PLR2004 - bits
    return pa.array(np.rint(found).astype(wide)).cast(type_)
