"""The text form of a token: unpadded base64url, decoded strictly, a whole batch at a time (RFC 4648, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import pybase64

if TYPE_CHECKING:
    from modelpriv.kernels.aes.ragged import Batch, Bytes, Cells, Lengths

__all__ = ["SHORTEST", "Truths", "decode", "text_length"]

Truths = npt.NDArray[np.bool_]
Length = TypeVar("Length", int, "Lengths")

SHORTEST = 28  # characters of a header and a tag

_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8)
_STRANGE = 64
_VALUES = np.full(256, _STRANGE, np.uint8)
_VALUES[_ALPHABET] = np.arange(64)
# The bits of a last character that belong to no byte, by the number of characters modulo 4. No text has 1 left over.
_SPARE = np.array([0, 0, 0x0F, 0x03], np.uint8)


def text_length(length: Length) -> Length:
    """Return how many characters some bytes take."""
    return (length * 4 + 2) // 3


def decode(source: Cells, batch: Batch, width: int) -> tuple[Bytes, Truths]:
    """Decode the first `width` bytes of each cell, and say which cells are texts that `seal` could have given.

    In a row, other bytes follow the end of its cell.
    """
    characters = -(-width // 3) * 4
    text = source.matrix(batch, characters, fill=int(_ALPHABET[0]))
    # The library takes the two characters of plain base64 too, and padding at the very end.
    joined = text.tobytes()
    raw = None if any(other in joined for other in (b"+", b"/", b"=")) else _decoded(joined)
    formed = (batch.lengths >= SHORTEST) & (batch.lengths & 3 != 1)
    if raw is None:
        text[np.arange(characters) >= batch.lengths[:, None]] = _ALPHABET[0]
        strange = (_VALUES[text] == _STRANGE).any(1)
        text[strange] = _ALPHABET[0]
        formed &= ~strange
        raw = _decoded(text.tobytes()) or b""
    if characters >= int(batch.lengths.max()):
        last = text.reshape(-1).take(np.arange(-1, text.size - 1, characters) + batch.lengths, mode="clip")
        formed &= (_VALUES.take(last) & _SPARE.take(batch.lengths & 3)) == 0
    return np.frombuffer(raw, np.uint8).reshape(len(text), -1), formed


def _decoded(text: bytes) -> bytes | None:
    try:
        return pybase64.b64decode(text, b"-_", validate=True)
    except ValueError:
        return None
