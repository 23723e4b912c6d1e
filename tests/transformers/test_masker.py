"""Masker: what it takes, what it refuses, and that no declared column comes out as it went in."""

import datetime as dt
import decimal
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numeric_twin import sklearn_checks
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline

from modelpriv import Masker
from modelpriv.errors import InputError, ParameterError, ParameterTypeError, ProtectionWarning
from modelpriv.kernels.text.formats import FORMATS
from modelpriv.testing import check_privacy_transformer

WAYS = [
    {},
    {"format": "name"},
    {"format": "card"},
    {"keep_first": 1, "keep_last": 2, "keep": " ", "char": "•"},
    {"length": 4},
    {"regex": r"(?P<last>\w)$"},
]


def masked(cells, **parameters):
    """Mask one column and give its new cells as a list."""
    return Masker(**parameters).fit_transform(pd.DataFrame({"x": cells}))["x"].tolist()


@sklearn_checks(Masker)
def test_scikit_learn_checks(estimator, check):
    """Every check of scikit-learn's passes."""
    check(estimator)


@pytest.mark.parametrize("parameters", WAYS, ids=str)
def test_contract(parameters):
    """The contract of a privacy transformer holds for each way to mask, on every kind of table."""
    check_privacy_transformer(Masker(**parameters))


def test_no_fit_is_needed():
    """Without a fit it masks as with one, and there is nothing to give back."""
    table = pd.DataFrame({"phone": ["415-555-0132"], "n": [1]})
    step = Masker("phone", columns=["phone"])
    pd.testing.assert_frame_equal(step.transform(table), Masker("phone", columns=["phone"]).fit(table).transform(table))
    assert not hasattr(step, "inverse_transform")


def test_each_named_format_is_offered():
    """A format is chosen by its name, and stands in the documentation."""
    for name in FORMATS:
        with pytest.warns(ProtectionWarning, match="1 of 1 cells"):
            assert masked(["x"], format=name) == ["*"]
        assert f'``"{name}"``' in Masker.__doc__


PHONE = "+1 415-555-0132"


@pytest.mark.parametrize("parameters", [{"format": "phone"}, {"regex": r"^(?P<country>\+\d+) "}], ids=str)
@pytest.mark.parametrize("call", ["fit_transform", "transform"])
def test_cells_that_do_not_fit_are_counted(parameters, call):
    """More than 5 % of cells that do not fit are counted in a warning with the column and the share, and no cell."""
    table = pd.DataFrame({"x": [PHONE] * 93 + ["cAnArY"] * 6 + ["", None]})
    step = Masker(**parameters).fit(table)
    with pytest.warns(ProtectionWarning, match=r"^Column 'x': 6 of 100 cells \(6%\) do not fit") as caught:
        getattr(step, call)(table)
    assert "cAnArY" not in str(caught[0].message)


@pytest.mark.parametrize(
    ("cells", "parameters"),
    [
        ([PHONE] * 95 + ["x"] * 5, {"format": "phone"}),
        ([PHONE] * 9 + [None] * 9, {"format": "phone"}),
        ([None, None], {"format": "phone"}),
        (["", ""], {"format": "name"}),
        (["x"] * 10, {}),
        (["x"] * 10, {"keep_last": 4}),
    ],
    ids=str,
)
def test_few_cells_that_do_not_fit_are_not_worth_a_warning(cells, parameters):
    """Up to 5 %, nulls, empty cells, and masks that are of no format, raise no warning."""
    masked(cells, **parameters)


def test_cells_of_all_parts_are_counted(monkeypatch):
    """A long column is counted as a whole, although it is masked part by part."""
    monkeypatch.setattr("modelpriv._columns.parts._ROWS", 10)
    with pytest.warns(ProtectionWarning, match="10 of 100 cells") as caught:
        masked([PHONE] * 90 + ["x"] * 10, format="phone")
    assert len(caught) == 1


