"""The plaintext of a sealed file's body: a stream and, outside it, the memory of the arrays.

The plaintext, integers little-endian::

    length of the stream (8) || number of buffers (8) || length of each buffer (8 each)
    stream (pickle protocol 5, or a skops file) || the buffers, back to back

Arrays are encrypted from their own memory and decrypted into their final memory: no array is copied as a whole.
"""

import itertools
import mmap
import struct
from collections.abc import Callable, Iterator

import numpy as np

from modelpriv.errors import SealedFileError

_WORD = 8
_BLOCK, _SHARING, _ALIGNMENT = 2**23, 2**16, 64


def lay_out(stream: list[memoryview], buffers: list[memoryview]) -> list[memoryview]:
    """Put the table before the pieces of a body; the buffers are not copied and must not change until it is written."""
    table = struct.pack(f"<{2 + len(buffers)}Q", sum(map(len, stream)), len(buffers), *map(len, buffers))
    return [memoryview(table), *stream, *buffers]


def read(
    fill: Callable[[memoryview], None], length: int, *, shared: bool = False
) -> tuple[memoryview, list[memoryview]]:
    """Read all pieces of a body, to its last byte.

    Parameters
    ----------
    fill : callable
        Fills the memory that it is given with the next bytes.
    length : int
        The number of bytes in the body; no more memory than that is taken.
    shared : bool
        Whether the buffers are read into shared memory.

    Returns
    -------
    stream : memoryview
    buffers : list of memoryview
        Each in memory of its own, which an array can keep and write to. With ``shared``, parts of one piece of memory
        that no one can write to any more, and that processes forked from this one share.

    Raises
    ------
    SealedFileError
        The table asks for more or fewer bytes than there are.
    """
    stream_length, count = _read_table(fill, 2, length)
    lengths = _read_table(fill, count, length - 2 * _WORD)
    if count > stream_length or stream_length + sum(lengths) != length - (2 + count) * _WORD:
        raise SealedFileError("the table of the sealed file does not fit its body: modelpriv did not write it.")
    memories = [*_memories([stream_length]), *(_shared(lengths) if shared else _memories(lengths))]
    for memory in memories:
        fill(memory)
    return memories[0], [memory.toreadonly() if shared else memory for memory in memories[1:]]


def _read_table(fill: Callable[[memoryview], None], count: int, length: int) -> list[int]:
    if count * _WORD > length:
        raise SealedFileError("the table of the sealed file is longer than its body: modelpriv did not write it.")
    table = bytearray(count * _WORD)
    fill(memoryview(table))
    return list(struct.unpack(f"<{count}Q", table))


def _shared(lengths: list[int]) -> list[memoryview]:
    """Give parts of one piece of anonymous memory: forked processes share it, and there is no file of it."""
    starts = [0, *itertools.accumulate(-(-length // _ALIGNMENT) * _ALIGNMENT for length in lengths)]
    whole = memoryview(mmap.mmap(-1, max(starts[-1], 1)))
    return [whole[start : start + length] for start, length in zip(starts, lengths, strict=False)]


def _memories(lengths: list[int]) -> Iterator[memoryview]:
    """Give new memory for each length: a bytearray would be zeroed first, and arrays cannot write to bytes.

    Arrays of middle size share (a forest has hundreds of them) blocks for which numpy asks for huge pages: touching so
    many small pages for the first time took a fifth of a load. A block lives as long as the last array in it.
    """
    block, left = memoryview(b""), 0
    for length in lengths:
        if not _SHARING <= length < _BLOCK // 2:
            yield np.empty(length, dtype=np.uint8).data
            continue
        if length > left:
            block, left = np.empty(_BLOCK, dtype=np.uint8).data, _BLOCK
        yield block[_BLOCK - left : _BLOCK - left + length]
        left -= -(-length // _ALIGNMENT) * _ALIGNMENT
