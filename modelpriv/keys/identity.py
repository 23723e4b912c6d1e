"""Identities: a private key that opens what others sealed to its public one."""

from collections.abc import Mapping
from typing import Any, final

from modelpriv._core import events, process
from modelpriv._core.checks import OneOf, check
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import kem, pem
from modelpriv.keys.private import PrivateKey, fill_private
from modelpriv.keys.providers import KeyProvider
from modelpriv.keys.public import read_line, write_line
from modelpriv.keys.recipient import Recipient
from modelpriv.keys.text import from_base64

__all__ = ["Identity", "build", "check_identity"]


@final
class Identity(PrivateKey):
    """A private key: it opens what was sealed to its `Recipient`.

    The default kind, X-Wing, combines ML-KEM-768 and X25519: what you seal today stays sealed if one of the two is
    broken, by a quantum computer too.

    It protects its key from being seen, like a `Keyring`: it is not in its repr, nor in errors. A pickle holds the
    public key only; unpickled, it is the identity again where that is alive in the process, else its `Recipient`.
    Worker processes that this one started receive the key itself. It leaks its recipient. It does not prove who sealed
    something.

    Attributes
    ----------
    recipient : Recipient
        The public key that belongs to it.

    Examples
    --------
    >>> from modelpriv.keys import Identity
    >>> identity = Identity.generate()
    >>> identity.recipient.kind
    'x-wing'
    >>> Identity.from_secret(identity.export_secret()).recipient == identity.recipient
    True
    """

    __slots__ = ("recipient",)

    _word = "secret_identity"
    _file_kind = "identity"
    _public_name = "recipient"
    recipient: Recipient

    def __init__(self) -> None:
        raise ParameterError(
            "an Identity is made by Identity.generate(), Identity.load(path, passphrase=...), "
            "Identity.from_uri(uri) or Identity.from_secret(text)."
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
        ParameterError, ParameterTypeError
            The kind is something else.
        """
        check("kind", kind, OneOf(*kem.KINDS))
        return cls._made("generate", lambda: build(kind, kem.KINDS[kind].generate()))

    @classmethod
    def from_secret(cls, text: str, /) -> "Identity":
        """Read the text that `export_secret` gave.

        Raises
        ------
        ParameterError
            The text is something else, cut, or mistyped; the message does not repeat it.
        """
        return cls._made("from_secret", lambda: cls._read(text))

    @classmethod
    def _read(cls, text: str) -> "Identity":
        return build(*read_line(cls._word, text, kinds=kem.KINDS))

    @classmethod
    def _open(
        cls, content: bytes, name: str, passphrase: str | bytes | None, provider: KeyProvider | None
    ) -> "Identity":
        """Open an identity file, or an encrypted private key in PEM."""
        if pem.is_pem(content.decode(errors="replace")):
            return build(*pem.read_private(content, name, passphrase))
        return super()._open(content, name, passphrase, provider)

    def unwrap(self, stanza: Mapping[str, Any], context: bytes) -> bytes:
        """Return the data key that a stanza wraps to this identity.

        Raises
        ------
        KeyUnavailableError
            The stanza is for another recipient or context, or was altered.
        """
        with events.direct("unwrap", "Identity", recipient=self.recipient.id):
            return self._unwrap(stanza.get("wrapped"), context)

    def _unwrap(self, wrapped: object, context: bytes) -> bytes:
        try:
            data = from_base64(wrapped) if isinstance(wrapped, str) else b""
            return kem.KINDS[self.recipient.kind].decrypt(self._private, data, context)
        except ValueError:
            raise KeyUnavailableError(
                f"what is sealed to recipient {self.recipient.id} does not open: it was altered, or is for another."
            ) from None


def build(kind: str, private: bytes) -> Identity:
    """Make an identity of a private key."""
    try:
        public = kem.KINDS[kind].public(private)
    except ValueError:
        raise ParameterError(f"the text does not hold a private key of kind {kind!r}.") from None
    identity = object.__new__(Identity)
    fill_private(identity, private, Recipient(write_line("recipient", kind, public)))
    process.identities.add(identity)
    return identity


def check_identity(identity: object) -> Identity:
    """Return an identity as it is, and refuse anything else."""
    if not isinstance(identity, Identity):
        raise ParameterTypeError(
            f"identity must be an Identity, got {type(identity).__name__}: Identity.load(path) reads one."
        )
    return identity
