"""Tables in, tables out: pandas, polars, pyarrow, numpy and lists as named Arrow columns, and back to the same kind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from modelpriv._columns.building import build
from modelpriv._columns.reading import read_arrow, read_numpy, read_pandas, read_polars
from modelpriv._columns.refusals import convert
from modelpriv.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import numpy.typing as npt

    from modelpriv._columns.arrow import Array, Table
    from modelpriv._columns.dtypes import DType, Native

__all__ = ["Built", "Column", "Frame", "as_names", "nulls_alone", "open_frame", "read_cells"]


@dataclass(frozen=True, slots=True)
class Column:
    """A named column on its way through a kernel: dense Arrow cells, and how its container held them."""

    name: Any
    data: Any = field(repr=False)
    dtype: DType
    categories: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Built:
    """A column on its way back: its cells, the dtype that they take, and the categories of a categorical.

    Cells are in Arrow, in one chunk or several, or numbers in a numpy array that nothing else holds: a masked one for
    nulls among integers and bools.
    """

    data: Any = field(repr=False)
    dtype: DType
    categories: Any = field(default=None, repr=False)


def nulls_alone(column: Column) -> Column:
    """Return a column without any value as one of Arrow's null type: what dtype it has depends on chance.

    pandas reads a part of a CSV file that holds nothing in a column of text as floats; others make objects of it.
    """
    size = len(column.data)
    return replace(column, data=pa.nulls(size)) if column.data.null_count == size else column


class Frame:
    """A table that was handed in, by the names and positions of its columns; it is never changed."""

    container: str
    dtype: Any = None  # the one dtype that all columns of an array have

    def __init__(self, native: Table, names: Sequence[Any], n_rows: int, *, named: bool = True) -> None:
        self.native = native
        self.names = list(names)
        self.n_rows = n_rows
        self.named = named  # False: the columns have positions only
        twice = {name for name, count in Counter(self.names).items() if count > 1}
        if twice:
            raise InputError(
                f"Column names must be unique, but these occur more than once: {sorted(map(repr, twice))}. Rename them."
            )

    def column(self, position: int, *, chunked: bool = False) -> Column:
        """Read one column, in one chunk unless it may stay `chunked` as its container has it."""
        name = self.names[position]
        native = self._read(position, name)
        return Column(name, native.cells if chunked else native.data, native.dtype, native.categories)

    def replaced(self, columns: Mapping[int, Built]) -> Table:
        """Return a new table of the same kind in which the columns at these positions are replaced."""
        raise NotImplementedError  # pragma: no cover - every container has its own

    def as_dtype(self, result: Table, dtype: Any) -> Table:  # noqa: ARG002 - for arrays
        """Return a table of this kind with the one dtype that it had, where that changes no cell."""
        return result

    def as_wanted(self, result: Table, wanted: str) -> Table:  # noqa: ARG002 - for the container that needs it
        """Return a result as scikit-learn's `set_output` can take it."""
        return result

    def _read(self, position: int, name: Hashable) -> Native:
        raise NotImplementedError  # pragma: no cover - every container has its own

    def _build(self, position: int, column: Built) -> Any:
        """Build the container's own column; what goes out may hold cells, so that its errors are reworded too."""
        name, kind = self.names[position], f"a column of {self.container}"
        return convert(lambda: build(column.data, column.dtype, column.categories), name, column.dtype, kind)


class _Pandas(Frame):
    container = "pandas"

    def _read(self, position: int, name: Hashable) -> Native:
        return read_pandas(self.native.iloc[:, position], name)

    def replaced(self, columns: Mapping[int, Built]) -> Table:
        # Before pandas 3 a shallow copy shares its cells with the input, so that writing to one writes to both.
        result = self.native.copy(deep=_PANDAS_COPIES_EAGERLY)
        for position, column in columns.items():
            values = self._build(position, column)
            # Left to itself, pandas 3 would turn an object column of text into its text dtype.
            dtype = values.dtype if isinstance(values, np.ndarray) else None
            result.isetitem(position, pd.Series(values, index=result.index, dtype=dtype, copy=False))
        return result


class _Polars(Frame):
    container = "polars"

    def _read(self, position: int, name: Hashable) -> Native:
        return read_polars(self.native.to_series(position), name)

    def replaced(self, columns: Mapping[int, Built]) -> Table:
        return self.native.with_columns(
            [self._build(position, column).alias(self.names[position]) for position, column in columns.items()]
        )

    def as_wanted(self, result: Table, wanted: str) -> Table:
        # scikit-learn would make one array of objects out of it.
        return result.to_pandas() if wanted == "pandas" else result


