"""Which family of types a column has, told by its dtype alone: no cell is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelpriv._columns.column import Frame

__all__ = ["families"]

_STARTS = {
    "number": ("int", "uint", "float", "double", "decimal", "half"),
    "bool": ("bool",),
    "time": ("date", "timestamp", "time", "duration", "period"),
    "text": ("object", "str", "large_str", "utf8", "categ", "dictionary", "enum", "binary", "large_bin", "<u", "|s"),
    "nothing": ("null",),
}


def families(frame: Frame) -> list[str]:
    """Return the family of each column: "number", "bool", "time", "text", "nothing", or the name of its dtype."""
    return [_family(dtype) for dtype in _dtypes(frame)]


def _dtypes(frame: Frame) -> list[Any]:
    native = frame.native
    if frame.container == "pyarrow":
        return list(native.schema.types)
    if frame.container == "numpy":
        return [native.dtype] * len(frame.names)
    return list(native.dtypes)


def _family(dtype: Any) -> str:
    said = str(dtype).lower()
    return next((family for family, starts in _STARTS.items() if said.startswith(starts)), said)
