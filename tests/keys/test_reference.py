"""What stands in a pickle for a keyring, and how it becomes one again."""

import copy
import gc
import pickle
import subprocess
import sys

import pytest

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import KeyReference, Keyring, opening, resolve


def without(keyring_maker):
    """Pickle a keyring that is gone when the pickle comes back."""
    keyring = keyring_maker()
    pickled, text = pickle.dumps(keyring), keyring.export_secret()
    del keyring
    gc.collect()
    return pickled, text


@pytest.fixture
def gone():
    """The pickle of a keyring that is no longer alive, and its secret text."""
    return without(Keyring.generate)


def test_resolving_a_keyring(keyring):
    """A keyring is itself."""
    assert resolve(keyring) is keyring


def test_none_is_refused():
    """No key is refused, with the parameter's name and what to pass."""
    with pytest.raises(ParameterError, match=r"other=None.*Keyring\.generate.*env:NAME"):
        resolve(None, parameter="other")


@pytest.mark.parametrize("key", [5, b"canary", ["canary"], object()])
def test_another_type_is_refused(key):
    """What is no key is refused by its type, and not shown."""
    with pytest.raises(ParameterTypeError, match=f"key must be a Keyring.*{type(key).__name__}") as raised:
        resolve(key)
    assert "canary" not in str(raised.value)


def test_resolving_a_uri(keyring, monkeypatch):
    """A text is a keyring URI."""
    monkeypatch.setenv("MODELPRIV_KEYRING", keyring.export_secret())
    assert resolve("env:MODELPRIV_KEYRING").fingerprints == keyring.fingerprints


def test_unpickled_where_the_keyring_lives(keyring):
    """In the process where the keyring is alive, its pickle gives the keyring itself."""
    assert pickle.loads(pickle.dumps(keyring)) is keyring


def test_unpickled_elsewhere_it_is_locked(gone):
    """Where the keyring is not, the pickle gives a reference that says which key it wants and what to do."""
    pickled, text = gone
    reference = pickle.loads(pickled)
    primary = Keyring.from_secret(text).primary
    gc.collect()
    assert isinstance(reference, KeyReference)
    assert reference.key_ids == (primary,)
    assert reference.uri is None
    with pytest.raises(KeyUnavailableError, match=rf"locked: key id {primary}.*Keyring\.load\("):
        resolve(reference)


def test_in_another_process_it_is_locked(keyring):
    """A fresh process that gets the pickle has a locked reference, and no key."""
    code = """
import pickle, sys
reference = pickle.loads(sys.stdin.buffer.read())
try:
    reference.resolve()
except ValueError as error:
    print(type(reference).__name__, error)
"""
    run = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(keyring), capture_output=True, check=True)
    assert run.stdout.decode().startswith(f"KeyReference locked: key id {keyring.primary} is needed")


def test_it_keeps_trying(gone):
    """A reference finds a keyring that comes to life later."""
    reference = pickle.loads(gone[0])
    with pytest.raises(KeyUnavailableError):
        reference.resolve()
    keyring = Keyring.from_secret(gone[1])
    assert reference.resolve() is keyring


def test_it_keeps_what_it_found(gone):
    """A keyring that a reference found lives as long as the reference."""
    reference = pickle.loads(gone[0])
    keyring = Keyring.from_secret(gone[1])
    reference.resolve()
    del keyring
    gc.collect()
    assert reference.resolve().export_secret() == gone[1]


def test_its_pickle_passes_through(gone):
    """A locked reference, pickled and unpickled again, wants the same and opens with the same."""
    reference = pickle.loads(pickle.dumps(pickle.loads(gone[0])))
    keyring = Keyring.from_secret(gone[1])
    assert reference.resolve() is keyring


def test_a_resolved_reference_pickles_no_key(gone):
    """What a reference found does not stand in its pickle."""
    reference = pickle.loads(gone[0])
    keyring = Keyring.from_secret(gone[1])
    locked = pickle.dumps(reference)
    assert reference.resolve() is keyring
    assert pickle.dumps(reference) == locked


