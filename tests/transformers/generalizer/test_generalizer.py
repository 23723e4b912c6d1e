"""Generalizer: what each way makes of a column, what it covers, and what it refuses."""

import datetime as dt
import decimal
import pickle
import time

import dtype_columns
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from fixed_keys import KEYS
from hypothesis import given
from hypothesis import strategies as st
from numeric_twin import sklearn_checks
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from modelpriv import Generalizer, Keyring, repin
from modelpriv._columns.frame import open_frame
from modelpriv.errors import InputError, KeyUnavailableError, ParameterError, ParameterTypeError, ProtectionWarning
from modelpriv.testing import check_privacy_transformer

DIAGNOSES = {"J45": ["J40-J47", "lungs"], "J40": ["J40-J47", "lungs"], "E11": ["E10-E14", "metabolism"]}
WAYS = [
    {"to": "prefix", "length": 3, "null": "protect"},
    {"to": "zip3"},
    {"to": "hierarchy", "hierarchy": DIAGNOSES},
    {"to": "network"},
    {"to": "frequent", "min_count": 3, "key": KEYS},
    {"to": "year"},
]


def coarse(to, cells, **more):
    """Generalize one column, and give its cells with None for every null."""
    column = Generalizer(to, **more).fit_transform(pd.DataFrame({"x": cells}))["x"]
    return [None if pd.isna(cell) else cell for cell in column]


@sklearn_checks(Generalizer, to="prefix", length=1)
def test_scikit_learn_checks_of_text(estimator, check):
    """Every check of scikit-learn's passes where cells are text."""
    check(estimator)


@parametrize_with_checks(
    [
        Generalizer("interval", width=0.5, output="midpoint"),
        Generalizer("bins", bins=[0.0, 1.0], output="code"),
        Generalizer("rounded", width=1),
        Generalizer("bounded", top=1.0),
    ],
    expected_failed_checks=lambda _: {},
)
def test_scikit_learn_checks_of_numbers(estimator, check):
    """Every check of scikit-learn's passes on its own numbers."""
    check(estimator)


@pytest.mark.parametrize("more", [way for way in WAYS if way.get("null") != "protect"], ids=str)
def test_contract(more):
    """The contract of a privacy transformer holds for each way that takes text, on every kind of table."""
    check_privacy_transformer(Generalizer(**more))


# --- what each way makes ---

DATES = ["1987-03-14", "2024-12-30", None]


