"""Typed cells to bytes and back: a tag that says what a cell is, then one canonical form for each logical type.

| tag | type      | canonical form |
|-----|-----------|----------------|
| 1   | text      | UTF-8 |
| 2   | int       | 8 bytes two's complement, big-endian; 16 for what does not fit |
| 3   | float     | IEEE 754 binary64, big-endian; one NaN, and -0.0 apart from 0.0 |
| 4   | bool      | 00 or 01 |
| 5   | timestamp | 00 (wall clock) or 01 (instant, UTC), 8 bytes of seconds since 1970, 4 bytes of nanoseconds |
| 6   | date      | 4 bytes of days since 1970 |
| 7   | time      | 8 bytes of nanoseconds since midnight |
| 8   | duration  | 8 bytes of seconds, 4 bytes of nanoseconds |
| 9   | decimal   | plain ASCII notation without trailing zeros, such as -12.5 |
| 10  | bytes     | themselves |
| 11  | null      | nothing |

Numbers are signed and big-endian. Equal values of one type have equal bytes whatever the width, unit, scale or time
zone of their column, so that an int32 joins an int64; 5 and "5" do not.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv.errors import DecryptionError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NULL", "decode", "enc_rows", "encode", "logical_type", "plain_bytes"]

TEXT, INT, FLOAT, BOOL, TIMESTAMP, DATE, TIME, DURATION, DECIMAL, BYTES, NULL = range(1, 12)
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
]


def logical_type(type_: Any) -> str:
    """Return the name of the logical type of an Arrow type; timestamps with a time zone are a type of their own."""
    zoned = pa.types.is_timestamp(type_) and type_.tz is not None
    return _NAMES[_tag(type_)] + (" with time zone" if zoned else "")


def encode(cells: Any) -> tuple[bytes, Any]:
    """Return the tag of a column and its cells' canonical bytes.

    Parameters
    ----------
    cells : pyarrow.Array
        Dense cells of any flat type.

    Returns
    -------
    tag : bytes
        One byte, to be put before each cell.
    cells : pyarrow.Array
        Text as it came, everything else as (large) binary; nulls stay null.

    Raises
    ------
    InputError
        A cell is none that its type allows, such as a time of 30 hours.
    """
    tag = _tag(cells.type)
    try:
        return bytes([tag]), _ENCODERS[tag](cells)
    except pa.ArrowException:
        pass  # its words hold the cell
    raise InputError(f"A column of {logical_type(cells.type)} ({cells.type}) holds a cell out of the type's range.")


def plain_bytes(cells: Any) -> Any:
    """Return each cell's tag and canonical bytes as one binary cell, for use as associated data or under a PRF."""
    tag, encoded = encode(cells)
    if pa.types.is_string(encoded.type) or pa.types.is_large_string(encoded.type):
        encoded = encoded.cast(pa.large_binary())
    large = pa.types.is_large_binary(encoded.type)
    empty = pa.scalar(b"", pa.large_binary() if large else pa.binary())
    return pc.binary_join_element_wise(pa.scalar(tag, empty.type), encoded, empty)


def enc_rows(*items: Any) -> Any:
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
        parts += [_fixed(lengths, item).cast(large), item.cast(large)]
    return pc.binary_join_element_wise(*parts, pa.scalar(b"", large))


