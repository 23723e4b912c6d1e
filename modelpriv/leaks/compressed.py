"""Undoing compressions a piece at a time: every stream of a file, its names, and what follows its last stream."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from modelpriv.leaks.outline import Blob, Group, NotReadError, shorten
from modelpriv.leaks.stream import PIECE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelpriv.leaks.content import Content

_MEMORY = 2**28  # bytes that xz and lzma may ask for as a dictionary
_HEADER = 2**16
_EXTRA, _NAME, _COMMENT, _CHECKED = 4, 8, 16, 2  # flags of a gzip member, RFC 1952


class _Inflate:
    """Gives zlib the face of bz2 and lzma."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # zlib's header or gzip's
        self._full = False

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        """Whether all that was given is used up."""
        return not self._stream.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        """What follows the stream."""
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Unfold some bytes, to at most ``max_length``."""
        found = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        self._full = len(found) == max_length
        return found


_Engine = _Inflate | bz2.BZ2Decompressor | lzma.LZMADecompressor


class _Compression(NamedTuple):
    begins: tuple[bytes, ...]
    engine: Callable[[], _Engine]


_GZIP = b"\x1f\x8b"
_COMPRESSIONS = (
    _Compression((_GZIP,), _Inflate),
    _Compression((b"BZh",), bz2.BZ2Decompressor),
    _Compression((b"\xfd7zXZ\0", b"]\0\0"), lambda: lzma.LZMADecompressor(memlimit=_MEMORY)),
)
_ZLIB = _Compression((), _Inflate)
BEGINNINGS = tuple(begins for compression in _COMPRESSIONS for begins in compression.begins)


class Unfolded:
    """What a compressed file unfolds to.

    Parameters
    ----------
    content : Content
        The compressed file.

    Attributes
    ----------
    name : str
        The file's name without the ending that says that it is compressed.
    aside : Group
        What was found around the streams, once `pieces` has been read to its end.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        stem, dot, _ = content.name.rpartition(".")
        self.name = stem if dot else content.name
        self.aside = Group()

    def pieces(self) -> Iterator[bytes]:
        """Unfold it from the beginning."""
        self.aside = Group()
        try:
            yield from self._streams(self._content.pieces())
        except (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError):
            raise NotReadError("it is a compressed file that is cut or damaged") from None

    def _streams(self, packed: Iterator[bytes]) -> Iterator[bytes]:
        data, made = _filled(b"", packed), None
        compression = next((one for one in _COMPRESSIONS if data.startswith(one.begins)), _ZLIB)
        while data:
            if made is not None and not self._goes_on(compression, data):
                rest = len(data) + sum(map(len, packed))
                self.aside.items.append(Blob("bytes", rest, data[:80]))
                return
            if data.startswith(_GZIP):
                self.aside.items += [item for item in _header(data) if not self._is_own_name(item)]
            made = compression.engine()
            yield from self._stream(made, data, packed)
            data = _filled(made.unused_data, packed)
            if compression is _COMPRESSIONS[2]:
                data = data.lstrip(b"\0")  # xz pads its streams

    @staticmethod
    def _goes_on(compression: _Compression, data: bytes) -> bool:
        return data.startswith(compression.begins) if compression is not _ZLIB else data[0] & 15 == zlib.DEFLATED

    @staticmethod
    def _stream(engine: _Engine, data: bytes, packed: Iterator[bytes]) -> Iterator[bytes]:
        while not engine.eof:
            if engine.needs_input and not data:
                data = next(packed, b"")
                if not data:
                    raise EOFError
            if piece := engine.decompress(data if engine.needs_input else b"", PIECE):
                yield piece
            data = b""

    def _is_own_name(self, item: Any) -> bool:
        return isinstance(item, Blob) and item.head == self.name


def _filled(data: bytes, packed: Iterator[bytes]) -> bytes:
    """Add to some bytes until a header fits into them."""
    while len(data) < _HEADER and (more := next(packed, b"")):
        data += more
    return data


def _header(data: bytes) -> Iterator[Any]:
    """Find the texts in the header of a gzip member: the name of what was packed, a comment, and extra fields."""
    flags, at = data[3] if len(data) > 3 else 0, 10  # noqa: PLR2004 - RFC 1952
    if flags & _EXTRA:
        length = int.from_bytes(data[at : at + 2], "little")
        yield Blob("bytes", length, data[at + 2 : at + 2 + length][:80])
        at += 2 + length
    for flag in (_NAME, _COMMENT):
        if flags & flag:
            text = data[at : at + _HEADER].partition(b"\0")[0]
            yield shorten(text.decode("latin-1"))
            at += len(text) + 1
