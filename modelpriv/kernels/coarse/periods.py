"""Days as the period that they lie in: a decade, a year, a quarter, a month or a week.

A period has a number, which grows with time; all numbers are numpy's own counts from 1970, moved to the calendar::

    1987-03-14   year 1987, decade 198, month 1987 * 12 + 2, quarter 1987 * 4, week 897 (since 1969-12-29)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelpriv.kernels.coarse.labels import Codes, Mask

__all__ = ["FIRST_DAY", "LAST_DAY", "PERIODS", "Periods", "civil_days"]

FIRST_DAY, LAST_DAY = -719162, 2932896
"""The first and the last day of the years from 1 to 9999, counted from 1970-01-01."""


class Periods:
    """The periods of one kind; those before `bottom` are one class, and those from `top` on are another.

    Parameters
    ----------
    name : str
        One of `PERIODS`.
    bottom, top : int, optional
        Days, counted from 1970. If it is not the first day of a period, the open class gets the whole period.
    """

    def __init__(self, name: str, bottom: int | None = None, top: int | None = None) -> None:
        self._number, self._start, self._name = _KINDS[name]
        self._first = self._last = None
        if bottom is not None:
            first = self._number(np.array([bottom]))
            self._first = int(first[0] + (self._start(first)[0] < bottom))
        if top is not None:
            self._last = int(self._number(np.array([top]))[0])

    def place(self, days: Codes) -> tuple[Codes, Mask]:
        """Return the period of each day, and which have none: those outside of the years from 1 to 9999."""
        lost = (days < FIRST_DAY) | (days > LAST_DAY)
        periods = self._number(np.clip(days, FIRST_DAY, LAST_DAY))
        if self._first is not None:
            periods = np.maximum(periods, self._first - 1)
        if self._last is not None:
            periods = np.minimum(periods, self._last)
        return periods, lost if lost.any() else None

    def labels(self, periods: Codes) -> list[str]:
        """Return each period in words, such as "1987-Q1"."""
        names = self._name(periods)
        for place, period in enumerate(periods.tolist()):
            if self._first is not None and period < self._first:
                names[place] = f"<{self._name(np.array([self._first]))[0]}"
            elif self._last is not None and period >= self._last:
                names[place] = f">={names[place]}"
        return names

    def lower(self, periods: Codes) -> Codes:
        """Return the first days; an open class has the day that it ends or begins at."""
        return np.clip(self._start(np.maximum(periods, periods if self._first is None else self._first)), *_ALL)

    def middle(self, periods: Codes) -> Codes:
        """Return the days halfway; an open class has its one edge."""
        first, last = self.lower(periods), np.clip(self._start(periods + 1), *_ALL)
        is_open = np.zeros(len(periods), bool) if self._first is None else periods < self._first
        if self._last is not None:
            is_open |= periods >= self._last
        return np.where(is_open, first, (first + last) // 2)


def civil_days(years: Codes, months: Codes, days: Codes) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Return dates as days from 1970, and which dates there are: February has no 30th day."""
    count = (years - 1970) * 12 + months - 1
    found = _month_start(count + _EPOCH_MONTH) + days - 1
    there = (years >= 1) & (years <= 9999) & (months >= 1) & (months <= 12) & (days >= 1)  # noqa: PLR2004 - a calendar
    return found, there & (found < _month_start(count + _EPOCH_MONTH + 1))


def _month(days: Codes) -> Codes:
    return _counted(days, "D", "M") + _EPOCH_MONTH


def _month_start(months: Codes) -> Codes:
    return _counted(months - _EPOCH_MONTH, "M", "D")


def _counted(numbers: Codes, unit: str, other: str) -> Codes:
    times: npt.NDArray[Any] = numbers.astype(np.int64).view(f"M8[{unit}]").astype(f"M8[{other}]")
    return times.view(np.int64)


def _month_names(months: Codes) -> list[str]:
    return [f"{month // 12:04}-{month % 12 + 1:02}" for month in months.tolist()]


def _week_names(weeks: Codes) -> list[str]:
    """Return the weeks of ISO 8601: a week belongs to the year of its Thursday."""
    thursdays = weeks * 7
    years = _month(thursdays) // 12
    numbers = (thursdays - _month_start(years * 12)) // 7 + 1
    return [f"{year:04}-W{number:02}" for year, number in zip(years.tolist(), numbers.tolist(), strict=True)]


_EPOCH_MONTH = 1970 * 12
_ALL = (FIRST_DAY, LAST_DAY)

_Kind = tuple["Callable[[Codes], Codes]", "Callable[[Codes], Codes]", "Callable[[Codes], list[str]]"]
# The number of a day's period, the first day of a period, and its name.
_KINDS: dict[str, _Kind] = {
    "decade": (
        lambda days: _month(days) // 120,
        lambda decades: _month_start(decades * 120),
        lambda decades: [f"{decade}0s" for decade in decades.tolist()],
    ),
    "year": (
        lambda days: _month(days) // 12,
        lambda years: _month_start(years * 12),
        lambda years: [f"{year:04}" for year in years.tolist()],
    ),
    "quarter": (
        lambda days: _month(days) // 3,
        lambda quarters: _month_start(quarters * 3),
        lambda quarters: [f"{quarter // 4:04}-Q{quarter % 4 + 1}" for quarter in quarters.tolist()],
    ),
    "month": (_month, _month_start, _month_names),
    "week": (lambda days: (days + 3) // 7, lambda weeks: weeks * 7 - 3, _week_names),
}

PERIODS = tuple(_KINDS)
"""The names of the kinds of periods."""
