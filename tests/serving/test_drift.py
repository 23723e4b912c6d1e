"""DriftMonitor tells drift in tokens as it would in the values, and gives out no value and no small count."""

import json
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from modelpriv import FieldEncryptor, Keyring, Pseudonymizer
from modelpriv.errors import InputError, KeyUnavailableError, ParameterError
from modelpriv.serving import DriftMonitor
from modelpriv.serving.drift_report import pooled, psi

CITIES = np.array(["canary-oslo", "canary-bergen", "canary-turin", "canary-utrecht"])


def people(rng, rows, shares=(0.4, 0.3, 0.2, 0.1), mean=40.0):
    """A table whose cities and ages have a known distribution."""
    return pd.DataFrame({"city": rng.choice(CITIES, rows, p=shares), "age": rng.normal(mean, 10, rows)})


def monitored(before, now, key, **parameters):
    monitor = DriftMonitor(key=key, **parameters).fit(before)
    monitor.observe(now)
    return {column.name: column for column in monitor.report().columns}


STEPS = {
    "tokens": lambda key: FieldEncryptor("deterministic", columns=["city"], key=key),
    "pseudonyms": lambda key: Pseudonymizer(columns=["city"], key=key),
}


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("shares", [(0.4, 0.3, 0.2, 0.1), (0.1, 0.2, 0.3, 0.4)])
def test_tokens_drift_as_their_values_do(keyring, kind, shares):
    """PSI and p-value of protected columns are those of the same columns in plain text, by an independent formula."""
    rng = np.random.default_rng(0)
    before, now = people(rng, 3000), people(rng, 2000, shares)
    step = STEPS[kind](keyring).fit(before)
    found = monitored(step.transform(before), step.transform(now), keyring)["city"]
    one, other = (table["city"].value_counts().reindex(CITIES).to_numpy() for table in (before, now))
    p, q = one / one.sum(), other / other.sum()
    assert found.psi == pytest.approx(float(np.sum((q - p) * np.log(q / p))))
    assert found.p_value == pytest.approx(stats.chi2_contingency([one, other], correction=False).pvalue)
    assert found.drifted == (shares[0] == 0.1)


@pytest.mark.parametrize("mean", [40.0, 55.0])
def test_numbers(keyring, mean):
    """Numbers are compared in ten bins that each hold a tenth of the reference."""
    rng = np.random.default_rng(1)
    before, now = people(rng, 5000), people(rng, 5000, mean=mean)
    found = monitored(before, now, keyring, k=1)["age"]
    edges = np.quantile(before["age"], np.linspace(0, 1, 11)[1:-1])
    one, other = (
        np.bincount(np.searchsorted(edges, table["age"], side="right"), minlength=10) for table in (before, now)
    )
    p, q = one / one.sum(), other / other.sum()
    assert found.psi == pytest.approx(float(np.sum((q - p) * np.log(q / p))))
    assert found.drifted == (mean == 55.0)


def test_a_rotation_is_not_drift(keyring):
    """Tokens under a newer key are not compared with those of the older one, and the note says so."""
    rng, newer = np.random.default_rng(2), keyring.rotate()
    before, now = people(rng, 1000), people(rng, 1000)
    step = FieldEncryptor("deterministic", columns=["city"], key=keyring).fit(before)
    moved = FieldEncryptor("deterministic", columns=["city"], key=newer).fit(before)
    found = monitored(step.transform(before), moved.transform(now), keyring)["city"]
    assert not found.drifted
    assert "1,000 rows are under a key id" in found.note
    both = pd.concat([step.transform(before), moved.transform(before)])
    assert not monitored(both, moved.transform(now), keyring)["city"].drifted


