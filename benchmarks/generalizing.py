"""Generalizer and DateShifter against what one writes by hand in pandas; a million rows."""

import datetime as dt
import hashlib
import hmac
import json
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.harness import Contestant, Race, Row
from modelpriv import DateShifter, Generalizer, Keyring

ROWS_, SUBJECTS, FEW = 1_000_000, 100_000, 20_000
EDGES = [18, 30, 45, 65, 90]
GROUPS = {f"category {number}": f"group {number % 5}" for number in range(40)}
KEYS = Keyring.generate()
CPU = time.process_time  # what takes some nanoseconds a cell is lost in what else a machine does


def column(name: str) -> pd.Series:
    """A column of a million cells."""
    rng = np.random.default_rng(0)
    makers: dict[str, Callable[[], pd.Series]] = {
        "ages": lambda: pd.Series(rng.integers(0, 100, ROWS_)),
        "weights": lambda: pd.Series(rng.normal(70, 15, ROWS_).round(1)),
        "dates": lambda: pd.Series(np.datetime64("1930-01-01") + rng.integers(0, 30_000, ROWS_)).astype("M8[us]"),
        "zips": lambda: pd.Series(np.char.zfill(rng.integers(501, 99_999, ROWS_).astype(str), 5)).astype("str"),
        "categories": lambda: pd.Series(rng.choice(list(GROUPS), ROWS_)).astype("str"),
    }
    return makers[name]()


def generalize(name: str, step: Generalizer, by_hand: Callable[[pd.Series], object]) -> Race:
    """A column, generalized by a step and by hand."""
    cells = column(name)
    table = pd.DataFrame({"x": cells})
    step.fit(table)
    return Race(
        ours=Contestant(lambda: step.transform(table), units=ROWS_),
        peer=Contestant(lambda: by_hand(cells), units=ROWS_),
    )


def cut(cells: pd.Series) -> pd.Series:
    return pd.cut(cells, [-np.inf, *EDGES, np.inf], right=False)


def stays() -> pd.DataFrame:
    """A million stays of a hundred thousand patients."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({"patient": rng.integers(0, SUBJECTS, ROWS_), "admitted": column("dates")})


def shift_against_groups() -> Race:
    """Against a random shift for each group, the fastest way of `groupby().transform`: by the name of a reduction."""
    table, step = stays(), DateShifter(subject="patient", key=KEYS)
    step.fit(table)

    def groups() -> pd.DataFrame:
        days = pd.Series(np.random.default_rng().integers(1, 366, len(table)))
        shift = days.groupby(table["patient"]).transform("first")
        return table.assign(admitted=table["admitted"] + pd.to_timedelta(shift, unit="D"))

    return Race(ours=Contestant(lambda: step.transform(table), units=ROWS_), peer=Contestant(groups, units=ROWS_))


def shift_against_function() -> Race:
    """Against a function that `groupby().transform` calls for each group."""
    table, step = stays(), DateShifter(subject="patient", key=KEYS)
    step.fit(table)
    few = table[:FEW]

    def groups() -> pd.Series:
        return few.groupby("patient")["admitted"].transform(lambda dates: dates + pd.Timedelta(days=17))

    return Race(ours=Contestant(lambda: step.transform(table), units=ROWS_), peer=Contestant(groups, units=FEW))


def shift_against_hmac() -> Race:
    """Against an HMAC of the subject in each row."""
    table, key, step = stays(), bytes(32), DateShifter(subject="patient", key=KEYS)
    step.fit(table)
    few = table[:FEW]

    def shifted(patient: int, date: dt.datetime) -> dt.datetime:
        digest = hmac.new(key, json.dumps(patient).encode(), hashlib.sha256).digest()
        return date + dt.timedelta(days=int.from_bytes(digest[:8], "big") % 365 + 1)

    def rows() -> pd.DataFrame:
        made = [shifted(patient, date) for patient, date in zip(few["patient"], few["admitted"], strict=True)]
        return few.assign(admitted=pd.Series(made, index=few.index))

    return Race(ours=Contestant(lambda: step.transform(table), units=ROWS_), peer=Contestant(rows, units=FEW))


GENERALIZED: tuple[tuple[str, str, Generalizer, Callable[[pd.Series], object], str], ...] = (
    (
        "bins of integers, as text",
        "ages",
        Generalizer("bins", bins=EDGES),
        lambda x: cut(x).astype(str),
        "pd.cut to text",
    ),
    ("bins of integers, against categories", "ages", Generalizer("bins", bins=EDGES), cut, "pd.cut"),
    ("bins of floats, against categories", "weights", Generalizer("bins", bins=EDGES), cut, "pd.cut"),
    (
        "bins of integers, as codes",
        "ages",
        Generalizer("bins", bins=EDGES, output="code"),
        lambda x: cut(x).cat.codes,
        "pd.cut",
    ),
    (
        "bins of floats, as codes",
        "weights",
        Generalizer("bins", bins=EDGES, output="code"),
        lambda x: cut(x).cat.codes,
        "pd.cut",
    ),
    (
        "intervals of floats",
        "weights",
        Generalizer("interval", width=5),
        lambda x: pd.cut(x, np.arange(-50, 200, 5), right=False),
        "pd.cut",
    ),
    ("year", "dates", Generalizer("year"), lambda x: x.dt.year.astype(str), ".dt.year to text"),
    ("month", "dates", Generalizer("month"), lambda x: x.dt.strftime("%Y-%m"), ".dt.strftime"),
    (
        "first day of the month",
        "dates",
        Generalizer("month", output="lower"),
        lambda x: x.dt.to_period("M").dt.start_time,
        ".dt.to_period",
    ),
    ("first three characters", "zips", Generalizer("prefix", length=3), lambda x: x.str[:3], ".str[:3]"),
    ("zip3, with the rule", "zips", Generalizer("zip3"), lambda x: x.str[:3], ".str[:3], without it"),
    (
        "groups of 40 categories",
        "categories",
        Generalizer("hierarchy", hierarchy=GROUPS),
        lambda x: x.map(GROUPS),
        ".map",
    ),
)
ROWS = (
    *(
        Row(work, lambda name=name, step=step, by_hand=by_hand: generalize(name, step, by_hand), peer, clock=CPU)
        for work, name, step, by_hand, peer in GENERALIZED
    ),
    Row("shift dates", shift_against_groups, 'groupby().transform("first")', clock=CPU),
    Row("shift dates", shift_against_function, "groupby().transform(function)", clock=CPU),
    Row("shift dates", shift_against_hmac, "hmac SHA-256 a row", clock=CPU),
)
