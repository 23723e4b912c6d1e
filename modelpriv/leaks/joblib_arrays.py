"""The arrays that joblib writes between the opcodes of a pickle: how long they are, and what fills the gaps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv.leaks.outline import Blob, Made, Mapping, Name, NotReadError

if TYPE_CHECKING:
    from modelpriv.leaks.stream import Stream

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_MOST_DIMENSIONS = 64  # of a numpy array
_MOST_FIELDS = 10_000
_FILLING = b"\xff"
_TYPE = re.compile(r"[<>|=]?[?a-zA-Z]\d{0,9}")


def shape_of(wrapper: Made) -> tuple[int, int, bool] | None:
    """Give an array's count of values, its length in bytes and whether it is aligned; None if it holds objects.

    Raises
    ------
    LookupError, TypeError, ValueError
        The wrapper is not as joblib writes it.
    """
    said = {key.head: value for key, value in wrapper.states[0].items if isinstance(key, Blob)}
    dtype = said["dtype"]
    if holds_objects(dtype):
        return None
    count = 1
    for length in said["shape"].items[:_MOST_DIMENSIONS]:
        count *= int(length)
    if count < 0:
        raise ValueError
    return count, count * _itemsize(dtype), said.get("numpy_array_alignment_bytes") is not None


def pass_array(stream: Stream, count: int, size: int, aligned: bool) -> list[Any]:  # noqa: FBT001 - of a tuple
    """Pass over an array. Give its outline, and that of the bytes before it if joblib would have written others."""
    filling = stream.exactly(stream.exactly(1)[0]) if aligned else b""
    for _ in stream.pieces(size):
        pass
    odd = [Blob("bytes", len(filling), filling)] if filling.strip(_FILLING) else []
    return [Blob("array", size, b"", count), *odd]


def holds_objects(dtype: Made) -> bool:
    """Tell whether a type, or a field of it, is one of Python objects."""
    nodes, seen = [dtype], 0
    while nodes and seen < _MOST_FIELDS:
        node, seen = nodes.pop(), seen + 1
        if isinstance(node, Made):
            nodes += [node.arguments, *node.states]
        elif isinstance(node, Blob | Name):
            if str(node.head if isinstance(node, Blob) else node.text).strip("<>|=") in {"O", "O8", "O4"}:
                return True
        elif isinstance(node, Mapping):
            nodes += [value for _, value in node.items]
        elif hasattr(node, "items"):
            nodes += node.items
    return False


def _itemsize(dtype: Made) -> int:
    named = dtype.arguments.items[0].head
    if not isinstance(named, str) or not _TYPE.fullmatch(named):
        raise NotReadError("the type of an array in it is not known")
    return np.dtype(named).itemsize
