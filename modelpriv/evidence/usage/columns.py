"""Counting tokens in a column of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.dtypes import is_text
from modelpriv.evidence.usage.answer import Use
from modelpriv.kernels.aes import token

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["in_column", "may_be_bytes", "may_be_text"]

_FORM = "^[A-Za-z0-9_-]{28,}$"


def in_column(path: str, what: str, cells: Any) -> Iterator[Use]:
    """Count the tokens among some cells, by the key id that each names."""
    if is_text(cells.type):
        formed = pc.match_substring_regex(cells, _FORM).fill_null(False)
        counted: Any = pc.value_counts(token.key_ids(cells.filter(formed)).drop_null())
        yield from (Use(path, what, one["values"].hex(), one["counts"]) for one in counted.to_pylist())


def may_be_text(type_: Any) -> bool:
    """Tell whether a type is text, categories of text, or text in views, as polars writes it to Arrow files."""
    type_ = type_.value_type if pa.types.is_dictionary(type_) else type_
    return is_text(type_) or pa.types.is_string_view(type_)


def may_be_bytes(type_: Any) -> bool:
    """Tell whether a type is bytes of any kind, which may hold text, a pickle or a sealed model."""
    type_ = type_.value_type if pa.types.is_dictionary(type_) else type_
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(is_kind(type_) for is_kind in kinds)