@pytest.mark.parametrize(
    ("to", "cells", "more", "expected"),
    [
        ("interval", [0, 37, 91, None], {"width": 5, "top": 90}, ["[0, 5)", "[35, 40)", ">=90", None]),
        ("interval", [0, 37, 91], {"width": 5, "top": 90, "output": "lower"}, [0, 35, 90]),
        ("interval", [0, 37, 91], {"width": 5, "top": 90, "output": "midpoint"}, [2.5, 37.5, 90.0]),
        ("interval", [0, 37, 91], {"width": 5, "top": 90, "output": "code"}, [0, 7, 18]),
        ("interval", [decimal.Decimal("0.3")], {"width": 0.1}, ["[0.3, 0.4)"]),
        ("interval", pd.array([2**63, 5], "UInt64"), {"width": 10, "top": 10}, [">=10", "[0, 10)"]),
        ("bins", [17, 18, 70], {"bins": [18, 65], "labels": ["child", "adult", "old"]}, ["child", "adult", "old"]),
        ("rounded", [12, 13, None], {"width": 5}, [10, 15, None]),
        ("rounded", [0.12, 0.13], {"width": 0.05, "output": "label"}, ["0.10", "0.15"]),
        ("bounded", [17, 50, 95], {"bottom": 18, "top": 90}, [18, 50, 90]),
        ("bounded", [17.0, 50.5, 95], {"bottom": 18, "top": 90, "output": "label"}, ["<18", "50.5", ">=90"]),
        ("latitude", [52.5163, -90.0], {"width": 0.1}, ["[52.5, 52.6)", "[-90.0, -89.9)"]),
        ("longitude", [13.3777], {"width": 0.5, "output": "midpoint"}, [13.25]),
        ("decade", DATES, {}, ["1980s", "2020s", None]),
        ("year", DATES, {"bottom": "1990-01-01"}, ["<1990", "2024", None]),
        ("year", DATES, {"bottom": dt.date(1990, 6, 1), "output": "code"}, [1990, 2024, None]),
        ("quarter", DATES, {}, ["1987-Q1", "2024-Q4", None]),
        ("month", DATES, {"output": "lower"}, ["1987-03-01", "2024-12-01", None]),
        ("week", DATES, {}, ["1987-W11", "2025-W01", None]),
        ("year", [19870314, 20241230], {"output": "lower"}, [19870101, 20240101]),
        ("year", [19870314.0, None], {}, ["1987", None]),
        ("year", ["1987-03-14T23:59:59.5+02:00", " 19870314 "], {}, ["1987", "1987"]),
        ("prefix", ["J45.0", "J45", "Ångström"], {"length": 3}, ["J45", "J45", "Ång"]),
        ("prefix", [11010519491231002, 44010519491231002], {"length": 2}, ["11", "44"]),
        ("zip3", ["02139", "02139-4307", "03601", "96301"], {}, ["021", "021", "000", "000"]),
        ("zip3", ["75301", "02139"], {"sparse": "census-2020"}, ["000", "021"]),
        ("zip3", [2139, 501], {"output": "code"}, [21, 5]),
        ("zip3", [2139.0, None], {}, ["021", None]),
        ("network", ["192.0.2.77", "2001:db8:1:2::9"], {}, ["192.0.2.0/24", "2001:db8:1::/48"]),
        ("network", ["192.0.2.77"], {"ipv4": 16, "output": "lower"}, ["192.0.0.0"]),
        ("hierarchy", ["J45", "E11", None], {"hierarchy": DIAGNOSES}, ["J40-J47", "E10-E14", None]),
        ("hierarchy", ["J45", "E11"], {"hierarchy": DIAGNOSES, "level": 2}, ["lungs", "metabolism"]),
        ("hierarchy", ["E11", "J40"], {"hierarchy": DIAGNOSES, "output": "code"}, [1, 0]),
        ("hierarchy", [1, 2.0, None], {"hierarchy": {1: "odd", 2: "even"}}, ["odd", "even", None]),
        ("hierarchy", [True, False], {"hierarchy": {True: "yes", False: "no"}}, ["yes", "no"]),
        ("frequent", ["a", "b", "a", None], {"min_count": 2, "key": KEYS}, ["a", "*", "a", None]),
        ("frequent", [5, 5, 7], {"min_count": 2, "key": KEYS, "other": "rare"}, ["5", "5", "rare"]),
        ("prefix", ["a1", "a2", "b1"], {"length": 1, "min_count": 2, "key": KEYS}, ["a", "a", "*"]),
        ("prefix", ["a1", None], {"length": 1, "null": "protect"}, ["a", "*"]),
    ],
    ids=str,
)
def test_each_way_has_the_right_classes(to, cells, more, expected):
    """A cell becomes its class, in the output that was asked for, and a null stays one."""
    assert coarse(to, cells, **more) == expected


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(pd.to_datetime(["1987-03-14 10:30", None])),
        pd.Series(pd.to_datetime(["1987-03-14 10:30", None])).astype("datetime64[s]"),
        pd.Series(pd.to_datetime(["1987-03-14 10:30", None])).dt.tz_localize("Asia/Tokyo"),
        pd.Series([dt.date(1987, 3, 14), None], dtype=object),
        pd.Series([dt.date(1987, 3, 14), None], dtype=pd.ArrowDtype(pa.date32())),
        pd.Series(pd.Categorical(pd.to_datetime(["1987-03-14", None]))),
    ],
    ids=lambda cells: str(cells.dtype),
)
@pytest.mark.parametrize("output", ["lower", "midpoint"])
def test_dates_keep_their_dtype(cells, output):
    """A lower bound or a midpoint of a period is a date in the dtype that the column has, at midnight on its clock."""
    column = Generalizer("month", output=output).fit_transform(pd.DataFrame({"x": cells}))["x"]
    wanted = {"lower": "1987-03-01", "midpoint": "1987-03-16"}[output]
    assert str(column[0]).removesuffix("+09:00") in {wanted, f"{wanted} 00:00:00"}
    assert pd.isna(column[1])
    assert column.dtype == cells.dtype or str(cells.dtype) == "category"


