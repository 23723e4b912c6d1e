"""From a ring's key to the keys that work: HKDF-SHA256 (RFC 5869) over unambiguous encodings.

    context key   HKDF(ring key, no salt, enc("modelpriv/1", "context", context), 32)
    working key   HKDF-Expand(context key, enc("modelpriv/1", use), n)
    ring-wide key HKDF(ring key, no salt, enc("modelpriv/1", "ring", use), n)
    scope's audit HKDF-Expand(ring-wide key "audit" of 32 bytes, enc("modelpriv/1", "audit", scope id), 32)
    check value   HKDF-Expand(context key, enc("modelpriv/1", "check"), 16)

A context's key gives that context's working keys and nothing else: it can be handed on without the ring's.
"""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from modelpriv.errors import ParameterError

__all__ = [
    "KEY_LENGTH",
    "RING_USES",
    "VERSION",
    "WORKING_USES",
    "check_derivation",
    "context_check",
    "context_key",
    "enc",
    "fingerprint",
    "key_id",
    "ring_wide_key",
    "scope_audit_key",
    "working_key",
]

VERSION = "modelpriv/1"
KEY_LENGTH = 32
WORKING_USES = frozenset(
    {
        "siv-deterministic",
        "siv-randomized",
        "ff1",
        "pseudonym",
        "replace",
        "projection",
        "generalize",
        "date-shift",
    }
)
RING_USES = frozenset({"wrap", "audit", "key id"})

_ID_LENGTH, _CHECK_LENGTH = 4, 16


def enc(*items: bytes | str) -> bytes:
    """Join items so that no two different lists give the same bytes: each as a 4-byte big-endian length, then itself.

    Text is encoded as UTF-8 and not normalised.

    Raises
    ------
    ParameterError
        A text holds a lone surrogate, which UTF-8 cannot encode.
    """
    return b"".join([len(item).to_bytes(4, "big") + item for item in map(_to_bytes, items)])


def check_derivation(use: str, context: str, length: int) -> None:
    """Refuse what no working key can be derived for, while no key is in any frame that a traceback can record.

    Raises
    ------
    ParameterError
        ``use`` is not one of `WORKING_USES`, ``context`` is no text that UTF-8 can encode, or ``length`` is too large.
    """
    _check_use(use, WORKING_USES)
    enc(context)
    try:
        HKDFExpand(SHA256(), length, info=None)
    except ValueError:
        raise ParameterError(f"length={length} is more than HKDF-SHA256 can derive, which is 8160 bytes.") from None


def context_key(ring_key: bytes, context: str) -> bytes:
    """Derive the 32-byte key of a context (a column, by its name) from a ring's key."""
    return HKDF(SHA256(), KEY_LENGTH, salt=None, info=enc(VERSION, "context", context)).derive(ring_key)


def working_key(context_key: bytes, use: str, length: int) -> bytes:
    """Derive the key for one use, of ``length`` bytes, from a context's key.

    Raises
    ------
    ParameterError
        ``use`` is not one of `WORKING_USES`.
    """
    _check_use(use, WORKING_USES)
    return HKDFExpand(SHA256(), length, info=enc(VERSION, use)).derive(context_key)


def ring_wide_key(ring_key: bytes, use: str, length: int) -> bytes:
    """Derive a key that serves the whole ring, of ``length`` bytes, from a ring's key.

    Raises
    ------
    ParameterError
        ``use`` is not one of `RING_USES`.
    """
    _check_use(use, RING_USES)
    return HKDF(SHA256(), length, salt=None, info=enc(VERSION, "ring", use)).derive(ring_key)


def scope_audit_key(ring_audit_key: bytes, scope_id: str) -> bytes:
    """Derive the audit key of one scoped keyring, from which the ring's own cannot be computed."""
    return HKDFExpand(SHA256(), KEY_LENGTH, info=enc(VERSION, "audit", scope_id)).derive(ring_audit_key)


def context_check(context_key: bytes) -> bytes:
    """Return the 16 bytes that tell two keys of one context apart, as `fingerprint` tells two ring keys apart.

    They reveal nothing about the key.
    """
    return HKDFExpand(SHA256(), _CHECK_LENGTH, info=enc(VERSION, "check")).derive(context_key)


def key_id(ring_key: bytes) -> bytes:
    """Return the 4 bytes that name a ring's key in every token: a hint, not a proof."""
    return ring_wide_key(ring_key, "key id", _ID_LENGTH)


def fingerprint(ring_key: bytes) -> tuple[str, bytes]:
    """Return a key's id as 8 hexadecimal digits, and the 16 bytes that tell two keys with the same id apart.

    They reveal nothing about the key.
    """
    found = ring_wide_key(ring_key, "key id", _ID_LENGTH + _CHECK_LENGTH)
    return found[:_ID_LENGTH].hex(), found[_ID_LENGTH:]


def _check_use(use: str, allowed: frozenset[str]) -> None:
    if use not in allowed:
        raise ParameterError(f"use={use!r} is not one of {', '.join(map(repr, sorted(allowed)))}.")


def _to_bytes(item: bytes | str) -> bytes:
    if isinstance(item, bytes):
        return item
    try:
        return item.encode()
    except UnicodeEncodeError:
        raise ParameterError("a text holds a lone surrogate, which UTF-8 cannot encode.") from None
