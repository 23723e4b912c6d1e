"""Names for tables and columns whose type is known at run time only."""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

__all__ = ["Array", "ArrowType", "Bound", "Chunked", "NativeColumn", "Table", "pc"]

Array: TypeAlias = "pa.Array[Any]"
"""Cells in one chunk."""

Chunked: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"
"""Cells in one chunk or several."""

Bound: TypeAlias = "bytes | pa.Array[Any]"
"""What the cells of each row are bound to: one for all rows, or one for each."""

ArrowType: TypeAlias = Any
"""An Arrow type of any kind: whether it has a unit, a time zone or a scale depends on the kind."""

Table: TypeAlias = Any
"""A table of any container: pandas, polars, pyarrow, numpy, or a list of rows."""

NativeColumn: TypeAlias = Any
"""A column as its container has it."""

# Arrow's stubs want the type of the cells, which is known only when the program runs.
pc: Any = pyarrow.compute