EVERY_DTYPE = {
    "pandas": lambda: {name: pd.DataFrame({"x": column}) for name, column in dtype_columns.pandas_columns().items()},
    "polars": lambda: {name: pl.DataFrame({"x": column}) for name, column in dtype_columns.polars_columns().items()},
    "pyarrow": lambda: {name: pa.table({"x": column}) for name, column in dtype_columns.arrow_columns().items()},
}


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
@pytest.mark.parametrize("kind", EVERY_DTYPE)
@pytest.mark.parametrize(
    "more",
    [
        {"to": "interval", "width": 0.1},
        {"to": "bins", "bins": [0, 5.5], "output": "code"},
        {"to": "bounded", "top": 1},
        {"to": "month", "output": "lower"},
        {"to": "prefix", "length": 2},
        {"to": "zip3"},
        {"to": "hierarchy", "hierarchy": DIAGNOSES},
        {"to": "frequent", "min_count": 2, "key": KEYS},
    ],
    ids=lambda more: more["to"],
)
def test_every_dtype_is_generalized_or_refused(more, kind):
    """A column of any dtype comes out with as many rows, and null where it was null, or is refused by name."""
    done = 0
    for table in EVERY_DTYPE[kind]().values():
        if len(table) == 0:
            continue
        try:
            result = Generalizer(**more).fit_transform(table)
        except InputError as error:
            assert str(error).startswith("Column 'x'")  # noqa: PT017 - most are refused
            continue
        before, after = (open_frame(one).column(0).data for one in (table, result))
        assert len(before) == len(after)
        assert not pc.any(pc.and_(before.is_null(), after.is_valid())).as_py()
        done += 1
    assert done > 2


def test_a_day_without_midnight_begins_after_it():
    """Where the clocks skip midnight, the lower bound still lies in its own period."""
    days = pd.Series(pd.to_datetime(["2017-10-15", "2017-11-15"])).dt.tz_localize("America/Asuncion")
    october, november = coarse("month", days, output="lower")
    assert str(october) == "2017-10-01 01:00:00-03:00"  # the first hour of that month did not occur
    assert str(november) == "2017-11-01 00:00:00-03:00"


@pytest.mark.parametrize("dtype", ["int8", "float32", "Int16", "float64"])
def test_bounded_numbers_keep_their_dtype(dtype):
    """A number between its bounds stays in the dtype that it has; a bound that the dtype cannot hold takes another."""
    table = pd.DataFrame({"age": pd.Series([17, 50, 95], dtype=dtype)})
    result = Generalizer("bounded", bottom=18, top=90).fit_transform(table)
    assert result["age"].dtype == dtype
    assert result["age"].tolist() == [18, 50, 90]
    assert Generalizer("bounded", bottom=100_000).fit_transform(table)["age"].tolist() == [100_000] * 3


