"""Not every live keyring opens models: a bare unpickling opens by keyrings that this program named for models."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import Ridge

from modelpriv import EncryptedEstimator, FieldEncryptor, sealing
from modelpriv._core import process
from modelpriv.errors import LockedError, ParameterError, ParameterTypeError
from modelpriv.keys import Keyring

X, Y = np.eye(3), [1.0, 2.0, 3.0]


@pytest.fixture(autouse=True)
def _names(monkeypatch):
    """Begin with no keyring named, and leave what was named before."""
    monkeypatch.setattr(process, "named", set())
    yield
    sealing.set_trusted()


@pytest.fixture
def ring():
    """A keyring of this program that a partner has too, for tables only."""
    ring = Keyring.generate()
    FieldEncryptor(key=ring).fit_transform(pd.DataFrame({"email": ["a@example.org"]}))
    return ring


def theirs(ring, content, uri=None):
    """What the partner writes with the keyring that they were given: the state of a wrapper around their code."""
    before = set(process.named)
    state = EncryptedEstimator(Ridge(), key=ring).__getstate__()
    ids, checks, _ = state["key"]
    state |= {"sealed": sealing.dumps(content, key=ring), "key": (ids, checks, uri)}
    process.named.clear()
    process.named.update(before)
    return state


def arrived(state):
    """The wrapper as it comes out of a pickle or a skops file."""
    model = EncryptedEstimator.__new__(EncryptedEstimator)
    model.__setstate__(state)
    return model


LOOKS = {
    "hasattr": lambda model: hasattr(model, "predict"),
    "repr": repr,
    "get_params": lambda model: model.get_params(),
    "html": lambda model: model._repr_html_inner(),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_partners_code_does_not_run(look, ring, bomb):
    """What a partner sealed under a keyring for tables is not unpickled when someone looks at the object."""
    model = arrived(theirs(ring, bomb()))
    LOOKS[look](model)
    assert not bomb.exploded


def test_a_partners_code_does_not_run_when_used(ring, bomb):
    """Nor is it when someone uses the object; the message says what to do."""
    model = arrived(theirs(ring, bomb()))
    with pytest.raises(LockedError, match=r"not named key id.*unlock\(key=...\).*set_trusted\(keys="):
        model.predict(X)
    assert not bomb.exploded


def test_through_skops(ring, bomb):
    """The same through a skops file, which unpickles nothing itself."""
    state = theirs(ring, bomb())
    made = type(
        "EncryptedEstimator",
        (EncryptedEstimator,),
        {"__getstate__": lambda self: state, "__module__": EncryptedEstimator.__module__},
    )
    blob = skops.io.dumps(made(Ridge()))
    model = skops.io.loads(blob, trusted=skops.io.get_untrusted_types(data=blob))
    hasattr(model, "predict")
    assert not bomb.exploded


def wrapped(ring):
    """A pickle of a wrapper under a keyring, as another process wrote it: nothing is named by it here."""
    data = pickle.dumps(EncryptedEstimator(Ridge(alpha=3).fit(X, Y), key=ring))
    process.named.clear()
    return data


NAMES = {
    "dump": lambda ring: sealing.dumps(Ridge(), key=ring),
    "load": lambda ring: sealing.loads(OTHERS.setdefault(ring.primary, sealing.dumps(Ridge(), key=ring)), key=ring),
    "EncryptedEstimator": lambda ring: EncryptedEstimator(Ridge(), key=ring).fit(X, Y),
    "set_trusted": lambda ring: sealing.set_trusted(keys=[ring]),
}
OTHERS = {}


@pytest.mark.parametrize("how", NAMES)
def test_what_names_a_keyring(how, ring):
    """A keyring that a call was given for a model opens what is unpickled afterwards."""
    data = wrapped(ring)
    model = pickle.loads(data)
    with pytest.raises(LockedError):
        model.predict(X)
    NAMES[how](ring)
    assert pickle.loads(data).predict(X).shape == (3,)
    assert model.predict(X).shape == (3,)


def test_unlock_names_a_keyring(ring):
    """So does unlock, for the next object too."""
    data = wrapped(ring)
    assert pickle.loads(data).unlock(key=ring).predict(X).shape == (3,)
    assert pickle.loads(data).predict(X).shape == (3,)


def test_set_trusted_names_until_it_is_called_again(ring):
    """What set_trusted names ends with its next call; it keeps a keyring alive."""
    data, secret = wrapped(ring), ring.export_secret()
    sealing.set_trusted(keys=[Keyring.from_secret(secret)])
    del ring
    assert pickle.loads(data).predict(X).shape == (3,)
    sealing.set_trusted()
    with pytest.raises(LockedError):
        pickle.loads(data).predict(X)


@pytest.mark.parametrize("referred", [True, False])
def test_a_uri_that_is_named(ring, monkeypatch, referred):
    """A URI that set_trusted names is read for what refers to its keyring, with that URI or without one."""
    monkeypatch.setenv("KEYS", ring.export_secret())
    data = wrapped(Keyring.from_uri("env:KEYS") if referred else ring)
    del ring
    with pytest.raises(LockedError):
        pickle.loads(data).predict(X)
    sealing.set_trusted(keys=["env:KEYS"])
    assert pickle.loads(data).predict(X).shape == (3,)


@pytest.mark.parametrize("secret", [None, Keyring.generate().export_secret()])
def test_a_uri_that_gives_another_keyring_or_none(ring, monkeypatch, secret):
    """Where the URI that is named gives no keyring, or one without the key, the object stays locked and says so."""
    monkeypatch.setenv("KEYS", ring.export_secret())
    data = wrapped(Keyring.from_uri("env:KEYS"))
    monkeypatch.delenv("KEYS")
    if secret is not None:
        monkeypatch.setenv("KEYS", secret)
    del ring
    sealing.set_trusted(keys=["env:KEYS"])
    with pytest.raises(LockedError, match="env:KEYS"):
        pickle.loads(data).predict(X)


def test_a_uri_that_a_call_was_given_is_named(ring, monkeypatch):
    """The URI that a call was given opens what refers to it, when its keyring is no longer alive."""
    monkeypatch.setenv("KEYS", ring.export_secret())
    data = wrapped(Keyring.from_uri("env:KEYS"))
    del ring
    sealing.dumps(Ridge(), key="env:KEYS")
    assert pickle.loads(data).predict(X).shape == (3,)


FIFO = """
import sys, os
from modelpriv import EncryptedEstimator
state = eval(open(sys.argv[1]).read())
model = EncryptedEstimator.__new__(EncryptedEstimator)
model.__setstate__(state)
print(hasattr(model, "predict"), repr(model)[:18])
model.get_params()
try:
    model.predict([[1.0]])
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a FIFO")
def test_a_fifo_hangs_nothing(ring, tmp_path):
    """A URI in a pickle that would never answer is not read, by whatever is done with the object."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "state").write_text(repr(theirs(ring, Ridge(), uri=f"file:{tmp_path / 'pipe'}")))
    run = [sys.executable, "-c", FIFO, str(tmp_path / "state")]
    done = subprocess.run(run, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "LockedError"


def test_a_key_that_is_distrusted_meanwhile(ring, bomb):
    """Where a keyring of the process distrusts a key, no object opens by an older keyring that is still at hand."""
    data = wrapped(ring)
    sealing.set_trusted(keys=[ring])
    model = pickle.loads(data)
    newer = ring.rotate(distrust=True)
    for each in (model, pickle.loads(data)):
        with pytest.raises(LockedError, match="distrusts"):
            each.predict(X)
    assert model.unlock(key=ring).predict(X).shape == (3,)
    assert newer.distrusted == {ring.primary}


def test_rewrap_names_no_one_else(ring, tmp_path):
    """A keyring that is added to a file of ours opens that file, and no object that its holder wrote."""
    mine = Keyring.generate()
    sealing.dump(Ridge(), tmp_path / "m", key=mine, passphrase="first")
    data = wrapped(ring)
    sealing.rewrap(tmp_path / "m", key=mine, add=ring)
    with pytest.raises(LockedError):
        pickle.loads(data).predict(X)


def test_an_enclosing_file_names_its_keyring(ring):
    """The keyring that a call opens a file with opens the wrappers in it."""
    data = sealing.dumps({"inner": EncryptedEstimator(Ridge().fit(X, Y), key=ring)}, key=ring)
    process.named.clear()
    assert sealing.loads(data, key=ring)["inner"].predict(X).shape == (3,)


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        ("env:KEYS", ParameterTypeError, r"keys=\[...\]"),
        (7, ParameterTypeError, "list of Keyrings"),
        ([7], ParameterTypeError, "got int"),
        (["nonsense"], ParameterError, "not a keyring URI"),
    ],
)
def test_what_is_no_keyring(keys, error, words):
    """What set_trusted cannot name is refused by its type, and nothing is set."""
    with pytest.raises(error, match=words):
        sealing.set_trusted(keys=keys)
