"""What is inside of something that a call makes: arrays, sealed models and references to keys are known by their form.

A form is known only if all of it is there and nothing else: anything that is not exactly so is listed in full.
"""

from __future__ import annotations

import re
from typing import Any

from modelpriv.leaks.outline import KEPT, Blob, Group, Made, Mapping, Name, Sealed
from modelpriv.leaks.places import Place

LISTED = 20  # entries of a list or dict that have places of their own; more of them share one
Entries = list[tuple[Place, Any]]

_WRAPPER = "modelpriv.EncryptedEstimator"
_PLAIN = {_WRAPPER, "builtins.object", "__builtin__.object"}
_KEYRINGS = {"modelpriv.keys.restore_keyring", "modelpriv.keys.KeyReference"}
_KEY_ID = re.compile(r"[0-9a-f]{8}")
_CHECK_VALUE = 16
_URI = re.compile(r"env:[A-Za-z_]\w*|keyring:[^\s/:@]+/[^\s/:]+|file:\S+|(?:vault|pkcs11|aws-kms):\S+")
_PRINTABLE = re.compile(rb"[\t\n\r -~]*")
_BY_DATA = ("types.", "argparse.", "collections.", "builtins.")  # their attributes are named by data, not by code
_TYPE_CODE = re.compile(r"[<>|=]?[?a-zA-Z]?\d{0,6}")
_UNITS = {b"Y", b"M", b"W", b"D", b"h", b"m", b"s", b"ms", b"us", b"ns", b"ps", b"fs", b"as", b"generic"}
_SMALL = 2**16
_NUMBERS = (int, float)


def look_into(place: Place, node: Made) -> tuple[str, Entries]:
    """Give the name of the class or function, empty if it goes without saying, and what is inside."""
    if node.name == "numpy.dtype":
        return "", _odd_in_dtype(place, node)
    if (held := _memory(node)) is not None:
        return "", [(place, held[0]), *((place.below(" type"), item) for item in held[1:])]
    if (inside := _in_wrapper(node)) is not None:
        return "", [(place, item) for item in inside]
    if (uri := _in_keyring(node)) is not None:
        return node.name, [(place, item) for item in uri]
    return _class_of(node), [*_arguments(place, node), *_content(place, node)]


def in_list(place: Place, items: list[Any]) -> Entries:
    """Give the places of a list's entries, which a long list's share."""
    if len(items) > LISTED:
        return _share(place.below("[…]"), items)
    return [(place.below(f"[{index}]"), item) for index, item in enumerate(items)]


def in_dict(place: Place, items: list[tuple[Any, Any]]) -> Entries:
    """Give the places of a dict's keys and values by their number: a key is content, and not shown in a place."""
    if len(items) > LISTED:
        keys, values = [key for key, _ in items], [value for _, value in items]
        return [*_share(place.below("{key …}"), keys), *_share(place.below("{…}"), values)]
    return [
        each
        for index, (key, value) in enumerate(items)
        for each in ((place.below(f"{{key {index}}}"), key), (place.below(f"{{{index}}}"), value))
    ]


def _share(place: Place, items: list[Any]) -> Entries:
    """Give many entries one place, and their numbers as one list."""
    numbers = [item for item in items if type(item) in _NUMBERS]
    if len(numbers) <= 1:
        return [(place, item) for item in items]
    return [(place, Group(numbers)), *((place, item) for item in items if type(item) not in _NUMBERS)]


def items_of(node: Any) -> list[Any]:
    """Give the entries of a list or dict, and of anything else none."""
    return node.items if isinstance(node, Group | Mapping) else []


# --- arrays ---


def _memory(node: Made) -> list[Any] | None:
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
            held = _bytes(cells)
            return None if held is None else [held]
    return _array(node, arguments, states)


def _array(node: Made, arguments: list[Any], states: list[list[Any]]) -> list[Any] | None:
    if not node.name.startswith(("numpy.", "joblib.")):
        return None
    match node.name.rpartition(".")[2], arguments, states:
        case "_reconstruct", [Name(of), Group([0]), first], [[1, Group(shape), dtype, bool(), cells]] if _of_numpy(of):
            usual = _bytes(first)
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


def _bytes(node: Any) -> Any:
    """Give bytes as they are, or as older pickles make them by a call."""
    if isinstance(node, Made):
        held = _memory(node)
        return held[0] if held is not None and len(held) == 1 else None
    return node if isinstance(node, Blob | Sealed) else None


def _cells(node: Any) -> Any:
    held = _bytes(node)
    return held._replace(kind="array") if isinstance(held, Blob) and held.kind == "bytes" else (held or node)


def _odd_lengths(shape: list[Any], cells: Any) -> list[Any]:
    """Find lengths that the array's memory does not bear out, as the other lengths of an empty array may be."""
    most = max(_size(cells), 1)
    return [length for length in shape if not isinstance(length, int) or length > most]


def _size(cells: Any) -> int:
    if isinstance(held := _bytes(cells), Blob):
        return held.size
    inner = _memory(cells) if isinstance(cells, Made) else None
    return len(items_of(cells)) if inner is None else _size(inner[0])


