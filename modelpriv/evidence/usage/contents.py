"""Counting in what is in a file: compressed or not, text, a pickle, an array, an archive or a database."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import math
import re
import zipfile
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import pyarrow as pa

from modelpriv._core import magic
from modelpriv.errors import InputError, InputTypeError
from modelpriv.evidence.usage.answer import Use
from modelpriv.evidence.usage.columns import in_column
from modelpriv.evidence.usage.databases import BEGINS, database_cells
from modelpriv.evidence.usage.scan import TOKEN, holds_run, pieces, scan
from modelpriv.sealing import inspection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["NAMELESS", "in_blobs", "in_content", "in_database", "in_model"]

NAMELESS = (magic.IDENTITY, magic.SIGNING_KEY, magic.GRANT)
"""Files of this package that name no key of a keyring."""

_NUMPY = b"\x93NUMPY"
_PACKED = (
    b"(\xb5/\xfd",
    b'\x04"M\x18',
    b"7z\xbc\xaf",
    b"Rar!",
    b"Obj\x01",
    b"ORC",
    magic.PARQUET.begins,
    magic.ARROW.begins,
    magic.KEYRING.begins,
)  # what is not read inside of something else, or not at all
_HEAD = 4096
_BY = re.compile(rb'"by":"([0-9a-f]{8})(?:/[0-9a-f]{16})?"')  # of a line; in text the marks would be escaped
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8")
_KNOWN = (*(kind.begins for kind in (magic.ZIP, magic.PICKLE, magic.SEALED, magic.AUDIT_LOG)), _NUMPY, BEGINS)
_DEEPEST = 3  # archives in archives
_SMALL = 256  # bytes of a cell that may be of any kind, such as a digest


def in_content(path: str, place: str, file: BinaryIO, depth: int = 0) -> Iterator[Use]:
    """Count in what a file, a member of an archive or a cell holds, by how it begins.

    Parameters
    ----------
    path : str
        The file, for the answer.
    place : str
        Where this is, for messages.
    file : binary file
        What it holds, from its beginning; it can seek.
    depth : int
        How many archives it is in.

    Raises
    ------
    InputTypeError
        It is of a kind that cannot be read.
    """
    start = file.read(_HEAD)
    file.seek(0)
    opener = _compression(start)
    if opener is not None:
        with _unfolded(opener, file) as unfolded:
            start = unfolded.read(_HEAD)
        file.seek(0)
    if start.startswith((*_PICTURES, *(kind.begins for kind in NAMELESS))) or not start:
        return
    with _unfolded(opener, file) as unfolded:
        if start.startswith(magic.ZIP.begins) and opener is None:
            yield from _in_archive(path, place, unfolded, depth)
        elif start.startswith(_NUMPY):
            yield from _in_array(path, place, unfolded)
        elif start.startswith(magic.AUDIT_LOG.begins):
            yield from _in_log(path, unfolded)
        elif start.startswith(BEGINS):
            yield from in_database(path, place, unfolded.read())
        elif start.startswith((magic.PICKLE.begins, magic.SEALED.begins)):
            yield from _scanned(path, pieces(unfolded), "a pickle", pickled=True)
        elif _is_packed(start) or _CONTROL.search(start):
            raise InputTypeError(
                f"{place} is of a kind that key_usage does not read. Load it and pass the table or object, or pass "
                "ignore= if you know that it holds no tokens."
            )
        else:
            yield from _scanned(path, pieces(unfolded), "text", pickled=False)


def in_model(path: str, said: inspection.Unverified) -> Iterator[Use]:
    """Count what opens a sealed model, and what the steps inside of it need."""
    yield from (Use(path, "opens a sealed model", way["key_id"], 1) for way in said.stanzas if "key_id" in way)
    yield from (Use(path, "steps in a sealed model", need["key_id"], need["steps"]) for need in said.needs)


def in_database(path: str, place: str, source: Path | bytes) -> Iterator[Use]:
    """Count in each column of an SQLite database."""
    for name, kind, batches in database_cells(source, least=TOKEN):
        if kind == "text":
            joined = (b"\n".join(cells) + b"\n" for cells in batches)
            yield from _scanned(path, joined, f"{name!r}", pickled=False)
        else:
            yield from in_blobs(path, f"a cell of {name!r} in {place}", (cell for cells in batches for cell in cells))


def in_blobs(path: str, place: str, cells: Iterable[bytes | None], depth: int = 0) -> Iterator[Use]:
    """Count in some bytes, each as if it was a file of its own; short ones may be anything that holds no token."""
    for cell in cells:
        if cell is not None and (len(cell) > _SMALL or holds_run(cell) or cell.startswith(_KNOWN) or _is_packed(cell)):
            yield from in_content(path, place, io.BytesIO(cell), depth)


def _in_log(path: str, file: BinaryIO) -> Iterator[Use]:
    """Count the lines of an audit log by the key that they are authenticated under: a log goes on under a newer one."""
    counts = Counter(found[1].decode() for line in file for found in _BY.finditer(line))
    yield from (Use(path, "audit log", key_id, count) for key_id, count in counts.items())


def _in_archive(path: str, place: str, file: BinaryIO, depth: int) -> Iterator[Use]:
    """Count in each member of a zip archive, as skops and numpy write it."""
    if depth == _DEEPEST:
        raise InputError(f"{place} is an archive more than {_DEEPEST} deep in others.")
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                where = f"{member.filename!r} in {place}"
                if member.file_size <= _SMALL:
                    yield from in_blobs(path, where, [archive.read(member)], depth + 1)
                    continue
                with archive.open(member) as opened:
                    yield from in_content(path, where, cast("BinaryIO", opened), depth + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{place} is a zip archive that cannot be read ({type(error).__name__}).") from None


def _in_array(path: str, place: str, file: BinaryIO) -> Iterator[Use]:
    """Count in an array that numpy wrote; one of objects is a pickle behind its header."""
    start = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if start == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if dtype.hasobject:
        yield from _scanned(path, pieces(file), "an array", pickled=True)
    elif dtype.kind in "US":
        cells = np.frombuffer(file.read(), dtype, count=math.prod(shape))
        yield from in_column(path, "tokens in an array", pa.array(cells.astype(str), pa.large_string()))
    elif dtype.kind == "V":
        raise InputTypeError(f"{place} is a structured array, which key_usage does not read. Load it and pass it.")


def _scanned(path: str, data: Iterator[bytes], what: str, *, pickled: bool) -> Iterator[Use]:
    found, heads = scan(data, pickled=pickled)
    for (kind, key_id), count in found.items():
        yield Use(path, f"{kind} in {what}", key_id, count)
    for head in heads:
        yield from in_model(path, inspection.inspect_head(head))


@contextlib.contextmanager
def _unfolded(opener: Callable[[BinaryIO], Any] | None, file: BinaryIO) -> Iterator[BinaryIO]:
    """Give a file without its compression, if it has one."""
    if opener is None:
        yield file
        return
    with opener(file) as unfolded:
        yield unfolded


def _is_packed(start: bytes) -> bool:
    return _compression(start) is not None or start.startswith(_PACKED)


def _compression(start: bytes) -> Callable[[BinaryIO], Any] | None:
    """Return what undoes a compression of the standard library, as joblib and others use it."""
    if start[:2] == b"\x1f\x8b":
        return lambda file: gzip.GzipFile(fileobj=file)
    if start[:3] == b"BZh":
        return bz2.BZ2File
    if start[:6] == b"\xfd7zXZ\0" or start[:3] == b"]\0\0":
        return lzma.LZMAFile
    if start[:1] == b"x" and start[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda"):
        return _Zlib
    return None


class _Zlib(io.RawIOBase):
    """A zlib stream, as joblib writes it, read piece by piece."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._stream = file, zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes."""
        while not self._stream.eof:
            packed = self._stream.unconsumed_tail or self._file.read(2**16)
            if not packed:
                raise EOFError("the compressed file was cut.")
            if piece := self._stream.decompress(packed, max(size, 0)):
                return piece
        return b""