def test_unseen_values(keyring):
    """The share of rows whose value never was in the reference is told, for rare values of the reference too."""
    before = pd.DataFrame({"a": [f"value {number}" for number in range(3000)] + ["often"] * 1000})
    now = pd.DataFrame({"a": ["value 7"] * 50 + ["often"] * 850 + [f"new {number}" for number in range(100)]})
    assert monitored(before, now, keyring)["a"].unseen == pytest.approx(0.1, abs=0.005)


def test_nulls_and_lengths(keyring):
    """Nulls and lengths are compared also where frequencies say nothing, as with randomized tokens."""
    before = pd.DataFrame({"a": ["x"] * 500})
    now = pd.DataFrame({"a": ["x" * 60] * 250 + [None] * 250})
    step = FieldEncryptor(key=keyring).fit(before)
    found = monitored(step.transform(before), step.transform(now), keyring)["a"]
    assert (found.nulls_before, found.nulls_now) == (0.0, 0.5)
    assert found.length_now > found.length_before
    assert found.psi is None
    assert "randomized" in found.note


def test_small_counts_are_not_given_out(keyring):
    """Shares of fewer than k rows, and figures of fewer than k rows, are None."""
    before = pd.DataFrame({"a": ["x"] * 100 + [None] * 5, "b": range(105)})
    found = monitored(before, before.head(10), keyring, k=20)
    assert found["a"].nulls_before is None
    assert found["a"].psi is found["b"].psi is None
    assert "fewer than 20 rows" in found["a"].note
    rare = pd.DataFrame({"a": ["x"] * 100 + ["new"] * 7})
    assert monitored(before[["a"]], rare, keyring, k=20)["a"].unseen is None


def test_no_figure_follows_from_a_small_count(keyring):
    """Whether few rows have one value or another, or are null, changes no figure: all digits are compared."""
    before = pd.DataFrame({"a": ["no"] * 900 + ["yes"] * 100, "b": [None] * 500 + ["text"] * 500})
    reports = {
        monitored(before, pd.DataFrame({"a": ["no"] * (200 - few) + ["yes"] * few, "b": None}), keyring)["a"]
        for few in (1, 7, 19)
    }
    assert {(one.psi, one.p_value, one.unseen, one.length_now) for one in reports} == {(None, None, 0.0, 2.0)}
    lone = monitored(before, pd.DataFrame({"a": "no", "b": [None] * 199 + ["x" * 37]}), keyring)["b"]
    assert (lone.nulls_now, lone.length_now, lone.psi) == (None, None, None)
    assert monitored(before, before.head(3), keyring)["a"].rows == 0


def test_few_rows_under_another_key(keyring):
    """A note says how many rows are under another key id only if they are many."""
    before = pd.DataFrame({"a": ["x"] * 100})
    step, moved = (FieldEncryptor("deterministic", key=one).fit(before) for one in (keyring, keyring.rotate()))
    now = pd.concat([step.transform(before), moved.transform(before.head(3))])
    assert "fewer than 20 rows are under" in monitored(step.transform(before), now, keyring)["a"].note


@given(
    counts=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12), k=st.integers(1, 30)
)
def test_small_counts_are_pooled(counts, k):
    """Pooled bins have the sums of all rows, and no count between 0 and k unless there are no more rows."""
    one, other = np.array(counts).T
    before, now = pooled(one, other, k)
    assert (before.sum(), now.sum()) == (one.sum(), other.sum())
    assert np.count_nonzero(before + now) <= 1 or not any(0 < count < k for count in [*before, *now])


def test_no_value_is_kept_or_shown(keyring):
    """Neither the monitor nor any form of the report holds a value; without the key the tags are others."""
    rng = np.random.default_rng(3)
    before = people(rng, 1000)
    monitor = DriftMonitor(key=keyring).fit(before)
    monitor.observe(people(rng, 1000, (0.1, 0.2, 0.3, 0.4)))
    report = monitor.report()
    held = repr([vars(how) for parts in monitor._how.values() for how in parts.values()])
    for text in (str(report), report.to_json(), report.frame().to_csv(), repr(monitor), repr(report), held):
        assert "canary" not in text
    assert json.loads(report.to_json())["columns"][0]["drifted"]
    other = DriftMonitor(key=Keyring.generate()).fit(before)
    assert not set(monitor._how[0][""]._frequent) & set(other._how[0][""]._frequent)


