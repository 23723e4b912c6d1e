"""The keyrings and identities that are alive in this process, where a pickle finds the one it means."""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from modelpriv.keys.identity import Identity
    from modelpriv.keys.keyring import Keyring
    from modelpriv.keys.recipient import Recipient
    from modelpriv.keys.scoped import Scope, ScopedKeyring

__all__ = [
    "Fingerprint",
    "find",
    "find_identity",
    "find_identity_of",
    "find_same",
    "find_scoped",
    "opened_from",
    "opening",
    "register",
    "register_identity",
    "register_scoped",
]

Fingerprint = tuple[str, bytes]
"""A key's id as 8 hexadecimal digits, and its 16-byte check value."""

# By id(), because a plain dict's operations need no lock that a fork could leave locked; the values are weak.
_live: WeakValueDictionary[int, "Keyring"] = WeakValueDictionary()
_scoped: WeakValueDictionary[int, "ScopedKeyring"] = WeakValueDictionary()
_identities: WeakValueDictionary[int, "Identity"] = WeakValueDictionary()
_opening: ContextVar[tuple["Keyring", ...]] = ContextVar("modelpriv.keys.opening", default=())


def register(keyring: "Keyring") -> None:
    """Let references find a keyring for as long as something else holds it."""
    _live[id(keyring)] = keyring


@contextlib.contextmanager
def opening(keyring: "Keyring | None") -> Iterator[None]:
    """Let the references that are unpickled in this block resolve to ``keyring`` first.

    Parameters
    ----------
    keyring : Keyring or None
        The keyring that opened the sealed file they stand in; None when something else did.
    """
    token = _opening.set(_opening.get() if keyring is None else (keyring, *_opening.get()))
    try:
        yield
    finally:
        _opening.reset(token)


def find(wanted: Sequence[Fingerprint]) -> "Keyring | None":
    """Find the keyring that a reference means: of the files being opened the innermost, else a live one.

    A keyring must hold the referenced primary key, for what was written under it cannot be read with less, and what
    is written next must not fall back to an older key. Among live ones, that with most of the other keys is taken,
    then one with the same primary.
    """
    for keyring in _opening.get():
        if wanted[0] in keyring.fingerprints:
            return keyring
    able = [keyring for keyring in _alive() if wanted[0] in keyring.fingerprints]
    return max(able, key=lambda keyring: _closeness(keyring, wanted), default=None)


def opened_from(source: bytes) -> "Keyring | None":
    """Find the live keyring that was opened from a source with this digest."""
    return next((keyring for keyring in _alive() if keyring.source == source), None)


def find_same(fingerprints: Sequence[Fingerprint], uri: str | None) -> "Keyring | None":
    """Find the live keyring with exactly these keys and this URI."""
    return next((keyring for keyring in _alive() if (keyring.fingerprints, keyring.uri) == (fingerprints, uri)), None)


def register_scoped(keyring: "ScopedKeyring") -> None:
    """Let references find a scoped keyring for as long as something else holds it."""
    _scoped[id(keyring)] = keyring


def find_scoped(wanted: Sequence[Fingerprint], scope: "Scope | None") -> "ScopedKeyring | None":
    """Find a live scoped keyring of the ring whose primary key is wanted: that with this scope, or any if None."""
    live = [keyring for reference in _scoped.valuerefs() if (keyring := reference()) is not None]
    able = (keyring for keyring in live if wanted[0] in keyring.fingerprints)
    return next((keyring for keyring in able if scope in (None, keyring.scope)), None)


def register_identity(identity: "Identity") -> None:
    """Let pickles find an identity for as long as something else holds it."""
    _identities[id(identity)] = identity


def find_identity(recipient: "Recipient") -> "Identity | None":
    """Find the live identity of a recipient."""
    live = (reference() for reference in _identities.valuerefs())
    return next((identity for identity in live if identity is not None and identity.recipient == recipient), None)


def find_identity_of(recipient_ids: Collection[str]) -> "Identity | None":
    """Find a live identity of any of the recipients with these ids."""
    live = (reference() for reference in _identities.valuerefs())
    return next(
        (identity for identity in live if identity is not None and identity.recipient.id in recipient_ids), None
    )


def _closeness(keyring: "Keyring", wanted: Sequence[Fingerprint]) -> tuple[int, bool, bool]:
    held = keyring.fingerprints
    return len(set(held) & set(wanted)), held[0] == wanted[0], len(held) == len(wanted)


def _alive() -> "list[Keyring]":
    """List the live keyrings; in one step, because another thread may make one meanwhile."""
    return [keyring for reference in _live.valuerefs() if (keyring := reference()) is not None]
