"""The envelope of a sealed file: the stanzas that give its key, in two slots so that one is always whole.

A slot, integers little-endian, filled up with zeros::

     0   8  sequence number, at most 2**32
     8   4  length of the stanzas
    12  32  HMAC-SHA256, under the envelope key, over prelude || SHA-256(manifest) || the slot with these 32 bytes zero
    44      stanzas: a canonical JSON list; each wraps the file key for one way to open

Both slots say the same, until a writer dies between the two: then the valid one with the higher number counts.

From the file key come the keys of body and envelope: HKDF-Expand-SHA256(file key, enc("modelpriv/1", "sealed", "body"
or "envelope"), 32).

Everyone who could ever open a file knows its file key, and can encrypt another body with it. So a stanza vouches for
more than the key. It is bound to enc("modelpriv/1", "sealed", SHA-256(manifest), origin), and the manifest's origin is
the rule that the maker of the stanza followed::

    sole     the file key was never wrapped for anyone but the holders of this secret: one keyring, or one passphrase
    shared   several keyrings and passphrases open the file; the stanza is also bound to the digest of the body
    signed   recipients or providers open the file too, or it is signed; only a signature vouches for the body

The digest follows as a fifth item of enc, and is the stanza's field "body". A stanza that `rewrap` adds to a sole file,
for a newer key of the same keyring, is bound to the body too: it stays safe if the older key leaks.
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

LAST = 2**32  # the highest sequence number: no one rewraps so often, but a hostile file could start there
_HEAD = struct.Struct("<QI32s")
_NO_MAC = bytes(32)
_DAMAGED = "the sealed file's envelope is damaged or was altered, or belongs to another file."


def derive(file_key: bytes, use: str) -> bytes:
    """Derive the key of a file's part, ``"body"`` or ``"envelope"``, from the file key."""
    return HKDFExpand(SHA256(), 32, enc(VERSION, "sealed", use)).derive(file_key)


def wrap_context(manifest: bytes, origin: str) -> bytes:
    """Give what the stanzas of a file with this manifest, and the origin in it, are bound to."""
    return enc(VERSION, "sealed", sha256(manifest).digest(), origin)


def write(file_key: bytes, stanzas: list[Stanza], *, prelude: Prelude, manifest: bytes, sequence: int = 1) -> bytes:
    """Write one slot.

    Raises
    ------
    ParameterError
        The stanzas do not fit into the slot, or its sequence number is above the highest.
    """
    text = json.dump(stanzas)
    if room(stanzas) > min(prelude.slot, layout.LARGEST_SLOT):
        raise ParameterError("the sealed file has no room for so many ways to open it: remove some.")
    if sequence > LAST:
        raise ParameterError("the sealed file cannot be rewrapped any more: write it again with rekey.")
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
    """Read the number and the stanzas of a slot, as it claims them.

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
    if sequence > LAST or not isinstance(stanzas, list) or not all(isinstance(stanza, dict) for stanza in stanzas):
        raise SealedFileError(_DAMAGED)
    return sequence, stanzas


@dataclass(frozen=True, repr=False)
class OpenEnvelope:
    """An envelope that is open: the file key, the stanza that gave it, and what the slot around that stanza says."""

    file_key: bytes
    stanza: Stanza
    slot: bytes
    sequence: int
    stanzas: list[Stanza]
    damaged: bool
    """Whether the other slot is not authentic."""


def open_(
    slots: tuple[bytes, bytes],
    unwrap: Callable[[list[Stanza]], tuple[bytes, Stanza]],
    *,
    prelude: Prelude,
    manifest: bytes,
) -> OpenEnvelope:
    """Open the newest slot that is valid.

    Raises
    ------
    SealedFileError
        No slot is valid, or neither belongs to this prelude and manifest.
    KeyUnavailableError
        The caller has nothing that opens one of the stanzas.
    """
    refusals: list[ModelprivError] = []
    for slot in newest_first(slots):
        sequence, stanzas = read(slot)
        try:
            file_key, stanza = unwrap(stanzas)
        except (KeyUnavailableError, SealedFileError) as refusal:
            refusals.append(refusal)
            continue
        if is_authentic(file_key, prelude, manifest, slot):
            damaged = not all(is_authentic(file_key, prelude, manifest, one) for one in slots)
            return OpenEnvelope(file_key, stanza, slot, sequence, stanzas, damaged)
    raise refusals[0] if refusals else SealedFileError(_DAMAGED)


def newest_first(slots: tuple[bytes, bytes]) -> list[bytes]:
    """Give the slots that can be read, each once, the one with the highest number first.

    Raises
    ------
    SealedFileError
        Neither can be read.
    """
    numbers = {}
    for slot in slots:
        with contextlib.suppress(SealedFileError):
            numbers[slot] = read(slot)[0]
    if not numbers:
        raise SealedFileError(_DAMAGED)
    return sorted(numbers, key=numbers.__getitem__, reverse=True)


def is_authentic(file_key: bytes, prelude: Prelude, manifest: bytes, slot: bytes) -> bool:
    """Tell whether a holder of the file key wrote a slot, for this prelude and manifest."""
    start, mac, end = (
        slot[: _HEAD.size - len(_NO_MAC)],
        slot[_HEAD.size - len(_NO_MAC) : _HEAD.size],
        slot[_HEAD.size :],
    )
    return hmac.compare_digest(mac, _mac(file_key, prelude, manifest, start + _NO_MAC + end))


def _mac(file_key: bytes, prelude: Prelude, manifest: bytes, slot: bytes) -> bytes:
    return hmac.digest(derive(file_key, "envelope"), bytes(prelude) + sha256(manifest).digest() + slot, "sha256")
