"""Object columns: Python cells of one class, and nulls of any kind, to Arrow and back."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelpriv._columns.dtypes import NULL_ORDER, DType, Native, is_text, one_chunk
from modelpriv._columns.refusals import convert, unsupported
from modelpriv.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import Chunked

__all__ = ["CELLS", "build_objects", "read_objects"]


def read_objects(values: npt.NDArray[Any], name: object) -> Native:
    """Read an object column, which must hold cells of one Python class and nulls of one kind."""
    found = set(map(type, values))
    if any(issubclass(kind, _SCALARS) for kind in found):
        values = _as_python(values)
        found = set(map(type, values))
    nulls = {_NULLS[kind] for kind in found & _NULLS.keys()}
    cells = found - _NULLS.keys()
    if float in cells:
        is_nan = [value != value for value in values if type(value) is float]  # noqa: PLR0124 - only NaN differs from itself
        nulls |= {"nan"} if any(is_nan) else set()
        cells -= {float} if all(is_nan) and len(cells) > 1 else set()
    if decimal.Decimal in cells and any(type(value) is decimal.Decimal and value.is_nan() for value in values):
        nulls |= {"Decimal NaN"}
    if len(cells) > 1:
        kinds = ", ".join(sorted(kind.__name__ for kind in cells))
        raise InputError(
            f"Column {name!r} (dtype object) mixes cells of several types: {kinds}. Give them one type first."
        )
    cell = next(iter(cells), None)
    if cell is not None and cell not in CELLS:
        raise unsupported(name, f"object of {cell.__name__}")
    if any(getattr(value, "tzinfo", None) is not None for value in values if cell in _ZONED):
        raise InputError(
            f"Column {name!r} (dtype object) holds {cell.__name__ if cell else ''} cells with a time zone. Give it a "
            "dtype with "
            f"that time zone first, e.g. with pandas.to_datetime."
        )
    data = one_chunk(convert(lambda: _objects_to_arrow(values, cell), name, "object"))
    null = max(nulls, key=NULL_ORDER.index, default=None)
    return Native(data, DType("numpy", data.type, values.dtype, cell or type(None), null))


def _as_python(values: npt.NDArray[Any]) -> Any:
    """Return numpy's scalars as the Python objects that they equal, and its times as pandas', with nanoseconds."""
    cells = np.empty(len(values), object)
    cells[:] = [_plain(value) if isinstance(value, _SCALARS) else value for value in values]
    return cells


def _plain(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    return pd.Timedelta(value) if isinstance(value, np.timedelta64) else value.item()


def _objects_to_arrow(values: npt.NDArray[Any], cell: type | None) -> Any:
    if cell is None:
        return pa.nulls(len(values))
    try:
        return pa.array(values, type=CELLS[cell], from_pandas=True)
    except OverflowError:
        if cell is not int:
            raise
        return pa.array(values, type=pa.uint64(), from_pandas=True)


def build_objects(data: Chunked, null: str | None) -> Any:
    if is_text(data.type):
        cells = data.to_numpy(zero_copy_only=False)
    else:
        cells = np.empty(len(data), dtype=object)
        cells[:] = data.to_pylist()
    if data.null_count and null not in {None, "None"}:
        cells[data.is_null().to_numpy(zero_copy_only=False)] = _NULL_VALUES[null]
    return cells


_NULLS: dict[type, str] = {type(None): "None", type(pd.NA): "NA", type(pd.NaT): "NaT"}
_NULL_VALUES: dict[str | None, object] = {
    "nan": float("nan"),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "Decimal NaN": decimal.Decimal("NaN"),
}

# numpy's scalars but for records, which are not one value.
_SCALARS = (np.bool_, np.number, np.character, np.datetime64)

# The cells that an object column may hold; None lets Arrow find precision and scale.
CELLS: dict[type, Any] = {
    str: pa.string(),
    bytes: pa.binary(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    decimal.Decimal: None,
    dt.date: pa.date32(),
    dt.datetime: pa.timestamp("us"),
    pd.Timestamp: pa.timestamp("ns"),
    dt.time: pa.time64("us"),
    dt.timedelta: pa.duration("us"),
    pd.Timedelta: pa.duration("ns"),
}
_ZONED = {dt.datetime, pd.Timestamp, dt.time}