def _odd_in_dtype(place: Place, node: Made) -> Entries:
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
            held = _bytes(unit)
            return isinstance(held, Blob) and held.head in _UNITS and all(type(one) is int for one in counts)
    return False


# --- sealed models and keys ---


def _in_wrapper(node: Made) -> list[Any] | None:
    """Give what a wrapped estimator's pickle shows; None unless its state is ciphertext and a reference to its key."""
    if _class_of(node) != _WRAPPER or node.called is not None or node.added or len(node.states) != 1:
        return None
    if not all(item is None or (isinstance(item, Name) and item.text in _PLAIN) for item in items_of(node.arguments)):
        return None
    state = node.states[0]
    if not isinstance(state, Mapping) or not all(isinstance(key, Blob) for key, _ in state.items):
        return None
    said = {key.head: value for key, value in state.items}
    if len(said) != len(state.items) or said.keys() != {"version", "sealed", "key", "cloned"}:
        return None
    sealed, uri = _sealed(said["sealed"]), _key_state(said["key"])
    usual = type(said["version"]) is int and 0 < said["version"] < _SMALL and isinstance(said["cloned"], bool)
    return [sealed, *uri] if usual and sealed is not None and uri is not None else None


def _in_keyring(node: Made) -> list[Any] | None:
    """Give what a reference to a keyring shows; None if it is something else."""
    usual = node.name in _KEYRINGS and node.called is None and not node.states and not node.added
    return _key_state(node.arguments) if usual and node.arguments is not None else None


def _sealed(node: Any) -> Sealed | None:
    held = _bytes(node)
    return held if isinstance(held, Sealed) else None


def _key_state(node: Any) -> list[Any] | None:
    """Give the URI in a reference to a keyring, and its scope; None if it holds anything but ids and check values."""
    if node is None:
        return []
    match items_of(node):
        case [Group(ids), Group(checks), *more] if len(more) <= len(("URI", "scope", "check values")):
            told, of_contexts = more[:2], [check for key in more[2:] for check in _checks_of(key)]
            usual = ids and all(map(_is_id, ids)) and all(map(_is_check_value, [*checks, *of_contexts]))
            return [_as_key(one) for one in told if one is not None] if usual else None
    return None


def _checks_of(node: Any) -> list[Any]:
    """Give the check values of each key's contexts, or what is in their place."""
    keys = node.items if isinstance(node, Group) else [node]
    return [check for key in keys for check in (key.items if isinstance(key, Group) else [key])]


def _as_key(node: Any) -> Any:
    """Give a text in the place of a key as what says where the key is kept, if it can say that."""
    uri = isinstance(node, Blob) and node.kind == "text" and isinstance(node.head, str) and _URI.fullmatch(node.head)
    return node._replace(kind="key") if uri and node.size < KEPT else node


def _is_id(node: Any) -> bool:
    return isinstance(node, Blob) and isinstance(node.head, str) and _KEY_ID.fullmatch(node.head) is not None


def _is_check_value(node: Any) -> bool:
    held = _bytes(node)
    return isinstance(held, Blob) and held.size == _CHECK_VALUE and not _PRINTABLE.fullmatch(_as_bytes(held.head))


def _as_bytes(head: str | bytes) -> bytes:
    return head.encode() if isinstance(head, str) else head


# --- anything else ---


def _class_of(node: Made) -> str:
    """Give what is called, or the class that copyreg's helpers make an object of."""
    arguments = items_of(node.arguments)
    if node.name.startswith(("copyreg.", "copy_reg.")) and arguments and isinstance(arguments[0], Name):
        return arguments[0].text
    return node.name


def _arguments(place: Place, node: Made) -> Entries:
    arguments = items_of(node.arguments)
    if node.name != _class_of(node):
        arguments = [item for item in arguments if not isinstance(item, Name)]
    called = [] if node.called is None else [(place.below(" called"), node.called)]
    rest = [] if node.arguments is None or isinstance(node.arguments, Group) else [(place.below("(…)"), node.arguments)]
    return [*called, *rest, *((place.below(f"({index})"), item) for index, item in enumerate(arguments))]


def _content(place: Place, node: Made) -> Entries:
    """Give the places of an object's entries and attributes; an attribute's name is code, and shown."""
    below = in_list(place, node.added)
    for state in node.states:
        if isinstance(state, Mapping):
            named = [(key, value) for key, value in state.items if _is_attribute(key, node)]
            below += [
                (place.below(f".{key.head}"), _as_key(value) if key.head == "key" else value) for key, value in named
            ]
            below += in_dict(place, [(key, value) for key, value in state.items if not _is_attribute(key, node)])
        else:
            below.append((place.below(" state"), state))
    return below


def _is_attribute(key: Any, node: Made) -> bool:
    if not isinstance(key, Blob) or not isinstance(key.head, str) or key.size > KEPT:
        return False
    return key.head.isidentifier() and not node.name.startswith(_BY_DATA)