def test_a_moment_lies_in_the_year_of_its_own_clock():
    """A moment with a time zone has the year that its zone has then."""
    moments = pd.to_datetime(["1987-12-31 20:00"]).tz_localize("UTC").tz_convert("Asia/Tokyo")
    assert coarse("year", moments) == ["1988"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_every_unit_of_time(unit):
    """Timestamps of every unit have the same period; one outside of the years from 1 to 9999 has none."""
    assert coarse("month", np.array(["1969-12-31T23:59:59"], f"M8[{unit}]")) == ["1969-12"]
    if unit == "s":
        with pytest.warns(ProtectionWarning, match="1 of 1 cell "):
            assert coarse("month", np.array(["+20000-01-01"], "M8[s]")) == ["*"]


def test_every_kind_of_table(container):
    """The kind of table that came goes out, with the other columns as they were."""
    result = Generalizer("interval", width=10, columns=[0]).fit_transform(container({"a": [37, None], "b": ["x", "y"]}))
    cells = pd.DataFrame(result.to_pandas() if isinstance(result, (pl.DataFrame, pa.Table)) else result)
    assert cells.iloc[0].tolist() == ["[30, 40)", "x"]
    assert pd.isna(cells.iloc[1, 0])


def test_an_array_has_nan_for_a_null():
    """In an array, which has no null among integers, codes with a null are floats, as models take them."""
    codes = Generalizer("bins", bins=[1.0], output="code").fit_transform(np.array([[0.5], [np.nan], [2.0]]))
    assert codes.dtype == np.float64
    assert np.array_equal(codes, [[0.0], [np.nan], [1.0]], equal_nan=True)


@pytest.mark.parametrize(("to", "cell", "label"), [("zip3", "02139", "021"), ("year", "19870314", "1987")])
def test_a_part_of_nulls_alone(to, cell, label, monkeypatch):
    """A part of a long column that holds nothing stays null, and an array of codes has NaN in it."""
    monkeypatch.setattr("modelpriv._columns.parts._ROWS", 10)
    assert coarse(to, [None] * 10 + [cell] * 10) == [None] * 10 + [label] * 10
    array = np.array([None] * 10 + [cell] * 10, dtype=object).reshape(-1, 1)
    codes = Generalizer(to, output="code").fit_transform(array)
    assert codes.dtype == np.float64
    assert np.array_equal(codes[:, 0], [np.nan] * 10 + [int(label)] * 10, equal_nan=True)


def test_rows_stay_in_their_order():
    """Rows stay where they were, with their index: nothing is grouped by class, and no row number is added."""
    table = pd.DataFrame({"age": [61, 20, 62, 21], "name": list("abcd")}, index=[7, 7, 1, 3])
    result = Generalizer("interval", width=10, columns=["age"]).fit_transform(table)
    expected = table.assign(age=["[60, 70)", "[20, 30)", "[60, 70)", "[20, 30)"])
    pd.testing.assert_frame_equal(result, expected, check_dtype=False)


def test_models_train_on_it():
    """Midpoints and codes are numbers that a model learns from, in a pipeline that needs no fit of its own."""
    ages = pd.DataFrame({"age": [20, 21, 60, 61]})
    for output in ("midpoint", "lower", "code"):
        model = make_pipeline(Generalizer("interval", width=10, output=output), DecisionTreeRegressor())
        assert model.fit(ages, [1, 1, 2, 2]).predict(pd.DataFrame({"age": [25, 69]})).tolist() == [1, 2]


@pytest.mark.parametrize(("to", "more", "fitted"), [("year", {}, False), ("hierarchy", {"hierarchy": DIAGNOSES}, True)])
def test_a_fit_is_needed_for_what_is_learnt(to, more, fitted):
    """Only a hierarchy, which is read once, and frequent labels need a fit."""
    assert Generalizer(to, **more).__sklearn_tags__().requires_fit is fitted
    assert Generalizer("year", min_count=2, key=KEYS).__sklearn_tags__().requires_fit
    assert Generalizer("year").transform(pd.DataFrame({"x": ["1987-03-14"]}))["x"][0] == "1987"


# --- what fits no class ---


@pytest.mark.parametrize(
    ("to", "cells", "more", "label"),
    [
        ("interval", [1.0, np.inf, 1e300], {"width": 1}, "*"),
        ("bins", pa.array([1.0, float("nan"), float("nan")]), {"bins": [1]}, "*"),
        ("latitude", [1.0, -90.1, 91.0], {"width": 1}, "*"),
        ("year", ["1987-03-14", "1987-02-30", "cAnArY"], {}, "*"),
        ("year", [19870314, 870314, 0], {}, "*"),
        ("prefix", ["abc", "ab", ""], {"length": 3}, "*"),
        ("zip3", ["02139", "2139", "cAnArY"], {}, "000"),
        ("network", ["192.0.2.1", "192.0.2.1.5", "cAnArY"], {}, "*"),
        ("hierarchy", ["J45", "cAnArY", "lungs"], {"hierarchy": DIAGNOSES}, "*"),
        ("hierarchy", ["J45", "cAnArY", "*"], {"hierarchy": DIAGNOSES, "other": "unknown"}, "unknown"),
    ],
    ids=str,
)
def test_what_fits_no_class_is_covered_and_counted(to, cells, more, label):
    """A cell without a class never passes: it becomes other, and a warning counts such cells and shows none."""
    table = (pa.table if isinstance(cells, pa.Array) else pd.DataFrame)({"x": cells})
    with pytest.warns(ProtectionWarning, match=rf"^Column 'x': 2 of 3 cells fit no class of to='{to}' and") as caught:
        result = Generalizer(to, **more).fit(table).transform(table)
    found = result["x"].to_pylist() if isinstance(result, pa.Table) else result["x"].tolist()
    assert found[1:] == [label, label]
    assert "cAnArY" not in str(caught[0].message)


@pytest.mark.parametrize("output", ["lower", "midpoint", "code"])
def test_without_a_label_it_becomes_null(output):
    """In any other output than a label, a cell without a class is null, and counted."""
    with pytest.warns(ProtectionWarning, match=r"2 of 3 cells .* became null"):
        assert coarse("year", ["1987-03-14", "soon", "1987-13-01"], output=output)[1:] == [None, None]


def test_cells_of_all_parts_are_counted(monkeypatch):
    """A long column is counted as a whole, although it is taken part by part."""
    monkeypatch.setattr("modelpriv._columns.parts._ROWS", 10)
    with pytest.warns(ProtectionWarning, match="10 of 100 cells") as caught:
        coarse("zip3", ["02139"] * 90 + ["x"] * 10)
    assert len(caught) == 1


def test_a_null_is_no_wildcard():
    """A null stays a null: it takes no label, is in no group, and is not counted among the rare ones."""
    assert coarse("hierarchy", ["J45", None, "J40"], hierarchy=DIAGNOSES) == ["J40-J47", None, "J40-J47"]
    assert coarse("frequent", [None, None, None, "a"], min_count=2, key=KEYS) == [None, None, None, "*"]


def test_a_call_that_fails_returns_nothing():
    """Where the second of two columns is refused, nothing comes out, the first is as it was, and so is the object."""
    table = pd.DataFrame({"age": [37, 91], "name": ["Ada", "Alan"]})
    before, step = table.copy(deep=True), Generalizer("interval", width=5)
    with pytest.raises(InputError, match="Column 'name'"):
        step.fit_transform(table)
    pd.testing.assert_frame_equal(table, before)
    assert not hasattr(step, "n_features_in_")


def test_columns_that_fit_did_not_see_are_refused():
    """A fitted object refuses a table with a column more, less or renamed: none passes unnoticed."""
    table = pd.DataFrame({"age": [37], "ward": ["a"]})
    step = Generalizer("interval", width=5, columns=["age"]).fit(table)
    for other in (table.assign(born=1987), table[["age"]], table.rename(columns={"age": "years"})):
        with pytest.raises(ValueError, match=r"names|features|columns"):
            step.transform(other)


# --- hierarchies ---


def test_hierarchies_of_every_form(tmp_path):
    """A dict, tables of every kind, and files with semicolons or commas are one hierarchy."""
    columns = {
        "value": list(DIAGNOSES),
        "near": [g[0] for g in DIAGNOSES.values()],
        "far": [g[1] for g in DIAGNOSES.values()],
    }
    lines = [
        "".join(f"{cell}{sign}" for cell in row)[:-1] for sign in ";," for row in zip(*columns.values(), strict=True)
    ]
    (tmp_path / "arx.csv").write_text("\n".join(lines[:3]) + "\n")
    (tmp_path / "comma.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines[3:]).encode())
    forms = [DIAGNOSES, pd.DataFrame(columns), pl.DataFrame(columns), pa.table(columns)]
    for hierarchy in [*forms, tmp_path / "arx.csv", str(tmp_path / "comma.csv")]:
        assert coarse("hierarchy", ["E11", "J40"], hierarchy=hierarchy, level=2) == ["metabolism", "lungs"]


def test_a_hierarchy_is_read_once(tmp_path):
    """A fitted object keeps its hierarchy, so that its file may change or go away, also after a pickle."""
    path = tmp_path / "ages.csv"
    path.write_text("1;0-4;*\n2;0-4;*\n")
    step = Generalizer("hierarchy", hierarchy=path).fit(pd.DataFrame({"x": [1, 2]}))
    path.unlink()
    again = pickle.loads(pickle.dumps(step))
    for fitted in (step, again):
        assert fitted.transform(pd.DataFrame({"x": [2]}))["x"].tolist() == ["0-4"]


@pytest.mark.parametrize(
    ("hierarchy", "level", "error", "words"),
    [
        ({}, 1, ParameterError, "hierarchy is empty"),
        (DIAGNOSES, 3, ParameterError, "level=3, but row 0 of the hierarchy has 2 levels"),
        ({"a": "x", "b": ["y", "z"]}, 2, ParameterError, "level=2, but row 0 of the hierarchy has 1 level "),
        ({"a": 1}, 1, ParameterTypeError, "hierarchy must map values"),
        ({1.5: "a"}, 1, ParameterTypeError, "hierarchy must map values"),
        (pd.DataFrame({"v": ["cAnArY", "cAnArY"], "g": ["a", "b"]}), 1, ParameterError, "row 1 .* another group"),
        (pd.DataFrame({"v": ["a"], "g": [None]}), 1, ParameterError, "Column 'g' of the hierarchy has a null in row 0"),
        (pd.DataFrame({"v": ["a"]}), 1, ParameterError, "hierarchy has one column"),
        ("nowhere.csv", 1, ParameterError, "'nowhere.csv' cannot be read as UTF-8 text .FileNotFoundError"),
        (5, 1, ParameterTypeError, "hierarchy must be a dict of values and groups, a table, or the path"),
    ],
    ids=str,
)
def test_what_is_no_hierarchy_is_refused(hierarchy, level, error, words):
    """A hierarchy with a gap, a contradiction or no such level is refused with the row, and no value is shown."""
    with pytest.raises(error, match=words) as caught:
        coarse("hierarchy", ["a"], hierarchy=hierarchy, level=level)
    assert "cAnArY" not in str(caught.value)


def test_a_line_without_groups_is_refused(tmp_path):
    """A file that is no table of values and groups is refused by its name."""
    (tmp_path / "list.csv").write_text("a;b\ncAnArY\n")
    with pytest.raises(ParameterError, match=r"list\.csv' has a line without a semicolon") as caught:
        coarse("hierarchy", ["a"], hierarchy=tmp_path / "list.csv")
    assert "cAnArY" not in str(caught.value)


def test_a_large_hierarchy_takes_no_longer_for_each_cell():
    """A column is looked up once, not cell by cell in a list: ten times the values do not take ten times as long."""

    def taken(size):
        step = Generalizer("hierarchy", hierarchy={f"value {n}": f"group {n % 10}" for n in range(size)})
        table = pd.DataFrame({"x": [f"value {n % size}" for n in range(200_000)]})
        step.fit(table)
        runs = []
        for _ in range(3):
            start = time.process_time()
            step.transform(table)
            runs.append(time.process_time() - start)
        return min(runs)

    assert taken(20_000) < 8 * taken(200) + 0.1


# --- rare values ---


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60), st.integers(2, 6), st.integers(1, 60))
def test_rare_labels_are_merged_whatever_the_parts(cells, least, rows):
    """Exactly the labels that occur less often than min_count become other, wherever a long column is cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modelpriv._columns.parts._ROWS", rows)
        found = coarse("frequent", cells, min_count=least, key=KEYS)
    assert found == [cell if cells.count(cell) >= least else "*" for cell in cells]


def test_labels_that_fit_did_not_see_are_rare():
    """A label that fit did not see becomes other, and fit's counts decide, not those of the new table."""
    step = Generalizer("frequent", min_count=2, key=KEYS).fit(pd.DataFrame({"x": ["a", "a", "b"]}))
    assert step.transform(pd.DataFrame({"x": ["b", "b", "b", "c", "a"]}))["x"].tolist() == ["*"] * 4 + ["a"]
    assert step.transform(pd.DataFrame({"x": [None, None]}))["x"].isna().all()


