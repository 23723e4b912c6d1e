"""repin moves every keyed step to a newer key, or changes nothing and says which step the model learnt from."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingRegressor, StackingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import modelpriv
from modelpriv import (
    AccessPolicy,
    EncryptedEstimator,
    FieldEncryptor,
    KeyedProjection,
    Keyring,
    Pseudonymizer,
    Replacer,
    SigningKey,
    key_usage,
    repin,
)
from modelpriv.errors import KeyUnavailableError, LockedError, ParameterError

X = pd.DataFrame({"id": pd.Categorical(["a", "b", "c"] * 10), "v": np.arange(30.0)})
Y = np.arange(30.0) % 7


def protecting(step):
    """A step that protects the id and passes the number."""
    made = make_column_transformer((step, ["id"]), remainder="passthrough", verbose_feature_names_out=False)
    return made.set_output(transform="pandas")


def unlearnt(step):
    """A model that carries a keyed step, and learns nothing from its output."""
    return make_pipeline(protecting(step), make_column_transformer(("passthrough", ["v"])), Ridge())


MODELS = {
    "pipeline": lambda keys: unlearnt(FieldEncryptor("deterministic", key=keys)),
    "randomized": lambda keys: unlearnt(FieldEncryptor(key=keys)),
    "pseudonyms": lambda keys: unlearnt(Pseudonymizer(key=keys)),
    "fakes": lambda keys: unlearnt(Replacer(values=["x", "y"], key=keys)),
    "search": lambda keys: GridSearchCV(unlearnt(FieldEncryptor(key=keys)), {"ridge__alpha": [1, 2]}, cv=2),
    "ensemble": lambda keys: StackingRegressor([("one", unlearnt(FieldEncryptor(key=keys)))], Ridge(), cv=2),
    "wrapped": lambda keys: EncryptedEstimator(unlearnt(FieldEncryptor(key=keys)), key=keys),
    "wrapped inside": lambda keys: StackingRegressor(
        [("one", EncryptedEstimator(unlearnt(FieldEncryptor(key=keys)), key=keys))], Ridge(), cv=2
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_step_moves(keyring, kind):
    """After repin, a model of any depth needs the newer key only, also in another process, and predicts the same."""
    model = MODELS[kind](keyring).fit(X, Y)
    newer = keyring.rotate()
    moved = repin(model, key=newer, sample=X)
    assert set(key_usage(moved)) == {newer.primary}
    assert set(key_usage(model)) == {keyring.primary}
    pickled = modelpriv.dumps(moved, key=newer)
    alone = newer.retire(keyring.primary)
    np.testing.assert_allclose(modelpriv.loads(pickled, key=alone).predict(X), model.predict(X))


@pytest.mark.parametrize("kind", MODELS)
def test_a_file_in_place(keyring, kind, tmp_path):
    """A sealed file is written again with its steps moved, and the older key can then be retired."""
    path, newer = tmp_path / "model.mpriv", keyring.rotate()
    model = MODELS[kind](keyring).fit(X, Y)
    modelpriv.dump(model, path, key=keyring)
    repin(path, key=newer, sample=X)
    alone = newer.retire(keyring.primary, check=[path])
    np.testing.assert_allclose(modelpriv.load(path, key=alone).predict(X), model.predict(X))


def test_metadata_policy_and_class_stay(keyring, tmp_path):
    """What the author of a file said stays: metadata, policy, and whether the model is wrapped."""
    path, newer = tmp_path / "model.mpriv", keyring.rotate()
    model = unlearnt(FieldEncryptor(key=keyring)).fit(X, Y)
    modelpriv.dump(model, path, key=keyring, metadata={"stage": "trial"})
    repin(path, key=newer, sample=X)
    assert modelpriv.inspect(path).metadata == {"stage": "trial"}
    policy = AccessPolicy(methods=["predict"])
    modelpriv.dump(EncryptedEstimator(model, key=keyring, policy=policy, metadata={"a": 1}), path)
    repin(path, key=newer, sample=X)
    assert modelpriv.inspect(path).policy == policy
    assert modelpriv.inspect(path).metadata == {"a": 1}


LEARNT = {
    "FieldEncryptor": lambda keys: make_pipeline(FieldEncryptor("deterministic", key=keys), OneHotEncoder()),
    "Pseudonymizer": lambda keys: make_pipeline(Pseudonymizer(key=keys), OneHotEncoder(handle_unknown="ignore")),
    "Replacer": lambda keys: make_pipeline(
        Replacer(values=[*"abcdefghij"], key=keys), OneHotEncoder(handle_unknown="ignore")
    ),
}


@pytest.mark.parametrize("kind", LEARNT)
def test_a_step_that_the_model_learnt_from(keyring, kind, tmp_path):
    """If the predictions would change, nothing does, and the message names the step, not the others."""
    encode = make_column_transformer((LEARNT[kind](keyring), ["id"]), ("drop", ["v"]), sparse_threshold=0)
    model = make_pipeline(encode, Ridge(alpha=0.01)).fit(X, (X["id"] == "a") * 1.0)
    modelpriv.dump(model, tmp_path / "model", key=keyring)
    before = (tmp_path / "model").read_bytes()
    newer = keyring.rotate()
    for thing in (model, tmp_path / "model"):
        with pytest.raises(ParameterError, match=rf"learnt from the output of the {kind} at model\.steps"):
            repin(thing, key=newer, sample=X)
    assert (tmp_path / "model").read_bytes() == before
    assert set(key_usage(model)) == {keyring.primary}


def test_a_projection(keyring):
    """What was learnt from rotated numbers cannot be moved."""
    model = make_pipeline(KeyedProjection(key=keyring), Ridge()).fit(X[["v"]].assign(w=Y), Y)
    with pytest.raises(ParameterError, match="KeyedProjection at"):
        repin(model, key=keyring.rotate(), sample=X[["v"]].assign(w=Y))


def test_categories_move(keyring):
    """The categories that a step keeps as tokens are sealed again, and come back."""
    step, newer = FieldEncryptor("deterministic", columns=["id"], key=keyring).fit(X), keyring.rotate()
    moved = repin(step, key=newer)
    alone = newer.retire(keyring.primary, check=[moved])
    moved.set_params(key=alone)
    pd.testing.assert_frame_equal(moved.inverse_transform(moved.transform(X)), X)


def test_unique_fakes_are_refused(keyring):
    """Unique fakes cannot be chosen again without the values, and the message says so."""
    step = Replacer(values=[*"abcdefghij"], unique=True, columns=["id"], key=keyring).fit(X)
    with pytest.raises(ParameterError, match=r"Replacer at model cannot be moved.*Fit it again"):
        repin(step, key=keyring.rotate())


def test_a_sample_is_needed(keyring):
    """A model that predicts is not moved without rows to predict."""
    model = unlearnt(FieldEncryptor(key=keyring)).fit(X, Y)
    for sample in (None, X[:0]):
        with pytest.raises(ParameterError, match="sample"):
            repin(model, key=keyring.rotate(), sample=sample)


def test_nothing_to_move(keyring):
    """A model without a step of this keyring is refused, with the way to see its keys."""
    with pytest.raises(ParameterError, match="nothing to move"):
        repin(Ridge().fit([[1]], [1]), key=keyring, sample=[[1]])
    with pytest.raises(ParameterError, match="nothing to move"):
        repin(unlearnt(FieldEncryptor(key=Keyring.generate())).fit(X, Y), key=keyring, sample=X)


def test_steps_of_another_keyring_stay(keyring):
    """Steps under keys of another keyring stay as they are."""
    other, newer = Keyring.generate(), keyring.rotate()
    model = make_pipeline(protecting(FieldEncryptor(key=other)), unlearnt(Pseudonymizer(key=keyring))).fit(X, Y)
    assert set(key_usage(repin(model, key=newer, sample=X))) == {other.primary, newer.primary}


def test_a_retired_key(keyring):
    """If the keyring lost the key that a step needs, the message names step and key."""
    newer = keyring.rotate()
    model = unlearnt(FieldEncryptor(key=newer)).fit(X, Y)
    model[0].transformers_[0][1].key_id_ = keyring.primary
    with pytest.raises(KeyUnavailableError, match=f"FieldEncryptor at model.*needs key id {keyring.primary}"):
        repin(model, key=newer.rotate().retire(keyring.primary), sample=X)


@pytest.mark.parametrize(
    "ways", [{"passphrase": "an example"}, {"sign_with": SigningKey.generate()}], ids=["two", "signed"]
)
def test_other_readers(keyring, ways, tmp_path):
    """A file that others open too, or that is signed, is refused with what to do, and stays as it is."""
    path = tmp_path / "model"
    modelpriv.dump(unlearnt(FieldEncryptor(key=keyring)).fit(X, Y), path, key=keyring, **ways)
    before = path.read_bytes()
    with pytest.raises(ParameterError, match="dump the result"):
        repin(path, key=keyring.rotate(), sample=X)
    assert path.read_bytes() == before


def test_a_locked_model_of_another_ring(keyring):
    """A locked model whose key is not given is not passed over."""
    other = Keyring.generate()
    pickled = pickle.dumps(BaggingRegressor(EncryptedEstimator(Ridge(), key=other)).fit([[1.0], [2.0]], [1, 2]))
    del other
    locked = pickle.loads(pickled)
    with pytest.raises((LockedError, KeyUnavailableError)):
        repin(locked, key=keyring, sample=[[1.0]])


def test_a_uri_stays(keyring, monkeypatch):
    """A step whose key is a URI keeps it, and finds the newer key there."""
    monkeypatch.setenv("RING", keyring.export_secret())
    model = unlearnt(FieldEncryptor(key="env:RING")).fit(X, Y)
    newer = keyring.rotate()
    moved = repin(model, key=newer, sample=X)
    monkeypatch.setenv("RING", newer.retire(keyring.primary).export_secret())
    assert moved[0].transformers_[0][1].key == "env:RING"
    np.testing.assert_allclose(copy.deepcopy(moved).predict(X), model.predict(X))


KILLED = """
import sys, pandas as pd, modelpriv
keys = modelpriv.Keyring.from_secret(sys.argv[2])
X = pd.read_pickle(sys.argv[3])
print("ready", flush=True)
while True:
    modelpriv.repin(sys.argv[1], key=keys, sample=X)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_at_any_point(keyring, tmp_path):
    """A process that is killed at any point of repin leaves a whole file, and no other file."""
    path, newer = tmp_path / "model", keyring.rotate()
    X.to_pickle(tmp_path / "X")
    modelpriv.dump(unlearnt(FieldEncryptor(key=keyring)).fit(X, Y), path, key=keyring)
    for pause in (0.0, 0.013, 0.027, 0.05, 0.09):
        command = [sys.executable, "-c", KILLED, str(path), newer.export_secret(), str(tmp_path / "X")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
        assert modelpriv.load(path, key=newer).predict(X).shape == (30,)