class _Arrow(Frame):
    container = "pyarrow"

    def _read(self, position: int, name: Hashable) -> Native:
        return read_arrow(self.native.column(position), name)

    def replaced(self, columns: Mapping[int, Built]) -> Table:
        result = self.native
        for position, column in columns.items():
            values = self._build(position, column)
            nullable = self.native.schema.field(position).nullable or values.null_count > 0
            field = pa.field(self.names[position], values.type, nullable=nullable)
            result = result.set_column(position, field, values)
        return _with_true_metadata(result, self.native.schema)

    def as_wanted(self, result: Table, wanted: str) -> Table:
        # scikit-learn makes frames out of arrays and frames, but not out of a pyarrow table.
        if wanted == "polars":
            import polars as pl  # noqa: PLC0415 - the user asked for polars, so it is there

            return convert(lambda: pl.from_arrow(result), "all", result.schema.types, "polars")
        # Every column is one that goes in, also what the metadata call an index.
        return result.to_pandas(ignore_metadata=True) if wanted == "pandas" else result


class _Array(Frame):
    """A two-dimensional numpy array, or a list of rows that was made into one."""

    container = "numpy"

    @property
    def dtype(self) -> Any:
        return self.native.dtype

    def _read(self, position: int, name: Hashable) -> Native:
        return read_numpy(self.native[:, position], name)

    def replaced(self, columns: Mapping[int, Built]) -> Table:
        if not columns:
            return self.native.copy()
        built = {position: self._build(position, column) for position, column in columns.items()}
        kept = () if len(built) == len(self.names) else (self.native.dtype,)
        dtypes = {values.dtype for values in built.values()} | set(kept)
        # An array has one dtype: columns of one kind keep it, text takes the width it needs, a mixture becomes objects.
        if len({dtype if dtype.kind not in "US" else dtype.kind for dtype in dtypes}) == 1:
            dtype = max(dtypes, key=lambda d: d.itemsize)
        else:
            dtype = np.dtype(object)
        result = np.empty(self.native.shape, dtype=dtype)
        for position in range(len(self.names)):
            values = built[position] if position in built else self.native[:, position]
            # numpy turns times into bare numbers of nanoseconds when they become objects.
            result[:, position] = list(values) if dtype.kind == "O" and values.dtype.kind in "mM" else values
        return result

    def as_dtype(self, result: Table, dtype: Any) -> Table:
        # Columns that passed next to tokens came back as objects; with all columns open they have one dtype again.
        if dtype is None or result.dtype == dtype:
            return result
        try:
            cast = result.astype(dtype)
        except (TypeError, ValueError, OverflowError):
            return result
        same = (cast == result) | (cast != cast)  # noqa: PLR0124 - NaN alone
        return cast if same.all() else result

    def as_wanted(self, result: Table, wanted: str) -> Table:
        # In a frame the columns of an array of objects can have dtypes of their own again.
        return pd.DataFrame(result).infer_objects() if wanted != "default" and result.dtype == object else result


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
        return _filled(_Pandas(X, list(X.columns), len(X)))
    if known.is_polars_dataframe(X):
        return _filled(_Polars(X, X.columns, X.height))
    if known.is_pyarrow_table(X):
        return _filled(_Arrow(X, X.column_names, X.num_rows))
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
        return _Array(array, range(array.shape[1]), array.shape[0], named=False)
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


def _with_true_metadata(table: Any, before: Any) -> Table:
    """Return a table whose pandas metadata say nothing of the former types of columns that have new ones."""
    metadata = table.schema.metadata or {}
    if b"pandas" not in metadata:
        return table
    said = json.loads(metadata[b"pandas"])
    changed = {field.name for field, old in zip(table.schema, before, strict=True) if field.type != old.type}
    for entry in said["columns"]:
        if entry.get("field_name", entry["name"]) in changed:
            # "object" is what pandas has for all that needs no word; an index needs its entry.
            entry.update(pandas_type="object", numpy_type="object", metadata=None)
    return table.replace_schema_metadata({**metadata, b"pandas": json.dumps(said).encode()})


def _filled(frame: Frame) -> Frame:
    if not frame.names:
        raise InputError(f"Found array with 0 feature(s) (shape=({frame.n_rows}, 0)) while a minimum of 1 is required.")
    return frame


_PANDAS_COPIES_EAGERLY = int(pd.__version__.split(".")[0]) < 3  # noqa: PLR2004 - copy-on-write came with version 3
