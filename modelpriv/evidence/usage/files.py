"""Counting in files: what a file is, by how it begins, and what in it uses which key."""

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
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from modelpriv._columns.reading import read_arrow
from modelpriv._core import magic
from modelpriv.errors import InputError, InputTypeError, ModelprivError
from modelpriv.evidence.usage.answer import Use
from modelpriv.evidence.usage.columns import in_column, may_be_text
from modelpriv.evidence.usage.scan import pieces, scan
from modelpriv.keys import container
from modelpriv.sealing import inspection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["in_file", "in_folder", "in_model", "is_ignored"]

_DATASETS = {magic.PARQUET: "parquet", magic.ARROW: "ipc"}
_NUMPY = b"\x93NUMPY"
_PACKED = (
    b"(\xb5/\xfd",
    b'\x04"M\x18',
    b"7z\xbc\xaf",
    b"Rar!",
    b"Obj\x01",
    b"ORC",
)  # compressions that are not undone here
_HEAD = 4096
_BY = re.compile(rb'"by":"([0-9a-f]{8})(?:/[0-9a-f]{16})?"')  # of a line; in text the marks would be escaped
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8")
_NAMELESS = (magic.IDENTITY, magic.SIGNING_KEY, magic.GRANT)  # they name no key of a keyring


def in_folder(
    folder: Path, ignored: Callable[[Path], bool], seen: Callable[[Path], None]
) -> Iterator[Use | tuple[str, str]]:
    """Count in every file of a folder, and in the values that name its partitions; tell what could not be read."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
    if not any(path.stat().st_size for path in files if path.exists()):
        raise InputTypeError(
            f"{str(folder)!r} holds no file to count in. Give the folder that the table or the models were written to."
        )
    for path in files:
        seen(path)
        if ignored(path):
            continue
        values = [part.partition("=")[2] for part in path.relative_to(folder).parts[:-1]]
        cells = pa.array([unquote(value) for value in values], pa.string())
        yield from in_column(str(path), "tokens in partitions", cells)
        try:
            yield from list(in_file(path))
        except (ModelprivError, OSError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
            yield str(path), str(error) or type(error).__name__


def is_ignored(path: Path, patterns: tuple[str, ...]) -> bool:
    """Tell whether a path, its name or its end fits a pattern such as ``"*.png"`` or ``"plots/*"``."""
    return any(path.match(pattern) or str(path) == pattern for pattern in patterns)


def in_file(path: Path) -> Iterator[Use]:
    """Count in a file, by what its first bytes say it is.

    Raises
    ------
    InputTypeError
        It is of a kind that cannot be read.
    """
    if path.exists() and not path.is_file():
        raise InputTypeError(f"{str(path)!r} is neither a file nor a folder, so it cannot be counted in.")
    with path.open("rb") as file:
        start = file.read(_HEAD)
        file.seek(0)
        kind = magic.identify(start)
        if kind in _DATASETS:
            yield from _in_dataset(path, _DATASETS[kind])
        elif kind == magic.SEALED:
            yield from in_model(str(path), inspection.inspect(file))
        elif kind == magic.ZIP:
            yield from _in_archive(path, file)
        elif start.startswith(b"{") and kind is not None:
            yield from _in_json(path, kind)
        else:
            yield from _in_bytes(path, file, start)


def in_model(path: str, said: inspection.Unverified) -> Iterator[Use]:
    """Count what opens a sealed model, and what the steps inside of it need."""
    yield from (Use(path, "opens a sealed model", way["key_id"], 1) for way in said.stanzas if "key_id" in way)
    yield from (Use(path, "steps in a sealed model", need["key_id"], need["steps"]) for need in said.needs)


def _in_json(path: Path, kind: magic.FileType) -> Iterator[Use]:
    """Count what our own files name: a keyring its keys, an audit log the key that it is verified with."""
    if kind in _NAMELESS:
        return
    if kind == magic.AUDIT_LOG:
        with path.open("rb") as file:
            yield from _in_log(path, file)
        return
    yield from (Use(str(path), "keyring file", one, 1) for one in container.read_public(path, "keyring")["key_ids"])


def _in_log(path: Path, file: BinaryIO) -> Iterator[Use]:
    """Count the lines of an audit log by the key that they are authenticated under: a log goes on under a newer one."""
    counts = Counter(found[1].decode() for line in file for found in _BY.finditer(line))
    yield from (Use(str(path), "audit log", key_id, count) for key_id, count in counts.items())


def _in_archive(path: Path, file: BinaryIO) -> Iterator[Use]:
    """Count in each member of a zip archive, as skops and numpy write it."""
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                with archive.open(member) as opened:
                    yield from _in_member(path, member.filename, cast("BinaryIO", opened))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{str(path)!r} is a zip archive that cannot be read ({type(error).__name__}).") from None


def _in_member(path: Path, name: str, file: BinaryIO) -> Iterator[Use]:
    if name.endswith(".npy"):
        yield from _in_array(path, file)
    else:
        yield from _scanned(path, pieces(file), f"{name!a} of an archive", pickled=not name.endswith(".json"))


def _in_array(path: Path, file: BinaryIO) -> Iterator[Use]:
    """Count in an array that numpy wrote; one of objects is a pickle behind its header."""
    start = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if start == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if dtype.hasobject:
        yield from _scanned(path, pieces(file), "an array", pickled=True)
    elif dtype.kind in "US":
        cells = np.frombuffer(file.read(), dtype, count=math.prod(shape))
        yield from in_column(str(path), "tokens in an array", pa.array(cells.astype(str), pa.large_string()))
    elif dtype.kind == "V":
        raise InputTypeError(
            f"{str(path)!r} is a structured array, which key_usage does not read. Load it and pass it."
        )


def _in_bytes(path: Path, file: BinaryIO, start: bytes) -> Iterator[Use]:
    """Count in text, in a pickle, or in what is left when a compression is undone."""
    opener = _compression(start)
    if opener is not None:
        with _unfolded(opener, file) as unfolded:
            start = unfolded.read(_HEAD)
        file.seek(0)
    if start.startswith(_PICTURES) or not start:
        return
    if (kind := _IN_BYTES.get(next((begin for begin in _IN_BYTES if start.startswith(begin)), b""))) is not None:
        with _unfolded(opener, file) as unfolded:
            yield from kind(path, unfolded)
        return
    pickled = start.startswith(magic.PICKLE.begins)
    if _is_packed(start) or not (pickled or start.startswith(b"SQLite format 3\0") or _is_text(start)):
        raise InputTypeError(
            f"{str(path)!r} is of a kind that key_usage does not read. Load it and pass the table or object, or pass "
            "ignore= if you know that it holds no tokens."
        )
    what = "a pickle" if pickled else "text"
    with _unfolded(opener, file) as unfolded:
        yield from _scanned(path, pieces(unfolded), what, pickled=pickled)


def _scanned(path: Path, data: Iterator[bytes], what: str, *, pickled: bool) -> Iterator[Use]:
    found, heads = scan(data, pickled=pickled)
    for (kind, key_id), count in found.items():
        yield Use(str(path), f"{kind} in {what}", key_id, count)
    for head in heads:
        yield from in_model(str(path), inspection.inspect_head(head))


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


def _is_text(start: bytes) -> bool:
    return not _CONTROL.search(start)


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


def _in_dataset(path: Path, format_: str) -> Iterator[Use]:
    from pyarrow import dataset  # noqa: PLC0415 - 50 ms that only this needs

    # Without partitioning: what a path says is counted by `in_folder`.
    found: Any = dataset.dataset(str(path), format=format_, partitioning=None)  # type: ignore[call-overload]
    for field in found.schema:
        if pa.types.is_nested(field.type):
            raise InputTypeError(
                f"{str(path)!r}: column {field.name!r} holds {field.type}, and tokens inside of it cannot be counted. "
                "Load the file and pass a table without that column, or with its values in columns of their own."
            )
    texts = [field.name for field in found.schema if may_be_text(field.type)]
    # pyarrow 20 crashes where it skips columns of an Arrow file that holds text in views: such a file is read whole.
    for batch in found.to_batches(columns=texts if format_ == "parquet" else None):
        for name in texts:
            yield from in_column(str(path), f"tokens in {name!r}", read_arrow(batch.column(name), name).data)


_IN_BYTES = {_NUMPY: _in_array, magic.AUDIT_LOG.begins: _in_log}
"""How files are counted in that may be compressed, by how they begin."""
