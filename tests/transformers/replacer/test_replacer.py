"""Replacer: which values get which fakes, what types these have, and what a fitted object does not know."""

import copy
import datetime as dt
import pickle
import re
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fixed_keys import KEYS
from numeric_twin import sklearn_checks

from modelpriv import Keyring, Pseudonymizer, Replacer
from modelpriv.errors import InputError, KeyUnavailableError, ParameterError, ParameterTypeError, ProtectionWarning
from modelpriv.kernels.aes.siv import prf
from modelpriv.testing import check_privacy_transformer


def replace(cells, *args, **more):
    """Replace one column named `x` and give its new cells as a list."""
    frame = pd.DataFrame({"x": cells})
    size = {} if "values" in more else {"pool_size": 500}
    return Replacer(*args, **({"key": KEYS} | size | more)).fit_transform(frame)["x"].tolist()


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")  # the pool is small, on purpose
@sklearn_checks(Replacer, key=KEYS, context="x", pool_size=100)
def test_scikit_learn_checks(estimator, check):
    """Every check of scikit-learn's passes."""
    check(estimator)


@sklearn_checks(Replacer, key=KEYS, context="x", pool_size=2000, unique=True, unseen="pseudonym")
def test_scikit_learn_checks_unique(estimator, check):
    """Every check of scikit-learn's passes with unique fakes."""
    check(estimator)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"unique": True},
        {"subject": 0},
        {"values": ["a", "b"]},
        {"provider": "pyint"},
        {"provider": "date_object"},
        pytest.param({"key": KEYS.rotate()}, id="a rotated key"),
    ],
    ids=str,
)
def test_contract(more):
    """The contract of a privacy transformer holds with every kind of fake, on every kind of table."""
    size = {} if "values" in more else {"pool_size": 50}
    check_privacy_transformer(Replacer(**({"key": KEYS} | size | more)))


# --- the choice ---


def test_the_fake_is_the_documented_one():
    """The fake is the pool's value at the first word of the PRF of the typed cell, modulo the pool's size."""
    values = [f"fake {number}" for number in range(97)]
    key = KEYS.working_key("replace", context="x", length=64)
    word = int.from_bytes(bytes(prf(key, pa.array([b"Ada"]), [b"\x01"])[0, :8]), "little")
    assert replace(["Ada"], values=values) == [values[word % 97]]


def test_equal_values_get_equal_fakes():
    """The same value has the same fake in another row, another table and another dtype of text."""
    first = Replacer(key=KEYS).fit_transform(pd.DataFrame({"x": ["Ada", "Alan", "Ada"]}))
    second = Replacer(key=KEYS).fit_transform(pl.DataFrame({"x": ["Alan", "Ada"]}))
    assert first["x"][0] == first["x"][2] == second["x"][1]
    assert first["x"][1] == second["x"][0]


def test_every_process_gives_the_same_fakes():
    """Another process that has the key, another order of rows and another hash seed give the same fakes."""
    code = (
        "import sys, pandas as pd; from modelpriv import Keyring, Replacer\n"
        "keys = Keyring.from_secret(sys.stdin.read())\n"
        "print(*Replacer(key=keys, pool_size=50).fit_transform(pd.DataFrame({'x': ['Alan', 'Ada']}))['x'], sep='|')"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], input=KEYS.export_secret(), check=True, capture_output=True, text=True
    ).stdout
    assert there.strip().split("|") == replace(["Ada", "Alan"], pool_size=50)[::-1]


def test_the_data_do_not_decide_the_fakes():
    """What a value becomes does not depend on which other values there are."""
    assert replace(["Ada"]) == replace(["Zoe", "Ada", None])[1:2]


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")  # the pool is small, on purpose
def test_the_key_and_the_context_decide_the_fakes():
    """Another key, and another context, give other fakes for most values."""
    cells = [f"value {number}" for number in range(50)]
    plain = replace(cells)
    for other in (replace(cells, key=Keyring.generate()), replace(cells, context="elsewhere.x")):
        assert sum(a == b for a, b in zip(plain, other, strict=True)) < 5


