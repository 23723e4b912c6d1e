"""What is counted of a column to tell drift: numbers in bins, tokens by keyed tags; never a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv.kernels.aes import token
from modelpriv.transformers.tags import tags

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import Array

__all__ = ["Bins", "Frequencies", "Seen", "by_key", "is_number"]

_TOKEN = "^[A-Za-z0-9_-]{28,}$"  # noqa: S105 - the form of a token
_HASHES, _BITS, _LEAST = 4, 16, 2**12


@dataclass
class Seen:
    """What was counted of one column under one key id.

    `counts` has a number for each bin, or for each frequent tag and, last, for all others.
    """

    rows: int = 0
    nulls: int = 0
    length: int = 0
    unseen: int = 0
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def add(self, other: Seen) -> None:
        """Add what was counted of more rows."""
        self.rows += other.rows
        self.nulls += other.nulls
        self.length += other.length
        self.unseen += other.unseen
        self.counts = self.counts + other.counts


class Bins:
    """The bins of a column of numbers: quantiles of the reference, so that each holds as many of its rows."""

    def __init__(self, cells: Array, bins: int) -> None:
        values = _numbers(cells)
        inner = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]) if len(values) else np.zeros(0)
        self._edges = np.unique(inner)

    def count(self, cells: Array) -> Seen:
        """Count some rows."""
        values = _numbers(cells)
        places = np.searchsorted(self._edges, values, side="right")
        counts = np.bincount(places, minlength=len(self._edges) + 1)
        return Seen(len(cells), len(cells) - len(values), 0, 0, counts)


class Frequencies:
    """The frequent tags of a column of text, and a filter of all that occurred; without the key both say nothing."""

    def __init__(self, cells: Array, key: bytes, *, top: int, least: int) -> None:
        self._key = key
        found, counts = _tagged(cells, key)
        order = np.argsort(-counts, kind="stable")[:top]
        frequent = order[counts[order] >= least]
        self._frequent = np.sort(found[frequent, 0])
        self.distinct = len(found)
        self._size = 2 ** int(np.ceil(np.log2(max(_LEAST, _BITS * len(found)))))
        self._filter = np.zeros(self._size, np.bool_)
        self._filter[self._places(found).ravel()] = True

    @property
    def repeats(self) -> bool:
        """Whether some value is frequent: tokens that are randomized differ in every row."""
        return bool(len(self._frequent))

    def count(self, cells: Any) -> Seen:
        """Count some rows."""
        found, counts = _tagged(cells, self._key)
        size = len(self._frequent)
        places = np.minimum(np.searchsorted(self._frequent, found[:, 0]), max(size - 1, 0))
        known = self._frequent[places] == found[:, 0] if size else np.zeros(len(found), np.bool_)
        summed = np.bincount(np.where(known, places, size), weights=counts, minlength=size + 1).astype(np.int64)
        unseen = int(counts[~self._filter[self._places(found)].all(axis=1)].sum())
        lengths: Any = pc.utf8_length(cells)
        length = int(pc.sum(lengths).as_py() or 0)
        return Seen(len(cells), cells.null_count, length, unseen, summed)

    def _places(self, found: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Return the places of tags in the filter, by double hashing (Kirsch and Mitzenmacher, 2008)."""
        steps = np.arange(_HASHES, dtype=np.uint64)
        hashed = found[:, :1] + steps * (found[:, 1:] | np.uint64(1))
        return (hashed & np.uint64(self._size - 1)).astype(np.int64)


def is_number(type_: Any) -> bool:
    """Tell whether a column holds numbers, which go into bins."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def by_key(cells: Array) -> dict[str, Array]:
    """Split a column of text by the key id that its tokens name; what is no token has the empty id.

    A null names none: it goes with the id that most cells have.
    """
    formed: Any = pc.match_substring_regex(cells, _TOKEN).fill_null(False)
    if not pc.any(formed).as_py():
        return {"": cells}
    ids: Any = token.key_ids(pc.if_else(formed, cells, pa.scalar(None, cells.type))).cast(pa.binary())
    counted: Any = pc.value_counts(ids.drop_null())
    most = max(counted.to_pylist(), key=lambda one: one["counts"], default={"values": b""})["values"]
    named: Any = pc.if_else(cells.is_null(), pa.scalar(most, pa.binary()), pc.fill_null(ids, b""))
    return {one.hex(): cells.filter(pc.equal(named, one)) for one in sorted(named.unique().to_pylist())}


def _tagged(cells: Array, key: bytes) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return the tag of each different cell, as two numbers, and how often it occurs."""
    counted: Any = pc.value_counts(cells.drop_null())
    values, counts = counted.field("values"), counted.field("counts").to_numpy()
    if not len(values):
        return np.zeros((0, 2), np.uint64), np.zeros(0, np.int64)
    return np.ascontiguousarray(tags(values, key, nulls=False)).view("<u8"), counts


def _numbers(cells: Array) -> npt.NDArray[np.float64]:
    values = cells.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    finite: npt.NDArray[np.float64] = values[np.isfinite(values)]
    return finite
