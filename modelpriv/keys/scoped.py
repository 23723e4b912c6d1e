"""A scoped keyring: the keys of some contexts, and no way from them to any other."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import derivation, registry
from modelpriv.keys.opaque import Opaque, fill

__all__ = ["Scope", "ScopedKeyring", "build", "new_scope"]

_ID_LENGTH = 8
ID = re.compile("[0-9a-f]{16}")


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
class ScopedKeyring(Opaque):
    """The keys of some contexts of a keyring: what `Keyring.scoped` and an opened grant give.

    It stands wherever a transformer takes ``key=``, and reads and writes the columns of its contexts, in every table
    that uses these names, exactly as the whole keyring does.

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

    __slots__ = ("_audit_keys", "_context_keys", "fingerprints", "scope")

    _context_keys: Mapping[str, Mapping[str, bytes]]
    _audit_keys: Mapping[str, bytes]
    fingerprints: tuple[registry.Fingerprint, ...]
    """Id and check value of each key of the ring, the primary's first; no secret."""
    scope: Scope
    """What it is for."""

    def __init__(self) -> None:
        raise ParameterError(
            "a ScopedKeyring is made by Keyring.scoped([...]) or Grant.open(identity=..., trusted_signers=[...])."
        )

    @property
    def primary(self) -> str:
        """The id of the ring's primary key, 8 hexadecimal digits."""
        return self.fingerprints[0][0]

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the ring's keys, the primary's first."""
        return tuple(key_id for key_id, _ in self.fingerprints)

    @property
    def contexts(self) -> tuple[str, ...]:
        """The contexts whose keys it holds."""
        return self.scope.contexts

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
        self.scope.check(use, context)
        try:
            context_key = self._context_keys[self.primary if key_id is None else key_id][context]
        except (KeyError, TypeError):
            raise KeyUnavailableError(
                f"the scoped keyring does not hold key id {key_id}; it holds {', '.join(self.key_ids)}. After a "
                "rotation, ask its owner for a new grant."
            ) from None
        return derivation.working_key(context_key, use, length)

    def audit_key(self, *, key_id: str | None = None, scope_id: str | None = None) -> bytes:
        """Give the key of this scope's own audit log; the ring's owner can derive it from the scope's id.

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
            raise KeyUnavailableError(
                f"the scoped keyring does not hold key id {key_id}; it holds {', '.join(self.key_ids)}."
            ) from None

    def __repr__(self) -> str:
        return f"<ScopedKeyring primary={self.primary} contexts={list(self.contexts)!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A reference makes scoped keyrings and a scoped keyring's pickle is a reference: one of the two imports late.
        from modelpriv.keys.reference import restore  # noqa: PLC0415

        return restore, self.__getstate__()

    def __getstate__(self) -> tuple[tuple[str, ...], tuple[bytes, ...], None, Scope]:
        """Give the reference: Python's own would give the slots, and with them the keys."""
        return self.key_ids, tuple(check for _, check in self.fingerprints), None, self.scope


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
    fingerprints: tuple[registry.Fingerprint, ...],
    scope: Scope,
    context_keys: Mapping[str, Mapping[str, bytes]],
    audit_keys: Mapping[str, bytes],
) -> ScopedKeyring:
    """Make a scoped keyring of the contexts' keys by key id and context."""
    made = object.__new__(ScopedKeyring)
    fill(made, fingerprints=fingerprints, scope=scope, _context_keys=context_keys, _audit_keys=audit_keys)
    registry.register_scoped(made)
    return made


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