def test_the_context_joins_columns_of_other_names():
    """Columns of different names agree when they have one context, and only then."""
    frame = pd.DataFrame({"x": ["Ada"], "y": ["Ada"], "z": ["Ada"]})
    out = Replacer(key=KEYS, values=range(10**6), context={"y": "x"}).fit_transform(frame)
    assert out["x"][0] == out["y"][0] != out["z"][0]


def test_fakes_are_chosen_evenly():
    """Many values spread over a pool without a favourite (chi-squared, 99.9 %)."""
    counts = pd.Series(replace([f"value {n}" for n in range(20_000)], values=list(range(20)))).value_counts()
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8


def test_an_older_key_stays_pinned():
    """A fitted object goes on with the key that it was fitted with when the keyring is rotated."""
    frame = pd.DataFrame({"x": ["Ada"]})
    step = Replacer(key=KEYS, values=list(range(10**6))).fit(frame)
    before = step.transform(frame)
    assert step.set_params(key=KEYS.rotate()).transform(frame).equals(before)
    with pytest.raises(KeyUnavailableError, match=KEYS.primary):
        step.set_params(key=Keyring.generate()).transform(frame)


# --- types ---


@pytest.mark.parametrize(
    ("cells", "provider", "dtype"),
    [
        (pd.Series([pd.Timestamp("2000-01-01")], dtype="datetime64[us]"), "date_object", "datetime64[us]"),
        (pd.Series([pd.Timestamp("2000-01-01")], dtype="datetime64[s]"), "date_time", "datetime64[us]"),
        (pd.Series([1, 2], dtype="int64"), "pyint", "int64"),
        (pd.Series([1, 2], dtype="int16"), "pyint", "int16"),
        (pd.Series([1, 2], dtype="Int32"), "pyint", "Int32"),
        (pd.Series([1.5], dtype="float32"), "pyint", "float32"),
        (pd.Series([1], dtype="int64"), "pyfloat", "float64"),
        (pd.Series([1], dtype="int8"), "unix_time", "float64"),
        (pd.Series([True]), "boolean", "bool"),
        (pd.Series([True], dtype="boolean"), "boolean", "boolean"),
        (pd.Series(["a"], dtype="string[python]"), "name", "string"),
        (pd.Series(["a"], dtype=pd.ArrowDtype(pa.string())), "name", "string[pyarrow]"),
        (pd.Series(["a"], dtype=object), "name", "object"),
        (pd.Series(["a"], dtype="category"), "name", pd.Series(["a"]).dtype),
        (pd.Series([1]), "name", pd.Series(["a"]).dtype),
    ],
)
def test_types_stay(cells, provider, dtype):
    """Dates stay dates and numbers numbers, in the column's own dtype where the fakes fit into it."""
    out = Replacer(provider, key=KEYS, pool_size=20).fit_transform(pd.DataFrame({"x": cells}))
    assert out["x"].dtype == dtype


def test_fakes_that_do_not_fit_take_their_own_dtype():
    """Integers too large for the column come whole, in a wider dtype."""
    frame = pd.DataFrame({"x": np.array([1, 2], np.int8)})
    assert Replacer(values=[1000], key=KEYS).fit_transform(frame)["x"].tolist() == [1000, 1000]


@pytest.mark.parametrize(
    "values",
    [[dt.date(2000, 1, 1)], [dt.time(1, 2)], [dt.timedelta(1)], [Decimal("1.5")], [b"a"], [True], [7], [0.5], ["a"]],
    ids=str,
)
@pytest.mark.parametrize("cell", ["text", 5, None])
def test_own_values_come_out_as_they_are(values, cell):
    """Fakes of every type replace cells of another type, and come out as they were given."""
    frame = pl.DataFrame({"x": [cell]})
    assert Replacer(values=values, key=KEYS, null="protect").fit_transform(frame)["x"].to_list() == values


