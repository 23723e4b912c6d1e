"""Arrays in a pickle, known by how they are made: their memory, their type, and what does not belong there.

A form is known only if all of it is there and nothing else: anything that is not exactly so is listed in full.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modelpriv.leaks.outline import Blob, Group, Made, Mapping, Name, Sealed, items_of

if TYPE_CHECKING:
    from modelpriv.leaks.places import Entries, Place

_TYPE_CODE = re.compile(r"[<>|=]?[?a-zA-Z]?\d{0,6}")
_UNITS = {b"Y", b"M", b"W", b"D", b"h", b"m", b"s", b"ms", b"us", b"ns", b"ps", b"fs", b"as", b"generic"}
_SMALL = 2**16


def memory_of(node: Made) -> list[Any] | None:
    """Give the bytes that a call only wraps, or an array's memory, then its type; None if it is another call."""
    if node.called is not None or (node.added and not node.name.endswith(".NumpyArrayWrapper")):
        return None
    arguments, states = items_of(node.arguments), [items_of(state) for state in node.states]
    match node.name.rpartition(".")[2], arguments, states:
        case "encode", [Blob(kind, _, str(head), size), Blob(_, _, "latin1")], [] if node.name == "_codecs.encode":
            return [Blob("secret" if kind == "secret" else "bytes", size, head.encode("latin-1", errors="replace"))]
        case "encode", [Sealed() as sealed, Blob(_, _, "latin1")], [] if node.name == "_codecs.encode":
            return [sealed]
        case (("bytearray" | "bytes"), [cells], []) if node.name.startswith(("builtins.", "__builtin__.")):
            held = bytes_of(cells)
            return None if held is None else [held]
    return _array(node, arguments, states)


def _array(node: Made, arguments: list[Any], states: list[list[Any]]) -> list[Any] | None:
    if not node.name.startswith(("numpy.", "joblib.")):
        return None
    match node.name.rpartition(".")[2], arguments, states:
        case "_reconstruct", [Name(of), Group([0]), first], [[1, Group(shape), dtype, bool(), cells]] if _of_numpy(of):
            usual = bytes_of(first)
            odd = [] if isinstance(usual, Blob) and usual.size == 1 else [first]
            return [_cells(cells), dtype, *_odd_lengths(shape, cells), *odd]
        case "_frombuffer", [cells, dtype, Group(shape), Blob(_, 1)], []:
            return [_cells(cells), dtype, *_odd_lengths(shape, cells)]
        case "scalar", [dtype, cells], []:
            return [_cells(cells), dtype]
        case "NumpyArrayWrapper", [], [_] if node.added:
            return _joblib_array(node)
    return None


def _joblib_array(node: Made) -> list[Any] | None:
    fields = node.states[0].items
    said = {key.head: value for key, value in fields if isinstance(key, Blob)}
    if len(said) != len(fields) or not said.keys() <= _ARRAY_FIELDS:
        return None
    if said.get("allow_mmap") not in {True, False} or said.get("numpy_array_alignment_bytes") not in _ALIGNMENTS:
        return None
    match said.get("subclass"), said.get("order"), said.get("shape"):
        case Name(of), Blob(_, 1), Group(shape) if _of_numpy(of):
            return [_cells(node.added[0]), said.get("dtype"), *_odd_lengths(shape, node.added[0]), *node.added[1:]]
    return None


_ALIGNMENTS = {None, 16}  # bytes, as joblib writes it
_ARRAY_FIELDS = {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}


def _of_numpy(name: str) -> bool:
    return name.startswith("numpy.")


def bytes_of(node: Any) -> Any:
    """Give bytes as they are, or as older pickles make them by a call."""
    if isinstance(node, Made):
        held = memory_of(node)
        return held[0] if held is not None and len(held) == 1 else None
    return node if isinstance(node, Blob | Sealed) else None


def _cells(node: Any) -> Any:
    held = bytes_of(node)
    return held._replace(kind="array") if isinstance(held, Blob) and held.kind == "bytes" else (held or node)


def _odd_lengths(shape: list[Any], cells: Any) -> list[Any]:
    """Find lengths that the array's memory does not bear out, as the other lengths of an empty array may be."""
    most = max(_size(cells), 1)
    return [length for length in shape if not isinstance(length, int) or length > most]


def _size(cells: Any) -> int:
    if isinstance(held := bytes_of(cells), Blob):
        return held.size
    inner = memory_of(cells) if isinstance(cells, Made) else None
    return len(items_of(cells)) if inner is None else _size(inner[0])


def odd_in_dtype(place: Place, node: Made) -> Entries:
    """Find what is not a mere type: names of fields, metadata, and what does not belong there."""
    said = [*items_of(node.arguments), *(item for state in node.states for item in items_of(state)), *node.added]
    return [(place.below(f"[{index}]"), item) for index, item in enumerate(said) if not _is_type(item)]


def _is_type(item: Any) -> bool:
    match item:
        case None | bool():
            return True
        case int():
            return abs(item) < _SMALL
        case Blob(_, _, str(head)):
            return _TYPE_CODE.fullmatch(head) is not None
        case Name(text):
            return text.startswith(("numpy.", "builtins."))
        case Group([(None | Mapping([])), Group([unit, *counts])]):
            held = bytes_of(unit)
            return isinstance(held, Blob) and held.head in _UNITS and all(type(one) is int for one in counts)
    return False
