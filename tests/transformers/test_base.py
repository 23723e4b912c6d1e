"""The shell of the column transformers: what is declared is protected, all else stays, and errors change nothing."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from modelpriv._columns.frame import Built, open_frame
from modelpriv._core.checks import OneOf
from modelpriv.errors import InputError, ParameterError, ParameterTypeError
from modelpriv.transformers.base import BaseColumnTransformer

CANARY = "cAnArY"
DATA = {"id": [1, 2, 3], "name": [f"{CANARY} a", None, f"{CANARY} c"], "town": ["Oslo", "Rome", None]}


class Stars(BaseColumnTransformer):
    """Replaces every cell by stars and a row number, or by that of the row it refers to."""

    def __init__(self, columns=None, *, null="keep", refer=(), fail=None):
        self.columns = columns
        self.null = null
        self.refer = refer
        self.fail = fail

    _parameter_rules = BaseColumnTransformer._parameter_rules | {"fail": [OneOf("fit", "transform"), None]}

    def _reference_names(self):
        return list(self.refer)

    def _fit_part(self, column, call):
        if self.fail == "fit" and column.name in {"town", 2}:
            raise InputError("This fit fails.")
        return {"dtype": str(column.dtype)}

    def _transform_column(self, column, state, call):
        if self.fail == "transform" and column.name in {"town", 2}:
            raise InputError("This transform fails.")
        numbers = range(len(column.data))
        if self.refer:
            numbers = call.references[self.refer[0]].data.to_pylist()
        stars = [f"*{n}" for n in numbers]
        nulls = column.data.is_null().to_numpy(zero_copy_only=False)
        return Built(pa.array(stars, mask=nulls), column.dtype.as_text())


class Stateless(Stars):
    """The same, for a transformer that learns nothing."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


@pytest.fixture
def table():
    return pd.DataFrame(DATA)


def starred(result):
    """Name the columns that hold stars."""
    return [name for name in result.columns if str(result[name].iloc[0]).startswith("*")]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["name"], ["name"]),
        (["town", "name"], ["name", "town"]),
        ([1], ["name"]),
        ([-1], ["town"]),
        ([np.int64(2)], ["town"]),
        (("id", 1), ["id", "name"]),
        ({"name"}, ["name"]),
        (np.array(["name"]), ["name"]),
        (pd.Index(["name", "town"]), ["name", "town"]),
        (range(1, 3), ["name", "town"]),
        (None, ["id", "name", "town"]),
        (lambda frame: [name for name in frame.columns if "n" in name], ["name", "town"]),
        (make_column_selector(dtype_exclude="number"), ["name", "town"]),
    ],
    ids=lambda value: repr(value) if " at 0x" not in repr(value) else type(value).__name__,
)
def test_declared_columns_are_protected(columns, expected, table):
    """Columns are declared by name, by position, from either end, by a callable, or all of them by None."""
    for step in (Stars(columns), Stateless(columns)):
        result = step.fit_transform(table)
        assert starred(result) == expected
        pd.testing.assert_frame_equal(step.transform(table), result)
        pd.testing.assert_frame_equal(result.drop(columns=expected), table.drop(columns=expected))


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        (["salary"], ParameterError, r"'salary', which is not a column.*'id', 'name', 'town'"),
        ([3], ParameterError, "3, which is not a column"),
        ([-4], ParameterError, "-4, which is not a column"),
        ([1.5], ParameterError, "1.5, which is not a column"),
        ([["name"]], ParameterTypeError, "got list"),
        ([pd.Series([CANARY])], ParameterTypeError, "got Series"),
        (np.array([[CANARY]]), ParameterTypeError, "got ndarray"),
        (["name", 1], ParameterError, "twice"),
        ([], ParameterError, "columns is empty"),
        (lambda frame: [], ParameterError, "columns is empty"),
        ("name", ParameterTypeError, "must be a list.*got str"),
        (1, ParameterTypeError, "must be a list.*got int"),
        (pd.Series([CANARY]), ParameterTypeError, "must be a list.*got Series"),
        (pl.Series([CANARY]), ParameterTypeError, "must be a list.*got Series"),
        (pd.DataFrame({"name": [CANARY]}), ParameterTypeError, "must be a list.*got DataFrame"),
        (lambda frame: frame["name"], ParameterTypeError, "must be a list.*got Series"),
        ([False, True, False], ParameterTypeError, "A mask is not supported"),
        (np.array([False, True, False]), ParameterTypeError, "A mask is not supported"),
    ],
    ids=lambda value: repr(value) if " at 0x" not in repr(value) else type(value).__name__,
)
def test_what_declares_no_column_is_refused(columns, error, words, table):
    """What names a column that is not there, twice, or none at all is refused in `fit`, and never with a cell."""
    for call in (Stars(columns).fit, Stars(columns).fit_transform, Stateless(columns).transform):
        with pytest.raises(error, match=words) as caught:
            call(table)
        assert CANARY not in str(caught.value)


