"""How files begin: each kind that modelpriv writes is told by its first bytes, and no two kinds begin alike."""

import itertools
import pickle
import secrets

import pytest
import skops.io
from sklearn.linear_model import Ridge

import modelpriv
from modelpriv import AuditLog, Identity, Keyring, SigningKey
from modelpriv._core import magic


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """A file of each kind, by the name of its kind."""
    monkeypatch.chdir(tmp_path)
    keys, ada, author = Keyring.generate(), Identity.generate(), SigningKey.generate()
    modelpriv.dump(Ridge(), "sealed model", key=keys)
    keys.save("keyring", passphrase="an example")
    ada.save("identity", passphrase="an example")
    author.save("signing key", passphrase="an example")
    keys.grant(["email"], recipient=ada.recipient, sign_with=author).save("grant")
    with AuditLog("audit log", key=keys):
        pass
    return {kind.name: tmp_path / kind.name for kind in magic.FILES}


def test_each_kind_is_told_by_its_first_bytes(paths):
    """The first 64 bytes of a file that modelpriv wrote give its kind."""
    found = {name: magic.identify(path.read_bytes()[:64]) for name, path in paths.items()}
    assert {name: kind and kind.name for name, kind in found.items()} == {name: name for name in paths}


def test_no_two_kinds_begin_alike():
    """No beginning in the table is the beginning of another one."""
    kinds = (*magic.FILES, *magic.FOREIGN)
    assert not [(a, b) for a, b in itertools.permutations(kinds, 2) if a.begins.startswith(b.begins)]


def test_other_writers_are_told_by_name():
    """A pickle and a skops file are told from ours, and other bytes are no kind at all."""
    assert magic.identify(pickle.dumps(Ridge())) == magic.PICKLE
    assert magic.identify(skops.io.dumps(Ridge())) == magic.ZIP
    assert magic.identify(b"") is None
    assert magic.identify(b"{}") is None


def test_the_lengths_of_a_sealed_model(paths):
    """The lengths in the prelude of a sealed model add up to the file."""
    data = paths["sealed model"].read_bytes()
    lengths = magic.sealed_lengths(data)
    assert lengths.total == len(data)
    assert data[magic.PRELUDE.size : magic.PRELUDE.size + lengths.manifest].startswith(b'{"file_id":')


def test_what_has_no_lengths():
    """Bytes that are cut, or begin in another way, have no lengths."""
    assert magic.sealed_lengths(magic.SEALED.begins) is None
    assert magic.sealed_lengths(secrets.token_bytes(magic.PRELUDE.size)) is None