def test_every_kind_of_table(container):
    """Text comes back as text in the kind of table that came; other columns pass through."""
    table = container({"a": ["12345678", None], "b": [1, 2]})
    result = Masker(keep_last=4, columns=[0]).fit_transform(table)
    assert type(result) in {type(table), np.ndarray}
    cells = pd.DataFrame(result.to_pandas() if isinstance(result, (pl.DataFrame, pa.Table)) else result)
    assert cells.iloc[0].tolist() == ["****5678", 1]
    assert pd.isna(cells.iloc[1, 0])


def test_rows_stay_where_they_are():
    """A duplicated index, the order of rows and columns, and the table that came in are as they were."""
    table = pd.DataFrame({"b": ["12345678", "abcdefgh"], "a": [2, 1]}, index=[7, 7])
    before = table.copy(deep=True)
    result = Masker(keep_last=4, columns=["b"]).fit_transform(table)
    expected = pd.DataFrame({"b": ["****5678", "****efgh"], "a": [2, 1]}, index=[7, 7])
    pd.testing.assert_frame_equal(result, expected)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([None, "12345678"], [None, "****5678"]),
        ([float("nan"), 12345678.0, 1.5], [None, "****5678", "***"]),
        ([12345678, -1], ["****5678", "**"]),
        ([4111111111111111.0, 1e300], ["************1111", "******"]),
        (pd.Categorical(["12345678", None, "12345678"]), ["****5678", None, "****5678"]),
        (pd.array([12345678, None], "Int64"), ["****5678", None]),
        ([decimal.Decimal("12345.678"), None], ["*****.678", None]),
        ([dt.date(1987, 3, 14), None], ["******3-14", None]),
        (pd.to_datetime(["1987-03-14", "2000-01-02"]), ["******3-14", "******1-02"]),
        (pd.to_datetime(["1987-03-14 10:30"]), ["***************0:00"]),
        (pd.to_datetime(["1987-03-14 23:30"]).tz_localize("UTC").tz_convert("Asia/Tokyo"), ["***************0:00"]),
        ([dt.time(10, 30), None], ["****0:00", None]),
        ([None, None], [None, None]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_cells_are_masked_as_their_text(cells, expected):
    """Numbers, dates and times are masked as the text that says all of them and no more, and nulls stay."""
    result = Masker(keep_last=4).fit_transform(pd.DataFrame({"x": cells}))["x"]
    assert [None if pd.isna(cell) else cell for cell in result] == expected


def test_a_moment_is_masked_where_it_is():
    """A moment with a time zone is masked as the date that it has there."""
    moments = pd.to_datetime(["1987-12-31 20:00"]).tz_localize("UTC").tz_convert("Asia/Tokyo")
    assert masked(moments, format="date") == ["1988-**-** **:**:**"]
    assert masked(pd.to_datetime(["1987-12-31"]), format="date") == ["1987-**-**"]


def test_dtypes_of_text():
    """Text keeps its dtype; what becomes text takes the container's default, a categorical too."""
    table = pd.DataFrame({"s": pd.array(["ab"], "string"), "o": pd.Series(["ab"], dtype=object), "n": [12]})
    table["c"] = pd.Categorical(["ab"])
    default = pd.Series(["a"]).dtype
    assert Masker().fit_transform(table).dtypes.tolist() == [pd.StringDtype(), np.dtype(object), default, default]


@pytest.mark.parametrize(
    "cells", [[True, False], pd.array([True, None], "boolean"), [b"secret"], pd.to_timedelta(["1h"])], ids=str
)
def test_what_has_no_characters_is_refused(cells):
    """Booleans, bytes and durations are refused, by the name of the column and without a cell."""
    with pytest.raises(InputError, match=r"Column 'x'.*cannot be masked") as caught:
        masked(cells)
    assert "secret" not in str(caught.value)


def test_nulls_can_be_masked():
    """With null='protect' a null cannot be told from a cell that is masked whole, of whatever type."""
    assert masked(["abc", None, ""], length=5, null="protect") == ["*****"] * 3
    assert masked([1.5, None], length=5, null="protect") == ["*****"] * 2
    assert masked([None, None], length=2, null="protect") == ["**"] * 2


def test_nulls_can_be_refused():
    """With null='raise' a null is an error that names the column."""
    with pytest.raises(InputError, match="'x'"):
        masked(["a", None], null="raise")


@pytest.mark.parametrize("char", ["•", "█", "X", "e\u0301", "👨‍👩‍👧", "é"])
def test_any_visible_character_masks(char):
    """A mask character may have several bytes, and several code points."""
    assert masked(["abcdefgh"], keep_last=2, char=char) == [char * 6 + "gh"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"format": "fone"}, "format.*'phone'"),
        ({"keep_first": -1}, "keep_first.*at least 0"),
        ({"keep_last": -1}, "keep_last.*at least 0"),
        ({"length": 0}, "length.*at least 1"),
        ({"char": ""}, "char"),
        ({"char": "**"}, "char"),
        ({"char": " "}, "char"),
        ({"char": "\n"}, "char"),
        ({"char": "\u0301"}, "char"),
        ({"char": "\u200b"}, "char"),
        ({"char": "🇩"}, "char"),
        ({"char": "\ud800"}, "char.*surrogate"),
        ({"keep": "e\u0301"}, "keep.*code point"),
        ({"keep": "\ud800"}, "keep.*surrogate"),
        ({"regex": "(?=a)"}, "regex.*RE2"),
        ({"regex": "abc"}, "regex.*named group"),
        ({"regex": r"(\d+)"}, "regex.*unnamed"),
        ({"format": "phone", "keep_last": 2}, "format and keep_last do not go together"),
        ({"format": "phone", "regex": "(?P<a>.)"}, "format and regex do not go together"),
        ({"regex": "(?P<a>.)", "keep": "-"}, "regex and keep do not go together"),
        ({"null": "protect"}, "null.*needs length"),
        ({"null": "drop"}, "null"),
    ],
    ids=str,
)
def test_parameters_without_sense_are_refused(parameters, words):
    """A value or combination that makes no sense is refused at fit, and at a call without one."""
    step = Masker(**parameters)
    for call in (step.fit, step.transform):
        with pytest.raises(ParameterError, match=words):
            call(pd.DataFrame({"x": ["a"]}))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("format", 1),
        ("keep_first", 1.0),
        ("keep_first", None),
        ("keep_last", True),
        ("keep", ["-"]),
        ("keep", None),
        ("char", 42),
        ("char", None),
        ("length", "8"),
        ("regex", b"(?P<a>.)"),
    ],
)
def test_parameters_of_another_type_are_refused(parameter, value):
    """A value of another type is refused by the name of the parameter and both types."""
    came = "None" if value is None else type(value).__name__
    with pytest.raises(ParameterTypeError, match=f"{parameter} must be .* got {came}\\."):
        Masker(**{parameter: value}).fit(pd.DataFrame({"x": ["a"]}))


