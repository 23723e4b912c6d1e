"""What is looked into: a file, or a part of one, that can be read from its beginning as often as it takes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO

from modelpriv.leaks.outline import NotReadError
from modelpriv.leaks.stream import PIECE, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelpriv.leaks.findings import Leak

_IN_MEMORY = 2**26  # the largest part of an archive or compressed file that is held in memory
_HEAD = 4096


@dataclass
class Budget:
    """How many bytes the compressed parts of one file may unfold to, all together."""

    left: int = 2**32

    def count(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Hand on what was unfolded, as far as it goes."""
        for piece in pieces:
            self.left -= len(piece)
            if self.left < 0:
                raise NotReadError("it unfolds to more than is looked into")
            yield piece


@dataclass(frozen=True)
class Content:
    """A file or a part of one.

    Parameters
    ----------
    name : str
        Its name, whose ending may tell what a text is.
    pieces : callable
        Reads it from the beginning.
    path : Path, optional
        Where it is, if it is a whole file.
    depth : int, default=0
        How many archives or compressions are around it.
    budget : Budget
        Of the file around it.
    """

    name: str
    pieces: Callable[[], Iterator[bytes]]
    path: Path | None = None
    depth: int = 0
    budget: Budget = field(default_factory=Budget)

    def stream(self) -> Stream:
        """Read it from the beginning."""
        return Stream(self.pieces())

    def head(self) -> bytes:
        """Give its first bytes."""
        return self.stream().read(_HEAD)

    def part(self, name: str, pieces: Callable[[], Iterator[bytes]]) -> Content:
        """Give what was in it, packed."""
        return Content(name, lambda: self.budget.count(pieces()), None, self.depth + 1, self.budget)

    def whole(self, most: int = _IN_MEMORY) -> bytes:
        """Read all of it into memory; `NotReadError` if that is too much."""
        data = self.stream().read(most + 1)
        if len(data) > most:
            raise NotReadError("it is larger than what is held in memory")
        return data

    def seekable(self) -> BinaryIO:
        """Open it so that its parts can be read in any order."""
        return io.BytesIO(self.whole()) if self.path is None else self.path.open("rb")


def inside(place: str, leaks: Iterator[Leak]) -> Iterator[Leak]:
    """Put the place of a part before the places in it."""
    return (replace(leak, place=f"{place} {leak.place}".rstrip()) for leak in leaks)


def of_path(path: Path) -> Content:
    """Give a file of the file system."""

    def pieces() -> Iterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    return Content(path.name, pieces, path)


def of_data(data: bytes) -> Content:
    """Give bytes that are in memory."""
    return Content("", lambda: iter([data] if data else []))
