"""A scoped keyring: the keys of some contexts, and no way from them to any other."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from modelpriv._core import process
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import derivation
from modelpriv.keys.opaque import fill
from modelpriv.keys.ring import Fingerprint, Ring

__all__ = ["ID", "Scope", "ScopedKeyring", "build", "keys_of", "new_scope"]

_ID_LENGTH = 8
ID = re.compile("[0-9a-f]{16}")
_AFTER_ROTATION = " After a rotation, ask its owner for a new grant."


@dataclass(frozen=True, slots=True)
class Scope:
    """What a scoped keyring may be used for: contexts, uses (None: all) and until when (None: for ever).

    It protects nothing by itself: the contexts are held to by mathematics, since no other key is there, uses and
    expiry by this library alone. It leaks the names of the contexts. It does not hold a key.

    Examples
    --------
    >>> from modelpriv.keys import Keyring
    >>> Keyring.generate().scoped(["email"]).scope.contexts
    ('email',)
    """

    contexts: tuple[str, ...]
    uses: tuple[str, ...] | None
    expires: datetime | None
    id: str

    def check(self, use: str, context: str) -> None:
        """Raise `KeyUnavailableError` unless a key for this use in this context is in the scope now."""
        if self.expires is not None and datetime.now(UTC) >= self.expires:
            raise KeyUnavailableError(
                f"the scoped keyring expired at {self.expires:%Y-%m-%d %H:%M:%S} UTC: ask its owner for a new grant."
            )
        if context not in self.contexts:
            raise KeyUnavailableError(
                f"the scoped keyring does not hold context {context!r}; it holds "
                f"{', '.join(map(repr, self.contexts))}. Ask its owner for a grant of {context!r}, or give the column "
                "one of its contexts with context=."
            )
        if self.uses is not None and use not in self.uses:
            raise KeyUnavailableError(
                f"the scoped keyring is not for use {use!r}; it is for {', '.join(map(repr, self.uses))}."
            )


@final
class ScopedKeyring(Ring):
    """The keys of some contexts of a keyring: what `Keyring.scoped` and an opened grant give.

    You can pass it wherever a transformer takes ``key=``. It reads and writes the columns of its contexts, in every
    table that uses these names, exactly as the whole keyring does.

    It protects the other contexts: their keys are not in it, and cannot be computed from those that are. Like a
    `Keyring` it is not in its repr, errors or pickles, which hold key ids and the scope. It leaks the names of its
    contexts and the ids of the ring's keys. It does not tell reading from writing, does not seal or open models, and
    can be neither saved nor rotated: a grant hands it on.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import FieldEncryptor, Keyring
    >>> keys = Keyring.generate()
    >>> table = pd.DataFrame({"email": ["ada@example.org"], "phone": ["0170"]})
    >>> released = FieldEncryptor(key=keys).fit_transform(table)
    >>> mine = keys.scoped(["email"])
    >>> FieldEncryptor(key=mine).inverse_transform(released[["email"]])["email"][0]
    'ada@example.org'
    >>> FieldEncryptor(key=mine).inverse_transform(released[["phone"]])
    Traceback (most recent call last):
    modelpriv.errors.KeyUnavailableError: the scoped keyring does not hold context 'phone'; ...
    """

    __slots__ = ("_audit_keys", "_context_keys", "scope")

    _context_keys: Mapping[str, Mapping[str, bytes]]
    _audit_keys: Mapping[str, bytes]
    scope: Scope
    """What it is for."""

    def __init__(self) -> None:
        raise ParameterError(
            "a ScopedKeyring is made by Keyring.scoped([...]) or Grant.open(identity=..., trusted_signers=[...])."
        )

    @property
    def contexts(self) -> tuple[str, ...]:
        """The contexts whose keys it holds."""
        return self.scope.contexts

    @property
    def context_checks(self) -> tuple[tuple[bytes, ...], ...]:
        """For each key of the ring, in their order, the check value of each context's key; no secret."""
        return tuple(
            tuple(derivation.context_check(self._context_keys[key_id][context]) for context in self.contexts)
            for key_id in self.key_ids
        )

    @property
    def uri(self) -> None:
        """None: no URI gives a scoped keyring."""
        return

    def working_key(self, use: str, *, context: str, length: int, key_id: str | None = None) -> bytes:
        """Derive the key for one use in one context, as `Keyring.working_key` does.

        Raises
        ------
        KeyUnavailableError
            The context or the use is not in its scope, it expired, or it does not hold the key.
        """
        with self._deriving(use, context, length, key_id):
            self.scope.check(use, context)
            return derivation.working_key(self._context_key(context, key_id), use, length)

    def _context_key(self, context: str, key_id: str | None) -> bytes:
        try:
            return self._context_keys[self.primary if key_id is None else key_id][context]
        except (KeyError, TypeError):
            raise self._missing("the scoped keyring", key_id, _AFTER_ROTATION) from None

    def audit_key(self, *, key_id: str | None = None, scope_id: str | None = None) -> bytes:
        """Return the key of this scope's own audit log; the ring's owner can derive it from the scope's id.

        Raises
        ------
        KeyUnavailableError
            It does not hold the key, or it is asked for that of the ring or of another scope.
        """
        if scope_id != self.scope.id:
            raise KeyUnavailableError(
                "an audit log of the ring, or of another scope, has a key that is not in this one."
            )
        try:
            return self._audit_keys[self.primary if key_id is None else key_id]
        except (KeyError, TypeError):
            raise self._missing("the scoped keyring", key_id, _AFTER_ROTATION) from None

    def __repr__(self) -> str:
        return f"<ScopedKeyring primary={self.primary} contexts={list(self.contexts)!r}>"

    def __getstate__(self) -> tuple[Any, ...]:
        return *super().__getstate__(), None, self.scope, self.context_checks


