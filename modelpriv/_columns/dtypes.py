"""One column, native to Arrow and back: how a container held it, described without any of its values."""

from __future__ import annotations

import datetime as dt
import decimal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DType",
    "Native",
    "build",
    "common_dtype",
    "default_dtype",
    "default_text",
    "is_text",
    "one_chunk",
    "read_arrow",
    "read_numpy",
    "read_pandas",
    "read_polars",
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
        return replace(known, null=max(one.null, other.null, key=_NULL_ORDER.index))
    widths = [dtype.native for dtype in (one, other) if isinstance(dtype.native, np.dtype)]
    if len(widths) == 2 and widths[0].kind == widths[1].kind and widths[0].kind in "US":  # noqa: PLR2004 - both
        return one if widths[0].itemsize >= widths[1].itemsize else other
    return None


def is_text(type_: pa.DataType) -> bool:
    """Whether an Arrow type is text."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


# --- container -> Arrow ----------------------------------------------------------------------------------------------


def read_pandas(series: Any, name: object) -> Native:
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
        data = _unwrapped(_convert(lambda: pa.array(values), name, dtype))
        return Native(data, DType("pandas", data.type, dtype))
    raise _unsupported(name, dtype)


def read_polars(series: Any, name: object) -> Native:
    """Read a polars column."""
    kind = type(series.dtype).__name__
    if kind == "Object":  # Arrow would take its raw pointers
        raise _unsupported(name, kind)
    native = read_arrow(_convert(series.to_arrow, name, kind), name)
    # An Enum's dtype holds its categories; its name does not.
    own = kind if kind == "Enum" else series.dtype
    return replace(native, dtype=replace(native.dtype, container="polars", native=own))


def read_arrow(column: Any, name: object) -> Native:
    """Read a column of a pyarrow table."""
    type_, data = column.type, _unwrapped(column)
    if pa.types.is_dictionary(type_):
        data = one_chunk(data)
        known = read_arrow(data.dictionary, name)
        dense = _look_up(known.data, data.indices)
        spec = DType("pyarrow", dense.type, type_, categories=known.dtype, ordered=type_.ordered)
        return Native(dense, spec, known.data)
    plain = _plain(type_)
    if isinstance(type_, pa.BaseExtensionType) or not any(is_kind(plain) for is_kind in _FLAT):
        raise _unsupported(name, type_)
    if type_ != plain:
        return Native(_convert(lambda: data.cast(plain), name, type_), DType("pyarrow", plain, type_))
    return Native(data, DType("pyarrow", data.type, type_))


def read_numpy(values: Any, name: object) -> Native:
    """Read a column of a numpy array."""
    dtype = values.dtype
    if dtype.kind == "O":
        return _read_objects(values, name)
    if dtype.kind == "c":
        raise InputError(f"Complex data not supported: column {name!r} has dtype {dtype}.")
    if dtype.kind not in "biufMmUS" or (dtype.kind == "f" and dtype.itemsize > np.dtype(float).itemsize):
        raise _unsupported(name, dtype)
    cells = np.ascontiguousarray(values, dtype=dtype.newbyteorder("="))
    if dtype.kind in "mM":
        unit, count = np.datetime_data(dtype)
        if count != 1 or unit not in _NUMPY_UNITS[dtype.kind]:
            raise _unsupported(name, dtype)
        cells = cells.astype(f"{dtype.kind}8[{_NUMPY_UNITS[dtype.kind][unit]}]", copy=False)
    elif dtype.kind in _NUMPY_TEXT:
        cells = cells.astype(object)  # Arrow would cut the others at their first NUL
    elif dtype == np.float16:
        cells = cells.astype(np.float32)
    type_ = _NUMPY_TEXT.get(dtype.kind)
    data = one_chunk(_convert(lambda: pa.array(cells, type_, from_pandas=True), name, dtype))
    if dtype.kind in "mM":
        # numpy and Arrow both let what is too large for a coarser unit, or for a date, wrap around.
        same = data.to_numpy(zero_copy_only=False).astype(dtype, copy=False) == values
        if not (same | np.isnat(values)).all():
            raise InputError(
                f"Column {name!r} has dtype {dtype} and holds times too far off to be read. Remove them first."
            )
    return Native(data, DType("numpy", data.type, dtype))


def _read_objects(values: Any, name: object) -> Native:
    """Read an object column, which must hold cells of one Python class and nulls of one kind."""
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
    if len(nulls) > 1:
        raise InputError(
            f"Column {name!r} (dtype object) mixes several kinds of null: {', '.join(sorted(nulls))}. Use one kind "
            "first."
        )
    cell = next(iter(cells), None)
    if cell is not None and cell not in _CELLS:
        raise _unsupported(name, f"object of {cell.__name__}")
    if any(getattr(value, "tzinfo", None) is not None for value in values if cell in _ZONED):
        raise InputError(
            f"Column {name!r} (dtype object) holds {cell.__name__ if cell else ''} cells with a time zone. Give it a "
            "dtype with "
            f"that time zone first, e.g. with pandas.to_datetime."
        )
    data = one_chunk(_convert(lambda: _objects_to_arrow(values, cell), name, "object"))
    return Native(data, DType("numpy", data.type, values.dtype, cell or type(None), next(iter(nulls), None)))


def _objects_to_arrow(values: Any, cell: type | None) -> Any:
    if cell is None:
        return pa.nulls(len(values))
    try:
        return pa.array(values, type=_CELLS[cell], from_pandas=True)
    except OverflowError:
        if cell is not int:
            raise
        return pa.array(values, type=pa.uint64(), from_pandas=True)


def _plain(type_: Any) -> Any:
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
        if size > _MAX_32_BIT:
            known = known.cast(_large(known.type))
    return known.take(codes)


def _unwrapped(column: Any) -> Any:
    """Return the column without the wrapping of chunks, unless there are several."""
    return column if isinstance(column, pa.ChunkedArray) and column.num_chunks > 1 else one_chunk(column)


def one_chunk(column: Any) -> Any:
    """Return the column as one array; text too long for 32-bit offsets becomes large text."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    if column.nbytes > _MAX_32_BIT and (pa.types.is_string(column.type) or pa.types.is_binary(column.type)):
        column = column.cast(_large(column.type))
    return column.combine_chunks()


