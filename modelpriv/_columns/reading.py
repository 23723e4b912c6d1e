"""Columns of every container, native to dense Arrow cells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.dtypes import INTEGERS, MAX_32_BIT, DType, Native, is_text, large, one_chunk
from modelpriv._columns.objects import read_objects
from modelpriv._columns.refusals import convert, unsupported
from modelpriv.errors import InputError, InputTypeError

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import ArrowType, NativeColumn

__all__ = ["read_arrow", "read_numpy", "read_pandas", "read_polars"]


def read_pandas(series: NativeColumn, name: object) -> Native:
    """Read a pandas column."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        # Codes are looked up in Arrow: categories rebuilt as text turn nulls into the text 'None' in pandas 2.2.
        known = read_pandas(pd.Series(dtype.categories), name)
        codes = series.cat.codes.to_numpy()
        data = _look_up(known.data, pa.array(codes, mask=codes < 0))
        spec = DType("pandas", data.type, "category", categories=known.dtype, ordered=bool(dtype.ordered))
        return Native(data, spec, known.data)
    if isinstance(dtype, pd.SparseDtype):
        raise InputTypeError(f"Column {name!r} is sparse ({dtype}). Make it dense first, with `.sparse.to_dense()`.")
    if isinstance(dtype, np.dtype):
        native = read_numpy(series.to_numpy(), name)
        return replace(native, dtype=replace(native.dtype, container="pandas"))
    values = series.array
    if isinstance(dtype, pd.ArrowDtype):
        native = read_arrow(values.__arrow_array__(), name)
        return replace(native, dtype=replace(native.dtype, container="pandas", native=dtype))
    if isinstance(dtype, _PANDAS_EXTENSIONS):
        data = _unwrapped(convert(lambda: pa.array(values), name, dtype))
        return Native(data, DType("pandas", data.type, dtype))
    raise unsupported(name, dtype)


def read_polars(series: NativeColumn, name: object) -> Native:
    """Read a polars column."""
    kind = type(series.dtype).__name__
    if kind == "Object":  # Arrow would take its raw pointers
        raise unsupported(name, kind)
    native = read_arrow(convert(series.to_arrow, name, kind), name)
    # An Enum's dtype holds its categories; its name does not.
    own = kind if kind == "Enum" else series.dtype
    return replace(native, dtype=replace(native.dtype, container="polars", native=own))


def read_arrow(column: Any, name: object) -> Native:
    """Read a column of a pyarrow table."""
    data: Any = _unwrapped(column)
    type_ = column.type
    if pa.types.is_dictionary(type_):
        data = one_chunk(data)
        known = read_arrow(data.dictionary, name)
        dense = _look_up(known.data, data.indices)
        spec = DType("pyarrow", dense.type, type_, categories=known.dtype, ordered=type_.ordered)
        return Native(dense, spec, known.data)
    plain = _plain(type_)
    if isinstance(type_, pa.BaseExtensionType) or not any(is_kind(plain) for is_kind in _FLAT):
        raise unsupported(name, type_)
    if type_ != plain:
        return Native(convert(lambda: data.cast(plain), name, type_), DType("pyarrow", plain, type_))
    return Native(data, DType("pyarrow", data.type, type_))


def read_numpy(values: npt.NDArray[Any], name: object) -> Native:
    """Read a column of a numpy array."""
    dtype = values.dtype
    if dtype.kind == "O":
        return read_objects(values, name)
    if dtype.kind == "c":
        raise InputError(f"Complex data not supported: column {name!r} has dtype {dtype}.")
    if dtype.kind not in "biufMmUS" or (dtype.kind == "f" and dtype.itemsize > np.dtype(float).itemsize):
        raise unsupported(name, dtype)
    cells = np.ascontiguousarray(values, dtype=dtype.newbyteorder("="))
    if dtype.kind in "mM":
        unit, count = np.datetime_data(dtype)
        if count != 1 or unit not in _NUMPY_UNITS[dtype.kind]:
            raise unsupported(name, dtype)
        cells = cells.astype(f"{dtype.kind}8[{_NUMPY_UNITS[dtype.kind][unit]}]", copy=False)
    elif dtype.kind in _NUMPY_TEXT:
        cells = cells.astype(object)  # Arrow would cut the others at their first NUL
    elif dtype == np.float16:
        cells = cells.astype(np.float32)
    type_ = _NUMPY_TEXT.get(dtype.kind)
    data = one_chunk(convert(lambda: _to_arrow(cells, type_), name, dtype))
    if dtype.kind in "mM" and unit not in _EXACT_UNITS:
        # numpy and Arrow both let what is too large for a coarser unit, or for a date, wrap around.
        same = data.to_numpy(zero_copy_only=False).astype(dtype, copy=False) == values
        if not (same | np.isnat(values)).all():
            raise InputError(
                f"Column {name!r} has dtype {dtype} and holds times too far off to be read. Remove them first."
            )
    return Native(data, DType("numpy", data.type, dtype))


