"""k, l and t: what they are by definition, on any kind of table, and the check that a release keeps them."""

import datetime as dt
import os
from pathlib import Path

import brute_force
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.errors import InputError, ParameterError, ParameterTypeError, PrivacyCheckError
from modelpriv.evidence import KAnonymity, equivalence_classes, k_of, l_of, t_of

AGES = st.sampled_from([None, 17, 17, 23, 41])
PLACES = st.sampled_from([None, "Bern", "Ulm", "*"])
ILLS = st.sampled_from([None, "cold", "flu", "flu", "gout"])
PAYS = st.sampled_from([None, -0.0, 0.0, 2.5, 7.0, 1e9])
ROWS = st.lists(st.tuples(AGES, PLACES, ILLS, PAYS), min_size=1, max_size=40)
QUASI, ILL, PAY = [0, 1], 2, 3


def tables(rows):
    """The same rows in each kind of frame."""
    columns = {name: [row[place] for row in rows] for place, name in enumerate(("age", "place", "ill", "pay"))}
    yield pd.DataFrame(columns).astype({"age": "Int64", "pay": "Float64"})
    yield pl.DataFrame(columns, schema={"age": pl.Int8, "place": pl.String, "ill": pl.Categorical, "pay": pl.Float32})
    yield pa.table(columns)


@given(ROWS)
def test_k_is_the_smallest_class(rows):
    """The k is what counting rows by hand gives, with null as a category, whatever the container."""
    rows = [(age, place if age is not None else "*", *rest) for age, place, *rest in rows]
    for table in tables(rows):
        assert k_of(table, QUASI) == brute_force.k_of(rows, QUASI)
        assert k_of(table, ["place"]) == brute_force.k_of(rows, [1])


@given(ROWS)
def test_l_by_definition(rows):
    """Distinct, entropy and recursive l are those of the definitions."""
    for table in tables(rows):
        assert l_of(table, QUASI, ILL) == brute_force.distinct_l(rows, QUASI, ILL)
        assert l_of(table, QUASI, ILL, kind="entropy") == pytest.approx(brute_force.entropy_l(rows, QUASI, ILL))
        for c in (0.5, 1, 3):
            assert l_of(table, QUASI, ILL, kind="recursive", c=c) == brute_force.recursive_l(rows, QUASI, ILL, c)


@given(ROWS)
def test_t_by_definition(rows):
    """Both distances are those of the definitions; numbers are ordered by default, and texts are not."""
    for table in tables(rows):
        for sensitive, ordered in ((ILL, False), (PAY, True)):
            counted = brute_force.t_of(rows, QUASI, sensitive, ordered=ordered)
            assert t_of(table, QUASI, sensitive) == pytest.approx(counted, abs=1e-9)
        counted = brute_force.t_of(rows, QUASI, PAY, ordered=False)
        assert t_of(table, QUASI, PAY, distance="categorical") == pytest.approx(counted, abs=1e-9)


@given(ROWS, st.integers(1, 4), st.integers(1, 3), st.floats(0, 1))
def test_the_check_agrees_with_the_measures(rows, k, l, t):  # noqa: E741 - the field's letter
    """A table passes exactly if its own k, l and t are within the limits."""
    for table in tables(rows):
        kept = (
            k_of(table, QUASI) >= k
            and l_of(table, QUASI, ILL) >= l
            and l_of(table, QUASI, PAY) >= l
            and max(t_of(table, QUASI, ILL), t_of(table, QUASI, PAY)) <= t + 1e-9
        )
        assert kept == passes(KAnonymity(k, QUASI, [ILL, PAY], l=l, t=t), table)


def passes(check, table):
    try:
        check.check(table)
    except PrivacyCheckError:
        return False
    return True


@pytest.mark.parametrize("l", [("entropy", 2.0), ("recursive", 2.0, 2), ("distinct", 2)])
def test_the_check_takes_each_kind_of_l(l):  # noqa: E741 - the field's letter
    """Each kind of l passes a class of two equally frequent values, and refuses one of a single value."""
    check = KAnonymity(2, [0], 1, l=l)
    check.check([["a", 1], ["a", 2]])
    with pytest.raises(PrivacyCheckError, match=r"1 of 1 classes breaks it"):
        check.check([["a", 1], ["a", 1]])