def _large(type_: Any) -> Any:
    return pa.large_string() if pa.types.is_string(type_) else pa.large_binary()


def _convert(reader: Callable[[], Any], name: object, dtype: object) -> Any:
    """Call a reader whose own errors may print cells, and reword them."""
    try:
        return reader()
    except UnicodeError:
        why = "holds a lone surrogate, which is not valid Unicode. Clean its text first"
    except Exception as error:  # noqa: BLE001 - whatever the container raises, its words may hold a cell
        why = f"does not convert to Arrow ({type(error).__name__}). Give it a plain dtype first"
    raise InputError(f"Column {name!r} (dtype {dtype}) {why}.")


def _unsupported(name: object, dtype: object) -> InputError:
    return InputError(
        f"Column {name!r} has dtype {dtype}, which is not supported. Supported are text, integers, floats, bools, "
        "dates, times, "
        f"timestamps, durations, decimals, bytes and categoricals of these. Convert it first, e.g. with .astype(str)."
    )


# --- Arrow -> container ----------------------------------------------------------------------------------------------


def default_text(container: str) -> DType:
    """Return the text dtype that a container takes by default."""
    return default_dtype(container, pa.large_string() if container in {"pandas", "polars"} else pa.string())


def default_dtype(container: str, arrow: Any) -> DType:
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


