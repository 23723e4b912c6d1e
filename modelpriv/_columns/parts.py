"""Columns in parts: a long one is protected some rows at a time, so that temporaries stay small however long it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelpriv._columns.dtypes import one_chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from modelpriv._columns.arrow import Chunked
    from modelpriv._columns.frame import Built, Column

__all__ = ["joined", "part", "parts"]

# What is made of a part takes up to 80 bytes a row (floats as text), and all of it less than 64 MiB.
_ROWS = 2**18
_BYTES = 2**24


def parts(column: Column) -> Iterator[slice]:
    """Yield the rows of each part of a column; the single part of a column without rows is empty."""
    size = len(column.data)
    rows = max(min(_ROWS, size * _BYTES // max(column.data.nbytes, 1)), 1)
    for start in range(0, max(size, 1), rows):
        yield slice(start, min(start + rows, size))


def part(column: Column, rows: slice) -> Column:
    """Return some rows of a column in one chunk, without a copy where they lie in one."""
    return replace(column, data=one_chunk(column.data.slice(rows.start, rows.stop - rows.start)))


def joined(built: Iterator[Built], rows: int) -> Built:
    """Join what was made of the parts of a column with so many rows, without a copy."""
    first = next(built)
    if len(first.data) == rows:
        return first
    native = first.dtype.native
    if isinstance(native, np.dtype) and native.kind in "biufmM":
        return replace(first, data=_numbers(chain((first,), built), rows, native))
    chunks = [chunk for each in chain((first,), built) for chunk in _chunks(each.data)]
    if len({chunk.type for chunk in chunks}) > 1:
        chunks = [chunk.cast(pa.large_string()) for chunk in chunks]  # one of them outgrew 32-bit offsets
    return replace(first, data=pa.chunked_array(chunks))


def _chunks(data: Chunked) -> Any:
    return data.chunks if isinstance(data, pa.ChunkedArray) else [data]


def _numbers(built: Iterator[Built], rows: int, native: np.dtype[Any]) -> npt.NDArray[Any]:
    """Write numbers to where they stay, part by part: a whole Arrow column, as it cannot be written to, is copied."""
    numbers, nulls, start = np.empty(rows, native), None, 0
    for each in built:
        data, stop = each.data, start + len(each.data)
        if data.null_count and native.kind in "biu":
            nulls = np.zeros(rows, np.bool_) if nulls is None else nulls
            nulls[start:stop] = data.is_null().to_numpy(zero_copy_only=False)
            data = data.fill_null(False if native.kind == "b" else 0)
        numbers[start:stop] = data.to_numpy(zero_copy_only=False)
        start = stop
    return numbers if nulls is None else np.ma.MaskedArray(numbers, nulls)
