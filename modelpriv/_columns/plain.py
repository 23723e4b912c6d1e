"""What a fitted object keeps of columns, as plain data: dtypes and arrays as dicts of built-in types and numpy arrays.

Nothing here names a class of this package, so that pickles open in every later version. A class of cells, a
time zone and a dtype of a container are written by their public names; an Arrow type as the bytes of its IPC schema.
"""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelpriv._columns.dtypes import DType
from modelpriv._columns.objects import CELLS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["array_from_plain", "array_to_plain", "dtype_from_plain", "dtype_to_plain"]

Plain = dict[str, Any]


def dtype_to_plain(dtype: DType) -> Plain:
    """Return a dtype as a dict of built-in types."""
    return {
        "container": dtype.container,
        "arrow": _type_to_bytes(dtype.arrow),
        "native": _native_to_plain(dtype.native),
        "cell": None if dtype.cell is None else dtype.cell.__name__,
        "null": dtype.null,
        "categories": None if dtype.categories is None else dtype_to_plain(dtype.categories),
        "ordered": dtype.ordered,
    }


def dtype_from_plain(plain: Mapping[str, Any]) -> DType:
    """Return the dtype that `dtype_to_plain` wrote."""
    categories = plain["categories"]
    return DType(
        plain["container"],
        _type_from_bytes(plain["arrow"]),
        _native_from_plain(plain["native"]),
        None if plain["cell"] is None else _CELLS[plain["cell"]],
        plain["null"],
        None if categories is None else dtype_from_plain(categories),
        plain["ordered"],
    )


def array_to_plain(array: pa.Array[Any]) -> Plain:
    """Return a flat Arrow array without nulls as its type, its length and its buffers, without a copy."""
    known: list[Any] = array.buffers()[1:]  # the first says where the nulls are
    buffers = [None if buffer is None else np.frombuffer(buffer, np.uint8) for buffer in known]
    return {"type": _type_to_bytes(array.type), "length": len(array), "offset": array.offset, "buffers": buffers}


def array_from_plain(plain: Mapping[str, Any]) -> pa.Array[Any]:
    """Return the array that `array_to_plain` wrote, without a copy."""
    buffers = [None, *(None if buffer is None else pa.py_buffer(buffer) for buffer in plain["buffers"])]
    return pa.Array.from_buffers(_type_from_bytes(plain["type"]), plain["length"], buffers, offset=plain["offset"])


# --- the dtypes of the containers ------------------------------------------------------------------------------------


def _native_to_plain(native: Any) -> Any:
    """Return a container's own dtype by the kind of thing it is; None and texts are plain already."""
    if native is None or isinstance(native, str):
        return native
    if isinstance(native, np.dtype):
        return {"numpy": native.str}
    if isinstance(native, pa.DataType):
        return {"arrow": _type_to_bytes(native)}
    if isinstance(native, pd.api.extensions.ExtensionDtype):
        return _pandas_to_plain(native)
    return {"polars": _polars_to_plain(native)}


def _native_from_plain(plain: Any) -> Any:
    if plain is None or isinstance(plain, str):
        return plain
    if "numpy" in plain:
        return np.dtype(plain["numpy"])
    if "arrow" in plain:
        return _type_from_bytes(plain["arrow"])
    return _pandas_from_plain(plain["pandas"]) if "pandas" in plain else _polars_from_plain(plain["polars"])


def _pandas_to_plain(native: Any) -> Plain:
    if isinstance(native, pd.ArrowDtype):
        return {"pandas": {"arrow": _type_to_bytes(native.pyarrow_dtype)}}
    if isinstance(native, pd.StringDtype):
        # pandas before 2.3 has no `na_value` that is NaN, but a storage of that meaning.
        return {"pandas": {"storage": native.storage, "nan": native.na_value is not pd.NA}}
    if isinstance(native, pd.DatetimeTZDtype):
        return {"pandas": {"unit": native.unit, "zone": _zone_to_plain(native.tz)}}
    return {"pandas": {"name": native.name}}


