"""Variable-length cells as offsets and bytes: gathered into matrices batch by batch, and scattered back.

Arrow holds a column of text as one buffer of bytes and the offsets at which its cells begin::

    cells    "Oslo"  ""  "Bergen"
    data     O s l o B e r g e n
    offsets  0       4   4           10

A kernel works on a matrix with one row a cell, as wide as the longest cell of the batch. The bytes behind a cell are
undefined going in, and ignored coming out, where rows of another length are scattered into new offsets::

    row 0    O s l o . .
    row 1    . . . . . .
    row 2    B e r g e n

Cells of a span that are far longer than the others form batches of their own, so that one long cell does not make all
rows wide (`Cells.batches`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelpriv.errors import InputTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "BLOCK",
    "Batch",
    "Cells",
    "CipherBlocks",
    "Order",
    "Output",
    "chosen",
    "records",
    "spans",
    "walk",
    "windows",
]

Bytes = npt.NDArray[np.uint8]
Lengths = npt.NDArray[np.intp]
Rows = slice | npt.NDArray[np.intp]
CipherBlocks = npt.NDArray[np.uint64]  # of shape (..., 2): 16 bytes as two words, in the order of memory
State = TypeVar("State")

# Sealing short text took 122, 111 and 110 ns a cell at 8192, 16384 and 32768 rows on one thread, and 129, 96 and 79 on
# two; but the temporaries of twice 32768 rows are more than the 64 MiB that a column may take besides its result.
SPAN_ROWS = 16384
BATCH_BYTES = 2**21  # of a matrix; the cells of a whole span have 128 bytes each
BLOCK = 16
_THREADED_ROWS = 4 * SPAN_ROWS
_WHOLE = np.complex128  # a block: numpy copies 16 bytes of this type at once
_LONGEST_SMALL = 2**31 - 1  # what 32-bit offsets reach


def spans(start: int, stop: int) -> Iterator[slice]:
    """Cut a range of rows into spans whose temporaries stay in cache."""
    for first in range(start, stop, SPAN_ROWS):
        yield slice(first, min(first + SPAN_ROWS, stop))


def walk(cells: Cells, begin: Callable[[], State], work: Callable[[State, Batch, int], None]) -> None:
    """Call ``work(begin(), batch, stop)`` for all batches of a column; of a long one, for its halves in two threads.

    `begin` makes what a thread has for itself; `stop` is the row that ends the thread's part.
    """

    def part(start: int, stop: int) -> None:
        state = begin()
        for span in spans(start, stop):
            for batch in cells.batches(span):
                work(state, batch, stop)

    count = len(cells)
    if count > SPAN_ROWS // 4:
        # Where an untouched block of this size was freed, glibc keeps what is freed next for the next batch. Else each
        # gives its memory back to the system, and gets it again page by page: that doubled the time of a column.
        np.empty(8 * BATCH_BYTES, np.uint8)
    if count < _THREADED_ROWS:
        part(0, count)
        return
    with ThreadPoolExecutor(2) as pool:
        for half in [pool.submit(part, 0, count // 2), pool.submit(part, count // 2, count)]:
            half.result()


def windows(data: Bytes, width: int) -> npt.NDArray[np.void]:
    """View bytes as the records of `width` bytes that begin at each of them; overlapping, so index it by offsets."""
    return np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))


def records(matrix: Bytes, at: int, width: int) -> npt.NDArray[np.void]:
    """View `width` columns of a matrix, from column `at` on, as one record a row."""
    return np.ndarray((len(matrix),), f"V{width}", matrix, at, matrix.strides[:1])


@dataclass(frozen=True)
class Order:
    """Cells by their number of blocks, fewest first: those with a block at some position are the last of them."""

    places: Rows  # the place of each in the matrix
    firsts: list[int]  # for each position, the first cell with a block there; then, twice, the number of cells
    ends: Lengths  # how many bytes of its last block belong to each cell

    def __len__(self) -> int:
        return self.firsts[-1]

    def steps(self) -> Iterator[tuple[int, int, int]]:
        """Give for each position the first cell with a block there, with a next block, with one more after that."""
        return zip(self.firsts, self.firsts[1:], self.firsts[2:], strict=False)

    def load(self, matrix: Bytes, at: int) -> list[CipherBlocks]:
        """Copy the blocks that begin in column `at`: for each position, those of the cells that have one there."""
        return [self.column(matrix, at + BLOCK * position, first) for position, first in enumerate(self.firsts[:-2])]

    def column(self, matrix: Bytes, at: int, first: int = 0) -> CipherBlocks:
        """Copy one block a cell, from some cell on."""
        column = np.empty(len(matrix), _WHOLE)
        column[...] = _whole(matrix, at)
        some = column if isinstance(self.places, slice) else column.take(self.places[first:])
        return some.view(np.uint64).reshape(-1, 2)

    def store(self, matrix: Bytes, at: int, cells: Sequence[CipherBlocks]) -> None:
        """Write blocks where `load` finds them, and zeros where a cell has none."""
        for position, blocks in enumerate(cells):
            column = blocks.view(_WHOLE)[:, 0]
            if not isinstance(self.places, slice):
                column = np.zeros(len(matrix), _WHOLE)
                column[self.places[-len(blocks) :]] = blocks.view(_WHOLE)[:, 0]
            _whole(matrix, at + BLOCK * position)[...] = column


@dataclass(frozen=True)
class Batch:
    """Rows of a column, ascending, whose cells make a matrix of modest size; long ones are within a factor of two."""

    rows: Rows  # in the column
    places: Rows  # among the rows that were asked for
    lengths: Lengths
    long: bool = False


@dataclass(frozen=True)
class Cells:
    """A column of variable-length cells, without a copy: its bytes, offsets, and which cells are not null."""

    data: Bytes = field(repr=False)
    offsets: npt.NDArray[Any]
    valid: npt.NDArray[np.bool_] | None

    @classmethod
    def of(cls, array: pa.Array[Any]) -> Cells:
        """View an Arrow array of binary or text."""
        kind = array.type
        if kind not in {pa.binary(), pa.string(), pa.large_binary(), pa.large_string()}:
            raise InputTypeError(f"the cells are of Arrow type {kind}; allowed are binary and text, large or not.")
        small = kind in {pa.binary(), pa.string()}
        offsets: Any
        data: Any
        _, offsets, data = array.buffers()
        width = np.int32 if small else np.int64
        if offsets is None:  # an array of nulls need not have them
            return cls(np.zeros(0, np.uint8), np.zeros(len(array) + 1, width), np.zeros(len(array), np.bool_))
        return cls(
            np.frombuffer(data or b"", np.uint8),
            np.frombuffer(offsets, width)[array.offset :][: len(array) + 1],
            array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None,
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def lengths(self, rows: Rows) -> Lengths:
        """Give the cells' lengths in bytes."""
        ends: Lengths = self.offsets[1:][rows].astype(np.intp)
        ends -= self.offsets[:-1][rows]
        return ends

    def cell(self, row: int) -> bytes:
        """Give one cell."""
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def batches(self, rows: Rows) -> Iterator[Batch]:
        """Sort rows, those that are not null, into batches: one of the cells of usual length, and some of long ones."""
        places: Rows = slice(None)
        if self.valid is not None:
            places = np.flatnonzero(self.valid[rows])
            rows = chosen(rows, places)
        lengths = self.lengths(rows)
        longest, limit = int(lengths.max(initial=0)), BATCH_BYTES // SPAN_ROWS
        if longest <= limit:
            if len(lengths):
                yield Batch(rows, places, lengths)
            return
        places = np.arange(len(lengths)) if isinstance(places, slice) else places
        usual = np.flatnonzero(lengths <= limit)
        if len(usual):
            yield Batch(chosen(rows, usual), places[usual], lengths[usual])
        while limit < longest:
            long = np.flatnonzero((lengths > limit) & (lengths <= 2 * limit))
            limit *= 2
            step = max(1, BATCH_BYTES // limit)
            for first in range(0, len(long), step):
                some = long[first : first + step]
                yield Batch(chosen(rows, some), places[some], lengths[some], long=True)

    def matrix(self, batch: Batch, width: int, lead: int = 0, fill: int = 0) -> Bytes:
        """Copy a batch's cells into rows of `width` bytes, from column `lead` on, cut where they are longer.

        Around a cell is what surrounds it in the column, or `fill`: one record of `width` bytes is copied for
        each row, whatever its cell's length. That takes 5 ns; records of the exact length, after a sort, took 16.
        """
        starts = self.offsets[:-1][batch.rows]
        starts = starts - lead
        low, high = int(starts.min()), int(starts.max()) + width
        data = self.data[max(low, 0) : high]
        if len(data) < high - low:
            room = np.full(high - low, fill, np.uint8)
            room[max(-low, 0) :][: len(data)] = data
            data = room
        gathered: Bytes = windows(data, width)[starts - low].view(np.uint8).reshape(-1, width)
        return gathered


class Output:
    """A column of variable-length cells in the making, with the nulls of another.

    Parameters
    ----------
    cells : Cells
        The column whose rows it has; its cells are large where those are, or where they need to be.
    lengths : callable
        From a slice of rows to the lengths of the new cells.
    text : bool
        Whether the new cells are text or binary.
    """

    def __init__(self, cells: Cells, lengths: Callable[[slice], Lengths], *, text: bool) -> None:
        def of_span(span: slice) -> Lengths:
            return lengths(span) if cells.valid is None else lengths(span) * cells.valid[span]

        large = cells.offsets.dtype == np.int64
        if not large:
            large = sum(int(of_span(span).sum()) for span in spans(0, len(cells))) > _LONGEST_SMALL
        self.offsets = np.zeros(len(cells) + 1, np.int64 if large else np.int32)
        for span in spans(0, len(cells)):
            self.offsets[1:][span] = of_span(span)
        np.cumsum(self.offsets, out=self.offsets)
        # Arrow's pool gives memory back that was touched before: fresh pages cost as much as the cipher.
        self._buffer = pa.allocate_buffer(int(self.offsets[-1]))
        self._data: Bytes = np.frombuffer(self._buffer, np.uint8)  # type: ignore[call-overload]
        self._valid = cells.valid
        self._type = (
            (pa.large_string() if large else pa.string()) if text else pa.large_binary() if large else pa.binary()
        )

    def scatter(self, batch: Batch, matrix: Bytes, at: int, stop: int) -> None:
        """Write the cells that begin in column `at` of a matrix to their rows, of a range of rows that ends at `stop`.

        Of cells of usual length whole records are written, in ascending order, so that the next cell covers what a
        record has too much: 6 ns a row, where records of the exact length, after a sort, took 16. Long cells are
        written exactly, and so after the others of their span.
        """
        starts = self.offsets[:-1][batch.rows].astype(np.intp)
        if batch.long:
            self._scatter_exactly(starts, self.offsets[1:][batch.rows].astype(np.intp) - starts, matrix, at)
            return
        width = matrix.shape[1] - at
        low, high, limit = int(starts[0]), int(starts[-1]) + width, int(self.offsets[stop])
        if high <= limit:
            windows(self._data[low:high], width)[starts - low] = records(matrix, at, width)
        else:
            room = np.empty(high - low, np.uint8)
            windows(room, width)[starts - low] = records(matrix, at, width)
            self._data[low:limit] = room[: limit - low]

    def _scatter_exactly(self, starts: Lengths, lengths: Lengths, matrix: Bytes, at: int) -> None:
        """Write records as long as the shortest cell, as many as the longest needs; the last may overlap."""
        width = int(lengths.min())
        if not width:  # nothing to write, or cells whose padding came off
            some = np.flatnonzero(lengths)
            if len(some):
                self._scatter_exactly(starts[some], lengths[some], matrix[some], at)
            return
        begins = np.arange(at, matrix.size, matrix.shape[1])
        source, target = windows(matrix.reshape(-1), width), windows(self._data, width)
        for step in range(0, int(lengths.max()), width):
            places = np.minimum(step, lengths - width)
            target[starts + places] = source[begins + places]

    def finish(self, good: npt.NDArray[np.bool_] | None = None) -> pa.Array[Any]:
        """Give the column; null are also the cells that are not good."""
        valid = self._valid
        if good is not None and not good.all():
            valid = good if valid is None else valid & good
        bits = None if valid is None else pa.array(valid).buffers()[1]
        offsets: Any = self.offsets
        buffers = [bits, pa.py_buffer(offsets), self._buffer]
        return pa.Array.from_buffers(self._type, len(self.offsets) - 1, buffers)


def chosen(rows: Rows, places: Rows) -> Rows:
    """Give the rows at some places among others."""
    if isinstance(places, slice):
        return rows
    return places + rows.start if isinstance(rows, slice) else rows[places]


def _whole(matrix: Bytes, at: int) -> npt.NDArray[np.complex128]:
    return np.ndarray((len(matrix),), _WHOLE, matrix, at, matrix.strides[:1])
