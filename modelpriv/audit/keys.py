"""The keys that authenticate an audit log: one for the owner of a ring, one for the holder of each scope."""

import re

from modelpriv._core import events
from modelpriv.errors import KeyUnavailableError
from modelpriv.keys import AnyKeyring, Keyring, ScopedKeyring, resolve

__all__ = ["LineKeys", "writer_name"]

_BY = re.compile("[0-9a-f]{8}(/[0-9a-f]{16})?")


class LineKeys(dict[str, bytes]):
    """The audit keys of one writer, the ring's owner or the holder of a scope, by the name of the key in a line.

    A whole ring could derive the keys of all scopes. It does not: the holder of a grant could then write in the owner's
    log, or put a log of their own in its place.
    """

    def __init__(self, keyring: AnyKeyring, scope_id: str, source: object = None) -> None:
        super().__init__()
        self.keyring, self._scope_id, self._source = keyring, scope_id, source

    def __repr__(self) -> str:
        return f"<audit keys of {self.keyring!r}>"  # and not what a dict shows

    def __missing__(self, by: str) -> bytes:
        if not _BY.fullmatch(by):
            raise KeyError
        key_id, _, scope_id = by.partition("/")
        if isinstance(self.keyring, Keyring) and scope_id != self._scope_id:
            whose = f"the holder of grant {scope_id}: verify that one's log with grant={scope_id!r}"
            raise KeyUnavailableError(f"it is by {whose if scope_id else 'the owner of the whole ring'}.")
        if key_id not in self.keyring.key_ids:
            self._fetch()
        self[by] = key = self.keyring.audit_key(key_id=key_id, scope_id=scope_id or None)
        return key

    def _fetch(self) -> None:
        """Fetch the keyring again from its URI: it may have been rotated since, and the log by another process."""
        if isinstance(self._source, str):
            with events.unrecorded():
                self.keyring = resolve(self._source)


def writer_name(keyring: AnyKeyring) -> str:
    """Return the name of the key that a keyring writes under: the primary id, and the scope's id if it has one."""
    return f"{keyring.primary}/{keyring.scope.id}" if isinstance(keyring, ScopedKeyring) else keyring.primary