def _pandas_from_plain(plain: Mapping[str, Any]) -> Any:
    if "arrow" in plain:
        return pd.ArrowDtype(_type_from_bytes(plain["arrow"]))
    if "storage" in plain:
        return _pandas_text(plain["storage"], nan=plain["nan"])
    if "unit" in plain:
        return pd.DatetimeTZDtype(plain["unit"], _zone_from_plain(plain["zone"]))
    return pd.api.types.pandas_dtype(plain["name"])


def _pandas_text(storage: str, *, nan: bool) -> Any:
    if not nan or storage == "pyarrow_numpy":  # the second is how pandas 2.2 says "pyarrow, with NaN"
        return pd.StringDtype(storage)
    return pd.StringDtype(storage, na_value=np.nan)


def _polars_to_plain(native: Any) -> Plain:
    """Return a polars dtype as the Arrow type that polars gives it; categories have a name space of their own."""
    import polars as pl  # noqa: PLC0415 - a polars frame came in, so it is there

    if isinstance(native, pl.Categorical):
        own = getattr(native, "categories", None)  # polars before 1.31 has one name space for all
        if own is None or own.is_global():
            return {"categorical": None}
        return {"categorical": {"name": own.name(), "namespace": own.namespace(), "physical": str(own.physical())}}
    plain: Plain = {"arrow": _type_to_bytes(pl.Series(dtype=native).to_arrow().type)}
    if isinstance(native, pl.Decimal) and native.precision is None:  # older polars leaves it open
        plain["precision"] = None
    return plain


def _polars_from_plain(plain: Mapping[str, Any]) -> Any:
    import polars as pl  # noqa: PLC0415 - it came from a polars frame, and goes into one

    if "arrow" in plain:
        empty: Any = pl.from_arrow(pa.array([], _type_from_bytes(plain["arrow"])))
        return pl.Decimal(None, empty.dtype.scale) if "precision" in plain else empty.dtype
    own = plain["categorical"]
    if own is None:
        return pl.Categorical()
    return pl.Categorical(pl.Categories(own["name"], own["namespace"], getattr(pl, own["physical"])))


# --- time zones ------------------------------------------------------------------------------------------------------


def _zone_to_plain(zone: Any) -> Plain:
    """Return a time zone by its name and its library: pandas tells those of different libraries apart."""
    if isinstance(zone, zoneinfo.ZoneInfo):
        return {"library": "zoneinfo", "name": zone.key}
    library = type(zone).__module__.split(".")[0]
    if name := getattr(zone, "zone", None):
        return {"library": library, "name": name}
    if library in {"datetime", "pytz"}:
        return {"library": library, "seconds": zone.utcoffset(None).total_seconds()}
    return {"library": library, "name": pa.array([], pa.timestamp("s", zone)).type.tz}


def _zone_from_plain(plain: Mapping[str, Any]) -> Any:
    library = plain["library"]
    if library == "zoneinfo":
        return zoneinfo.ZoneInfo(plain["name"])
    if library == "datetime":
        offset = dt.timedelta(seconds=plain["seconds"])
        return dt.timezone(offset) if offset else dt.UTC
    if library == "pytz":
        import pytz  # type: ignore[import-untyped] # noqa: PLC0415 - the zone came from it

        return pytz.timezone(plain["name"]) if "name" in plain else pytz.FixedOffset(plain["seconds"] // 60)
    return f"{library}/{plain['name']}"  # as pandas writes those of dateutil


# --- Arrow types -----------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def _type_to_bytes(type_: pa.DataType) -> bytes:
    return pa.schema([pa.field("", type_)]).serialize().to_pybytes()


@functools.lru_cache(maxsize=256)
def _type_from_bytes(written: bytes) -> pa.DataType:
    type_: pa.DataType = pa.ipc.read_schema(pa.py_buffer(written)).field(0).type
    return type_


_CELLS: dict[str, type] = {cell.__name__: cell for cell in (*CELLS, object, type(None))}
