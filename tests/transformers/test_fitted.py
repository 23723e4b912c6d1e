"""What a fitted transformer keeps: plain data that names public classes only, with a version that is checked."""

import copy
import gc
import importlib
import io
import pickle
import pickletools

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from fixed_keys import KEYS
from sklearn.compose import make_column_transformer

import modelpriv
from modelpriv import (
    DateShifter,
    FieldEncryptor,
    Generalizer,
    KeyedProjection,
    Keyring,
    Masker,
    Pseudonymizer,
    Replacer,
)
from modelpriv.errors import InputError, KeyUnavailableError

TABLE = pd.DataFrame(
    {
        "name": ["Ada", None, "Grace"],
        "ward": pd.Categorical(["b", "a", None], ordered=True),
        "born": pd.to_datetime(["1815-12-10", "1906-12-09", None]).tz_localize("Europe/Rome"),
        "visits": [1, 2, 3],
    }
)
NUMBERS = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 3)), columns=list("abc"))
STEPS = {
    "Masker": Masker(columns=["name"]),
    "Pseudonymizer": Pseudonymizer(columns=["name", "visits"], key=KEYS),
    "Replacer": Replacer(columns=["name", "ward"], key=KEYS, pool_size=20),
    "Replacer, unique": Replacer(columns=["name"], key=KEYS, values=["x", "y", "z"], unique=True),
    "Replacer of dates": Replacer("date_object", columns=["name"], key=KEYS, pool_size=5),
    "DateShifter": DateShifter(subject="visits", columns=["born"], key=KEYS),
    "Generalizer": Generalizer("hierarchy", hierarchy={"a": "c", "b": "d"}, columns=["ward"]),
    "Generalizer, frequent": Generalizer("frequent", min_count=2, columns=["name"], key=KEYS),
    "randomized": FieldEncryptor(columns=["name", "ward", "born", "visits"], key=KEYS),
    "format-preserving": FieldEncryptor(
        "format-preserving", alphabet="letters", columns=["name"], key=KEYS, context="c", keep_first=0
    ),
    "projection": KeyedProjection(key=KEYS, n_components=2),
}


def fitted(name):
    """Fit a step to the table that it is for."""
    if name == "format-preserving":
        return STEPS[name].fit(TABLE[["name"]].assign(name=["abcdefgh"] * 3))
    return copy.copy(STEPS[name]).fit(NUMBERS if name == "projection" else TABLE)


def named_in(written):
    """Give every module and class that a pickle names."""
    found, texts = set(), []
    for opcode, argument, _ in pickletools.genops(written):
        if opcode.name in {"GLOBAL", "INST"}:
            found.add(tuple(argument.split(" ")))
        elif opcode.name == "STACK_GLOBAL":
            found.add(tuple(texts[-2:]))
        elif isinstance(argument, str):
            texts.append(argument)
    return found


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("name", STEPS)
def test_a_pickle_names_no_private_class(name, protocol):
    """A fitted transformer's pickle names its own class, and what its parameters are: nothing that is private."""
    ours = {(module, word) for module, word in named_in(pickle.dumps(fitted(name), protocol)) if "modelpriv" in module}
    public = {getattr(modelpriv, word) for word in modelpriv.__all__}
    things = {getattr(importlib.import_module(module), word) for module, word in ours if ".keys" not in module}
    assert things == {type(STEPS[name])}
    assert things <= public


def plain(value):
    """Tell whether a value is of built-in types, and numpy arrays, all the way down."""
    if isinstance(value, dict):
        return all(plain(key) and plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(plain, value))
    return value is None or type(value) in {str, int, float, bool, bytes, np.ndarray}


@pytest.mark.parametrize("name", STEPS)
def test_fitted_state_is_plain_data(name):
    """What `fit` keeps is a dict of built-in types and numpy arrays, with a version."""
    kept = vars(fitted(name))["_fitted"]
    assert plain(kept)
    assert kept["version"] == 1


def by_joblib(step):
    """Write and read with joblib."""
    file = io.BytesIO()
    joblib.dump(step, file)
    file.seek(0)
    return joblib.load(file)


def by_skops(step):
    """Write and read with skops, which takes no keyring that is in memory only."""
    step = copy.copy(step)
    if "key" in step.get_params():
        step.set_params(key="env:NO_KEYRING_IS_HERE")
    data = skops.io.dumps(step)
    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))


WAYS = {
    "pickle": lambda step: pickle.loads(pickle.dumps(step)),
    "joblib": by_joblib,
    "skops": by_skops,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [name for name in STEPS if name not in {"randomized", "format-preserving"}])
def test_every_way_of_writing_protects_alike(name, way):
    """A fitted transformer protects alike after pickle, joblib, skops and a deep copy."""
    step = fitted(name)
    other = WAYS[way](step)
    if name != "Masker":
        other.set_params(key=KEYS)
    table = NUMBERS if name == "projection" else TABLE
    assert pd.DataFrame(other.transform(table)).equals(pd.DataFrame(step.transform(table)))


@pytest.mark.parametrize("name", STEPS)
def test_an_unknown_version_is_refused(name):
    """A fitted transformer of a layout that this version does not know says so, and is not opened."""
    step = fitted(name)
    step._keep(version=99)
    with pytest.raises(InputError, match=r"another version of modelpriv \(layout 99; this version reads 1\)"):
        pickle.loads(pickle.dumps(step))


@pytest.mark.parametrize("name", STEPS)
def test_a_fit_of_a_development_version_is_refused(name):
    """A fitted transformer without a version, as development versions wrote it, says so, and is not opened."""
    step = fitted(name)
    del step._fitted
    with pytest.raises(InputError, match=r"development version of modelpriv, before 0.1.0"):
        pickle.loads(pickle.dumps(step))


def test_an_unfitted_step_is_pickled_as_before():
    """What was not fitted has no version to check."""
    assert pickle.loads(pickle.dumps(Masker("phone"))).format == "phone"


def test_loading_the_keyring_unlocks_what_is_in_a_column_transformer():
    """A step inside a fitted ColumnTransformer names the key that it wants, and opens as soon as that is loaded."""
    keys = Keyring.generate()
    secret = keys.export_secret()
    tokens = make_column_transformer((FieldEncryptor("deterministic", key=keys), ["name"])).fit(TABLE)
    expected, written = tokens.transform(TABLE), pickle.dumps(tokens)
    del keys, tokens
    gc.collect()
    elsewhere = pickle.loads(written)
    with pytest.raises(KeyUnavailableError, match=r"Load the keyring that holds it and keep it in a variable"):
        elsewhere.transform(TABLE)
    keys = Keyring.from_secret(secret)  # as Keyring.load gives it
    assert pd.DataFrame(elsewhere.transform(TABLE)).equals(pd.DataFrame(expected))
    assert keys.primary
