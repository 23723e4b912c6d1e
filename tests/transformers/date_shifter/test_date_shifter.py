"""DateShifter: all dates of a subject move alike, everywhere, and back exactly."""

import datetime as dt
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from date_twins import NumberTwin, TextTwin
from fixed_keys import KEYS
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from modelpriv import DateShifter, Keyring, Pseudonymizer, repin
from modelpriv.errors import InputError, KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.testing import check_privacy_transformer

STAYS = pd.DataFrame(
    {
        "patient": [7, 8, 7, 9],
        "admitted": pd.to_datetime(["2024-02-27", "2024-03-01", "2024-06-01", None]),
        "left": pd.to_datetime(["2024-03-02", "2024-03-05", None, "2023-12-31"]),
        "ward": ["a", "b", "a", "c"],
    },
    index=[3, 3, 1, 2],
)


def shifter(**more):
    return DateShifter(**({"subject": "patient", "key": KEYS} | more))


def shifts(subjects, **more):
    """The days by which each subject's dates move."""
    days = pd.Series(pd.to_datetime(["2000-01-01"] * len(subjects)))
    table = pd.DataFrame({"patient": subjects, "day": days})
    return (shifter(columns=["day"], **more).fit_transform(table)["day"] - days).dt.days.tolist()


@parametrize_with_checks([NumberTwin(subject=0, context="s", key=KEYS)], expected_failed_checks=lambda _: {})
def test_scikit_learn_checks(estimator, check):
    """Every check of scikit-learn's passes."""
    check(estimator)


@pytest.mark.parametrize("more", [{}, {"keep": "weekday", "max_days": 30}], ids=str)
def test_contract(more):
    """The contract of a privacy transformer holds, the way back included, on every kind of table."""
    check_privacy_transformer(TextTwin(subject=0, key=KEYS, **more))


# --- one shift for each subject ---


@given(
    st.lists(st.tuples(st.integers(0, 5), st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1))), min_size=1),
    st.integers(1, 5000),
)
def test_intervals_of_a_subject_stay(rows, most):
    """All dates of a subject move by the same days, at most max_days and never 0, and come back exactly."""
    table = pd.DataFrame(rows, columns=["patient", "day"]).astype({"day": "datetime64[us]"})
    step = shifter(max_days=most)
    released = step.fit_transform(table)
    moved = released["day"] - table["day"]
    assert len(pd.concat([moved, table["patient"]], axis=1).drop_duplicates()) == table["patient"].nunique()
    assert (moved % pd.Timedelta(days=1) == pd.Timedelta(0)).all()
    assert moved.abs().between(pd.Timedelta(days=1), pd.Timedelta(days=most)).all()
    pd.testing.assert_frame_equal(step.inverse_transform(released), table)


def test_columns_of_a_row_move_together():
    """Two dates of a row keep the days between them, and nulls, other columns, the index and the dtypes stay."""
    released = shifter().fit_transform(STAYS)
    pd.testing.assert_series_equal(released["left"] - released["admitted"], STAYS["left"] - STAYS["admitted"])
    assert released["admitted"].isna().tolist() == STAYS["admitted"].isna().tolist()
    assert released["admitted"][1] - released["admitted"].iloc[0] == pd.Timedelta(days=95)
    pd.testing.assert_frame_equal(released[["patient", "ward"]], STAYS[["patient", "ward"]])
    assert released.index.equals(STAYS.index)
    assert released.dtypes.equals(STAYS.dtypes)


def test_tables_move_together():
    """Another table, whose subject has another name or dtype, moves alike under the same context."""
    visits = pd.DataFrame({"person": pd.array([8, 7], "Int8"), "day": [dt.date(2024, 3, 1), dt.date(2024, 2, 27)]})
    moved = shifter(subject="person", context="patient").fit_transform(visits)
    assert pd.to_datetime(moved["day"]).tolist() == shifter().fit_transform(STAYS)["admitted"].tolist()[1::-1]