def test_frequent_labels_are_known_by_tags_alone():
    """A fitted object holds no label, frequent or rare, and no count; its tags are no pseudonyms of them."""
    step = Generalizer("frequent", min_count=2, key=KEYS).fit(pd.DataFrame({"x": ["cAnArY 1"] * 3 + ["cAnArY 2"]}))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert b"cAnArY" not in pickle.dumps(step, protocol)
    assert step._states[0]["known"]["length"] == 1
    assert step.key_id_ == KEYS.primary
    assert pickle.loads(pickle.dumps(step)).transform(pd.DataFrame({"x": ["cAnArY 1"]}))["x"].tolist() == ["cAnArY 1"]


def test_a_key_that_is_not_needed_moves_along():
    """Where no labels are known by tags, a key does nothing, and a newer one takes its place."""
    step = Generalizer("year", key=KEYS).fit(pd.DataFrame({"x": ["1987-03-14"]}))
    assert not hasattr(step, "key_id_")
    newer = KEYS.rotate()
    assert repin(step, key=newer).key is newer


def test_another_key_does_not_know_the_labels():
    """Without the key that fit pinned there is no transform, and no move to a newer key without a fit."""
    table = pd.DataFrame({"x": ["a", "a"]})
    step = Generalizer("frequent", min_count=2, key=KEYS).fit(table)
    with pytest.raises(KeyUnavailableError, match=KEYS.primary):
        step.set_params(key=Keyring.generate()).transform(table)
    with pytest.raises(ParameterError, match=r"no labels to make new tags for\. Fit it again"):
        repin(Generalizer("frequent", min_count=2, key=KEYS).fit(table), key=KEYS.rotate())


