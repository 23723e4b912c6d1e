"""KAnonymizer, by full domain, microaggregation and target: limits hold by count, and methods give what they say."""

import itertools
import pickle

import brute_force
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.utils.estimator_checks import parametrize_with_checks

from modelpriv import KAnonymizer
from modelpriv.errors import InputError, ParameterError, ProtectionWarning
from modelpriv.evidence import equivalence_classes
from modelpriv.testing import check_privacy_transformer

AGES = [[str(age), f"{age // 10}0s", "young" if age < 30 else "old"] for age in range(60)]
PLACES = {"Bern": ["CH", "Alps"], "Ulm": ["DE", "North"], "Bonn": ["DE", "North"], "Rom": ["IT", "Alps"]}
HIERARCHIES = {"age": AGES, "place": PLACES}
CELLS = {
    "age": st.sampled_from([None, 17, 18, 23, 41, 42, 57]),
    "place": st.sampled_from([None, *PLACES]),
    "sex": st.sampled_from(["m", "w"]),
    "pay": st.sampled_from([None, 0.5, 2.0, 7.25]),
    "ill": st.sampled_from([None, "cold", "flu", "gout"]),
}
NAMES, QUASI = list(CELLS), ["age", "place", "sex", "pay"]
ROWS = st.lists(st.tuples(*CELLS.values()), min_size=5, max_size=50)
TREES = [{"method": "microaggregation"}, {"method": "target"}, {"method": "microaggregation", "output": "mean"}]
WAYS = [*TREES, {"method": "full-domain", "suppress": 0.2}, {"method": "full-domain"}]
SCHEMA = pa.schema({"age": pa.int64(), "place": "string", "sex": "string", "pay": pa.float64(), "ill": "string"})

pytestmark = pytest.mark.filterwarnings("ignore:.*not in a region:modelpriv.errors.ProtectionWarning")


def frame(rows):
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(NAMES)}, schema=SCHEMA)


def rows_of(table):
    return [tuple(row.values()) for row in table.to_pylist()]


def steps(way, **parameters):
    """The step with and without hierarchies."""
    yield KAnonymizer(quasi=QUASI, **way, **parameters)
    yield KAnonymizer(quasi=QUASI, hierarchies=HIERARCHIES, **way, **parameters)


@parametrize_with_checks(
    [KAnonymizer(k=2, output="mean", method="microaggregation"), KAnonymizer(k=2, output="mean", method="target")]
)
def test_scikit_learn_checks(estimator, check):
    """Every check of scikit-learn's passes for the methods that give numbers."""
    check(estimator)


@pytest.mark.parametrize("method", ["microaggregation", "full-domain"])
def test_contract(method):
    """The contract of a privacy transformer holds on every kind of table, where no value is shared by k rows."""
    check_privacy_transformer(KAnonymizer(k=4, method=method))


@pytest.mark.parametrize("way", WAYS, ids=str)
@given(ROWS, st.integers(2, 5))
def test_k_holds_by_count(way, rows, k):
    """Each class has k rows by count, covered rows are within what was allowed, and the rest come out as they were."""
    for step in steps(way, k=k):
        released = step.fit_transform(frame(rows), [row[4] or "none" for row in rows])
        assert brute_force.k_of(rows_of(released), range(4)) >= min(k, len(rows))
        assert step.loss_["suppressed"] <= way.get("suppress", 0) * len(rows)
        assert sum(step.classes_) + step.loss_["suppressed"] == len(rows)
        assert released["ill"].to_pylist() == [row[4] for row in rows]
        assert step.transform(frame(rows)).equals(released)
        assert pickle.loads(pickle.dumps(step)).transform(frame(rows)).equals(released)


@pytest.mark.parametrize("way", WAYS, ids=str)
@given(ROWS, st.sampled_from([(2, None), (None, 0.4), (("entropy", 1.5), 0.5)]))
def test_l_and_t_hold_by_count(way, rows, limits):
    """Each class keeps l and t by count, against the whole table; a table that breaks l as one class is refused."""
    l, t = limits  # noqa: E741 - the field's letters
    for step in steps(way, k=2, sensitive="ill", l=l, t=t):
        try:
            released = step.fit_transform(frame(rows), np.arange(len(rows)) % 2)
        except InputError:
            whole = [("one", row[4]) for row in rows]
            assert brute_force.distinct_l(whole, [0], 1) < 2 or brute_force.entropy_l(whole, [0], 1) < 1.5
            continue
        for one in brute_force.classes(rows_of(released), range(4)):
            assert l != 2 or brute_force.distinct_l(one, range(4), 4) >= 2
            assert l is None or l == 2 or brute_force.entropy_l(one, range(4), 4) >= 1.5 - 1e-9
            assert t is None or distance(one, rows) <= t + 1e-9


def distance(one, rows):
    """Half the sum of differences between the illnesses of a class and those of the table."""
    shares = [[[row[4] for row in some].count(ill) / len(some) for some in (one, rows)] for ill in {r[4] for r in rows}]
    return sum(abs(own - whole) for own, whole in shares) / 2


