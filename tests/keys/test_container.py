"""The keyring file: whole, authentic and its owner's alone, or refused."""

import os
import re

import pytest
from sklearn.linear_model import Ridge

from modelpriv import dump
from modelpriv._core import json
from modelpriv.errors import KeyUnavailableError, ModelprivError, SealedFileError
from modelpriv.keys import Grant, Identity, Keyring, SigningKey, container
from modelpriv.keys.providers import passphrase as passphrases
from modelpriv.keys.text import from_base64, to_base64

PASSPHRASE = "an example, and no secret"
PROVIDER = passphrases.PassphraseProvider(PASSPHRASE)
SECRET = b"canary and more of it"

pytestmark = pytest.mark.usefixtures("cheap_argon2")


@pytest.fixture
def content():
    """The bytes of a file."""
    return container.seal("keyring", {"key_ids": ["00000001"]}, SECRET, provider=PROVIDER)


def open_(content, kind="keyring", passphrase=PASSPHRASE):
    return container.open_(content, kind, name="keys.json", passphrase=passphrase)


def changed(content, *path, value):
    """The file with one field set to another value, or taken away where that is None, and canonical again."""
    whole = json.load(content)
    at = whole
    for name in path[:-1]:
        at = at[name]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return json.dump(whole) + b"\n"


def test_round_trip(content):
    """The public part and the secret come back."""
    assert open_(content) == ({"key_ids": ["00000001"]}, SECRET)


def test_two_files_differ(content):
    """The same secret under the same passphrase gives another file each time."""
    again = container.seal("keyring", {"key_ids": ["00000001"]}, SECRET, provider=PROVIDER)
    assert json.load(content)["sealed"] != json.load(again)["sealed"]


def test_the_real_cost(monkeypatch):
    """A file says that it was wrapped by Argon2id with 3 passes over 64 MiB in 4 lanes."""
    monkeypatch.undo()
    provider = json.load(container.seal("keyring", {}, SECRET, provider=PROVIDER))["provider"]
    costs = {name: provider[name] for name in ("type", "passes", "memory_kib", "lanes")}
    assert costs == {"type": "argon2id", "passes": 3, "memory_kib": 65536, "lanes": 4}


@pytest.mark.parametrize("passphrase", ["wrong", PASSPHRASE + " ", PASSPHRASE.upper(), b"wrong"])
def test_a_wrong_passphrase(content, passphrase):
    """A wrong passphrase is called that, with the file's name, and neither is shown."""
    with pytest.raises(
        KeyUnavailableError, match=r"keys\.json \(key ids 00000001\): the passphrase is wrong"
    ) as raised:
        open_(content, passphrase=passphrase)
    assert "canary" not in str(raised.value)
    assert PASSPHRASE not in str(raised.value)


def test_every_cut_is_refused(content):
    """A file that was cut anywhere is refused."""
    for length in range(len(content)):
        with pytest.raises(SealedFileError, match=r"keys\.json"):
            open_(content[:length])


def test_every_flipped_bit_is_refused(content):
    """A file with one bit flipped anywhere is refused, and the error is one of ours."""
    for place in range(len(content)):
        for bit in (1, 4, 32):
            flipped = bytearray(content)
            flipped[place] ^= bit
            with pytest.raises(ModelprivError, match=r"keys\.json"):
                open_(bytes(flipped))


def test_what_comes_after_is_refused(content):
    """A file with more behind it, or other white space in it, is refused."""
    for other in (content + b"\n", b" " + content, content.replace(b",", b", ", 1), content[:-1]):
        with pytest.raises(SealedFileError):
            open_(other)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("public", "key_ids"), ["00000002"]),
        (("public", "more"), 1),
        (("provider", "salt"), to_base64(bytes(16))),
        (("provider", "commitment"), to_base64(bytes(32))),
        (("provider", "wrapped"), to_base64(bytes(48))),
        (("provider", "passes"), 2),
        (("provider", "memory_kib"), 65),
        (("provider", "lanes"), 3),
        (("provider", "more"), "x"),
        (("sealed",), to_base64(bytes(40))),
        (("sealed",), ""),
    ],
)
def test_every_field_is_authenticated(content, path, value):
    """A field that was changed, or added, in a file that is well-formed otherwise is noticed."""
    with pytest.raises(ModelprivError, match=r"keys\.json.*(altered|damaged)"):
        open_(changed(content, *path, value=value))


@pytest.mark.parametrize(
    "path",
    [("format",), ("version",), ("public",), ("provider",), ("sealed",)]
    + [("provider", name) for name in ("type", "passes", "memory_kib", "lanes", "salt", "commitment", "wrapped")],
)
@pytest.mark.parametrize("value", [None, 5.5, [], True])
def test_a_field_of_another_type(content, path, value):
    """A field that is missing or of another type is refused before a passphrase is tried."""
    with pytest.raises(SealedFileError, match=r"keys\.json"):
        open_(changed(content, *path, value=value), passphrase=None)


