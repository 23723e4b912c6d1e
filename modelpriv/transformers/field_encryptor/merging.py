"""The dtype of a column that was learnt in parts: that of the parts, which must agree; nulls alone agree with all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelpriv._columns.dtypes import common_dtype
from modelpriv._columns.plain import dtype_from_plain, dtype_to_plain
from modelpriv.errors import InputError

if TYPE_CHECKING:
    from modelpriv.transformers.fitted import State

__all__ = ["merged_dtype"]


def merged_dtype(one: State, other: State) -> State:
    """Return the dtype of two parts of a column, as a part of its state, or refuse parts of different dtypes."""
    if one["dtype"] == other["dtype"]:
        return {"dtype": one["dtype"]}
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
    return {"dtype": dtype_to_plain(common)}
