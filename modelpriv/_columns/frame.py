"""Tables in, tables out: pandas, polars, pyarrow, numpy and lists as named Arrow columns, and back to the same kind."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from modelpriv._columns.column import Built, Column, Frame, nulls_alone
from modelpriv._columns.containers import ArrayFrame, ArrowFrame, PandasFrame, PolarsFrame
from modelpriv._columns.reading import read_arrow, read_numpy
from modelpriv.errors import InputError, InputTypeError

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import Array, Table

__all__ = ["Built", "Column", "Frame", "as_names", "nulls_alone", "open_frame", "read_cells"]


def open_frame(X: Table) -> Frame:
    """Open a table; what is not one of the kinds that are protected is refused.

    Raises
    ------
    InputTypeError
        `X` is sparse, lazy, a masked array or a matrix, or no table at all.
    InputError
        `X` is not two-dimensional, has no columns, complex cells or duplicate column names.
    """
    if isinstance(X, Frame):
        return X
    if sparse.issparse(X):
        raise InputTypeError(
            f"A sparse {type(X).__name__} was passed, but dense data is required. Use `.toarray()` to make it dense."
        )
    if isinstance(X, (np.matrix, np.ma.MaskedArray)):
        raise InputTypeError(f"A numpy {type(X).__name__} is not supported. Pass a numpy array, with np.asarray.")
    known = nw.dependencies
    if known.is_pandas_dataframe(X):
        return _filled(PandasFrame(X, list(X.columns), len(X)))
    if known.is_polars_dataframe(X):
        return _filled(PolarsFrame(X, X.columns, X.height))
    if known.is_pyarrow_table(X):
        return _filled(ArrowFrame(X, X.column_names, X.num_rows))
    kind = f"{type(X).__module__.split('.')[0]} {type(X).__name__}"
    opened = nw.from_native(X, pass_through=True, allow_series=True)
    if isinstance(opened, nw.LazyFrame):
        raise InputTypeError(
            f"A lazy frame ({kind}) is not computed here. Collect it first, or map `transform` over its partitions "
            "(dask: map_partitions, polars: map_batches, Spark: mapInArrow)."
        )
    if isinstance(opened, nw.Series):
        raise InputError(
            f"Expected a table with rows and columns, got a {kind}. Reshape your data: pass a frame of one column "
            "(pandas: series.to_frame())."
        )
    if isinstance(opened, nw.DataFrame) or isinstance(X, pa.RecordBatch):
        raise InputTypeError(f"A {kind} is not supported. Pass pandas, polars, pyarrow, numpy or lists.")
    return _filled(_open_array(X))


def as_names(columns: Any) -> list[Any] | None:
    """Return a list of names or positions as a list; None if it is not, as a text or a series, which holds cells."""
    listed = isinstance(columns, (Sequence, AbstractSet, np.ndarray, pd.Index)) and not isinstance(
        columns, (str, bytes)
    )
    return list(columns) if listed else None


def read_cells(values: object, name: object) -> Array:
    """Read the cells of a single column: a list, a set, an array, or a column of any kind of table."""
    if isinstance(values, (list, tuple, AbstractSet)):
        cells = np.empty(len(values), object)
        cells[:] = list(values)
        return read_numpy(cells, name).data
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return read_arrow(values, name).data
    if hasattr(values, "to_frame"):  # pandas and polars
        return open_frame(values.to_frame()).column(0).data
    return read_numpy(np.asarray(values), name).data


def _open_array(X: Table) -> Frame:
    """Open a numpy array, a list of rows, or anything that says how it becomes an array."""
    if isinstance(X, (str, bytes, dict, set)) or X is None or callable(X):
        raise InputTypeError(
            f"Expected a table, got {type(X).__name__}. Pass a pandas, polars or pyarrow table, a numpy array or a "
            "list of rows."
        )
    try:
        array = X if isinstance(X, np.ndarray) else _rows_to_array(X)
    except Exception as error:  # noqa: BLE001 - numpy's own words may hold a cell
        reason = type(error).__name__
    else:
        if array.ndim != 2:  # noqa: PLR2004 - a table
            raise InputError(
                f"Expected 2D array, got {array.ndim}D array instead. Reshape your data either using "
                "array.reshape(-1, 1) if your data "
                f"has a single feature or array.reshape(1, -1) if it contains a single sample."
            )
        if array.dtype.kind == "c":
            raise InputError(f"Complex data not supported: the array has dtype {array.dtype}.")
        return ArrayFrame(array, range(array.shape[1]), array.shape[0], named=False)
    raise InputTypeError(
        f"A {type(X).__name__} does not become a table ({reason}). Pass rows of equal length, or a data frame."
    )


def _rows_to_array(X: Table) -> npt.NDArray[Any]:
    """Make rows into an array of objects, so that numpy turns no number into text and no nested cell into a row."""
    if not isinstance(X, (list, tuple)) or (len(X) and all(isinstance(row, np.ndarray) for row in X)):
        return np.asarray(X)
    if any(not isinstance(row, (list, tuple)) for row in X):
        return np.asarray(X, dtype=object).reshape(len(X))
    width = len(X[0]) if X else 0
    if any(len(row) != width for row in X):
        raise ValueError
    array = np.empty((len(X), width), dtype=object)
    for number, row in enumerate(X):
        for position, cell in enumerate(row):
            array[number, position] = cell
    return array


def _filled(frame: Frame) -> Frame:
    if not frame.names:
        raise InputError(f"Found array with 0 feature(s) (shape=({frame.n_rows}, 0)) while a minimum of 1 is required.")
    return frame
