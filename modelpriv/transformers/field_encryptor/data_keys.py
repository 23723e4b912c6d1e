"""The data key of one fit, wrapped to public keys: anyone with one of their identities can open the tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelpriv.errors import KeyUnavailableError
from modelpriv.keys import Keyring, stanzas
from modelpriv.keys.derivation import VERSION, enc
from modelpriv.keys.keyring import build
from modelpriv.keys.ring_keys import keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelpriv.keys import Identity, Recipient

__all__ = ["new_data_key", "open_data_keys"]


def new_data_key(recipients: list[Recipient]) -> tuple[Keyring, dict[str, list[dict[str, Any]]]]:
    """Make a data key, and wrap it to each recipient.

    Returns
    -------
    keys : Keyring
        Holds the data key alone.
    wrapped : dict of str to list of dict
        The data key's id and its stanzas, for JSON.
    """
    keys = Keyring.generate()
    (data_key,) = keys_of(keys)
    return keys, {keys.primary: stanzas.wrap(data_key, context=_context(keys.primary), recipients=recipients)}


def open_data_keys(wrapped: Mapping[str, list[dict[str, Any]]], identity: Identity) -> Keyring:
    """Open the data keys that are wrapped to an identity.

    Raises
    ------
    KeyUnavailableError
        None is wrapped to it.
    """
    found, failed = {}, ""
    for key_id, ways in wrapped.items():
        try:
            found[key_id] = stanzas.unwrap(ways, context=_context(key_id), identity=identity)
        except KeyUnavailableError as error:
            failed = f"data key {key_id}: {error}"
    if not found:
        raise KeyUnavailableError(
            failed
            or "There is no wrapped data key to open. To encrypt, pass recipients=[identity.recipient]; to open, set "
            "wrapped_keys_ to what was stored with the table."
        )
    keys = build(list(found.values()))
    if list(keys.key_ids) != list(found):
        raise KeyUnavailableError("wrapped_keys_ was altered: a data key is not the one that its id names.")
    return keys


def _context(key_id: str) -> bytes:
    return enc(VERSION, "fields", bytes.fromhex(key_id))
