"""Wrapping a data key to a public key: HPKE (RFC 9180) and RSA-OAEP (RFC 8017).

Private and public keys are plain bytes here, in the form in which they are saved:

    x-wing  32-byte seed; ML-KEM-768, then X25519 public key (draft-connolly-cfrg-xwing-kem)
    x25519  32 and 32 bytes (RFC 7748)
    p-256   32-byte scalar; uncompressed point (RFC 9180, section 7.1.1)
    rsa     DER of PKCS #8; DER of SubjectPublicKeyInfo
"""

import secrets
from abc import ABC, abstractmethod
from hashlib import shake_256
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from modelpriv.errors import ParameterError

__all__ = ["KINDS", "Kind", "private_bytes", "public_bytes"]

RSA_BITS = 3072
_MOST_RSA_BITS = 16384
_SEED, _MLKEM_SEED, _MLKEM_PUBLIC, _SCALAR = 32, 64, 1184, 32
_ALLOWED = f"X25519, P-256 or RSA with {RSA_BITS} to {_MOST_RSA_BITS} bits"

_HPKEPrivate = MLKEM768X25519PrivateKey | x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey
_HPKEPublic = MLKEM768X25519PublicKey | x25519.X25519PublicKey | ec.EllipticCurvePublicKey


class Kind(ABC):
    """A sort of key pair, and how a data key is wrapped to its public key.

    It protects the data key from all but the holder of the private key. It leaks nothing but the sort of key. It says
    nothing about who wrapped: anyone with the public key can.

    Examples
    --------
    >>> from modelpriv.keys.kem import KINDS
    >>> kind = KINDS["x-wing"]
    >>> private = kind.generate()
    >>> wrapped = kind.encrypt(kind.public(private), bytes(32), b"an example")
    >>> kind.decrypt(private, wrapped, b"an example") == bytes(32)
    True
    """

    name: ClassVar[str]

    @abstractmethod
    def generate(self) -> bytes:
        """Make a private key."""

    @abstractmethod
    def public(self, private: bytes) -> bytes:
        """Return the public key of a private one; ValueError if it is not one."""

    @abstractmethod
    def check(self, public: bytes) -> None:
        """Raise ValueError unless the bytes are a public key of this kind."""

    @abstractmethod
    def encrypt(self, public: bytes, data_key: bytes, context: bytes) -> bytes:
        """Wrap a data key, bound to its context."""

    @abstractmethod
    def decrypt(self, private: bytes, wrapped: bytes, context: bytes) -> bytes:
        """Unwrap a data key; ValueError where key, context or wrapped key are not those of `encrypt`."""


class _HPKE(Kind):
    """HPKE in base mode, one message; the context is its ``info``."""

    kem: ClassVar[KEM]

    def check(self, public: bytes) -> None:
        # Points of low order give no secret (RFC 7748, section 6.1), and only the exchange finds them.
        self.encrypt(public, bytes(32), b"")

    def encrypt(self, public: bytes, data_key: bytes, context: bytes) -> bytes:
        return self._suite().encrypt(data_key, self._public(public), info=context)

    def decrypt(self, private: bytes, wrapped: bytes, context: bytes) -> bytes:
        try:
            return self._suite().decrypt(wrapped, self._private(private), info=context)
        except InvalidTag:
            raise ValueError("does not open") from None

    def _suite(self) -> Suite:
        return Suite(self.kem, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

    @abstractmethod
    def _private(self, data: bytes) -> _HPKEPrivate: ...

    @abstractmethod
    def _public(self, data: bytes) -> _HPKEPublic: ...


class _XWing(_HPKE):
    """ML-KEM-768 and X25519 together: as safe as the safer of the two, quantum computers or not."""

    name = "x-wing"
    kem = KEM.MLKEM768_X25519

    def generate(self) -> bytes:
        return secrets.token_bytes(_SEED)

    def public(self, private: bytes) -> bytes:
        first, second = self._expand(private)
        return first.public_key().public_bytes_raw() + second.public_key().public_bytes_raw()

    def _private(self, data: bytes) -> MLKEM768X25519PrivateKey:
        return MLKEM768X25519PrivateKey(*self._expand(data))

    def _public(self, data: bytes) -> MLKEM768X25519PublicKey:
        return MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(data[:_MLKEM_PUBLIC]),
            x25519.X25519PublicKey.from_public_bytes(data[_MLKEM_PUBLIC:]),
        )

    @staticmethod
    def _expand(seed: bytes) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        """Expand the seed to both private keys (draft-connolly-cfrg-xwing-kem, section 5.2)."""
        if len(seed) != _SEED:
            raise ValueError("not a seed")
        expanded = shake_256(seed).digest(_MLKEM_SEED + _SCALAR)
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED]),
            x25519.X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED:]),
        )


