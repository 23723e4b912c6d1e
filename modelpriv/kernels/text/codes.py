"""Masks of codes: cells with a fixed number of digits or letters, and separators, whose ends stay.

A rule asks the same questions of all cells of a block at once. For a card whose last four digits stay::

    cell        4 1 1 1 - 1 1 1 1 - 1 1 1 1 - 0 0 4 2
    allowed     1 1 1 1 . 1 1 1 1 . 1 1 1 1 . 1 1 1 1    a digit
    separators  . . . . 1 . . . . 1 . . . . 1 . . . .    kept, and not counted
    shown       . . . . 1 . . . . 1 . . . . 1 1 1 1 1    the separators and the last four allowed characters

A cell fits if every byte is allowed or a separator, and the number of allowed ones is in range. A cell that does not
fit shows nothing. Many columns have one layout: where all cells of a block look like the first one, the answer for that
one is copied (`_find_alike`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

import numpy as np

from modelpriv.kernels.text.blocks import TextBlock
from modelpriv.kernels.text.flags import Flags, spread
from modelpriv.kernels.text.graphemes import LOWER, Bytes
from modelpriv.kernels.text.mask import Rule, Shown

__all__ = ["begins_like", "code", "is_between"]


def code(
    lowest: int,
    highest: int,
    *,
    first: int = 0,
    last: int = 0,
    separators: str = " -",
    letters: bool = False,
    check: str = "",
    begins: str = "",
) -> Rule:
    """Return the rule of a format whose separators, first and last characters stay.

    Parameters
    ----------
    lowest, highest : int
        How many characters a code has, not counting separators.
    first, last : int
        How many of them stay.
    separators : str
        ASCII characters that may be anywhere.
    letters : bool
        Whether letters are allowed as well as digits.
    check : str
        A letter that is allowed as the last character.
    begins : str
        What the cell begins with: "a" stands for a letter, "9" for a digit, and anything else for itself.
    """

    def rule(block: TextBlock) -> Shown:
        allowed = block.digits | block.between("a", "z", fold=True) if letters else block.digits
        if check:
            final = block.stops[block.starts < block.stops] - 1
            allowed = allowed.copy()
            allowed[final] |= (block.kinds[final] | LOWER) == ord(check)
        flags, fits = _find_alike(block, allowed, look, find)
        for place, kind in enumerate(begins):
            fits &= _is_kind(block.at(block.starts + place), kind)
        return Shown(block.without(flags, ~fits))

    def find(block: TextBlock, allowed: Flags) -> tuple[Flags, Flags]:
        characters = block.choose(allowed)
        kept = block.among(separators)
        fits = (characters.count >= lowest) & (characters.count <= highest) & ~block.has(~(allowed | kept))
        starts, stops = block.starts[fits], block.stops[fits]
        head = [(starts, characters.nth(first)[fits])] if first else []
        tail = [(characters.last(last)[fits], stops)] if last else []
        return block.without(kept, ~fits) | block.cover(*head, *tail), fits

    def look(kinds: Bytes, allowed: Flags) -> tuple[bytes, bytes] | None:
        """Return the layout of one code (0 is what is allowed, all else itself), and what stays of it."""
        if len(kinds) > _LONGEST:
            return None
        places = [place for place, flag in enumerate(allowed.tolist()) if flag]
        layout = bytearray(kinds)
        shown = bytearray(b"\1" * len(kinds))
        for place in places:
            layout[place] = 0
        for place in places[first : len(places) - last]:
            shown[place] = 0
        fits = lowest <= len(places) <= highest and set(layout) <= {0, *separators.encode()}
        fits &= layout.count(0) == len(places)  # no NUL of the cell's own
        return (bytes(layout), bytes(shown)) if fits else None

    return rule


def begins_like(block: TextBlock, layout: bytes, allowed: Flags, valid: Flags | None = None) -> Flags:
    """Return which cells begin with a layout.

    Parameters
    ----------
    block : TextBlock
        The cells.
    layout : bytes
        0 stands for a character that is allowed, any other byte for itself.
    allowed : ndarray of bool, shape (n_bytes,)
        The characters that are allowed.
    valid : ndarray of bool, shape (n_bytes - len(layout) + 1,), optional
        Where the layout may begin.

    Returns
    -------
    ndarray of bool, shape (n_cells,)
    """
    size = len(block.data) - len(layout) + 1
    if size <= 0:
        return np.zeros(len(block), np.bool_)
    found = np.ones(size, np.bool_) if valid is None else valid
    stretches: dict[tuple[int, int], Flags] = {}
    for place, length, kind in _runs(layout):
        if (kind, length) not in stretches:
            stretch, reach = block.kinds == kind if kind else allowed, 1
            while reach < length:
                step = min(reach, length - reach)
                stretch = stretch[:-step] & stretch[step:]
                reach += step
            stretches[kind, length] = stretch
        found = found & stretches[kind, length][place : place + size]
    return found.take(block.starts, mode="clip")


def is_between(tens: Bytes, ones: Bytes, first: int, last: int) -> Flags:
    """Return which numbers of two ASCII digits lie between two; what is smaller than the first wraps around."""
    number = tens * np.uint8(10) + ones
    number -= np.uint8((11 * ord("0") + first) % 256)
    flags: Flags = number <= np.uint8(last - first)
    return flags


def _is_kind(kinds: Bytes, kind: str) -> Flags:
    """Return which kinds of characters are a digit ("9"), a letter ("a"; no digit or separator) or this very one."""
    if kind == "a":
        return kinds > ord("9")
    flags: Flags = kinds - np.uint8(ord("0")) < np.uint8(10) if kind == "9" else kinds == ord(kind)
    return flags


def _find_alike(block: TextBlock, allowed: Flags, look: _Looker, find: _Finder) -> tuple[Flags, Flags]:
    """Find codes; where a few have one layout, look for that at each byte, and by other means only at what is left.

    A column of one layout, as most are, takes a third of the time so.
    """
    rows = {part * (len(block) - 1) // _PARTS for part in range(_PARTS + 1)}
    cells = [slice(block.bounds[row], block.bounds[row + 1]) for row in rows]
    seen = {found for cell in cells if (found := look(block.kinds[cell], allowed[cell]))}
    if len(seen) != 1:
        return find(block, allowed)
    ((layout, shown),) = seen
    fits = (block.stops - block.starts == len(layout)) & begins_like(block, layout, allowed)
    if fits.all():
        return np.frombuffer(shown * len(block), np.bool_), fits
    flags = np.zeros(len(block.data), np.bool_)
    begins = np.zeros_like(flags)
    begins[block.starts[fits]] = True
    for place, run, stays in _runs(shown):
        if stays:
            stretch = np.zeros_like(flags)
            stretch[place:] = begins[: len(flags) - place]
            flags |= spread(stretch, run)
    rest, taken = block.pick(~fits)
    if len(rest.data):
        flags[taken], fits[~fits] = find(rest, allowed[taken])
    return flags, fits


def _runs(text: bytes) -> Iterator[tuple[int, int, int]]:
    """Return the place, the length and the byte of each run of equal bytes."""
    place = 0
    for byte, run in groupby(text):
        length = len(list(run))
        yield place, length, byte
        place += length


_PARTS = 3
_LONGEST = 64  # what is longer than this, for all its separators, is not a usual layout

_Finder = Callable[[TextBlock, Flags], tuple[Flags, Flags]]
_Looker = Callable[[Bytes, Flags], tuple[bytes, bytes] | None]
