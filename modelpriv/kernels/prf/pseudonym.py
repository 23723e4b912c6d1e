"""The forms of a pseudonym: the tag of a cell as text of a chosen alphabet, as a UUID, or as an integer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pybase64

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SAFE64", "UUID_LENGTH", "bits", "int64", "longest", "text", "to_arrow", "uuid"]

# That of base64url with "~" for "-": a spreadsheet takes a text that begins with "-" for a formula.
SAFE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789~_"

UUID_LENGTH = 36

_TAG = 16
_BITS = 8 * _TAG
_LIMB = np.uint64(32)
_BLOCK = 8192  # rows whose temporaries stay in cache
_HEX = np.array([int.from_bytes(f"{byte:02x}".encode(), "little") for byte in range(256)], "<u2")
_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))  # the hexadecimal digits between a UUID's dashes


def longest(alphabet: str) -> int:
    """Give the number of characters of an alphabet that hold all 128 bits of a tag: more of them would say no more."""
    return math.ceil(_BITS / math.log2(len(alphabet)))


def bits(alphabet: str, length: int) -> float:
    """Give the bits of a tag that so many characters hold."""
    return min(float(_BITS), length * math.log2(len(alphabet)))


def text(tags: npt.NDArray[np.uint8], length: int, *, alphabet: str = SAFE64) -> npt.NDArray[np.uint8]:
    """Write each tag as text of a fixed length.

    With the default alphabet it is the base64url text of the tag (RFC 4648, section 5) with ``~`` for ``-``, cut to its
    first `length` characters. With any other one it is the tag as a little-endian number modulo
    ``len(alphabet) ** length``, the least significant digit first; a digit's probability is off by at most one part in
    ``2**128 / len(alphabet) ** length``.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.
    length : int
        Number of characters, at most `longest` of the alphabet.
    alphabet : str
        Distinct ASCII characters, at least two.

    Returns
    -------
    ndarray of shape (n, length), uint8
        ASCII characters.
    """
    write = _base64 if alphabet == SAFE64 else _Digits(alphabet)
    written = np.empty((len(tags), length), np.uint8)
    for rows in _blocks(len(tags)):
        written[rows] = write(tags[rows], length)
    return written


def uuid(tags: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Write each tag as a UUID of version 8 (RFC 9562, section 5.8): 122 bits of it, and 6 that say what it is.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.

    Returns
    -------
    ndarray of shape (n, 36), uint8
        ASCII characters, in lower case.
    """
    written = np.full((len(tags), UUID_LENGTH), ord("-"), np.uint8)
    for rows in _blocks(len(tags)):
        marked = tags[rows].copy()
        marked[:, 6] = marked[:, 6] & 0x0F | 0x80
        marked[:, 8] = marked[:, 8] & 0x3F | 0x80
        digits = _HEX[marked].view(np.uint8)
        for dashes, (start, end) in enumerate(_GROUPS):
            written[rows, start + dashes : end + dashes] = digits[:, start:end]
    return written


def int64(tags: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Give 63 bits of each tag as an integer that is not negative.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.

    Returns
    -------
    ndarray of shape (n,), int64
        The integers.
    """
    words = np.ascontiguousarray(tags).view("<u8")[:, 0]
    return (words >> np.uint64(1)).astype(np.int64)


def to_arrow(written: npt.NDArray[np.uint8], nulls: npt.NDArray[np.bool_] | None = None) -> pa.Array[Any]:
    """Make text of the rows of a matrix, without a copy.

    Parameters
    ----------
    written : ndarray of shape (n, width), uint8
        ASCII characters.
    nulls : ndarray of shape (n,), bool, optional
        Which rows are null.
    """
    rows, width = written.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    valid = None if nulls is None else pa.array(~nulls).buffers()[1]
    buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(written)]  # type: ignore[arg-type]
    return pa.Array.from_buffers(pa.large_string(), rows, buffers)


def _base64(tags: npt.NDArray[np.uint8], length: int) -> npt.NDArray[np.uint8]:
    """Encode all tags by one call: each is filled up to 18 bytes, so that it begins at a character of its own."""
    filled = np.zeros((len(tags), 18), np.uint8)
    filled[:, :_TAG] = tags
    encoded = pybase64.b64encode(filled.data, altchars=b"~_")
    return np.frombuffer(encoded, np.uint8).reshape(-1, 24)[:, :length]


class _Digits:
    """Conversion of 128-bit numbers to digits: as many digits at a time as fit into 32 bits."""

    def __init__(self, alphabet: str) -> None:
        self.base = np.uint32(len(alphabet))
        self.characters = np.frombuffer(alphabet.encode("ascii"), np.uint8)
        self.at_once = int(32 / math.log2(len(alphabet)))
        self.divisor = np.uint64(len(alphabet) ** self.at_once)

    def __call__(self, tags: npt.NDArray[np.uint8], length: int) -> npt.NDArray[np.uint8]:
        limbs = np.ascontiguousarray(tags).view("<u4").T.astype(np.uint64)
        digits = np.empty((length, len(tags)), np.uint8)
        for place in range(length):
            if place % self.at_once == 0:
                rest = self._divide(limbs).astype(np.uint32)
            quotient = rest // self.base
            digits[place] = rest - quotient * self.base
            rest = quotient
        return self.characters[digits].T

    def _divide(self, limbs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """Divide the numbers in place, most significant limb first, and give the remainders."""
        rest = np.zeros(limbs.shape[1], np.uint64)
        for limb in limbs[::-1]:
            number = rest << _LIMB | limb
            np.floor_divide(number, self.divisor, out=limb)
            rest = number - limb * self.divisor
        return rest


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, rows, _BLOCK))