class _X25519Kind(_HPKE):
    """X25519 alone."""

    name = "x25519"
    kem = KEM.X25519

    def generate(self) -> bytes:
        return x25519.X25519PrivateKey.generate().private_bytes_raw()

    def public(self, private: bytes) -> bytes:
        return self._private(private).public_key().public_bytes_raw()

    def _private(self, data: bytes) -> x25519.X25519PrivateKey:
        return x25519.X25519PrivateKey.from_private_bytes(data)

    def _public(self, data: bytes) -> x25519.X25519PublicKey:
        return x25519.X25519PublicKey.from_public_bytes(data)


class _P256(_HPKE):
    """The curve P-256."""

    name = "p-256"
    kem = KEM.P256

    def generate(self) -> bytes:
        return private_bytes(ec.generate_private_key(ec.SECP256R1()))[1]

    def public(self, private: bytes) -> bytes:
        return public_bytes(self._private(private).public_key())[1]

    def _private(self, data: bytes) -> ec.EllipticCurvePrivateKey:
        if len(data) != _SCALAR:
            raise ValueError("not a scalar")
        return ec.derive_private_key(int.from_bytes(data, "big"), ec.SECP256R1())

    def _public(self, data: bytes) -> ec.EllipticCurvePublicKey:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)


class _RSA(Kind):
    """RSA-OAEP with SHA-256; the context is its label."""

    name = "rsa"

    def generate(self) -> bytes:
        return private_bytes(rsa.generate_private_key(65537, RSA_BITS))[1]

    def public(self, private: bytes) -> bytes:
        return public_bytes(self._private(private).public_key())[1]

    def check(self, public: bytes) -> None:
        self._public(public)

    def encrypt(self, public: bytes, data_key: bytes, context: bytes) -> bytes:
        return self._public(public).encrypt(data_key, self._oaep(context))

    def decrypt(self, private: bytes, wrapped: bytes, context: bytes) -> bytes:
        return self._private(private).decrypt(wrapped, self._oaep(context))

    @staticmethod
    def _oaep(context: bytes) -> padding.OAEP:
        return padding.OAEP(padding.MGF1(SHA256()), SHA256(), label=context)

    @staticmethod
    def _private(data: bytes) -> rsa.RSAPrivateKey:
        key = load_der_private_key(data, None)
        if not isinstance(key, rsa.RSAPrivateKey) or not _has_size(key):
            raise ValueError("not an RSA key of this size")
        return key

    @staticmethod
    def _public(data: bytes) -> rsa.RSAPublicKey:
        key = load_der_public_key(data)
        if not isinstance(key, rsa.RSAPublicKey) or not _has_size(key):
            raise ValueError("not an RSA key of this size")
        return key


KINDS: dict[str, Kind] = {kind.name: kind for kind in (_XWing(), _X25519Kind(), _P256(), _RSA())}
"""Every kind of key pair by its name."""


def private_bytes(key: PrivateKeyTypes) -> tuple[str, bytes]:
    """Return the kind and the bytes of a private key of `cryptography`.

    Raises
    ------
    ParameterError
        Data keys are not wrapped to keys of its sort.
    """
    if isinstance(key, x25519.X25519PrivateKey):
        return _X25519Kind.name, key.private_bytes_raw()
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return _P256.name, key.private_numbers().private_value.to_bytes(_SCALAR, "big")
    if isinstance(key, rsa.RSAPrivateKey) and _has_size(key):
        return _RSA.name, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    raise ParameterError(f"the private key is not of a sort that data keys are wrapped to; allowed: {_ALLOWED}.")


def public_bytes(key: PublicKeyTypes) -> tuple[str, bytes]:
    """Return the kind and the bytes of a public key of `cryptography`.

    Raises
    ------
    ParameterError
        Data keys are not wrapped to keys of its sort.
    """
    if isinstance(key, x25519.X25519PublicKey):
        return _X25519Kind.name, key.public_bytes_raw()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return _P256.name, key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    if isinstance(key, rsa.RSAPublicKey) and _has_size(key):
        return _RSA.name, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    raise ParameterError(f"the public key is not of a sort that data keys are wrapped to; allowed: {_ALLOWED}.")


def _has_size(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> bool:
    return RSA_BITS <= key.key_size <= _MOST_RSA_BITS
