"""KAnonymizer, by Mondrian: k, l and t hold by count, cells stay true, and new rows meet the same regions."""

import datetime as dt
import pickle
import warnings

import brute_force
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from modelpriv import KAnonymizer
from modelpriv.errors import InputError, ParameterError, ParameterTypeError, ProtectionWarning
from modelpriv.evidence import KAnonymity, k_of
from modelpriv.testing import check_privacy_transformer

DAYS = [dt.date(2020, 1, 1) + dt.timedelta(day) for day in (0, 1, 40, 400)]
CELLS = {
    "age": st.sampled_from([None, 17, 17, 18, 30, 88]),
    "pay": st.sampled_from([None, -0.0, 0.0, 2.5, 1e6]),
    "day": st.sampled_from([None, *DAYS]),
    "place": st.sampled_from([None, "Bern", "Ulm", "Rom", "Bonn"]),
    "ill": st.sampled_from([None, "cold", "flu", "gout"]),
    "cost": st.sampled_from([None, 1, 2, 3, 50]),
}
NAMES, QUASI, PLACE, ILL, COST = list(CELLS), ["age", "pay", "day", "place"], 3, 4, 5
ROWS = st.lists(st.tuples(*CELLS.values()), min_size=3, max_size=60)
PLACES = {"Bern": ["CH", "Alps"], "Ulm": ["DE", "North"], "Bonn": ["DE", "North"], "Rom": ["IT", "Alps"]}
WAYS = [{}, {"output": "mean"}, {"output": "median"}, {"hierarchies": {"place": PLACES}}]


def frame(rows):
    columns = {name: [row[place] for row in rows] for place, name in enumerate(NAMES)}
    return pa.table(columns, schema=SCHEMA)


SCHEMA = pa.schema(
    {"age": pa.int16(), "pay": pa.float64(), "day": pa.date32(), "place": "string", "ill": "string", "cost": pa.int64()}
)


def rows_of(table):
    return [tuple(row.values()) for row in table.to_pylist()]


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
@parametrize_with_checks([KAnonymizer(k=2, output="mean"), KAnonymizer(k=3, output="median")])
def test_scikit_learn_checks(estimator, check):
    """Every check of scikit-learn's passes."""
    check(estimator)


def test_contract():
    """The contract of a privacy transformer holds on every kind of table, where no value is shared by k rows."""
    check_privacy_transformer(KAnonymizer(k=4))


@pytest.mark.parametrize("way", WAYS, ids=str)
@given(ROWS, st.integers(2, 9))
def test_k_holds_by_count(way, rows, k):
    """Each class of the result has k rows, counted by hand; a table with fewer than k is refused with both numbers."""
    step = KAnonymizer(k=k, quasi=QUASI, **way)
    if len(rows) < k:
        with pytest.raises(InputError, match=rf"n_samples={len(rows)}, fewer than k={k}"):
            step.fit(frame(rows))
        return
    released = step.fit_transform(frame(rows))
    assert brute_force.k_of(rows_of(released), range(4)) >= k
    assert sum(step.classes_) == len(rows)
    assert min(step.classes_) >= k


@given(
    ROWS,
    st.sampled_from([2, ("entropy", 1.8), ("recursive", 2, 2)]),
    st.sampled_from([None, 0.3, ("categorical", 0.4)]),
)
def test_l_and_t_hold_by_count(rows, l, t):  # noqa: E741 - the field's letter
    """Each class of the result keeps l and t, counted by hand, or the table as one class breaks l and is refused."""
    step = KAnonymizer(k=2, quasi=QUASI, sensitive=["ill", "cost"], l=l, t=t)
    if not keeps_l(rows, l):
        with pytest.raises(InputError, match="The whole table has l="):
            step.fit(frame(rows))
        return
    released = step.fit_transform(frame(rows))
    found = brute_force.classes(rows_of(released), range(4))
    assert all(keeps_l(one, l) for one in found)
    if t is not None and sum(map(len, found)) == len(rows):
        kind, limit = t if isinstance(t, tuple) else ("ordered", t)
        assert brute_force.t_of(rows_of(released), range(4), COST, ordered=kind == "ordered") <= limit + 1e-9