def test_a_name_goes_before_a_position():
    """Where columns are named by numbers, a number is a name; only what is no name is a position."""
    table = pd.DataFrame({2: ["a"], 0: ["b"], 7: ["c"]})
    assert starred(Stars([0]).fit_transform(table)) == [0]
    assert starred(Stars([1]).fit_transform(table)) == [0]
    assert starred(Stars([2]).fit_transform(table)) == [2]


def test_labels_of_several_levels_are_names():
    """A column under labels of several levels is declared by all of them."""
    labels = pd.MultiIndex.from_tuples([("person", "name"), ("person", "town")])
    table = pd.DataFrame([["a", "b"]], columns=labels)
    assert starred(Stars([("person", "town")]).fit_transform(table)) == [("person", "town")]
    with pytest.raises(ParameterError, match="not a column"):
        Stars(["person"]).fit(table)


# --- the columns that fit saw ---


@pytest.mark.parametrize(
    ("names", "another"),
    [(["id", "name", "town"], "age"), ([7, 0, 2], 9), ([("a", 1), ("a", 2), ("b", 1)], ("c", 3))],
    ids=["text", "numbers", "tuples"],
)
def test_other_columns_than_the_fitted_are_refused(names, another):
    """A table whose columns have other names, or another order, than at fit is refused: none may leave by mistake."""
    table = pd.DataFrame([["a", "b", "c"]], columns=pd.Index(names, tupleize_cols=False))
    step = Stars([names[0]]).fit(table)
    renamed = table.set_axis(pd.Index([*names[:2], another], tupleize_cols=False), axis=1)
    for other in (table.iloc[:, ::-1], renamed, table.iloc[:, :2]):
        for fitted in (step, pickle.loads(pickle.dumps(step)), copy.deepcopy(step)):
            with pytest.raises(ValueError, match=r"names|columns|features"):
                fitted.transform(other)


def test_a_fitted_frame_takes_an_array_with_a_warning(table):
    """Fitted on names and given an array, the positions count, and scikit-learn warns."""
    step = Stars(["name"]).fit(table)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        result = step.transform(table.to_numpy(dtype=object))
    assert result[[0, 2], 1].tolist() == ["*0", "*2"]


def test_what_fit_saw_is_there_for_scikit_learn(table):
    """`n_features_in_`, `feature_names_in_` and `get_feature_names_out` tell what went in."""
    step = Stars(["name"]).fit(table)
    assert step.n_features_in_ == 3
    assert step.feature_names_in_.tolist() == step.get_feature_names_out().tolist() == list(DATA)
    assert Stars([0]).fit([["a", "b"]]).get_feature_names_out().tolist() == ["x0", "x1"]
    with pytest.raises(NotFittedError):
        Stars().get_feature_names_out()
    with pytest.raises(NotFittedError):
        Stars().transform(table)


# --- all or nothing ---


