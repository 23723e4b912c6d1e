"""Numbers in place of cells: equal cells have equal numbers, in the cells' order; null comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Codes", "as_codes", "ranked"]

_FEW = 4  # times as many numbers as rows may be possible before counting them costs more than sorting


@dataclass(frozen=True, slots=True)
class Codes:
    """A column as numbers: 0 is null, the others count the different values from 1 in ascending order."""

    numbers: npt.NDArray[Any]
    values: Any

    @property
    def size(self) -> int:
        """How many numbers there may be, with that of null."""
        return len(self.values) + 1


def as_codes(cells: Any, order: Any = None) -> Codes:
    """Return the cells of an Arrow array as numbers; `order` lists the values of an ordered category.

    -0.0 equals 0.0. NaN that Arrow takes for a value is the largest.
    """
    if order is not None:
        known = order.filter(pc.is_in(order, value_set=cells.unique()))
        return Codes(_from_one(pc.index_in(cells, value_set=known)), known)
    if pa.types.is_null(cells.type):
        return Codes(np.zeros(len(cells), np.int64), pa.nulls(0))
    numbers = _as_numbers(cells)
    return _by_dictionary(cells) if numbers is None else _by_numbers(cells, numbers)


def ranked(keys: npt.NDArray[Any], bound: int | None = None) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return the rank of each key among the different keys, and these in order.

    Parameters
    ----------
    keys : numpy array
        Numbers.
    bound : int, optional
        Where all keys are whole numbers from 0 up to, but not including, this one.
    """
    if bound is not None and bound <= _FEW * len(keys) + 256:
        seen = np.zeros(bound, bool)
        seen[keys] = True
        return (np.cumsum(seen) - 1)[keys], np.flatnonzero(seen)
    order = np.argsort(keys)
    ordered = keys[order]
    new = np.zeros(len(keys), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = np.cumsum(new)
    new[:1] = True
    return ranks, ordered[new]


def _as_numbers(cells: Any) -> npt.NDArray[Any] | None:
    """Return the cells as numbers in the same order, null as any of them; None for texts, bytes and decimals."""
    t, type_ = pa.types, cells.type
    numbers: npt.NDArray[Any]
    if t.is_floating(type_):
        numbers = cells.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
        return numbers + 0.0  # not -0.0
    if t.is_boolean(type_):
        cells = cells.cast(pa.uint8())
    if t.is_temporal(type_):
        wide = pa.int32() if type_.bit_width == 32 else pa.int64()  # noqa: PLR2004 - bits
        cells = cells.cast(wide)
    if not t.is_integer(cells.type):
        return None
    numbers = cells.fill_null(0).to_numpy(zero_copy_only=False)
    return numbers


def _by_numbers(cells: Any, numbers: npt.NDArray[Any]) -> Codes:
    valid = cells.is_valid().to_numpy(zero_copy_only=False) if cells.null_count else None
    kept = numbers if valid is None else numbers[valid]
    least, keys, bound = kept.dtype.type(0), kept, None
    if len(kept) and kept.dtype.kind in "iu":
        span = int(kept.max()) - int(kept.min()) + 1
        if span <= _FEW * len(kept) + 256:
            least, bound = kept.min(), span
            keys = (kept - least).astype(np.int64)
    elif kept.dtype.kind == "f" and np.isnan(kept).any():
        keys = _with_one_nan(kept)
    ranks, different = ranked(keys, bound)
    ranks = ranks.astype(np.int32)
    if keys.dtype == kept.dtype or bound is not None:
        values = pa.array(different.astype(kept.dtype) + least).cast(cells.type)
    else:
        first = np.empty(len(different), np.int64)
        first[ranks] = np.arange(len(ranks)) if valid is None else np.flatnonzero(valid)
        values = cells.take(pa.array(first))
    if valid is None:
        return Codes(ranks + 1, values)
    spread = np.zeros(len(cells), np.int32)
    spread[valid] = ranks + 1
    return Codes(spread, values)


def _with_one_nan(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return whole numbers in the order of floats, with one for all NaN after all others."""
    bits = np.where(np.isnan(numbers), np.nan, numbers).view(np.int64)
    return np.where(bits < 0, bits ^ np.int64(0x7FFF_FFFF_FFFF_FFFF), bits)


def _by_dictionary(cells: Any) -> Codes:
    coded: Any = cells.dictionary_encode()
    order = pc.sort_indices(coded.dictionary)
    places = np.empty(len(order), np.int64)
    places[order.to_numpy()] = np.arange(len(order))
    numbers = _from_one(coded.indices)
    return Codes(np.concatenate(([0], places + 1))[numbers], coded.dictionary.take(order))


def _from_one(indices: Any) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return numbers + 1