def keeps_l(rows, l):  # noqa: E741 - the field's letter
    """Whether some rows, as one class, keep l in both sensitive columns."""
    one = [("class", *row[ILL:]) for row in rows]
    kind, *numbers = l if isinstance(l, tuple) else ("distinct", l)
    if kind == "distinct":
        return all(brute_force.distinct_l(one, [0], column) >= numbers[0] for column in (1, 2))
    if kind == "entropy":
        return all(brute_force.entropy_l(one, [0], column) >= numbers[0] - 1e-9 for column in (1, 2))
    return all(brute_force.recursive_l(one, [0], column, numbers[0]) >= numbers[1] for column in (1, 2))


@given(ROWS, st.booleans())
def test_every_cell_stays_true(rows, hierarchical):
    """What a cell becomes holds its value: a range, a set or a node that it is in; null stays null, or is covered."""
    step = KAnonymizer(k=2, quasi=QUASI, hierarchies={"place": PLACES} if hierarchical else None)
    table = frame(rows)
    for before, after in zip(rows_of(table), rows_of(step.fit_transform(table)), strict=True):
        assert after[4:] == before[4:]
        assert all(holds(new, old) for new, old in zip(after[:4], before[:4], strict=True))


def holds(label, value):
    if label == "*" or value is None:
        return label in {"*", value}
    if label[0] == "[":
        low, high = (type_of(value)(end) for end in label[1:-1].split(", "))
        return low <= value <= high
    if label[0] == "{":
        return value in label[1:-1].split(", ")
    return label in PLACES.get(value, []) or type_of(value)(label) == value


def type_of(value):
    return dt.date.fromisoformat if isinstance(value, dt.date) else type(value)


@pytest.mark.parametrize("way", WAYS, ids=str)
@given(ROWS)
def test_fitted_rows_come_out_alike(way, rows):
    """`transform` gives the fitted table what `fit_transform` gave it, also from a pickle, and no row is outside."""
    table = frame(rows)
    step = KAnonymizer(k=2, quasi=QUASI, **way)
    released = step.fit_transform(table)
    assert step.transform(table).equals(released)
    assert pickle.loads(pickle.dumps(step)).transform(table).equals(released)


@given(ROWS, st.sampled_from(WAYS))
def test_each_container_says_the_same(rows, way):
    """pandas, polars and pyarrow give the same cells for the same table."""
    table = frame(rows)
    step = KAnonymizer(k=2, quasi=QUASI, **way)
    expected = rows_of(step.fit_transform(table))
    assert [tuple(row) for row in step.fit_transform(pl.from_arrow(table)).rows()] == expected
    frames = table.to_pandas(types_mapper=pd.ArrowDtype)
    released = pa.Table.from_pandas(step.fit_transform(frames), preserve_index=False)
    assert rows_of(released) == expected


@given(ROWS, ROWS)
def test_new_rows_meet_the_same_regions(rows, others):
    """A new row shows what fitted rows show, or the cover where its cell is outside; such rows are counted."""
    step = KAnonymizer(k=2, quasi=QUASI)
    known = {row[:4] for row in rows_of(step.fit_transform(frame(rows)))}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        released = rows_of(step.transform(frame(others)))
    strange = sum(row[:4] not in known for row in released)
    counted = int(str(caught[0].message).split()[0]) if caught else 0
    # A row whose cell outside of its region is covered can look like one of another region, never the other way.
    assert strange <= counted