def test_integers_stay_integers_beside_nulls():
    """Integers beside nulls do not become floats."""
    out = Replacer("pyint", key=KEYS, pool_size=9).fit_transform(pd.DataFrame({"x": ["a", None]}))["x"]
    assert isinstance(out[0], (int, np.integer))
    assert out.isna().tolist() == [False, True]


def test_another_type_than_at_fit_is_refused():
    """A column whose type has changed since fit is refused: its equal values would get other fakes."""
    step = Replacer(key=KEYS, values=["a"]).fit(pd.DataFrame({"x": [1, 2]}))
    with pytest.raises(InputError, match="'x' held int at fit and now holds float"):
        step.transform(pd.DataFrame({"x": [1.0, 2.0]}))
    assert step.transform(pd.DataFrame({"x": np.array([1], np.int8)}))["x"].tolist() == ["a"]


# --- nulls ---


def test_nulls_are_not_given_a_person():
    """A null stays null."""
    assert pd.isna(replace([None, "Ada"])[0])


def test_nulls_can_be_given_a_fake():
    """With null='protect' all nulls get one fake, as if null were a value."""
    out = replace([None, "Ada", None], null="protect", values=list(range(10**6)))
    assert out[0] == out[2] != out[1]


def test_nulls_can_be_refused():
    """With null='raise' a null is refused by column and row."""
    with pytest.raises(InputError, match="'x' has 1 null, the first in row 1"):
        replace(["Ada", None], null="raise")


# --- unique ---


@pytest.fixture
def linkage():
    """Two tables of generated people: most are in both, some are spelled alike though they are not the same."""
    rng = np.random.default_rng(0)
    names = [f"{first} {last}" for first in range(60) for last in range(60)]
    return pd.DataFrame({"name": rng.choice(names, 2000)}), pd.DataFrame({"name": rng.choice(names, 2000)})


def pairs(first, second):
    """Which rows of two tables join on the name."""
    first, second = (table.assign(row=range(len(table))) for table in (first, second))
    joined = first.merge(second, on="name")
    return set(zip(joined["row_x"], joined["row_y"], strict=True))


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")  # the pool is small, on purpose
def test_no_true_join_is_lost(linkage):
    """Two tables replaced apart join on every pair of rows on which they joined before."""
    released = [Replacer(key=KEYS, pool_size=500).fit_transform(table) for table in linkage]
    assert pairs(*linkage) < pairs(*released)


def test_unique_fakes_add_no_join(linkage):
    """Fitted on both tables with unique=True, exactly the joins that there were are there."""
    step = Replacer(key=KEYS, unique=True).fit(pd.concat(linkage))
    assert pairs(*linkage) == pairs(*map(step.transform, linkage))


def test_false_joins_are_as_many_as_documented():
    """Without unique=True about n * n / (2 * m) pairs of n values share one of m fakes."""
    fakes = pd.Series(replace([f"value {number}" for number in range(2000)], values=list(range(10_000))))
    sharing = (fakes.value_counts() * (fakes.value_counts() - 1) / 2).sum()
    assert abs(sharing - 200) < 5 * np.sqrt(200)


def test_unique_fakes_of_columns_of_one_context():
    """Columns of one context are one set of values: equal ones agree across them, others do not."""
    frame = pd.DataFrame({"x": [f"v{n}" for n in range(80)], "y": [f"v{n}" for n in range(40, 120)]})
    out = Replacer(values=list(range(120)), unique=True, key=KEYS, context={"y": "x"}).fit_transform(frame)
    assert out["x"][40:].tolist() == out["y"][:40].tolist()
    assert len({*out["x"], *out["y"]}) == 120


def test_unique_fakes_do_not_depend_on_the_order_of_rows():
    """Two fits on the same set of values agree, whatever their order and number."""
    cells = [f"value {number}" for number in range(30)]
    assert replace(cells, unique=True) == replace([*cells[::-1], *cells], unique=True)[:30][::-1]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"provider": "boolean"}, "needs 3 different fakes, but there are 2. The provider has no more"),
        ({"pool_size": 2}, "needs 3 different fakes, but there are 2. Raise pool_size"),
        ({"values": ["a", "a", "b"]}, "needs 3 different fakes, but there are 2. Give more values"),
    ],
)
def test_too_few_fakes_are_refused(more, words):
    """When there are fewer fakes than values, fit says how many there are, and what to do."""
    with pytest.raises(ParameterError, match=words):
        Replacer(key=KEYS, unique=True, **more).fit(pd.DataFrame({"x": ["a", "b", "c", None]}))


