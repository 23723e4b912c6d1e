"""Columns with few distinct values: each value is sealed once, and its token copied to every cell that holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelpriv.kernels.aes.ragged import Batch, Cells, Output, walk

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["repeats", "seal_distinct"]

# Looking for distinct values takes 22 ns a cell, sealing one some 100: it pays where values occur several times.
_SAMPLED = 64  # one row in so many
_SAMPLE = range(1024, 16384)
_REPEATED = 4  # times that a value of the sample occurs on average


def repeats(cells: pa.Array[Any]) -> bool:
    """Guess from a sample whether so few values make up a column that it pays to look for them."""
    if cells.null_count == len(cells):
        return False
    step = max(_SAMPLED, len(cells) // _SAMPLE.stop)
    rows = np.arange(0, len(cells), step)
    sampled: Any = pa.array(rows)
    return len(rows) >= _SAMPLE.start and len(cells.take(sampled).unique()) * _REPEATED < len(rows)


def seal_distinct(
    cells: pa.Array[Any], source: Cells, seal_all: Callable[[pa.Array[Any]], pa.Array[Any]]
) -> pa.Array[Any]:
    """Seal each distinct cell once, and copy its token to where it belongs."""
    encoded = cells.dictionary_encode()
    tokens = Cells.of(seal_all(encoded.dictionary))
    codes = encoded.indices.fill_null(0).to_numpy()
    output = Output(source, lambda rows: tokens.lengths(codes[rows]), text=True)

    def work(_: None, batch: Batch, stop: int) -> None:
        rows = codes[batch.rows]
        copied = Batch(rows, slice(None), tokens.lengths(rows), batch.long)
        output.scatter(batch, tokens.matrix(copied, int(copied.lengths.max())), 0, stop)

    walk(source, lambda: None, work)
    return output.finish()