def test_a_row_outside_is_covered_and_counted():
    """A cell beyond every region is covered, its row is counted, and its other cells show their region."""
    table = pd.DataFrame({"age": [1, 2, 8, 9], "sex": ["m", "m", "w", "w"]})
    step = KAnonymizer(k=2, weights={"age": 99}).fit(table)
    new = pd.DataFrame({"age": [1, 99, 8], "sex": ["m", "w", "x"]})
    with pytest.warns(ProtectionWarning, match="2 rows of 3 are not in a region"):
        released = step.transform(new)
    assert released["age"].tolist() == ["[1, 2]", "*", "[8, 9]"]
    assert released["sex"].tolist() == ["m", "w", "*"]


def test_middles_serve_every_row_between_the_cuts():
    """With middles a new row gets those of its region, however far out, and only what fit did not see is covered."""
    table = pd.DataFrame({"age": [1, 2, 8, 9], "sex": ["m", "m", "w", "w"]})
    step = KAnonymizer(k=2, output="mean", weights={"age": 99}).fit(table)
    assert step.transform(pd.DataFrame({"age": [-5, 99], "sex": ["m", "m"]}))["age"].tolist() == [1.5, 8.5]
    with pytest.warns(ProtectionWarning, match="2 rows of 3"):
        released = step.transform(pd.DataFrame({"age": [1, None, 3], "sex": ["m", "m", "x"]}))
    assert released["age"].isna().tolist() == [False, True, False]
    assert released["sex"].tolist() == ["m", "m", "*"]


def test_a_hierarchy_names_what_is_shown():
    """A class shows the lowest node above its values, from a dict, rows or a table as ARX writes it."""
    table = pd.DataFrame({"place": ["Ulm", "Bonn", "Bern", "Rom"]})
    rows = [[value, *above] for value, above in PLACES.items()]
    for hierarchy in (PLACES, rows, pd.DataFrame(rows), pl.DataFrame(rows, orient="row")):
        step = KAnonymizer(k=2, hierarchies={"place": hierarchy})
        assert step.fit_transform(table)["place"].tolist() == ["DE", "DE", "Alps", "Alps"]
        assert step.loss_["ncp"] == {"place": 0.5}


def test_numbers_may_have_a_hierarchy():
    """A hierarchy of numbers is written as text, and serves a column of numbers."""
    ages = [[str(age), "young" if age < 30 else "old", "*"] for age in range(100)]
    released = KAnonymizer(k=2, hierarchies={"age": ages}).fit_transform(pd.DataFrame({"age": [3, 29, 30, 99]}))
    assert released["age"].tolist() == ["young", "young", "old", "old"]


def test_an_ordered_category_has_ranges():
    """An ordered category is cut by its own order and shown as a range; a category within is inside."""
    grades = pd.Categorical(["low", "mid", "mid", "top", "high", "top"], ["low", "mid", "high", "top"], ordered=True)
    step = KAnonymizer(k=3)
    low, high = "[low, mid]", "[high, top]"
    assert step.fit_transform(pd.DataFrame({"x": grades}))["x"].tolist() == [low, low, low, high, high, high]


def test_the_nearest_cut_is_found():
    """Where the median falls among equal cells, the nearest value on either side cuts."""
    table = pd.DataFrame({"x": [0, 0, 1, 1, 1, 1, 1]})
    assert KAnonymizer(k=2).fit(table).classes_.tolist() == [2, 5]
    assert KAnonymizer(k=3).fit(table).classes_.tolist() == [7]


def test_categories_of_few_values_are_cut_first():
    """A category that one cut brings down to single values comes before a number of the same width."""
    table = pd.DataFrame({"age": [1, 2, 8, 9], "sex": ["m", "w", "m", "w"]})
    assert KAnonymizer(k=2).fit_transform(table)["sex"].tolist() == ["m", "w", "m", "w"]


def test_weights_choose_what_is_cut():
    """The column with more weight is cut first."""
    table = pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]})
    assert KAnonymizer(k=2, weights={"b": 2}).fit_transform(table)["b"].tolist() == ["0", "1", "0", "1"]
    assert KAnonymizer(k=2, weights={"a": 2}).fit_transform(table)["a"].tolist() == ["0", "0", "1", "1"]


