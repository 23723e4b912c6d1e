"""The mask of IP addresses: where a cell has its digits and marks is said by the bits of a few numbers.

An address is short enough for one bit a byte. What it takes to be one (three dots, no four digits in a row) is then
asked of all cells at once by shifts. With running counts of flags the whole mask took twice the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv.kernels.text.codes import is_between
from modelpriv.kernels.text.mask import Shown

if TYPE_CHECKING:
    from modelpriv.kernels.text.blocks import Bits, TextBlock
    from modelpriv.kernels.text.flags import Flags, Offsets

__all__ = ["ip"]


def ip(block: TextBlock) -> Shown:
    """Let the first half of an IPv4 address and the first two groups of an IPv6 address stay; no rest has a length."""
    digits = block.bits(block.digits)
    last = np.zeros(len(block), np.uint64)
    is_v4, is_v6 = np.zeros((2, len(block)), np.bool_)
    if (dot := block.kinds == ord(".")).any():
        last, is_v4 = _v4(block, digits, block.bits(dot))
    if (colon := block.kinds == ord(":")).any():
        last_of_v6, is_v6 = _v6(block, digits, block.bits(colon))
        last = np.where(is_v6, last_of_v6, last)
    fits = is_v4 | is_v6
    # What is masked of an address is cut to one byte for IPv6, and for IPv4 to three with a dot in the middle.
    rows: Any = slice(None) if is_v4.all() else np.flatnonzero(is_v4)
    stops = block.starts + _places(last) + 2
    stops[rows] += 2
    short = block.until(stops if fits.all() else np.where(fits, stops, block.stops))
    flags = np.ones(len(short.data), np.bool_)
    flags[short.stops - 1] = False
    third = short.stops[rows] - 3
    flags[third] = False
    third += 1
    short.data[third] = short.kinds[third] = ord(".")
    return Shown(short.without(flags, ~fits), short)


def _v4(block: TextBlock, digits: Bits, dots: Bits) -> tuple[Bits, Flags]:
    """Find four numbers of up to 255 with dots between them, and the second dot."""
    hundreds, tens, ones = block.kinds[:-2], block.kinds[1:-1], block.kinds[2:]
    high = np.zeros(len(block.data), np.bool_)
    high[:-2] = (hundreds > ord("2")) | ((hundreds == ord("2")) & is_between(tens, ones, 56, 99))
    stray = digits & digits >> _1 & digits >> _2 & (block.bits(high) | digits >> _3)
    stray |= (dots << _1 | _1) & ~digits
    behind_first = _without_lowest(dots)
    last = _without_lowest(behind_first)
    fits = (stray == 0) & (digits | dots == block.window) & (last != 0) & (_without_lowest(last) == 0)
    return behind_first ^ last, fits


def _v6(block: TextBlock, digits: Bits, colons: Bits) -> tuple[Bits, Flags]:
    """Find eight groups of up to 4 hexadecimal digits, or fewer and one double colon; and the last colon that stays."""
    digits = digits | block.bits(block.between("a", "f", fold=True))
    four = digits & digits >> _1 & digits >> _2 & digits >> _3
    pairs = colons & colons >> _1
    final = block.window ^ block.window >> _1
    more = digits & ~(digits << _1)  # where a group begins
    for _ in range(7):
        more = _without_lowest(more)
    fits = (four & digits >> _4 | ~digits & _1 | _without_lowest(pairs)) == 0
    fits &= digits | colons == block.window
    fits &= (final & colons & ~(pairs << _1)) == 0
    fits &= np.where(pairs == 0, (more != 0) & (_without_lowest(more) == 0), more == 0)
    first = colons & -colons
    behind_first = colons ^ first
    second = behind_first & -behind_first
    return np.where(pairs & first, first, second), fits


def _places(bits: Bits) -> Offsets:
    """Return the places of single bits, from the exponents of floats."""
    places: Offsets = (bits.view(np.int64).astype(np.float64).view(np.int64) >> 52) - 1023
    return places


def _without_lowest(bits: Bits) -> Bits:
    return bits & bits - _1


_1, _2, _3, _4 = map(np.uint64, range(1, 5))
