"""Signing keys and signers: they say who wrote a grant or a model, and open nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from modelpriv._core import events
from modelpriv._core.checks import OneOf, check
from modelpriv.errors import ParameterError, ParameterTypeError, SealedFileError, UntrustedError
from modelpriv.keys.private import PrivateKey, fill_private
from modelpriv.keys.public import PublicKey, read_line, read_public_keys, write_line
from modelpriv.keys.text import from_base64, to_base64

__all__ = ["KINDS", "Signer", "SigningKey", "blank_signature", "check_signature", "read_signers", "write_signature"]


@dataclass(frozen=True)
class _Scheme:
    """A signature scheme; private keys are 32-byte seeds, public ones and signatures the specification's bytes."""

    signature_length: int
    generate: Callable[[], Any]
    private: Callable[[bytes], Any]
    public: Callable[[bytes], Any]


KINDS = {
    "ed25519": _Scheme(
        64,
        ed25519.Ed25519PrivateKey.generate,
        ed25519.Ed25519PrivateKey.from_private_bytes,
        ed25519.Ed25519PublicKey.from_public_bytes,
    ),
    "ml-dsa-65": _Scheme(
        3309,
        mldsa.MLDSA65PrivateKey.generate,
        mldsa.MLDSA65PrivateKey.from_seed_bytes,
        mldsa.MLDSA65PublicKey.from_public_bytes,
    ),
}


@final
class Signer(PublicKey):
    """A public key that tells who signed: what `trusted_signers=` takes.

    It is one line of text to paste, ``str(signer)``, that starts with ``modelpriv_signer_``. It holds no secret. It
    protects against grants and models of strangers, if you got the line from the person you think of. It leaks who
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
        It is not a str.

    Attributes
    ----------
    kind : {"ed25519", "ml-dsa-65"}
        The scheme.

    Examples
    --------
    >>> from modelpriv.keys import Signer, SigningKey
    >>> key = SigningKey.generate()
    >>> Signer(str(key.signer)) == key.signer
    True
    """

    __slots__ = ()

    _word = "signer"

    @staticmethod
    def _read(text: str) -> tuple[str, bytes]:
        return read_line("signer", text, kinds=KINDS)

    @staticmethod
    def _check(kind: str, public: bytes) -> None:
        KINDS[kind].public(public)

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
                f"the signature is not that of signer {self.id}, or the signed content was altered."
            ) from None


@final
class SigningKey(PrivateKey):
    """A private key that signs grants and models, so that others can tell who wrote them.

    It is separate from identities, which open: a reader need not be able to sign. ML-DSA-65 withstands a quantum
    computer; its signatures take 3.3 kB, those of Ed25519 64 bytes.

    It protects its key from being seen: it is not in its repr, nor in errors, and a pickle holds its `Signer`. It leaks
    its signer. It does not say that what it signed is harmless.

    Attributes
    ----------
    signer : Signer
        The public key that belongs to it.

    Examples
    --------
    >>> from modelpriv.keys import SigningKey
    >>> key = SigningKey.generate()
    >>> key.signer.verify(key.sign(b"a message"), b"a message")
    >>> SigningKey.from_secret(key.export_secret()).signer == key.signer
    True
    """

    __slots__ = ("signer",)

    _word = "secret_signing_key"
    _file_kind = "signing key"
    _public_name = "signer"
    signer: Signer

    def __init__(self) -> None:
        raise ParameterError(
            "a SigningKey is made by SigningKey.generate(), SigningKey.load(path, passphrase=...), "
            "SigningKey.from_uri(uri) or SigningKey.from_secret(text)."
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
        ParameterError, ParameterTypeError
            The kind is something else.
        """
        check("kind", kind, OneOf(*KINDS))
        return cls._made("generate", lambda: _build(kind, KINDS[kind].generate().private_bytes_raw()))

    @classmethod
    def from_secret(cls, text: str, /) -> "SigningKey":
        """Read the text that `export_secret` gave.

        Raises
        ------
        ParameterError
            The text is something else, cut, or mistyped; the message does not repeat it.
        """
        return cls._made("from_secret", lambda: cls._read(text))

    @classmethod
    def _read(cls, text: str) -> "SigningKey":
        return _build(*read_line(cls._word, text, kinds=KINDS))

    def sign(self, message: bytes) -> bytes:
        """Sign a message. Begin it with what it is for, so that it cannot be taken for another one."""
        with events.direct("sign", "SigningKey", signer=self.signer.id):
            return bytes(KINDS[self.signer.kind].private(self._private).sign(message))


def read_signers(trusted_signers: object, *, parameter: str = "trusted_signers") -> list[Signer]:
    """Return the signers that a parameter names, as objects or as lines of text.

    Raises
    ------
    ParameterError, ParameterTypeError
        It is not a list of signers.
    """
    return read_public_keys(Signer, trusted_signers, parameter, "For a signing key, pass its signer.")


def write_signature(key: object, message: bytes) -> dict[str, str]:
    """Sign a message, and say by whom, for JSON.

    Raises
    ------
    ParameterTypeError
        ``key`` is not a signing key.
    """
    if not isinstance(key, SigningKey):
        raise ParameterTypeError(f"sign_with must be a SigningKey, got {type(key).__name__}.")
    return {"signer": key.signer.id, "value": to_base64(key.sign(message))}


def blank_signature(key: SigningKey) -> dict[str, str]:
    """Return what `write_signature` would, with zeros of the same length for the signature."""
    return {"signer": key.signer.id, "value": to_base64(bytes(KINDS[key.signer.kind].signature_length))}


def check_signature(found: object, message: bytes, trusted: Iterable[Signer]) -> Signer:
    """Check that a trusted signer signed a message, and return which.

    Raises
    ------
    UntrustedError
        There is no signature, or it is a stranger's.
    SealedFileError
        It does not match the message.
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
    fill_private(key, private, Signer(write_line("signer", kind, public)))
    return key
