"""Files that are written whole or not at all, or under a lock."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from modelpriv._core import events
from modelpriv.errors import ParameterError

__all__ = ["locked", "replacing"]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, mode: int | None = None, durable: bool = False) -> Iterator[BinaryIO]:
    """Write a file next to ``path`` and rename it over ``path`` at the end, so that no reader ever sees half of it.

    The event that is going on is recorded before the rename: if that fails, the old file stays.

    Parameters
    ----------
    path : path-like
        The file to write; a symbolic link is followed.
    mode : int, optional
        The permissions of the new file. By default those of the file that is replaced, or what the umask gives.
    durable : bool, default=False
        Whether to sync the file and its directory, so that it outlives a power failure and not only the process.

    Yields
    ------
    file : binary file
        To write to. When the block raises, the new file is removed and the old one is as it was.

    Raises
    ------
    ParameterError
        ``path`` is a directory, a device or a pipe.
    OSError
        The file cannot be written.
    """
    # Renaming onto a link would turn the link into a file and leave what it points to as it was.
    target = Path(path).resolve()
    kept = _permissions(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if (wanted := kept if mode is None else mode) is not None:
                temporary.chmod(wanted)
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        events.commit()
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_directory(target.parent)


@contextlib.contextmanager
def locked(file: BinaryIO, end: int, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock on an open file that all who work with it take, also in other processes.

    Parameters
    ----------
    file : binary file
        The file; the lock goes at the end of the block, or when the file is closed in it.
    end : int
        A place behind all that is read: on Windows what is locked cannot be read.
    shared : bool, default=False
        Whether others may hold it too, who also only read.
    """
    if os.name == "posix":
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        try:
            yield
        finally:
            if not file.closed:
                fcntl.flock(file, fcntl.LOCK_UN)
        return
    import msvcrt  # noqa: PLC0415 - only on Windows

    lock: Any = msvcrt
    file.seek(end)
    lock.locking(file.fileno(), lock.LK_LOCK, 1)
    try:
        yield
    finally:
        if not file.closed:
            file.seek(end)
            lock.locking(file.fileno(), lock.LK_UNLCK, 1)


def _permissions(path: Path) -> int | None:
    """Give the permissions of the regular file at a path, None if there is nothing."""
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found):
        # Renaming over it would replace the device itself, /dev/null among them.
        raise ParameterError(f"{str(path)!r} is not a regular file: give the path of a file to write.")
    return stat.S_IMODE(found)


def _sync_directory(path: Path) -> None:
    """Make a rename in a directory durable, where the system lets a directory be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
