"""A quasi-identifier while it is fitted: its cells as numbers, what kind of values they are, and how far apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.refusals import convert
from modelpriv.errors import InputError
from modelpriv.kernels.grouping.axes import Axis
from modelpriv.kernels.grouping.codes import Codes, as_codes
from modelpriv.transformers.k_anonymizer.hierarchy import refuse_unknown

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import Array, ArrowType
    from modelpriv._columns.frame import Column
    from modelpriv.transformers.k_anonymizer.hierarchy import Hierarchy

__all__ = ["Quasi", "as_quasi", "as_text", "has_order", "measured", "without_nan"]


@dataclass(frozen=True)
class Quasi:
    """A column: its cells' numbers and values, how to cut it, and its kind.

    The kind is ``"number"`` (also dates and times), ``"order"`` (an ordered category), ``"set"`` (values without an
    order) or ``"tree"`` (a hierarchy, which then says what the numbers are).
    """

    column: Column
    kind: str
    codes: Codes
    axis: Axis
    hierarchy: Hierarchy | None = None

    @property
    def has_nulls(self) -> bool:
        """Whether a cell is null."""
        return bool(self.column.data.null_count)


def as_quasi(column: Column, hierarchy: Hierarchy | None, weight: float) -> Quasi:
    """Read a column as a quasi-identifier.

    Raises
    ------
    InputError
        Its cells have no text, or its hierarchy does not have all of them.
    """
    column = without_nan(column)
    if hierarchy is not None:
        numbers = hierarchy.numbers_of(as_text(column))
        refuse_unknown(column.name, numbers)
        axis = Axis(numbers, np.linspace(0, 1, len(hierarchy.values)), hierarchy.ancestors, weight)
        return Quasi(column, "tree", Codes(numbers, hierarchy.values), axis, hierarchy)
    ordered = column.dtype.categories is not None and column.dtype.ordered
    codes = as_codes(column.data, column.categories if ordered else None)
    kind = "order" if ordered else "number" if measured(column.data.type) else "set"
    if kind == "set":
        as_text(replace(column, data=codes.values))  # refused before anything is computed
    points, span = _points(codes.values, kind)
    axis = Axis(codes.numbers, points, None, weight, unordered=kind == "set", span=span)
    return Quasi(column, kind, codes, axis)


def measured(type_: ArrowType) -> bool:
    """Return whether values of a type have distances: numbers, dates and times."""
    t = pa.types
    return bool(t.is_integer(type_) or t.is_floating(type_) or t.is_decimal(type_) or t.is_temporal(type_))


def has_order(column: Column) -> bool:
    """Return whether the values of a column have an order."""
    if column.dtype.categories is not None and column.dtype.ordered:
        return True
    return measured(column.dtype.arrow)


def without_nan(column: Column) -> Column:
    """Return a column whose NaN are nulls, as in pandas, so that each container says the same."""
    if not pa.types.is_floating(column.data.type):
        return column
    nan: Any = pc.is_nan(column.data)
    if not pc.any(nan).as_py():
        return column
    return replace(column, data=pc.if_else(nan, pa.scalar(None, column.data.type), column.data))


def as_text(column: Column) -> Array:
    """Return the cells of a column as text, as they are released."""
    if pa.types.is_binary(column.data.type) or pa.types.is_large_binary(column.data.type):
        raise InputError(
            f"Column {column.name!r} ({column.dtype}) holds bytes, which have no text to release. Convert it to text "
            "first, or leave it out of quasi."
        )
    text: Array = convert(lambda: column.data.cast(pa.large_string()), column.name, column.dtype, "text")
    return text


def _points(values: Any, kind: str) -> tuple[npt.NDArray[np.float64], float]:
    """Return where each value lies, and the distance of the last: by its size where it has one, else by its rank."""
    if kind == "number" and len(values) > 1:
        sizes = _sizes(values)
        span = float(sizes[-1] - sizes[0])
        if np.isfinite(span) and span > 0:
            return sizes, span
    return np.linspace(0, 1, len(values)), 1.0


def _sizes(values: Any) -> npt.NDArray[np.float64]:
    if pa.types.is_temporal(values.type):
        values = values.cast(pa.int32() if values.type.bit_width == 32 else pa.int64())  # noqa: PLR2004 - bits
    sizes: npt.NDArray[np.float64] = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return sizes
