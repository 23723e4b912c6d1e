"""The body's plaintext: arrays stand in it as they lie in memory, and its table is believed only as far as it fits."""

import io
import struct

import numpy as np
import pytest

from modelpriv.errors import SealedFileError
from modelpriv.sealing import serializers
from modelpriv.sealing.format import buffers


def pack(obj):
    return b"".join(pieces(obj))


def pieces(obj):
    return buffers.lay_out(*serializers.take_apart(obj, serializers.BY_REFERENCE))


def restore(data):
    stream, arrays = buffers.read(io.BytesIO(data).readinto, len(data))
    return serializers.restore(stream, arrays, serializers.BY_REFERENCE, ())


def table(stream, *lengths):
    return struct.pack(f"<{2 + len(lengths)}Q", stream, len(lengths), *lengths)


@pytest.mark.parametrize(
    "obj",
    [
        None,
        {"a": [1, "text", b"bytes" * 30_000]},
        np.arange(1000.0).reshape(10, 100),
        np.asfortranarray(np.arange(1000.0).reshape(10, 100)),
        np.arange(1000)[::3],
        np.array(["objects", None], dtype=object),
        np.zeros((0, 3)),
        np.ones(3, dtype=[("a", "<i4"), ("b", "<f8")]),
        [np.arange(5), np.arange(5, dtype=np.uint8)],
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_what_goes_in_comes_out(obj):
    """Whatever is pickled comes back, arrays in their order and dtype."""
    back = restore(pack(obj))
    np.testing.assert_equal(back, obj)
    if isinstance(obj, np.ndarray):
        assert back.dtype == obj.dtype
        assert back.flags.f_contiguous == obj.flags.f_contiguous or not obj.flags.contiguous


def test_arrays_are_not_copied():
    """The pieces of a body are the memory of the arrays themselves."""
    array = np.arange(1000.0)
    assert np.shares_memory(np.frombuffer(pieces(array)[-1], dtype=float), array)


def test_arrays_are_writable():
    """Arrays can be written to when they were, and only then; scikit-learn's compiled code insists on it."""
    fixed = np.arange(3)
    fixed.flags.writeable = False
    assert restore(pack(np.arange(3))).flags.writeable
    assert not restore(pack(fixed)).flags.writeable


def test_one_array_in_two_places():
    """An array that an object holds twice is written once and held twice again."""
    array = np.arange(1000.0)
    first, second = restore(pack([array, array]))
    assert first is second
    assert len(pack([array, array])) < 9000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        table(0)[:-1],
        table(5) + b"four",
        table(3) + b"four",
        table(2, 2**63, 2**63) + b"four",
        table(2, 1) + b"four",
        struct.pack("<2Q", 4, 2**61) + b"four",
        struct.pack("<2Q", 2**64 - 8, 1) + b"12345678",
    ],
)
def test_a_table_that_does_not_fit(data, bomb):
    """A table that asks for other lengths than there are is refused before anything is unpickled."""
    with pytest.raises(SealedFileError, match="modelpriv did not write it"):
        restore(data)


def test_nothing_is_unpickled_by_reading(bomb):
    """Reading the pieces does not unpickle them; only restoring does."""
    data = pack(bomb())
    stream, arrays = buffers.read(io.BytesIO(data).readinto, len(data))
    assert not bomb.exploded
    serializers.restore(stream, arrays, serializers.BY_REFERENCE, ())
    assert bomb.exploded == 1
