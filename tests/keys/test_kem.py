"""Wrapping to public keys: published answers, and nothing opens but what was wrapped."""

import json
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import load_der_private_key

from modelpriv.errors import ParameterError
from modelpriv.keys import kem

KEY, CONTEXT = bytes(range(32)), b"what it is for"
XWING = 0x647A


@pytest.fixture(scope="module", params=kem.KINDS)
def kind(request):
    """Each kind in turn."""
    return kem.KINDS[request.param]


@pytest.fixture(scope="module")
def private(kind):
    """A private key of the kind."""
    return kind.generate()


@pytest.fixture(scope="module")
def public(kind, private):
    """Its public key."""
    return kind.public(private)


def published():
    """The published vectors of X-Wing in HPKE."""
    path = Path(cryptography_vectors.__file__).parent / "HPKE" / "hpke-pq-test-vectors.json"
    return [vector for vector in json.loads(path.read_text()) if vector["kem_id"] == XWING]


@pytest.mark.parametrize("vector", published(), ids=lambda vector: f"kdf {vector['kdf_id']}")
def test_xwing_expands_its_seed_as_published(vector):
    """The 32-byte seed of a published X-Wing private key gives its published public key."""
    assert kem.KINDS["x-wing"].public(bytes.fromhex(vector["skRm"])).hex() == vector["pkRm"]


def test_there_are_published_vectors():
    """The test above has something to test."""
    assert published()


def test_round_trip(kind, private, public):
    """The data key comes back."""
    assert kind.decrypt(private, kind.encrypt(public, KEY, CONTEXT), CONTEXT) == KEY


def test_every_wrapping_differs(kind, public):
    """Wrapping the same key twice gives two different texts."""
    assert kind.encrypt(public, KEY, CONTEXT) != kind.encrypt(public, KEY, CONTEXT)


@pytest.mark.parametrize(("name", "length"), [("x-wing", 1168), ("x25519", 80), ("p-256", 113), ("rsa", 384)])
def test_lengths(name, length):
    """What is wrapped has the length that its standard gives."""
    kind = kem.KINDS[name]
    assert len(kind.encrypt(kind.public(kind.generate()), KEY, CONTEXT)) == length


def test_another_context(kind, private, public):
    """What was wrapped in one context does not open in another."""
    with pytest.raises(ValueError):
        kind.decrypt(private, kind.encrypt(public, KEY, CONTEXT), b"another")


def test_another_key(kind, public):
    """What was wrapped to one key does not open with another."""
    with pytest.raises(ValueError):
        kind.decrypt(kind.generate(), kind.encrypt(public, KEY, CONTEXT), CONTEXT)


def test_a_flipped_bit(kind, private, public):
    """What was wrapped does not open when a bit of it is flipped, at its ends and between."""
    wrapped = kind.encrypt(public, KEY, CONTEXT)
    for place in range(0, len(wrapped), 1 + len(wrapped) // 5):
        flipped = bytearray(wrapped)
        flipped[place] ^= 1
        with pytest.raises(ValueError):
            kind.decrypt(private, bytes(flipped), CONTEXT)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 64, 113, 383])
def test_another_length(kind, private, length):
    """What has another length does not open."""
    with pytest.raises(ValueError):
        kind.decrypt(private, bytes(length), CONTEXT)


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33), b"\xff" * 65])
def test_what_is_no_key(kind, data):
    """Bytes that are no key of the kind are refused, as private and as public key."""
    with pytest.raises(ValueError):
        kind.public(data)
    with pytest.raises(ValueError):
        kind.check(data)


def test_x25519_is_plain_hpke():
    """What is wrapped to X25519 opens by RFC 9180's suite alone: HKDF-SHA256, AES-256-GCM, the context as info."""
    key = x25519.X25519PrivateKey.generate()
    wrapped = kem.KINDS["x25519"].encrypt(key.public_key().public_bytes_raw(), KEY, CONTEXT)
    assert Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM).decrypt(wrapped, key, info=CONTEXT) == KEY


def test_rsa_has_3072_bits():
    """A generated RSA key has 3072 bits and the usual exponent."""
    key = load_der_private_key(kem.KINDS["rsa"].generate(), None)
    assert (key.key_size, key.public_key().public_numbers().e) == (3072, 65537)


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256R1()), x25519.X25519PrivateKey.generate()],
    ids=["p-256", "x25519"],
)
def test_keys_of_the_library(key):
    """A key of `cryptography` gives its kind, and its public half is the public key of its private one."""
    name, private = kem.private_bytes(key)
    assert kem.public_bytes(key.public_key()) == (name, kem.KINDS[name].public(private))


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["rsa 2048", "p-384", "ed25519"],
)
def test_keys_that_are_refused(key):
    """Short RSA keys, other curves and signing keys are refused, with what is allowed."""
    for call, half in ((kem.private_bytes, key), (kem.public_bytes, key.public_key())):
        with pytest.raises(ParameterError, match="allowed: X25519, P-256 or RSA with 3072"):
            call(half)
