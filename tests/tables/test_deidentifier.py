"""Deidentifier: a rule for every column, the whole table or none of it, and back where that can be."""

import copy
import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numeric_twin import sklearn_checks
from sklearn.base import clone
from sklearn.compose import make_column_selector
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelpriv import (
    DateShifter,
    Deidentifier,
    FieldEncryptor,
    KeyedProjection,
    Keyring,
    Masker,
    Pseudonymizer,
    Replacer,
)
from modelpriv.errors import DecryptionError, InputError, KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import keyring as keyrings
from modelpriv.tables import deidentifier as module

PEOPLE = {
    "id": ["P-1", "P-2", "P-3"],
    "name": ["Ada Canary", "Bo Canary", None],
    "phone": ["555-0132", "canary", "555-0199"],
    "postcode": ["90210", "10001", "60601"],
    "age": [36, 41, 55],
    "note": ["canary", "canary", "canary"],
}
KEYS = keyrings.build([bytes(32)])  # fixed: test names show its id


def rules():
    """A rule for each column of `PEOPLE`."""
    return {
        "id": FieldEncryptor("deterministic"),
        "name": Masker("name"),
        "phone": Masker("phone"),
        "postcode": FieldEncryptor(),
        "area": ("postcode", Masker(keep_first=2)),
        "age": "keep",
        "note": "drop",
    }


