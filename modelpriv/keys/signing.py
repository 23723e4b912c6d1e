"""Signing keys and signers: who vouches for a grant or a model. They sign, and open nothing."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from modelpriv._core import files
from modelpriv.errors import ParameterError, ParameterTypeError, SealedFileError, UntrustedError
from modelpriv.keys import container
from modelpriv.keys.derivation import VERSION, enc
from modelpriv.keys.opaque import Opaque, fill
from modelpriv.keys.providers import KeyProvider
from modelpriv.keys.recipient import read_line, write_line
from modelpriv.keys.text import from_base64, to_base64

__all__ = ["Signer", "SigningKey", "blank_signature", "check_signature", "read_signers", "write_signature"]

_FILE_KIND = "signing key"
_PUBLIC, _SECRET = "signer", "secret_signing_key"  # words that begin a line
_LARGEST = 1 << 16
_ID_LENGTH = 8


@dataclass(frozen=True)
class _Kind:
    """A signature scheme; private keys are 32-byte seeds, public ones and signatures the specification's bytes."""

    signature_length: int
    generate: Callable[[], Any]
    private: Callable[[bytes], Any]
    public: Callable[[bytes], Any]


KINDS = {
    "ed25519": _Kind(
        64,
        ed25519.Ed25519PrivateKey.generate,
        ed25519.Ed25519PrivateKey.from_private_bytes,
        ed25519.Ed25519PublicKey.from_public_bytes,
    ),
    "ml-dsa-65": _Kind(
        3309,
        mldsa.MLDSA65PrivateKey.generate,
        mldsa.MLDSA65PrivateKey.from_seed_bytes,
        mldsa.MLDSA65PublicKey.from_public_bytes,
    ),
}


@final
class Signer(Opaque):
    """A public key that says who signed: what `trusted_signers=` takes.

    It is one line of text to paste, ``str(signer)``, that starts with ``modelpriv_signer_``. It holds no secret. It
    protects against grants and models of strangers, as far as you got the line from whom you think. It leaks who
    signed to everyone who sees a signature. It does not open or seal anything.

    Parameters
    ----------
    text : str
        The line.

    Raises
    ------
    ParameterError
        The text is something else, cut or mistyped.
    ParameterTypeError
        It is no text.

    Examples
    --------
    >>> from modelpriv.keys import Signer, SigningKey
    >>> key = SigningKey.generate()
    >>> Signer(str(key.signer)) == key.signer
    True
    """

    __slots__ = ("_public", "kind")

    kind: str
    """The scheme: ``"ed25519"`` or ``"ml-dsa-65"``."""
    _public: bytes

    def __init__(self, text: str) -> None:
        kind, public = read_line(_PUBLIC, text, kinds=KINDS)
        try:
            KINDS[kind].public(public)
        except ValueError:
            raise ParameterError(f"the signer does not hold a public key of kind {kind!r}.") from None
        fill(self, kind=kind, _public=public)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Signer":
        """Read a signer's line from a file.

        Raises
        ------
        ParameterError
            The file holds something else.
        OSError
            It cannot be read.
        """
        with Path(path).open("rb") as file:
            return cls(file.read(_LARGEST).decode(errors="replace"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the line to a file."""
        with files.replacing(path) as file:
            file.write(f"{self}\n".encode())

    @property
    def id(self) -> str:
        """What names the signer in signatures and errors, 16 hexadecimal digits."""
        return sha256(enc(VERSION, "signer", self.kind, self._public)).digest()[:_ID_LENGTH].hex()

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a signature.

        Raises
        ------
        SealedFileError
            It is not this signer's over this message.
        """
        try:
            KINDS[self.kind].public(self._public).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise SealedFileError(
                f"the signature is not that of signer {self.id}, or what was signed was altered."
            ) from None

    def __str__(self) -> str:
        return write_line(_PUBLIC, self.kind, self._public)

    def __repr__(self) -> str:
        return f"<Signer {self.kind} {self.id}>"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Signer) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.kind, self._public))

    def __reduce__(self) -> tuple[type["Signer"], tuple[str]]:
        return Signer, (str(self),)


