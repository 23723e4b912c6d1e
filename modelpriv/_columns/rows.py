"""Rows of one width: numpy matrices and records as binary Arrow columns, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelpriv._columns.arrow import Array, pc

__all__ = ["fixed", "integers", "nulls", "rows", "validity"]


def fixed(matrix: npt.NDArray[Any], cells: Array) -> Array:
    """Return rows of one width as a binary column with the nulls of `cells`."""
    size = len(matrix)
    width = matrix.nbytes // size if size else 1
    contiguous: Any = np.ascontiguousarray(matrix)
    made = pa.Array.from_buffers(pa.binary(width), size, [validity(cells), pa.py_buffer(contiguous)])
    return made.cast(pa.binary() if matrix.nbytes < 2**31 else pa.large_binary())


def rows(cells: Array, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a binary column's cells as rows of one width, zeros where it is null.

    Raises
    ------
    ValueError
        A cell has another width.
    """
    record = np.dtype(dtype)
    if not len(cells):
        return np.empty(0, record)
    filled = cells.fill_null(bytes(record.itemsize))
    if pc.any(pc.not_equal(pc.binary_length(filled), record.itemsize)).as_py():
        raise ValueError
    made = filled.cast(pa.binary(record.itemsize))
    buffer: Any = made.buffers()[1]
    return np.frombuffer(buffer, record, len(made), made.offset * record.itemsize)


def integers(cells: Array, dtype: str) -> npt.NDArray[Any]:
    """Return a column's numbers, or the numbers behind its times, with zeros where it is null."""
    type_ = pa.from_numpy_dtype(np.dtype(dtype))
    if pa.types.is_temporal(cells.type):
        cells = cells.view(pa.int32() if cells.type.bit_width == 32 else pa.int64())  # noqa: PLR2004 - bits
    plain: Any = cells.cast(type_)
    numbers: npt.NDArray[Any] = plain.fill_null(0).to_numpy(zero_copy_only=False)
    return numbers


def nulls(cells: Array) -> npt.NDArray[np.bool_]:
    """Return which cells are null."""
    found: npt.NDArray[np.bool_] = cells.is_null().to_numpy(zero_copy_only=False)
    return found


def validity(cells: Array) -> pa.Buffer | None:
    """Return a fresh validity bitmap: that of a slice would start in the middle of a byte."""
    return pa.array(~nulls(cells)).buffers()[1] if cells.null_count else None
