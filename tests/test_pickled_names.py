"""What a pickle names: public classes and functions only, so that files can move without breaking a pickle."""

import io
import pickle

import cloudpickle
import pandas as pd
import pytest
from fixed_keys import KEYS
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import modelpriv
from modelpriv import (
    DateShifter,
    EncryptedEstimator,
    FieldEncryptor,
    Generalizer,
    Grant,
    Identity,
    KeyedProjection,
    Keyring,
    Masker,
    Pseudonymizer,
    Replacer,
    SigningKey,
)
from modelpriv.audit import Head
from modelpriv.errors import LockedError
from modelpriv.sealing import serializers

PUBLIC = {"modelpriv", "modelpriv.audit", "modelpriv.errors", "modelpriv.keys", "modelpriv.sealing"}
TABLE = pd.DataFrame(
    {
        "name": pd.Categorical(["Ada Lovelace", "Alan Turing", "Ada Lovelace"]),
        "email": ["a@x.org", None, "b@x.org"],
        "age": [36, 41, 36],
        "born": pd.to_datetime(["1815-12-10", "1912-06-23", None]),
    }
)
NUMBERS = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 1.0]})


def fitted():
    steps = {
        "masker": Masker(columns=["name", "email"]),
        "replacer": Replacer(values=["x", "y", "z"], columns=["name", "age"], key=KEYS),
        "pseudonymizer": Pseudonymizer(columns=["name", "born"], key=KEYS),
        "shifter": DateShifter(subject="age", key=KEYS),
        "generalizer": Generalizer("hierarchy", hierarchy={"x": "y"}, columns=["name"]),
        "frequent": Generalizer("frequent", min_count=2, columns=["name"], key=KEYS),
        "randomized": FieldEncryptor(key=KEYS),
        "bound": FieldEncryptor(columns=["email"], bind=["age"], key=KEYS),
        "deterministic": FieldEncryptor("deterministic", key=KEYS),
        "recipients": FieldEncryptor(recipients=[Identity.generate().recipient]),
    }
    return {name: step.fit(TABLE) for name, step in steps.items()} | {
        "projection": KeyedProjection(2, key=KEYS).fit(NUMBERS),
        "pipeline": make_pipeline(make_column_transformer((Masker(), ["name"])), "passthrough").fit(TABLE),
    }


def others():
    keys, signing_key = Keyring.generate(), SigningKey.generate()
    identity = Identity.generate()
    grant = keys.grant(["a"], recipient=identity.recipient, sign_with=signing_key)
    return {
        "keyring": keys,
        "scoped": keys.scoped(["a"]),
        "lost": pickle.loads(pickle.dumps(Keyring.generate())),
        "identity": identity,
        "recipient": identity.recipient,
        "signing key": signing_key,
        "signer": signing_key.signer,
        "grant": grant,
        "not a key": FieldEncryptor(key="swordfish"),
        "head": Head("0" * 32, 0, bytes(32)),
        "error": LockedError("locked"),
        "wrapped": EncryptedEstimator(Ridge(), key=keys).fit(NUMBERS, [1, 2, 3]),
        "locked": pickle.loads(
            pickle.dumps(EncryptedEstimator(Ridge(), key=Keyring.generate()).fit(NUMBERS, [1, 2, 3]))
        ),
        "policy": modelpriv.AccessPolicy(methods=["predict"]),
        "leaks": modelpriv.leak_report(pickle.dumps(Ridge())),
    }


THINGS = fitted() | others()


class Recorder(pickle.Unpickler):
    """Notes which modules of ours a pickle names."""

    def __init__(self, data, **options):
        super().__init__(io.BytesIO(data), **options)
        self.named = set()

    def find_class(self, module, name):
        """Note the module, and go on."""
        if module.split(".")[0] == "modelpriv":
            self.named.add(module)
        return super().find_class(module, name)


def named_in(data, **options):
    recorder = Recorder(data, **options)
    recorder.load()
    return recorder.named


@pytest.mark.parametrize("name", THINGS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_names_what_is_public(name, protocol):
    """A pickle of any object of ours, under each protocol, names only public modules."""
    assert named_in(pickle.dumps(THINGS[name], protocol)) <= PUBLIC


@pytest.mark.parametrize("name", THINGS)
def test_cloudpickle_names_what_is_public(name):
    """So does cloudpickle."""
    assert named_in(cloudpickle.dumps(THINGS[name])) <= PUBLIC


@pytest.mark.parametrize("name", [name for name in THINGS if name != "locked"])
def test_the_inside_of_a_sealed_file_names_what_is_public(name):
    """So does the pickle inside a sealed file."""
    stream, buffers = serializers.take_apart(THINGS[name], serializers.BY_REFERENCE)
    assert named_in(b"".join(stream), buffers=buffers) <= PUBLIC


def test_public_names_are_where_they_say():
    """Each public class and function is found under its module and name."""
    for thing in vars(modelpriv).values():
        module = getattr(thing, "__module__", None)
        if module in PUBLIC:
            assert getattr(__import__(module, fromlist=["_"]), thing.__name__) is thing


def test_the_recorder_sees_private_names():
    """The test can fail: a pickle of a private function is noticed."""
    assert named_in(pickle.dumps(serializers.take_apart)) == {"modelpriv.sealing.serializers"}
    assert named_in(pickle.dumps(Grant)) == {"modelpriv"}
