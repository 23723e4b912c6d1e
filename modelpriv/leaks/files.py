"""Finding out what a file is, by its first bytes, and reading it by its kind."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from modelpriv._core import magic
from modelpriv.leaks import archives, compressed, databases, numpy_files, tables, texts
from modelpriv.leaks.content import Content
from modelpriv.leaks.findings import Leak
from modelpriv.leaks.outline import NotReadError
from modelpriv.leaks.pickles import read_pickle
from modelpriv.leaks.sealed_files import SealedScan
from modelpriv.leaks.walk import Walker

_DEEPEST = 4  # archives and compressions within each other
_LARGEST_PROTOCOL = 5
_SQLITE = b"SQLite format 3\0"
_TAR = slice(257, 262)
Reader = Callable[[Content], Iterator[Leak]]


def leaks_in(content: Content) -> Iterator[Leak]:
    """Find what a file or a part of one shows, and say what of it could not be read; `OSError` alone is raised."""
    try:
        head = content.head()
        if head:
            yield from _reader(content, head)(content)
    except NotReadError as refusal:
        yield Leak("file", "unread", 0, reason=str(refusal))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - a hostile file must not hide the others by an error of its reader
        yield Leak("file", "unread", 0, reason=f"reading it ended with {type(error).__name__}")


def _reader(content: Content, head: bytes) -> Reader:
    if content.depth > _DEEPEST:
        raise NotReadError("too many archives are in each other")
    known = next((reader for begins, reader in _BEGINNINGS.items() if head.startswith(begins)), None)
    if known is not None:
        return known
    if _is_zlib(head):
        return _in_compressed
    if head[_TAR] == b"ustar":
        return _in_tar
    if head[:1] == magic.PICKLE.begins and head[1:2] <= bytes([_LARGEST_PROTOCOL]):
        return in_pickle
    return _in_text if texts.is_text(head) else _in_unknown


def _is_zlib(head: bytes) -> bool:
    """Tell zlib's header from a text that begins with the same letters."""
    if len(head) < 2 or head[0] & 15 != zlib.DEFLATED or int.from_bytes(head[:2], "big") % 31:  # noqa: PLR2004 - RFC 1950
        return False
    try:
        zlib.decompressobj().decompress(head, 1)
    except zlib.error:
        return False
    return True


def in_pickle(content: Content) -> Iterator[Leak]:
    """Find what a file of one pickle shows, what it holds without using it, and what follows it."""
    stream, walker = content.stream(), Walker()
    found = read_pickle(stream)
    yield from walker.walk("model", found.root)
    yield from walker.walk_unused(found.unused)
    if found.reason is not None:
        yield Leak("the rest", "unread", 0, reason=found.reason)
    elif rest := stream.rest():
        yield Leak("behind the model", "bytes", rest)


def _in_sealed(content: Content) -> Iterator[Leak]:
    """Find what the author of a sealed file left readable."""
    scan = SealedScan()
    for piece in content.pieces():
        scan.feed(piece)
    if (found := scan.outline()) is None:
        raise NotReadError("it is a sealed model that was cut or damaged, or another version of modelpriv wrote it")
    yield from Walker().walk("model", found)


def _in_text(content: Content) -> Iterator[Leak]:
    """Read a pickle of protocol 0, which is text, or another text."""
    pickled = not texts.is_named_text(content.name) and read_pickle(content.stream()).is_pickle
    yield from in_pickle(content) if pickled else texts.in_text(content)


def _in_unknown(content: Content) -> Iterator[Leak]:
    """Read a pickle of protocol 1, which has no mark of its own; anything else is only measured."""
    if read_pickle(content.stream()).is_pickle:
        yield from in_pickle(content)
    else:
        yield Leak("file", "unread", content.stream().rest(), reason="its format is not known")


def _in_compressed(content: Content) -> Iterator[Leak]:
    unfolded = compressed.Unfolded(content)
    yield from leaks_in(content.part(unfolded.name, unfolded.pieces))
    yield from Walker().walk("compressed file", unfolded.aside)


def _in_zip(content: Content) -> Iterator[Leak]:
    yield from archives.in_zip(content, leaks_in)


def _in_tar(content: Content) -> Iterator[Leak]:
    yield from archives.in_tar(content, leaks_in)


_BEGINNINGS: dict[bytes, Reader] = {
    magic.SEALED.begins: _in_sealed,
    magic.ZIP.begins + b"\3\4": _in_zip,
    magic.ZIP.begins + b"\5\6": _in_zip,
    **dict.fromkeys(compressed.BEGINNINGS, _in_compressed),
    _SQLITE: databases.in_sqlite,
    magic.PARQUET.begins: tables.in_parquet,
    magic.ARROW.begins: tables.in_arrow,
    numpy_files.BEGINS: numpy_files.in_array,
}
