"""A secret rotation: an orthogonal matrix that a key chooses, uniformly among all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

__all__ = ["rotation"]

_WORD = 8
_BITS = 52


def rotation(key: bytes, size: int) -> npt.NDArray[np.float64]:
    """Derive an orthogonal matrix of shape (`size`, `size`) from a key.

    The procedure, step by step, so that another program can do the same:

    1. The keystream of AES-256 in counter mode under `key`, from the counter block ``size (8 bytes, big-endian) || 0
       (8 bytes)``, is read as little-endian 64-bit words. Of each word the upper 52 bits `b` give the uniform number
       ``(b + 0.5) / 2**52``, which is exact and never 0.
    2. With `m` = ``ceil(size * size / 2)``, the first `m` uniform numbers `u` and the next `m`, `v`, give by Box and
       Muller ``sqrt(-2 ln u) * cos(2 pi v)`` and, after them, ``sqrt(-2 ln u) * sin(2 pi v)``. The first
       ``size * size`` of these normal numbers fill a matrix row by row.
    3. `Q` of its QR decomposition, each column multiplied by the sign of the diagonal of `R`, is the result. Without
       the signs it would depend on the LAPACK that computes it; with them it is uniform over the orthogonal group (Haar
       measure; Mezzadri, "How to generate random matrices from the classical compact groups", 2007).

    Two machines agree up to the rounding of their mathematical libraries.

    Parameters
    ----------
    key : bytes of length 32
        The working key.
    size : int
        Rows and columns of the matrix, at least one.
    """
    pairs = -(-size * size // 2)
    uniform = _uniform(key, size, 2 * pairs)
    radius = np.sqrt(-2.0 * np.log(uniform[:pairs]))
    angle = 2.0 * np.pi * uniform[pairs:]
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[: size * size]
    q, r = np.linalg.qr(normal.reshape(size, size))
    result: npt.NDArray[np.float64] = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return result


def _uniform(key: bytes, size: int, count: int) -> npt.NDArray[Any]:
    counter = size.to_bytes(_WORD, "big") + bytes(_WORD)
    keystream = Cipher(AES(key), CTR(counter)).encryptor().update(bytes(_WORD * count))
    words = np.frombuffer(keystream, "<u8") >> np.uint64(64 - _BITS)
    return (words.astype(np.float64) + 0.5) / 2.0**_BITS
