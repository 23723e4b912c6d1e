"""A passphrase as a key provider."""

import copy
import json
import pickle

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import set_passphrase_callback
from modelpriv.keys.providers import passphrase as passphrases
from modelpriv.keys.providers.passphrase import PassphraseProvider
from modelpriv.keys.text import from_base64, to_base64

KEY, CONTEXT = bytes(range(32)), b"what it is for"


@pytest.fixture
def provider(cheap_argon2):
    """A provider whose blobs are cheap to open."""
    return PassphraseProvider("an example, and no secret")


@pytest.fixture
def blob(provider):
    """What it wrapped."""
    return provider.wrap(KEY, CONTEXT)


def test_round_trip(provider, blob):
    """The data key comes back, from a blob that went through JSON."""
    assert provider.unwrap(json.loads(json.dumps(blob)), CONTEXT) == KEY


def test_every_blob_has_its_salt(provider, blob):
    """Two blobs of one key under one passphrase share nothing but the costs."""
    again = provider.wrap(KEY, CONTEXT)
    assert not {blob[name] for name in ("salt", "commitment", "wrapped")} & set(again.values())


def test_bytes_are_a_passphrase(provider, blob):
    """A passphrase as bytes is that text in UTF-8."""
    assert PassphraseProvider(b"an example, and no secret").unwrap(blob, CONTEXT) == KEY


def test_the_construction(blob):
    """Argon2id gives 32 bytes of commitment, then the 64-byte key with which AES-SIV wraps under the context."""
    kdf = Argon2id(salt=from_base64(blob["salt"]), length=96, iterations=1, lanes=4, memory_cost=64)
    derived = kdf.derive(b"an example, and no secret")
    assert from_base64(blob["commitment"]) == derived[:32]
    assert AESSIV(derived[32:]).decrypt(from_base64(blob["wrapped"]), [CONTEXT]) == KEY


def test_a_wrong_passphrase(blob):
    """A wrong passphrase is called that."""
    with pytest.raises(KeyUnavailableError, match="passphrase is wrong"):
        PassphraseProvider("wrong").unwrap(blob, CONTEXT)


def test_the_commitment_comes_first(provider, blob, monkeypatch):
    """A blob whose commitment is not the passphrase's is not tried, so that none opens with two passphrases."""
    monkeypatch.setattr(passphrases, "AESSIV", None)
    with pytest.raises(KeyUnavailableError, match="wrong, or what it opens was altered"):
        provider.unwrap(blob | {"commitment": to_base64(bytes(32))}, CONTEXT)


@pytest.mark.parametrize("change", ["context", "wrapped"])
def test_another_context_or_key(provider, blob, change):
    """A blob in another context, or with another wrapped key, is noticed though the passphrase is right."""
    other = blob | {"wrapped": to_base64(bytes(48))} if change == "wrapped" else blob
    with pytest.raises(KeyUnavailableError, match="passphrase is right, but"):
        provider.unwrap(other, b"another" if change == "context" else CONTEXT)


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ({"passes": 11}, "above what is accepted"),
        ({"memory_kib": 262145}, "above what is accepted"),
        ({"lanes": 17}, "above what is accepted"),
        ({"passes": 0}, "passes"),
        ({"lanes": -1}, "lanes"),
        ({"memory_kib": 31}, "less memory"),
        ({"passes": True}, "passes"),
        ({"memory_kib": "64"}, "memory_kib"),
        ({"salt": to_base64(bytes(15))}, "salt"),
    ],
)
def test_costs_that_are_refused(provider, blob, monkeypatch, costs, words):
    """Costs outside the bounds are refused before Argon2 runs."""
    monkeypatch.setattr(passphrases, "Argon2id", None)
    with pytest.raises(SealedFileError, match=words):
        provider.unwrap(blob | costs, CONTEXT)


def test_the_most_that_is_accepted(provider, blob):
    """Costs at the bounds are accepted."""
    assert len(passphrases.check(blob | {"passes": 10, "memory_kib": 262144, "lanes": 16})) == 3


@pytest.mark.parametrize(
    ("value", "error"),
    [("", ParameterError), (b"", ParameterError), ("\ud800", ParameterError), (None, ParameterTypeError)],
)
def test_what_is_no_passphrase(value, error):
    """An empty passphrase, one that UTF-8 cannot encode, and what is no text are refused."""
    with pytest.raises(error, match="passphrase"):
        PassphraseProvider(value)


def test_it_describes_itself(provider, monkeypatch):
    """What it says of itself are its kind and its costs."""
    monkeypatch.undo()
    assert provider.describe() == "passphrase (Argon2id, 3 passes, 64 MiB, 4 lanes)"
    assert repr(provider) == "<PassphraseProvider: passphrase (Argon2id, 3 passes, 64 MiB, 4 lanes)>"


@pytest.mark.parametrize("serialise", [pickle.dumps, copy.copy, copy.deepcopy, lambda p: p.__getstate__()])
def test_it_is_not_pickled(provider, serialise):
    """A provider does not go into a pickle: its passphrase would."""
    with pytest.raises(ParameterTypeError, match="not pickled"):
        serialise(provider)


def test_a_callback_is_callable():
    """What cannot be called is refused where it is registered."""
    with pytest.raises(ParameterTypeError, match="callable"):
        set_passphrase_callback("canary")