def _default_polars(arrow: Any) -> DType:
    """Return the dtype that holds the same values in polars, which has shorter decimals and no time zones by offset."""
    if pa.types.is_timestamp(arrow) and arrow.tz is not None and arrow.tz[0] in "+-":
        arrow = pa.timestamp(arrow.unit, "UTC")
    if pa.types.is_decimal(arrow):
        digits = arrow.precision - min(arrow.scale, 0)
        if digits > _POLARS_DIGITS:
            raise InputError(f"A polars column holds no {arrow}. Pass the table as a pyarrow or pandas one instead.")
        arrow = pa.decimal128(digits, max(arrow.scale, 0))
    return DType("polars", arrow, None)


def build(data: Any, dtype: DType, categories: Any = None) -> Any:
    """Build the container's own column; a categorical whose categories are not given takes those that occur."""
    if isinstance(data, np.ndarray) or dtype.cell is not None:
        return _build_own(data, dtype) if isinstance(data, np.ndarray) else _build_objects(data, dtype.null)
    if pa.types.is_null(dtype.arrow) and not pa.types.is_null(data.type):
        dtype = default_dtype(dtype.container, data.type)  # a dtype for nulls alone says nothing of other cells
    if dtype.categories is not None:
        return _build_categories(_cast(data, dtype.arrow), dtype, dtype.categories, categories)
    if dtype.container == "pyarrow":
        return _cast(data, dtype.native)
    native: Any = dtype.native
    data = _cast(data, native.pyarrow_dtype if isinstance(native, pd.ArrowDtype) else dtype.arrow)
    if dtype.container == "polars":
        return _build_polars(data, native)
    if isinstance(native, np.dtype):
        return _build_numpy(data, dtype)
    built = native.__from_arrow__(data)
    # pandas takes Arrow's memory for instants, and it cannot be written to.
    return built.copy() if isinstance(native, pd.DatetimeTZDtype) else built


def _cast(data: Any, type_: Any) -> Any:
    """Cast cells; text too long for 32-bit offsets becomes several chunks."""
    if data.type == type_:
        return data
    if data.nbytes <= _MAX_32_BIT or len(data) < 2 or not (pa.types.is_string(type_) or pa.types.is_binary(type_)):  # noqa: PLR2004 - halves
        return data.cast(type_)
    half = len(data) // 2
    parts = [_cast(data.slice(0, half), type_), _cast(data.slice(half), type_)]
    return pa.chunked_array(
        [chunk for part in parts for chunk in (part.chunks if isinstance(part, pa.ChunkedArray) else [part])]
    )


def _build_categories(data: Any, dtype: DType, spec: DType, known: Any) -> Any:
    found = data.unique().drop_null()
    known = found if known is None else known
    new = found.filter(pc.invert(pc.is_in(found, value_set=known)))
    if len(new):
        if dtype.ordered or dtype.native == "Enum":
            # Where in the order these cells stand is not known, and none may be lost: they come back as they are.
            return build(data, default_dtype(dtype.container, data.type))
        known = pa.concat_arrays([known, new])
    if dtype.container == "polars":
        import polars as pl  # noqa: PLC0415 - a polars frame came in, so it is there

        return _build_polars(data, pl.Enum(known.to_pylist()) if dtype.native == "Enum" else dtype.native)
    codes = pc.index_in(data, value_set=known)
    if dtype.native == "category":
        index = pd.Index(build(known, spec), dtype=object if spec.cell is not None else spec.native)
        numbers = codes.fill_null(-1).to_numpy(zero_copy_only=False)
        return pd.Categorical.from_codes(numbers.copy(), dtype=pd.CategoricalDtype(index, dtype.ordered))
    type_ = dtype.native.pyarrow_dtype if dtype.container == "pandas" else dtype.native
    values = known.cast(type_.value_type)
    array = pa.DictionaryArray.from_arrays(codes.cast(type_.index_type), values, ordered=type_.ordered)
    return dtype.native.__from_arrow__(array) if dtype.container == "pandas" else array


def _build_polars(data: Any, native: Any) -> Any:
    import polars as pl  # noqa: PLC0415 - a polars frame came in, so it is there

    series = pl.Series(values=pl.from_arrow(data))
    return series if native is None or series.dtype == native else series.cast(native)


