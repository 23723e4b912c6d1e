"""The secret rotation: orthogonal, chosen by the key alone, and by the documented procedure."""

import math

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from modelpriv.kernels.prf.rotation import rotation

KEY = bytes(range(32))


@pytest.mark.parametrize("size", [1, 2, 3, 50, 101])
def test_orthogonal(size):
    """The matrix times its transpose is the identity."""
    assert np.allclose(rotation(KEY, size) @ rotation(KEY, size).T, np.eye(size), atol=1e-12)


def test_the_key_chooses():
    """One key gives one matrix, another key another one."""
    assert np.array_equal(rotation(KEY, 4), rotation(KEY, 4))
    assert not np.allclose(rotation(KEY, 4), rotation(KEY[::-1], 4))


def test_sizes_have_nothing_in_common():
    """A matrix says nothing of a larger one under the same key: their keystreams differ."""
    assert not np.isclose(rotation(KEY, 3)[:, :1], rotation(KEY, 4)[:3, :1]).any()


@pytest.mark.parametrize("size", [2, 3])
def test_procedure_is_the_documented_one(size):
    """Another program that follows the docstring, number by number, gets the same matrix."""
    pairs = math.ceil(size * size / 2)
    cipher = Cipher(algorithms.AES(KEY), modes.CTR(size.to_bytes(8, "big") + bytes(8))).encryptor()
    stream = cipher.update(bytes(16 * pairs))
    words = [int.from_bytes(stream[at : at + 8], "little") for at in range(0, len(stream), 8)]
    uniform = [((word >> 12) + 0.5) / 2**52 for word in words]
    polar = [
        (math.sqrt(-2 * math.log(u)), 2 * math.pi * v) for u, v in zip(uniform[:pairs], uniform[pairs:], strict=True)
    ]
    normal = [r * math.cos(a) for r, a in polar] + [r * math.sin(a) for r, a in polar]
    columns = list(np.array(normal[: size * size]).reshape(size, size).T)
    expected = []
    for column in columns:  # Gram and Schmidt, whose diagonal is positive by itself
        for earlier in expected:
            column = column - (earlier @ column) * earlier  # noqa: PLW2901 - as the method is written
        expected.append(column / np.linalg.norm(column))
    assert np.allclose(rotation(KEY, size), np.array(expected).T)


def test_first_entries_are_spread_like_a_sphere():
    """Over many keys an entry has the mean 0 and the variance 1 / size of a uniform orthogonal matrix."""
    entries = np.array([rotation(number.to_bytes(32, "big"), 5)[1, 2] for number in range(4000)])
    assert abs(entries.mean()) < 4 * math.sqrt(0.2 / 4000)
    assert abs(entries.var() - 0.2) < 0.02
