"""Character masks over a whole text column: which characters stay, and the column with all others masked.

A *rule* looks at a block of cells and says which bytes stay. The rest of the work is the same for all rules: in ASCII
every masked byte is overwritten in place; elsewhere a masked character leaves one mask character behind, however
many bytes it had.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv.errors import ParameterError
from modelpriv.kernels.text.blocks import TextBlock, blocks
from modelpriv.kernels.text.flags import pieces

if TYPE_CHECKING:
    from modelpriv.kernels.text.flags import Flags, Offsets
    from modelpriv.kernels.text.graphemes import Bytes

__all__ = ["Rule", "Shown", "by_position", "by_regex", "mask"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What stays of the cells of a block.

    Attributes
    ----------
    flags : ndarray of bool, shape (n_bytes,)
        Which bytes stay; all or none of a character.
    block : TextBlock, optional
        The cells to mask instead: the same ones without the characters that should leave no mark.
    """

    flags: Flags
    block: TextBlock | None = None


Rule = Callable[[TextBlock], Shown]


def mask(cells: pa.Array[Any], rule: Rule, *, char: str = "*", length: int | None = None) -> pa.Array[Any]:
    """Mask a column.

    Parameters
    ----------
    cells : pyarrow.StringArray or pyarrow.LargeStringArray of length n
        The cells; nulls stay null.
    rule : callable
        Says which characters stay: `by_position`, `by_regex`, or one of `formats.FORMATS`.
    char : str
        What stands for a masked character.
    length : int, optional
        Write so many mask characters for masked characters in a row, however many they are, and for an empty cell.

    Returns
    -------
    pyarrow array of length n
        Text of the same type; large text, should it outgrow 2 GiB.
    """
    if cells.null_count:
        cells = _emptied(cells)
    data, offsets = _buffers(cells)
    mark = (char * (length or 1)).encode()
    column = _Column(offsets)
    for block in blocks(data, offsets):
        shown = rule(block) if len(block.data) else Shown(np.zeros(0, np.bool_))
        _write(column, shown.block or block, shown.flags, mark, joined=length is not None, same=shown.block is None)
    masked = column.finish(cells)
    return masked if length is None else _filled(masked, char * length)


def by_position(keep_first: int = 0, keep_last: int = 0, keep: str = "") -> Rule:
    """Let the first and the last characters stay, and some characters anywhere.

    A cell is masked whole where more than half of its letters and digits would be seen, or all of them. The characters
    of `keep` are not counted, neither for this nor among the first and last.

    Parameters
    ----------
    keep_first, keep_last : int
        How many characters stay at either end.
    keep : str
        Characters of one code point each.

    Returns
    -------
    Rule
    """
    keep_first, keep_last = min(keep_first, _MANY), min(keep_last, _MANY)
    ends = keep_first + keep_last

    def rule(block: TextBlock) -> Shown:
        nothing = np.zeros(len(block.data), np.bool_)
        if not ends and not keep:
            return Shown(nothing)
        if not keep:
            first = block.after(keep_first)
            last = np.maximum(block.before(keep_last), first)
            fit = _hides(block, block.content, first, last, ends)
            return Shown(block.ends(keep_first, keep_last, fit) if block.is_ascii else _ends(block, first, last, fit))
        kept = block.whole(block.among(keep))
        counted = block.choose(block.heads & ~kept)
        first = counted.nth(keep_first) if keep_first else block.starts
        last = np.maximum(counted.last(keep_last), first)
        fit = _hides(block, block.content & ~kept, first, last, ends)
        flags = _ends(block, first, last, fit) if ends else nothing
        return Shown(flags | block.without(kept, ~fit))

    return rule


def by_regex(pattern: str) -> Rule:
    """Let the named groups of the first match stay.

    A cell is masked whole where nothing matches, and where more than half of its letters and digits would be seen, or
    all of them.

    Parameters
    ----------
    pattern : str
        A regular expression of RE2, which takes linear time whatever the pattern.

    Returns
    -------
    Rule

    Raises
    ------
    ParameterError
        RE2 does not know the pattern, or it has no named groups, or others too.
    """
    try:
        probed = _extract(pa.array([], pa.string()), pattern=pattern)
        reason = "" if probed.type.num_fields else "it has no named group"
    except pa.ArrowInvalid as error:
        reason = str(error)
    if reason:
        raise ParameterError(
            f"regex must be a pattern of RE2 with named groups, (?P<name>...), and (?:...) for all others: {reason}."
        )

    def rule(block: TextBlock) -> Shown:
        flags = np.zeros(len(block.data), np.bool_)
        found = _extract(block.to_arrow(), pattern=pattern)
        for group in found.flatten():
            # A group that took no part in the match is null, and so are its place and length.
            spans = pc.fill_null(group.values, 0).to_numpy(zero_copy_only=False).reshape(-1, 2)
            starts = block.starts + spans[:, 0]
            flags |= block.cover((starts, starts + spans[:, 1]))
        if flags.any():
            flags = block.entirely(flags)
            hidden = block.totals(block.content & ~flags)
            seen = block.totals(block.content & flags)
            flags = block.without(flags, hidden < np.maximum(seen, 1))
        return Shown(flags)

    return rule


def _ends(block: TextBlock, first: Offsets, last: Offsets, cells: Flags) -> Flags:
    """Return flags on what is before `first` and from `last` on, in some cells."""
    if not cells.all():
        return block.cover((block.starts[cells], first[cells]), (last[cells], block.stops[cells]))
    return block.cover((block.starts, first), (last, block.stops))