def test_nulls_need_no_fake():
    """A null is not counted among the values that need a fake, unless it is to have one."""
    assert len(replace(["a", "b", None], unique=True, values=[1, 2])) == 3
    with pytest.raises(ParameterError, match="needs 3"):
        replace(["a", "b", None], unique=True, values=[1, 2], null="protect")


def test_unseen_values_are_refused():
    """With unique=True a value that fit has not seen is refused by column and row, and not shown."""
    step = Replacer(key=KEYS, unique=True, pool_size=50).fit(pd.DataFrame({"x": ["Ada", "Alan"]}))
    with pytest.raises(InputError, match=r"'x' has values .* the first in row 2,") as caught:
        step.transform(pd.DataFrame({"x": ["Ada", None, "Zoe", "Yan"]}))
    assert "Zoe" not in str(caught.value)


def test_unseen_values_can_get_a_pseudonym():
    """With unseen='pseudonym' such a value becomes what Pseudonymizer makes of it; all others keep their fakes."""
    step = Replacer(key=KEYS, unique=True, unseen="pseudonym", pool_size=50).fit(pd.DataFrame({"x": ["Ada", "Alan"]}))
    late = pd.DataFrame({"x": ["Ada", None, "Zoe"]})
    out = step.transform(late)
    assert out["x"][0] == step.transform(late[:1])["x"][0]
    assert pd.isna(out["x"][1])
    assert out["x"][2] == Pseudonymizer(key=KEYS).fit_transform(late)["x"][2]


# --- subject ---


def test_the_subject_chooses():
    """The fake follows the subject's value, and not the cell's."""
    frame = pd.DataFrame({"id": [7, 8, 7], "x": ["Ada", "Ada", "Countess Ada"]})
    out = Replacer(values=list(range(10**6)), columns=["x"], subject="id", key=KEYS).fit_transform(frame)
    assert out["x"][0] == out["x"][2] != out["x"][1]
    assert out["id"].equals(frame["id"])


def test_a_persons_columns_belong_together():
    """Name, user name and e-mail address with one subject are those of one fake person, in every table."""
    people = pd.DataFrame({"id": [7, 8], "name": ["Ada", "Alan"], "login": ["al", "tu"]})
    mails = pd.DataFrame({"mail": ["a@b.org", None, "t@u.org"], "id": [8, 7, 7]})
    common = {"subject": "id", "key": KEYS, "pool_size": 300}
    names = Replacer("name", columns=["name"], **common).fit_transform(people)["name"]
    logins = Replacer("user_name", columns=["login"], **common).fit_transform(people)["login"]
    addresses = Replacer("email", columns=["mail"], **common).fit_transform(mails)["mail"]
    assert addresses[0].split("@")[0] == logins[1]
    assert addresses[2].split("@")[0] == logins[0]
    assert pd.isna(addresses[1])
    for name, login in zip(names, logins, strict=True):
        assert any(part.lower() in login for part in name.split())


def test_columns_of_one_subject_are_kept_apart_by_context():
    """Two columns of one object agree row by row, unless a context is given to one of them."""
    frame = pd.DataFrame({"id": range(9), "home": ["1"] * 9, "work": ["2"] * 9})
    common = {"columns": ["home", "work"], "subject": "id", "key": KEYS, "values": list(range(10**6))}
    alike = Replacer(**common).fit_transform(frame)
    apart = Replacer(**common, context={"work": "id.work"}).fit_transform(frame)
    assert alike["home"].equals(alike["work"])
    assert alike["home"].equals(apart["home"])
    assert not (apart["home"] == apart["work"]).any()