def test_parts_add_up(keyring):
    """However the rows are cut into calls and threads, the report is the same; reset begins again."""
    rng = np.random.default_rng(4)
    before, now = people(rng, 1000), people(rng, 997, (0.2, 0.2, 0.3, 0.3))
    whole, parts = DriftMonitor(key=keyring).fit(before), DriftMonitor(key=keyring).fit(before)
    whole.observe(now)
    threads = [
        threading.Thread(target=parts.observe, args=(now.iloc[start : start + 50],)) for start in range(0, 997, 50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert parts.report() == whole.report()
    parts.reset()
    assert parts.report().rows == 0


@given(counts=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12))
def test_psi_is_a_distance(counts):
    """PSI is never negative, 0 for equal shares, and the same in both directions."""
    one, other = np.array(counts).T
    assert psi(one, other) >= 0
    assert psi(one, 3 * one) == pytest.approx(0)
    assert psi(one, other) == pytest.approx(psi(other, one))


@pytest.mark.parametrize(
    "odd",
    [
        pd.DataFrame({"city": [None] * 30, "age": [None] * 30}),
        pd.DataFrame({"city": pd.Categorical(["a"] * 30), "age": [np.inf] * 30}),
        pd.DataFrame({"age": ["text"] * 30, "city": [1] * 30}),
        pd.DataFrame({"city": ["a"] * 30, "age": [True] * 30, "more": 1}),
        pd.DataFrame({"city": pd.Series([], dtype=str), "age": pd.Series([], dtype=float)}),
    ],
)
def test_odd_rows(keyring, odd):
    """Nulls alone, other dtypes, infinities, no rows and more columns give a report, not an error."""
    monitor = DriftMonitor(key=keyring).fit(people(np.random.default_rng(5), 100))
    monitor.observe(odd)
    assert len(monitor.report().columns) == 2


def test_refusals(keyring):
    """A reference that is missing or too small, and a column that is missing, are refused by name."""
    table = people(np.random.default_rng(6), 100)
    with pytest.raises(ParameterError, match="call fit"):
        DriftMonitor(key=keyring).report()
    with pytest.raises(InputError, match="has 5 rows"):
        DriftMonitor(key=keyring).fit(table.head(5))
    with pytest.raises(InputError, match="'city'"):
        DriftMonitor(key=keyring).fit(table).observe(table[["age"]])
    with pytest.raises(ParameterError, match="k must be"):
        DriftMonitor(key=keyring, k=0)
    with pytest.raises(KeyUnavailableError):
        DriftMonitor(key="env:NONE").fit(table)


def test_a_plot(keyring):
    """The plot has a bar for each column with a PSI."""
    matplotlib = pytest.importorskip("matplotlib", reason="install matplotlib")
    matplotlib.use("agg")
    table = people(np.random.default_rng(7), 100)
    monitor = DriftMonitor(key=keyring).fit(table)
    monitor.observe(table)
    assert len(monitor.report().plot().patches) == 2


@pytest.mark.parametrize("rows", [20, 25, 50, 100, 200])
def test_few_rows_raise_no_alarm(keyring, rows):
    """Rows of the same people are no drift, however few they are, for numbers and for many different values."""
    rng = np.random.default_rng(rows)
    names = np.array([f"value {number}" for number in range(40)])
    before = pd.DataFrame({"a": rng.choice(names, 5000), "b": rng.normal(size=5000)})
    for _ in range(20):
        now = pd.DataFrame({"a": rng.choice(names, rows), "b": rng.normal(size=rows)})
        assert not [one.name for one in monitored(before, now, keyring).values() if one.drifted]
