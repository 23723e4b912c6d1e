"""What a serialised object is made of, as far as it can be told without making it."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

KEPT = 4096  # bytes of a value that are kept to be looked at


class Blob(NamedTuple):
    """Bytes, a text or an array's memory: how long it is, its beginning, and of a text how many characters it has."""

    kind: str
    size: int
    head: str | bytes
    characters: int = 0


@dataclass(eq=False)
class Group:
    """A list, tuple or set."""

    items: list[Any] = field(default_factory=list)


@dataclass(eq=False)
class Mapping:
    """A dict."""

    items: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Name:
    """Something that would be imported."""

    text: str


@dataclass(eq=False)
class Made:
    """What a call of something that would be imported gives, with the state that it gets afterwards."""

    name: str
    arguments: Any
    state: Any = None
    added: list[Any] = field(default_factory=list)


def shorten(value: Any) -> Any:
    """Keep of a text or of bytes only what is shown of it."""
    if isinstance(value, str):
        return Blob("text", len(value.encode(errors="surrogatepass")), value[:KEPT], len(value))
    if isinstance(value, bytes | bytearray):
        return Blob("bytes", len(value), bytes(value[:KEPT]))
    return value