# --- what is refused ---


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"to": "age"}, ParameterError, "to must be one of 'interval', 'bins'"),
        ({"to": "interval"}, ParameterError, "to='interval' needs width="),
        ({"to": "interval", "width": 0}, ParameterError, "width must be a finite number above 0"),
        ({"to": "interval", "width": float("inf")}, ParameterError, "width must be a finite number above 0"),
        ({"to": "interval", "width": 1, "length": 3}, ParameterError, "length works only with to='prefix', not with"),
        ({"to": "interval", "width": 1, "bottom": 9, "top": 1}, ParameterError, "bottom must be smaller than top"),
        ({"to": "interval", "width": 1, "top": "1936-01-01"}, ParameterError, "top must be a finite number"),
        ({"to": "interval", "width": "5"}, ParameterTypeError, "width must be a number or None, got str"),
        ({"to": "year", "width": 5}, ParameterError, "width works only with to='interval', 'rounded', 'latitude'"),
        ({"to": "year", "bottom": 1936}, ParameterError, "bottom must be a date, or a text such as '1936-01-01'"),
        ({"to": "year", "top": "in May"}, ParameterError, "top must be a date"),
        ({"to": "bins", "bins": []}, ParameterError, "bins must be a list of ascending numbers"),
        ({"to": "bins", "bins": [2, 1]}, ParameterError, "bins must be finite numbers in ascending order"),
        ({"to": "bins", "bins": [1], "labels": ["a"]}, ParameterError, "labels must be one more than bins.*2, got 1"),
        ({"to": "bounded"}, ParameterError, "needs bottom= or top="),
        (
            {"to": "bounded", "top": 1, "output": "code"},
            ParameterError,
            "has no output='code'. It has 'lower', 'label'",
        ),
        ({"to": "prefix", "length": 0}, ParameterError, "length must be a whole number of at least 1"),
        ({"to": "zip3", "sparse": "2000"}, ParameterError, "sparse must be one of 'census-2000'"),
        ({"to": "network", "ipv4": 32}, ParameterError, "ipv4 must be a whole number from 0 to 31"),
        ({"to": "frequent", "key": KEYS}, ParameterError, "to='frequent' needs min_count="),
        ({"to": "frequent", "min_count": 2}, ParameterError, "min_count needs key="),
        ({"to": "frequent", "min_count": 1, "key": KEYS}, ParameterError, "min_count must be .* at least 2"),
        (
            {"to": "year", "output": "code", "min_count": 2, "key": KEYS},
            ParameterError,
            "min_count works only with output='label'",
        ),
        ({"to": "year", "output": "code", "null": "protect"}, ParameterError, "null='protect' works only with output"),
        ({"to": "year", "null": "raise"}, InputError, "Column 'x' has 1 null, the first in row 1"),
        ({"to": "year", "output": "text"}, ParameterError, "output must be one of 'label', 'lower'"),
    ],
    ids=str,
)
def test_parameters_are_checked_at_fit(more, error, words):
    """A parameter, or a combination, without meaning is refused by fit in clear words, and by nothing before."""
    step = Generalizer(**more)
    for call in (step.fit, step.fit_transform):
        with pytest.raises(error, match=words):
            call(pd.DataFrame({"x": ["1987-03-14", None]}))