def test_numbers_of_numpy_are_numbers():
    """A parameter grid's numpy integers are taken for what they are, and any number is not too large."""
    assert masked(["12345678"], keep_last=np.int64(4)) == ["****5678"]
    assert masked(["12345678"], keep_first=10**30, length=np.int8(3)) == ["***"]


def test_with_scikit_learn():
    """It stands in a column transformer and a pipeline, with its names, and its pickle holds no cell."""
    table = pd.DataFrame({"phone": ["415-555-0132", None], "name": ["Ada Lovelace", "Alan Turing"], "n": [1, 2]})
    columns = make_column_transformer(
        (Masker("phone"), ["phone"]),
        (Masker("name"), ["name"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipeline = make_pipeline(columns, Masker(keep_last=1, columns=["phone"]))
    result = pipeline.fit_transform(table)
    assert result["name"].tolist() == ["A** L*******", "A*** T*****"]
    assert list(pipeline.get_feature_names_out()) == ["phone", "name", "n"]
    assert b"Lovelace" not in pickle.dumps(pipeline)


def test_nothing_is_masked_in_columns_not_declared():
    """Columns that are not declared are passed on untouched, whatever they hold."""
    table = pd.DataFrame({"a": ["secret"], "b": [True], "c": [object()]})
    result = Masker(columns=["a"]).fit_transform(table)
    assert result["a"].tolist() == ["******"]
    assert result[["b", "c"]].equals(table[["b", "c"]])
