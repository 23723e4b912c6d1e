"""Some rows of a table, chosen by position, so that they are the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.frame import Frame

__all__ = ["spread", "take_rows"]


def spread(n_rows: int, most: int) -> npt.NDArray[np.int64]:
    """Return at most so many positions, in order and spread over all rows.

    They are the first points of the golden ratio's Kronecker sequence, which is even over any part of the rows and
    does not keep step with what repeats every so many rows, as a fixed distance would.
    """
    if n_rows <= most:
        return np.arange(n_rows)
    points = np.arange(1, most + 1) * _GOLDEN % 1.0
    return np.unique((points * n_rows).astype(np.int64))


def take_rows(frame: Frame, positions: npt.NDArray[np.int64]) -> Frame:
    """Return a table of the same kind with the rows at these positions."""
    if len(positions) == frame.n_rows:
        return frame
    native: Any = frame.native
    if frame.container == "pandas":
        taken = native.iloc[positions]
    elif frame.container == "pyarrow":
        taken = native.take(pa.array(positions))
    else:
        taken = native[positions]
    return type(frame)(taken, frame.names, len(positions), named=frame.named)


_GOLDEN = (5**0.5 - 1) / 2