def test_a_failed_fit_leaves_the_last_one(table):
    """A fit that fails leaves a fitted object as it was, and an unfitted one unfitted."""
    step = Stars(["name", "town"]).fit(table)
    before = pickle.dumps(vars(step))
    for bad in (table.assign(town=[["list"]] * 3), table[["id", "name"]], table[:0], table.to_numpy()[:, 0]):
        with pytest.raises(ValueError, match=r"town|0 sample|2D"):
            step.fit(bad)
        assert pickle.dumps(vars(step)) == before
    failing = Stars(["name", "town"], fail="fit")
    with pytest.raises(InputError, match="This fit fails"):
        failing.fit(table)
    with pytest.raises(NotFittedError):
        failing.transform(table)
    assert set(vars(failing)) == {"columns", "null", "refer", "fail"}


def test_names_that_scikit_learn_refuses_leave_nothing():
    """Column names of several types are refused by scikit-learn, and leave an object unfitted."""
    step = Stars([0])
    with pytest.raises(TypeError, match="string"):
        step.fit(pd.DataFrame([["a", "b"]], columns=["name", 1]))
    with pytest.raises(NotFittedError):
        step.transform([["a", "b"]])


def test_a_failed_transform_leaves_the_table(container):
    """Where the second of two columns fails, nothing comes out and the table is as it was."""
    table = container(DATA)
    before = copy.deepcopy(table)
    step = Stars([1, 2]).fit(table)
    step.set_params(fail="transform")
    with pytest.raises(InputError, match="This transform fails"):
        step.transform(table)
    assert repr(table) == repr(before)


def test_the_input_is_not_changed(container):
    """Neither `fit` nor `transform` nor `fit_transform` changes the table that came."""
    table = container(DATA)
    before = copy.deepcopy(table)
    step = Stars([1]).fit(table)
    step.transform(table)
    step.fit_transform(table)
    assert repr(table) == repr(before)


def test_fit_transform_is_fit_and_transform(container):
    """`fit_transform` gives what `fit` and then `transform` give."""
    table = container(DATA)
    assert repr(Stars([1]).fit_transform(table)) == repr(Stars([1]).fit(table).transform(table))


# --- parameters, nulls and references ---


def test_parameters_are_checked_in_fit(table):
    """A parameter that is not allowed is refused in `fit`, with what is allowed, and never in the constructor."""
    for step, words in (
        (Stars(null="drop"), r"null must be one of 'keep', 'raise', got 'drop'"),
        (Stars(fail="never"), "fail"),
    ):
        for call in (step.fit, step.fit_transform):
            with pytest.raises(ParameterError, match=words):
                call(table)


def test_raise_refuses_nulls_by_row(container):
    """With null="raise", a null in a declared column is refused with its row; nulls in other columns pass."""
    table = container(DATA)
    with pytest.raises(InputError, match="1 null, the first in row 1"):
        Stars([1], null="raise").fit(table)
    step = Stars([0], null="raise").fit(table)
    assert pickle.dumps(step.transform(table))


def test_references_are_read_and_pass(container):
    """A column that is only referred to is read by the kernel and passes through."""
    table = container(DATA)
    frame = open_frame(Stars([1], refer=[0]).fit_transform(table))
    assert frame.column(1).data.to_pylist() == ["*1", None, "*3"]
    assert frame.column(0).data.to_pylist() == DATA["id"]


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        (Stars(refer=["id"]), ParameterError, r"columns=None protects every column, but bind names \['id'\]"),
        (Stars(["id", "name"], refer=["id"]), ParameterError, "columns and bind both name 'id'"),
        (Stars(["name"], refer=["salary"]), ParameterError, "'salary', which is not a column"),
        (Stars(["name"], refer=["town"]), InputError, "'town' has a null in row 2, but bind needs a value"),
    ],
)
def test_references_that_cannot_be_are_refused(step, error, words, table):
    """A reference that is protected itself, is not there, or has a null is refused."""
    with pytest.raises(error, match=words):
        step.fit(table)