@pytest.fixture(params=["pandas", "polars", "pyarrow"])
def people(request):
    """The table in each container that has names."""
    return {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[request.param](PEOPLE)


def columns(table):
    """The cells of a table by column."""
    return (
        pd.DataFrame(table)
        if isinstance(table, dict)
        else table
        if isinstance(table, pd.DataFrame)
        else table.to_pandas()
    )


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
def test_a_table(people):
    """Each column comes out by its rule, in the order of the table, in the same kind of table; the input stays."""
    before = copy.deepcopy(people)
    step = Deidentifier(rules(), key=KEYS)
    released = step.fit_transform(people)
    assert type(released) is type(people)
    table = columns(released)
    assert list(table) == ["id", "name", "phone", "postcode", "area", "age"] == step.get_feature_names_out().tolist()
    assert table["area"].tolist() == ["90***", "10***", "60***"]
    assert table["age"].tolist() == PEOPLE["age"]
    assert table["phone"].tolist() == ["***-0132", "******", "***-0199"]
    assert "canary" not in table.to_csv().lower().replace("a** c*****", "")
    assert columns(people).equals(columns(before))
    again = columns(step.transform(people))
    assert again["id"].tolist() == table["id"].tolist()


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
def test_the_way_back(people):
    """What is encrypted comes back as it was; what is masked stays masked; further columns are left out."""
    step = Deidentifier(rules(), key=KEYS)
    released = step.fit_transform(people)
    back = columns(step.inverse_transform(released))
    assert list(back) == ["id", "name", "phone", "postcode", "age"]
    for name in ("id", "postcode", "age"):
        assert back[name].tolist() == PEOPLE[name]
    assert back["phone"].tolist() == columns(released)["phone"].tolist()
    assert step.restorable_ == ["id", "postcode"]


def test_opened_by_policy_and_key(people):
    """Someone with the policy, the key and a released table opens what is encrypted, without the original table."""
    chosen = {name: rule for name, rule in rules().items() if name not in {"phone", "name"}}
    chosen |= {"phone": "drop", "name": "drop"}
    step = Deidentifier(chosen, key=KEYS)
    released = step.fit_transform(people)
    opened = columns(Deidentifier.from_policy(step.to_policy(), key=KEYS).inverse_transform(released))
    assert list(opened) == ["id", "postcode", "area", "age"]
    for name in ("id", "postcode", "age"):
        assert opened[name].tolist() == PEOPLE[name]
    with pytest.raises(DecryptionError):
        Deidentifier(chosen, key=Keyring.generate()).inverse_transform(released)


def test_references_read_the_input():
    """subject= and bind= mean the columns that came in, also where these are protected themselves."""
    table = pd.DataFrame({"id": ["a", "b", "a"], "name": ["x", "y", "z"], "email": ["p", "q", "r"]})
    step = Deidentifier(
        {
            "id": FieldEncryptor(),
            "name": Replacer(values=["one", "two", "three", "four"], subject="id"),
            "email": FieldEncryptor(bind=["id"]),
        },
        key=KEYS,
    )
    released = step.fit_transform(table)
    assert released["name"][0] == released["name"][2]
    pd.testing.assert_frame_equal(step.inverse_transform(released)[["id", "email"]], table[["id", "email"]])


def test_what_refers_to_a_lost_column_does_not_come_back():
    """Tokens that are bound to a dropped column cannot be opened, and the object knows it at fit."""
    table = pd.DataFrame({"id": ["a", "b"], "email": ["p", "q"]})
    step = Deidentifier({"id": "drop", "email": FieldEncryptor(bind=["id"])}, key=KEYS).fit(table)
    assert step.restorable_ == []
    released = step.transform(table)
    assert step.inverse_transform(released)["email"].tolist() == released["email"].tolist()


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
def test_a_chain():
    """Transformers in a list follow one another, and come back in the other order."""
    table = pd.DataFrame({"phone": ["555-0132", "555-0199"]})
    step = Deidentifier({"phone": [Masker("phone"), FieldEncryptor()]}, key=KEYS)
    released = step.fit_transform(table)
    assert FieldEncryptor(key=KEYS).inverse_transform(released)["phone"].tolist() == ["***-0132", "***-0199"]
    assert step.restorable_ == []
    twice = Deidentifier({"phone": [FieldEncryptor(context="a"), FieldEncryptor(context="b")]}, key=KEYS)
    assert twice.inverse_transform(twice.fit_transform(table)).equals(table)


def test_transformers_of_many_columns_and_of_others():
    """A transformer that is not of columns gets its columns alone, and its own columns come out at their place."""
    table = pd.DataFrame({"a": [1.0, 2.0, 4.0], "id": ["x", "y", "z"], "b": [3.0, 1.0, 2.0]})
    step = Deidentifier({("a", "b"): KeyedProjection(), "id": "drop"}, key=KEYS)
    assert step.fit_transform(table).shape == (3, 2)
    scaled = Deidentifier({("a", "b"): StandardScaler(), "id": "keep"}).fit_transform(table)
    np.testing.assert_allclose(scaled[["a", "b"]].to_numpy(), StandardScaler().fit_transform(table[["a", "b"]]))
    assert list(scaled) == ["a", "id", "b"]


# --- every column is named, or refused ---


def test_a_column_without_a_rule():
    """A column that no rule names is refused by its name, or dropped if that was said; it never passes."""
    table = pd.DataFrame(PEOPLE)
    with pytest.raises(InputError, match=r"no rule names columns 'phone', 'note'"):
        Deidentifier({k: v for k, v in rules().items() if k not in {"phone", "note"}}, key=KEYS).fit(table)
    step = Deidentifier({"age": "keep"}, unnamed="drop")
    assert list(step.fit_transform(table)) == ["age"]


@pytest.mark.parametrize("levels", [["id"], ["id", "age"]])
def test_an_index_without_a_rule(levels):
    """A pandas index of cells has no rule, so it is refused at fit and later; row numbers of any order are not."""
    table = pd.DataFrame({"id": ["canary-1", "canary-2"], "age": [36, 41], "b": [1, 2]})
    indexed = table.set_index(levels)
    step = Deidentifier(dict.fromkeys(indexed.columns, "keep"))
    with pytest.raises(InputError, match=r"'id'.*reset_index"):
        step.fit_transform(indexed)
    step.fit(indexed.reset_index(drop=True))
    for odd in (indexed, indexed.rename_axis([None] * len(levels))):
        with pytest.raises(InputError, match="reset_index") as raised:
            step.transform(odd)
        assert "canary" not in str(raised.value)
    rows = step.transform(indexed.reset_index(drop=True).iloc[::-1])
    assert rows.index.tolist() == [1, 0]


def test_a_rule_without_a_column():
    """A rule whose column is missing is refused, or ignored if that was said."""
    table = pd.DataFrame({"a": [1]})
    for key in ("b", ("a", "b"), re.compile("x.*"), lambda _: ["b"]):
        with pytest.raises(InputError, match="which the table does not have"):
            Deidentifier([("a", "keep"), (key, "drop")] if key != ("a", "b") else {key: "keep"}).fit(table)
    assert list(Deidentifier({"a": "keep", "b": "drop"}, missing="ignore").fit_transform(table)) == ["a"]


def test_keys_of_rules():
    """A tuple, a pattern and a selector mean several columns; a name goes before them."""
    table = pd.DataFrame({"addr1": ["a"], "addr2": ["b"], "n": [1], "addr3": ["c"]})
    step = Deidentifier(
        [
            (re.compile("addr.*"), "drop"),
            ("addr2", "keep"),
            (make_column_selector(dtype_include="number"), "keep"),
        ]
    )
    assert list(step.fit_transform(table)) == ["addr2", "n"]
    assert list(Deidentifier({("addr1", "n"): "keep"}, unnamed="drop").fit_transform(table)) == ["addr1", "n"]


WRONG = {
    "two rules": ([("a", "keep"), (("a",), "drop")], ParameterError, "two rules for column 'a'"),
    "two selectors": ([(re.compile("a"), "keep"), (re.compile("."), "drop")], ParameterError, "two rules"),
    "misspelt": ({"a": "mask"}, ParameterError, "'mask'"),
    "a class": ({"a": Masker}, ParameterTypeError, "is a class"),
    "nothing": ({"a": None}, ParameterTypeError, "must be a transformer"),
    "an empty list": ({"a": []}, ParameterTypeError, "must be a transformer"),
    "no rules": ("keep", ParameterTypeError, "rules must be a dict"),
    "own columns": ({"a": Masker("phone", columns=["b"])}, ParameterError, "leave it out"),
    "a copy": ({"a": "keep", "b": ("a", "keep")}, ParameterError, "in plain text"),
    "no source": ({"a": "keep", "b": ("c", Masker())}, ParameterError, "takes column 'c'"),
    "nothing left": ({"a": "drop"}, ParameterError, "drop every column"),
    "a chain with others": ({"a": [Masker(), StandardScaler()]}, ParameterError, "let it be the only one"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_rules(kind):
    """A rule that makes no sense is refused, and the message names it."""
    wrong, error, match = WRONG[kind]
    with pytest.raises(error, match=match):
        Deidentifier(wrong).fit(pd.DataFrame({"a": ["x"]}))


CHANGES = {
    "added": lambda table: table.assign(ssn="canary"),
    "removed": lambda table: table.drop(columns="age"),
    "renamed": lambda table: table.rename(columns={"age": "years"}),
    "moved": lambda table: table[table.columns[::-1]],
    "another type, kept": lambda table: table.assign(age=["canary"] * 3),
    "another type, protected": lambda table: table.assign(id=[1, 2, 3]),
}


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_table_never_passes(change):
    """A table with a column that was added, removed, renamed, moved or of another type is refused."""
    table = pd.DataFrame(PEOPLE)
    step = Deidentifier(rules(), key=KEYS).fit(table)
    with pytest.raises(ValueError, match=r"(?i)column|feature") as raised:
        step.transform(CHANGES[change](table))
    assert "canary" not in str(raised.value)


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
@given(data=st.data())
def test_changes_at_random(data):
    """Whatever the rules and however the table changes, it is refused, or each column comes out by its rule."""
    names = data.draw(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True))
    made = {
        "keep": "keep",
        "drop": "drop",
        "mask": Masker(),
        "encrypt": FieldEncryptor("deterministic"),
        "pseudonym": Pseudonymizer(),
    }
    chosen = {name: data.draw(st.sampled_from(sorted(made))) for name in names}
    table = pd.DataFrame({name: [f"canary-{name}-1", f"canary-{name}-2"] for name in names})
    step = Deidentifier({name: made[kind] for name, kind in chosen.items()}, key=KEYS)
    if set(chosen.values()) == {"drop"}:
        return
    step.fit(table)
    changed = data.draw(st.lists(st.sampled_from("abcdefg"), min_size=1, unique=True))
    other = pd.DataFrame({name: [f"canary-{name}-1", f"canary-{name}-2"] for name in changed})
    if changed != names:
        with pytest.raises((InputError, ValueError)):
            step.transform(other)
        return
    released = step.transform(other)
    assert list(released) == [name for name in names if chosen[name] != "drop"]
    for name in released:
        assert ("canary" in "".join(released[name])) == (chosen[name] == "keep")


# --- all or nothing ---


def test_it_fails_as_a_whole():
    """If one column cannot be protected, nothing comes out, and a fitted object stays as it was."""
    good = pd.DataFrame({"a": ["x", "y"], "b": ["p", "q"]})
    step = Deidentifier({"a": FieldEncryptor(), "b": FieldEncryptor(null="raise")}, key=KEYS).fit(good)
    before = step.steps_
    with pytest.raises(InputError, match="'b'"):
        step.fit(pd.DataFrame({"a": ["x"], "b": [None]}))
    assert step.steps_ is before
    assert step.inverse_transform(step.transform(good)).equals(good)


def test_a_check_of_the_result():
    """What the result has to pass sees the released table, and a failure lets nothing out."""
    seen = []

    class AtLeast:
        def check(self, released):
            seen.append(list(released))
            if len(released) < 2:
                raise InputError("fewer than 2 rows")

    step = Deidentifier({"a": "keep", "b": "drop"}, check=[AtLeast(), seen.append])
    step.fit_transform(pd.DataFrame({"a": [1, 2], "b": [3, 4]}))
    assert seen[0] == ["a"]
    with pytest.raises(InputError, match="fewer than 2"):
        step.transform(pd.DataFrame({"a": [1], "b": [3]}))
    with pytest.raises(ParameterTypeError, match="check must be"):
        Deidentifier({"a": "keep"}, check=5).fit(pd.DataFrame({"a": [1]}))


# --- keys ---


def test_keys_are_inherited():
    """A transformer without a key gets that of the whole, one with a key keeps its own."""
    other, table = Keyring.generate(), pd.DataFrame({"a": ["x"], "b": ["y"]})
    step = Deidentifier({"a": FieldEncryptor(), "b": FieldEncryptor(key=other)}, key=KEYS).fit(table)
    assert [steps[0].key_id_ for _, steps in step.steps_] == [KEYS.primary, other.primary]
    with pytest.raises(ParameterError, match="key"):
        Deidentifier({"a": FieldEncryptor(), "b": "keep"}).fit(table)


def test_another_process(keyring):
    """A pickle holds no key; set_params(key=...) on the whole unlocks all of it."""
    table, secret = pd.DataFrame({"a": ["x"], "b": ["y"]}), keyring.export_secret()
    own = Keyring.generate()
    step = Deidentifier({"a": FieldEncryptor(), "b": Pseudonymizer()}, key=own).fit(table)
    released = step.transform(table)
    pickled, secret = pickle.dumps(step), own.export_secret()
    del own, step
    import gc  # noqa: PLC0415 - so that the keyring is gone, as in another process

    gc.collect()
    locked = pickle.loads(pickled)
    with pytest.raises(KeyUnavailableError):
        locked.transform(table)
    opened = locked.set_params(key=Keyring.from_secret(secret))
    assert opened.transform(table)["b"].tolist() == released["b"].tolist()
    assert opened.inverse_transform(released)["a"].tolist() == ["x"]


def test_a_rotation(keyring):
    """Rewrap moves all tokens of a table to the newer key, and the object with them."""
    table = pd.DataFrame({"a": ["x", "y"], "b": ["p", "q"], "c": ["m", "n"]})
    rules = {"a": FieldEncryptor("deterministic"), "b": FieldEncryptor(), "c": Pseudonymizer()}
    step = Deidentifier(rules, key=keyring)
    released = step.fit_transform(table)
    newer = keyring.rotate()
    step.set_params(key=newer)
    assert step.needs_rewrap(released)
    moved = step.rewrap(released)
    assert not step.needs_rewrap(moved)
    assert moved["c"].equals(released["c"])
    assert step.inverse_transform(moved)[["a", "b"]].equals(table[["a", "b"]])
    assert moved["a"].isin(step.tokens_for(["y"], column="a")).tolist() == [False, True]
    with pytest.raises(ParameterError, match="'c'"):
        step.tokens_for(["m"], column="c")


# --- scikit-learn ---


class Everything:
    """Selects every column of a table; its repr is the same in every process, for the names of tests."""

    def __call__(self, table):
        """Return the names, or the positions of an array."""
        return list(range(table.shape[1])) if isinstance(table, np.ndarray) else list(table)

    def __repr__(self):
        return "everything"


@sklearn_checks(Deidentifier, rules=[(Everything(), FieldEncryptor("deterministic", context="cells"))], key=KEYS)
def test_scikit_learn(estimator, check):
    """Every check of scikit-learn passes."""
    check(estimator)


def test_nested_parameters():
    """Parameters of transformers are those of the whole, by the name of the column, and can be searched."""
    step = Deidentifier({"a": Masker(), "b": [Masker(), FieldEncryptor()], "c": ("a", Masker())}, key=KEYS)
    assert {"a__keep_first", "b[1]__mode", "c__char"} <= step.get_params().keys()
    step.set_params(a__keep_first=2, **{"b[1]__mode": "deterministic"})
    assert step.rules["a"].keep_first == 2
    assert step.rules["b"][1].mode == "deterministic"
    step.set_params(a=FieldEncryptor())
    assert isinstance(step.rules["a"], FieldEncryptor)
    with pytest.raises(ParameterError, match="'zzz'"):
        step.set_params(zzz=1)
    copied = clone(step)
    assert copied.rules["b"][1].mode == "deterministic"
    assert copied.rules["a"] is not step.rules["a"]


def test_in_a_search():
    """It works as a step whose parameters a search tries."""
    table = pd.DataFrame({"id": [f"p{i}" for i in range(20)], "v": np.arange(20.0)})
    model = make_pipeline(Deidentifier({"id": "drop", "v": "keep"}), Ridge())
    search = GridSearchCV(model, {"deidentifier__unnamed": ["raise", "drop"]}, cv=2).fit(table, table["v"])
    assert search.best_score_ > 0.5


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_set_output(people, output):
    """set_output chooses the container of the result."""
    chosen = {k: v for k, v in rules().items() if k not in {"phone", "name"}} | {"phone": "drop", "name": "drop"}
    released = Deidentifier(chosen, key=KEYS).set_output(transform=output).fit_transform(people)
    assert type(released).__module__.startswith(output)


def test_arrays():
    """Columns of arrays are named by position."""
    step = Deidentifier({0: Masker(keep_first=1), 1: "drop", 2: "keep"})
    assert step.fit_transform(np.array([["abc", "x", "y"], ["def", "x", "z"]])).tolist() == [["a**", "y"], ["d**", "z"]]


# --- looking ahead and back ---


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
def test_plan(people):
    """The plan says for each column what becomes of it and what it shows, and holds no value."""
    plan = Deidentifier(rules(), key=KEYS).plan(people)
    by_name = {(one.column, one.released): one for one in plan.columns}
    assert by_name["age", "age"].shows == "everything"
    assert by_name["note", ""].shows == "nothing"
    assert by_name["id", "id"].comes_back == "who has the key"
    assert by_name["postcode", "area"].rule == "Masker(keep_first=2)"
    assert by_name["id", "id"].context == "id"
    for text in (str(plan), plan._repr_html_(), plan.to_json(), plan.frame().to_csv()):
        assert "canary" not in text.lower()
        assert "postcode" in text


def test_the_plan_knows_what_columns_refer_to():
    """A shifted date comes back only if its subject does, and its key is tied to the subject."""
    table = pd.DataFrame({"id": ["a", "b"], "seen": pd.to_datetime(["2024-03-01", "2024-04-01"])})
    for subject, wanted in ((FieldEncryptor(), "who has the key"), (Pseudonymizer(), "no one"), ("drop", "no one")):
        step = Deidentifier({"id": subject, "seen": DateShifter(subject="id")}, key=KEYS)
        planned = {one.column: one for one in step.plan(table).columns}["seen"]
        assert (planned.comes_back, planned.context) == (wanted, "id")
        assert ("seen" in step.fit(table).restorable_) == (wanted != "no one")


@pytest.mark.filterwarnings("ignore::modelpriv.errors.ProtectionWarning")
def test_preview_and_summary(people):
    """The preview holds the first rows before and after; the summary says what a call did, in numbers."""
    step = Deidentifier(rules(), key=KEYS)
    shown = step.preview(people, n=2)
    assert columns(shown["originals"])["name"].tolist() == PEOPLE["name"][:2]
    assert columns(shown["released"])["age"].tolist() == PEOPLE["age"][:2]
    with pytest.raises(AttributeError, match="summary_"):
        _ = step.summary_
    step.fit_transform(people)
    said = step.summary_
    assert (said.rows, said.kept, said.dropped, said.made) == (3, ("age",), ("note",), ("area",))
    assert said.protected == ("id", "name", "phone", "postcode")
    assert said.whole == {"phone": 1}
    assert said.to_dict()["seconds"] > 0
    assert "summary_" not in vars(step)


def test_public_module():
    """Pickles name the public path."""
    assert Deidentifier.__module__ == "modelpriv"
    assert module.__name__ == "modelpriv.tables.deidentifier"
