"""What `Recipient` and `Signer` share: a public key as one line of text."""

import os
from abc import abstractmethod
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from modelpriv._core import events, files
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys.derivation import VERSION, enc
from modelpriv.keys.opaque import Opaque, fill
from modelpriv.keys.parameter import NotAKey
from modelpriv.keys.text import from_line, to_line

__all__ = ["PublicKey", "read_line", "read_public_keys", "write_line"]

_LARGEST = 1 << 16
_ID_LENGTH = 8
_LINE_VERSION = 1

Key = TypeVar("Key", bound="PublicKey")


class PublicKey(Opaque):
    """A public key of some kind, and the line of text that it is pasted, saved and pickled as."""

    __slots__ = ("_public", "kind")

    _word: ClassVar[str]  # what it is: begins its line and separates its ids from those of others
    kind: str
    """The kind of key."""
    _public: bytes

    def __init__(self, text: str) -> None:
        kind, public = self._read(text)
        try:
            self._check(kind, public)
        except ValueError:
            raise ParameterError(f"the {self._word} does not hold a public key of kind {kind!r}.") from None
        fill(self, kind=kind, _public=public)

    @staticmethod
    @abstractmethod
    def _read(text: str) -> tuple[str, bytes]:
        """Return the kind and the bytes that a text holds."""

    @staticmethod
    @abstractmethod
    def _check(kind: str, public: bytes) -> None:
        """Raise `ValueError` for bytes that are not a public key of the kind."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the key from a file that holds what the class takes as text.

        Raises
        ------
        ParameterError
            The file holds something else.
        OSError
            The file cannot be read.
        """
        with Path(path).open("rb") as file:
            return cls(file.read(_LARGEST).decode(errors="replace"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the line to a file."""
        named: dict[str, Any] = {self._word: self.id}
        with events.event("save", type(self).__name__, to=os.fsdecode(path), **named), files.replacing(path) as file:
            file.write(f"{self}\n".encode())

    @property
    def id(self) -> str:
        """The id that files and errors name it by, 16 hexadecimal digits."""
        return sha256(enc(VERSION, self._word, self.kind, self._public)).digest()[:_ID_LENGTH].hex()

    def __str__(self) -> str:
        return write_line(self._word, self.kind, self._public)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind} {self.id}>"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.kind, self._public))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self),)


def read_public_keys(cls: type[Key], values: object, parameter: str, remedy: str) -> list[Key]:
    """Return the public keys that a parameter names, as objects or as lines of text.

    Parameters
    ----------
    cls : type
        `Recipient` or `Signer`.
    values : object
        What was passed.
    parameter : str
        The parameter's name, for the error.
    remedy : str
        What to do where something else is in the list.

    Raises
    ------
    ParameterError, ParameterTypeError
        It is not a list of such keys.
    """
    name = cls.__name__
    if isinstance(values, NotAKey):
        raise ParameterError(values.reason)
    if isinstance(values, str | bytes | cls) or not isinstance(values, Iterable):
        raise ParameterTypeError(
            f"{parameter} must be a list of {name} objects or their lines of text, got {type(values).__name__}. Write "
            f"{parameter}=[...]."
        )
    found = [cls(one) if isinstance(one, str) else one for one in values]
    for one in found:
        if isinstance(one, NotAKey):
            raise ParameterError(one.reason)
        if not isinstance(one, cls):
            raise ParameterTypeError(
                f"{parameter} must hold {name} objects or their lines of text, got {type(one).__name__}. {remedy}"
            )
    return found


def write_line(word: str, kind: str, data: bytes) -> str:
    """Write a key as one line of text that starts with what it is, its kind and the line's version."""
    return to_line(_prefix(word, kind), data)


def read_line(word: str, text: str, *, kinds: Iterable[str]) -> tuple[str, bytes]:
    """Read such a line: its kind, which must be one of ``kinds``, and the key.

    Raises
    ------
    ParameterError
        The text is something else, cut, or mistyped; the message does not repeat it.
    ParameterTypeError
        It is not a str.
    """
    if not isinstance(text, str):
        raise ParameterTypeError(f"the line of text must be a str, got {type(text).__name__}.")
    for kind in kinds:
        if text.lstrip().startswith(_prefix(word, kind).removesuffix(f"{_LINE_VERSION}_")):
            return kind, from_line(_prefix(word, kind), text, name="the line of text")
    raise ParameterError(f"the line of text must start with 'modelpriv_{word}_' and a kind of key; this one does not.")


def _prefix(word: str, kind: str) -> str:
    return f"modelpriv_{word}_{kind.replace('-', '')}_{_LINE_VERSION}_"
