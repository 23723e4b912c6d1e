"""Days by period: the calendar of Python's own datetime."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.coarse.periods import FIRST_DAY, LAST_DAY, PERIODS, Periods, civil_days

EPOCH = dt.date(1970, 1, 1)
DATES = st.lists(st.dates(), min_size=1)


def count(date):
    return (date - EPOCH).days


def label(name, date):
    """A date's period, by Python's calendar."""
    year, week, _ = date.isocalendar()
    return {
        "decade": f"{date.year // 10}0s",
        "year": f"{date.year:04}",
        "quarter": f"{date.year:04}-Q{(date.month + 2) // 3}",
        "month": f"{date.year:04}-{date.month:02}",
        "week": f"{year:04}-W{week:02}",
    }[name]


@pytest.mark.parametrize("name", PERIODS)
@given(dates=DATES)
def test_each_date_has_the_label_of_its_period(name, dates):
    """Each date from year 1 to 9999 has the period of Python's calendar; weeks are those of ISO 8601."""
    periods = Periods(name)
    codes, lost = periods.place(np.array([count(date) for date in dates]))
    assert lost is None
    assert periods.labels(codes) == [label(name, date) for date in dates]


@pytest.mark.parametrize("name", PERIODS)
@given(dates=DATES)
def test_a_period_begins_before_it_ends(name, dates):
    """The first day and the middle of a period lie in it, in this order, and codes grow with time."""
    days = np.array(sorted(count(date) for date in dates))
    periods = Periods(name)
    codes, _ = periods.place(days)
    lower, middle = periods.lower(codes), periods.middle(codes)
    assert (np.diff(codes) >= 0).all()
    assert ((lower <= days) & (lower <= middle)).all()
    for found in (lower, middle):
        again, _ = periods.place(found)
        assert ((again == codes) | (found == FIRST_DAY)).all()


def test_days_outside_of_the_calendar_have_no_period():
    """Days before year 1 and after year 9999 have none."""
    _, lost = Periods("year").place(np.array([FIRST_DAY - 1, FIRST_DAY, LAST_DAY, LAST_DAY + 1]))
    assert lost.tolist() == [True, False, False, True]


@pytest.mark.parametrize("end", [dt.date(1936, 1, 1), dt.date(1935, 6, 2)])
def test_an_open_class_gets_the_whole_period(end):
    """Birth years that show an age over 89 are one class, also if the bound falls into a year."""
    periods = Periods("year", count(end))
    days = np.array([count(dt.date(year, 12, 31)) for year in (1900, 1935, 1936)])
    codes, _ = periods.place(days)
    assert periods.labels(codes) == ["<1936", "<1936", "1936"]
    assert periods.lower(codes[:1]).tolist() == periods.middle(codes[:1]).tolist() == [count(dt.date(1936, 1, 1))]
    last = Periods("month", None, count(dt.date(2020, 5, 17)))
    codes, _ = last.place(
        np.array([count(dt.date(2020, 4, 30)), count(dt.date(2020, 5, 1)), count(dt.date(2024, 1, 1))])
    )
    assert last.labels(codes) == ["2020-04", ">=2020-05", ">=2020-05"]
    assert last.middle(codes).tolist() == [count(dt.date(2020, 4, 16)), *[count(dt.date(2020, 5, 1))] * 2]


@given(DATES)
def test_dates_are_counted(dates):
    """Year, month and day give the number of days since 1970."""
    parts = (np.array([getattr(date, part) for date in dates]) for part in ("year", "month", "day"))
    days, there = civil_days(*parts)
    assert days.tolist() == [count(date) for date in dates]
    assert there.all()


def test_days_that_no_month_has():
    """The 30th of February, a 13th month and a year 0 are no dates."""
    parts = np.array(
        [[1987, 2, 30], [1987, 13, 1], [0, 1, 1], [1987, 0, 1], [1987, 1, 0], [1900, 2, 29], [2000, 2, 29]]
    )
    assert civil_days(*parts.T)[1].tolist() == [False] * 6 + [True]
