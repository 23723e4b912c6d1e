"""Files that numpy writes: an array's type and shape, its memory, and what follows it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv.leaks.outline import Blob, Group, NotRead, NotReadError
from modelpriv.leaks.pickles import read_pickle
from modelpriv.leaks.walk import Walker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelpriv.leaks.content import Content
    from modelpriv.leaks.findings import Leak
    from modelpriv.leaks.stream import Stream

BEGINS = b"\x93NUMPY"
_LONGEST_HEADER = 2**16
_HEADER = re.compile(
    rb"\{'descr': '(?P<type>[<>|=]?[a-zA-Z]\d{0,9})(?:\[\w{1,4}\])?', 'fortran_order': (?:True|False), "
    rb"'shape': \((?P<shape>[\d, ]{0,200})\), \} *\n"
)


def in_array(content: Content) -> Iterator[Leak]:
    """Find what a file of one array shows."""
    yield from Walker().walk("array", outline_of_array(content.stream()))


def outline_of_array(stream: Stream) -> Any:
    """Give the outline of an array, and of all that its file holds besides.

    Raises
    ------
    NotReadError
        It is not as numpy writes it, or was cut.
    """
    begins = stream.exactly(len(BEGINS) + 2)
    width = 2 if begins[len(BEGINS)] == 1 else 4
    length = int.from_bytes(stream.exactly(width), "little")
    if not begins.startswith(BEGINS) or length > _LONGEST_HEADER:
        raise NotReadError("it is an array that is not as numpy writes it")
    header = stream.exactly(length)
    if (said := _HEADER.fullmatch(header)) is None:  # of named fields, or forged: the rest is only measured
        return Group([Blob("text", length, header[:80]), Blob("array", stream.rest(), b"")])
    if said["type"].endswith(b"O"):
        found = read_pickle(stream)
        rest = [] if found.reason is None else [NotRead(found.reason)]
        return Group([found.root, *found.unused, *rest, *_behind(stream)])
    shape = [int(one) for one in said["shape"].split(b",") if one.strip()]
    count = math.prod(shape)
    size = count * np.dtype(said["type"].decode()).itemsize
    for _ in stream.pieces(size):
        pass
    array, odd = Blob("array", size, b"", count), [one for one in shape if one > max(size, 1)]
    more = [*odd, *_behind(stream)]
    return Group([array, *more]) if more else array


def _behind(stream: Stream) -> list[Any]:
    rest = stream.rest()
    return [Blob("bytes", rest, b"")] if rest else []
