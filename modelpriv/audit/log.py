"""The audit log: it records who used which key for what, line by line, as `modelpriv.audit.chain` describes."""

import contextlib
import errno
import io
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO, Self

from modelpriv._core import events, files, json
from modelpriv.audit.chain import (
    HEAD_SIZE,
    LONGEST_LINE,
    NO_MAC,
    ChainState,
    Head,
    LineKeys,
    check_line,
    head_path,
    line_mac,
    with_mac,
    writer_name,
)
from modelpriv.errors import ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import resolve

__all__ = ["AuditLog"]


class AuditLog:
    """Writes each use of a key as one line of a file, chained so that a change to any line is found.

    While it is started, it records every call of a transformer, every sealed file that is written or opened, and every
    use of a keyring: the action, the columns, the number of rows, key ids, the user as the process knows it, and the
    result. What cannot be recorded is not done: on a full disk the call fails. Several processes can write to one log;
    each starts it for itself.

    It protects against lines that are edited, removed, swapped or added, and against a tail that is cut, by anyone
    without the audit key; `verify` finds them. It leaks names of columns and files, key ids, user, host and process
    id; never a cell or a key. It does not find a log and head that were both put back to an earlier state, unless you
    noted a head elsewhere. It does not find what a holder of the key wrote again, nor what was done while it was not
    started.

    Parameters
    ----------
    path : path-like
        The log. Lines are added to one that exists. Its head is kept in the same folder, with ``.head`` added to the
        name.
    key : Keyring, ScopedKeyring or str
        Authenticates the lines, with a key of its own that opens nothing. A scoped keyring has another audit key than
        its ring, and so needs its own log. The ring's owner can verify that log too, with the grant's id.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import FieldEncryptor, Keyring
    >>> from modelpriv.audit import AuditLog, verify
    >>> keys = Keyring.generate()
    >>> with AuditLog("audit.jsonl", key=keys):
    ...     released = FieldEncryptor(key=keys).fit_transform(pd.DataFrame({"email": ["ada@example.org"]}))
    >>> verify("audit.jsonl", key=keys).count
    3
    """

    def __init__(self, path: str | os.PathLike[str], *, key: object) -> None:
        self._path = os.fspath(path)
        keyring = resolve(key)
        self._by = writer_name(keyring)
        self._keys = LineKeys(keyring, self._by.partition("/")[2])
        self._known: tuple[bytes, ChainState] | None = None
        self._listener = events.Listener(self._add)

    def start(self) -> Self:
        """Record from now on.

        Raises
        ------
        SealedFileError
            The log does not fit its head.
        KeyUnavailableError
            It was written under another key.
        OSError
            It cannot be written.
        """
        if not self._listener.attached:
            self._add({"action": "start", "subject": "AuditLog", "result": "ok"}, time.time())
            self._listener.attach()
        return self

    def stop(self) -> None:
        """Record no more."""
        if self._listener.attached:
            self._listener.detach()
            self._add({"action": "stop", "subject": "AuditLog", "result": "ok"}, time.time())

    def head(self) -> Head:
        """Return how many lines the log has and the MAC of the last, for `verify`."""
        with _opened(self._path) as (log, head_file):
            state = self._state(log, head_file)
        return Head(state.count, state.mac)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<AuditLog {self._path!r} by={self._by}>"

    def __reduce__(self) -> str:
        raise ParameterTypeError("an AuditLog cannot be pickled: start one in each process.")

    def _add(self, facts: dict[str, Any], created: float) -> None:
        """Add a line, under the lock that all writers share."""
        with _opened(self._path) as (log, head_file):
            state = self._state(log, head_file)
            by, key = self._by, self._keys[self._by]
            when = datetime.fromtimestamp(created, UTC).isoformat(timespec="microseconds")
            body = json.dump(facts | {"seq": state.count + 1, "time": when, "by": by})
            mac = line_mac(key, state.mac, body)
            line = with_mac(body, mac)
            if len(line) > LONGEST_LINE:
                raise ParameterError(f"{self._path}: an event of {len(line)} bytes is too long for a line of the log.")
            after = ChainState(state.count + 1, state.size + len(line), mac, by)
            head = after.write(key)
            try:
                _write(log, line, state.size)
                _write(head_file, head, 0)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(log.fileno(), state.size)  # the old state, whole
                raise
            self._known = (head, after)

    def _state(self, log: BinaryIO, head_file: BinaryIO) -> ChainState:
        """Return where the log ends: by its head, and by whole lines that a writer that died left behind the head."""
        head = _read_at_start(head_file)
        size = os.fstat(log.fileno()).st_size
        if self._known is not None and self._known[0] == head:
            state = self._known[1]
        elif head:
            state = ChainState.read(head, self._keys, self._path)
            self._check_continued(log)
        elif size:
            raise SealedFileError(
                f"{self._path}: its head is empty, but the log is not. Keep both files, and start another log."
            )
        else:
            state = ChainState(0, 0, NO_MAC, self._by)
            _write(head_file, state.write(self._keys[self._by]), 0)
        if size < state.size:
            raise SealedFileError(
                f"{self._path}: the log is shorter than its head says: it was cut. Run modelpriv.audit.verify on it."
            )
        if size > state.size:
            state = self._catch_up(log, state)
        return state

    def _check_continued(self, log: BinaryIO) -> None:
        """Refuse a log without the last line that this one wrote or read: another one, or an older state of it."""
        before = self._known[1] if self._known is not None else None
        if before is None or not before.count:
            return
        end = with_mac(b"}", before.mac)
        log.seek(before.size - len(end))
        if log.read(len(end)) != end:
            raise SealedFileError(
                f"{self._path}: it is not the log that was written here before, or an older state of it. Keep it, find "
                "out who replaced it, and start another log."
            )

    def _catch_up(self, log: BinaryIO, state: ChainState) -> ChainState:
        """Count whole lines behind the head; drop half a line, which never counted."""
        log.seek(state.size)
        count, size, mac = state.count, state.size, state.mac
        for line in io.BytesIO(log.read()):
            if not line.endswith(b"\n"):
                os.ftruncate(log.fileno(), size)
                break
            mac, by = check_line(line, count + 1, mac, self._keys, f"{self._path}, line {count + 1}")
            count, size = count + 1, size + len(line)
            state = ChainState(count, size, mac, by)
        return state


@contextlib.contextmanager
def _opened(path: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open log and head under the lock, each time again, so that a fork shares nothing; create them if missing."""
    with _open(head_path(path), os.O_CREAT) as head, files.locked(head, HEAD_SIZE):
        try:
            log = _open(path, 0 if os.fstat(head.fileno()).st_size else os.O_CREAT)
        except FileNotFoundError:
            raise SealedFileError(
                f"{path} is missing, but its head is there. Remove the head to start a new log."
            ) from None
        with log:
            yield log, head


def _open(path: str, flags: int) -> BinaryIO:
    flags |= os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "rb+", buffering=0)


def _write(file: BinaryIO, data: bytes, at: int) -> None:
    """Write all of it, or raise: a full disk may take a part."""
    file.seek(at)
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read_at_start(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(HEAD_SIZE + 1)
