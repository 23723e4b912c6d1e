"""What the body of a sealed file holds: a pickle stream and, outside of it, the memory of the arrays.

The plaintext, integers little-endian::

    length of the stream (8) || number of buffers (8) || length of each buffer (8 each)
    pickle stream, protocol 5 || the buffers, back to back

The arrays' memory is encrypted from where it lies and decrypted to where it stays: it is never copied as a whole.
"""

import pickle
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from modelpriv.errors import SealedFileError

_WORD = 8


def take_apart(obj: object) -> list[memoryview]:
    """Pickle an object into the pieces of a body; its arrays are not copied and must not change meanwhile."""
    stream = _Chunks()
    outside: list[pickle.PickleBuffer] = []
    pickle.Pickler(stream, 5, buffer_callback=outside.append).dump(obj)
    buffers = [buffer.raw() for buffer in outside]
    pieces = [memoryview(chunk) for chunk in stream]
    table = struct.pack(f"<{2 + len(buffers)}Q", sum(map(len, pieces)), len(buffers), *map(len, buffers))
    return [memoryview(table), *pieces, *buffers]


def put_together(fill: Callable[[memoryview], None], length: int) -> Callable[[], Any]:
    """Read all pieces and return what unpickles them, so that the caller can be sure of the last byte before it calls.

    Parameters
    ----------
    fill : callable
        Fills the memory that it is given with the next bytes.
    length : int
        Number of bytes that there are; no memory beyond that is taken.

    Raises
    ------
    SealedFileError
        The table asks for more or fewer bytes than there are.
    """
    stream_length, count = _read_table(fill, 2, length)
    lengths = _read_table(fill, count, length - 2 * _WORD)
    if stream_length + sum(lengths) != length - (2 + count) * _WORD:
        raise SealedFileError("the sealed file's table does not fit its body: it was not written by modelpriv.")
    stream = _read(fill, stream_length)
    buffers = [_read(fill, size) for size in lengths]
    return lambda: pickle.loads(stream, buffers=buffers)  # noqa: S301 - only called when all has been authenticated


def _read_table(fill: Callable[[memoryview], None], count: int, length: int) -> list[int]:
    if count * _WORD > length:
        raise SealedFileError("the sealed file's table is longer than its body: it was not written by modelpriv.")
    return list(struct.unpack(f"<{count}Q", _read(fill, count * _WORD)))


def _read(fill: Callable[[memoryview], None], length: int) -> memoryview:
    """Fill new memory; a bytearray would be zeroed first, bytes would give arrays that compiled code refuses."""
    memory = np.empty(length, dtype=np.uint8).data
    fill(memory)
    return memory


class _Chunks(list[bytes]):
    """A file for the pickler to write to that keeps what it gets, without joining it."""

    def write(self, data: bytes) -> int:
        self.append(data)
        return len(data)