def test_another_process_moves_alike():
    """Another process with the key moves alike: a fixed vector, so that what was released joins later releases."""
    expected = shifts([7, 8, 9]), shifts(["7", "Ada"])
    code = (
        "import sys; sys.path[:0] = ['tests', 'tests/transformers/date_shifter']\n"
        "from test_date_shifter import shifts\nprint(shifts([7, 8, 9]), shifts(['7', 'Ada']))"
    )
    paths = os.environ | {"PYTHONPATH": str(Path.cwd())}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=paths)
    assert run.stdout.strip() == f"{expected[0]} {expected[1]}"


def test_equal_subjects_of_any_dtype_move_alike():
    """A number moves alike in columns of integers, floats, objects and categories; the text of it does not."""
    expected = shifts([1, 2, 3])
    for dtype in ("int8", "float64", "Int64", object, "category"):
        assert shifts(pd.Series([1, 2, 3]).astype(dtype)) == expected
    assert shifts(["1", "2", "3"]) != expected


def test_the_key_and_the_context_decide():
    """Another key, and another context, move otherwise."""
    subjects = list(range(50))
    assert shifts(subjects) != shifts(subjects, key=Keyring.generate())
    assert shifts(subjects) != shifts(subjects, context="other")


def test_a_shift_says_nothing_of_a_pseudonym():
    """Shifts are derived apart from pseudonyms: the pseudonym of a subject in the same context does not give them."""
    subjects = pd.DataFrame({"patient": range(200)})
    numbers = Pseudonymizer("int64", key=KEYS, context="patient").fit_transform(subjects)["patient"].to_numpy()
    guessed = np.array([(2 * int(number)) % 730 for number in numbers.tolist()])
    assert (guessed - 365 + (guessed >= 365) == shifts(range(200))).mean() < 0.1


def test_weekdays_stay():
    """With keep='weekday' dates move by whole weeks, within max_days."""
    days = np.array(shifts(range(500), keep="weekday", max_days=30))
    assert set(days.tolist()) == {-28, -21, -14, -7, 7, 14, 21, 28}


def test_long_tables_move_alike(monkeypatch):
    """Rows of one subject move alike wherever a long table is cut into parts."""
    table = pd.DataFrame({"patient": np.arange(500) % 7, "day": pd.Timestamp("2024-01-01")})
    whole = shifter().fit_transform(table)
    monkeypatch.setattr("modelpriv._columns.parts._ROWS", 13)
    monkeypatch.setattr("modelpriv.transformers.date_shifter.date_shifter._ROWS", 29)
    pd.testing.assert_frame_equal(shifter().fit_transform(table), whole)


def test_every_kind_of_table(container):
    """The kind of table that came goes out and comes back, with cells of Python's own dates where it holds objects."""
    cells = {"patient": ["a", "b", "a"], "day": [dt.date(2024, 2, 28), None, dt.date(2024, 3, 1)]}
    step = shifter(subject=0, context="patient", columns=[1])
    table = container(cells)
    released = step.fit_transform(table)
    assert type(released) in {type(table), np.ndarray}
    back = step.inverse_transform(released)
    frame = pd.DataFrame(back.to_pandas() if isinstance(back, (pl.DataFrame, pa.Table)) else back)
    assert [None if pd.isna(cell) else pd.Timestamp(cell).date() for cell in frame.iloc[:, 1]] == cells["day"]


MOMENTS = ["1969-12-31 23:59:59", "2024-02-29 12:00:00", None]


