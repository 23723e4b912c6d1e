"""Flags on the bytes of a block: how many are set up to each byte, and which bytes an interval covers.

Both are prefix sums. numpy's own (`cumsum`) takes one step a byte. Here a 64-bit word takes eight at once, because the
product of a word with 0x0101010101010101 holds in each of its bytes the sum of the bytes up to there:

>>> import numpy as np
>>> flags = np.array([1, 0, 0, 1, 1, 0, 0, 1], np.uint8)
>>> sums = flags.view("<u8") * np.uint64(0x0101010101010101)
>>> sums.view(np.uint8).tolist()
[1, 1, 1, 2, 3, 3, 3, 4]

That is four times as fast (3 ns less for each byte of a cell), and sums of up to 64 flags never overflow their byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Counts", "Flags", "Offsets", "cover", "pieces", "spread"]

Flags = npt.NDArray[np.bool_]
Offsets = npt.NDArray[np.intp]

_PIECE = 1 << 18
_SPARSE = 1 << 12  # with an interval in so many bytes or fewer, each is set by itself
_GROUP = 64  # bytes that one word of word sums stands for
_NARROW = 127  # a count up to this is found again from its lowest seven bits

_ONES = np.uint64(0x0101010101010101)
_SEVEN_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_TOP = np.uint64(56)
_ONE_BYTE = np.uint64(8)


class Counts:
    """How many flags are set between two bytes of a block.

    Parameters
    ----------
    flags : ndarray of bool, shape (n_bytes,)
        The flags.
    widest : int
        No two bytes that are asked about are further apart.
    """

    def __init__(self, flags: Flags, widest: int) -> None:
        counted = _room(len(flags))
        counted[1 : len(flags) + 1] = flags  # shifted by one: the sum up to a byte excludes the byte itself
        self._wide = widest > _NARROW
        self._sums, self._groups = _sums(counted, carry=not self._wide)

    def at(self, offsets: Offsets) -> npt.NDArray[Any]:
        """Return the number of flags before each byte; of a narrow block, its lowest seven bits."""
        sums = self._sums.take(offsets)
        return sums + self._groups.take(offsets // _GROUP) if self._wide else sums

    def between(self, starts: Offsets, stops: Offsets) -> npt.NDArray[Any]:
        """Return the number of flags from each start up to its stop."""
        return self._apart(self.at(stops), self.at(starts))

    def along(self, bounds: Offsets) -> npt.NDArray[Any]:
        """Return the number of flags from each bound up to the next."""
        before = self.at(bounds)
        return self._apart(before[1:], before[:-1])

    def _apart(self, stops: npt.NDArray[Any], starts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        counts: npt.NDArray[Any] = stops - starts
        if not self._wide:
            counts &= np.uint8(_NARROW)
        return counts


def cover(size: int, *intervals: tuple[Offsets, Offsets]) -> Flags:
    """Return a flag for each byte that lies in one of the intervals, which must not overlap.

    Parameters
    ----------
    size : int
        Number of bytes.
    *intervals : pairs of ndarray
        First bytes, and the bytes after the last ones. Where both are the same the interval is empty.
    """
    if _SPARSE * sum(len(starts) for starts, _ in intervals) < size:
        covered = np.zeros(size, np.bool_)
        for starts, stops in intervals:
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
                covered[start:stop] = True
        return covered
    opened, closed = _room(size), _room(size)
    for starts, stops in intervals:
        filled = starts < stops
        if filled.all():
            opened[starts] = closed[stops] = 1
        elif filled.any():
            opened[starts[filled]] = closed[stops[filled]] = 1
    opened ^= closed  # one interval may begin where another ends
    sums, _ = _sums(opened, carry=True)
    sums &= np.uint8(1)  # inside where an odd number of bounds was passed
    return sums[:size].view(np.bool_)


def spread(flags: Flags, count: int) -> Flags:
    """Set, in place, the flags of the `count` - 1 bytes behind each flagged one, or before each if negative.

    Doubling takes a pass over the bytes for each bit of `count`: a third of the time of `cover` for a few bytes.
    """
    reach, backwards = 1, count < 0
    while reach < abs(count):
        step = min(reach, abs(count) - reach)
        if backwards:
            flags[:-step] |= flags[step:]
        else:
            flags[step:] |= flags[:-step]
        reach += step
    return flags


def pieces(size: int) -> Iterator[slice]:
    """Cut so many bytes, which may be a single long cell, into pieces that stay in cache."""
    return (slice(start, start + _PIECE) for start in range(0, size, _PIECE))


def _room(size: int) -> npt.NDArray[np.uint8]:
    return np.zeros((size // _GROUP + 1) * _GROUP, np.uint8)


def _sums(flags: npt.NDArray[np.uint8], *, carry: bool) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Sum flags, in place, up to and with each byte: modulo 128, or (no carry) from the start of the group of 64.

    Also returned are the sums before each group.
    """
    words = flags.view("<u8")
    words *= _ONES
    of_words = (words >> _TOP).astype(np.uint8).view("<u8")
    of_words *= _ONES
    groups = (of_words >> _TOP).astype(np.int64)
    groups = np.cumsum(groups) - groups
    of_words <<= _ONE_BYTE
    if carry:
        of_words += (groups & _NARROW).astype(np.uint64) * _ONES
        of_words &= _SEVEN_BITS
    words += of_words.view(np.uint8).astype("<u8") * _ONES
    if carry:
        words &= _SEVEN_BITS
    return flags, groups
