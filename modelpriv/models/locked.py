"""What a wrapped estimator holds until it is opened: ciphertext, a reference to its key, and what it says of itself."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING, Any

from modelpriv import sealing
from modelpriv.errors import KeyUnavailableError, ModelprivError, SealedFileError
from modelpriv.keys import KeyReference, needed, registry, resolve_whole
from modelpriv.sealing import naming

if TYPE_CHECKING:
    from modelpriv.keys import Identity

__all__ = ["Locked", "Unread"]

_KEY_ID = re.compile("[0-9a-f]{8}")


class Locked:
    """The sealed content of an estimator that was not opened yet.

    Parameters
    ----------
    sealed : bytes
        The bytes of a sealed file.
    reference : KeyReference or None
        The keyring that sealed it.
    cloned : bool
        Whether it is a clone, so that what was learnt does not count.
    """

    __slots__ = ("cloned", "fault", "reference", "sealed")

    def __init__(self, sealed: bytes, reference: KeyReference | None, *, cloned: bool = False, fault: str = "") -> None:
        self.sealed, self.reference, self.cloned, self.fault = sealed, reference, cloned, fault

    @classmethod
    def from_state(cls, state: Any) -> Locked:
        """Read what a pickle holds. It never raises: that would take down a registry or a pool of workers."""
        state = state if isinstance(state, dict) else {}
        reference = None
        with contextlib.suppress(Exception):
            # Now, because the keyring that opens the enclosing file is known only while it is being opened.
            if all(map(_KEY_ID.fullmatch, state["key"][0])):  # they are shown, and may be a stranger's text
                reference = KeyReference(*state["key"])
        sealed, fault = state.get("sealed"), _fault(state)
        known = isinstance(sealed, bytes) and not fault
        return cls(sealed if known else b"", reference, cloned=state.get("cloned") is True, fault=fault)

    def to_state(self) -> dict[str, Any]:
        """Return what a pickle holds."""
        key = None if self.reference is None else self.reference.__reduce__()[1]
        return {"version": VERSION, "sealed": self.sealed, "key": key, "cloned": self.cloned}

    def note_needs(self) -> None:
        """Note the keys that it claims to need, for the sealed file that it is written into."""
        for way in self.claimed("stanzas") or ():
            if "key_id" in way:
                needed.note_key((way["key_id"], b""))
        for need in self.claimed("needs") or ():
            needed.note_key((need["key_id"], bytes.fromhex(need["check"])), need["steps"])

    def as_clone(self) -> Locked:
        """Return the same content without what was learnt."""
        return Locked(self.sealed, self.reference, cloned=True)

    def ways_at_hand(self) -> tuple[Any, Identity | None]:
        """Return the reference, if a keyring of this process answers it, and a live identity; no URI is read."""
        reference = self.reference if self.reference is not None and naming.at_hand(self.reference) else None
        return reference, self._live_identity()

    def load(self, key: Any, identity: Identity | None, trust: dict[str, Any]) -> Any:
        """Open the content with a key or an identity, or with what the reference and its URI find.

        Raises
        ------
        KeyUnavailableError
            There is nothing to open it with.
        SealedFileError
            Another version of modelpriv wrote the pickle.
        """
        if self.fault:
            raise SealedFileError(self.fault)
        if key is None and identity is None:
            key, identity = self.reference, self._live_identity()
            if identity is not None and not _resolves(key):
                key = None
            if key is None and identity is None:  # the process's providers are not asked for what a repr shows
                raise KeyUnavailableError("neither its key nor an identity of a recipient is at hand.")
        return sealing.loads(self.sealed, key=key, identity=identity, **trust)

    def claimed(self, field: str) -> Any:
        """Return what the ciphertext says in plain text, unverified; None if it cannot be read."""
        with contextlib.suppress(ModelprivError):
            return getattr(sealing.inspect(io.BytesIO(self.sealed)), field)
        return None

    def parameters(self) -> dict[str, Any]:
        """Return the hyper-parameters that were left readable."""
        return dict((self.claimed("estimator") or {}).get("parameters", {}))

    def wanted(self) -> str:
        """Return what opens it, in words for a message."""
        ways = [] if self.reference is None else [f"key=a Keyring with key id {self.reference.primary}"]
        ways += [f"identity=the identity of recipient {recipient}" for recipient in self._recipients()]
        return " or ".join(ways) or "key=the Keyring that sealed it"

    def __repr__(self) -> str:
        named = self.claimed("estimator")
        unverified = f", unverified: {named['class']!a}" if named else ""
        ways = [] if self.reference is None else [f"key id {self.reference.primary}"]
        ways += [f"the identity of recipient {recipient}" for recipient in self._recipients()]
        needed = " or ".join(ways) or "its key"
        if self.ways_at_hand() == (None, None):
            return f"<locked: {needed}{unverified}>"
        return f"<sealed, with {needed} at hand{unverified}>"

    def _recipients(self) -> list[str]:
        return [stanza["recipient"] for stanza in self.claimed("stanzas") or () if "recipient" in stanza]

    def _live_identity(self) -> Identity | None:
        """Return a live identity of one of the recipients."""
        ids = self._recipients()
        found: Identity | None = registry.find_identity_of(ids) if ids else None
        return found


class Unread:
    """What a locked object shows as its inner estimator."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


VERSION = 1  # of the state that a pickle holds


def _fault(state: dict[str, Any]) -> str:
    """Return what is wrong with the version of a state, or nothing."""
    version = state.get("version")
    if version == VERSION:
        return ""
    if type(version) is int:
        return f"the pickle has state version {version}, but this modelpriv reads {VERSION}: upgrade modelpriv."
    return "the pickle is from a version of modelpriv before 0.1.0, which nothing reads: fit the model again."


def _resolves(key: object) -> bool:
    with contextlib.suppress(ModelprivError):
        naming.referred(key) if isinstance(key, KeyReference) else resolve_whole(key)
        return True
    return False