@given(ROWS, st.integers(2, 5), st.sampled_from([0.0, 0.1, 0.3]))
def test_full_domain_is_optimal(rows, k, suppress):
    """No other choice of levels with k-anonymity, tried one by one, loses less."""
    step = KAnonymizer(k=k, quasi=QUASI, method="full-domain", hierarchies=HIERARCHIES, suppress=suppress)
    step.fit(frame(rows))
    columns = [
        levels_of(rows, 0, dict(zip([a[0] for a in AGES], [a[1:] for a in AGES], strict=True))),
        None,
        None,
        None,
    ]
    columns[1] = levels_of(rows, 1, PLACES)
    columns[2:] = ([[row[place] for row in rows], ["*"] * len(rows)] for place in (2, 3))
    best = min(
        loss_of(columns, levels, rows)
        for levels in itertools.product(*(range(len(column)) for column in columns))
        if exposed(columns, levels, k) <= int(suppress * len(rows))
    )
    assert loss_of(columns, list(step.loss_["levels"].values()), rows) == pytest.approx(best)


def levels_of(rows, place, hierarchy):
    """A column at each level of its hierarchy."""
    above = {None: [None, None], **hierarchy}
    cells = [row[place] if row[place] is None else str(row[place]) for row in rows]
    return [cells, [above[cell][0] for cell in cells], [above[cell][1] for cell in cells], ["*"] * len(rows)]


def exposed(columns, levels, k):
    keys = list(zip(*(column[level] for column, level in zip(columns, levels, strict=True)), strict=True))
    return sum(keys.count(key) < k for key in keys)


def loss_of(columns, levels, rows):
    """The mean share of a column's leaves below each cell's node; one leaf loses nothing."""
    total = 0.0
    for place, (column, level) in enumerate(zip(columns, levels, strict=True)):
        if place > 1 or level == len(column) - 1:
            total += float(level > 0)
            continue
        leaves = AGES if place == 0 else [[value, *above] for value, above in PLACES.items()]
        below = {node: sum(leaf[level] == node for leaf in leaves) for node in {leaf[level] for leaf in leaves}}
        sizes = [below.get(cell, 0) for cell in column[level]]
        total += sum(size / len(leaves) for size in sizes if size > 1) / len(rows)
    return total


def test_full_domain_gives_all_rows_one_level():
    """Each column shows one level of its hierarchy; suppressed rows are covered in place, and are no class."""
    table = pd.DataFrame({"place": ["Ulm", "Bonn", "Rom", "Ulm", "Bern"]})
    step = KAnonymizer(k=3, hierarchies={"place": PLACES}, method="full-domain", suppress=0.4)
    assert step.fit_transform(table)["place"].tolist() == ["DE", "DE", "*", "DE", "*"]
    assert (step.loss_["levels"], step.loss_["suppressed"], step.classes_.tolist()) == ({"place": 1}, 2, [3])
    assert equivalence_classes(step.transform(table)).suppressed == 2
    with pytest.warns(ProtectionWarning, match="1 row of 2 is not in a region"):
        assert step.transform(pd.DataFrame({"place": ["Bonn", "Rom"]}))["place"].tolist() == ["DE", "*"]


def test_target_serves_the_target():
    """A tree whose cuts follow the target keeps more of it than cuts near the median."""
    X, y = load_breast_cancer(return_X_y=True)
    pure = {}
    for method in ("mondrian", "target"):
        released = KAnonymizer(k=20, method=method, output="mean").fit_transform(X[:, :5], y)
        labels = equivalence_classes(released).labels  # below: rows whose target is the most frequent of their class
        pure[method] = sum(max(np.bincount(y[labels == label])) for label in set(labels))
    assert pure["target"] > pure["mondrian"]


def test_microaggregation_keeps_rows_near_their_mean():
    """The squared distance from the class's mean is less than by Mondrian."""
    X = load_breast_cancer().data[:, :4]
    X = X / X.std(axis=0)
    away = {
        method: ((KAnonymizer(k=10, method=method, output="mean").fit_transform(X) - X) ** 2).sum()
        for method in ("mondrian", "microaggregation")
    }
    assert away["microaggregation"] < away["mondrian"]


@pytest.mark.parametrize(
    ("parameters", "y", "error", "words"),
    [
        ({"method": "target"}, None, ParameterError, "requires y"),
        ({"method": "target"}, [1], InputError, "y has shape"),
        ({"method": "target"}, [1.5, np.nan], InputError, "y is NaN or infinite in row 1"),
        ({"suppress": 0.1}, None, ParameterError, "suppresses no rows"),
        ({"method": "full-domain", "output": "mean"}, None, ParameterError, "not middles"),
        ({"method": "full-domain", "suppress": 2}, None, ParameterError, "suppress must be"),
    ],
    ids=str,
)
def test_what_is_refused(parameters, y, error, words):
    """A target that is not there or does not fit, and parameters without meaning, are refused."""
    with pytest.raises(error, match=words):
        KAnonymizer(**{"k": 2} | parameters).fit(pd.DataFrame({"age": [1, 2]}), y)
