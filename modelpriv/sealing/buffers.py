"""What the body of a sealed file holds: a stream and, outside of it, the memory of the arrays.

The plaintext, integers little-endian::

    length of the stream (8) || number of buffers (8) || length of each buffer (8 each)
    stream (pickle protocol 5, or a skops file) || the buffers, back to back

The arrays' memory is encrypted from where it lies and decrypted to where it stays: it is never copied as a whole.
"""

import struct
from collections.abc import Callable

import numpy as np

from modelpriv.errors import SealedFileError

_WORD = 8


def lay_out(stream: list[memoryview], buffers: list[memoryview]) -> list[memoryview]:
    """Put the table before the pieces of a body; the buffers are not copied and must not change meanwhile."""
    table = struct.pack(f"<{2 + len(buffers)}Q", sum(map(len, stream)), len(buffers), *map(len, buffers))
    return [memoryview(table), *stream, *buffers]


def read(fill: Callable[[memoryview], None], length: int) -> tuple[memoryview, list[memoryview]]:
    """Read all pieces of a body, to its last byte.

    Parameters
    ----------
    fill : callable
        Fills the memory that it is given with the next bytes.
    length : int
        Number of bytes that there are; no memory beyond that is taken.

    Returns
    -------
    stream : memoryview
    buffers : list of memoryview
        In memory of their own, which arrays can keep and write to.

    Raises
    ------
    SealedFileError
        The table asks for more or fewer bytes than there are.
    """
    stream_length, count = _read_table(fill, 2, length)
    lengths = _read_table(fill, count, length - 2 * _WORD)
    if count > stream_length or stream_length + sum(lengths) != length - (2 + count) * _WORD:
        raise SealedFileError("the sealed file's table does not fit its body: it was not written by modelpriv.")
    stream = _read(fill, stream_length)
    return stream, [_read(fill, size) for size in lengths]


def _read_table(fill: Callable[[memoryview], None], count: int, length: int) -> list[int]:
    if count * _WORD > length:
        raise SealedFileError("the sealed file's table is longer than its body: it was not written by modelpriv.")
    return list(struct.unpack(f"<{count}Q", _read(fill, count * _WORD)))


def _read(fill: Callable[[memoryview], None], length: int) -> memoryview:
    """Fill new memory; a bytearray would be zeroed first, bytes would give arrays that compiled code refuses."""
    memory = np.empty(length, dtype=np.uint8).data
    fill(memory)
    return memory
