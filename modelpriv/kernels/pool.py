"""A keyed index into a pool of values: which fake the tag of a cell chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["distinct", "index", "merged", "pick", "position"]

_TAG = 16


def index(tags: npt.NDArray[np.uint8], size: int) -> pa.Array[Any]:
    """Give each tag a place in a pool of `size` values.

    Sixty-four bits of the tag are taken modulo `size`. A place can be more probable than another one by at most one
    part in ``2**64 / size``: below ``1e-12`` for a pool of ten million, so nothing is rejected and drawn again.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.
    size : int
        The size of the pool, at least one.

    Returns
    -------
    pyarrow.UInt64Array of length n
        Places in ``range(size)``.
    """
    words = np.ascontiguousarray(tags).view("<u8")[:, 0]
    return pa.array(words % np.uint64(size))


def pick(pool: pa.Array[Any], places: pa.Array[Any], nulls: npt.NDArray[np.bool_] | None = None) -> pa.Array[Any]:
    """Take the pool's value at each place; null where the place is null, or where `nulls` is true.

    Parameters
    ----------
    pool : pyarrow.Array
        The values to choose from.
    places : pyarrow.Array of integers, length n
        The result of `index` or `position`.
    nulls : ndarray of shape (n,), bool, optional
        Which cells stay null.
    """
    if nulls is not None:
        places = pc.if_else(pa.array(nulls), pa.scalar(None, places.type), places)
    return pool.take(places)


def distinct(tags: npt.NDArray[np.uint8]) -> pa.Array[Any]:
    """Give the distinct tags in ascending order, so that neither the order of the rows nor their number is kept.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.

    Returns
    -------
    pyarrow.FixedSizeBinaryArray
        Each tag once.
    """
    return _sorted(_binary(tags).unique())


def merged(first: pa.Array[Any], second: pa.Array[Any]) -> pa.Array[Any]:
    """Give the tags that are in one of two results of `distinct`, or in both."""
    return _sorted(pa.concat_arrays([first, second]).unique())


def position(tags: npt.NDArray[np.uint8], known: pa.Array[Any]) -> pa.Array[Any]:
    """Find each tag among the distinct ones; null where it is not there.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.
    known : pyarrow.FixedSizeBinaryArray
        The result of `distinct`.

    Returns
    -------
    pyarrow.Int32Array of length n
        Places in `known`.
    """
    return pc.index_in(_binary(tags), value_set=known)


def _sorted(tags: pa.Array[Any]) -> pa.Array[Any]:
    return tags.take(pc.sort_indices(tags))


def _binary(tags: npt.NDArray[np.uint8]) -> pa.Array[Any]:
    buffer = pa.py_buffer(np.ascontiguousarray(tags))  # type: ignore[arg-type]
    return pa.Array.from_buffers(pa.binary(_TAG), len(tags), [None, buffer])
