"""EncryptedEstimator for others: write-only and signed, locked until somebody who is trusted vouches for it."""

import copy
import gc
import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelpriv import sealing
from modelpriv._encrypted_estimator import EncryptedEstimator
from modelpriv.errors import KeyUnavailableError, LockedError, ParameterError, ParameterTypeError, UntrustedError
from modelpriv.keys import Identity, Keyring, SigningKey
from modelpriv.sealing import AccessPolicy

RNG = np.random.default_rng(0)
X = RNG.random((40, 3))
Y = (X[:, 0] > 0.5).astype(int)
AUTHOR = SigningKey.generate()


@pytest.fixture(autouse=True)
def _trust_nobody():
    """Leave the process's trust as it was."""
    yield
    sealing.set_trusted()


@pytest.fixture
def ada():
    return Identity.generate("x25519")


@pytest.fixture
def write_only(ada):
    """A fitted wrapper that only Ada can read back, signed."""
    return EncryptedEstimator(LogisticRegression(), recipients=[ada.recipient], sign_with=AUTHOR).fit(X, Y)


def through_joblib(compress):
    def dumps(obj):
        file = io.BytesIO()
        joblib.dump(obj, file, compress=compress)
        return file.getvalue()

    return dumps, lambda data: joblib.load(io.BytesIO(data))


SERIALISERS = {
    **{f"pickle {p}": (lambda obj, p=p: pickle.dumps(obj, p), pickle.loads) for p in range(6)},
    "joblib": through_joblib(0),
    "joblib compressed": through_joblib(3),
    "cloudpickle": (cloudpickle.dumps, cloudpickle.loads),
    "skops": (
        skops.io.dumps,
        lambda data: skops.io.loads(data, trusted=["modelpriv._encrypted_estimator.EncryptedEstimator"]),
    ),
}


@pytest.fixture(params=SERIALISERS)
def serialiser(request):
    return SERIALISERS[request.param]


def test_write_only_under_every_serialiser(write_only, serialiser, ada):
    """What a write-only model writes is ciphertext, and opens only for its recipient, who trusts its signer."""
    dumps, loads = serialiser
    data = dumps(write_only)
    read = loads(data)
    for word in (b"LogisticRegression", write_only.coef_.tobytes(), AUTHOR.export_secret().encode(), AUTHOR._private):
        assert word not in data
    with pytest.raises(LockedError, match="trusted_signers"):
        read.predict(X)
    assert not hasattr(read, "coef_")
    assert loads(dumps(read))._sealed == read._sealed
    read.unlock(identity=ada, trusted_signers=[AUTHOR.signer])
    np.testing.assert_array_equal(read.predict_proba(X), write_only.predict_proba(X))


def test_not_for_others(write_only):
    """Neither a keyring nor another identity opens it, and the error names the recipient."""
    data = pickle.dumps(write_only)
    gone = write_only.recipients[0].id
    for opening in ({"key": Keyring.generate()}, {"identity": Identity.generate("x25519")}):
        with pytest.raises(KeyUnavailableError, match=gone):
            pickle.loads(data).unlock(**opening, trusted_signers=[AUTHOR.signer])


def test_a_living_identity_opens_where_the_process_trusts():
    """With its recipient's identity alive and its signer trusted by the process, it opens at first use."""
    eve = Identity.generate("x25519")
    data = pickle.dumps(EncryptedEstimator(Ridge().fit(X, Y), recipients=[eve.recipient], sign_with=AUTHOR))
    read, again = pickle.loads(data), pickle.loads(data)
    sealing.set_trusted(signers=[AUTHOR.signer])
    assert hasattr(read, "coef_")
    del eve
    gc.collect()
    with pytest.raises(LockedError):
        again.predict(X)


def test_a_stranger_under_ones_own_key(keyring):
    """A signed model waits for trust though its key is alive in the process."""
    model = EncryptedEstimator(Ridge(), key=keyring, sign_with=AUTHOR).fit(X, Y)
    read = pickle.loads(pickle.dumps(model))
    with pytest.raises(LockedError, match=r"set_trusted|trusted_signers"):
        read.predict(X)
    with pytest.raises(UntrustedError, match="stranger"):
        read.unlock(trusted_signers=[SigningKey.generate().signer])
    assert read.unlock(trusted_signers=[AUTHOR.signer]).predict(X).shape == Y.shape


def test_memory_needs_nothing(write_only):
    """In memory a write-only model is copied, cloned, cross-validated and searched like any other."""
    for made in (copy.copy(write_only), copy.deepcopy(write_only)):
        np.testing.assert_array_equal(made.predict(X), write_only.predict(X))
    assert not hasattr(clone(write_only), "coef_")
    assert clone(write_only).sign_with is AUTHOR
    assert cross_val_predict(write_only, X, Y, cv=2, n_jobs=2).shape == Y.shape
    search = GridSearchCV(write_only, {"estimator__C": [0.1, 1.0]}, cv=2, n_jobs=2).fit(X, Y)
    assert isinstance(search.best_estimator_, EncryptedEstimator)
    pickle.dumps(search.best_estimator_)