def _to_arrow(cells: npt.NDArray[Any], type_: ArrowType) -> Any:
    """Return an array in Arrow; one without NaN or NaT as it is, which Arrow would copy to find its nulls."""
    kind, size = cells.dtype.kind, len(cells)
    if kind == "f" and size:
        with np.errstate(invalid="ignore"):
            lowest = cells.min()
        if not np.isnan(lowest):
            return pa.array(cells)
    if kind in "mM" and size and np.datetime_data(cells.dtype)[0] in _EXACT_UNITS:
        numbers: Any = cells.view(np.int64)
        if numbers.min() != np.iinfo(np.int64).min:
            return pa.array(numbers).view(pa.from_numpy_dtype(cells.dtype))
    return pa.array(cells, type_, from_pandas=True)


def _plain(type_: ArrowType) -> ArrowType:
    """Return the type that a type is read as: Arrow computes little with these."""
    t = pa.types
    if t.is_string_view(type_):
        return pa.large_string()
    if t.is_binary_view(type_):
        return pa.large_binary()
    if t.is_float16(type_):
        return pa.float32()
    if t.is_date64(type_):
        return pa.date32()
    if t.is_decimal(type_) and type_.bit_width < 128:  # noqa: PLR2004 - bits
        return pa.decimal128(type_.precision, type_.scale)
    return type_


def _look_up(known: Any, codes: Any) -> Any:
    """Return the categories that codes stand for; text too long for 32-bit offsets becomes large text."""
    if pa.types.is_string(known.type) or pa.types.is_binary(known.type):
        size = pc.sum(pc.binary_length(known).take(codes).cast(pa.int64())).as_py() or 0
        if size > MAX_32_BIT:
            known = known.cast(large(known.type))
    return known.take(codes)


def _unwrapped(column: Any) -> Any:
    """Return the column without the wrapping of chunks, unless there are several."""
    return column if isinstance(column, pa.ChunkedArray) and column.num_chunks > 1 else one_chunk(column)


# The digits that Arrow's widest decimal has; a negative scale could stand for more.
_DIGITS = 76

_PANDAS_EXTENSIONS = (*INTEGERS, pd.Float32Dtype, pd.Float64Dtype, pd.BooleanDtype, pd.StringDtype, pd.DatetimeTZDtype)

_NUMPY_TEXT: dict[str, Any] = {"S": pa.binary(), "U": pa.string()}

# numpy's units and those that Arrow reads them as, exactly.
_NUMPY_UNITS = {
    "M": {"Y": "s", "M": "s", "W": "s", "D": "D", "h": "s", "m": "s", "s": "s", "ms": "ms", "us": "us", "ns": "ns"},
    "m": {"W": "s", "D": "s", "h": "s", "m": "s", "s": "s", "ms": "ms", "us": "us", "ns": "ns"},
}

_EXACT_UNITS = {"s", "ms", "us", "ns"}  # which Arrow has too

_FLAT = (
    *(is_text, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_integer),
    *(pa.types.is_floating, pa.types.is_boolean, pa.types.is_date, pa.types.is_time, pa.types.is_timestamp),
    *(pa.types.is_duration, lambda type_: pa.types.is_decimal(type_) and type_.precision - type_.scale <= _DIGITS),
    pa.types.is_null,
)
