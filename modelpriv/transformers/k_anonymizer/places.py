"""The regions of a fitted column as plain data, and the numbers of new cells among them.

Only values that the classes show are kept: the ends of ranges, the members of sets, and where cuts are, which are ends
of ranges too; and the values of hierarchies and ordered categories, which are known. Those are the points of a column.
A new cell has the number ``2 * i + 2`` if it is the point `i`, and an odd number between those of its neighbours if it
is not one; null has 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.cells import logical_type
from modelpriv._columns.plain import array_from_plain, array_to_plain
from modelpriv.transformers.k_anonymizer.quasi import as_text, measured, without_nan
from modelpriv.transformers.tags import check_same_type

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import ArrowType
    from modelpriv._columns.frame import Column
    from modelpriv.transformers.fitted import State
    from modelpriv.transformers.k_anonymizer.quasi import Quasi
    from modelpriv.transformers.k_anonymizer.recoding import Members, Words

    Ints = npt.NDArray[np.int64]

__all__ = ["inside", "numbers_of", "placed", "state_of"]


def state_of(quasi: Quasi, members: Members, words: Words, thresholds: Ints, *, middles: bool) -> tuple[State, Ints]:
    """Return what is kept of a column, and the thresholds of its cuts as numbers of points."""
    # Middles show no ends of ranges, so that only the cuts are kept of numbers.
    points = np.unique(thresholds) if middles and quasi.kind == "number" else _points(quasi, members, thresholds)
    values = quasi.codes.values.take(pa.array(points - 1))
    state = {
        "name": quasi.column.name,
        "logical": logical_type(quasi.column.data.type),
        "kind": quasi.kind,
        "points": array_to_plain(values if quasi.kind == "number" else as_text(replace(quasi.column, data=values))),
        "cells": array_to_plain(words.cells),
        "absent": words.absent,
        "open": members.open,
        "nulls": quasi.has_nulls,
        "middles": middles,
    }
    if middles:
        return state, placed(thresholds, points)
    if members.numbers is not None and members.offsets is not None:
        classes = np.repeat(np.arange(len(members.open)), np.diff(members.offsets))
        shown = ~members.open[classes]
        state["pairs"] = classes[shown] * _width(len(points)) + placed(members.numbers[shown], points)
    else:
        state |= {"low": placed(members.low, points), "high": placed(members.high, points)}
    return state, placed(thresholds, points)


def placed(numbers: Ints, points: Ints) -> Ints:
    """Return the numbers of points for numbers of a column that are points, and something for others."""
    return np.where(numbers > 0, 2 * np.searchsorted(points, numbers) + 2, 0)


def numbers_of(column: Column, state: State) -> Ints:
    """Return the number of each cell among the points of a fitted column.

    Raises
    ------
    InputError
        The column holds another type than at fit.
    """
    points = array_from_plain(state["points"])
    if pa.types.is_null(column.data.type):
        return np.zeros(len(column.data), np.int64)
    if not (measured(column.data.type) and measured(points.type)):
        check_same_type(column, state["logical"])
    column = without_nan(column)
    nulls = column.data.is_null().to_numpy(zero_copy_only=False)
    if state["kind"] == "number":
        known, cells = _comparable(points, points.type), _comparable(column.data, points.type)
        place = np.searchsorted(known, cells)
        exact = known[np.minimum(place, len(known) - 1)] == cells if len(known) else np.zeros(len(cells), bool)
        return np.where(nulls, 0, 2 * place + 1 + exact)
    # A value that is not known has the first odd number, which no range or set holds.
    found = pc.index_in(as_text(column), value_set=points).cast(pa.int64()).fill_null(-1).to_numpy()
    return np.where(nulls, 0, np.where(found >= 0, 2 * found + 2, 1))


def inside(state: State, classes: Ints, numbers: Ints) -> npt.NDArray[np.bool_]:
    """Return which cells are what their class shows; a middle serves all cells between the cuts, known or not."""
    if state["middles"]:
        unknown = numbers == 1 if state["kind"] in {"set", "order", "tree"} else np.zeros(len(numbers), bool)
        known: npt.NDArray[np.bool_] = (~unknown | state["open"][classes]) & ((numbers > 0) | state["nulls"])
        return known
    if "pairs" in state:
        width = _width(state["points"]["length"])
        wanted, known = classes * width + numbers, state["pairs"]
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        shown = known[place] == wanted if len(known) else np.zeros(len(numbers), bool)
    else:
        shown = (state["low"][classes] <= numbers) & (numbers <= state["high"][classes])
    result: npt.NDArray[np.bool_] = shown | state["open"][classes]
    return result


def _points(quasi: Quasi, members: Members, thresholds: Ints) -> Ints:
    """Return the numbers of the values that are kept, in order."""
    if quasi.kind in {"order", "tree"}:
        return np.arange(1, quasi.codes.size)
    if members.numbers is not None and members.offsets is not None:
        shown = members.numbers[np.repeat(~members.open, np.diff(members.offsets))]
    else:
        shown = np.concatenate([members.low[~members.open], members.high[~members.open]])
    seen = np.zeros(quasi.codes.size, bool)
    seen[shown] = seen[thresholds] = True
    seen[0] = False  # null
    return np.flatnonzero(seen)


def _comparable(values: Any, type_: ArrowType) -> Any:
    """Return numbers, dates or times as an array of numbers that compare as they do; with anything in place of null."""
    if pa.types.is_temporal(type_):
        values = values.cast(type_, safe=False).cast(pa.int32() if type_.bit_width == 32 else pa.int64())  # noqa: PLR2004 - bits
    elif pa.types.is_decimal(values.type):
        values = values.cast(pa.float64(), safe=False)
    return values.fill_null(0).to_numpy(zero_copy_only=False)


def _width(points: int) -> int:
    """Return how many numbers the cells of a column may have."""
    return 2 * points + 2