def test_loss_and_risk_by_hand():
    """Risk and loss are those of their definitions."""
    step = KAnonymizer(k=2).fit(pd.DataFrame({"age": [0, 10, 90, 100, 100]}))
    assert step.classes_.tolist() == [2, 3]
    assert step.risk_ == {"highest": 0.5, "mean": 0.4}
    assert step.loss_ == {
        "gcp": pytest.approx(0.1),
        "ncp": {"age": pytest.approx(0.1)},
        "discernibility": 13,
        "average_class": 1.25,
        "suppressed": 0,
    }


def test_many_rows_keep_k():
    """K holds on more rows than are sorted at a time, and the tree finds each row's class again."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.standard_normal(2_500_000), "b": rng.integers(0, 50, 2_500_000)})
    step = KAnonymizer(k=100_000, output="mean")
    released = step.fit_transform(table)
    KAnonymity(100_000, ["a", "b"]).check(released)
    assert k_of(released) == step.classes_.min()
    assert step.transform(table).equals(released)


def test_it_is_tuned_like_any_step():
    """A grid search over k fits it on the training rows and scores on rows that it has not seen."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 3)), rng.integers(0, 2, 200)
    pipe = make_pipeline(KAnonymizer(output="mean"), DecisionTreeClassifier(max_depth=3))
    grid = {"kanonymizer__k": [2, 20]}
    search = GridSearchCV(pipe, grid, error_score="raise").fit(np.round(X), y)
    assert search.best_params_["kanonymizer__k"] in {2, 20}


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"k": 1}, ParameterError, "k must be"),
        ({"quasi": ["no"]}, ParameterError, "not a column"),
        ({"quasi": ["age", "age"]}, ParameterError, "twice"),
        ({"quasi": []}, ParameterError, "names no column"),
        ({"quasi": ["age"], "sensitive": "age"}, ParameterError, "both name 'age'"),
        ({"l": 2}, ParameterError, "need sensitive"),
        ({"weights": {"age": 0}}, ParameterError, "above 0"),
        ({"weights": {"no": 1}}, ParameterError, "weights names 'no'"),
        ({"hierarchies": {"place": {"Ulm": ["DE"]}}}, InputError, "1 cells that its hierarchy does not have"),
        ({"hierarchies": {"place": 7}}, ParameterTypeError, "must be a table"),
        ({"hierarchies": {"place": [["Ulm", "DE"], ["Ulm", "DE"]]}}, ParameterError, "twice"),
        ({"hierarchies": {"place": [["Ulm", "a", "b"], ["Bern", "a", "c"]]}}, ParameterError, "two parents"),
        ({"method": "magic"}, ParameterError, "method"),
        ({"output": "mode"}, ParameterError, "output"),
    ],
    ids=str,
)
def test_what_is_refused(parameters, error, words):
    """Parameters without meaning, columns that are not there and values outside of a hierarchy are refused."""
    table = pd.DataFrame({"age": [1, 2], "place": ["Ulm", "Bern"]})
    with pytest.raises(error, match=words):
        KAnonymizer(**{"k": 2} | parameters).fit(table)


def test_bytes_are_refused():
    """Bytes have no text to release."""
    with pytest.raises(InputError, match=r"'x' .*holds bytes"):
        KAnonymizer(k=2).fit(pa.table({"x": [b"a", b"b"]}))


def test_nothing_is_kept_of_a_covered_column():
    """A fitted object holds no value of a column that every class covers, and of others what the classes show."""
    table = pd.DataFrame({"name": ["cAnArY 1", "cAnArY 2", None, "cAnArY 3"], "age": [31415926, 1, 2, 27182818]})
    step = KAnonymizer(k=4).fit(table)
    written = b"".join(pickle.dumps(step, protocol) for protocol in range(6))
    assert b"cAnArY" not in written
    assert "cAnArY" not in repr(vars(step))
