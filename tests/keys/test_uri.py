"""Keyring URIs: read strictly, and never with a secret inside."""

import pickle
import re
import traceback

import pytest

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import Keyring, container, set_passphrase_callback
from modelpriv.keys.uri import parse

PASSPHRASE = "an example, and no secret"


@pytest.fixture
def path(tmp_path, keyring, cheap_argon2):
    """A keyring file."""
    keyring.save(tmp_path / "keys.json", passphrase=PASSPHRASE)
    return tmp_path / "keys.json"


@pytest.fixture
def _callback():
    """Take a passphrase callback away again after the test."""
    yield
    set_passphrase_callback(None)


@pytest.mark.parametrize(
    "uri",
    [
        "env:NAME",
        "env:_n1",
        "file:keys.json",
        "file:/keys.json",
        "file:///keys.json",
        "file:~/k",
        "file:C:\\k",
        "file:a@b",
        "keyring:modelpriv/ada",
    ],
)
def test_what_is_a_uri(uri):
    """A name of the environment or a path is taken as it is."""
    assert parse(uri).uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "canary",
        "env",
        "env:",
        "env:1CANARY",
        "env:CAN-ARY",
        "ENV:CANARY",
        "env:CANARY\n",
        "file:",
        "file:can\0ary",
        "canary:NAME",
        "vault:canary",
        "keyring:canary",
        "keyring:canary/",
        "keyring:user:canary@service/ada",
        "keyring:service/ada/canary",
        "http://canary",
        "file://canary/keys",
        "file://user:canary@host/keys",
    ],
)
def test_what_is_no_uri(uri):
    """Anything else is refused with the schemes that there are, and not shown: it may be the secret itself."""
    with pytest.raises(ParameterError, match="allowed are 'env:NAME', 'keyring:SERVICE/USER' or 'file:PATH'") as raised:
        parse(uri)
    assert "canary" not in str(raised.value).lower()


@pytest.mark.parametrize("uri", [None, b"env:CANARY", 5])
def test_a_uri_is_text(uri):
    """What is no text is refused by its type."""
    with pytest.raises(ParameterTypeError, match=type(uri).__name__):
        Keyring.from_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "file:/keys?token=canary",
        "file:keys#canary",
        "pkcs11:object=k;pin-value=canary",
        "pkcs11:k?pin-source=canary",
        "vault:x?canary",
        "file:PIN=canary",
        "https://host/?password=canary",
        "file:key=canary",
    ],
)
def test_a_uri_with_a_secret(uri):
    """A URI with a place for secrets is refused, and not shown."""
    with pytest.raises(ParameterError, match="PIN, token, password") as raised:
        parse(uri)
    assert "canary" not in str(raised.value)


def test_the_secret_text_is_no_uri(keyring):
    """The exported text, given where a URI belongs, is refused with where it belongs, and not shown."""
    for text in (keyring.export_secret(), "env:" + keyring.export_secret()):
        with pytest.raises(ParameterError, match=r"from_secret\(text\)") as raised:
            Keyring.from_uri(text)
        assert keyring.export_secret()[30:40] not in "".join(traceback.format_exception(raised.value))


def test_from_the_environment(keyring, monkeypatch):
    """The environment gives the keyring that was exported into it, and the keyring knows its URI."""
    monkeypatch.setenv("MODELPRIV_KEYRING", keyring.export_secret())
    found = Keyring.from_uri("env:MODELPRIV_KEYRING")
    assert found.fingerprints == keyring.fingerprints
    assert found.uri == "env:MODELPRIV_KEYRING"


def test_a_variable_that_is_not_there():
    """A missing variable is named, with what belongs into it."""
    with pytest.raises(KeyUnavailableError, match=r"env:MODELPRIV_KEYRING.*export_secret\(\)"):
        Keyring.from_uri("env:MODELPRIV_KEYRING")


