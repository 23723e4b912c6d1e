"""Typed cells to bytes and back: a tag that says what a cell is, then one canonical form for each logical type.

| tag | type      | canonical form |
|-----|-----------|----------------|
| 1   | text      | UTF-8 |
| 2   | int       | 8 bytes two's complement |
| 3   | float     | IEEE 754 binary64, with one NaN |
| 4   | bool      | 00 or 01 |
| 5   | timestamp | 00 (wall clock) or 01 (instant, UTC), 8 bytes of seconds since 1970, 4 bytes of nanoseconds |
| 6   | date      | 4 bytes of days since 1970 |
| 7   | time      | 8 bytes of nanoseconds since midnight |
| 8   | duration  | 8 bytes of seconds, 4 bytes of nanoseconds |
| 9   | decimal   | plain ASCII notation without trailing zeros, such as -12.5, and spaces up to 80 characters |
| 10  | bytes     | themselves |
| 11  | null      | nothing |
| 12  | int       | from 2**63 on: 8 bytes, unsigned |

Numbers are big-endian and signed. Equal values of one type have equal bytes whatever the width, unit, scale or time
zone of their column, so that an int32 joins an int64; 5 and "5" do not. Where equal cells are to have equal tokens or
tags (`joined`), floats that are whole numbers are written as ints, so that 5.0 joins 5, and -0.0 joins 0.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelpriv._columns.arrow import Array, pc
from modelpriv._columns.numbers import (
    FLOAT,
    INT,
    NUMBERS,
    UINT,
    Tags,
    decode_bool,
    decode_decimal,
    decode_numbers,
    encode_bool,
    encode_decimal,
    encode_floats,
    encode_integers,
)
from modelpriv._columns.rows import fixed
from modelpriv._columns.times import (
    decode_date,
    decode_duration,
    decode_time,
    decode_timestamp,
    encode_date,
    encode_duration,
    encode_time,
    encode_timestamp,
)
from modelpriv.errors import DecryptionError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelpriv._columns.arrow import ArrowType

__all__ = ["NULL", "decode", "enc_rows", "encode", "logical_type", "plain_bytes", "tagged"]

TEXT, BOOL, TIMESTAMP, DATE, TIME, DURATION, DECIMAL, BYTES, NULL = 1, 4, 5, 6, 7, 8, 9, 10, 11
_NAMES = [
    "no type",
    "text",
    "int",
    "float",
    "bool",
    "timestamp",
    "date",
    "time",
    "duration",
    "decimal",
    "bytes",
    "null",
    "int",
]


def logical_type(type_: ArrowType) -> str:
    """Return the name of the logical type of an Arrow type; timestamps with a time zone are a type of their own."""
    zoned = pa.types.is_timestamp(type_) and type_.tz is not None
    return _NAMES[_tag(type_)] + (" with time zone" if zoned else "")


def encode(cells: Array, *, joined: bool) -> tuple[Tags, Array]:
    """Return the tags of a column and its cells' canonical bytes.

    Parameters
    ----------
    cells : pyarrow.Array
        Dense cells of any flat type.
    joined : bool
        Whether equal numbers are to have equal bytes; the sign of -0.0 is lost then.

    Returns
    -------
    tags : bytes or numpy array of uint8
        One byte for all cells, or one for each, to be put before the cell.
    cells : pyarrow.Array
        Text as it came, everything else as (large) binary; nulls stay null.

    Raises
    ------
    InputError
        A cell's value is outside its type's range, such as a time of 30 hours.
    """
    tag = _tag(cells.type)
    try:
        if tag == INT:
            return encode_integers(cells)
        return encode_floats(cells, joined=joined) if tag == FLOAT else (bytes([tag]), _ENCODERS[tag](cells))
    except pa.ArrowException:
        pass  # its words hold the cell
    raise InputError(
        f"A column of {logical_type(cells.type)} ({cells.type}) holds a value outside the type's range. Correct it."
    )


def plain_bytes(cells: Array, *, joined: bool) -> Array:
    """Return each cell's tag and canonical bytes as one binary cell, for use as associated data or under a PRF."""
    return tagged(*encode(cells, joined=joined))


def tagged(tags: Tags, cells: Array) -> Array:
    """Return a binary column with each cell's tag before it."""
    is_large = pa.types.is_large_string(cells.type) or pa.types.is_large_binary(cells.type)
    type_ = pa.large_binary() if is_large else pa.binary()
    first = pa.scalar(tags, type_) if isinstance(tags, bytes) else fixed(tags, pa.nulls(0)).cast(type_)
    joined: Array = pc.binary_join_element_wise(first, cells.cast(type_), pa.scalar(b"", type_))
    return joined


