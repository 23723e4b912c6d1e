"""The fakes of a context: the values that have one, the dtype that they take, and how many values share one."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pyarrow as pa

from modelpriv._columns.cells import logical_type
from modelpriv._columns.dtypes import default_dtype, is_text
from modelpriv._columns.plain import array_from_plain, array_to_plain
from modelpriv._core.warn import warn
from modelpriv.errors import ProtectionWarning
from modelpriv.kernels.prf import pool as kernel
from modelpriv.kernels.prf.sketch import estimate, united
from modelpriv.transformers.replacer.pools import repeats

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Array
    from modelpriv._columns.dtypes import DType
    from modelpriv.transformers.fitted import State

__all__ = ["collected", "typed", "warn_of_sharing", "without_known"]


def collected(chunks: list[State]) -> list[State]:
    """Return sets of tags as fewer sets, each larger than the next, so that a tag is moved only a few times."""
    while len(chunks) > 1 and chunks[-2]["length"] <= 2 * chunks[-1]["length"]:
        last = kernel.united(*map(array_from_plain, chunks[-2:]))
        chunks = [*chunks[:-2], array_to_plain(last)]
    return chunks


def typed(pool: Array, dtype: DType) -> tuple[Array, DType]:
    """Return the pool and the dtype of the result: the column's own if the fakes are of its kind."""
    if is_text(pool.type):
        return pool, dtype.as_text()
    if dtype.categories is None and _kind(pool.type) == _kind(dtype.arrow):
        try:
            return pool.cast(dtype.arrow), dtype
        except pa.ArrowException:
            pass  # fakes that the dtype cannot hold, such as fractions in an integer column, take their own
    return pool, default_dtype(dtype.container, pool.type)


def without_known(pool: Array) -> State:
    """Return what is kept of a pool that every value draws from."""
    return {"pool": array_to_plain(pool), "known": None}


def _kind(type_: pa.DataType) -> str:
    logical = logical_type(type_)
    return {"int": "number", "float": "number", "decimal": "number", "date": "timestamp"}.get(logical, logical)


def warn_of_sharing(states: list[State], pool: Array) -> None:
    """Warn if so many pairs of different values share a fake that joins and groups become wrong."""
    different = estimate(functools.reduce(united, (state["sketch"] for state in states)))
    rows = sum(state["rows"] for state in states)
    pairs = different * (different - 1) / 2 * repeats(pool)
    if pairs > max(_SHARED * rows, 1):
        names = ", ".join(repr(state["name"]) for state in states)
        warn(
            f"Column{'s' if len(states) > 1 else ''} {names}: about {pairs:,.3g} pairs among {different:,} different "
            f"values get the same fake, more than 1 in {1 / _SHARED:,.0f} rows, so joins and groups mix them. Raise "
            "pool_size or pass unique=True; a Pseudonymizer keeps all values apart.",
            ProtectionWarning,
        )


_SHARED = 1e-3  # pairs of values a row