@final
class SigningKey(Opaque):
    """A private key that signs grants and models, so that others can tell who they are from.

    It is apart from identities, which open: whoever may read need not be able to vouch. ML-DSA-65 withstands a
    quantum computer; its signatures take 3.3 kB, those of Ed25519 64 bytes.

    It protects its key from being seen: not in its repr, nor in errors; a pickle holds its `Signer`. It leaks its
    signer. It does not say that what it signed is harmless.

    Examples
    --------
    >>> from modelpriv.keys import SigningKey
    >>> key = SigningKey.generate()
    >>> key.signer.verify(key.sign(b"a message"), b"a message")
    >>> SigningKey.from_secret(key.export_secret()).signer == key.signer
    True
    """

    __slots__ = ("_private", "signer")

    _private: bytes
    signer: Signer
    """The public key that belongs to it."""

    def __init__(self) -> None:
        raise ParameterError(
            "a SigningKey is made by SigningKey.generate(), SigningKey.load(path, passphrase=...) or "
            "SigningKey.from_secret(text)."
        )

    @classmethod
    def generate(cls, kind: str = "ed25519") -> "SigningKey":
        """Make a new signing key.

        Parameters
        ----------
        kind : {"ed25519", "ml-dsa-65"}, default="ed25519"
            The scheme (RFC 8032, FIPS 204).

        Raises
        ------
        ParameterError
            The kind is none of these.
        """
        if kind not in list(KINDS):
            raise ParameterError(f"kind={kind!r} is not one of {', '.join(map(repr, KINDS))}.")
        return _build(kind, KINDS[kind].generate().private_bytes_raw())

    @classmethod
    def from_secret(cls, text: str, /) -> "SigningKey":
        """Read the text that `export_secret` gave.

        Raises
        ------
        ParameterError
            The text is something else, cut, or mistyped; the message does not repeat it.
        """
        return _build(*read_line(_SECRET, text, kinds=KINDS))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        passphrase: str | bytes | None = None,
        provider: KeyProvider | None = None,
    ) -> "SigningKey":
        """Read a file that `save` wrote; parameters and errors are those of `Identity.load`."""
        name = os.fspath(path)
        public, secret = container.open_(
            container.read(path), _FILE_KIND, name=name, passphrase=passphrase, provider=provider
        )
        key = cls.from_secret(secret.decode(errors="replace"))
        if public != {"signer": str(key.signer)}:
            raise SealedFileError(f"{name}: the signer that the file names is not that of its key.")
        return key

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        passphrase: str | bytes | None = None,
        wrap_with: KeyProvider | None = None,
    ) -> None:
        """Write the key to a file that only its owner can read; parameters and errors are those of `Keyring.save`."""
        provider = container.choose_provider(passphrase, wrap_with)
        public, secret = {"signer": str(self.signer)}, self.export_secret().encode()
        container.write(path, _FILE_KIND, public, secret, provider=provider)

    def export_secret(self) -> str:
        """Give the private key itself as one line of text, ``modelpriv_secret_signing_key_...``: the one way out."""
        return write_line(_SECRET, self.signer.kind, self._private)

    def sign(self, message: bytes) -> bytes:
        """Sign a message; what is signed for one purpose must not be able to be read as another's."""
        return bytes(KINDS[self.signer.kind].private(self._private).sign(message))

    def __repr__(self) -> str:
        return f"<SigningKey {self.signer.kind} {self.signer.id}>"

    def __reduce__(self) -> tuple[type[Signer], tuple[str]]:
        return Signer, (str(self.signer),)

    def __getstate__(self) -> Signer:
        """Give the public key: Python's own would give the slots, and with them the private key."""
        return self.signer


def read_signers(trusted_signers: object, *, parameter: str = "trusted_signers") -> list[Signer]:
    """Give the signers that a parameter names, as objects or as lines of text.

    Raises
    ------
    ParameterError, ParameterTypeError
        It is no list of signers, or names none.
    """
    if isinstance(trusted_signers, str | bytes | Signer) or not isinstance(trusted_signers, Iterable):
        raise ParameterTypeError(
            f"{parameter} must be a list of Signers, got {type(trusted_signers).__name__}. Write {parameter}=[...]."
        )
    found = [Signer(one) if isinstance(one, str) else one for one in trusted_signers]
    for one in found:
        if not isinstance(one, Signer):
            raise ParameterTypeError(
                f"{parameter} must hold Signers or their lines of text, got {type(one).__name__}. Of a signing key, "
                "pass its signer."
            )
    return found


def write_signature(key: object, message: bytes) -> dict[str, str]:
    """Sign a message, and say by whom, for JSON.

    Raises
    ------
    ParameterTypeError
        ``key`` is no signing key.
    """
    if not isinstance(key, SigningKey):
        raise ParameterTypeError(f"sign_with must be a SigningKey, got {type(key).__name__}.")
    return {"signer": key.signer.id, "value": to_base64(key.sign(message))}


def blank_signature(key: SigningKey) -> dict[str, str]:
    """Give what `write_signature` would, but for the signature, of which it has only the length."""
    return {"signer": key.signer.id, "value": to_base64(bytes(KINDS[key.signer.kind].signature_length))}


def check_signature(found: object, message: bytes, trusted: Iterable[Signer]) -> Signer:
    """Check that a message was signed by one of those who are trusted, and give who it was.

    Raises
    ------
    UntrustedError
        There is no signature, or it is a stranger's.
    SealedFileError
        It does not fit.
    """
    if not isinstance(found, Mapping) or set(found) != {"signer", "value"}:
        raise UntrustedError("it is not signed.")
    by_id = {signer.id: signer for signer in trusted}
    signer = by_id.get(found["signer"]) if isinstance(found["signer"], str) else None
    if signer is None:
        raise UntrustedError(
            f"it is not signed by any of the trusted signers ({', '.join(by_id) or 'none given'}), but by a stranger."
        )
    try:
        signature = from_base64(found["value"])
    except (TypeError, ValueError):
        signature = b""
    signer.verify(signature, message)
    return signer


def _build(kind: str, private: bytes) -> SigningKey:
    try:
        public = KINDS[kind].private(private).public_key().public_bytes_raw()
    except ValueError:
        raise ParameterError(f"the text does not hold a signing key of kind {kind!r}.") from None
    key = object.__new__(SigningKey)
    fill(key, _private=private, signer=Signer(write_line(_PUBLIC, kind, public)))
    return key