def test_the_wrapped_key_of_another_file(content):
    """The wrapped key of one file does not serve in another, even under the same passphrase."""
    other = container.seal("keyring", {"key_ids": ["00000002"]}, b"other", provider=PROVIDER)
    with pytest.raises(KeyUnavailableError, match="altered"):
        open_(changed(content, "provider", value=json.load(other)["provider"]))


def test_another_kind_of_file(content):
    """A file of one kind is not taken for another, nor becomes one by its name."""
    with pytest.raises(SealedFileError, match="no identity file"):
        open_(content, kind="identity")
    with pytest.raises(KeyUnavailableError, match="altered"):
        open_(changed(content, "format", value="modelpriv identity"), kind="identity")


def test_a_later_version(content):
    """A file of a later version says so, and to upgrade."""
    with pytest.raises(SealedFileError, match=r"keys\.json has format version 2.*upgrade"):
        open_(changed(content, "version", value=2))


@pytest.mark.parametrize(("name", "value"), [("passes", 11), ("memory_kib", 256 * 1024 + 1), ("lanes", 17)])
def test_giant_costs_are_refused(content, monkeypatch, name, value):
    """Costs above the bound are refused before Argon2 runs, or a passphrase is asked for."""
    monkeypatch.setattr(passphrases, "Argon2id", None)
    with pytest.raises(SealedFileError, match=f"keys.json: the Argon2id costs.*{value}.*above what is accepted"):
        open_(changed(content, "provider", name, value=value), passphrase=None)


@pytest.mark.parametrize("provider", ["vault", "Argon2id", ""])
def test_an_unknown_provider(content, provider):
    """A provider that this process is not configured to ask is not asked, with a passphrase or without."""
    with pytest.raises(KeyUnavailableError, match="is wrapped by a provider"):
        open_(changed(content, "provider", "type", value=provider), passphrase=None)
    with pytest.raises(KeyUnavailableError, match="opens with no passphrase"):
        open_(changed(content, "provider", "type", value=provider))


@pytest.mark.parametrize(
    "other", [b"", b"{}", b"null\n", b"[]\n", b'"modelpriv keyring"\n', b"\x80\x04K\x01.", bytes(100)]
)
def test_something_else(other):
    """What is no such file at all is called that."""
    with pytest.raises(SealedFileError, match=r"keys\.json is no keyring file"):
        open_(other)


@pytest.mark.parametrize("load", [Keyring.load, Identity.load, SigningKey.load, Grant.load])
def test_a_sealed_model(keyring, tmp_path, load):
    """A sealed model in the place of a key's file is called that, whoever may read it; as a URI too."""
    path = tmp_path / "model.mpriv"
    dump(Ridge(), path, key=keyring)
    path.chmod(0o644)
    with pytest.raises(SealedFileError, match=r"is a sealed model.*modelpriv\.load"):
        load(path)
    with pytest.raises(SealedFileError, match=r"is a sealed model.*modelpriv\.load"):
        Keyring.from_uri(f"file:{path}")


def test_a_file_of_ours_of_another_kind(keyring, tmp_path):
    """A file of another kind of ours says which it is."""
    path, identity = tmp_path / "file", Identity.generate("x25519")
    identity.save(path, passphrase=PASSPHRASE)
    with pytest.raises(SealedFileError, match="no keyring file: it says that it is a modelpriv identity"):
        Keyring.load(path, passphrase=PASSPHRASE)
    path.unlink()
    keyring.grant(["a"], recipient=identity.recipient, sign_with=SigningKey.generate()).save(path)
    path.chmod(0o600)
    with pytest.raises(SealedFileError, match="no keyring file: it says that it is a modelpriv grant"):
        Keyring.load(path, passphrase=PASSPHRASE)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o777])
def test_a_file_that_others_can_read(keyring, tmp_path, mode):
    """A file that others can read or write is refused, with the command that mends it."""
    path = tmp_path / "my keys.json"
    keyring.save(path, passphrase=PASSPHRASE)
    path.chmod(mode)
    with pytest.raises(KeyUnavailableError, match=rf"{mode:04o}.*chmod 600 '{re.escape(str(path))}'"):
        Keyring.load(path, passphrase=PASSPHRASE)
    path.chmod(0o400)
    assert Keyring.load(path, passphrase=PASSPHRASE).primary == keyring.primary


def test_a_giant_file(tmp_path):
    """A file that is far too large is not read to its end."""
    path = tmp_path / "keys.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    path.chmod(0o600)
    with pytest.raises(SealedFileError, match="more than 1048576 bytes"):
        Keyring.load(path, passphrase=PASSPHRASE)


def test_a_file_that_is_not_there_at_all(tmp_path):
    """A path without a file is Python's own error."""
    with pytest.raises(FileNotFoundError):
        Keyring.load(tmp_path / "keys.json", passphrase=PASSPHRASE)


def test_the_secret_is_not_in_the_file(content):
    """The file shows neither the secret nor the passphrase."""
    fields = json.load(content)
    assert b"canary" not in content
    assert b"canary" not in from_base64(fields["sealed"])
    assert PASSPHRASE.encode() not in content
