"""Keyed tags of typed cells: 16 bytes that say which cells are equal, and nothing else without the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from modelpriv._columns.cells import NULL, encode, logical_type
from modelpriv.errors import InputError
from modelpriv.kernels.aes import siv

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import Array
    from modelpriv._columns.frame import Column
    from modelpriv.transformers.fitted import State

__all__ = ["KEY_LENGTH", "check_same_type", "different_tags", "merged_type", "tags"]

KEY_LENGTH = 64
_TAG = 16
_LOOKED_AT = 4096  # cells, before the others are told apart


def tags(cells: Array, key: bytes, *, nulls: bool) -> npt.NDArray[np.uint8]:
    """Return the PRF of each cell: equal cells of one logical type have equal tags, whatever the dtype.

    The cell's type tag is associated data of the PRF, so that 5 and "5" have nothing in common and no cell is copied.
    Equal numbers have equal tags: 5.0 has that of 5, and -0.0 that of 0.

    Parameters
    ----------
    cells : pyarrow.Array
        Typed cells.
    key : bytes
        A working key of `KEY_LENGTH` bytes.
    nulls : bool
        Whether a null has a tag of its own; otherwise it has zeros.

    Returns
    -------
    numpy array of uint8, shape (n, 16)
    """
    kinds, encoded = encode(cells, joined=True)
    if isinstance(kinds, bytes):
        found = siv.prf(key, encoded, [kinds])
    else:
        found = np.empty((len(cells), _TAG), np.uint8)
        for kind in np.unique(kinds):
            own = kinds == kind
            found[own] = siv.prf(key, encoded.filter(pa.array(own)), [bytes([kind])])
    if nulls and cells.null_count:
        found[cells.is_null().to_numpy(zero_copy_only=False)] = siv.prf(key, pa.array([b""]), [bytes([NULL])])
    return found


def different_tags(cells: Array, key: bytes, *, nulls: bool) -> npt.NDArray[np.uint8]:
    """Return the tags of a column's cells, perhaps one for all equal cells: with few different cells this is faster."""
    first = cells.slice(0, _LOOKED_AT)
    repeats = len(cells) > _LOOKED_AT and 2 * len(first.unique()) < len(first)
    different = cells.unique() if repeats else cells
    return tags(different if nulls else different.drop_null(), key, nulls=nulls)


def merged_type(one: State, other: State) -> str:
    """Return the logical type of two parts of a column, or refuse parts of different types; nulls have any type."""
    types = {one["logical"], other["logical"]} - {"null"}
    if len(types) > 1:
        raise InputError(
            f"Column {one['name']!r} holds {one['logical']} in one part and {other['logical']} in another. Give all "
            "parts one type first."
        )
    return str(next(iter(types), "null"))


def check_same_type(column: Column, logical: str) -> None:
    """Refuse a column of another logical type than at fit: its equal values would look like others."""
    found = logical_type(column.data.type)
    if found not in {logical, "null"} and logical != "null":
        raise InputError(
            f"Column {column.name!r} held {logical} at fit and now holds {found} (dtype {column.dtype}). Convert it, "
            "or fit again."
        )
