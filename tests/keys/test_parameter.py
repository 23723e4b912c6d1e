"""The parameter `key` of an estimator: what may be a key itself is kept nowhere."""

import copy
import pickle
import traceback

import joblib
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from modelpriv import EncryptedEstimator, FieldEncryptor, KeyedProjection, Pseudonymizer, Replacer
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import Identity, Keyring, SigningKey

KEYED = [FieldEncryptor, Pseudonymizer, Replacer, KeyedProjection]
ROWS = [["1"], ["2"]]


def everywhere(step):
    """All that shows an estimator, or writes it down."""
    nested = make_column_transformer((make_pipeline(step), [0]))
    with config_context(print_changed_only=False):
        shown = [repr(step), repr(nested), step._repr_html_inner(), nested._repr_html_inner(), str(step.get_params())]
    written = [pickle.dumps(step, protocol) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    return "".join(shown) + str(vars(step)) + "".join(map(repr, written))


@pytest.mark.parametrize("make", KEYED)
@pytest.mark.parametrize("text", ["a canary", b"canary", bytearray(b"canary"), "env:a canary", "file:x?pin=canary"])
def test_a_text_that_is_no_uri(make, text):
    """A text that is no keyring URI is shown and written nowhere, and refused in `fit`; nor when it is set later."""
    for step in (make(key=text), make().set_params(key=text), clone(make(key=text)), copy.deepcopy(make(key=text))):
        assert "canary" not in everywhere(step)
        with pytest.raises(ParameterError, match="URI") as raised:
            step.fit(ROWS)
        assert "canary" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("make", KEYED)
def test_the_secret_text_of_a_keyring(make, keyring):
    """The exported text in the place of a URI is gone at once, and `fit` says where it belongs."""
    secret = keyring.export_secret()
    step = make(key=secret)
    assert secret[30:60] not in everywhere(step)
    with pytest.raises(ParameterError, match="secret text"):
        step.fit(ROWS)
    again = pickle.loads(pickle.dumps(step))
    with pytest.raises(ParameterError, match="secret text"):
        again.fit(ROWS)


@pytest.mark.parametrize("make", KEYED)
def test_what_is_kept(make, keyring):
    """A keyring and a keyring URI are kept as they are, and anything else, for `fit` to refuse by its type."""
    for key in (keyring, keyring.scoped(["x"]), "env:NOWHERE", "keyring:modelpriv/ada", "file:keys.json", None, 5):
        step = make(key=key)
        assert step.key is step.get_params()["key"] is key
        assert clone(step).key is key


def test_copies_and_hashes(keyring):
    """Without a key set the attribute is missing as any other; a cache's hash needs no key."""
    step = object.__new__(FieldEncryptor)
    with pytest.raises(AttributeError, match="key"):
        step.key  # noqa: B018 - reading it is the test
    del step
    assert joblib.hash(FieldEncryptor(key="a canary")) == joblib.hash(FieldEncryptor(key="another"))
    assert isinstance(FieldEncryptor(key=keyring).key, Keyring)


# --- secret text where public keys belong ---

SECRETS = [
    Keyring.generate().export_secret(),
    Identity.generate("x25519").export_secret(),
    SigningKey.generate().export_secret(),
]


@pytest.mark.parametrize("secret", SECRETS, ids=["keyring", "identity", "signing key"])
@pytest.mark.parametrize(
    "make",
    [
        lambda secret: FieldEncryptor(recipients=[secret]),
        lambda secret: FieldEncryptor(recipients=(secret,)),
        lambda secret: FieldEncryptor(recipients=secret),
        lambda secret: FieldEncryptor(key=[secret]),
        lambda secret: FieldEncryptor(key=secret.encode()),
        lambda secret: EncryptedEstimator(Ridge(), key=Keyring.generate(), sign_with=secret),
        lambda secret: EncryptedEstimator(Ridge(), recipients=[secret]),
        lambda secret: FieldEncryptor().set_params(recipients=[secret]),
    ],
)
def test_secret_text_is_not_kept(secret, make):
    """A secret text in any of these places is in no repr, parameter or pickle, and fit says what to pass instead."""
    step = make(secret)
    for one in (step, clone(step)):
        shown = repr(one) + one._repr_html_() + repr(one.get_params())
        assert secret not in shown
        assert secret[-20:] not in shown
    with pytest.raises((ParameterError, ParameterTypeError), match=r"secret text|keyring URI") as raised:
        step.fit([["a"], ["b"]], [0, 1])
    assert secret not in str(raised.value)
    if isinstance(step, FieldEncryptor):
        assert secret.encode() not in pickle.dumps(step)


def test_public_text_is_kept():
    """Lines of recipients stay as they were given."""
    lines = [str(Identity.generate("x25519").recipient)]
    assert FieldEncryptor(recipients=lines).recipients is lines
