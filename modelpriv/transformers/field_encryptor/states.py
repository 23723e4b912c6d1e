"""What FieldEncryptor keeps of a column, as plain data: how to call it and to build it again, and no value of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from modelpriv._columns.cells import logical_type
from modelpriv._columns.dtypes import common_dtype, default_dtype
from modelpriv._columns.frame import Built, Column
from modelpriv._columns.plain import dtype_from_plain, dtype_to_plain
from modelpriv.errors import InputError

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Array, ArrowType, Bound
    from modelpriv._columns.dtypes import DType
    from modelpriv.transformers.fitted import State

__all__ = ["Cipher", "learnt", "merged", "restored", "rewrapped"]


class Cipher(Protocol):
    """How the cells of one context are sealed and opened."""

    def seal(self, column: Column, bound: Bound, *, key_id: str) -> Array:
        """Return the column's cells sealed under one key of the ring."""

    def open(self, column: Column, bound: Bound, *, type_: ArrowType, failures: str = "raise") -> Array:
        """Return the cells that a sealed column opens to."""

    def reseal(self, column: Column, bound: Bound, *, key_id: str) -> Array:
        """Return a sealed column under another key of the ring."""

    def stale(self, column: Column, *, key_id: str) -> bool:
        """Tell whether a cell of the column is sealed under another key than this one."""


def learnt(column: Column, context: str, cipher: Cipher, key_id: str) -> State:
    """Return what is kept of some rows of a column."""
    state: State = {
        "name": column.name,
        "context": context,
        "logical": logical_type(_type_of(column)),
        "dtype": dtype_to_plain(column.dtype),
        "categories": None,
    }
    if column.categories is not None:
        # Categories are values: what stays in the fitted object is their tokens, bound to nothing.
        state["categories"] = _sealed(column.categories, state, cipher, key_id)
    return state


def merged(one: State, other: State, cipher: Cipher, key_id: str) -> State:
    """Return the dtype and the categories of two parts of a column; those of nulls alone agree with any others."""
    return {"dtype": _merged_dtype(one, other), "categories": _merged_categories(one, other, cipher, key_id)}


def restored(column: Column, state: State, cipher: Cipher, bound: Bound, *, container: str, failures: str) -> Built:
    """Return a column of tokens opened, in the dtype that `fit` saw where the container is of the kind that it saw."""
    dtype = dtype_from_plain(state["dtype"])
    # A column of nulls alone had a dtype, but says nothing of the cells that came later.
    type_ = dtype.exact if state["logical"] != "null" else None
    cells = cipher.open(column, bound, type_=type_, failures=failures)
    if not _fits(cells, dtype, container):
        return Built(cells, default_dtype(container, cells.type))
    return Built(cells, dtype, None if state["categories"] is None else _opened(state, cipher))


def rewrapped(state: State, cipher: Cipher, key_id: str) -> State:
    """Return the state under another key."""
    if state["categories"] is None:
        return state
    tokens = cipher.reseal(_known(state), b"", key_id=key_id)
    return state | {"categories": tokens.to_pylist()}


def _merged_dtype(one: State, other: State) -> State:
    if one["dtype"] == other["dtype"]:
        return one["dtype"]
    first, second = dtype_from_plain(one["dtype"]), dtype_from_plain(other["dtype"])
    common = common_dtype(first, second)
    if common is None and other["logical"] == "null":
        common = first
    elif common is None and one["logical"] == "null":
        common = second
    if common is None:
        raise InputError(
            f"Column {one['name']!r} has dtype {first} in one part and {second} in another. Give all parts one dtype "
            "first."
        )
    return dtype_to_plain(common)


def _merged_categories(one: State, other: State, cipher: Cipher, key_id: str) -> list[str | None] | None:
    """Return the categories of two parts, as tokens, in the order in which they come."""
    tokens: list[str | None] | None = one["categories"]
    if tokens is None or other["categories"] in (None, tokens):
        return other["categories"] if tokens is None else tokens
    first, second = _opened(one, cipher), _opened(other, cipher)
    both = pa.concat_arrays([first, second]).unique()
    if len(both) == len(first):
        return tokens
    if one["dtype"]["ordered"] or one["dtype"]["native"] == "Enum":
        raise InputError(
            f"Column {one['name']!r} has ordered categories in one part that are not in another, and their order "
            "cannot be told. Give all parts the same categories first."
        )
    return _sealed(both, one, cipher, key_id)


def _sealed(categories: Array, state: State, cipher: Cipher, key_id: str) -> list[str | None]:
    known = Column(state["name"], categories, dtype_from_plain(state["dtype"]))
    tokens: list[str | None] = cipher.seal(known, b"", key_id=key_id).to_pylist()
    return tokens


def _opened(state: State, cipher: Cipher) -> Array:
    known = _known(state)
    return cipher.open(known, b"", type_=known.dtype.exact)


def _known(state: State) -> Column:
    return Column(state["name"], pa.array(state["categories"], pa.large_string()), dtype_from_plain(state["dtype"]))


def _type_of(column: Column) -> pa.DataType:
    """Return the type of a column's cells; that of its categories, where no cell is there."""
    of_nulls = pa.types.is_null(column.data.type) and column.categories is not None
    type_: pa.DataType = column.categories.type if of_nulls else column.data.type
    return type_


def _fits(cells: Array, dtype: DType, container: str) -> bool:
    """Tell whether opened cells go back into the dtype that `fit` saw."""
    of_nulls = pa.types.is_null(cells.type) or cells.null_count == len(cells)
    return dtype.container == container and (of_nulls or dtype.exact is None or dtype.arrow == cells.type)
