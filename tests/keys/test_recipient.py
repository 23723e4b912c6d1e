"""Recipients: one line of text to paste."""

import copy
import pickle

import pytest
import skops.io
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import Identity, Recipient
from modelpriv.keys.kem import KINDS
from modelpriv.keys.text import to_line

KEY, CONTEXT = bytes(range(32)), b"what it is for"


@pytest.fixture(scope="module", params=KINDS)
def identity(request):
    """An identity of each kind in turn."""
    return Identity.generate(request.param)


def pem(public):
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_line_of_text(identity):
    """A recipient is one line that says what it is, and comes back from it."""
    line = str(identity.recipient)
    assert line.startswith(f"modelpriv_recipient_{identity.recipient.kind.replace('-', '')}_1_")
    assert line.isascii()
    assert len(line.split()) == 1
    assert Recipient(f"\n {line} \n") == identity.recipient


def test_a_stanza_opens(identity):
    """What a recipient wraps, its identity unwraps."""
    stanza = Recipient(str(identity.recipient)).wrap(KEY, CONTEXT)
    assert stanza["type"] == identity.recipient.kind
    assert stanza["recipient"] == identity.recipient.id
    assert identity.unwrap(stanza, CONTEXT) == KEY


def test_a_file(identity, tmp_path):
    """A recipient is saved as its line, and loaded again."""
    identity.recipient.save(tmp_path / "recipient.txt")
    assert (tmp_path / "recipient.txt").read_text() == f"{identity.recipient}\n"
    assert Recipient.load(tmp_path / "recipient.txt") == identity.recipient


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), x25519.X25519PrivateKey.generate()])
def test_a_public_key_in_pem(key, tmp_path):
    """A public key in PEM is a recipient, from a text and from a file."""
    text = pem(key.public_key())
    (tmp_path / "key.pem").write_text(text)
    assert Recipient(text) == Recipient.load(tmp_path / "key.pem") == Recipient(str(Recipient(text)))


@pytest.mark.parametrize("key", [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)])
def test_a_public_key_of_another_sort(key):
    """A public key that data keys are not wrapped to is refused with what is allowed."""
    with pytest.raises(ParameterError, match="RSA with 3072"):
        Recipient(pem(key.public_key()))


@pytest.mark.parametrize("text", ["-----BEGIN PUBLIC KEY-----\ncanary\n-----END PUBLIC KEY-----", "-----BEGIN canary"])
def test_pem_that_cannot_be_read(text):
    """PEM that holds no public key is refused, and not shown."""
    with pytest.raises(ParameterError, match="PEM") as raised:
        Recipient(text)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "canary", "modelpriv_recipient_canary_1_AA", "modelpriv_secret_identity_x25519_1_"]
)
def test_another_text(text):
    """A text that is no recipient is refused, and not shown."""
    with pytest.raises(ParameterError, match="must start with 'modelpriv_recipient_'") as raised:
        Recipient(text)
    assert "canary" not in str(raised.value)


def test_a_cut_line(identity):
    """A line that lost its end is refused."""
    with pytest.raises(ParameterError, match="cut or mistyped"):
        Recipient(str(identity.recipient)[:-1])


def test_a_later_line(identity):
    """A line of a later version says to upgrade."""
    with pytest.raises(ParameterError, match=r"version 2.*upgrade"):
        Recipient(str(identity.recipient).replace("_1_", "_2_", 1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_without_a_key(kind):
    """A line whose checksum is right and whose key is none is refused."""
    with pytest.raises(ParameterError, match=f"public key of kind '{kind}'"):
        Recipient(to_line(f"modelpriv_recipient_{kind.replace('-', '')}_1_", bytes(7)))


@pytest.mark.parametrize(("kind", "length"), [("x25519", 32), ("x-wing", 1216)])
def test_a_point_of_low_order(kind, length):
    """A public key with which everybody would share the same secret is refused when it is read."""
    with pytest.raises(ParameterError, match=f"public key of kind '{kind}'"):
        Recipient(to_line(f"modelpriv_recipient_{kind.replace('-', '')}_1_", bytes(length)))


@pytest.mark.parametrize("text", [None, b"modelpriv_recipient_", 5])
def test_a_recipient_is_text(text):
    """What is no text is refused by its type."""
    with pytest.raises(ParameterTypeError, match=type(text).__name__):
        Recipient(text)


def test_equal_by_key(identity):
    """Recipients are equal when their keys are, and only then."""
    same = Recipient(str(identity.recipient))
    assert same == identity.recipient
    assert hash(same) == hash(identity.recipient)
    assert same != Identity.generate("x25519").recipient
    assert same != str(same)


def test_pickles_and_copies(identity):
    """A recipient is copied as itself, and pickled as its line."""
    recipient = identity.recipient
    assert copy.deepcopy([copy.copy(recipient)])[0] is recipient
    assert pickle.loads(pickle.dumps(recipient)) == recipient
    data = skops.io.dumps(recipient)
    assert skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data)) == recipient


def test_it_cannot_be_changed(identity):
    """Nothing of a recipient is set or deleted."""
    for name in ("kind", "_public", "anything"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(identity.recipient, name, None)
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(identity.recipient, name)


def test_repr_is_short(identity):
    """The repr names kind and id."""
    assert repr(identity.recipient) == f"<Recipient {identity.recipient.kind} {identity.recipient.id}>"
