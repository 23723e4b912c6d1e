"""Blocks of a text column: the bytes of some cells, and questions about their characters, asked of all cells at once.

Everything about a character is said of its first byte, its head.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelpriv.kernels.text.flags import Counts, Flags, Offsets, cover, spread
from modelpriv.kernels.text.graphemes import LETTER, LOWER, NUMBER, TAIL, Bytes, kinds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["WINDOW", "Bits", "Chosen", "TextBlock", "blocks"]

Bits = npt.NDArray[np.uint64]

WINDOW = 56  # so many bits that begin at any bit lie within eight bytes

# Blocks of this size stay in cache: with temporaries of twice the bytes a mask takes 1.8 times as long.
_ROWS = 16_384
_BYTES = 192 * 1024

# Fewer cells than this are counted one by one.
_FEW = 16

# So many steps from an end of a cell to the characters wanted take less time than to list all characters. A character
# of joined code points may have any number of bytes, and is not stepped over.
_STEPS = 4


def blocks(data: Bytes, offsets: npt.NDArray[Any]) -> Iterator[TextBlock]:
    """Cut a column into blocks of whole cells.

    Parameters
    ----------
    data : ndarray of uint8
        Its bytes.
    offsets : ndarray of int32 or int64, shape (n_cells + 1,)
        Where in `data` each cell begins, and where the last one ends.

    Yields
    ------
    TextBlock
    """
    start, rows = 0, len(offsets) - 1
    while start < rows:
        fitting = int(np.searchsorted(offsets, int(offsets[start]) + _BYTES, side="right")) - 1
        stop = min(max(fitting, start + 1), start + _ROWS, rows)
        bounds = np.subtract(offsets[start : stop + 1], offsets[start], dtype=np.intp)
        yield TextBlock(data[offsets[start] : offsets[stop]], bounds)
        start = stop


class TextBlock:
    """Some cells of a column.

    Parameters
    ----------
    data : ndarray of uint8, shape (n_bytes,)
        The UTF-8 bytes of the cells, one cell behind the other.
    bounds : ndarray of intp, shape (n_cells + 1,)
        Where each cell begins in `data`, and where the last one ends.
    known : tuple of ndarray and bool, optional
        What `kinds_of` would find.

    Attributes
    ----------
    starts, stops : ndarray of intp, shape (n_cells,)
        Where each cell begins and ends.
    kinds : ndarray of uint8, shape (n_bytes,)
        For the first byte of each character what it is, for all others `TAIL`.
    is_ascii : bool
        Whether each byte is a character.
    """

    def __init__(self, data: Bytes, bounds: Offsets, known: tuple[Bytes, bool] | None = None) -> None:
        self.data, self.bounds = data, bounds
        self.starts, self.stops = bounds[:-1], bounds[1:]
        self.kinds, self._joined = known or kinds_of(data, bounds)
        self.is_ascii = self.kinds is data
        self._widest = int((self.stops - self.starts).max(initial=0))

    def __len__(self) -> int:
        return len(self.starts)

    @functools.cached_property
    def heads(self) -> Flags:
        """Which bytes are the first of a character."""
        flags: Flags = self.kinds != TAIL
        return flags

    @functools.cached_property
    def content(self) -> Flags:
        """Which characters are letters or digits: what a mask is there to hide."""
        flags = self.between("a", "z", fold=True)
        flags |= self.digits
        if not self.is_ascii:
            flags |= self.between(chr(LETTER), chr(NUMBER))
        return flags

    @functools.cached_property
    def digits(self) -> Flags:
        """Which characters are ASCII digits."""
        return self.between("0", "9")

    @functools.cached_property
    def begins(self) -> Flags:
        """Which bytes are the first of a cell."""
        flags = np.zeros(len(self.data), np.bool_)
        flags[self.starts[self.starts < self.stops]] = True
        return flags

    def between(self, first: str, last: str, *, fold: bool = False) -> Flags:
        """Return which kinds of characters lie between two, letters of ASCII taken as lower case if so wished."""
        shifted = (self.kinds | LOWER if fold else self.kinds) - np.uint8(ord(first))
        flags: Flags = shifted <= np.uint8(ord(last) - ord(first))  # what is smaller than the first wraps around
        return flags

    def among(self, characters: str) -> Flags:
        """Return which characters are among those given, each of them a single code point."""
        flags = np.zeros(len(self.data), np.bool_)
        for character in characters:
            encoded = character.encode()
            if len(encoded) == 1:
                flags |= self.kinds == np.uint8(encoded[0])
            elif not self.is_ascii:
                flags |= self._spells(encoded)
        return flags

    def _spells(self, encoded: bytes) -> Flags:
        """Return which characters are this one, and have no further code point."""
        size, width = len(self.data), len(encoded)
        padded = np.pad(self.data, (0, width))
        flags = self.heads & np.append(self.heads, np.ones(width, np.bool_))[width:]
        for place, byte in enumerate(encoded):
            flags &= padded[place : place + size] == np.uint8(byte)
        return flags

    def classes(self, table: bytes) -> Bytes:
        """Look the kind of each character up in a table of 256."""
        return np.frombuffer(self.kinds.tobytes().translate(table), np.uint8)

    def counts(self, flags: Flags) -> Counts:
        """Return the running count of flags, for questions within a cell."""
        return Counts(flags, self._widest)

    def totals(self, flags: Flags) -> npt.NDArray[Any]:
        """Return how many flags each cell has."""
        if len(self) < _FEW:
            return np.array([np.count_nonzero(flags[i:j]) for i, j in itertools.pairwise(self.bounds)], np.intp)
        return self.counts(flags).along(self.bounds)

    def has(self, flags: Flags) -> Flags:
        """Return which cells have a flag at all."""
        return self.totals(flags) > 0 if flags.any() else np.zeros(len(self), np.bool_)

    def choose(self, flags: Flags) -> Chosen:
        """Return the flagged characters, by cell."""
        return Chosen(self, flags)

    def at(self, offsets: Offsets) -> Bytes:
        """Return the kinds at some bytes; beyond the block those of its last byte."""
        return self.kinds.take(offsets, mode="clip") if len(self.kinds) else np.zeros(len(offsets), np.uint8)

    def cover(self, *intervals: tuple[Offsets, Offsets]) -> Flags:
        """Return which bytes lie in one of the intervals, which must not overlap."""
        return cover(len(self.data), *intervals)

    def ends(self, first: int, last: int, cells: Flags) -> Flags:
        """Return flags on the first and last bytes of some cells of known lengths."""
        starts, stops = (self.starts, self.stops) if cells.all() else (self.starts[cells], self.stops[cells])
        flags = np.zeros(len(self.data), np.bool_)
        if first:
            flags[starts] = True
            spread(flags, first)
        if last:
            backwards = np.zeros_like(flags)
            backwards[stops - 1] = True
            flags |= spread(backwards, -last)
        return flags

    def bits(self, flags: Flags) -> Bits:
        """Return the flags of each cell as the bits of a number, the lowest for its first byte; at most `WINDOW`."""
        packed = np.zeros(len(flags) // 8 + 9, np.uint8)
        packed[: (len(flags) + 7) // 8] = np.packbits(flags, bitorder="little")
        # The eight bytes that begin at each byte, as numbers.
        words = np.ndarray((len(packed) - 7,), "<u8", packed.data, strides=(1,))
        bits: Bits = words.take(self._bits_at[0])
        bits >>= self._bits_at[1]
        bits &= self.window
        return bits

    @functools.cached_property
    def _bits_at(self) -> tuple[Offsets, Bits]:
        return self.starts >> 3, (self.starts & 7).view(np.uint64)

    @functools.cached_property
    def window(self) -> Bits:
        """The bits of each cell that stand for a byte of it."""
        lengths = np.minimum(self.stops - self.starts, WINDOW).astype(np.uint64)
        bits: Bits = (np.uint64(1) << lengths) - np.uint64(1)
        return bits

    def until(self, stops: Offsets) -> TextBlock:
        """Return a block of the same cells, each cut at the given byte, the first of a character."""
        flags = self.cover((self.starts, stops))
        data = np.compress(flags, self.data)
        kinds = data if self.is_ascii else np.compress(flags, self.kinds)
        return TextBlock(data, np.append(0, np.cumsum(stops - self.starts)), (kinds, self._joined))

    def pick(self, cells: Flags) -> tuple[TextBlock, Offsets]:
        """Return a block of some of the cells, and which bytes of this one are theirs."""
        starts, stops = self.starts[cells], self.stops[cells]
        taken = np.flatnonzero(self.cover((starts, stops)))
        data = self.data.take(taken)
        kinds = data if self.is_ascii else self.kinds.take(taken)
        return TextBlock(data, np.append(0, np.cumsum(stops - starts)), (kinds, self._joined)), taken

    def to_arrow(self) -> pa.Array[Any]:
        """Return the cells as text, without a copy."""
        buffers: Any = (self.bounds.astype(np.int64, copy=False), np.ascontiguousarray(self.data))
        return pa.Array.from_buffers(pa.large_string(), len(self), [None, *map(pa.py_buffer, buffers)])

    def without(self, flags: Flags, cells: Flags) -> Flags:
        """Return flags that are unset in the whole of some cells."""
        return flags & ~self.cover((self.starts[cells], self.stops[cells])) if cells.any() else flags

    def after(self, number: int) -> Offsets:
        """Return where the first `number` characters of each cell end, at the latest with the cell."""
        if self.is_ascii:
            return np.minimum(self.starts + number, self.stops)
        if number > _STEPS or self._joined:
            return self.choose(self.heads).nth(number)
        bounds = self.starts
        for _ in range(number):
            bounds = np.minimum(bounds + 1, self.stops)
            while len(rows := np.flatnonzero((self.at(bounds) == TAIL) & (bounds < self.stops))):
                bounds[rows] += 1
        return bounds

    def before(self, number: int) -> Offsets:
        """Return where the last `number` characters of each cell begin, at the earliest with the cell."""
        if self.is_ascii:
            return np.maximum(self.stops - number, self.starts)
        if number > _STEPS or self._joined:
            return self.choose(self.heads).last(number)
        bounds = self.stops
        for _ in range(number):
            bounds = np.maximum(bounds - 1, self.starts)
            while len(rows := np.flatnonzero((self.at(bounds) == TAIL) & (bounds > self.starts))):
                bounds[rows] -= 1
        return bounds

    def whole(self, flags: Flags) -> Flags:
        """Return flags on all the bytes of each character whose first byte has one."""
        if self.is_ascii:
            return flags
        if self._joined:
            heads = np.flatnonzero(self.heads)
            return np.repeat(flags[heads], np.diff(heads, append=len(flags)))
        flags, tails = flags.copy(), ~self.heads
        for _ in range(3):  # UTF-8 takes up to 4 bytes
            flags[1:] |= flags[:-1] & tails[1:]
        return flags

    def entirely(self, flags: Flags) -> Flags:
        """Return flags, set on whole code points, only on characters that have them on all of their bytes."""
        if not self._joined:
            return flags
        heads = np.flatnonzero(self.heads)
        return np.repeat(np.minimum.reduceat(flags, heads), np.diff(heads, append=len(flags)))


class Chosen:
    """Those characters of a block for which a flag is set, by cell.

    Attributes
    ----------
    flags : ndarray of bool, shape (n_bytes,)
        The flags, on the first bytes of the characters.
    count : ndarray of intp, shape (n_cells,)
        How many a cell has.
    """

    def __init__(self, block: TextBlock, flags: Flags) -> None:
        self.flags = flags
        self._block = block
        self._counts = block.counts(flags)
        self.count = self._counts.along(block.bounds).astype(np.intp)

    def nth(self, number: int) -> Offsets:
        """Return where the character with this number (from 0) begins, or the end of a cell that has none of it."""
        enough = self.count > number
        return np.where(enough, self._reach(number + 1, enough, self._block.starts, 1) - 1, self._block.stops)

    def last(self, number: int) -> Offsets:
        """Return where the last `number` characters begin, or the start of a cell that has fewer."""
        if not number:
            return self._block.stops
        enough = self.count >= number
        return np.where(enough, self._reach(number, enough, self._block.stops, -1), self._block.starts)

    def _reach(self, number: int, enough: Flags, origin: Offsets, step: int) -> Offsets:
        """Return how far to go, from one end of each cell that has enough, until `number` flags are passed.

        Where flags are dense, a few steps of as many bytes as flags are missing get there, for a third of the time that
        it takes to list all flags. That is left for the few cells where they do not.
        """
        bounds = origin + step * number
        rows: Any = slice(None) if enough.all() else np.flatnonzero(enough)
        for _ in range(_STEPS if 2 * np.count_nonzero(self.flags) > len(self.flags) else 0):
            near, far = (origin[rows], bounds[rows])[::step]
            missing = number - self._counts.between(near, far).astype(np.intp)
            short = np.flatnonzero(missing)
            if not len(short):
                return bounds
            rows = short if isinstance(rows, slice) else rows[short]
            bounds[rows] += step * missing[short]
        end, listed = self._end[rows], self._listed
        bounds[rows] = listed[end - number] if step < 0 else listed[end - self.count[rows] + number - 1] + 1
        return bounds

    @functools.cached_property
    def _end(self) -> Offsets:
        return np.cumsum(self.count)

    @functools.cached_property
    def _listed(self) -> Offsets:
        return np.flatnonzero(self.flags)
