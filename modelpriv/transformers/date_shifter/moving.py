"""Dates and timestamps moved by whole days, and refused where the result could not be kept or given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelpriv._columns.arrow import pc
from modelpriv.errors import InputError
from modelpriv.kernels.coarse.periods import FIRST_DAY, LAST_DAY

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Array, ArrowType
    from modelpriv._columns.frame import Column

__all__ = ["is_date", "moved"]

Days = npt.NDArray[np.int32]


def is_date(type_: ArrowType) -> bool:
    """Tell whether an Arrow type is one of dates or of timestamps."""
    return bool(pa.types.is_date(type_) or pa.types.is_timestamp(type_))


def moved(column: Column, days: Days, first_row: int) -> Array:
    """Return the cells of a column, each moved by its days; the time of day on the wall clock stays.

    Raises
    ------
    InputError
        A result lies outside of the years from 1 to 9999 or of the column's type, or could not be moved back exactly.
        It names the column and the first row, counted from `first_row`.
    """
    cells, type_ = column.data, column.data.type
    if pa.types.is_date(type_):
        return _moved_days(column, days, first_row)
    if not _changes_clocks(type_.tz):
        return _moved_times(column, cells, days, first_row).cast(type_)
    local = pc.local_timestamp(cells)
    target = _moved_times(column, local, days, first_row)
    made = _at(target, type_)
    # In spring some times of a clock do not occur, and in autumn some occur twice.
    kept = pc.and_(pc.equal(pc.local_timestamp(made), target), pc.equal(_at(local, type_), cells))
    _refuse(
        column,
        ~_filled(kept, True),
        first_row,
        "moved across a change of the clocks, and could not be moved back exactly. Convert the column to UTC, or "
        "remove its time zone, first",
    )
    return made


def _moved_days(column: Column, days: Days, first_row: int) -> Array:
    found = _filled(column.data.cast(pa.date32()).view(pa.int32()), 0).astype(np.int64) + days
    _refuse_beyond(column, found, first_row, FIRST_DAY, LAST_DAY)
    return _with_nulls(found.astype(np.int32), column.data).cast(pa.date32()).cast(column.data.type)


def _moved_times(column: Column, cells: Any, days: Days, first_row: int) -> Array:
    """Return wall clock times without a time zone, or instants as they are counted."""
    per_day = 86_400 * _PER_SECOND[cells.type.unit]
    found = _filled(cells.view(pa.int64()), 0)
    offsets = np.multiply(days, per_day, dtype=np.int64)
    first, last = (end // per_day for end in (np.iinfo(np.int64).min + per_day, np.iinfo(np.int64).max - per_day))
    first, last = max(first, FIRST_DAY), min(last, LAST_DAY)
    far = int(np.abs(days).max()) if len(days) else 0
    if len(found) and not (found.min() // per_day - far >= first and found.max() // per_day + far <= last):
        _refuse_beyond(column, found // per_day + days, first_row, first, last)
    offsets += found
    return _with_nulls(offsets, cells).cast(pa.timestamp(cells.type.unit))


def _refuse_beyond(column: Column, days: npt.NDArray[Any], first_row: int, first: int, last: int) -> None:
    if not len(days) or (days.min() >= first and days.max() <= last):
        return
    years = " to ".join(str(np.datetime64(day, "D").astype("M8[Y]")) for day in (first, last))
    beyond = (days < first) | (days > last)
    _refuse(column, beyond, first_row, f"moved outside of the years {years}. Correct it, or choose a smaller max_days")


def _refuse(column: Column, wrong: npt.NDArray[np.bool_], first_row: int, why: str) -> None:
    wrong = wrong & column.data.is_valid().to_numpy(zero_copy_only=False)
    if wrong.any():
        row = first_row + int(wrong.argmax())
        raise InputError(f"Column {column.name!r} ({column.dtype}): the date in row {row} would be {why}.")


def _at(local: Any, type_: ArrowType) -> Array:
    return pc.assume_timezone(local, type_.tz, ambiguous="earliest", nonexistent="latest")


def _changes_clocks(zone: str | None) -> bool:
    """Tell whether a time zone may change its clocks: all but those that are an offset do."""
    return zone is not None and zone not in {"UTC", "Etc/UTC", "GMT"} and zone[0] not in "+-"


def _filled(cells: Any, value: object) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = (cells.fill_null(value) if cells.null_count else cells).to_numpy(zero_copy_only=False)
    return found


def _with_nulls(numbers: npt.NDArray[Any], cells: Array) -> Any:
    return pa.array(numbers, mask=cells.is_null().to_numpy(zero_copy_only=False) if cells.null_count else None)


_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