def decode(tags: Any, cells: Any, type_: Any, *, what: str) -> Any:
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
    found = np.unique(tags[(tags != 0) & (tags != NULL)])
    if len(found) == 0:
        return pa.nulls(len(cells), type_ if type_ is not None else pa.null())
    if len(found) > 1:
        kinds = ", ".join(_NAMES[tag] if tag <= NULL else "unknown" for tag in found)
        raise DecryptionError(f"{what}: opens to cells of several types ({kinds}). Open them one type at a time.")
    tag = int(found[0])
    if tag not in _DECODERS:
        raise DecryptionError(f"{what}: opens to a type that this version does not know ({tag}). A newer version may.")
    if type_ is not None and not pa.types.is_null(type_) and _tag(type_) != tag:
        raise DecryptionError(f"{what}: opens to {_NAMES[tag]}, where {logical_type(type_)} was fitted.")
    if (tags == NULL).any():
        cells = pc.if_else(pa.array(tags == NULL), pa.scalar(None, cells.type), cells)
    try:
        return _DECODERS[tag](cells, None if type_ is not None and pa.types.is_null(type_) else type_)
    except (pa.ArrowException, ValueError, OverflowError):
        pass  # their words hold the cell
    if type_ is None:
        raise InputError(f"{what}: holds a {_NAMES[tag]} that is none, or that no column holds beside the others.")
    raise InputError(
        f"{what}: holds a {_NAMES[tag]} that does not fit {type_}. Open it without the fitted object instead."
    )


# --- one pair for each logical type ----------------------------------------------------------------------------------