@pytest.mark.parametrize(
    "day",
    [
        *(pd.Series(np.array(["1969-12-31T23:59:59", "NaT"], f"M8[{unit}]")) for unit in ("s", "ms", "us", "ns")),
        pd.Series(pd.to_datetime(MOMENTS[:2])).dt.tz_localize("UTC"),
        pd.Series(pd.to_datetime(MOMENTS[:2])).dt.tz_localize("Asia/Tokyo"),
        pd.Series(pd.to_datetime(MOMENTS[:2])).dt.tz_localize("Europe/Rome"),
        pd.Series(pd.to_datetime(MOMENTS[:2])).dt.tz_localize(dt.timezone(dt.timedelta(hours=5, minutes=30))),
        pd.Series([dt.date(2024, 2, 29), None], dtype=object),
        pd.Series([dt.datetime(2024, 2, 29, 1), None], dtype=object),  # noqa: DTZ001 - wall clock
        pd.Series([pd.Timestamp(1), pd.NaT], dtype=object),
        pd.Series([dt.date(2024, 2, 29), None], dtype=pd.ArrowDtype(pa.date32())),
        pd.Series([dt.date(2024, 2, 29), None], dtype=pd.ArrowDtype(pa.date64())),
        pd.Series(pd.Categorical(pd.to_datetime(["2024-02-29", None]))),
    ],
    ids=lambda day: str(day.dtype),
)
def test_every_dtype_of_dates_comes_back(day):
    """Dates and timestamps of every dtype move, keep their dtype and time of day, and come back exactly."""
    table = pd.DataFrame({"patient": [1, 2], "day": day})
    step = shifter().fit(table)
    released = step.transform(table)
    back = step.inverse_transform(released)
    assert back["day"].tolist() == day.tolist() or back["day"].astype(str).tolist() == day.astype(str).tolist()
    assert released["day"][0] != day[0]
    if day.dtype != "category":
        assert released["day"].dtype == back["day"].dtype == day.dtype


@given(st.lists(st.integers(946_684_800, 1_893_456_000), min_size=1, max_size=20))
def test_the_clock_of_a_time_zone_stays(moments):
    """The wall clock of a zone that changes its clocks stays, and the moments come back; or the call fails."""
    local = pd.Series(np.array(moments, "M8[s]"))
    table = pd.DataFrame({"patient": range(len(moments)), "day": local})
    table["day"] = table["day"].dt.tz_localize("America/New_York", ambiguous=False, nonexistent="shift_forward")
    step = shifter()
    try:
        released = step.fit_transform(table)
    except InputError:
        return  # the next test says of what
    clock = [column.dt.tz_localize(None).dt.time.tolist() for column in (released["day"], table["day"])]
    assert clock[0] == clock[1]
    pd.testing.assert_frame_equal(step.inverse_transform(released), table)


# --- what is refused ---


def test_a_time_that_could_not_come_back_is_refused():
    """A time that does not exist on its new day, or the second of two equal ones, is refused with its row."""
    nights = pd.date_range("2023-01-01 02:30", periods=300, freq="D")
    with_gap = nights.tz_localize("Europe/Rome", nonexistent="NaT")
    table = pd.DataFrame({"patient": 0, "day": with_gap})
    with pytest.raises(InputError, match=r"Column 'day' .*the date in row \d+ would be moved across a change of the c"):
        shifter().fit_transform(table)
    twice = pd.Series(pd.to_datetime(["2023-10-29 01:30"])).dt.tz_localize("UTC").dt.tz_convert("Europe/Rome")
    with pytest.raises(InputError, match=r"row 0 .* Convert the column to UTC, or remove its time zone, first"):
        shifter().fit_transform(pd.DataFrame({"patient": 0, "day": twice}))
    in_utc = table.assign(day=table["day"].dt.tz_convert("UTC"))
    plain = table.assign(day=table["day"].dt.tz_localize(None))
    for remedy in (in_utc, plain):
        step = shifter()
        pd.testing.assert_frame_equal(step.inverse_transform(step.fit_transform(remedy)), remedy)


