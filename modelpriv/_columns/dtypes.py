"""How a container held a column: enough to build it again, described without any of its values."""

from __future__ import annotations

import decimal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelpriv.errors import InputError

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Array, ArrowType

__all__ = [
    "INTEGERS",
    "MAX_32_BIT",
    "NULL_ORDER",
    "DType",
    "Native",
    "common_dtype",
    "default_dtype",
    "default_text",
    "is_text",
    "large",
    "one_chunk",
]


@dataclass(frozen=True, slots=True)
class DType:
    """How a container held a column: enough to build it again, and no value of it.

    `arrow` is the type of the dense cells, `native` the container's own dtype. `cell` and `null` are the Python class
    and the kind of null of an object column. A categorical has the dtype of its `categories`, never the categories.
    """

    container: str
    arrow: Any
    native: Any
    cell: type | None = None
    null: str | None = None
    categories: DType | None = None
    ordered: bool = False

    @property
    def is_text(self) -> bool:
        """Whether the column is text that is held as text, and not as categories."""
        return self.categories is None and is_text(self.arrow)

    @property
    def exact(self) -> Any:
        """The Arrow type to build cells in; None where ints and decimals in objects take what they need."""
        return None if self.cell in {int, decimal.Decimal} else self.arrow

    def as_text(self) -> DType:
        """Return the dtype of text in this column's place: its own if it is text, else the container's default."""
        return self if self.is_text else default_text(self.container)

    def __str__(self) -> str:
        if self.categories is not None:
            return f"categorical of {self.categories}"
        if self.cell is not None:
            return f"object of {self.cell.__name__}"
        return str(self.native)


@dataclass(frozen=True, slots=True)
class Native:
    """A column as it was read: dense Arrow cells, maybe in chunks, its dtype and, for a categorical, its categories."""

    cells: Any
    dtype: DType
    categories: Any = None

    @property
    def data(self) -> Any:
        """The cells in one chunk."""
        return one_chunk(self.cells)


def is_text(type_: pa.DataType) -> bool:
    """Whether an Arrow type is text."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def common_dtype(one: DType, other: DType) -> DType | None:
    """Return the dtype that holds the cells of both, where both are of one kind; else None."""
    if one == other:
        return one
    if one.container != other.container or one.categories or other.categories:
        return None
    if one.cell is not None and other.cell is not None:
        known = other if one.cell is type(None) else one
        if {one.cell, other.cell} - {type(None), known.cell}:
            return None
        return replace(known, null=max(one.null, other.null, key=NULL_ORDER.index))
    widths = [dtype.native for dtype in (one, other) if isinstance(dtype.native, np.dtype)]
    if len(widths) == 2 and widths[0].kind == widths[1].kind and widths[0].kind in "US":  # noqa: PLR2004 - both
        return one if widths[0].itemsize >= widths[1].itemsize else other
    return None


def one_chunk(column: Any) -> Array:
    """Return the column as one array; text too long for 32-bit offsets becomes large text."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)  # type: ignore[return-value]  # Arrow's stubs call one chunk a chunked array
    if column.nbytes > MAX_32_BIT and (pa.types.is_string(column.type) or pa.types.is_binary(column.type)):
        column = column.cast(large(column.type))
    return column.combine_chunks()


def default_text(container: str) -> DType:
    """Return the text dtype that a container takes by default."""
    return default_dtype(container, pa.large_string() if container in {"pandas", "polars"} else pa.string())


def default_dtype(container: str, arrow: ArrowType) -> DType:
    """Return the dtype that a container takes by default for cells of an Arrow type."""
    if container in {"pyarrow", "polars"}:
        return DType(container, arrow, arrow) if container == "pyarrow" else _default_polars(arrow)
    if is_text(arrow):
        text = _PANDAS_TEXT if container == "pandas" else np.dtype(object)
        return DType(container, arrow, text, str if text == np.dtype(object) else None, "None")
    t = pa.types
    if t.is_integer(arrow) or t.is_floating(arrow) or t.is_boolean(arrow):
        return DType(container, arrow, np.dtype(arrow.to_pandas_dtype()))
    if t.is_duration(arrow) or (t.is_timestamp(arrow) and arrow.tz is None):
        return DType(container, arrow, np.dtype(f"{'m' if t.is_duration(arrow) else 'M'}8[{arrow.unit}]"))
    if t.is_timestamp(arrow) and container == "pandas":
        return DType(container, arrow, pd.DatetimeTZDtype(arrow.unit, arrow.tz))
    return DType(container, arrow, np.dtype(object), object, "None")


def _default_polars(arrow: ArrowType) -> DType:
    """Return the dtype that holds the same values in polars, which has shorter decimals and no time zones by offset."""
    if pa.types.is_timestamp(arrow) and arrow.tz is not None and arrow.tz[0] in "+-":
        arrow = pa.timestamp(arrow.unit, "UTC")
    if pa.types.is_decimal(arrow):
        digits = arrow.precision - min(arrow.scale, 0)
        if digits > _POLARS_DIGITS:
            raise InputError(f"A polars column holds no {arrow}. Pass the table as a pyarrow or pandas one instead.")
        arrow = pa.decimal128(digits, max(arrow.scale, 0))
    return DType("polars", arrow, None)


def large(type_: ArrowType) -> ArrowType:
    """Return the type of the same cells with 64-bit offsets."""
    return pa.large_string() if pa.types.is_string(type_) else pa.large_binary()


MAX_32_BIT = 2**31 - 1  # bytes that offsets of 32 bits reach
_POLARS_DIGITS = 38

# Since version 3 pandas has a text dtype of its own; before, text lives in object columns.
_PANDAS_TEXT: Any = pd.Series(["text"]).dtype

# Where an object column mixes several kinds of null, they come back as the last of these.
NULL_ORDER = [None, "None", "nan", "NA", "NaT", "Decimal NaN"]

INTEGERS = (
    pd.Int8Dtype,
    pd.Int16Dtype,
    pd.Int32Dtype,
    pd.Int64Dtype,
    pd.UInt8Dtype,
    pd.UInt16Dtype,
    pd.UInt32Dtype,
    pd.UInt64Dtype,
)
