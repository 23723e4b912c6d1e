"""The keys of a whole ring, and the keys that are derived from them for each context and use."""

import secrets
from typing import Any

from modelpriv._core import process
from modelpriv.errors import ParameterError
from modelpriv.keys import derivation, scoped, secret_text
from modelpriv.keys.opaque import fill
from modelpriv.keys.ring import Ring
from modelpriv.keys.scoped import Scope, ScopedKeyring

__all__ = ["RingKeys", "fill_ring", "keys_of", "narrow", "new_key"]


class RingKeys(Ring):
    """A ring that holds its own keys, from which all others are derived; see `modelpriv.keys.derivation`."""

    __slots__ = ("_keys", "_source", "_uri", "distrusted", "retired")

    _keys: dict[str, bytes]
    _source: bytes | None
    _uri: str | None
    distrusted: frozenset[str]
    """The ids of the keys that open tokens but no models; see `Keyring.distrust`."""
    retired: frozenset[str]
    """The ids of the keys that were retired in this process, so that `Keyring.save` may drop them from a file."""

    @property
    def uri(self) -> str | None:
        """The keyring URI that this keyring was fetched from, if it was."""
        return self._uri

    @property
    def source(self) -> bytes | None:
        """The digest of the URI and the bytes that this keyring was fetched from, if it was."""
        return self._source

    def __repr__(self) -> str:
        distrusted = f" distrusted={len(self.distrusted)}" if self.distrusted else ""
        return f"<Keyring primary={self.primary} keys={len(self._keys)}{distrusted}>"

    def __getstate__(self) -> tuple[Any, ...]:
        return *super().__getstate__(), self._uri

    def _held(self) -> secret_text.Held:
        return secret_text.Held(list(self._keys.values()), self.distrusted)

    def working_key(self, use: str, *, context: str, length: int, key_id: str | None = None) -> bytes:
        """Derive the key for one use in one context.

        Parameters
        ----------
        use : str
            One of `modelpriv.keys.derivation.WORKING_USES`.
        context : str
            The context, usually a column's name.
        length : int
            The key's length in bytes.
        key_id : str, optional
            The key to derive from; by default the primary one.

        Raises
        ------
        KeyUnavailableError
            The keyring does not hold the key.
        """
        with self._deriving(use, context, length, key_id):
            return derivation.working_key(derivation.context_key(self._secret(key_id), context), use, length)

    def ring_key(self, use: str, *, length: int, key_id: str | None = None) -> bytes:
        """Derive a key that serves the whole ring.

        Parameters
        ----------
        use : str
            One of `modelpriv.keys.derivation.RING_USES`.
        length : int
            The key's length in bytes.
        key_id : str, optional
            The key to derive from; by default the primary one.

        Raises
        ------
        KeyUnavailableError
            The keyring does not hold the key.
        """
        return derivation.ring_wide_key(self._secret(key_id), use, length)

    def audit_key(self, *, key_id: str | None = None, scope_id: str | None = None) -> bytes:
        """Return the 32-byte key that authenticates an audit log: the ring's, or that of one of its scoped keyrings.

        Raises
        ------
        KeyUnavailableError
            The keyring does not hold the key.
        """
        key = self.ring_key("audit", length=derivation.KEY_LENGTH, key_id=key_id)
        return key if scope_id is None else derivation.scope_audit_key(key, scope_id)

    def _secret(self, key_id: str | None) -> bytes:
        """Return a ring's key by its id."""
        try:
            return self._keys[self.primary if key_id is None else key_id]
        except (KeyError, TypeError):
            raise self._missing("the keyring", key_id) from None


def keys_of(ring: RingKeys) -> list[bytes]:
    """Return the keys themselves, the primary one first: for worker processes and data keys."""
    return list(ring._keys.values())  # noqa: SLF001 - this module's own


def narrow(ring: RingKeys, scope: Scope) -> ScopedKeyring:
    """Return the keyring that holds only the keys of a scope."""
    held = ring._keys  # noqa: SLF001 - this module's own
    context_keys = {
        key_id: {context: derivation.context_key(key, context) for context in scope.contexts}
        for key_id, key in held.items()
    }
    audit_keys = {key_id: ring.audit_key(key_id=key_id, scope_id=scope.id) for key_id in held}
    return scoped.build(ring.fingerprints, scope, context_keys, audit_keys)


def new_key(ring: RingKeys) -> bytes:
    """Make a random key whose id is not in the ring."""
    fresh = secrets.token_bytes(derivation.KEY_LENGTH)
    while derivation.key_id(fresh).hex() in ring.key_ids:  # once in four thousand million times
        fresh = secrets.token_bytes(derivation.KEY_LENGTH)
    return fresh


def fill_ring(
    ring: RingKeys, held: secret_text.Held, retired: frozenset[str], uri: str | None, source: bytes | None
) -> None:
    """Set what a ring holds, once, and let references find it."""
    keys = held.keys
    fingerprints = tuple(map(derivation.fingerprint, keys))
    by_id = {key_id: key for (key_id, _), key in zip(fingerprints, keys, strict=True)}
    if len(by_id) != len(keys):
        raise ParameterError(
            "two keys of the keyring have one key id, so that tokens could not say which one is theirs."
        )
    fill(
        ring,
        _keys=by_id,
        _uri=uri,
        _source=source,
        fingerprints=fingerprints,
        distrusted=held.distrusted,
        retired=retired,
    )
    process.keyrings.add(ring)