@pytest.mark.parametrize(
    ("days", "years"),
    [
        ([None, dt.date(1, 1, 1), dt.date(1, 1, 2)], "0001 to 9999"),
        ([None, dt.date(9999, 12, 31)], "0001 to 9999"),
        (np.array(["NaT", "0001-01-01T10", "9999-12-31"], "M8[us]"), "0001 to 9999"),
        (np.array(["NaT", "20000-01-01"], "M8[s]"), "0001 to 9999"),
        (np.array(["NaT", "1677-09-22", "2262-04-11"], "M8[ns]"), "1677 to 2262"),
    ],
    ids=str,
)
def test_dates_that_would_leave_the_calendar_are_refused(days, years):
    """A date that would leave the years from 1 to 9999, or the range of its dtype, fails the call, with its row."""
    refused = []
    for patient in range(20):  # some move forwards, and some backwards
        table = pd.DataFrame({"patient": patient, "day": days, "other": dt.date(2000, 1, 1)})
        before = table.copy(deep=True)
        try:
            shifter().fit_transform(table)
        except InputError as error:
            refused.append(str(error))
        pd.testing.assert_frame_equal(table, before)
    assert refused
    for message in refused:
        assert re.match(r"Column 'day' .*: the date in row [12] would be moved outside of the years", message)
        assert message.endswith(f"the years {years}. Correct it, or choose a smaller max_days.")


def test_no_date_column_is_forgotten():
    """By default every column of dates moves; text that looks like dates, and a column that becomes one, is refused."""
    released = shifter().fit_transform(STAYS)
    assert not (released[["admitted", "left"]] == STAYS[["admitted", "left"]]).any(axis=None)
    for cell in ("2024-02-27", "27.2.2024", "2024/02/27 10:00"):
        with pytest.raises(InputError, match=r"Column 'ward' .* holds dates as text, which would not be moved"):
            shifter().fit(STAYS.assign(ward=[cell, None, cell, cell]))
    step = shifter().fit(STAYS)
    with pytest.raises(InputError, match=r"Column 'ward' holds dates now, and held none at fit\. Fit again"):
        step.transform(STAYS.assign(ward=STAYS["left"]))
    assert step.transform(STAYS.assign(left=None, admitted=None)).isna().sum().tolist() == [0, 4, 4, 0]


def test_a_call_that_fails_moves_nothing():
    """Where the second of two columns is refused, nothing comes out, and the table and the object are as they were."""
    table = STAYS.assign(left=[dt.date(9999, 12, 31)] * 4, admitted=STAYS["left"], patient=[3, 4, 5, 6])
    before, step = table.copy(deep=True), shifter()
    with pytest.raises(InputError, match="Column 'left'"):
        step.fit_transform(table)
    pd.testing.assert_frame_equal(table, before)


@given(st.permutations(["patient", "admitted", "left", "ward"]), st.sampled_from(["added", "renamed", "ordered"]))
def test_other_columns_than_at_fit_are_refused(names, change):
    """A table whose columns were added, renamed or reordered since fit is refused in both directions."""
    step = shifter().fit(STAYS)
    other = {
        "added": lambda: STAYS.assign(born=STAYS["left"]),
        "renamed": lambda: STAYS.rename(columns={names[0]: "another"}),
        "ordered": lambda: STAYS[names],
    }[change]()
    if list(other.columns) == list(STAYS.columns):
        return
    for call in (step.transform, step.inverse_transform):
        with pytest.raises(ValueError, match=r"names|features|columns"):
            call(other)


def test_a_null_subject_is_refused():
    """A row without a subject has no shift, and is refused with its row in every call."""
    table = STAYS.assign(patient=[7, None, 7, 9])
    with pytest.raises(InputError, match="'patient' has a null in row 1, but subject needs a value in every row"):
        shifter().fit(table)
    step = shifter().fit(STAYS)
    for call in (step.transform, step.inverse_transform):
        with pytest.raises(InputError, match="'patient' has a null in row 1"):
            call(table)


def test_subjects_of_another_type_are_refused():
    """Subjects that became text since fit would move otherwise, and are refused; floats that equal integers are not."""
    step = shifter().fit(STAYS)
    with pytest.raises(InputError, match="'patient' held int at fit and now holds text"):
        step.transform(STAYS.astype({"patient": str}))
    as_floats = step.transform(STAYS.astype({"patient": float}))
    assert as_floats["admitted"].equals(step.transform(STAYS)["admitted"])


@pytest.mark.parametrize("cells", [["cAnArY"] * 4, [1, 2, 3, 4], [dt.time(1)] * 4], ids=str)
def test_what_is_no_date_is_refused(cells):
    """A declared column that holds no dates is refused by name and type, and no cell is shown."""
    with pytest.raises(
        InputError, match=r"Column 'ward' .* DateShifter moves dates and timestamps\. Convert"
    ) as caught:
        shifter(columns=["ward"]).fit(STAYS.assign(ward=cells))
    assert "cAnArY" not in str(caught.value)