def test_the_subject_of_another_name_joins_by_context():
    """A subject that has another name in another table chooses the same fakes when the context says so."""
    one = Replacer(values=list(range(10**6)), columns=["x"], subject="id", key=KEYS)
    two = Replacer(values=list(range(10**6)), columns=["x"], subject="customer", context="id", key=KEYS)
    a = one.fit_transform(pd.DataFrame({"id": [7], "x": ["Ada"]}))
    b = two.fit_transform(pd.DataFrame({"customer": [7], "x": ["Countess Ada"]}))
    assert a["x"].equals(b["x"])


def test_a_subject_with_nulls_is_refused():
    """A row without a subject is refused."""
    with pytest.raises(InputError, match="'id' has a null in row 1, but subject needs a value"):
        Replacer(columns=["x"], subject="id", key=KEYS).fit(pd.DataFrame({"id": [7, None], "x": ["a", "b"]}))


def test_unseen_subjects_are_named_by_their_column():
    """With unique=True it is the subject's column that holds the unseen value."""
    step = Replacer(columns=["x"], subject="id", key=KEYS, unique=True, pool_size=50)
    step.fit(pd.DataFrame({"id": [7], "x": ["a"]}))
    with pytest.raises(InputError, match="Column 'id' has values that fit did not see, the first in row 0"):
        step.transform(pd.DataFrame({"id": [8], "x": ["a"]}))


# --- what a fitted object knows ---


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")  # the pool is small, on purpose
def test_nothing_of_the_originals_is_kept():
    """No original is in the pickle of a fitted object, nor in anything that hangs on it."""
    cells = [f"original {number}" for number in range(50)]
    for more in ({}, {"unique": True}, {"subject": "id"}):
        frame = pd.DataFrame({"x": pd.Series(cells, dtype="category"), "id": [f"subject {n}" for n in range(50)]})
        step = Replacer(key=KEYS, columns=["x"], pool_size=60, **more).fit(frame)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            kept = pickle.dumps(step, protocol)
            assert b"original" not in kept
            assert b"subject 1" not in kept


def test_the_pool_travels_with_the_object(monkeypatch):
    """A pickled object gives its fakes without Faker, whatever a later release of Faker would make."""
    frame = pd.DataFrame({"x": ["Ada", "Alan"]})
    step = Replacer(key=KEYS, pool_size=50).fit(frame)
    expected = step.transform(frame)
    monkeypatch.setitem(sys.modules, "faker.factory", None)
    assert pickle.loads(pickle.dumps(step)).transform(frame).equals(expected)


def test_own_values_are_neither_changed_nor_followed():
    """The user's list stays as it is, and what happens to it after fit has no effect."""
    values, frame = ["b", "a", "b"], pd.DataFrame({"x": ["Ada", "Alan", "Zoe"]})
    step = Replacer(values=values, key=KEYS).fit(frame)
    assert values == ["b", "a", "b"]
    assert step.get_params()["values"] is values
    before = step.transform(frame)
    values[:] = ["z"]
    assert step.transform(frame).equals(before)


def test_there_is_no_way_back():
    """Replacer has no inverse_transform."""
    assert not hasattr(Replacer(key=KEYS), "inverse_transform")


def test_copies_share_no_state_that_a_fit_changes():
    """A new fit of a copy leaves the original as it was."""
    frame = pd.DataFrame({"x": ["Ada"]})
    step = Replacer(key=KEYS, unique=True, values=[1, 2]).fit(frame)
    copy.copy(step).fit(pd.DataFrame({"x": ["Zoe", "Yan"]}))
    with pytest.raises(InputError, match="did not see"):
        step.transform(pd.DataFrame({"x": ["Zoe"]}))


