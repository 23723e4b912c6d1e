"""What is sealed and will not work for its reader is said when it is written; what was sealed bare can stay sealed."""

import pickle
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import modelpriv
from modelpriv import EncryptedEstimator, FieldEncryptor, Masker, Pseudonymizer, SigningKey, sealing
from modelpriv._core import process
from modelpriv.errors import ParameterError, ParameterTypeError, SealedFileWarning
from modelpriv.keys import Identity, Keyring

X, Y = np.eye(3), [1.0, 2.0, 3.0]


@pytest.fixture
def main_class(monkeypatch):
    """A class of the program that runs, as a notebook or script defines it."""
    made = type("Mine", (Ridge,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Mine", made, raising=False)
    return made


@pytest.fixture
def main_function(monkeypatch):
    """A function of the program that runs."""

    def double(X):
        return 2 * X

    double.__module__, double.__qualname__ = "__main__", "double"
    monkeypatch.setattr(sys.modules["__main__"], "double", double, raising=False)
    return double


# --- classes of __main__ ---


def test_a_class_of_main(main_class, keyring):
    """A class of __main__ that is named in a file warns, by its name, where the caller of dump is."""
    with pytest.warns(SealedFileWarning, match="names Mine of __main__.*by-value") as caught:
        sealing.dumps(main_class(), key=keyring)
    assert caught[0].filename == __file__


def test_things_of_main_inside_a_model(main_class, main_function, keyring):
    """Wherever they are in a model, and however often, classes and functions of __main__ are named once."""
    steps = [make_pipeline(FunctionTransformer(main_function), main_class()) for _ in range(3)]
    with pytest.warns(SealedFileWarning, match=r"names Mine, double of __main__"):
        sealing.dumps([steps, X, "__main__"], key=keyring)


def test_a_wrapper_around_a_class_of_main(main_class, keyring):
    """The same is said when a wrapper is pickled by anything."""
    with pytest.warns(SealedFileWarning, match="names Mine of __main__"):
        pickle.dumps(EncryptedEstimator(main_class(), key=keyring))


def test_what_does_not_warn(main_class, keyring):
    """Code by value, and a text that only says __main__, are read anywhere and warn of nothing."""
    sealing.dumps(main_class(), key=keyring, code="by-value")
    sealing.dumps({"__main__": "Mine", "a": ["__main__", "Mine"]}, key=keyring)
    sealing.dumps(make_pipeline(Ridge()).fit(X, Y), key=keyring)


# --- steps that a recipient cannot open ---


@pytest.fixture
def ada():
    return Identity.generate("x25519")


PEOPLE = pd.DataFrame({"email": ["a@example.org", "b@example.org"], "age": [1.0, 2.0]})


def protecting(step):
    return make_pipeline(make_column_transformer((step, ["email"]), remainder="passthrough"), FunctionTransformer())


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("given", ["keyring", "uri", "scoped"])
def test_keyed_steps_for_a_recipient(wrapped, given, keyring, ada, monkeypatch):
    """A model for a recipient that holds keyed steps warns, naming the steps and the way out."""
    monkeypatch.setenv("KEYS", keyring.export_secret())
    key = {"keyring": keyring, "uri": "env:KEYS", "scoped": keyring.scoped(["email"])}[given]
    model = protecting(FieldEncryptor("deterministic", key=key)).fit(PEOPLE)
    model = EncryptedEstimator(model, key=keyring, recipients=[ada.recipient]) if wrapped else model
    ways = {} if wrapped else {"recipients": [ada.recipient]}
    with pytest.warns(SealedFileWarning, match=r"columntransformer__fieldencryptor\).*Keyring.grant"):
        sealing.dumps(model, **ways, sign_with=SigningKey.generate())


def test_a_keyed_step_itself(keyring, ada):
    """A keyed transformer that is sealed alone warns by its class."""
    with pytest.warns(SealedFileWarning, match=r"\(Pseudonymizer\)"):
        sealing.dumps(Pseudonymizer(key=keyring), recipients=[ada.recipient], sign_with=SigningKey.generate())


def test_what_needs_no_key(keyring, ada):
    """Steps without a key, and files that only keys open, warn of nothing; nor does the wrapper's own key."""
    author = SigningKey.generate()
    sealing.dumps(protecting(Masker(keep_first=1)).fit(PEOPLE), recipients=[ada.recipient], sign_with=author)
    sealing.dumps(protecting(FieldEncryptor(key=keyring)).fit(PEOPLE), key=keyring)
    sealing.dumps(EncryptedEstimator(Ridge(), key=keyring, recipients=[ada.recipient], sign_with=author))


# --- load(wrap=True) ---


@pytest.fixture
def path(tmp_path, keyring):
    sealing.dump(Ridge(alpha=3).fit(X, Y), tmp_path / "m", key=keyring, passphrase="first")
    return tmp_path / "m"


def test_a_bare_model_is_written_in_plain_text(path, keyring, tmp_path):
    """A model that was sealed bare comes back bare, and joblib writes it readably: the docs say so."""
    joblib.dump(sealing.load(path, key=keyring), tmp_path / "plain")
    assert b"Ridge" in (tmp_path / "plain").read_bytes()
    assert "plain" in sealing.load.__doc__


def test_a_bare_model_stays_sealed(path, keyring, tmp_path):
    """With wrap=True it comes back in an open wrapper, which predicts the same and is written as ciphertext."""
    model = sealing.load(path, key=keyring, wrap=True)
    assert type(model) is EncryptedEstimator
    np.testing.assert_array_equal(model.predict(X), sealing.load(path, key=keyring).predict(X))
    joblib.dump(model, tmp_path / "sealed")
    assert b"Ridge" not in (tmp_path / "sealed").read_bytes()
    np.testing.assert_array_equal(joblib.load(tmp_path / "sealed").predict(X), model.predict(X))
    assert modelpriv.leak_report(model).leaks == ()


def test_wrapped_for_an_identity(ada, tmp_path):
    """What an identity opened is wrapped for its recipient, whom it can be written for again."""
    author = SigningKey.generate()
    data = sealing.dumps(Ridge(alpha=3).fit(X, Y), recipients=[ada.recipient], sign_with=author)
    model = sealing.loads(data, identity=ada, trusted_signers=[author.signer], wrap=True)
    assert b"Ridge" not in pickle.dumps(model)
    sealing.dump(model, tmp_path / "m", sign_with=author)
    back = sealing.load(tmp_path / "m", identity=ada, trusted_signers=[author.signer])
    assert back.estimator.alpha == 3


def test_a_wrapped_model_is_not_wrapped_twice(keyring):
    """A model that was sealed in its wrapper comes back as that."""
    data = sealing.dumps(EncryptedEstimator(Ridge(alpha=3), key=keyring))
    assert type(sealing.loads(data, key=keyring, wrap=True).estimator) is Ridge


def test_wrap_needs_a_key(path):
    """What only a passphrase opened could not be sealed again, which is refused before the file is read."""
    with pytest.raises(ParameterError, match="Pass key= as well"):
        sealing.load(path, passphrase="first", wrap=True)
    keys = Keyring.generate()
    assert sealing.load(path, passphrase="first", key=keys, wrap=True).estimator.alpha == 3


@pytest.mark.parametrize("wrap", [None, 1, "yes"])
def test_wrap_is_a_flag(path, keyring, wrap):
    """Anything but True and False is refused by its type."""
    with pytest.raises(ParameterTypeError, match="wrap must be True or False"):
        sealing.load(path, key=keyring, wrap=wrap)


def test_wrap_is_for_estimators(keyring):
    """What has no fit cannot be wrapped, and is not given out bare instead."""
    with pytest.raises(ParameterError, match="the file holds a dict"):
        sealing.loads(sealing.dumps({}, key=keyring), key=keyring, wrap=True)


def test_wrap_fails_closed(path, keyring, monkeypatch):
    """Where the wrapper was not registered nothing is given out bare."""
    monkeypatch.setattr(process.settings, "wrap", None)
    with pytest.raises(ParameterError, match="import modelpriv"):
        sealing.load(path, key=keyring, wrap=True)


def test_a_warning_can_be_turned_off(main_class, keyring):
    """The class of the warnings is public, so that a program can filter them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", modelpriv.errors.SealedFileWarning)
        sealing.dumps(main_class(), key=keyring)