def test_an_ordered_category_is_ordered_by_its_categories():
    """The order of the categories counts, not that of the alphabet."""
    cells = pd.Categorical(["low", "high", "mid"], categories=["low", "mid", "high"], ordered=True)
    table = pd.DataFrame({"q": ["a", "b", "b"], "s": cells})
    # The class of "low" alone: two thirds lie 1 and 2 ranks away, each a third.
    assert t_of(table, ["q"], "s") == pytest.approx(0.5)
    assert t_of(table.astype({"s": "str"}), ["q"], "s") == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "cells",
    [
        [dt.date(2020, 1, 1), dt.date(2020, 1, 1), None],
        [dt.datetime(2020, 1, 1, 5, tzinfo=dt.UTC)] * 2 + [None],
        [dt.timedelta(5), dt.timedelta(5), None],
        [True, True, False],
        [b"x", b"x", b""],
        [-(2**63), -(2**63), 2**63 - 1],
        [float("inf"), float("inf"), -float("inf")],
    ],
    ids=str,
)
def test_every_type_of_cell_has_classes(cells):
    """Cells of every type are told apart, or are equal."""
    for table in (pa.table({"x": cells}), pl.DataFrame({"x": pl.Series(cells)})):
        found = equivalence_classes(table)
        assert sorted(found.sizes) == [1, 2]
        assert found.labels[0] == found.labels[1] != found.labels[2]


def test_many_columns_do_not_overflow():
    """The codes of many wide columns do not fit one number, and are told apart all the same."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.integers(0, 900, (1000, 12)))
    table = pd.concat([table, table])
    found = equivalence_classes(table)
    assert found.k == 2
    assert found.n_classes == len(table.drop_duplicates())


def test_covered_rows_are_no_class():
    """A row that is covered everywhere is counted apart; with cover=None it is a class like others."""
    table = pd.DataFrame({"a": ["x", "x", "*", "*"], "b": ["y", "y", "*", "z"]})
    found = equivalence_classes(table)
    assert (found.n_classes, found.suppressed, found.labels.tolist()) == (2, 1, [1, 1, -1, 0])
    assert equivalence_classes(table, cover=None).suppressed == 0
    assert k_of(pd.DataFrame({"a": ["*", "*", "*"]})) == 3


def test_risk_of_a_small_table():
    """Risks are means over rows, not over classes."""
    found = equivalence_classes([[1], [1], [1], [2]])
    assert (found.k, found.highest_risk, found.mean_risk, found.uniqueness) == (1, 1.0, 0.5, 0.25)
    assert found.rows_below(4) == 4
    assert found.rows_below(3) == 1


def test_refusals_count_and_show_nothing():
    """An error counts classes and rows, and never shows a cell."""
    table = pd.DataFrame({"q": ["cAnArY", "b", "b"], "s": ["cAnArY", "t", "t"]})
    with pytest.raises(PrivacyCheckError, match=r"1 of its 2 classes has fewer than 2 rows .*; 1 row in all") as caught:
        KAnonymity(2, ["q"]).check(table)
    with pytest.raises(PrivacyCheckError, match=r"Column 's' does not keep l=2 \(distinct\): 2 of 2 classes") as other:
        KAnonymity(1, ["q"], "s", l=2).check(table)
    assert "cAnArY" not in str(caught.value) + str(other.value) + repr(equivalence_classes(table))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: KAnonymity(0, ["q"]), ParameterError, "k must be"),
        (lambda: KAnonymity(2, ["q"], l=2), ParameterError, "l and t need sensitive"),
        (lambda: KAnonymity(2, ["q"], "s", l=("recursive", 2)), ParameterTypeError, "recursive"),
        (lambda: KAnonymity(2, ["q"], "s", t=2), ParameterError, "from 0 to 1"),
        (lambda: KAnonymity(1, ["q"], "q", l=1).check(TABLE), ParameterError, "both name 'q'"),
        (lambda: KAnonymity(1, ["q"], "s", t=("ordered", 0.5)).check(TABLE), ParameterError, "has no order"),
        (lambda: k_of(TABLE, ["no"]), ParameterError, "not a column"),
        (lambda: k_of(TABLE, []), ParameterError, "empty"),
        (lambda: k_of(TABLE, ["q", 0]), ParameterError, "twice"),
        (lambda: k_of(TABLE[:0]), InputError, "no rows"),
        (lambda: l_of(TABLE, ["q"], "s", kind="x"), ParameterError, "kind"),
    ],
)
def test_what_is_refused(call, error, words):
    """A limit without meaning, a column that is not there, and a table without rows are refused with words."""
    with pytest.raises(error, match=words):
        call()


TABLE = pd.DataFrame({"q": ["a", "b"], "s": ["c", "d"]})


def test_adult_as_arx_counts_it():
    """On ARX's Adult file, named by ADULT_CSV, the nine quasi-identifiers give ARX's published figures."""
    path = os.environ.get("ADULT_CSV", "")
    if not Path(path).is_file():
        pytest.skip("ADULT_CSV names no file")
    table = pd.read_csv(path, sep=";")
    found = equivalence_classes(table)
    assert table.shape == (30_162, 9)
    assert found.n_classes == 19_502
    assert found.mean_risk == pytest.approx(0.6465751607983555, abs=1e-15)
    assert found.uniqueness == pytest.approx(0.5142895033485844, abs=1e-15)
