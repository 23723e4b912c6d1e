"""EncryptedEstimator for others: write-only and signed, locked until somebody who is trusted vouches for it."""

import gc
import pickle
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge

from modelpriv import sealing
from modelpriv.errors import LockedError, ParameterError, ParameterTypeError
from modelpriv.keys import Identity, Keyring, SigningKey
from modelpriv.models.wrapper import EncryptedEstimator
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


def test_threads_open_one_locked_object(ada):
    """Several threads that use one locked object at once all get the same answer."""
    write_only = EncryptedEstimator(LogisticRegression(), recipients=[ada.recipient], sign_with=AUTHOR).fit(X, Y)
    sealing.set_trusted(signers=[AUTHOR.signer])
    for _ in range(5):
        read = pickle.loads(pickle.dumps(write_only))
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _, read=read: sha256(read.predict_proba(X).tobytes()).digest(), range(8)))
        assert len(set(answers)) == 1


def test_a_text_that_is_no_uri_is_not_kept():
    """A key that was pasted where its URI belongs is in no repr, parameter or pickle, and fit says what was wrong."""
    secret = Keyring.generate().export_secret()
    model = EncryptedEstimator(Ridge(), key=secret)
    for shown in (repr(model), model._repr_html_(), str(model.get_params()), repr(clone(model))):
        assert secret not in shown
    with pytest.raises(ParameterError) as refused:
        model.fit(X, Y)
    assert secret not in str(refused.value)


def test_a_misspelt_method_in_a_policy(keyring):
    """A policy that names no method of scikit-learn or the inner estimator is refused by fit and when written."""
    odd = AccessPolicy(methods=["predct"])
    for attempt in (
        lambda: EncryptedEstimator(Ridge(), key=keyring, policy=odd).fit(X, Y),
        lambda: sealing.dumps(EncryptedEstimator(Ridge().fit(X, Y), key=keyring, policy=odd)),
    ):
        with pytest.raises(ParameterError, match="'predct'"):
            attempt()


def test_key_ids_of_a_stranger_are_not_shown(keyring):
    """Key ids in a pickle that are none reach no repr and no error: they may be text for a terminal."""
    odd = EncryptedEstimator.__new__(EncryptedEstimator)
    sealed = sealing.dumps(Ridge(), key=keyring)
    odd.__setstate__({"version": 1, "sealed": sealed, "key": (("\x1b[2Jcanary",), (bytes(16),), None)})
    with pytest.raises(LockedError) as refused:
        odd.predict(X)
    assert "canary" not in repr(odd) + str(refused.value)
