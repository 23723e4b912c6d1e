"""The system's keyring: a keyring URI reads from it, and what only pretends to be one is refused."""

import traceback

import pytest
from chained import carried

from modelpriv.errors import KeyUnavailableError
from modelpriv.keys import Keyring

URI = "keyring:modelpriv/ada"
REAL = """
import gc, sys, keyring
from modelpriv.keys import Keyring
keys = Keyring.generate()
print(type(keyring.get_keyring()).__module__)
try: Keyring.from_uri("keyring:modelpriv/ada")
except ValueError as error: print(error)
keyring.set_password("modelpriv", "ada", keys.export_secret())
wanted = keys.key_ids
del keys; gc.collect()
found = Keyring.from_uri("keyring:modelpriv/ada")
print(found.key_ids == wanted, found.uri)
"""


@pytest.fixture
def backend(monkeypatch):
    """Puts another keyring in the place of the system's."""
    keyring = pytest.importorskip("keyring", reason="install keyring")

    def use(module, found=None, *, name="Keyring", backends=None):
        def get_password(self, service, user):
            if isinstance(found, Exception):
                raise found
            return found

        one = type(name, (), {"get_password": get_password, "__module__": module})()
        if backends is not None:
            one.backends = backends
        monkeypatch.setattr(keyring, "get_keyring", lambda: one)
        return one

    return use


def refusal():
    with pytest.raises(KeyUnavailableError) as raised:
        Keyring.from_uri(URI)
    assert "canary" not in "".join(traceback.format_exception(raised.value)) + carried(raised.value)
    return str(raised.value)


def test_gnome_keyring(gnome_keyring, tmp_path):
    """GNOME Keyring gives what was put into it, and says what is missing before."""
    done = gnome_keyring(REAL, tmp_path)
    assert done.returncode == 0, done.stderr
    module, missing, found = done.stdout.splitlines()
    assert module.startswith("keyring.backends.")
    assert "holds nothing under this service and user" in missing
    assert "keyring set modelpriv ada" in missing
    assert found == f"True {URI}"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keyring.backends.fail", "Keyring"),
        ("keyring.backends.null", "Keyring"),
        ("keyrings.alt.file", "PlaintextKeyring"),
        ("keyrings.alt.file", "EncryptedKeyring"),
    ],
)
def test_what_keeps_no_secret(backend, module, name):
    """A keyring in clear, none, or one that fails is refused by name, and not asked."""
    backend(module, "canary", name=name)
    assert f"{module}.{name} keeps no secret" in refusal()


def test_a_chain(backend, keyring):
    """Of several keyrings in a chain those that keep secrets are asked; if none does, all are named."""
    plain = backend("keyrings.alt.file", "canary", name="PlaintextKeyring")
    real = backend("keyring.backends.SecretService", keyring.export_secret())
    backend("keyring.backends.chainer", backends=[plain, real])
    assert Keyring.from_uri(URI).fingerprints == keyring.fingerprints
    backend("keyring.backends.chainer", backends=[plain, plain])
    assert "PlaintextKeyring and keyrings.alt" in refusal()


def test_a_locked_keyring(backend):
    """A keyring that is locked says so."""
    from keyring.errors import KeyringLocked  # noqa: PLC0415 - not on every machine

    backend("keyring.backends.SecretService", KeyringLocked("canary"))
    assert f"{URI}: the system's keyring is locked" in refusal()


def test_a_failing_keyring(backend):
    """Whatever a keyring raises is named by its kind, and not repeated."""
    backend("keyring.backends.SecretService", RuntimeError("canary"))
    assert "cannot be asked (keyring.backends.SecretService: RuntimeError)" in refusal()


def test_an_entry_that_is_no_keyring(backend):
    """An entry with something else in it is refused, and not shown."""
    backend("keyring.backends.SecretService", "canary")
    assert f"{URI} does not give a keyring" in refusal()


def test_without_the_extra(monkeypatch):
    """Without the package the error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    assert "pip install 'modelpriv[keyring]'" in refusal()


def test_one_call_for_an_object(backend, keyring):
    """Each fetch asks the keyring once."""
    calls = []
    one = backend("keyring.backends.SecretService", keyring.export_secret())
    ask = type(one).get_password
    type(one).get_password = lambda self, *given: calls.append(given) or ask(self, *given)
    assert Keyring.from_uri(URI).primary == keyring.primary
    assert calls == [("modelpriv", "ada")]
