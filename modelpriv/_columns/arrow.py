"""Names for Arrow's columns whose type is known at run time only."""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

__all__ = ["Array", "Cells", "pc"]

Array: TypeAlias = "pa.Array[Any]"
"""Cells in one chunk."""

Cells: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"
"""Cells in one chunk or several."""

# The stubs of Arrow's functions want to know the type of the cells, which here no one does before the program runs.
pc: Any = pyarrow.compute