@pytest.mark.parametrize(
    ("to", "cells", "more"),
    [
        ("interval", ["cAnArY"], {"width": 1}),
        ("interval", [True], {"width": 1}),
        ("year", [dt.time(1)], {}),
        ("prefix", [1.5], {"length": 1}),
        ("network", [3], {}),
        ("zip3", [b"cAnArY"], {}),
        ("hierarchy", [dt.timedelta(1)], {"hierarchy": DIAGNOSES}),
    ],
    ids=str,
)
def test_a_column_of_another_type_is_refused(to, cells, more):
    """A column that the way does not take is refused by name and type, with what the way takes, and no cell."""
    table = pd.DataFrame({"ok": [1], "x": cells})
    step = Generalizer(to, columns=["x"], **more)
    for call in (step.fit, step.fit_transform):
        with pytest.raises(InputError, match=rf"Column 'x' .* holds .* and to='{to}' takes .*\. Convert it") as caught:
            call(table)
        assert "cAnArY" not in str(caught.value)


def test_a_column_without_values_stays_without():
    """A column of nulls alone has no type to refuse, and stays null in every output."""
    for more in ({"to": "interval", "width": 1}, {"to": "year", "output": "lower"}, {"to": "zip3", "output": "code"}):
        assert coarse(cells=[None, None], **more) == [None, None]


@pytest.mark.parametrize("rows", [0, 2])
def test_no_rows(rows):
    """A table without rows passes a fitted object, and its columns have the dtype of text or of numbers."""
    table = pd.DataFrame({"x": [19870314, 19870315]})
    for output in ("label", "code", "lower"):
        step = Generalizer("year", output=output).fit(table)
        assert step.transform(table[:rows])["x"].dtype == step.transform(table)["x"].dtype