def test_importing_and_own_values_do_not_import_faker():
    """Faker is imported when a provider is asked for, and not before."""
    code = (
        "import sys, pandas as pd; from modelpriv import Keyring, Replacer\n"
        "Replacer(values=['a'], key=Keyring.generate()).fit_transform(pd.DataFrame({'x': ['b']}))\n"
        "assert 'faker' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_failed_fit_changes_nothing():
    """A fit that fails leaves the last one whole."""
    frame = pd.DataFrame({"x": ["Ada", "Alan"], "y": ["Zoe", "Yan"]})
    step = Replacer(key=KEYS, unique=True, values=[1, 2]).fit(frame)
    before = step.transform(frame)
    with pytest.raises(ParameterError, match="'y' needs 3"):
        step.fit(pd.DataFrame({"x": ["Ada", "Ada", None], "y": ["Zoe", "Yan", "Una"]}))
    assert step.transform(frame).equals(before)


# --- parameters ---


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"key": None}, ParameterError, "key"),
        ({"provider": None}, ParameterTypeError, "provider must be a text that is not empty, got None"),
        ({"provider": "nmae"}, ParameterError, "'nmae'.*similar are 'name'"),
        ({"locale": "en_UX"}, ParameterError, "'en_UX'"),
        ({"locale": ""}, ParameterError, "locale must be .*, got an empty one"),
        ({"locale": 5}, ParameterTypeError, "locale must be a text that is not empty or a list of locales, got int"),
        ({"locale": []}, ParameterError, "locale must be .* a list of locales, got an empty one"),
        ({"provider_args": ["x"]}, ParameterTypeError, "provider_args must be a dict"),
        ({"provider_args": {"wrong": 1}}, ParameterError, "provider_args .*'wrong'"),
        ({"pool_size": 0}, ParameterError, "pool_size must be a whole number of at least 1, got 0"),
        ({"pool_size": True}, ParameterTypeError, "pool_size must be a whole number of at least 1, got bool"),
        ({"pool_size": 10.0}, ParameterTypeError, "pool_size must be a whole number of at least 1, got float"),
        ({"unique": 1}, ParameterTypeError, "unique must be True or False, got int"),
        ({"verbose": "no"}, ParameterTypeError, "verbose must be True or False, got str"),
        ({"unseen": "keep", "unique": True}, ParameterError, "unseen must be one of 'raise', 'pseudonym'"),
        ({"unseen": "pseudonym"}, ParameterError, "unseen='pseudonym' .* only with unique=True"),
        ({"unseen": "pseudonym", "unique": True, "provider": "pyint"}, ParameterError, "the fakes are int"),
        ({"values": "abc"}, ParameterTypeError, "values must be a list, a set or a column.*got str"),
        ({"values": {"a": "b"}}, ParameterTypeError, "values must be a list, a set or a column.*got dict"),
        pytest.param(
            {"values": iter("ab")}, ParameterTypeError, "values must be a list, a set or a column", id="an iterator"
        ),
        ({"values": []}, ParameterError, "values gives no values"),
        ({"values": ["a"], "provider": "email"}, ParameterError, "values and provider were both given"),
        ({"values": ["a"], "locale": "de_DE"}, ParameterError, "values and locale were both given"),
        ({"values": ["a"], "provider_args": {}}, ParameterError, "values and provider_args were both given"),
        ({"values": ["a"], "pool_size": 5}, ParameterError, "values and pool_size were both given"),
        ({"null": "drop"}, ParameterError, "null must be one of 'keep', 'protect', 'raise'"),
        ({"context": 5}, ParameterTypeError, "context must be"),
        ({"subject": "nobody"}, ParameterError, "nobody"),
        ({"subject": "x"}, ParameterError, "'x'"),
    ],
    ids=str,
)
def test_parameters_are_checked_at_fit(more, error, words):
    """A parameter, or a combination, without meaning is refused by fit in clear words, and by nothing before."""
    step = Replacer(**({"key": KEYS, "columns": ["x"]} | more))
    with pytest.raises(error, match=words):
        step.fit(pd.DataFrame({"x": ["Ada"], "id": [7]}))