def _hides(block: TextBlock, content: Flags, first: Offsets, last: Offsets, ends: int) -> Flags:
    """Return which cells hide, between two bytes, a letter or digit, and no fewer of them than they show."""
    counts = block.counts(content)
    total = counts.along(block.bounds)
    fit: Flags = total >= max(2 * ends, 1)  # as no more than `ends` are shown
    if not fit.all():
        hidden = counts.between(first, last)
        fit = hidden >= np.maximum(total - hidden, 1)
    return fit


def _emptied(cells: pa.Array[Any]) -> pa.Array[Any]:
    """Return the same cells with nothing beneath a null, where Arrow lets anything be."""
    valid = cells.is_valid().to_numpy(zero_copy_only=False)
    _, offsets = _buffers(cells)
    if not np.diff(offsets)[~valid].any():
        return cells
    rows: Any = pa.array(np.arange(len(cells)), mask=~valid)
    return cells.take(rows)


def _filled(cells: Any, mark: str) -> pa.Array[Any]:
    """Return the same cells with a mark in those that are empty."""
    empty: Any = pc.binary_length(cells)
    filled: pa.Array[Any] = pc.if_else(pc.invert(empty.cast(pa.bool_())), pa.scalar(mark, cells.type), cells)
    return filled


def _buffers(cells: pa.Array[Any]) -> tuple[Bytes, npt.NDArray[Any]]:
    width = np.int64 if pa.types.is_large_string(cells.type) else np.int32
    offsets: Any
    data: Any
    _, offsets, data = cells.buffers()
    if offsets is None or not len(cells):
        return np.zeros(0, np.uint8), np.zeros(1, width)
    taken = np.frombuffer(offsets, width)[cells.offset : cells.offset + len(cells) + 1]
    return np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8), taken


def _write(column: _Column, block: TextBlock, flags: Flags, mark: bytes, *, joined: bool, same: bool) -> None:
    """Write the cells of a block with a mark in the place of each character that does not stay."""
    if block.is_ascii and len(mark) == 1 and not joined:
        _overwrite(block.data, flags, mark[0], column.reserve(len(block.data)))
        column.end(block.stops, same=same)
        return
    # No byte of UTF-8 is 0xFF, so that it may stand for a mark of several bytes until the end.
    byte = mark[0] if len(mark) == 1 else _PLACEHOLDER
    masked = _overwrite(block.data, flags, byte, np.empty_like(block.data))
    written = _joined(block, flags) if joined else flags | block.heads
    masked = np.compress(written, masked)
    lengths = block.counts(written).along(block.bounds).astype(np.intp)
    if len(mark) > 1:
        masked = np.frombuffer(masked.tobytes().replace(bytes([_PLACEHOLDER]), mark), np.uint8)
        lengths += block.counts(written & ~flags).along(block.bounds) * np.intp(len(mark) - 1)
    column.reserve(len(masked))[:] = masked
    column.end(np.cumsum(lengths), same=False)


def _overwrite(data: Bytes, flags: Flags, byte: int, out: Bytes) -> Bytes:
    """Copy bytes, but this one for each without a flag: four passes of bit operations, a fifth of np.where's time."""
    for piece in pieces(len(data)):
        part = np.bitwise_xor(data[piece], np.uint8(byte), out=out[piece])
        part &= np.negative(flags[piece].view(np.uint8))
        part ^= np.uint8(byte)
    return out


def _joined(block: TextBlock, flags: Flags) -> Flags:
    """Return which bytes are written where only the first masked character of a row is."""
    follows = np.zeros(len(flags), np.bool_)
    follows[1:] = ~(flags[1:] | flags[:-1])
    follows &= ~block.begins
    return (flags | block.heads) & ~follows


class _Column:
    """A text column that grows block by block; while no cell changes its length, the offsets that came are its own."""

    def __init__(self, offsets: npt.NDArray[Any]) -> None:
        self._came, self._same = offsets, True
        self._offsets = np.empty(len(offsets), np.int64)
        self._data = np.empty(int(offsets[-1] - offsets[0]), np.uint8)  # what most masks need: no byte more than came
        self._rows = self._size = 0

    def reserve(self, size: int) -> Bytes:
        """Return room for the bytes of some cells."""
        start, self._size = self._size, self._size + size
        if self._size > len(self._data):
            grown = np.empty(max(self._size, 2 * len(self._data)), np.uint8)
            grown[:start] = self._data[:start]
            self._data = grown
        return self._data[start : self._size]

    def end(self, stops: Offsets, *, same: bool) -> None:
        """Say where in that room each of these cells ends, and whether those that came ended there too."""
        start, self._rows = self._rows, self._rows + len(stops)
        if self._same and same:
            return
        if self._same:
            np.subtract(self._came[: start + 1], self._came[0], out=self._offsets[: start + 1])
            self._same = False
        np.add(stops, self._offsets[start], out=self._offsets[start + 1 : self._rows + 1])

    def finish(self, cells: pa.Array[Any]) -> pa.Array[Any]:
        """Return the column, null where the cells are."""
        offsets: Any = self._came if self._same else self._offsets
        if offsets[0]:
            offsets = offsets - offsets[0]
        small = pa.types.is_string(cells.type) and self._size <= _MAX_32_BIT
        if small:
            offsets = offsets.astype(np.int32, copy=False)
        valid = None
        if cells.null_count:
            valid = pa.array(cells.is_valid().to_numpy(zero_copy_only=False)).buffers()[1]
        data: Any = self._data[: self._size]
        buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.string() if small else pa.large_string(), len(cells), buffers)


# In Arrow since version 20; its stubs do not know it.
_extract: Any = pc.extract_regex_span  # type: ignore[attr-defined]

_PLACEHOLDER = 0xFF
_MANY = 2**31  # more characters than this may as well be all
_MAX_32_BIT = 2**31 - 1
