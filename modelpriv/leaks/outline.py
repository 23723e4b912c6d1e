"""What a file is made of, as far as it can be told without making it: the nodes that the readers give to the walk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

KEPT = 256  # bytes of a value that are kept to be looked at
_NUMBER = 64  # bytes of the longest integer that is kept; a longer one is only measured


class NotReadError(Exception):
    """A file, or the rest of one, is not read; the text says why, and holds nothing of the file."""


class Blob(NamedTuple):
    """Bytes, a text or an array's memory: its length, its beginning, and how many values or characters it has."""

    kind: str
    size: int
    head: str | bytes
    values: int = 1


@dataclass(eq=False, slots=True)
class Group:
    """A list, tuple or set."""

    items: list[Any] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Mapping:
    """A dict. An entry that a later one replaces is kept too."""

    items: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Name:
    """Something that would be imported."""

    text: str


@dataclass(eq=False, slots=True)
class Made:
    """What a call of something that would be imported gives, with each state that it gets afterwards."""

    name: str
    arguments: Any
    called: Any = None  # what is called, where it is more than a name
    states: list[Any] = field(default_factory=list)
    added: list[Any] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Sealed:
    """A whole sealed model: what anyone can read of it, by its place."""

    readable: list[tuple[str, Any]]


class NotRead(NamedTuple):
    """A part of a file that was not read, and why."""

    reason: str
    size: int = 0


def shorten(value: Any) -> Any:
    """Keep of a text, of bytes or of a very long integer only what is shown of it."""
    if isinstance(value, str):
        return Blob(kind_of(value), len(value.encode(errors="surrogatepass")), value[:KEPT], len(value))
    if isinstance(value, bytes | bytearray):
        return Blob("bytes", len(value), bytes(value[:KEPT]))
    if type(value) is int and (size := value.bit_length() // 8 + 1) > _NUMBER:
        return Blob("numbers", size, "")
    return value


def kind_of(text: str) -> str:
    """Tell a keyring in plain text from other text."""
    return "secret" if SECRET in text else "text"


SECRET = "modelpriv_secret_"  # noqa: S105 - how the text of an exported key begins


def items_of(node: Any) -> list[Any]:
    """Give the entries of a list or dict, and of anything else none."""
    return node.items if isinstance(node, Group | Mapping) else []


def class_of(node: Made) -> str:
    """Give what is called, or the class that copyreg's helpers make an object of."""
    arguments = items_of(node.arguments)
    if node.name.startswith(("copyreg.", "copy_reg.")) and arguments and isinstance(arguments[0], Name):
        return arguments[0].text
    return node.name