def enc_rows(*items: bytes | Array) -> Array:
    """Return `enc(a, b, ...)` of `modelpriv.keys.derivation` row by row: each item's length in 4 bytes, then the item.

    Parameters
    ----------
    *items : bytes or pyarrow.Array
        Constants, and binary columns without nulls; at least one column.

    Returns
    -------
    pyarrow.Array
        A large binary column.
    """
    large = pa.large_binary()
    parts: list[Any] = []
    for item in items:
        if isinstance(item, bytes):
            parts.append(pa.scalar(len(item).to_bytes(4, "big") + item, large))
            continue
        lengths: Any = np.ascontiguousarray(pc.binary_length(item).to_numpy(zero_copy_only=False), dtype=">u4")
        parts += [fixed(lengths, item).cast(large), item.cast(large)]
    joined: Array = pc.binary_join_element_wise(*parts, pa.scalar(b"", large))
    return joined


def decode(tags: npt.NDArray[np.uint8], cells: Array, type_: ArrowType, *, what: str) -> Array:
    """Return the cells that canonical bytes stand for.

    Parameters
    ----------
    tags : numpy array of uint8, shape (n,)
        Each cell's tag; 0 and the tag of null where the cell is null.
    cells : pyarrow.Array
        The bytes after the tag.
    type_ : pyarrow.DataType or None
        The type that the cells are to have; None takes the logical type's default.
    what : str
        What to call the column in an error.

    Raises
    ------
    DecryptionError
        The cells are of several types, or of another type than asked for.
    InputError
        A cell does not fit the type.
    """
    found = {int(tag) for tag in np.unique(tags)} - {0, NULL}
    if not found:
        return pa.nulls(len(cells), type_ if type_ is not None else pa.null())
    type_ = None if type_ is None or pa.types.is_null(type_) else type_
    tag = _one_tag(found, type_, what)
    if (tags == NULL).any():
        cells = pc.if_else(pa.array(tags == NULL), pa.scalar(None, cells.type), cells)
    try:
        return decode_numbers(tags, cells, type_) if tag in NUMBERS else _DECODERS[tag](cells, type_)
    except (pa.ArrowException, ValueError, OverflowError):
        pass  # their words hold the cell
    fits = f"does not fit {type_}" if type_ is not None else "is invalid, or does not fit one column with the others"
    raise InputError(f"{what}: holds a {_NAMES[tag]} that {fits}. Open it without the fitted object instead.")


def _one_tag(found: set[int], type_: ArrowType, what: str) -> int:
    """Return the tag that stands for all cells, or refuse cells of several types, or of another than was fitted."""
    if unknown := found - _DECODERS.keys() - NUMBERS:
        raise DecryptionError(
            f"{what}: opens to a type that this version does not know ({min(unknown)}). A newer version may."
        )
    tag = FLOAT if FLOAT in found else min(found)
    if len(found) > 1 and not found <= NUMBERS:
        kinds = ", ".join(_NAMES[tag] for tag in sorted(found))
        raise DecryptionError(f"{what}: opens to cells of several types ({kinds}). Open them one type at a time.")
    if type_ is None or _tag(type_) == tag or (_tag(type_) == FLOAT and tag in NUMBERS):
        return tag
    if found <= {INT, UINT} and _tag(type_) == INT:
        return INT
    raise DecryptionError(f"{what}: opens to {_NAMES[tag]}, where {logical_type(type_)} was fitted.")


def _tag(type_: ArrowType) -> int:
    t = pa.types
    kinds = [
        (TEXT, (t.is_string, t.is_large_string)),
        (INT, (t.is_integer,)),
        (FLOAT, (t.is_floating,)),
        (BOOL, (t.is_boolean,)),
        (TIMESTAMP, (t.is_timestamp,)),
        (DATE, (t.is_date,)),
        (TIME, (t.is_time,)),
        (DURATION, (t.is_duration,)),
        (DECIMAL, (t.is_decimal,)),
        (BYTES, (t.is_binary, t.is_large_binary, t.is_fixed_size_binary)),
        (NULL, (t.is_null,)),
    ]
    return next(tag for tag, tests in kinds if any(test(type_) for test in tests))


_ENCODERS: dict[int, Callable[[Array], Array]] = {
    TEXT: lambda cells: cells,
    BOOL: encode_bool,
    TIMESTAMP: encode_timestamp,
    DATE: encode_date,
    TIME: encode_time,
    DURATION: encode_duration,
    DECIMAL: encode_decimal,
    BYTES: lambda cells: cells.cast(pa.large_binary() if pa.types.is_large_binary(cells.type) else pa.binary()),
    NULL: lambda cells: cells.cast(pa.binary()),
}
_DECODERS: dict[int, Callable[[Array, Any], Array]] = {
    TEXT: lambda cells, type_: cells.cast(type_ or pa.string()),
    BOOL: decode_bool,
    TIMESTAMP: decode_timestamp,
    DATE: decode_date,
    TIME: decode_time,
    DURATION: decode_duration,
    DECIMAL: decode_decimal,
    BYTES: lambda cells, type_: cells.cast(type_ or cells.type),
}
