"""The kinds of table: pandas, polars, pyarrow and numpy, each read by column and built again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelpriv._columns.column import Built, Frame
from modelpriv._columns.reading import read_arrow, read_numpy, read_pandas, read_polars
from modelpriv._columns.refusals import convert

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from modelpriv._columns.arrow import Table
    from modelpriv._columns.dtypes import Native

__all__ = ["ArrayFrame", "ArrowFrame", "PandasFrame", "PolarsFrame"]


class PandasFrame(Frame):
    container = "pandas"

    def _read(self, position: int, name: Hashable) -> Native:
        return read_pandas(self.native.iloc[:, position], name)

    def _first(self, rows: int) -> Table:
        return self.native.iloc[:rows]

    def replaced(self, columns: Mapping[int, Built]) -> Table:
        # Before pandas 3 a shallow copy shares its cells with the input, so that writing to one writes to both.
        result = self.native.copy(deep=_PANDAS_COPIES_EAGERLY)
        for position, column in columns.items():
            values = self._build(position, column)
            # Left to itself, pandas 3 would turn an object column of text into its text dtype.
            dtype = values.dtype if isinstance(values, np.ndarray) else None
            result.isetitem(position, pd.Series(values, index=result.index, dtype=dtype, copy=False))
        return result

    def assembled(self, columns: Sequence[tuple[Any, int, Built | None]]) -> Table:
        index, held = self.native.index, {}
        for place, (_, position, column) in enumerate(columns):
            if column is None:
                held[place] = self.native.iloc[:, position].copy(deep=_PANDAS_COPIES_EAGERLY)
                continue
            values = self._build(position, column)
            dtype = values.dtype if isinstance(values, np.ndarray) else None
            held[place] = pd.Series(values, index=index, dtype=dtype, copy=False)
        # By number: a dict of names would join columns of one name.
        result = pd.DataFrame(held, index=index, copy=False)
        result.columns = pd.Index([name for name, _, _ in columns], name=self.native.columns.name, tupleize_cols=False)
        return result


class PolarsFrame(Frame):
    container = "polars"

    def _read(self, position: int, name: Hashable) -> Native:
        return read_polars(self.native.to_series(position), name)

    def replaced(self, columns: Mapping[int, Built]) -> Table:
        return self.native.with_columns(
            [self._build(position, column).alias(self.names[position]) for position, column in columns.items()]
        )

    def assembled(self, columns: Sequence[tuple[Any, int, Built | None]]) -> Table:
        made = [
            (self.native.to_series(position) if column is None else self._build(position, column)).alias(name)
            for name, position, column in columns
        ]
        return type(self.native)(made)

    def as_wanted(self, result: Table, wanted: str) -> Table:
        # scikit-learn would make one array of objects out of it.
        return result.to_pandas() if wanted == "pandas" else result


class ArrowFrame(Frame):
    container = "pyarrow"

    def _read(self, position: int, name: Hashable) -> Native:
        return read_arrow(self.native.column(position), name)

    def _first(self, rows: int) -> Table:
        return self.native.slice(0, rows)

    def replaced(self, columns: Mapping[int, Built]) -> Table:
        result = self.native
        for position, column in columns.items():
            values = self._build(position, column)
            nullable = self.native.schema.field(position).nullable or values.null_count > 0
            field = pa.field(self.names[position], values.type, nullable=nullable)
            result = result.set_column(position, field, values)
        return _with_true_metadata(result, self.native.schema)

    def assembled(self, columns: Sequence[tuple[Any, int, Built | None]]) -> Table:
        fields, held = [], []
        for name, position, column in columns:
            field = self.native.schema.field(position).with_name(name)
            values = self.native.column(position) if column is None else self._build(position, column)
            nullable = field.nullable or values.null_count > 0
            fields.append(field if column is None else pa.field(name, values.type, nullable=nullable))
            held.append(values)
        return _with_true_metadata(pa.table(held, schema=pa.schema(fields)), self.native.schema)

    def as_wanted(self, result: Table, wanted: str) -> Table:
        # scikit-learn makes frames out of arrays and frames, but not out of a pyarrow table.
        if wanted == "polars":
            import polars as pl  # noqa: PLC0415 - the user asked for polars, so it is there

            return convert(lambda: pl.from_arrow(result), "all", result.schema.types, "polars")
        # Every column is one that goes in, also what the metadata call an index.
        return result.to_pandas(ignore_metadata=True) if wanted == "pandas" else result


class ArrayFrame(Frame):
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

    def assembled(self, columns: Sequence[tuple[Any, int, Built | None]]) -> Table:
        chosen = ArrayFrame(self.native[:, [position for _, position, _ in columns]], range(len(columns)), self.n_rows)
        return chosen.replaced({place: column for place, (_, _, column) in enumerate(columns) if column is not None})

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


def _with_true_metadata(table: Any, before: Any) -> Table:
    """Return a table whose pandas metadata say nothing of columns that are gone, or of former types."""
    metadata = table.schema.metadata or before.metadata or {}
    if b"pandas" not in metadata:
        return table
    said, types = json.loads(metadata[b"pandas"]), dict(zip(table.schema.names, table.schema.types, strict=True))
    for entry in said["columns"]:
        name = entry.get("field_name", entry["name"])
        if name in types and (name not in before.names or types[name] != before.field(name).type):
            # "object" is what pandas has for all that needs no word; an index needs its entry.
            entry.update(pandas_type="object", numpy_type="object", metadata=None)
    said["columns"] = [entry for entry in said["columns"] if entry.get("field_name", entry["name"]) in types]
    said["index_columns"] = [one for one in said["index_columns"] if not isinstance(one, str) or one in types]
    return table.replace_schema_metadata({**metadata, b"pandas": json.dumps(said).encode()})


_PANDAS_COPIES_EAGERLY = int(pd.__version__.split(".")[0]) < 3  # noqa: PLR2004 - copy-on-write came with version 3
