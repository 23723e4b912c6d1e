"""The envelope of a sealed file: the stanzas that give its key, in two slots of which one is always whole.

A slot, integers little-endian, filled up with zeros::

     0   8  sequence number
     8   4  length of the stanzas
    12  32  HMAC-SHA256, under the envelope key, over prelude || SHA-256(manifest) || the slot with these 32 bytes zero
    44      stanzas: a canonical JSON list; each wraps the file key for one way to open

Both slots say the same, until a writer dies between the two: then the one with the higher number that is valid counts.
From the file key come the body's and the envelope's key: HKDF-Expand-SHA256(file key, enc("modelpriv/1", "sealed",
"body" or "envelope"), 32). The stanzas are bound to enc("modelpriv/1", "sealed", SHA-256(manifest)).
"""

import contextlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from modelpriv._core import json
from modelpriv.errors import KeyUnavailableError, ModelprivError, ParameterError, SealedFileError
from modelpriv.keys.derivation import VERSION, enc
from modelpriv.sealing.format import layout
from modelpriv.sealing.format.layout import Prelude

Stanza = dict[str, Any]

_HEAD = struct.Struct("<QI32s")
_NO_MAC = bytes(32)
_DAMAGED = "the sealed file's envelope is damaged or was altered, or belongs to another file."


def derive(file_key: bytes, use: str) -> bytes:
    """Derive the key of a file's part, ``"body"`` or ``"envelope"``, from the file key."""
    return HKDFExpand(SHA256(), 32, enc(VERSION, "sealed", use)).derive(file_key)


def wrap_context(manifest: bytes) -> bytes:
    """Give what the stanzas of a file with this manifest are bound to."""
    return enc(VERSION, "sealed", sha256(manifest).digest())


def write(file_key: bytes, stanzas: list[Stanza], *, prelude: Prelude, manifest: bytes, sequence: int = 1) -> bytes:
    """Write one slot.

    Raises
    ------
    ParameterError
        The stanzas do not fit into the slot.
    """
    text = json.dump(stanzas)
    if room(stanzas) > prelude.slot:
        raise ParameterError("a sealed file has no room for so many ways to open it.")
    body = text.ljust(prelude.slot - _HEAD.size, b"\0")
    mac = _mac(file_key, prelude, manifest, _HEAD.pack(sequence, len(text), _NO_MAC) + body)
    return _HEAD.pack(sequence, len(text), mac) + body


def room(stanzas: list[Stanza]) -> int:
    """Give the length that a slot must have for some stanzas."""
    return _HEAD.size + len(json.dump(stanzas))


def slot_for(stanzas: list[Stanza]) -> int:
    """Give the length of the slots of a file that opens with these stanzas: the usual one, or a larger power of two."""
    return max(layout.SLOT, 1 << (room(stanzas) - 1).bit_length())


def read(slot: bytes) -> tuple[int, list[Stanza]]:
    """Read a slot's number and stanzas, as it claims them.

    Raises
    ------
    SealedFileError
        It is empty, half written or damaged.
    """
    try:
        sequence, length, _ = _HEAD.unpack_from(slot)
        stanzas = json.load(slot[_HEAD.size : _HEAD.size + length])
    except (struct.error, ValueError):
        raise SealedFileError(_DAMAGED) from None
    if not isinstance(stanzas, list) or not all(isinstance(stanza, dict) for stanza in stanzas):
        raise SealedFileError(_DAMAGED)
    return sequence, stanzas


@dataclass(frozen=True, repr=False)
class OpenEnvelope:
    """An envelope that is open: the file key, and what the slot that gave it says."""

    file_key: bytes
    slot: bytes
    sequence: int
    stanzas: list[Stanza]


def open_(
    slots: tuple[bytes, bytes], unwrap: Callable[[list[Stanza]], bytes], *, prelude: Prelude, manifest: bytes
) -> OpenEnvelope:
    """Open the newest slot that is valid.

    Raises
    ------
    SealedFileError
        No slot is valid, or neither belongs to this prelude and manifest.
    KeyUnavailableError
        No stanza opens with what the caller has.
    """
    refusals: list[ModelprivError] = []
    for slot in newest_first(slots):
        sequence, stanzas = read(slot)
        try:
            file_key = unwrap(stanzas)
        except (KeyUnavailableError, SealedFileError) as refusal:
            refusals.append(refusal)
            continue
        mac = slot[_HEAD.size - len(_NO_MAC) : _HEAD.size]
        blank = slot[: _HEAD.size - len(_NO_MAC)] + _NO_MAC + slot[_HEAD.size :]
        if hmac.compare_digest(mac, _mac(file_key, prelude, manifest, blank)):
            return OpenEnvelope(file_key, slot, sequence, stanzas)
    raise refusals[0] if refusals else SealedFileError(_DAMAGED)


def newest_first(slots: tuple[bytes, bytes]) -> list[bytes]:
    """Give the slots that can be read, each once, the one with the highest number first.

    Raises
    ------
    SealedFileError
        There is none.
    """
    numbers = {}
    for slot in slots:
        with contextlib.suppress(SealedFileError):
            numbers[slot] = read(slot)[0]
    if not numbers:
        raise SealedFileError(_DAMAGED)
    return sorted(numbers, key=numbers.__getitem__, reverse=True)


def _mac(file_key: bytes, prelude: Prelude, manifest: bytes, slot: bytes) -> bytes:
    return hmac.digest(derive(file_key, "envelope"), bytes(prelude) + sha256(manifest).digest() + slot, "sha256")