def _encode_int(cells: Any) -> Any:
    if not pa.types.is_uint64(cells.type):
        return _fixed(_numbers(cells, "int64").astype(">i8"), cells)
    numbers = _numbers(cells, "uint64")
    wide = numbers > np.iinfo(np.int64).max
    if not wide.any():
        return _fixed(numbers.astype(">i8"), cells)
    rows = np.zeros((len(cells), 16), np.uint8)
    rows[:, 8:] = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)
    kept = np.ones(rows.shape, bool)
    kept[:, :8] = wide[:, None]
    offsets: Any = np.concatenate(([0], np.cumsum(kept.sum(1)))).astype(np.int64)
    data: Any = rows[kept]
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(cells), [_validity(cells), pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def _decode_int(cells: Any, type_: Any) -> Any:
    widths = set(pc.binary_length(cells.drop_null()).unique().to_pylist())
    if not widths <= {8, 16}:
        raise ValueError
    if 16 in widths:  # noqa: PLR2004 - bytes of what an int64 does not hold
        numbers = [None if cell is None else int.from_bytes(cell, "big", signed=True) for cell in cells.to_pylist()]
        return pa.array(numbers, type_ or pa.uint64())
    numbers = pa.array(_rows(cells, ">i8").astype(np.int64), mask=_mask(cells))
    return numbers.cast(type_ or pa.int64())


def _encode_float(cells: Any) -> Any:
    numbers = _numbers(cells, "float64")
    return _fixed(np.where(np.isnan(numbers), np.nan, numbers).astype(">f8"), cells)


def _decode_float(cells: Any, type_: Any) -> Any:
    numbers = pa.array(_rows(cells, ">f8").astype(np.float64), mask=_mask(cells))
    fitted = numbers.cast(type_ or pa.float64(), safe=False)
    wide, back = (array.cast(pa.float64()).to_numpy(zero_copy_only=False) for array in (numbers, fitted))
    if not np.array_equal(wide, back, equal_nan=True):
        raise ValueError
    return fitted


def _encode_bool(cells: Any) -> Any:
    return _fixed(cells.fill_null(False).to_numpy(zero_copy_only=False).astype(np.uint8), cells)


def _decode_bool(cells: Any, type_: Any) -> Any:
    return pa.array(_rows(cells, "u1").astype(bool), mask=_mask(cells)).cast(type_ or pa.bool_())


def _encode_timestamp(cells: Any) -> Any:
    rows = np.empty(len(cells), _TIMESTAMP)
    rows["zone"] = cells.type.tz is not None
    rows["seconds"], rows["nanoseconds"] = _split(_numbers(cells, "int64"), cells.type.unit)
    return _fixed(rows, cells)


def _decode_timestamp(cells: Any, type_: Any) -> Any:
    rows = _rows(cells, _TIMESTAMP)
    zones = {int(zone) for zone in np.unique(rows["zone"][~_mask(cells)])}
    zone = "UTC" if 1 in zones else None
    if len(zones) > 1 or (type_ is not None and (type_.tz is None) != (zone is None)):
        raise ValueError
    type_ = type_ or pa.timestamp(_unit(rows), zone)
    return pa.array(_joined(rows, type_.unit), pa.timestamp(type_.unit, zone), mask=_mask(cells)).cast(type_)


def _encode_duration(cells: Any) -> Any:
    rows = np.empty(len(cells), _DURATION)
    rows["seconds"], rows["nanoseconds"] = _split(_numbers(cells, "int64"), cells.type.unit)
    return _fixed(rows, cells)


def _decode_duration(cells: Any, type_: Any) -> Any:
    rows = _rows(cells, _DURATION)
    type_ = type_ or pa.duration(_unit(rows))
    return pa.array(_joined(rows, type_.unit), type_, mask=_mask(cells))


def _encode_date(cells: Any) -> Any:
    return _fixed(_numbers(cells.cast(pa.date32()), "int32").astype(">i4"), cells)


def _decode_date(cells: Any, type_: Any) -> Any:
    days = pa.array(_rows(cells, ">i4").astype(np.int32), mask=_mask(cells))
    return days.cast(pa.date32()).cast(type_ or pa.date32())


def _encode_time(cells: Any) -> Any:
    if pa.types.is_time32(cells.type):
        cells = cells.cast(pa.time64("us"))
    return _fixed(_numbers(cells.cast(pa.time64("ns")), "int64").astype(">i8"), cells)


def _decode_time(cells: Any, type_: Any) -> Any:
    numbers = _rows(cells, ">i8").astype(np.int64)
    times = pa.array(numbers, pa.time64("ns"), mask=_mask(cells))
    type_ = type_ or pa.time64("ns" if (numbers % 1000).any() else "us")
    return times.cast(pa.time64("us")).cast(type_) if pa.types.is_time32(type_) else times.cast(type_)


def _encode_decimal(cells: Any) -> Any:
    if cells.type.scale < 0:
        cells = cells.cast(pa.decimal256(76, 0))
    text = cells.cast(pa.string())
    if pc.any(pc.match_substring(text, "E")).as_py():
        # Arrow writes the very small ones with an exponent; a decimal's plain form is Python's.
        text = pa.array([None if cell is None else format(cell, "f") for cell in cells.to_pylist()], pa.string())
    if cells.type.scale > 0:
        text = pc.utf8_rtrim(pc.utf8_rtrim(text, characters="0"), characters=".")
    return text.cast(pa.binary())


def _decode_decimal(cells: Any, type_: Any) -> Any:
    text = cells.cast(pa.string())
    if type_ is None:
        digits = pc.utf8_length(pc.replace_substring_regex(text, r"^-?0+|\D", ""))
        places = pc.utf8_length(pc.replace_substring_regex(text, r"^[^.]*\.?", ""))
        scale = pc.max(places).as_py()
        precision = max(1, scale, pc.max(pc.subtract(digits, places)).as_py() + scale)
        type_ = (pa.decimal128 if precision <= _DECIMAL128_DIGITS else pa.decimal256)(precision, scale)
    if type_.scale < 0:
        return text.cast(pa.decimal256(76, 0)).cast(type_)
    return text.cast(type_)


_ENCODERS: dict[int, Callable[[Any], Any]] = {
    TEXT: lambda cells: cells,
    INT: _encode_int,
    FLOAT: _encode_float,
    BOOL: _encode_bool,
    TIMESTAMP: _encode_timestamp,
    DATE: _encode_date,
    TIME: _encode_time,
    DURATION: _encode_duration,
    DECIMAL: _encode_decimal,
    BYTES: lambda cells: cells.cast(pa.large_binary() if pa.types.is_large_binary(cells.type) else pa.binary()),
    NULL: lambda cells: cells.cast(pa.binary()),
}
_DECODERS: dict[int, Callable[[Any, Any], Any]] = {
    TEXT: lambda cells, type_: cells.cast(type_ or pa.string()),
    INT: _decode_int,
    FLOAT: _decode_float,
    BOOL: _decode_bool,
    TIMESTAMP: _decode_timestamp,
    DATE: _decode_date,
    TIME: _decode_time,
    DURATION: _decode_duration,
    DECIMAL: _decode_decimal,
    BYTES: lambda cells, type_: cells.cast(type_ or cells.type),
}

# --- rows of fixed width ---------------------------------------------------------------------------------------------

_TIMESTAMP = np.dtype([("zone", "u1"), ("seconds", ">i8"), ("nanoseconds", ">u4")])
_DURATION = np.dtype([("seconds", ">i8"), ("nanoseconds", ">u4")])
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NS = 10**9
_DECIMAL128_DIGITS = 38


def _tag(type_: Any) -> int:
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


def _numbers(cells: Any, dtype: str) -> Any:
    """Return a column's numbers, with zeros where it is null."""
    type_ = pa.from_numpy_dtype(np.dtype(dtype))
    if pa.types.is_temporal(cells.type):
        cells = cells.view(pa.int32() if cells.type.bit_width == 32 else pa.int64())  # noqa: PLR2004 - bits
    return cells.cast(type_).fill_null(0).to_numpy(zero_copy_only=False)


def _split(numbers: Any, unit: str) -> tuple[Any, Any]:
    seconds, parts = np.divmod(numbers, _PER_SECOND[unit])
    return seconds, parts * (_NS // _PER_SECOND[unit])


def _joined(rows: Any, unit: str) -> Any:
    """Return seconds and nanoseconds as one number of units, and refuse what the unit cannot hold exactly."""
    seconds, nanoseconds = rows["seconds"].astype(np.int64), rows["nanoseconds"].astype(np.int64)
    numbers = seconds * _PER_SECOND[unit] + nanoseconds // (_NS // _PER_SECOND[unit])
    # What overflowed, or had a finer part, does not come apart again as it was.
    if any((again != part).any() for again, part in zip(_split(numbers, unit), (seconds, nanoseconds), strict=True)):
        raise ValueError
    return numbers


def _unit(rows: Any) -> str:
    """Return the unit that holds all rows exactly: microseconds if they do, as they are what Python has."""
    for unit in ("us", "ns", "ms"):
        with suppress(ValueError):
            _joined(rows, unit)
            return unit
    return "s"


def _fixed(rows: Any, cells: Any) -> Any:
    """Return rows of one width as a binary column with the nulls of `cells`."""
    width = rows.dtype.itemsize
    contiguous: Any = np.ascontiguousarray(rows)
    fixed = pa.Array.from_buffers(pa.binary(width), len(rows), [_validity(cells), pa.py_buffer(contiguous)])
    return fixed.cast(pa.binary() if rows.nbytes < 2**31 else pa.large_binary())


def _rows(cells: Any, dtype: Any) -> Any:
    """Return a binary column's cells as rows of one width, zeros where it is null."""
    dtype = np.dtype(dtype)
    filled = cells.fill_null(bytes(dtype.itemsize))
    if pc.any(pc.not_equal(pc.binary_length(filled), dtype.itemsize)).as_py():
        raise ValueError
    fixed = filled.cast(pa.binary(dtype.itemsize))
    return (
        np.frombuffer(fixed.buffers()[1], dtype, len(fixed), fixed.offset * dtype.itemsize)
        if len(fixed)
        else np.empty(0, dtype)
    )


def _mask(cells: Any) -> Any:
    return cells.is_null().to_numpy(zero_copy_only=False)


def _validity(cells: Any) -> Any:
    """Return a fresh validity bitmap: that of a slice would start in the middle of a byte."""
    return pa.array(~_mask(cells)).buffers()[1] if cells.null_count else None
