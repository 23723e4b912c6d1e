"""The files of an audit log in a folder, found by what their first line says, since programs rename them."""

import gzip
import os
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from modelpriv._core import magic
from modelpriv.audit.chain import Opening
from modelpriv.errors import SealedFileError

__all__ = [
    "LONGEST_OPENING",
    "find_parts",
    "is_compressed",
    "lines_of",
    "one_part",
    "opened",
    "put_away_path",
    "waiting_path",
]

LONGEST_OPENING = 1 << 16
_GZIP = b"\x1f\x8b"


def find_parts(folder: Path, log_id: str) -> dict[int, list[Path]]:
    """Return the files in a folder that say they belong to a log, by their number; none of it is verified."""
    found = defaultdict(list)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith(".") or not entry.is_file():
            continue  # a file that was not finished, or a pipe, whose reader would wait
        with suppress(OSError, EOFError, ValueError, zlib.error):
            opening = _opening(Path(entry.path))
            if opening.log_id == log_id:
                found[opening.file].append(Path(entry.path))
    return dict(found)


def one_part(parts: dict[int, list[Path]], number: int) -> Path | None:
    """Return the file with this number, or None if no file has it.

    Raises
    ------
    SealedFileError
        Several files have it.
    """
    paths = parts.get(number, [])
    if len(paths) > 1:
        names = " and ".join(map(str, paths))
        raise SealedFileError(f"{names} both say that they are file {number} of the log: keep one of them here.")
    return paths[0] if paths else None


def lines_of(file: BinaryIO, name: str, longest: int, size: int | None = None) -> Iterator[bytes]:
    """Give the lines of an open file, up to a size: what others write meanwhile is left out.

    Raises
    ------
    SealedFileError
        The file is compressed, and damaged.
    OSError
        It cannot be read.
    """
    left = size
    try:
        for line in iter(lambda: file.readline(longest), b""):
            if left is None:
                yield line
            elif left > 0:
                yield line[:left]
                left -= len(line)
            else:
                return
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise SealedFileError(f"{name}: the compressed file is damaged or was cut.") from None


def opened(path: Path) -> BinaryIO:
    """Open a file of a log to read its lines, also one that gzip compressed."""
    return cast("BinaryIO", gzip.open(path)) if is_compressed(path) else path.open("rb")


def is_compressed(path: Path) -> bool:
    """Tell whether gzip compressed a file, so that nothing can be added to it."""
    with path.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def put_away_path(log: str, number: int) -> str:
    """Return the name that a file of a log gets when it is rotated away."""
    return f"{log}.{number:06}"


def waiting_path(log: str) -> str:
    """Return the name under which the next file is written before it takes the log's name."""
    return str(Path(log).with_name(f".{Path(log).name}.next"))


def _opening(path: Path) -> Opening:
    with opened(path) as file:
        line = file.readline(LONGEST_OPENING)
    if not line.startswith(magic.AUDIT_LOG.begins):
        raise ValueError("no audit log")
    return Opening.read(line)
