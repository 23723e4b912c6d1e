"""How keys reach the worker processes of this one, and nobody else.

An ordinary pickle refers to a keyring by its ids. The picklers with which joblib's loky and multiprocessing write
their pipes have a table of their own; what is registered there crosses by value, as bytes over the pipe, in both
directions: no temporary file, no shared memory. It keeps keys and plaintext off the disk; it does not protect the pipe.
"""

import pickle
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

from joblib.externals.loky.backend import reduction as loky

from modelpriv.keys import registry, scoped
from modelpriv.keys.identity import Identity
from modelpriv.keys.keyring import Keyring, build, read_secret, write_secret
from modelpriv.keys.recipient import Recipient
from modelpriv.keys.reference import KeyReference
from modelpriv.keys.scoped import Scope, ScopedKeyring
from modelpriv.keys.signing import SigningKey

__all__ = ["dumps", "loads", "register", "register_keys"]

T = TypeVar("T")
Reduced = tuple[Callable[..., Any], tuple[Any, ...]]


def register(cls: type[T], reduce: Callable[[T], Reduced]) -> None:
    """Let objects of a class cross to worker processes in a form of their own.

    Parameters
    ----------
    cls : type
        The class itself; its subclasses are not meant.
    reduce : callable
        Takes an object and gives what ``__reduce__`` would: a function that the worker can import, and its arguments.
    """
    loky.register(cls, reduce)
    ForkingPickler.register(cls, reduce)


def dumps(value: object) -> bytes:
    """Pickle a value for a worker process: all that is registered goes by value, whatever it stands in.

    What `register` is given can put its state through this, so that a pipe sees bytes: joblib would write a large
    array that it can see to a file in shared memory.
    """
    return bytes(loky.dumps(value))


def loads(data: bytes) -> Any:
    """Unpickle, in the worker process, what `dumps` gave."""
    return pickle.loads(data)  # noqa: S301 - from the pipe of this very program, as every task that a worker gets


def register_keys() -> None:
    """Register keyrings, references that have one, identities and signing keys."""
    register(Keyring, _reduce_keyring)
    register(ScopedKeyring, _reduce_scoped)
    register(Identity, _reduce_identity)
    register(SigningKey, lambda key: (SigningKey.from_secret, (key.export_secret(),)))
    register(KeyReference, _reduce_reference)


def _reduce_keyring(keyring: Keyring) -> Reduced:
    return _arrive, (write_secret(keyring), keyring.uri)


def _reduce_reference(reference: KeyReference) -> Reduced:
    keyring = reference.held()
    if keyring is None:
        return reference.__reduce__()
    return _reduce_keyring(keyring) if isinstance(keyring, Keyring) else _reduce_scoped(keyring)


def _arrive(secret: str, uri: str | None) -> Keyring:
    """Take a keyring from the pipe; one that came before, or once went out from here, is taken instead of a second."""
    keyring = build(read_secret(secret), uri=uri)
    return registry.find_same(keyring.fingerprints, uri) or keyring


def _reduce_scoped(keyring: ScopedKeyring) -> Reduced:
    context_keys, audit_keys = keyring._context_keys, keyring._audit_keys  # noqa: SLF001 - this is their way out
    return _scoped_arrives, (keyring.fingerprints, keyring.scope, context_keys, audit_keys)


def _scoped_arrives(
    fingerprints: tuple[registry.Fingerprint, ...],
    scope: Scope,
    context_keys: dict[str, dict[str, bytes]],
    audit_keys: dict[str, bytes],
) -> ScopedKeyring:
    return registry.find_scoped(fingerprints, scope) or scoped.build(fingerprints, scope, context_keys, audit_keys)


def _reduce_identity(identity: Identity) -> Reduced:
    return _identity_arrives, (identity.recipient, identity.export_secret())


def _identity_arrives(recipient: Recipient, secret: str) -> Identity:
    return registry.find_identity(recipient) or Identity.from_secret(secret)
