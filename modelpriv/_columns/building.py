"""Dense Arrow cells to the container's own column, in the dtype that it had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.dtypes import INTEGERS, MAX_32_BIT, DType, default_dtype
from modelpriv._columns.objects import build_objects

if TYPE_CHECKING:
    from modelpriv._columns.arrow import ArrowType, Chunked

__all__ = ["build"]


def build(data: Any, dtype: DType, categories: Any = None) -> Any:
    """Build the container's own column; a categorical whose categories are not given takes those that occur."""
    if isinstance(data, np.ndarray) or dtype.cell is not None:
        return _build_own(data, dtype) if isinstance(data, np.ndarray) else build_objects(data, dtype.null)
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


def _cast(data: Chunked, type_: ArrowType) -> Any:
    """Cast cells; text too long for 32-bit offsets becomes several chunks."""
    if data.type == type_:
        return data
    if data.nbytes <= MAX_32_BIT or len(data) < 2 or not (pa.types.is_string(type_) or pa.types.is_binary(type_)):  # noqa: PLR2004 - halves
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
            # The place of these cells in the order is not known, and none may be lost: they come back as they are.
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


def _build_numpy(data: Chunked, dtype: DType) -> Any:
    native = dtype.native
    if data.null_count and native.kind in "biuUS":
        # numpy has no null for these; pandas' nullable dtypes and objects lose nothing, floats would.
        if dtype.container == "pandas":
            return _NULLABLE[native.name].__from_arrow__(data)
        return build_objects(data, None)
    cells = data.to_numpy(zero_copy_only=False)
    if native.kind in "US":
        cells = cells.astype(native.kind)  # as wide as it needs to be, but no narrower than it was
        return cells.astype(native) if cells.dtype.itemsize < native.itemsize else cells
    return cells.astype(native)  # a copy, as Arrow's memory cannot be written to


def _build_own(numbers: Any, dtype: DType) -> Any:
    """Build numbers of the column's own numpy dtype that nothing else holds, without a copy."""
    if not isinstance(numbers, np.ma.MaskedArray):
        return numbers
    if dtype.container == "pandas":
        return _NULLABLE[dtype.native.name].construct_array_type()(numbers.data, numbers.mask)
    return build_objects(pa.array(numbers), None)


_NULLABLE: dict[str, Any] = {kind().name.lower(): kind() for kind in INTEGERS} | {"bool": pd.BooleanDtype()}