def test_the_signing_key_crosses_to_workers_and_nowhere_else(write_only, ada):
    """What is read holds the signer's public key, and says so when it shall be written again."""
    read = sealing.loads(sealing.dumps(write_only), identity=ada, trusted_signers=[AUTHOR.signer])
    assert read.sign_with == AUTHOR.signer
    with pytest.raises(ParameterTypeError, match="sign_with must be a SigningKey"):
        pickle.dumps(read)
    keys = Keyring.generate()
    assert sealing.loads(sealing.dumps(read, key=keys), key=keys).coef_.shape == (1, 3)
    pickle.dumps(read.set_params(sign_with=None, recipients=None, key=keys))


def test_hashes_and_caches(write_only, ada, tmp_path):
    """Joblib's hash and a pipeline's cache know a write-only model again, though each of its ciphertexts differs."""
    assert joblib.hash(write_only) == joblib.hash(copy.copy(write_only))
    assert joblib.hash(write_only) != joblib.hash(clone(write_only))
    assert joblib.hash(write_only) != joblib.hash(write_only.estimator_)
    scaler = EncryptedEstimator(StandardScaler(), recipients=[ada.recipient], sign_with=AUTHOR)
    sealing.set_trusted(signers=[AUTHOR.signer])
    pipeline = make_pipeline(scaler, LogisticRegression(), memory=str(tmp_path))
    first = pipeline.fit(X, Y).predict(X)
    np.testing.assert_array_equal(pipeline.fit(X, Y).predict(X), first)


def test_unsigned_for_a_partner(ada):
    """Unsigned, what is written holds a plain model that skops wrote, and opens where its types are named."""
    model = EncryptedEstimator(Ridge(), recipients=[ada.recipient]).fit(X, Y)
    read = pickle.loads(pickle.dumps(model))
    with pytest.raises(LockedError, match="trusted_types"):
        read.predict(X)
    read.unlock(identity=ada, trusted_types=["sklearn.linear_model._ridge.Ridge"])
    np.testing.assert_array_equal(read.predict(X), model.predict(X))
    assert isinstance(read, EncryptedEstimator)


def test_policy_holds_for_a_partner(ada):
    """A partner's copy keeps the policy, whichever way it came."""
    policy = AccessPolicy(methods=["predict"])
    model = EncryptedEstimator(LogisticRegression(), recipients=[ada.recipient], sign_with=AUTHOR, policy=policy)
    model.fit(X, Y)
    opening = {"identity": ada, "trusted_signers": [AUTHOR.signer]}
    for read in (sealing.loads(sealing.dumps(model), **opening), pickle.loads(pickle.dumps(model)).unlock(**opening)):
        assert hasattr(read, "predict")
        assert not hasattr(read, "predict_proba")
        assert not hasattr(read, "coef_")
    with pytest.raises(ParameterError, match="sign_with="):
        sealing.dumps(model.set_params(sign_with=None))


def test_code_by_value_waits(keyring):
    """A model with its code is locked after a bare load, and opens with allow_code=True."""
    model = EncryptedEstimator(Ridge(), key=keyring, code="by-value").fit(X, Y)
    read = pickle.loads(pickle.dumps(model))
    with pytest.raises(LockedError, match="allow_code=True"):
        read.predict(X)
    assert read.unlock(allow_code=True).predict(X).shape == Y.shape


def test_parameters_are_checked_by_fit(ada, keyring):
    """Recipients, signing key and code that are none are refused by fit, and not when the object is made."""
    for wrong, error in (
        ({"recipients": ada.recipient}, ParameterTypeError),
        ({"recipients": [ada]}, ParameterTypeError),
        ({"recipients": []}, ParameterError),
        ({"sign_with": AUTHOR.signer, "key": keyring}, ParameterTypeError),
        ({"code": "by-name", "key": keyring}, ParameterError),
        ({}, ParameterError),
    ):
        with pytest.raises(error, match=next(iter(wrong), "key")):
            EncryptedEstimator(Ridge(), **wrong).fit(X, Y)


def test_threads_open_one_locked_object(write_only, ada):
    """Several threads that use one locked object at once all get the same answer."""
    sealing.set_trusted(signers=[AUTHOR.signer])
    for _ in range(5):
        read = pickle.loads(pickle.dumps(write_only))
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _, read=read: sha256(read.predict_proba(X).tobytes()).digest(), range(8)))
        assert len(set(answers)) == 1
    assert ada is not None


def test_a_text_that_is_no_uri_is_not_kept():
    """A key that was pasted where its URI belongs is in no repr, parameter or pickle, and fit says what was wrong."""
    secret = Keyring.generate().export_secret()
    model = EncryptedEstimator(Ridge(), key=secret)
    for shown in (repr(model), model._repr_html_(), str(model.get_params()), repr(clone(model))):
        assert secret not in shown
    with pytest.raises(ParameterError) as refused:
        model.fit(X, Y)
    assert secret not in str(refused.value)
