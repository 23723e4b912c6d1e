"""Text for numbered classes: few labels are made, and each row takes its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Codes", "Mask", "as_matrix", "distinct", "first_bytes", "lookup", "take", "write"]

Codes: TypeAlias = npt.NDArray[np.integer[Any]]
"""The number of each row's class: integers of 64 bits, or of 8 that have no sign."""

Mask: TypeAlias = "npt.NDArray[np.bool_] | None"
"""Which rows have no class; None if all have one."""


def write(codes: Codes, name: Callable[[Codes], list[str]], absent: Mask) -> pa.Array[Any]:
    """Return the label of each row's class; `name` is asked for each class once, or for all in a short range."""
    classes, places = distinct(codes, absent)
    return take(name(classes), places, absent)


def distinct(codes: Codes, absent: Mask) -> tuple[Codes, Codes]:
    """Return different numbers in ascending order, and the place of each row among them; 0 where a row has none.

    Numbers that lie close together are taken to be all there, so that no row has to be sorted. Few classes can come as
    integers of 8 bits.
    """
    present = codes if absent is None else codes[~absent]
    if not len(present):
        return np.zeros(1, np.int64), np.zeros(len(codes), np.int64)
    if codes.dtype == np.uint8:
        return np.arange(int(codes.max()) + 1), codes
    low, high = int(present.min()), int(present.max())
    if high - low < max(len(codes) // 2, _CLOSE):
        places = codes - low
        return np.arange(low, high + 1), places if absent is None else np.where(absent, 0, places)
    classes, found = np.unique(present, return_inverse=True)
    if absent is None:
        return classes, found
    places = np.zeros(len(codes), np.int64)
    places[~absent] = found
    return classes, places


def take(labels: Sequence[str], places: Codes, absent: Mask) -> pa.Array[Any]:
    """Return the label at each place, and null where a row is absent."""
    return lookup(labels)(places, absent)


def lookup(labels: Sequence[str], among: Codes | None = None) -> Callable[[Codes, Mask], pa.Array[Any]]:
    """Return `take` for labels that many rows are looked up in; `among` says which label is at which place."""
    written = [label.encode() for label in labels]
    widths = {len(label) for label in written}
    if len(widths) > 1 or not 0 < max(widths) <= _WORDS[-1]:
        table: Any = pa.array(labels, pa.large_string())
        chosen = table if among is None else table.take(pa.array(among))
        return lambda places, absent: chosen.take(pa.array(places, mask=absent))
    (width,) = widths
    word = next(size for size in _WORDS if size >= width)
    numbers = np.frombuffer(b"".join(label.ljust(word) for label in written), f"u{word}")
    numbers = numbers if among is None else numbers[among]

    def found(places: Codes, absent: Mask) -> pa.Array[Any]:
        rows = numbers.take(places.astype(np.intp, copy=False))  # numpy is slow with narrower ones
        return first_bytes(rows.view(np.uint8).reshape(-1, word), width, absent)

    return found


def first_bytes(matrix: npt.NDArray[np.uint8], width: int, absent: Mask) -> pa.Array[Any]:
    """Return text of the first bytes in each row, which are whole characters."""
    size = len(matrix)
    data, texts = _allocated((size, width), np.uint8)
    for place in range(width):  # faster than row by row
        texts[:, place] = matrix[:, place]
    offsets, ends = _allocated((size + 1,), np.int64)
    steps = np.arange(0, _BLOCK * width, width)
    for start in range(0, size + 1, _BLOCK):
        np.add(steps[: size + 1 - start], start * width, out=ends[start : start + _BLOCK])
    valid = None if absent is None else pa.array(~absent).buffers()[1]
    return pa.Array.from_buffers(pa.large_string(), size, [valid, offsets, data])


def _allocated(shape: tuple[int, ...], dtype: npt.DTypeLike) -> tuple[Any, npt.NDArray[Any]]:
    """Return memory of Arrow's pool, which knows it already, and an array over it to write to."""
    size = math.prod(shape)
    buffer: Any = pa.allocate_buffer(max(size, 1) * np.dtype(dtype).itemsize)
    return buffer, np.frombuffer(buffer, dtype, size).reshape(shape)


def as_matrix(cells: Any) -> npt.NDArray[np.uint8] | None:
    """Return the bytes of text in which all cells have the same number of ASCII characters; None for any other."""
    if cells.null_count or not len(cells):
        return None
    _, offsets, data = cells.buffers()
    width = 8 if pa.types.is_large_string(cells.type) else 4
    ends: Any = np.frombuffer(offsets, f"i{width}", len(cells) + 1, cells.offset * width)
    first, total = int(ends[0]), int(ends[-1] - ends[0])
    each = total // len(cells)
    # If no cell is longer than the mean, none is shorter.
    if not each or total % len(cells) or int((ends[1:] - ends[:-1]).max()) != each:
        return None
    text = np.frombuffer(data, np.uint8, total, first)
    return None if int(text.max()) > _ASCII else text.reshape(-1, each)


_ASCII = 127
_BLOCK = 2**14
_CLOSE = 4096
_WORDS = (1, 2, 4, 8)  # bytes that numpy moves as one number