def test_copies_are_the_reference(gone):
    """``copy`` and ``deepcopy`` give the reference itself."""
    reference = pickle.loads(gone[0])
    assert copy.copy(reference) is reference
    assert copy.deepcopy([reference])[0] is reference


def test_repr_names_the_key_ids():
    """The repr names the key ids, and the URI where there is one."""
    reference = KeyReference(("00000001", "00000002"), (bytes(16), bytes(16)), "env:NAME")
    assert repr(reference) == "<KeyReference key_ids=00000001,00000002 uri=env:NAME>"
    assert (reference.primary, reference.uri) == ("00000001", "env:NAME")


def test_the_opening_keyring_serves_what_is_unpickled(gone):
    """A reference that is unpickled while a file is being opened is that file's keyring, later too."""
    opener = Keyring.from_secret(gone[1])
    Keyring.from_secret(gone[1])
    with opening(opener):
        assert pickle.loads(gone[0]) is opener


def test_a_reference_within_an_opened_file(gone):
    """What was locked when a file was sealed opens with the keyring that opens the file."""
    repickled = pickle.dumps(pickle.loads(gone[0]))
    opener, other = Keyring.from_secret(gone[1]), Keyring.from_secret(gone[1])
    with opening(other):
        reference = pickle.loads(repickled)
    assert reference.resolve() is other
    assert opener is not other


def test_the_uri_is_asked_last(monkeypatch):
    """Where no live keyring does, the URI that the keyring came from is asked."""
    text = Keyring.generate().export_secret()
    monkeypatch.setenv("MODELPRIV_KEYRING", text)
    pickled, _ = without(lambda: Keyring.from_uri("env:MODELPRIV_KEYRING"))
    reference = pickle.loads(pickled)
    assert isinstance(reference, KeyReference)
    assert reference.uri == "env:MODELPRIV_KEYRING"
    assert resolve(reference).export_secret() == text


def test_a_uri_that_fails(monkeypatch):
    """Where the URI fails, the error says so, names the key id, and the next call tries again."""
    text = Keyring.generate().export_secret()
    monkeypatch.setenv("MODELPRIV_KEYRING", text)
    pickled, _ = without(lambda: Keyring.from_uri("env:MODELPRIV_KEYRING"))
    monkeypatch.delenv("MODELPRIV_KEYRING")
    reference = pickle.loads(pickled)
    with pytest.raises(KeyUnavailableError, match=rf"{reference.primary}.*env:MODELPRIV_KEYRING.*no environment"):
        reference.resolve()
    monkeypatch.setenv("MODELPRIV_KEYRING", text)
    assert reference.resolve().export_secret() == text


def test_a_uri_that_holds_other_keys(monkeypatch):
    """Where the URI now gives another keyring, the error names what is wanted and what is there."""
    monkeypatch.setenv("MODELPRIV_KEYRING", Keyring.generate().export_secret())
    pickled, _ = without(lambda: Keyring.from_uri("env:MODELPRIV_KEYRING"))
    other = Keyring.generate()
    monkeypatch.setenv("MODELPRIV_KEYRING", other.export_secret())
    reference = pickle.loads(pickled)
    with pytest.raises(KeyUnavailableError, match=rf"{reference.primary} is needed.*{other.primary}"):
        reference.resolve()


def test_after_a_rotation_at_the_uri(monkeypatch):
    """A rotated keyring at the URI serves what was pickled before."""
    first = Keyring.generate()
    monkeypatch.setenv("MODELPRIV_KEYRING", first.export_secret())
    pickled, _ = without(lambda: Keyring.from_uri("env:MODELPRIV_KEYRING"))
    rotated = first.rotate()
    monkeypatch.setenv("MODELPRIV_KEYRING", rotated.export_secret())
    del first, rotated
    gc.collect()
    reference = pickle.loads(pickled)
    assert reference.resolve().key_ids[1] == reference.primary


def test_a_uri_with_a_secret_in_a_hostile_pickle():
    """A URI from a pickle is looked at before it is asked, and not shown when it holds a secret."""
    reference = KeyReference(("00000001",), (bytes(16),), "file:/keys?pin=canary")
    with pytest.raises(KeyUnavailableError, match="00000001") as raised:
        reference.resolve()
    assert "canary" not in str(raised.value)