def _build_objects(data: Any, null: str | None) -> Any:
    if is_text(data.type):
        cells = data.to_numpy(zero_copy_only=False)
    else:
        cells = np.empty(len(data), dtype=object)
        cells[:] = data.to_pylist()
    if data.null_count and null not in {None, "None"}:
        cells[data.is_null().to_numpy(zero_copy_only=False)] = _NULL_VALUES[null]
    return cells


def _build_numpy(data: Any, dtype: DType) -> Any:
    native = dtype.native
    if data.null_count and native.kind in "biuUS":
        # numpy has no null for these; pandas' nullable dtypes and objects lose nothing, floats would.
        if dtype.container == "pandas":
            return _NULLABLE[native.name].__from_arrow__(data)
        return _build_objects(data, None)
    cells = data.to_numpy(zero_copy_only=False)
    if native.kind in "US":
        cells = cells.astype(native.kind)  # as wide as it needs to be, but no narrower than it was
        return cells.astype(native) if cells.dtype.itemsize < native.itemsize else cells
    return cells.astype(native)  # a copy, as Arrow's memory cannot be written to


def _build_own(numbers: Any, dtype: DType) -> Any:
    """Build numbers of the column's own numpy dtype that nobody else holds, without a copy."""
    if not isinstance(numbers, np.ma.MaskedArray):
        return numbers
    if dtype.container == "pandas":
        return _NULLABLE[dtype.native.name].construct_array_type()(numbers.data, numbers.mask)
    return _build_objects(pa.array(numbers), None)


_MAX_32_BIT = 2**31 - 1

# The digits that Arrow's widest decimal has; a negative scale could stand for more.
_DIGITS = 76
_POLARS_DIGITS = 38

# Since version 3 pandas has a text dtype of its own; before, text lives in object columns.
_PANDAS_TEXT: Any = pd.Series(["text"]).dtype

_INTEGERS = (
    pd.Int8Dtype,
    pd.Int16Dtype,
    pd.Int32Dtype,
    pd.Int64Dtype,
    pd.UInt8Dtype,
    pd.UInt16Dtype,
    pd.UInt32Dtype,
    pd.UInt64Dtype,
)
_PANDAS_EXTENSIONS = (*_INTEGERS, pd.Float32Dtype, pd.Float64Dtype, pd.BooleanDtype, pd.StringDtype, pd.DatetimeTZDtype)
_NULLABLE: dict[str, Any] = {kind().name.lower(): kind() for kind in _INTEGERS} | {"bool": pd.BooleanDtype()}

# Where an object column mixes several kinds of null, they come back as the last of these.
_NULL_ORDER = [None, "None", "nan", "NA", "NaT", "Decimal NaN"]
_NULLS: dict[type, str] = {type(None): "None", type(pd.NA): "NA", type(pd.NaT): "NaT"}
_NULL_VALUES: dict[str | None, object] = {
    "nan": float("nan"),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "Decimal NaN": decimal.Decimal("NaN"),
}

# The cells that an object column may hold; None lets Arrow find precision and scale.
_CELLS: dict[type, Any] = {
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

_NUMPY_TEXT: dict[str, Any] = {"S": pa.binary(), "U": pa.string()}

# numpy's units and those that Arrow reads them as, exactly.
_NUMPY_UNITS = {
    "M": {"Y": "s", "M": "s", "W": "s", "D": "D", "h": "s", "m": "s", "s": "s", "ms": "ms", "us": "us", "ns": "ns"},
    "m": {"W": "s", "D": "s", "h": "s", "m": "s", "s": "s", "ms": "ms", "us": "us", "ns": "ns"},
}

_FLAT = (
    *(is_text, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_integer),
    *(pa.types.is_floating, pa.types.is_boolean, pa.types.is_date, pa.types.is_time, pa.types.is_timestamp),
    *(pa.types.is_duration, lambda type_: pa.types.is_decimal(type_) and type_.precision - type_.scale <= _DIGITS),
    pa.types.is_null,
)
