"""Recipients: the public key that others seal to, as one line of text."""

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, final

from modelpriv._core import files
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import kem, pem
from modelpriv.keys.derivation import VERSION, enc
from modelpriv.keys.opaque import Opaque, fill
from modelpriv.keys.text import from_line, to_base64, to_line

__all__ = ["Recipient", "is_line", "read_line", "read_recipients", "write_line"]

_LARGEST = 1 << 16
_ID_LENGTH = 8
_VERSION = 1


@final
class Recipient(Opaque):
    """A public key that data keys are wrapped to: what it seals, only the holder of its `Identity` opens.

    It is one line of text to paste, `str(recipient)`; a line that starts with ``modelpriv_recipient_``. It holds no
    secret and may stand anywhere. It does not say who wrote: whoever has it can seal to it. A stanza leaks the
    recipient's id, so that all that is sealed to one recipient can be told.

    Parameters
    ----------
    text : str
        The line, or a public key in PEM (X25519, P-256, RSA with 3072 bits and more).

    Raises
    ------
    ParameterError
        The text is neither, or cut or mistyped.
    ParameterTypeError
        It is no text.

    Examples
    --------
    >>> from modelpriv.keys import Identity, Recipient
    >>> identity = Identity.generate()
    >>> recipient = Recipient(str(identity.recipient))
    >>> stanza = recipient.wrap(bytes(32), b"an example")
    >>> identity.unwrap(stanza, b"an example") == bytes(32)
    True
    """

    __slots__ = ("_public", "kind")

    kind: str
    """The sort of key: ``"x-wing"``, ``"x25519"``, ``"p-256"`` or ``"rsa"``."""
    _public: bytes

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise ParameterTypeError(f"a recipient must be a str, got {type(text).__name__}.")
        kind, public = pem.read_public(text) if pem.is_pem(text) else read_line("recipient", text)
        try:
            kem.KINDS[kind].check(public)
        except ValueError:
            raise ParameterError(f"the recipient does not hold a public key of kind {kind!r}.") from None
        fill(self, kind=kind, _public=public)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Recipient":
        """Read a recipient from a file: its line, or a public key in PEM.

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
        """What names the recipient in stanzas and errors, 16 hexadecimal digits."""
        return sha256(enc(VERSION, "recipient", self.kind, self._public)).digest()[:_ID_LENGTH].hex()

    def wrap(self, data_key: bytes, context: bytes) -> dict[str, Any]:
        """Wrap a data key, bound to its context, into a stanza that JSON can hold."""
        wrapped = kem.KINDS[self.kind].encrypt(self._public, data_key, context)
        return {"type": self.kind, "recipient": self.id, "wrapped": to_base64(wrapped)}

    def __str__(self) -> str:
        return write_line("recipient", self.kind, self._public)

    def __repr__(self) -> str:
        return f"<Recipient {self.kind} {self.id}>"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Recipient) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.kind, self._public))

    def __reduce__(self) -> tuple[type["Recipient"], tuple[str]]:
        return Recipient, (str(self),)


def is_line(text: str) -> bool:
    """Tell whether a text means to be a recipient: its line, or a public key in PEM."""
    return pem.is_pem(text) or text.lstrip().startswith("modelpriv_recipient_")


def read_recipients(recipients: object) -> list[Recipient]:
    """Give the recipients that a parameter names, as objects or as lines of text.

    Raises
    ------
    ParameterError, ParameterTypeError
        It is no list of recipients, or names none.
    """
    if isinstance(recipients, str | bytes | Recipient) or not isinstance(recipients, Iterable):
        raise ParameterTypeError(
            f"recipients must be a list of Recipients or their lines, got {type(recipients).__name__}. Write "
            "recipients=[...]."
        )
    found = [Recipient(one) if isinstance(one, str) else one for one in recipients]
    for one in found:
        if not isinstance(one, Recipient):
            raise ParameterTypeError(
                f"recipients must hold Recipients or their lines of text, got {type(one).__name__}. Of an identity, "
                f"pass identity.recipient."
            )
    if not found:
        raise ParameterError("recipients is empty, so nobody could ever read what is encrypted. Name at least one.")
    return found


def write_line(what: str, kind: str, data: bytes) -> str:
    """Give a key as one line of text that starts with what it is, its kind and the line's version."""
    return to_line(_prefix(what, kind), data)


def read_line(what: str, text: str, *, kinds: Iterable[str] = kem.KINDS) -> tuple[str, bytes]:
    """Read such a line: its kind, which must be one of ``kinds``, and the key.

    Raises
    ------
    ParameterError
        The text is something else, cut, or mistyped; the message does not repeat it.
    ParameterTypeError
        It is no text.
    """
    if not isinstance(text, str):
        raise ParameterTypeError(f"the line of text must be a str, got {type(text).__name__}.")
    for kind in kinds:
        if text.lstrip().startswith(_prefix(what, kind).removesuffix(f"{_VERSION}_")):
            return kind, from_line(_prefix(what, kind), text, name="the line of text")
    raise ParameterError(f"the line of text must start with 'modelpriv_{what}_' and a kind of key; this one does not.")


def _prefix(what: str, kind: str) -> str:
    return f"modelpriv_{what}_{kind.replace('-', '')}_{_VERSION}_"
