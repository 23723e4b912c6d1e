"""A keyed index into a pool of values: which fake the tag of a cell chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["distinct", "index", "merged", "position", "united"]

_TAG = 16


def index(tags: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint64]:
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
    ndarray of shape (n,), uint64
        Places in ``range(size)``.
    """
    words = np.ascontiguousarray(tags).view("<u8")[:, 0]
    return words % np.uint64(size)


def distinct(tags: npt.NDArray[np.uint8]) -> pa.Array[Any]:
    """Give each tag once, in the order in which they come.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.

    Returns
    -------
    pyarrow.FixedSizeBinaryArray
        Each tag once.
    """
    return _binary(tags).unique()


def united(one: pa.Array[Any], other: pa.Array[Any]) -> pa.Array[Any]:
    """Give the tags that are in either of two results of `distinct`."""
    return pa.concat_arrays([one, other]).unique()


def merged(sets: Iterable[pa.Array[Any]]) -> pa.Array[Any]:
    """Give the tags that are in any of several results of `distinct`, in ascending order.

    Neither the order of the rows nor the number of times that a value occurs is left in it.
    """
    return _sorted(pa.concat_arrays([_binary(np.empty((0, _TAG), np.uint8)), *sets]).unique())


def position(tags: npt.NDArray[np.uint8], known: pa.Array[Any]) -> npt.NDArray[np.int32]:
    """Find each tag among the distinct ones.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.
    known : pyarrow.FixedSizeBinaryArray
        The result of `merged`.

    Returns
    -------
    ndarray of shape (n,), int32
        Places in `known`; -1 where it is not there.
    """
    places: npt.NDArray[np.int32] = pc.index_in(_binary(tags), value_set=known).fill_null(-1).to_numpy()
    return places


def _sorted(tags: pa.Array[Any]) -> pa.Array[Any]:
    return tags.take(pc.sort_indices(tags))


def _binary(tags: npt.NDArray[np.uint8]) -> pa.Array[Any]:
    buffer = pa.py_buffer(np.ascontiguousarray(tags))  # type: ignore[arg-type]
    return pa.Array.from_buffers(pa.binary(_TAG), len(tags), [None, buffer])
