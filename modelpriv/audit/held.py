"""The two files of a log that is written, head and log, kept open, and the lock that all writers of the log share.

Opening both for each event took most of an event's time. Kept open, they may no longer be what the paths name: another
program can rename, remove or replace them. So each use compares the paths with what is open, one call each.
"""

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from modelpriv._core import files
from modelpriv.audit.head import HEAD_SIZE, head_path
from modelpriv.audit.parts import LONGEST_OPENING, put_away_path, waiting_path
from modelpriv.errors import SealedFileError

__all__ = ["OpenFiles"]

_CAN_KEEP = os.name == "posix"  # Windows renames no file that is open


class OpenFiles:
    """Log and head of one writer, as open files."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._head_path = head_path(path)
        self.keeps = False
        """Whether the files stay open between two events."""
        self._lock = threading.Lock()
        self._head: BinaryIO | None = None
        self._log: BinaryIO | None = None
        self._head_id = self._log_id = (0, 0)

    def forked(self) -> None:
        """Begin again in a forked child: the lock goes with the open head, and that of another thread stays locked."""
        self._lock = threading.Lock()
        self._close_head()
        self._close_log()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, on the head that the path names; it is created if it is missing."""
        with self._lock:
            while True:
                head = self._opened_head()
                with files.locked(head, HEAD_SIZE):
                    if (found := _stat(self._head_path)) is not None and _id(found) == self._head_id:
                        try:
                            yield
                        finally:
                            self._let_go()
                        return
                self._close_head()

    def read_head(self) -> bytes:
        """Return the bytes of the head; none if it was just created, also by a writer that died in the middle."""
        head = self._opened_head()
        head.seek(0)
        data = head.read(HEAD_SIZE + 1)
        return data if len(data) >= HEAD_SIZE else b""

    def write_head(self, data: bytes) -> None:
        """Write the head."""
        _write(self._opened_head(), data, 0)

    def named(self) -> os.stat_result | None:
        """Return what the system says about the file that has the log's name, or None if no file has it."""
        found = _stat(self.path)
        if found is not None and stat.S_ISLNK(found.st_mode):
            raise _is_link(self.path)
        return found

    def holds(self, found: os.stat_result | None) -> bool:
        """Tell whether this is the log that is open."""
        return self._log is not None and found is not None and _id(found) == self._log_id

    @property
    def exists(self) -> bool:
        """Whether the log that is open still has a name, be it another one."""
        return self._log is not None and os.fstat(self._log.fileno()).st_nlink > 0

    @property
    def log(self) -> BinaryIO:
        """The open log."""
        assert self._log is not None  # noqa: S101 - for the types: it was opened before
        return self._log

    @property
    def size(self) -> int:
        """Number of bytes in the open log."""
        return os.fstat(self.log.fileno()).st_size

    def open_log(self, path: str | Path) -> None:
        """Open a file as the log."""
        opened = _open(os.fspath(path), 0)
        self._close_log()
        self._log, self._log_id = opened, _id(os.fstat(opened.fileno()))

    def first_line(self) -> bytes:
        """Return the first line of the open log, as far as it is whole."""
        self.log.seek(0)
        data = self.log.read(LONGEST_OPENING)
        return data[: data.find(b"\n") + 1]

    def append(self, line: bytes, at: int, head: bytes | None) -> None:
        """Write a line at the end of the log, then the head; if the disk is full, put the old end back."""
        try:
            _write(self.log, line, at)
            if head is not None:
                self.write_head(head)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self.log.fileno(), at)
            raise

    def truncate(self, size: int) -> None:
        """Cut what is behind the last whole line."""
        os.ftruncate(self.log.fileno(), size)

    def put_away(self, number: int) -> None:
        """Rename the open log, if it still has the log's name.

        Raises
        ------
        SealedFileError
            A file with the new name is there already.
        """
        if not self.holds(self.named()):
            return
        target = put_away_path(self.path, number)
        if os.path.lexists(target):
            raise SealedFileError(
                f"{self.path} is to be rotated to {target}, which is there already: move that file to another folder."
            )
        if not _CAN_KEEP:  # pragma: no cover - Windows
            self._close_log()
        Path(self.path).rename(target)

    def begin_next(self, line: bytes) -> None:
        """Put a new file with one line in the place of the log, whole, for the same users as the head."""
        waiting, owner = waiting_path(self.path), os.fstat(self._opened_head().fileno())
        with contextlib.suppress(FileNotFoundError):
            Path(waiting).unlink()  # of a rotation that died; and another's link would not be followed
        with _open(waiting, os.O_CREAT | os.O_EXCL) as file:
            _share(file, owner)
            _write(file, line, 0)
            os.fsync(file.fileno())
        Path(waiting).replace(self.path)
        self.open_log(self.path)

    def _let_go(self) -> None:
        if not (self.keeps and _CAN_KEEP):
            self._close_log()
            self._close_head()

    def _opened_head(self) -> BinaryIO:
        if self._head is None:
            self._head = _open(self._head_path, os.O_CREAT)
            self._head_id = _id(os.fstat(self._head.fileno()))
        return self._head

    def _close_head(self) -> None:
        if self._head is not None:
            self._head.close()
        self._head = None

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
        self._log = None


def _open(path: str, flags: int) -> BinaryIO:
    """Open a file, and no symbolic link: root may write a log in a folder where others could put one."""
    for name in ("O_RDWR", "O_CLOEXEC", "O_BINARY", "O_NOFOLLOW"):
        flags |= getattr(os, name, 0)
    try:
        return os.fdopen(os.open(path, flags, 0o600), "rb+", buffering=0)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise _is_link(path) from None


def _is_link(path: str) -> SealedFileError:
    return SealedFileError(f"{path} is a symbolic link: give the path of the log itself.")


def _share(file: BinaryIO, owner: os.stat_result) -> None:
    """Give a file the owner and permissions of another one: root may rotate the log of a service."""
    if os.name != "posix":  # pragma: no cover - Windows
        return
    os.fchmod(file.fileno(), owner.st_mode & 0o666)
    if os.geteuid() == 0:
        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)


def _write(file: BinaryIO, data: bytes, at: int) -> None:
    """Write all of it, or raise: a full disk may take a part."""
    file.seek(at)
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _id(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
