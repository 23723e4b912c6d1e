"""How keys reach the worker processes of this process, and no other process.

An ordinary pickle refers to a keyring by its ids. The picklers with which joblib's loky and multiprocessing write
their pipes have a table of their own; what is registered there crosses by value, as bytes over the pipe, in both
directions: no temporary file, no shared memory.

multiprocessing writes connections to other machines with the same pickler. So the bytes are sealed, under a key that
is derived from the secret which a process shares only with the workers it starts: its `authkey`.
"""

import pickle
import secrets
from collections.abc import Callable
from multiprocessing.process import current_process
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from modelpriv._core import compat
from modelpriv._core.discreet import discreet
from modelpriv.errors import KeyUnavailableError
from modelpriv.keys import registry, scoped, secret_text
from modelpriv.keys.derivation import KEY_LENGTH, VERSION, enc
from modelpriv.keys.identity import Identity
from modelpriv.keys.keyring import Keyring, build
from modelpriv.keys.private import read_secret_line, secret_line
from modelpriv.keys.recipient import Recipient
from modelpriv.keys.reference import KeyReference
from modelpriv.keys.ring import Fingerprint
from modelpriv.keys.ring_keys import keys_of
from modelpriv.keys.scoped import Scope, ScopedKeyring
from modelpriv.keys.signing import SigningKey

__all__ = ["dumps", "loads", "register_keys"]

_NONCE = 12

Reduced = tuple[Callable[..., Any], tuple[Any, ...]]


@discreet
def dumps(value: object) -> bytes:
    """Pickle a value for a worker process: everything registered goes by value, at any depth.

    What you give to `compat.register_for_workers` can put its state through this, so that a pipe sees bytes: joblib
    would write a large array that it can see to a file in shared memory.
    """
    return _seal(compat.worker_bytes(value))


@discreet
def loads(data: bytes) -> Any:
    """Unpickle, in the worker process, what `dumps` gave.

    Raises
    ------
    KeyUnavailableError
        It comes from a process that is no relative of this one.
    """
    return pickle.loads(_open(data))  # noqa: S301 - from this very program, as every task that a worker gets


def register_keys() -> None:
    """Register keyrings, references that have one, identities and signing keys."""
    compat.register_for_workers(Keyring, _reduce_keyring)
    compat.register_for_workers(ScopedKeyring, _reduce_scoped)
    compat.register_for_workers(Identity, _reduce_identity)
    compat.register_for_workers(SigningKey, lambda key: _to_relatives(read_secret_line, SigningKey, secret_line(key)))
    compat.register_for_workers(KeyReference, _reduce_reference)


def _reduce_keyring(keyring: Keyring) -> Reduced:
    return _to_relatives(_arrive, secret_text.write(keys_of(keyring), keyring.distrusted), keyring.uri)


def _reduce_reference(reference: KeyReference) -> Reduced:
    keyring = reference.held()
    if keyring is None:
        return reference.__reduce__()
    return _reduce_keyring(keyring) if isinstance(keyring, Keyring) else _reduce_scoped(keyring)


def _arrive(secret: str, uri: str | None) -> Keyring:
    """Take a keyring from the pipe; one that came before, or once went out from here, is taken instead of a second."""
    keyring = build(*secret_text.read(secret), uri=uri)
    return registry.find_same(keyring) or keyring


def _reduce_scoped(keyring: ScopedKeyring) -> Reduced:
    return _to_relatives(_scoped_arrives, keyring.fingerprints, keyring.scope, *scoped.keys_of(keyring))


def _scoped_arrives(
    fingerprints: tuple[Fingerprint, ...],
    scope: Scope,
    context_keys: dict[str, dict[str, bytes]],
    audit_keys: dict[str, bytes],
) -> ScopedKeyring:
    made = scoped.build(fingerprints, scope, context_keys, audit_keys)
    return registry.find_scoped(fingerprints, scope, made.context_checks) or made


def _reduce_identity(identity: Identity) -> Reduced:
    return _to_relatives(_identity_arrives, identity.recipient, secret_line(identity))


def _identity_arrives(recipient: Recipient, secret: str) -> Identity:
    return registry.find_identity(recipient) or read_secret_line(Identity, secret)


@discreet
def _to_relatives(function: Callable[..., Any], *arguments: Any) -> Reduced:
    """Return a call for a worker of this process to make, its arguments sealed."""
    return _called, (_seal(pickle.dumps((function, arguments))),)


@discreet
def _called(data: bytes) -> Any:
    function, arguments = loads(data)
    return function(*arguments)


def _seal(data: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _cipher().encrypt(nonce, data, None)


def _open(data: bytes) -> bytes:
    try:
        return _cipher().decrypt(data[:_NONCE], data[_NONCE:], None)
    except InvalidTag:
        raise KeyUnavailableError(
            "a key or a sealed model came from a process that did not start this one. Between programs, hand on the "
            "sealed file, and the key by its URI."
        ) from None


def _cipher() -> AESGCM:
    # Looked up each time: a worker is told its parent's only after it has started.
    info = enc(VERSION, "workers")
    return AESGCM(HKDF(SHA256(), KEY_LENGTH, salt=None, info=info).derive(bytes(current_process().authkey)))