@pytest.mark.parametrize("value", ["", "canary", "modelpriv_secret_keyring_1_canary", "canary\udcff"])
def test_a_variable_that_holds_no_keyring(monkeypatch, value):
    """A variable with something else in it is named, and its value is not shown."""
    monkeypatch.setenv("MODELPRIV_KEYRING", value)
    with pytest.raises(KeyUnavailableError, match="env:MODELPRIV_KEYRING does not give a keyring") as raised:
        Keyring.from_uri("env:MODELPRIV_KEYRING")
    assert "canary" not in "".join(traceback.format_exception(raised.value))


def test_from_a_file(keyring, path, monkeypatch):
    """A file gives its keyring, with the passphrase from the environment."""
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    found = Keyring.from_uri(f"file:{path}")
    assert found.fingerprints == keyring.fingerprints
    assert found.uri == f"file:{path}"


def test_from_the_home_directory(keyring, path, monkeypatch):
    """A tilde is the home directory of whoever resolves the URI, and stays a tilde in it."""
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("HOME", str(path.parent))
    monkeypatch.setenv("USERPROFILE", str(path.parent))
    assert Keyring.from_uri("file:~/keys.json").uri == "file:~/keys.json"


@pytest.mark.usefixtures("_callback")
def test_a_callback_gives_the_passphrase(keyring, path, monkeypatch):
    """A registered function is asked before the environment, with the name of what is opened."""
    asked = []
    set_passphrase_callback(lambda name: asked.append(name) or PASSPHRASE)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "another")
    assert Keyring.from_uri(f"file:{path}").fingerprints == keyring.fingerprints
    assert Keyring.load(path).fingerprints == keyring.fingerprints
    assert asked == [f"file:{path}", str(path)]


def test_no_passphrase_at_all(path):
    """A file whose passphrase nobody gives is named, with the ways to give it."""
    with pytest.raises(KeyUnavailableError, match=rf"{re.escape(str(path))}.*MODELPRIV_PASSPHRASE.*callback"):
        Keyring.from_uri(f"file:{path}")


def test_a_file_that_is_not_there(tmp_path):
    """A missing file is named."""
    with pytest.raises(KeyUnavailableError, match=r"file:.*keys\.json cannot be read: No such file"):
        Keyring.from_uri(f"file:{tmp_path / 'keys.json'}")


def test_the_same_file_is_not_opened_twice(path, monkeypatch):
    """While a keyring lives that came from the same bytes, its file is not unwrapped again."""
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    found = Keyring.from_uri(f"file:{path}")
    monkeypatch.setattr(container, "open_", None)
    assert Keyring.from_uri(f"file:{path}") is found


def test_a_changed_file_is_opened_again(keyring, path, monkeypatch):
    """When the file has changed, its new content counts, though the old keyring lives."""
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    found = Keyring.from_uri(f"file:{path}")
    rotated = keyring.rotate()
    rotated.save(path, passphrase=PASSPHRASE)
    assert Keyring.from_uri(f"file:{path}").fingerprints == rotated.fingerprints
    assert found.fingerprints == keyring.fingerprints


def test_a_pickle_holds_the_uri_and_no_secret(keyring, monkeypatch):
    """The pickle of a keyring from a URI holds the URI beside ids and check values, and not what is there."""
    monkeypatch.setenv("MODELPRIV_KEYRING", keyring.export_secret())
    pickled = pickle.dumps(Keyring.from_uri("env:MODELPRIV_KEYRING"))
    assert b"env:MODELPRIV_KEYRING" in pickled
    assert keyring.export_secret()[30:40].encode() not in pickled


def test_a_rotated_keyring_forgets_its_uri(keyring, monkeypatch):
    """A keyring that was rotated is no longer what stands at the URI."""
    monkeypatch.setenv("MODELPRIV_KEYRING", keyring.export_secret())
    assert Keyring.from_uri("env:MODELPRIV_KEYRING").rotate().uri is None
