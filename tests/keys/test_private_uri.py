"""Identities and signing keys are fetched by a URI, as keyrings are, and nothing secret is said about them."""

import traceback

import pytest
from chained import carried

from modelpriv._core import events
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import Identity, Keyring, SigningKey, set_passphrase_callback

PASSPHRASE = "canary words"
VARIABLE = "MODELPRIV_PRIVATE"


@pytest.fixture(params=[("x25519", Identity), ("ed25519", SigningKey)], ids=["identity", "signing key"])
def key(request):
    """A private key of each class."""
    kind, cls = request.param
    return cls.generate(kind)


def public(key):
    return key.recipient if isinstance(key, Identity) else key.signer


def refusal(cls, uri, error=KeyUnavailableError):
    with pytest.raises(error) as raised:
        cls.from_uri(uri)
    assert "canary" not in "".join(traceback.format_exception(raised.value)) + carried(raised.value)
    return str(raised.value)


def test_from_the_environment(key, monkeypatch):
    """A variable gives the key that was exported into it."""
    monkeypatch.setenv(VARIABLE, key.export_secret())
    assert public(type(key).from_uri(f"env:{VARIABLE}")) == public(key)


def test_from_a_file(key, tmp_path, monkeypatch, cheap_argon2):
    """A file gives its key, with the passphrase from the environment or from a callback."""
    key.save(tmp_path / "key", passphrase=PASSPHRASE)
    uri = f"file:{tmp_path / 'key'}"
    assert f"{uri} needs a passphrase" in refusal(type(key), uri)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    assert public(type(key).from_uri(uri)) == public(key)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "canary too")
    assert "passphrase is wrong" in refusal(type(key), uri)
    asked = []
    set_passphrase_callback(lambda name: asked.append(name) or PASSPHRASE)
    try:
        assert public(type(key).from_uri(uri)) == public(key)
    finally:
        set_passphrase_callback(None)
    assert asked == [uri]


def test_from_the_systems_keyring(key, monkeypatch):
    """The system's keyring gives the key whose text is stored there."""
    keyring = pytest.importorskip("keyring", reason="install keyring")
    text = key.export_secret()
    backend = type("Keyring", (), {"get_password": lambda self, service, user: text})()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    assert public(type(key).from_uri("keyring:modelpriv/ada")) == public(key)


def test_what_is_not_there(key, tmp_path):
    """A missing variable or file is named, with what to do."""
    assert f"env:{VARIABLE}" in refusal(type(key), f"env:{VARIABLE}")
    assert "cannot be read: No such file" in refusal(type(key), f"file:{tmp_path / 'key'}")


def test_another_kind_of_key(key, monkeypatch, tmp_path, cheap_argon2):
    """The text and the file of a keyring are refused, by the kind of key that was wanted, and not shown."""
    keys = Keyring.generate()
    what = {Identity: "an identity", SigningKey: "a signing key"}[type(key)]
    monkeypatch.setenv(VARIABLE, keys.export_secret())
    said = refusal(type(key), f"env:{VARIABLE}")
    assert f"does not give {what}" in said
    assert keys.export_secret()[30:40] not in said
    keys.save(tmp_path / "keys", passphrase=PASSPHRASE)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    assert f"does not give {what}" in refusal(type(key), f"file:{tmp_path / 'keys'}")


@pytest.mark.parametrize("uri", ["canary", "file://user:canary@host/key", "file:key?token=canary"])
def test_what_is_no_uri(key, uri):
    """What is no URI, or has a place for a secret, is refused and not shown."""
    assert "env:NAME" in refusal(type(key), uri, ParameterError)


def test_its_own_text_is_no_uri(key):
    """The exported text where a URI belongs is refused and not shown; what is no text, by its type."""
    assert key.export_secret()[40:50] not in refusal(type(key), key.export_secret(), ParameterError)
    with pytest.raises(ParameterTypeError, match="bytes"):
        type(key).from_uri(b"env:A")


def test_it_is_recorded(key, monkeypatch, caplog):
    """Fetching a key is one event, with the URI and the public key's id."""
    monkeypatch.setenv(VARIABLE, key.export_secret())
    with caplog.at_level("INFO", events.LOGGER.name):
        type(key).from_uri(f"env:{VARIABLE}")
    (record,) = caplog.records
    assert f"env:{VARIABLE}" in record.getMessage() + str(vars(record))
    assert public(key).id in record.getMessage() + str(vars(record))
