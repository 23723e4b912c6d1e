"""The places of what is in a list, a dict, or something that a call makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelpriv.leaks.arrays import memory_of, odd_in_dtype
from modelpriv.leaks.outline import KEPT, Blob, Group, Made, Mapping, Name, class_of, items_of
from modelpriv.leaks.wrapped import as_key, in_keyring, in_wrapper

if TYPE_CHECKING:
    from modelpriv.leaks.places import Entries, Place

LISTED = 20  # entries of a list or dict that have places of their own; more of them share one

_BY_DATA = ("types.", "argparse.", "collections.", "builtins.")  # their attributes are named by data, not by code
_NUMBERS = (int, float)


def look_into(place: Place, node: Made) -> tuple[str, Entries]:
    """Give the name of the class or function, empty if it goes without saying, and what is inside."""
    if node.name == "numpy.dtype":
        return "", odd_in_dtype(place, node)
    if (held := memory_of(node)) is not None:
        return "", [(place, held[0]), *((place.below(" type"), item) for item in held[1:])]
    if (inside := in_wrapper(node)) is not None:
        return "", [(place, item) for item in inside]
    if (uri := in_keyring(node)) is not None:
        return node.name, [(place, item) for item in uri]
    return class_of(node), [*_arguments(place, node), *_content(place, node)]


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


def _arguments(place: Place, node: Made) -> Entries:
    arguments = items_of(node.arguments)
    if node.name != class_of(node):
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
                (place.below(f".{key.head}"), as_key(value) if key.head == "key" else value) for key, value in named
            ]
            below += in_dict(place, [(key, value) for key, value in state.items if not _is_attribute(key, node)])
        else:
            below.append((place.below(" state"), state))
    return below


def _is_attribute(key: Any, node: Made) -> bool:
    if not isinstance(key, Blob) or not isinstance(key.head, str) or key.size > KEPT:
        return False
    return key.head.isidentifier() and not node.name.startswith(_BY_DATA)
