"""Integers, floats, bools and decimals as canonical bytes, and back; none shows its size by the length of its bytes.

Integers and floats are 8 bytes each, and the tag says which. Where equal numbers must be equal bytes, each float that
is a whole number is written as that integer, cell by cell::

    an int64 column      5              ->  tag INT    00 00 00 00 00 00 00 05
    a float64 column     5.0            ->  tag INT    00 00 00 00 00 00 00 05
                        -0.0            ->  tag INT    00 00 00 00 00 00 00 00
                         2.5            ->  tag FLOAT  40 04 00 00 00 00 00 00
    a uint64 column      2**63          ->  tag UINT   80 00 00 00 00 00 00 00
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelpriv._columns.arrow import Array, pc
from modelpriv._columns.rows import fixed, integers, nulls, rows

if TYPE_CHECKING:
    from sklearn.utils import Tags

    from modelpriv._columns.arrow import ArrowType

__all__ = [
    "FLOAT",
    "INT",
    "NUMBERS",
    "UINT",
    "Tags",
    "decode_bool",
    "decode_decimal",
    "decode_numbers",
    "encode_bool",
    "encode_decimal",
    "encode_floats",
    "encode_integers",
]

INT, FLOAT, UINT = 2, 3, 12
NUMBERS = {INT, FLOAT, UINT}

Tags = bytes | npt.NDArray[np.uint8]
"""The tag of all cells, or that of each."""

_DECIMAL128_DIGITS = 38
_DECIMAL_WIDTH = 80  # characters: a sign, a zero, a point and Arrow's longest decimal of 76 digits, and one to spare


def encode_integers(cells: Array) -> tuple[Tags, Array]:
    """Return tags and bytes of integers; those from 2**63 on have a tag of their own."""
    if not pa.types.is_uint64(cells.type):
        return bytes([INT]), fixed(integers(cells, "int64").astype(">i8"), cells)
    numbers = integers(cells, "uint64")
    large = numbers > np.iinfo(np.int64).max
    return _tags(large, UINT, INT), fixed(numbers.astype(">u8"), cells)


def encode_floats(cells: Array, *, joined: bool) -> tuple[Tags, Array]:
    """Return tags and bytes of floats, with one NaN; `joined` writes whole numbers as the integers that they equal."""
    numbers = integers(cells, "float64")
    made = np.where(np.isnan(numbers), np.nan, numbers).astype(">f8").view(">u8")
    if not joined:
        return bytes([FLOAT]), fixed(made, cells)
    whole = (np.trunc(numbers) == numbers) & (numbers >= -(2.0**63)) & (numbers < 2.0**64)
    if not whole.any():
        return bytes([FLOAT]), fixed(made, cells)
    large = whole & (numbers >= 2.0**63)
    small = whole & ~large
    made[small] = numbers[small].astype(np.int64).astype(">i8").view(">u8")
    made[large] = numbers[large].astype(np.uint64).astype(">u8")
    if small.all():
        return bytes([INT]), fixed(made, cells)
    return np.where(small, INT, np.where(large, UINT, FLOAT)).astype(np.uint8), fixed(made, cells)


def decode_numbers(tags: npt.NDArray[np.uint8], cells: Array, type_: ArrowType) -> Array:
    """Return integers, or floats where one of them is a float or `type_` is; each must fit exactly.

    Raises
    ------
    ValueError, OverflowError, pyarrow.ArrowException
        A number does not fit.
    """
    found = rows(cells, ">u8").astype(np.uint64)
    wanted = type_ or _default_type({int(tag) for tag in np.unique(tags)})
    if pa.types.is_floating(wanted):
        return _to_floats(tags, found, cells, wanted)
    if not (tags == UINT).any():
        return pa.array(found.view(np.int64), mask=nulls(cells)).cast(wanted)
    if (found.view(np.int64)[tags == INT] < 0).any():
        raise ValueError
    return pa.array(found, mask=nulls(cells)).cast(wanted)


def _default_type(tags: set[int]) -> pa.DataType:
    if FLOAT in tags:
        return pa.float64()
    return pa.uint64() if UINT in tags else pa.int64()


def _to_floats(tags: npt.NDArray[np.uint8], found: npt.NDArray[np.uint64], cells: Array, type_: ArrowType) -> Array:
    numbers = found.view(np.float64).copy()
    for tag, dtype in ((INT, np.int64), (UINT, np.uint64)):
        own = tags == tag
        whole = found[own].view(dtype)
        numbers[own] = whole.astype(np.float64)
        with np.errstate(invalid="ignore"):  # what a float cannot hold comes back as another integer
            if (numbers[own].astype(dtype) != whole).any():
                raise ValueError
    exact = pa.array(numbers, mask=nulls(cells))
    fitted: Array = exact.cast(type_, safe=False)
    wide, back = (array.cast(pa.float64()).to_numpy(zero_copy_only=False) for array in (exact, fitted))
    if not np.array_equal(wide, back, equal_nan=True):
        raise ValueError
    return fitted


def encode_bool(cells: Array) -> Array:
    return fixed(cells.fill_null(False).to_numpy(zero_copy_only=False).astype(np.uint8), cells)


def decode_bool(cells: Array, type_: ArrowType) -> Array:
    made: Array = pa.array(rows(cells, "u1").astype(bool), mask=nulls(cells))
    return made if type_ is None else made.cast(type_)


def encode_decimal(cells: Array) -> Array:
    """Return plain notation without trailing zeros, filled up with spaces to one width for all."""
    scale = cells.type.scale
    if scale < 0:
        cells = cells.cast(pa.decimal256(76, 0))
    text = cells.cast(pa.string())
    if pc.any(pc.match_substring(text, "E")).as_py():
        # Arrow writes the very small ones with an exponent; a decimal's plain form is Python's.
        text = pa.array([None if cell is None else format(cell, "f") for cell in cells.to_pylist()], pa.string())
    if scale > 0:
        text = pc.utf8_rtrim(pc.utf8_rtrim(text, characters="0"), characters=".")
    filled: Array = pc.ascii_rpad(text.cast(pa.large_string()), width=_DECIMAL_WIDTH)
    return filled.cast(pa.large_binary())


def decode_decimal(cells: Array, type_: ArrowType) -> Array:
    text: Any = pc.ascii_rtrim_whitespace(cells.cast(pa.large_string())).cast(pa.string())
    if type_ is None:
        digits = pc.utf8_length(pc.replace_substring_regex(text, r"^-?0+|\D", ""))
        places = pc.utf8_length(pc.replace_substring_regex(text, r"^[^.]*\.?", ""))
        scale = pc.max(places).as_py()
        precision = max(1, scale, pc.max(pc.subtract(digits, places)).as_py() + scale)
        type_ = (pa.decimal128 if precision <= _DECIMAL128_DIGITS else pa.decimal256)(precision, scale)
    made: Array = (text.cast(pa.decimal256(76, 0)) if type_.scale < 0 else text).cast(type_)
    return made


def _tags(chosen: npt.NDArray[np.bool_], tag: int, other: int) -> Tags:
    """Return one tag if all cells have it, else that of each."""
    if not chosen.any():
        return bytes([other])
    return bytes([tag]) if chosen.all() else np.where(chosen, tag, other).astype(np.uint8)
