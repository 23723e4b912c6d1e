"""Private keys in PEM: read where they are encrypted, and never written."""

import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError
from modelpriv.keys import Identity, Recipient

KEY, CONTEXT, PASSPHRASE = bytes(range(32)), b"what it is for", "an example, and no secret"


@pytest.fixture
def written(tmp_path):
    """Write a private key to a file of its owner's."""

    def write(key, encryption=None, form=PrivateFormat.PKCS8):
        path = tmp_path / "key.pem"
        encryption = encryption or BestAvailableEncryption(PASSPHRASE.encode())
        path.write_bytes(key.private_bytes(Encoding.PEM, form, encryption))
        path.chmod(0o600)
        return path

    return write


@pytest.fixture(
    scope="module",
    params=[
        x25519.X25519PrivateKey.generate,
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: rsa.generate_private_key(65537, 3072),
    ],
    ids=["x25519", "p-256", "rsa"],
)
def key(request):
    """A private key of `cryptography`, of each kind that PEM can hold."""
    return request.param()


def test_an_encrypted_key(key, written):
    """An encrypted private key is an identity, and its public half in PEM is its recipient."""
    identity = Identity.load(written(key), passphrase=PASSPHRASE)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert Recipient(public) == identity.recipient
    assert identity.unwrap(Recipient(public).wrap(KEY, CONTEXT), CONTEXT) == KEY


def test_the_traditional_form(written):
    """The older form of encrypted PEM is read too."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = written(key, form=PrivateFormat.TraditionalOpenSSL)
    assert Identity.load(path, passphrase=PASSPHRASE.encode()).recipient.kind == "p-256"


def test_the_passphrase_of_the_process(written, monkeypatch):
    """The passphrase comes from the environment where none is given, and its lack is said."""
    path = written(x25519.X25519PrivateKey.generate())
    with pytest.raises(KeyUnavailableError, match=r"key\.pem needs a passphrase"):
        Identity.load(path)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    assert Identity.load(path).recipient.kind == "x25519"


def test_a_wrong_passphrase(key, written):
    """A wrong passphrase is called that, and neither it nor the key is shown."""
    with pytest.raises(KeyUnavailableError, match=r"key\.pem: the passphrase is wrong") as raised:
        Identity.load(written(key), passphrase="canary")
    assert "canary" not in "".join(traceback.format_exception(raised.value)).replace('passphrase="canary"', "")


def test_a_key_that_is_not_encrypted(key, written):
    """A private key in clear is refused, with how to encrypt it."""
    with pytest.raises(SealedFileError, match=r"no encrypted private key.*openssl"):
        Identity.load(written(key, NoEncryption()), passphrase=PASSPHRASE)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["rsa 2048", "p-384", "ed25519"],
)
def test_a_key_of_another_sort(key, written):
    """A key that data keys are not wrapped to is refused with what is allowed."""
    with pytest.raises(ParameterError, match="allowed: X25519, P-256 or RSA with 3072"):
        Identity.load(written(key), passphrase=PASSPHRASE)


def test_a_damaged_file(written):
    """A damaged file is refused."""
    path = written(x25519.X25519PrivateKey.generate())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(KeyUnavailableError, match="damaged"):
        Identity.load(path, passphrase=PASSPHRASE)


def test_what_is_saved_is_no_pem(key, written, tmp_path, cheap_argon2):
    """An identity that came from PEM is saved in the keyrings' own form."""
    Identity.load(written(key), passphrase=PASSPHRASE).save(tmp_path / "identity.json", passphrase=PASSPHRASE)
    assert b"BEGIN" not in (tmp_path / "identity.json").read_bytes()
    assert b"argon2id" in (tmp_path / "identity.json").read_bytes()
