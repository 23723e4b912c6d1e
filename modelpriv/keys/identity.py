"""Identities: a private key that opens what others sealed to its public one."""

import os
from collections.abc import Mapping
from typing import Any, final

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import container, kem, pem, registry
from modelpriv.keys.opaque import Opaque, fill
from modelpriv.keys.providers import KeyProvider
from modelpriv.keys.recipient import Recipient, read_line, write_line
from modelpriv.keys.text import from_base64

__all__ = ["Identity", "build", "check_identity", "restore"]

_FILE_KIND = "identity"
_SECRET = "secret_identity"  # noqa: S105 - says what follows, so that scanners find it


@final
class Identity(Opaque):
    """A private key: it opens what was sealed to its `Recipient`.

    The default kind, X-Wing, is ML-KEM-768 and X25519 together, so that what is sealed today stays sealed when one of
    the two is broken, by a quantum computer too.

    It protects its key from being seen, like a `Keyring`: not in its repr, nor in errors; a pickle holds the public
    key only, and gives the identity again where it is alive in the process, else its `Recipient`. Worker processes
    that this one started receive the key itself. It leaks its recipient. It does not prove who sealed something.

    Examples
    --------
    >>> from modelpriv.keys import Identity
    >>> identity = Identity.generate()
    >>> identity.recipient.kind
    'x-wing'
    >>> Identity.from_secret(identity.export_secret()).recipient == identity.recipient
    True
    """

    __slots__ = ("_private", "recipient")

    _private: bytes
    recipient: Recipient
    """The public key that belongs to it."""

    def __init__(self) -> None:
        raise ParameterError(
            "an Identity is made by Identity.generate(), Identity.load(path, passphrase=...) or "
            "Identity.from_secret(text)."
        )

    @classmethod
    def generate(cls, kind: str = "x-wing") -> "Identity":
        """Make a new identity.

        Parameters
        ----------
        kind : {"x-wing", "x25519", "p-256", "rsa"}, default="x-wing"
            The sort of key; ``"rsa"`` has 3072 bits.

        Raises
        ------
        ParameterError
            The kind is none of these.
        """
        if kind not in list(kem.KINDS):
            raise ParameterError(f"kind={kind!r} is not one of {', '.join(map(repr, kem.KINDS))}.")
        return build(kind, kem.KINDS[kind].generate())

    @classmethod
    def from_secret(cls, text: str, /) -> "Identity":
        """Read the text that `export_secret` gave.

        Raises
        ------
        ParameterError
            The text is something else, cut, or mistyped; the message does not repeat it.
        """
        return build(*read_line(_SECRET, text))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        passphrase: str | bytes | None = None,
        provider: KeyProvider | None = None,
    ) -> "Identity":
        """Read an identity file: one that `save` wrote, or an encrypted private key in PEM.

        Parameters
        ----------
        path : path-like
            The file; others than its owner must not be able to read it.
        passphrase : str or bytes, optional
            Its passphrase. By default ``MODELPRIV_PASSPHRASE``, or what the function gives that was given to
            `modelpriv.keys.set_passphrase_callback`.
        provider : KeyProvider, optional
            What wraps it, if that is no passphrase. By default one that was given to `modelpriv.keys.set_providers`.

        Raises
        ------
        KeyUnavailableError
            The passphrase is wrong or missing, the provider is not configured, cannot be reached or refuses, or others
            can read the file.
        SealedFileError
            The file is no identity file, not encrypted, cut, altered, or of a later version.
        ParameterError
            The private key is of a sort that is not used.
        OSError
            The file cannot be read.
        """
        content, name = container.read(path), os.fspath(path)
        if pem.is_pem(content.decode(errors="replace")):
            return build(*pem.read_private(content, name, passphrase))
        public, secret = container.open_(content, _FILE_KIND, name=name, passphrase=passphrase, provider=provider)
        identity = cls.from_secret(secret.decode(errors="replace"))
        if public != {"recipient": str(identity.recipient)}:
            raise SealedFileError(f"{name}: the recipient that the file names is not that of its key.")
        return identity

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        passphrase: str | bytes | None = None,
        wrap_with: KeyProvider | None = None,
    ) -> None:
        """Write the identity to a file that only its owner can read, wrapped as `Keyring.save` does.

        The file is replaced whole: after an interruption it is the old one or the new one.

        Raises
        ------
        ParameterError, ParameterTypeError
            There is neither a passphrase nor a provider, or both; the passphrase is empty, or not a text.
        KeyUnavailableError
            The provider cannot be reached, or refuses.
        OSError
            The file cannot be written.
        """
        provider = container.choose_provider(passphrase, wrap_with)
        public, secret = {"recipient": str(self.recipient)}, self.export_secret().encode()
        container.write(path, _FILE_KIND, public, secret, provider=provider)

    def export_secret(self) -> str:
        """Give the private key itself as one line of text: the one way out.

        The text starts with ``modelpriv_secret_identity_``, so that scanners find it where it should not be.
        """
        return write_line(_SECRET, self.recipient.kind, self._private)

    def unwrap(self, stanza: Mapping[str, Any], context: bytes) -> bytes:
        """Give the data key that a stanza wraps to this identity.

        Raises
        ------
        KeyUnavailableError
            The stanza is for another recipient or context, or was altered.
        """
        wrapped = stanza.get("wrapped")
        try:
            data = from_base64(wrapped) if isinstance(wrapped, str) else b""
            return kem.KINDS[self.recipient.kind].decrypt(self._private, data, context)
        except ValueError:
            raise KeyUnavailableError(
                f"what is sealed to recipient {self.recipient.id} does not open: it was altered, or is for another."
            ) from None

    def __repr__(self) -> str:
        return f"<Identity {self.recipient.kind} {self.recipient.id}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (self.recipient,)

    def __getstate__(self) -> Recipient:
        """Give the public key: Python's own would give the slots, and with them the private key."""
        return self.recipient


def build(kind: str, private: bytes) -> Identity:
    """Make an identity of a private key."""
    try:
        public = kem.KINDS[kind].public(private)
    except ValueError:
        raise ParameterError(f"the text does not hold a private key of kind {kind!r}.") from None
    identity = object.__new__(Identity)
    fill(identity, _private=private, recipient=Recipient(write_line("recipient", kind, public)))
    registry.register_identity(identity)
    return identity


def check_identity(identity: object) -> Identity:
    """Give back what is an identity, and refuse anything else."""
    if not isinstance(identity, Identity):
        raise ParameterTypeError(
            f"identity must be an Identity, got {type(identity).__name__}: Identity.load(path) reads one."
        )
    return identity


def restore(recipient: Recipient) -> Identity | Recipient:
    """Rebuild what a pickle holds of an identity: the identity where it is alive, else its recipient."""
    return registry.find_identity(recipient) or recipient
