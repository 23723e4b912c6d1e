"""Signing keys vouch, and do nothing else: what they sign is theirs, and they are never seen."""

import copy
import pickle

import pytest

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Identity, Recipient, Signer, SigningKey, workers
from modelpriv.keys.signing import KINDS, check_signature, read_signers, write_signature

PASSPHRASE = "an example, and no secret"


@pytest.fixture(params=KINDS)
def key(request):
    """A signing key of each kind."""
    return SigningKey.generate(request.param)


def test_a_signature(key):
    """A signature is the signer's over the message, and over no other message."""
    signature = key.sign(b"message")
    key.signer.verify(signature, b"message")
    for wrong, message in ((signature, b"another"), (signature[:-1], b"message"), (b"", b"message")):
        with pytest.raises(SealedFileError, match=key.signer.id):
            key.signer.verify(wrong, message)
    with pytest.raises(SealedFileError):
        SigningKey.generate(key.signer.kind).signer.verify(signature, b"message")


def test_its_secret_text(key):
    """The secret text gives the key again; it is greppable, and a changed one is refused and not shown."""
    text = key.export_secret()
    assert text.startswith("modelpriv_secret_signing_key_")
    assert SigningKey.from_secret(text).signer == key.signer
    for wrong in (text[:-1], text[:-2] + "AA", str(key.signer), "canary", Identity.generate("x25519").export_secret()):
        with pytest.raises(ParameterError) as raised:
            SigningKey.from_secret(wrong)
        assert text[40:60] not in str(raised.value)


def test_a_signer_is_a_line(key, tmp_path):
    """A signer is one line of text, in a file too; it is equal to itself and has an id."""
    key.signer.save(tmp_path / "signer")
    assert Signer.load(tmp_path / "signer") == Signer(f" {key.signer}\n") == key.signer
    assert len({key.signer, Signer(str(key.signer))}) == 1
    assert len(key.signer.id) == 16
    assert key.signer != str(key.signer)


@pytest.mark.parametrize("text", ["", "canary", "modelpriv_signer_ed25519_1_AAAA", "modelpriv_signer_dsa_1_AAAA"])
def test_what_is_no_signer(text):
    """A text that is no signer is refused, and not shown."""
    with pytest.raises(ParameterError):
        Signer(text)


def test_other_lines_are_no_signers(key):
    """A recipient is no signer, a signer no recipient, and another type neither."""
    with pytest.raises(ParameterError):
        Signer(str(Identity.generate("x25519").recipient))
    with pytest.raises(ParameterError):
        Recipient(str(key.signer))
    with pytest.raises(ParameterTypeError):
        Signer(b"x")


def test_a_file(key, tmp_path, cheap_argon2):
    """A signing key is saved wrapped, for its owner only, and another kind of file is not taken for one."""
    path = tmp_path / "signing.json"
    key.save(path, passphrase=PASSPHRASE)
    assert SigningKey.load(path, passphrase=PASSPHRASE).signer == key.signer
    assert key.export_secret()[40:70] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyUnavailableError):
        SigningKey.load(path, passphrase="another")
    with pytest.raises(SealedFileError, match="no identity file"):
        Identity.load(path, passphrase=PASSPHRASE)


def test_it_is_not_seen(key):
    """Neither repr nor pickle hold the key: a pickle gives the signer. Copies are itself, and nothing can be set."""
    assert repr(key) == f"<SigningKey {key.signer.kind} {key.signer.id}>"
    pickled = pickle.dumps(key)
    assert key._private not in pickled
    assert pickle.loads(pickled) == key.signer == pickle.loads(pickle.dumps(key.signer))
    assert copy.deepcopy(key) is key
    with pytest.raises(AttributeError, match="cannot be changed"):
        key._private = b""
    with pytest.raises(ParameterError, match="generate"):
        SigningKey()


def test_workers_receive_it(key):
    """Worker processes of this one receive the key itself."""
    assert workers.loads(workers.dumps(key)).signer == key.signer


def test_kinds_that_are_none():
    """A kind that is not known is refused with those that are."""
    with pytest.raises(ParameterError, match="'ed25519', 'ml-dsa-65'"):
        SigningKey.generate("rsa")


def test_who_signed(key):
    """Of several who are trusted the one who signed is found; nobody else counts, and neither does no signature."""
    stranger = SigningKey.generate()
    found = write_signature(key, b"message")
    assert check_signature(found, b"message", [stranger.signer, key.signer]) == key.signer
    with pytest.raises(SealedFileError, match="by a stranger"):
        check_signature(found, b"message", [stranger.signer])
    for wrong in (None, {}, "x", {"signer": key.signer.id}, [found]):
        with pytest.raises(SealedFileError, match="not signed"):
            check_signature(wrong, b"message", [key.signer])
    for value in (None, 5, "*", ""):
        with pytest.raises(SealedFileError):
            check_signature(found | {"value": value}, b"message", [key.signer])
    for who in (None, 5, []):
        with pytest.raises(SealedFileError, match="stranger"):
            check_signature(found | {"signer": who}, b"message", [key.signer])


@pytest.mark.parametrize("trusted", [None, "line", 5, [5], [b"x"]])
def test_trusted_signers_are_a_list(trusted):
    """Trusted signers are a list of signers or of their lines."""
    with pytest.raises(ParameterTypeError, match="trusted_signers"):
        read_signers(trusted)


def test_signing_needs_a_signing_key(key):
    """An identity, a signer or a text signs nothing."""
    for wrong in (None, key.signer, Identity.generate("x25519"), "x"):
        with pytest.raises(ParameterTypeError, match="SigningKey"):
            write_signature(wrong, b"message")
