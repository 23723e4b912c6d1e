"""Dates of every type as days since 1970, and days back to the type that they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelpriv._columns.arrow import pc
from modelpriv._columns.dtypes import is_text
from modelpriv.kernels.coarse.periods import civil_days

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import Array, ArrowType
    from modelpriv.kernels.coarse.labels import Codes, Mask

__all__ = ["PER_DAY", "days_of", "from_days"]

PER_DAY = {unit: 86_400 * factor for unit, factor in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9))}
"""Units of a timestamp in a day."""


def days_of(cells: Array) -> tuple[Codes, Mask]:
    """Return the day of each cell, by the wall clock of its time zone; and which cells are not dates."""
    type_: Any = cells.type
    if pa.types.is_date(type_):
        return _integers(cells.cast(pa.date32()).view(pa.int32())), None
    if pa.types.is_timestamp(type_):
        local = pc.local_timestamp(cells) if type_.tz is not None else cells
        return _integers(local.view(pa.int64())) // PER_DAY[type_.unit], None
    encoded: Any = cells.dictionary_encode()
    days, lost = _written_days(encoded.dictionary)
    places = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    if not len(days):
        return np.zeros(len(cells), np.int64), np.ones(len(cells), bool)
    return days[places], lost[places] if lost.any() else None


def from_days(days: Codes, places: Codes, absent: Mask, type_: ArrowType) -> Array:
    """Return the day at each place in a type that `days_of` takes: as a date, at midnight, or as it was written."""
    if pa.types.is_timestamp(type_):
        with np.errstate(over="ignore"):
            instants = days * PER_DAY[type_.unit]
        fits = instants // PER_DAY[type_.unit] == days  # nanoseconds reach from 1677 to 2262
        lost = None if fits.all() else ~fits[places]
        mask = absent if lost is None else lost if absent is None else absent | lost
        found: Any = pa.array(instants[places], mask=mask).cast(pa.timestamp(type_.unit))
        if type_.tz is None:
            return found
        # Some zones have no midnight on a day in spring: the day begins after the gap.
        return pc.assume_timezone(found, type_.tz, ambiguous="earliest", nonexistent="latest")
    dates: Any = pa.array(days.astype(np.int32)).cast(pa.date32())
    if pa.types.is_date(type_):
        return dates.take(pa.array(places, mask=absent))
    written = dates.cast(pa.large_string())
    if not is_text(type_):
        written = pc.replace_substring(written, "-", "").cast(pa.int64())
    return written.take(pa.array(places, mask=absent))


def _written_days(known: Array) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Read dates as they are written: 1987-03-14, with or without a time of day, or 19870314."""
    text = known if is_text(known.type) else _compact(known)
    fields: Any = pc.extract_regex(pc.utf8_trim_whitespace(text), _DATE)
    lost = fields.is_null().to_numpy(zero_copy_only=False)
    parts = []
    for long, short in (("y", "a"), ("m", "b"), ("d", "c")):
        part = pc.binary_join_element_wise(
            pc.struct_field(fields, long), pc.struct_field(fields, short), pa.scalar("", text.type)
        )
        parts.append(pc.if_else(pa.array(lost), "1", part).cast(pa.int64()).to_numpy(zero_copy_only=False))
    days, there = civil_days(*parts)
    return days, lost | ~there


def _compact(numbers: Array) -> Array:
    """Return integers as text; what is not whole becomes no date."""
    wide = numbers.cast(pa.float64(), safe=False)
    whole = pc.and_(pc.equal(pc.trunc(wide), wide), pc.and_(pc.greater(wide, 0.0), pc.less(wide, 1e9)))
    return pc.if_else(whole, wide, 0.0).cast(pa.int64()).cast(pa.large_string())


def _integers(numbers: Array) -> Codes:
    filled: Any = numbers.fill_null(0) if numbers.null_count else numbers
    found: Codes = filled.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return found


_DATE = (
    r"^(?:(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
    r"|(?P<a>[0-9]{4})(?P<b>[0-9]{2})(?P<c>[0-9]{2}))$"
)
