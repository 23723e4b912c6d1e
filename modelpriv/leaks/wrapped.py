"""Wrapped estimators and references to keyrings, known by their state: ciphertext, ids, check values and a URI.

A form is known only if all of it is there and nothing else: anything that is not exactly so is listed in full.
"""

from __future__ import annotations

import re
from typing import Any

from modelpriv.leaks.arrays import bytes_of
from modelpriv.leaks.outline import KEPT, Blob, Group, Made, Mapping, Name, Sealed, class_of, items_of

_WRAPPER = "modelpriv.EncryptedEstimator"
_PLAIN = {_WRAPPER, "builtins.object", "__builtin__.object"}
_KEYRINGS = {"modelpriv.keys.restore_keyring", "modelpriv.keys.KeyReference"}
_KEY_ID = re.compile(r"[0-9a-f]{8}")
_CHECK_VALUE = 16
_URI = re.compile(r"env:[A-Za-z_]\w*|keyring:[^\s/:@]+/[^\s/:]+|file:\S+|(?:vault|pkcs11|aws-kms):\S+")
_PRINTABLE = re.compile(rb"[\t\n\r -~]*")
_SMALL = 2**16


def in_wrapper(node: Made) -> list[Any] | None:
    """Give what a wrapped estimator's pickle shows; None unless its state is ciphertext and a reference to its key."""
    if class_of(node) != _WRAPPER or node.called is not None or node.added or len(node.states) != 1:
        return None
    if not all(item is None or (isinstance(item, Name) and item.text in _PLAIN) for item in items_of(node.arguments)):
        return None
    state = node.states[0]
    if not isinstance(state, Mapping) or not all(isinstance(key, Blob) for key, _ in state.items):
        return None
    said = {key.head: value for key, value in state.items}
    if len(said) != len(state.items) or said.keys() != {"version", "sealed", "key", "cloned"}:
        return None
    sealed, uri = _sealed(said["sealed"]), _key_state(said["key"])
    usual = type(said["version"]) is int and 0 < said["version"] < _SMALL and isinstance(said["cloned"], bool)
    return [sealed, *uri] if usual and sealed is not None and uri is not None else None


def in_keyring(node: Made) -> list[Any] | None:
    """Give what a reference to a keyring shows; None if it is something else."""
    usual = node.name in _KEYRINGS and node.called is None and not node.states and not node.added
    return _key_state(node.arguments) if usual and node.arguments is not None else None


def _sealed(node: Any) -> Sealed | None:
    held = bytes_of(node)
    return held if isinstance(held, Sealed) else None


def _key_state(node: Any) -> list[Any] | None:
    """Give the URI in a reference to a keyring, and its scope; None if it holds anything but ids and check values."""
    if node is None:
        return []
    match items_of(node):
        case [Group(ids), Group(checks), *more] if len(more) <= len(("URI", "scope", "check values")):
            told, of_contexts = more[:2], [check for key in more[2:] for check in _checks_of(key)]
            usual = ids and all(map(_is_id, ids)) and all(map(_is_check_value, [*checks, *of_contexts]))
            return [as_key(one) for one in told if one is not None] if usual else None
    return None


def _checks_of(node: Any) -> list[Any]:
    """Give the check values of each key's contexts, or what is in their place."""
    keys = node.items if isinstance(node, Group) else [node]
    return [check for key in keys for check in (key.items if isinstance(key, Group) else [key])]


def as_key(node: Any) -> Any:
    """Give a text in the place of a key as what says where the key is kept, if it can say that."""
    uri = isinstance(node, Blob) and node.kind == "text" and isinstance(node.head, str) and _URI.fullmatch(node.head)
    return node._replace(kind="key") if uri and node.size < KEPT else node


def _is_id(node: Any) -> bool:
    return isinstance(node, Blob) and isinstance(node.head, str) and _KEY_ID.fullmatch(node.head) is not None


def _is_check_value(node: Any) -> bool:
    held = bytes_of(node)
    return isinstance(held, Blob) and held.size == _CHECK_VALUE and not _PRINTABLE.fullmatch(_as_bytes(held.head))


def _as_bytes(head: str | bytes) -> bytes:
    return head.encode() if isinstance(head, str) else head