def test_fakes_may_be_a_set_and_scalars_of_numpy():
    """Fakes of a set are taken in ascending order, which is the same in every process, and numpy's as Python's."""
    table = pd.DataFrame({"ward": list("abcdefgh")})
    chosen = [
        Replacer(values=values, key=KEYS).fit_transform(table)["ward"].tolist()
        for values in ([3, 5, 7], {7, 5, 3}, frozenset({np.int64(5), np.int8(3), 7}), [np.int64(3), 5, np.int32(7)])
    ]
    assert chosen[0] == chosen[1] == chosen[2] == chosen[3]


def pairs_told(caught):
    """Give the number of pairs that a warning tells."""
    return float(re.search(r"about ([\d.e+,]+) pairs", str(caught[0].message))[1].replace(",", ""))


def test_many_false_joins_are_told_before_they_happen():
    """Where values are expected to share fakes in more than 1 of 1,000 rows, `fit` says how many, and no value."""
    table = pd.DataFrame({"name": [f"cAnArY {number}" for number in range(400)]})
    step = Replacer("pyint", provider_args={"max_value": 10**9}, pool_size=1000, key=KEYS, columns=["name"])
    with pytest.warns(ProtectionWarning, match="Column 'name': about .* pairs among 400 different values") as caught:
        step.fit(table)
    assert pairs_told(caught) == pytest.approx(400 * 399 / 2 / 1000, rel=0.01)
    assert "cAnArY" not in str(caught[0].message)


def test_repeating_fakes_are_counted():
    """Fakes that repeat make more false joins than different ones: the number told says so."""
    table = pd.DataFrame({"name": range(100)})
    with pytest.warns(ProtectionWarning) as caught:
        Replacer("random_digit", pool_size=1000, key=KEYS).fit(table)
    assert pairs_told(caught) == pytest.approx(100 * 99 / 2 / 10, rel=0.05)


@pytest.mark.parametrize(
    "parameters",
    [{"pool_size": 10_000}, {"pool_size": 50, "unique": True}, {"values": list("abcdefgh")}],
    ids=str,
)
def test_few_false_joins_are_not_worth_a_warning(parameters):
    """Few values, unique fakes and fakes of your own raise no warning."""
    Replacer(key=KEYS, **parameters).fit(pd.DataFrame({"name": [f"n{number % 40}" for number in range(500)]}))


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
def test_several_locales_share_the_fakes():
    """Each of several locales makes an equal part of the fakes, and the same rows get them in every process."""
    table = pd.DataFrame({"name": [f"n{number}" for number in range(60)]})
    several, german, greek = (
        Replacer("last_name", key=KEYS, locale=locale, pool_size=300, context="c").fit_transform(table)["name"]
        for locale in (["de_DE", "el_GR"], "de_DE", "el_GR")
    )
    is_greek = several.str.contains(r"[\u0370-\u03ff]", regex=True)
    assert 15 < is_greek.sum() < 45
    assert sum(map(str.isascii, german)) > 30
    assert greek.str.contains(r"[\u0370-\u03ff]", regex=True).all()
    assert (
        Replacer("last_name", key=KEYS, locale=("de_DE", "el_GR"), pool_size=300, context="c")
        .fit_transform(table)["name"]
        .equals(several)
    )


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
def test_a_person_of_several_locales_is_one_person():
    """With a subject, name and first name of a row come from one person, whichever of the locales is theirs."""
    table = pd.DataFrame({"id": range(30), "first": ["x"] * 30, "last": ["x"] * 30, "user": ["x"] * 30})
    for column, provider in (("first", "first_name"), ("last", "last_name"), ("user", "name")):
        step = Replacer(provider, key=KEYS, subject="id", columns=[column], locale=["en_US", "de_DE"], pool_size=1_500)
        table = step.fit_transform(table)
    assert all(row.first in row.user and row.last in row.user for row in table.itertuples())


def test_more_locales_than_fakes_make_as_many_fakes():
    """A pool that is smaller than the number of locales has one fake of each of the first ones."""
    step = Replacer("last_name", key=KEYS, locale=["de_DE", "el_GR", "en_US"], pool_size=2)
    assert step.fit(pd.DataFrame({"a": ["x"]}))._states[0]["fakes"]["pool"]["length"] == 2
