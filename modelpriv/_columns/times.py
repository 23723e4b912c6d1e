"""Timestamps, durations, dates and times as canonical bytes, and back: the same whatever the unit or the time zone."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelpriv._columns.rows import fixed, integers, nulls, rows

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Array, ArrowType

__all__ = [
    "decode_date",
    "decode_duration",
    "decode_time",
    "decode_timestamp",
    "encode_date",
    "encode_duration",
    "encode_time",
    "encode_timestamp",
]

_TIMESTAMP = np.dtype([("zone", "u1"), ("seconds", ">i8"), ("nanoseconds", ">u4")])
_DURATION = np.dtype([("seconds", ">i8"), ("nanoseconds", ">u4")])
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NS = 10**9


def encode_timestamp(cells: Array) -> Array:
    made = np.empty(len(cells), _TIMESTAMP)
    made["zone"] = cells.type.tz is not None
    made["seconds"], made["nanoseconds"] = _split(integers(cells, "int64"), cells.type.unit)
    return fixed(made, cells)


def decode_timestamp(cells: Array, type_: ArrowType) -> Array:
    found = rows(cells, _TIMESTAMP)
    zones = {int(zone) for zone in np.unique(found["zone"][~nulls(cells)])}
    zone = "UTC" if 1 in zones else None
    if len(zones) > 1 or (type_ is not None and (type_.tz is None) != (zone is None)):
        raise ValueError
    type_ = type_ or pa.timestamp(_unit(found), zone)
    return pa.array(_joined(found, type_.unit), pa.timestamp(type_.unit, zone), mask=nulls(cells)).cast(type_)


def encode_duration(cells: Array) -> Array:
    made = np.empty(len(cells), _DURATION)
    made["seconds"], made["nanoseconds"] = _split(integers(cells, "int64"), cells.type.unit)
    return fixed(made, cells)


def decode_duration(cells: Array, type_: ArrowType) -> Array:
    found = rows(cells, _DURATION)
    type_ = type_ or pa.duration(_unit(found))
    made: Array = pa.array(_joined(found, type_.unit), type_, mask=nulls(cells))
    return made


def encode_date(cells: Array) -> Array:
    return fixed(integers(cells.cast(pa.date32()), "int32").astype(">i4"), cells)


def decode_date(cells: Array, type_: ArrowType) -> Array:
    days = pa.array(rows(cells, ">i4").astype(np.int32), mask=nulls(cells))
    return days.cast(pa.date32()).cast(type_ or pa.date32())


def encode_time(cells: Array) -> Array:
    if pa.types.is_time32(cells.type):
        cells = cells.cast(pa.time64("us"))
    return fixed(integers(cells.cast(pa.time64("ns")), "int64").astype(">i8"), cells)


def decode_time(cells: Array, type_: ArrowType) -> Array:
    numbers = rows(cells, ">i8").astype(np.int64)
    times: Any = pa.array(numbers, pa.time64("ns"), mask=nulls(cells))
    type_ = type_ or pa.time64("ns" if (numbers % 1000).any() else "us")
    made: Array = (times.cast(pa.time64("us")) if pa.types.is_time32(type_) else times).cast(type_)
    return made


def _split(numbers: npt.NDArray[Any], unit: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    seconds, parts = np.divmod(numbers, _PER_SECOND[unit])
    return seconds, parts * (_NS // _PER_SECOND[unit])


def _joined(found: npt.NDArray[Any], unit: str) -> npt.NDArray[np.int64]:
    """Return seconds and nanoseconds as one number of units, and refuse what the unit cannot hold exactly."""
    seconds, nanoseconds = found["seconds"].astype(np.int64), found["nanoseconds"].astype(np.int64)
    numbers: npt.NDArray[np.int64] = seconds * _PER_SECOND[unit] + nanoseconds // (_NS // _PER_SECOND[unit])
    # What overflowed, or had a finer part, does not come apart again as it was.
    if any((again != part).any() for again, part in zip(_split(numbers, unit), (seconds, nanoseconds), strict=True)):
        raise ValueError
    return numbers


def _unit(found: npt.NDArray[Any]) -> str:
    """Return the unit that holds all rows exactly: microseconds if they do, as they are what Python has."""
    for unit in ("us", "ns", "ms"):
        with suppress(ValueError):
            _joined(found, unit)
            return unit
    return "s"
