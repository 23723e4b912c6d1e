"""What whole and scoped keyrings share: the ids of their keys, and how a pickle refers to them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from modelpriv._core import events
from modelpriv.errors import KeyUnavailableError
from modelpriv.keys.derivation import check_derivation
from modelpriv.keys.opaque import Secret

__all__ = ["Fingerprint", "Ring", "made"]

AnyRing = TypeVar("AnyRing", bound="Ring")

Fingerprint = tuple[str, bytes]
"""A key's id as 8 hexadecimal digits, and its 16-byte check value."""


class Ring(Secret):
    """Keys under ids. The first is the primary one: it protects what is written now.

    It protects its keys from being seen: no repr, error or pickle holds them. It leaks their ids and check values. It
    does not protect the memory of the process.

    Examples
    --------
    >>> from modelpriv.keys import Keyring
    >>> keys = Keyring.generate().rotate()
    >>> keys.key_ids[0] == keys.primary
    True
    """

    __slots__ = ("fingerprints",)

    fingerprints: tuple[Fingerprint, ...]
    """The id and check value of each key, the primary one's first; no secret."""

    @property
    def primary(self) -> str:
        """The id of the primary key, 8 hexadecimal digits."""
        return self.fingerprints[0][0]

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys, the primary one's first."""
        return tuple(key_id for key_id, _ in self.fingerprints)

    def __getstate__(self) -> tuple[Any, ...]:
        """Return what refers to the keyring: ids and check values."""
        return self.key_ids, tuple(check for _, check in self.fingerprints)

    def _deriving(
        self, use: str, context: str, length: int, key_id: str | None
    ) -> AbstractContextManager[events.event | None]:
        """Return the event of a derivation, unless it is a step of another event, such as a transformer's call."""
        check_derivation(use, context, length)
        used = self.primary if key_id is None else key_id
        known = [used] if used in self.key_ids else []
        return events.direct("working_key", type(self).__name__, use=use, context=context, key_ids=known)

    def _missing(self, what: str, key_id: object, remedy: str = "") -> KeyUnavailableError:
        """Return the error for a key id that is not in the ring."""
        return KeyUnavailableError(f"{what} does not hold key id {key_id}; it holds {', '.join(self.key_ids)}.{remedy}")


def made(action: str, make: Callable[[], AnyRing]) -> AnyRing:
    """Make a keyring and record it, unless that is a step of another event."""
    with events.direct(action, "Keyring"):
        ring = make()
        events.note_keys(*ring.key_ids)
        return ring