def new_scope(contexts: Iterable[str], *, uses: Iterable[str] | None = None, expires: datetime | None = None) -> Scope:
    """Check what a scope is to be, and give it an id of its own.

    Raises
    ------
    ParameterError, ParameterTypeError
        A parameter is not allowed.
    """
    names = tuple(dict.fromkeys(_texts("contexts", contexts)))
    used = None if uses is None else tuple(sorted(set(_texts("uses", uses))))
    if unknown := set(used or ()) - derivation.WORKING_USES:
        raise ParameterError(
            f"uses holds {', '.join(map(repr, sorted(unknown)))}; allowed are "
            f"{', '.join(map(repr, sorted(derivation.WORKING_USES)))}."
        )
    if expires is not None and not isinstance(expires, datetime):
        raise ParameterTypeError(f"expires must be a datetime or None, got {type(expires).__name__}.")
    if expires is not None and expires.tzinfo is None:
        raise ParameterError("expires has no time zone. Write datetime(..., tzinfo=UTC).")
    until = None if expires is None else expires.astimezone(UTC).replace(microsecond=0)
    return Scope(names, used, until, secrets.token_hex(_ID_LENGTH))


def build(
    fingerprints: tuple[Fingerprint, ...],
    scope: Scope,
    context_keys: Mapping[str, Mapping[str, bytes]],
    audit_keys: Mapping[str, bytes],
) -> ScopedKeyring:
    """Make a scoped keyring of the contexts' keys by key id and context."""
    made = object.__new__(ScopedKeyring)
    fill(made, fingerprints=fingerprints, scope=scope, _context_keys=context_keys, _audit_keys=audit_keys)
    process.scoped_keyrings.add(made)
    return made


def keys_of(keyring: ScopedKeyring) -> tuple[Mapping[str, Mapping[str, bytes]], Mapping[str, bytes]]:
    """Return the keys themselves: the contexts' by key id and context, the audit keys by key id."""
    return keyring._context_keys, keyring._audit_keys  # noqa: SLF001 - this module's own


def _texts(parameter: str, values: Iterable[str]) -> list[str]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ParameterTypeError(f"{parameter} must be a list of texts, got {type(values).__name__}.")
    found = list(values)
    for value in found:
        if not isinstance(value, str):
            raise ParameterTypeError(f"{parameter} must hold texts, got {type(value).__name__}.")
    if not found or "" in found:
        raise ParameterError(f"{parameter} is empty, or holds an empty text: name at least one.")
    return found
