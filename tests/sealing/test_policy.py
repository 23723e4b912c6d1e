"""Policies: what a model's author lets its readers do is kept where it is read, and said before it is unpickled."""

import copy
import io
import json
import logging
import pickle
from datetime import UTC, datetime, timedelta, timezone

import joblib
import numpy as np
import pytest
import sklearn
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from modelpriv import EncryptedEstimator, sealing
from modelpriv.errors import LockedError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.sealing import AccessPolicy, policy, serializers, writing
from modelpriv.sealing.access import Ways
from modelpriv.sealing.format import buffers, layout

X = np.random.default_rng(0).random((40, 3))
Y = (X[:, 0] > 0.5).astype(int)
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def build(keyring):
    """Make a fitted model with a policy."""

    def make(**rules):
        return EncryptedEstimator(LogisticRegression(), key=keyring, policy=AccessPolicy(**rules)).fit(X, Y)

    return make


def read(model):
    return pickle.loads(pickle.dumps(model))


def at(monkeypatch, time):
    """Let it be another time for policies."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return time

    monkeypatch.setattr(policy, "datetime", Clock)


# --- methods ---


def test_only_the_methods_that_are_named(build, tmp_path, keyring):
    """Read from a pickle or a file, a model has the methods that its policy names and no others."""
    model = build(methods={"predict", "coef_"})
    sealing.dump(model, tmp_path / "model.mpriv")
    for back in (read(model), sealing.load(tmp_path / "model.mpriv", key=keyring)):
        np.testing.assert_array_equal(back.predict(X), model.predict(X))
        for name in ("predict_proba", "decision_function", "score", "intercept_", "densify"):
            assert not hasattr(back, name)
        assert back.coef_.shape == (1, 3)
        for name in ("predict_proba", "intercept_"):
            with pytest.raises(AttributeError, match=f"{name}.*policy"):
                getattr(back, name)


def test_the_author_is_not_restricted(build):
    """The object that was not read from anywhere does all that it did, and so do its copies and clones."""
    model = build(methods={"predict"}, not_after=NOW - DAY)
    for own in (model, copy.copy(model), copy.deepcopy(model), clone(model).fit(X, Y)):
        assert own.predict_proba(X).shape == (40, 2)
        assert own.coef_.shape == (1, 3)


def test_it_stays_restricted(build, keyring):
    """Copies of a model that was read, and what is written of it again, are restricted as it is."""
    back = read(build(methods={"predict"}))
    back.predict(X)
    for again in (copy.copy(back), copy.deepcopy(back), read(back), sealing.loads(sealing.dumps(back), key=keyring)):
        assert hasattr(again, "predict")
        assert not hasattr(again, "predict_proba")


def asks(model):
    return hasattr(model, "predict_proba")


def test_workers_keep_it(build):
    """A worker process gets the author's model without the policy in force, and a reader's with it."""
    model = build(methods={"predict"})
    back = read(model)
    back.predict(X)
    assert Parallel(n_jobs=2)(delayed(asks)(each) for each in (model, back)) == [True, False]


def test_scikit_learn_can_use_it(build):
    """With predict alone a model still works in a pipeline, and a fit of it is refused."""
    back = read(build(methods="predict"))
    assert Pipeline([("model", back)]).predict(X).shape == (40,)
    assert back.n_features_in_ == 3
    assert list(back.classes_) == [0, 1]
    with pytest.raises(LockedError, match="does not allow fit"):
        back.fit(X, Y)


def test_a_clone_is_not_what_was_read(build):
    """A clone holds nothing that was learnt, and is not restricted: open or locked before."""
    opened, locked = read(build(methods={"predict"})), read(build(methods={"predict"}))
    opened.predict(X)
    for each in (opened, locked):
        assert clone(each).fit(X, Y).predict_proba(X).shape == (40, 2)


def test_the_cache_does_not_care(build):
    """A model hashes alike where it was made and where it was read."""
    model = clone(build(methods={"predict", "score", "transform"}))
    assert joblib.hash(model) == joblib.hash(read(model))


# --- time ---


@pytest.mark.parametrize(
    ("rules", "words"),
    [({"not_after": NOW - DAY}, "until"), ({"not_before": NOW + DAY}, "from")],
)
def test_outside_of_its_time(build, rules, words, keyring):
    """Too early or too late, a model does not open, by load or by its use, and says when it would."""
    model = build(**rules)
    with pytest.raises(LockedError, match=words):
        sealing.loads(sealing.dumps(model), key=keyring)
    back = read(model)
    with pytest.raises(LockedError, match=words):
        back.predict(X)
    assert "sealed" in repr(back)


def test_nothing_is_unpickled_out_of_time(bomb, keyring):
    """What is refused for its time has not been unpickled."""
    manifest = layout.new_manifest(None, policy=AccessPolicy(not_after=NOW - DAY).to_json())
    data = forge(manifest, bomb(), keyring)
    with pytest.raises(LockedError, match="until"):
        sealing.loads(data, key=keyring)
    assert not bomb.exploded


def test_within_its_time(build):
    """Within its time it works, in whatever time zone that is said."""
    for zone in (UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-11))):
        rules = {"not_before": (NOW - DAY).astimezone(zone), "not_after": (NOW + DAY).astimezone(zone)}
        assert read(build(**rules)).predict(X).shape == (40,)


def test_it_expires_while_it_is_open(build, monkeypatch):
    """An open model stops working when its time is over."""
    back = read(build(not_after=NOW + DAY))
    back.predict(X)
    at(monkeypatch, NOW + 2 * DAY)
    with pytest.raises(LockedError, match="until"):
        back.predict(X)
    assert not hasattr(back, "coef_")


# --- versions ---


@pytest.mark.parametrize(
    ("drift", "here", "opens"),
    [
        ("minor", "1.6.1", True),
        ("minor", "1.9.0", True),
        ("minor", "2.0.0", False),
        ("patch", "1.6.1", True),
        ("patch", "1.7.0", False),
        (None, "2.0.0", True),
    ],
)
def test_drift(drift, here, opens, keyring, bomb, monkeypatch):
    """Another version of scikit-learn is accepted as far as the policy says, else refused before the unpickler runs."""
    monkeypatch.setattr(sklearn, "__version__", here)
    manifest = json.loads(layout.new_manifest(None, policy=AccessPolicy(max_sklearn_drift=drift).to_json()))
    manifest["versions"]["scikit-learn"] = "1.6.0"
    data = forge(layout.json.dump(manifest), bomb(), keyring)
    if opens:
        sealing.loads(data, key=keyring)
    else:
        with pytest.raises(LockedError, match=rf"1\.6\.0.*{drift}.*{here}"):
            sealing.loads(data, key=keyring)
    assert bomb.exploded == opens


def forge(manifest, payload, keyring):
    pieces = buffers.lay_out(*serializers.take_apart(payload, serializers.BY_REFERENCE))
    file = io.BytesIO()
    writing.draft(manifest, pieces, sum(map(len, pieces)), Ways(keyring), sign_with=None).write(file)
    return file.getvalue()


# --- in the file ---


def test_anyone_can_read_it(build):
    """The policy is among what the file claims to someone without the key."""
    rules = AccessPolicy(methods=["score", "predict"], not_after=NOW + DAY, max_sklearn_drift="minor")
    claims = sealing.inspect(io.BytesIO(sealing.dumps(build(**vars(rules)))))
    assert claims.policy == rules
    assert "predict" in str(claims)


def test_nobody_can_change_it(build, keyring):
    """A policy that was changed in the file makes it another file, which does not open."""
    data = sealing.dumps(build(methods={"predict"}))
    altered = data.replace(b'{"methods":["predict"]}', b'{"methods":["predjct"]}')
    assert altered != data
    with pytest.raises((SealedFileError, KeyError, ValueError), match="altered"):
        sealing.loads(altered, key=keyring)


def test_it_survives_rewrap_and_rekey(build, keyring, tmp_path):
    """The policy stays when the keys change."""
    path = tmp_path / "model.mpriv"
    sealing.dump(build(methods={"predict"}), path)
    newer = keyring.rotate()
    sealing.rewrap(path, key=newer, add=newer)
    sealing.rekey(path, key=keyring, new_key=keyring)
    assert sealing.inspect(path).policy == AccessPolicy({"predict"})
    assert not hasattr(sealing.load(path, key=keyring), "predict_proba")


@pytest.mark.parametrize(
    "rules", [{"unknown": 1}, {"methods": [7]}, {"not_after": "soon"}, {"not_after": "2020-01-01"}]
)
def test_rules_that_are_not_known(rules, keyring, bomb):
    """A rule that cannot be kept is refused with the file, before anything is unpickled."""
    with pytest.raises(SealedFileError, match="policy"):
        sealing.loads(forge(layout.new_manifest(None, policy=rules), bomb(), keyring), key=keyring)
    assert not bomb.exploded


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        ({"methods": [7]}, ParameterTypeError),
        ({"methods": ["_private"]}, ParameterTypeError),
        ({"methods": ["no name"]}, ParameterTypeError),
        ({"not_after": "2030-01-01"}, ParameterTypeError),
        ({"not_after": datetime(2030, 1, 1)}, ParameterError),  # noqa: DTZ001 - what is refused
        ({"not_before": NOW, "not_after": NOW}, ParameterError),
        ({"max_sklearn_drift": "major"}, ParameterError),
    ],
)
def test_rules_that_make_no_sense(rules, error):
    """A rule that makes no sense is refused when the policy is made."""
    with pytest.raises(error, match=next(iter(rules))):
        AccessPolicy(**rules)


def test_what_is_no_policy(keyring):
    """A model's policy is an AccessPolicy."""
    with pytest.raises(ParameterTypeError, match="policy"):
        EncryptedEstimator(LogisticRegression(), key=keyring, policy={"predict"}).fit(X, Y)


def test_a_refusal_is_an_event(build, monkeypatch, caplog):
    """A use that the policy refuses is recorded, with the name of the method."""
    back = read(build(not_after=NOW + DAY))
    back.predict(X)
    at(monkeypatch, NOW + 2 * DAY)
    with caplog.at_level(logging.INFO, "modelpriv.audit"), pytest.raises(LockedError):
        back.predict(X)
    assert [record.getMessage() for record in caplog.records] == ["predict EncryptedEstimator: LockedError"]
