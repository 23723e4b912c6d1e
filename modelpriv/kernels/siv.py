"""AES-SIV (RFC 5297) over a whole column; its synthetic IV is also the keyed PRF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from modelpriv.errors import DecryptionError, InputError

__all__ = ["open_", "prf", "seal", "try_open"]

TAG = 16


def seal(key: bytes, cells: pa.Array[Any], associated_data: Sequence[bytes | pa.Array[Any]] = ()) -> pa.Array[Any]:
    """Encrypt every cell; a null stays null."""
    cipher = AESSIV(key)
    sealed = [
        None if cell is None else cipher.encrypt(cell, datum)
        for cell, datum in zip(_cells(cells), _data(cells, associated_data), strict=True)
    ]
    return pa.array(sealed, _binary_type(cells))


def open_(key: bytes, cells: pa.Array[Any], associated_data: Sequence[bytes | pa.Array[Any]] = ()) -> pa.Array[Any]:
    """Decrypt every cell; raise if any does not open."""
    opened, good = try_open(key, cells, associated_data)
    bad = len(good) - int(np.count_nonzero(good))
    if bad:
        raise DecryptionError(f"{bad} of {len(good)} cells do not open; the first is row {int(np.argmin(good))}.")
    return opened


def try_open(
    key: bytes, cells: pa.Array[Any], associated_data: Sequence[bytes | pa.Array[Any]] = ()
) -> tuple[pa.Array[Any], npt.NDArray[np.bool_]]:
    """Decrypt what opens; a cell that does not is null, and False in the verdict (nulls are True)."""
    cipher = AESSIV(key)
    opened: list[bytes | None] = []
    good = np.ones(len(cells), np.bool_)
    for row, (cell, datum) in enumerate(zip(_cells(cells), _data(cells, associated_data), strict=True)):
        try:
            opened.append(None if cell is None else cipher.decrypt(cell, datum))
        except (InvalidTag, ValueError):
            opened.append(None)
            good[row] = False
    return pa.array(opened, _binary_type(cells)), good


def prf(
    key: bytes, cells: pa.Array[Any], associated_data: Sequence[bytes | pa.Array[Any]] = ()
) -> npt.NDArray[np.uint8]:
    """Give the synthetic IV of every cell, shape (n, 16); zeros where the cell is null."""
    tags = np.zeros((len(cells), TAG), np.uint8)
    for row, cell in enumerate(seal(key, cells, associated_data).to_pylist()):
        if cell is not None:
            tags[row] = np.frombuffer(cell[:TAG], np.uint8)
    return tags


def _cells(cells: pa.Array[Any]) -> list[bytes | None]:
    return cells.cast(pa.large_binary()).to_pylist()


def _binary_type(cells: pa.Array[Any]) -> pa.DataType:
    return (
        pa.large_binary()
        if pa.types.is_large_binary(cells.type) or pa.types.is_large_string(cells.type)
        else pa.binary()
    )


def _data(cells: pa.Array[Any], associated_data: Sequence[bytes | pa.Array[Any]]) -> Iterator[list[bytes]]:
    columns: list[list[Any]] = []
    for datum in associated_data:
        if isinstance(datum, bytes):
            columns.append([datum] * len(cells))
            continue
        if len(datum) != len(cells) or datum.null_count:
            raise InputError("associated data: needs one value for each cell, none of them null.")
        columns.append(_cells(datum))
    return map(list, zip(*columns, strict=True)) if columns else iter([[] for _ in range(len(cells))])