def test_transform_needs_its_references(table):
    """A null in a referred column is refused by `transform` as well."""
    step = Stars(["name"], refer=["id"]).fit(table)
    with pytest.raises(InputError, match="null in row 0"):
        step.transform(table.assign(id=[None, 2, 3]))


def test_other_fit_parameters_are_refused(table):
    """`fit_transform` takes no parameters beside the table and y, which is ignored."""
    with pytest.raises(ParameterTypeError, match="sample_weight"):
        Stars().fit_transform(table, None, sample_weight=[1])
    assert starred(Stars(["name"]).fit_transform(table, y=[1, 2, 3])) == ["name"]


# --- no rows, no fit ---


def test_fit_needs_rows_and_transform_does_not(container):
    """`fit` refuses a table without rows; `transform` takes one, and gives the columns of one with rows."""
    table = container(DATA)
    if isinstance(table, list):
        table = np.array(table, dtype=object)
    empty = table[:0] if not isinstance(table, pa.Table) else table.slice(0, 0)
    with pytest.raises(InputError, match=r"0 sample.* while a minimum of 1 is required by Stars"):
        Stars([1]).fit(empty)
    assert len(Stars([1]).fit(table).transform(empty)) == 0


def test_stateless_needs_no_fit(container):
    """A stateless transformer transforms without a fit, checks its parameters then, and is bound by a fit it had."""
    table = container(DATA)
    assert repr(Stateless([1]).transform(table)) == repr(Stars([1]).fit_transform(table))
    with pytest.raises(ParameterError, match="null"):
        Stateless([1], null="drop").transform(table)
    with pytest.raises(ValueError, match="features"):
        Stateless([0]).fit([["x"]]).transform([["x", "y"]])


# --- scikit-learn around it ---


def test_columns_declared_since_fit_do_not_leave_in_clear(table):
    """A column that is declared after `fit` is not passed through: the call asks for another fit."""
    step = Stars(["name"]).fit(table).set_params(columns=["name", "town"])
    with pytest.raises(ParameterError, match="columns was changed since fit"):
        step.transform(table)
    assert starred(step.fit(table).transform(table)) == ["name", "town"]
    assert starred(step.set_params(columns=["town", 1]).transform(table)) == ["name", "town"]


def test_parameters_set_since_fit_are_checked(table):
    """A parameter that makes no sense is refused in `transform` too."""
    with pytest.raises(ParameterError, match="null must be one of"):
        Stars(["name"]).fit(table).set_params(null="hide").transform(table)


@pytest.mark.parametrize("wanted", ["pandas", "polars"])
def test_set_output_gives_what_is_wanted(wanted, container):
    """`set_output` gives frames with the names and cells of the table, from `transform` and `fit_transform`."""
    table = container(DATA)
    step = Stars([1]).set_output(transform=wanted)
    for result in (step.fit_transform(table), step.transform(table)):
        assert type(result).__module__.split(".")[0] == wanted
        assert list(result.columns) == list(step.get_feature_names_out())
        assert list(result[result.columns[0]]) == DATA["id"]


def test_works_inside_scikit_learn(table):
    """A pipeline and a column transformer, plain or with frames wanted, take it as one of theirs."""
    protect = make_column_transformer((Stars(), ["name"]), remainder="passthrough", verbose_feature_names_out=False)
    result = protect.set_output(transform="pandas").fit_transform(table)
    assert starred(result) == ["name"]
    assert result["town"].equals(table["town"])
    both = make_pipeline(Stars(["name"]), Stars(["town"]))
    assert starred(clone(both).fit(table).transform(table)) == ["name", "town"]
    assert clone(Stars(["name"]).fit(table)).get_params() == Stars(["name"]).get_params()
    assert not hasattr(clone(Stars(["name"]).fit(table)), "n_features_in_")


def test_a_fitted_object_holds_no_cell(container):
    """What `fit` remembers of a table holds none of its cells, pickled or printed."""
    step = Stars([1]).fit(container(DATA))
    assert CANARY.encode() not in pickle.dumps(step)
    assert CANARY not in repr(vars(step))
