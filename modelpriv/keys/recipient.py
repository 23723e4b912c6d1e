"""Recipients: the public key that others seal to, as one line of text."""

from typing import Any, final

from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import kem, pem
from modelpriv.keys.public import PublicKey, read_line, read_public_keys
from modelpriv.keys.text import to_base64

__all__ = ["Recipient", "is_line", "read_recipients"]


@final
class Recipient(PublicKey):
    """A public key that data keys are wrapped to: only the holder of its `Identity` opens what it seals.

    It is one line of text to paste, ``str(recipient)``, that starts with ``modelpriv_recipient_``. It holds no secret,
    so you can put it anywhere. It does not say who wrote: anyone with the line can seal to it. It leaks its id, which
    every file that is sealed to it shows.

    Parameters
    ----------
    text : str
        The line, or a public key in PEM (X25519, P-256, RSA with 3072 bits or more).

    Raises
    ------
    ParameterError
        The text is neither, or cut or mistyped.
    ParameterTypeError
        It is not a str.

    Attributes
    ----------
    kind : {"x-wing", "x25519", "p-256", "rsa"}
        The kind of key.

    Examples
    --------
    >>> from modelpriv.keys import Identity, Recipient
    >>> identity = Identity.generate()
    >>> recipient = Recipient(str(identity.recipient))
    >>> stanza = recipient.wrap(bytes(32), b"an example")
    >>> identity.unwrap(stanza, b"an example") == bytes(32)
    True
    """

    __slots__ = ()

    _word = "recipient"

    @staticmethod
    def _read(text: str) -> tuple[str, bytes]:
        if not isinstance(text, str):
            raise ParameterTypeError(f"a recipient must be a str, got {type(text).__name__}.")
        return pem.read_public(text) if pem.is_pem(text) else read_line("recipient", text, kinds=kem.KINDS)

    @staticmethod
    def _check(kind: str, public: bytes) -> None:
        kem.KINDS[kind].check(public)

    def wrap(self, data_key: bytes, context: bytes) -> dict[str, Any]:
        """Wrap a data key, bound to its context, into a stanza that JSON can hold."""
        wrapped = kem.KINDS[self.kind].encrypt(self._public, data_key, context)
        return {"type": self.kind, "recipient": self.id, "wrapped": to_base64(wrapped)}


def is_line(text: str) -> bool:
    """Return whether a text is meant to be a recipient: its line, or a public key in PEM."""
    return pem.is_pem(text) or text.lstrip().startswith("modelpriv_recipient_")


def read_recipients(recipients: object) -> list[Recipient]:
    """Return the recipients that a parameter names, as objects or as lines of text.

    Raises
    ------
    ParameterError, ParameterTypeError
        It is not a list of recipients, or it is empty.
    """
    found = read_public_keys(Recipient, recipients, "recipients", "For an identity, pass identity.recipient.")
    if not found:
        raise ParameterError("recipients is empty, so no one could ever read what is encrypted. Name at least one.")
    return found
