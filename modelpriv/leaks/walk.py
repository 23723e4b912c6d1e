"""From what the readers give to what is reported: every value that an outline shows, with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelpriv.leaks.findings import Leak
from modelpriv.leaks.made import in_dict, in_list, look_into
from modelpriv.leaks.outline import Blob, Group, Made, Mapping, Name, NotRead, Sealed
from modelpriv.leaks.places import Entries, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = 80


class Walker:
    """Goes through the outlines of one file; what is in several places counts in the first.

    It holds on to what it has seen, because what a pickle holds without using it is mostly used elsewhere.
    """

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}

    def walk(self, place: str, root: Any) -> Iterator[Leak]:
        """Go through an outline, from the first thing to the last."""
        nodes: Entries = [(Place(place), root)]
        while nodes:
            at, node = nodes.pop()
            if isinstance(node, Group | Mapping | Made):
                if id(node) in self._seen:
                    continue
                self._seen[id(node)] = node
            elif isinstance(node, Blob):
                self._seen[id(node)] = node
            leak, below = _look(at, node)
            if leak is not None:
                yield leak
            nodes += reversed(below)

    def walk_unused(self, items: list[Any]) -> Iterator[Leak]:
        """Go through what a pickle holds without using it, unless it uses it elsewhere."""
        unused = [item for item in items if id(item) not in self._seen]
        if unused:
            yield from self.walk("unused", Group(unused))


def _look(place: Place, node: Any) -> tuple[Leak | None, Entries]:
    """Return what a node itself shows, and the nodes below it."""
    match node:
        case Group(items) if not _are_numbers(items):
            return None, in_list(place, items)
        case Mapping(items):
            return None, in_dict(place, items)
        case Sealed(readable):
            return None, [(place.below(f" {name}"), item) for name, item in readable]
        case Made():
            name, below = look_into(place, node)
            return (_class(place, name) if name else None), below
    return _of_value(place, node), []


def _are_numbers(items: list[Any]) -> bool:
    return len(items) > 1 and all(type(item) in _NUMBERS for item in items)


def _of_value(place: Place, node: Any) -> Leak | None:
    """Return what a node without parts shows; True, False and None show nothing."""
    leak = None
    match node:
        case Blob(kind, size, head, values):
            leak = Leak(str(place), kind, size, repr(head[:SHOWN]), count=values if kind in _COUNTED else 1)
        case Name(text):
            leak = _class(place, text)
        case NotRead(reason, size):
            leak = Leak(str(place), "unread", size, reason=reason)
        case Group(items):
            leak = Leak(str(place), "numbers", 8 * len(items), repr(items[:5])[:SHOWN], count=len(items))
        case int() | float() if not isinstance(node, bool):
            leak = Leak(str(place), "numbers", 8, repr(node))
    return leak


_COUNTED = {"array", "numbers"}
_NUMBERS = {int, float, bool}


def _class(place: Place, name: str) -> Leak:
    return Leak(str(place), "class", len(name), (name if name.isprintable() else ascii(name))[:SHOWN])