def test_a_table_without_dates_is_refused():
    """With nothing to move there is nothing to protect."""
    with pytest.raises(InputError, match=r"Found 2 feature\(s\), and none of them holds dates"):
        shifter().fit(STAYS[["patient", "ward"]])


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"key": None}, ParameterError, "key"),
        ({"max_days": 0}, ParameterError, "max_days must be a whole number from 1 to 365000"),
        ({"max_days": 3.5}, ParameterTypeError, "max_days must be .*, got float"),
        ({"max_days": 6, "keep": "weekday"}, ParameterError, "max_days must be at least 7"),
        ({"keep": "month"}, ParameterError, "keep must be 'weekday' or None"),
        ({"context": {"patient": "x"}}, ParameterTypeError, "context must be a text"),
        ({"null": "protect"}, ParameterError, "null must be one of 'keep', 'raise'"),
        ({"null": "raise"}, InputError, "Column 'admitted' has 1 null, the first in row 3"),
        ({"subject": "person"}, ParameterError, "subject names 'person', which is not a column"),
        ({"subject": ["patient"]}, ParameterTypeError, "subject must hold names or positions"),
        ({"columns": ["patient", "left"]}, ParameterError, "columns and subject both name 'patient'"),
    ],
    ids=str,
)
def test_parameters_are_checked_at_fit(more, error, words):
    """A parameter without meaning is refused by fit in clear words."""
    with pytest.raises(error, match=words):
        shifter(**more).fit(STAYS)


def test_a_subject_without_a_name_needs_a_context():
    """In an array the subject has no name that the shifts could be tied to."""
    table = [[1, dt.date(2024, 1, 1)]]
    with pytest.raises(ParameterError, match="need a context"):
        DateShifter(subject=0, key=KEYS).fit(table)
    moved = DateShifter(subject=0, key=KEYS, context="patient").fit_transform(table)
    assert (moved[0, 1] - table[0][1]).days == shifts([1])[0]


# --- keys ---


def test_the_key_of_the_fit_stays():
    """A fitted object keeps its key in a rotation, also when pickled, and wants it when it is gone."""
    step = pickle.loads(pickle.dumps(shifter().fit(STAYS)))
    released = shifter().fit_transform(STAYS)
    assert step.set_params(key=KEYS.rotate()).transform(STAYS).equals(released)
    assert step.inverse_transform(released).equals(STAYS)
    with pytest.raises(KeyUnavailableError, match=KEYS.primary):
        step.set_params(key=Keyring.generate()).transform(STAYS)
    assert clone(step).fit(STAYS).key_id_ != KEYS.primary


def test_a_move_to_a_newer_key():
    """Moved to a newer key, it moves dates as a new fit under that key does."""
    newer = KEYS.rotate()
    step = repin(shifter().fit(STAYS), key=newer)
    assert step.key_id_ == newer.primary
    assert step.transform(STAYS).equals(shifter(key=newer).fit_transform(STAYS))


def test_a_scoped_keyring_is_enough():
    """The keys of the subject's context move its dates, and those of another context do not."""
    assert shifter(key=KEYS.scoped(["patient"])).fit_transform(STAYS).equals(shifter().fit_transform(STAYS))
    with pytest.raises(KeyUnavailableError, match="'patient'"):
        shifter(key=KEYS.scoped(["ward"])).fit_transform(STAYS)


def test_a_fitted_object_holds_no_date_and_no_subject():
    """Nothing of the table is in a fitted object's pickle."""
    table = pd.DataFrame({"patient": ["cAnArY 1", "cAnArY 2"], "day": pd.to_datetime(["1871-11-13", "1871-11-14"])})
    step = shifter().fit(table)
    assert b"cAnArY" not in pickle.dumps(step)
    assert set(step._states[1]) == {"name", "subject"}
