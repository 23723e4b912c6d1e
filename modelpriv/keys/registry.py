"""The keyrings and identities that are alive in this process, where a pickle finds the one it means.

It knows what these objects offer, not their classes: they register themselves when they are made.
"""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

from modelpriv._core import process
from modelpriv.keys.ring import Fingerprint

__all__ = [
    "find",
    "find_identity",
    "find_identity_of",
    "find_same",
    "find_scoped",
    "has_scoped",
    "opened_from",
    "opening",
]


class _Whole(Protocol):
    """What is asked of a keyring."""

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]: ...
    @property
    def uri(self) -> str | None: ...
    @property
    def source(self) -> bytes | None: ...
    @property
    def distrusted(self) -> frozenset[str]: ...


class _Named(Protocol):
    """What is asked of a recipient."""

    @property
    def id(self) -> str: ...


@contextlib.contextmanager
def opening(keyring: _Whole | None) -> Iterator[None]:
    """Let the references that are unpickled in this block resolve to ``keyring`` first.

    Parameters
    ----------
    keyring : Keyring or None
        The keyring that opened the sealed file around them; None if something else opened it.
    """
    held = process.opening.get()
    token = process.opening.set(held if keyring is None else (keyring, *held))
    try:
        yield
    finally:
        process.opening.reset(token)


def find(wanted: Sequence[Fingerprint]) -> Any:
    """Find the keyring that a reference means: the one that opens the innermost file, else a live one.

    A keyring must hold the referenced primary key: without it, it could not read what was written, and would write
    under an older key. Of several live ones, one that distrusts that key is taken, then the one with most of the other
    keys, then one with the same primary key.
    """
    for keyring in process.opening.get():
        if wanted[0] in keyring.fingerprints:
            return keyring
    able = [keyring for keyring in process.keyrings if wanted[0] in keyring.fingerprints]
    return max(able, key=lambda keyring: _closeness(keyring, wanted), default=None)


def opened_from(source: bytes) -> Any:
    """Find the live keyring that was opened from a source with this digest."""
    return next((keyring for keyring in process.keyrings if keyring.source == source), None)


def find_same(wanted: _Whole) -> Any:
    """Find another live keyring with the same keys, the same trust in them, and the same URI."""

    def content(keyring: _Whole) -> tuple[object, ...]:
        return keyring.fingerprints, keyring.distrusted, keyring.uri

    others = (keyring for keyring in process.keyrings if keyring is not wanted)
    return next((keyring for keyring in others if content(keyring) == content(wanted)), None)


def find_scoped(wanted: Sequence[Fingerprint], scope: object, context_checks: Sequence[tuple[bytes, ...]]) -> Any:
    """Find the live scoped keyring that a reference means: one with this scope, and with these very keys.

    Who makes a grant writes its ring's fingerprints and its scope into it, true or not. The check values of the
    contexts' keys come from the keys themselves, so that a grant with other keys cannot pass for this one.
    """
    if len(wanted) != len(context_checks):
        return None
    keys = set(zip(wanted, context_checks, strict=True))
    able = (keyring for keyring in process.scoped_keyrings if keyring.scope == scope)
    return next((one for one in able if keys <= set(zip(one.fingerprints, one.context_checks, strict=True))), None)


def has_scoped(wanted: Fingerprint) -> bool:
    """Return whether a live scoped keyring says that it comes from the ring with this key."""
    return any(wanted in keyring.fingerprints for keyring in process.scoped_keyrings)


def find_identity(recipient: _Named) -> Any:
    """Find the live identity of a recipient."""
    return next((identity for identity in process.identities if identity.recipient == recipient), None)


def find_identity_of(recipient_ids: Collection[str]) -> Any:
    """Find a live identity of any of the recipients with these ids."""
    return next((identity for identity in process.identities if identity.recipient.id in recipient_ids), None)


def _closeness(keyring: _Whole, wanted: Sequence[Fingerprint]) -> tuple[bool, int, bool, bool]:
    held, distrusts = keyring.fingerprints, wanted[0][0] in keyring.distrusted
    return distrusts, len(set(held) & set(wanted)), held[0] == wanted[0], len(held) == len(wanted)
