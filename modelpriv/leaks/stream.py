"""A file that is read once, from its beginning to its end, a piece at a time."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

from modelpriv._core import magic
from modelpriv.leaks.outline import KEPT, SECRET, Blob, NotReadError, shorten
from modelpriv.leaks.sealed_files import SealedScan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

PIECE = 2**20
LONGEST_LINE = 2**26
CUT = "it is cut"


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """Read a file a piece at a time."""
    while piece := file.read(PIECE):
        yield piece


class Stream:
    """Bytes that come in pieces. It holds one piece, whatever a file says about its own lengths.

    Parameters
    ----------
    pieces : iterator of bytes
        None of them is empty.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece, self._at, self._before = b"", 0, 0

    def tell(self) -> int:
        """Give the position."""
        return self._before + self._at

    def some(self, length: int) -> bytes:
        """Read what the current piece has, at most ``length`` bytes; nothing only at the end."""
        self._fill()
        found = self._piece[self._at : self._at + length]
        self._at += len(found)
        return found

    def read(self, length: int) -> bytes:
        """Read some bytes, or as many as there are."""
        found = self.some(length)
        while len(found) < length and (more := self.some(length - len(found))):
            found += more
        return found

    def exactly(self, length: int) -> bytes:
        """Read some bytes; `NotReadError` if there are fewer."""
        found = self.read(length)
        if len(found) < length:
            raise NotReadError(CUT)
        return found

    def readline(self) -> bytes:
        """Read up to the end of a line; `NotReadError` if it is far longer than any."""
        parts, length = [], 0
        while self._fill():
            end = self._piece.find(b"\n", self._at) + 1 or len(self._piece)
            parts.append(self.some(end - self._at))
            length += len(parts[-1])
            if length > LONGEST_LINE:
                raise NotReadError("a line of it is longer than is looked into")
            if parts[-1].endswith(b"\n"):
                break
        return b"".join(parts)

    def pieces(self, length: int) -> Iterator[bytes]:
        """Read exactly some bytes, a piece at a time."""
        while length:
            if not (piece := self.some(length)):
                raise NotReadError(CUT)
            length -= len(piece)
            yield piece

    def rest(self) -> int:
        """Read to the end, and give how many bytes there were."""
        length = 0
        while piece := self.some(PIECE):
            length += len(piece)
        return length

    def blob(self, kind: str, length: int) -> Any:
        """Read bytes or UTF-8 text: the outline of it, or of the sealed model that it is."""
        if length <= PIECE:
            data = self.exactly(length)
            if kind == "text":
                return of_text(data.decode(errors="surrogatepass"))
            return of_bytes(kind, data)
        return _long_text(self.pieces(length), length) if kind == "text" else _long(kind, self.pieces(length), length)

    def _fill(self) -> bool:
        """Take the next piece if the current one is read; tell whether there is one."""
        if self._at == len(self._piece):
            self._before += self._at
            self._piece, self._at = next(self._pieces, b""), 0
        return bool(self._piece)


def of_bytes(kind: str, data: bytes) -> Any:
    """Give the outline of bytes: of the sealed model that they are, or of themselves."""
    if data.startswith(magic.SEALED.begins):
        return _long(kind, iter([data]), len(data))
    return Blob("secret" if SECRET.encode() in data else kind, len(data), data[:KEPT])


def of_text(text: str) -> Any:
    """Give the outline of a text; of one that says what bytes are, in Latin-1, that of the bytes."""
    if text.startswith(_SEALED):
        data = text.encode("latin-1", errors="replace")
        return _long("text", iter([data]), len(data))
    return shorten(text)


_SEALED = magic.SEALED.begins.decode("latin-1")


def _long(kind: str, pieces: Iterator[bytes], length: int) -> Any:
    scan, head, last = SealedScan(), b"", b""
    for piece in pieces:
        head += piece[: KEPT - len(head)]
        scan.feed(piece)
        if SECRET.encode() in last + piece:
            kind = "secret"
        last = piece[-len(SECRET) :]
    return scan.outline() or Blob(kind, length, head)


def _long_text(pieces: Iterator[bytes], length: int) -> Any:
    """Read a long text; pickles of protocol 2 hold bytes as one, whose characters are the bytes."""
    decoder, scan = codecs.getincrementaldecoder("utf-8")("replace"), SealedScan()
    kind, head, last, characters = "text", "", "", 0
    for piece in pieces:
        text = decoder.decode(piece)
        head += text[: KEPT - len(head)]
        characters += len(text)
        scan.feed(text.encode("latin-1", errors="replace"))
        if SECRET in last + text:
            kind = "secret"
        last = text[-len(SECRET) :]
    return scan.outline() or Blob(kind, length, head, characters)
