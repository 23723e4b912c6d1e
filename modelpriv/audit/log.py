"""The audit log: who used which key for what, in lines of which none can be changed, cut or added unseen.

A line is one JSON object. Its last field is ``mac``, HMAC-SHA256 under the keyring's audit key over
``enc("modelpriv/1", "audit line", the MAC of the line before, the line without its last field)``; ``seq`` counts from
1, and ``by`` names the key (and, of a scoped keyring, the scope). Beside the log stands its head, ``LOG.head``: how
many lines there are, how many bytes, and the MAC of the last, authenticated too. Line and head are written under one
lock.
"""

import contextlib
import errno
import hmac
import io
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from modelpriv._core import events, files, json
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import AnyKeyring, Keyring, ScopedKeyring, resolve, scoped
from modelpriv.keys.derivation import VERSION, enc
from modelpriv.keys.text import from_base64, to_base64

__all__ = ["AuditLog", "Head", "verify"]

Path_ = str | os.PathLike[str]

_NO_MAC = bytes(32)
_TAIL = len(',"mac":""}\n') + len(to_base64(_NO_MAC))
_HEAD = 512
_HEAD_SUFFIX = ".head"
_LONGEST = 1 << 26  # a line that names every column of a table of a million
_BY = re.compile("[0-9a-f]{8}(/[0-9a-f]{16})?")


@dataclass(frozen=True)
class Head:
    """Where a log stood: how many lines, and the MAC of the last. Note its text elsewhere, to find a rollback.

    It protects against putting back an older log with its head, if it is kept where that cannot be done to it. It
    leaks the number of lines. It does not say when it was taken.

    Examples
    --------
    >>> from modelpriv.audit import AuditLog, verify
    >>> from modelpriv.keys import Keyring
    >>> keys = Keyring.generate()
    >>> with AuditLog("noted.jsonl", key=keys) as log:
    ...     noted = str(log.head())
    >>> verify("noted.jsonl", key=keys, expected_head=noted).count
    2
    """

    count: int
    mac: bytes

    def __str__(self) -> str:
        return f"{self.count}:{to_base64(self.mac)}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the text of a head.

        Raises
        ------
        ParameterError
            It is none.
        """
        count, _, mac = text.partition(":")
        try:
            head = cls(int(count), from_base64(mac))
        except ValueError:
            head = cls(-1, b"")
        if head.count < 0 or len(head.mac) != len(_NO_MAC):
            raise ParameterError("expected_head is not the text of a head: it reads COUNT:MAC.")
        return head


class AuditLog:
    """Writes each use of a key as one line of a file, chained so that a change to any line is found.

    While it is started, every call of a transformer, every sealed file that is written or opened, and what is done
    with keyrings is recorded: what, which columns, how many rows, key ids, who as the process knows it, and the
    result. What cannot be recorded is not done: a full disk lets the call fail. Several processes may write to one
    log; each starts it for itself.

    It protects against lines that are edited, removed, swapped or added, and against a tail that is cut, by anyone
    without the audit key; `verify` finds them. It leaks names of columns and files, key ids, user, host and process
    id; never a cell or a key. It does not find log and head that were both put back to an earlier state, unless a head
    was noted elsewhere, nor what a holder of the key wrote anew, nor what was done while it was not started.

    Parameters
    ----------
    path : path-like
        The log; lines are added to one that is there. Its head stands beside it, with ``.head`` added to the name.
    key : Keyring, ScopedKeyring or str
        Authenticates the lines, by a key of its own that opens nothing. A scoped keyring has another one than its ring,
        and so needs a log of its own; the ring's owner verifies it too, by the grant's id.

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

    def __init__(self, path: Path_, *, key: object) -> None:
        self._path = os.fspath(path)
        keyring = resolve(key)
        self._by = _by(keyring)
        self._keys = _Keys(keyring, self._by.partition("/")[2])
        self._known: tuple[bytes, _State] | None = None
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
        """Give where the log stands, for `verify`."""
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
        raise ParameterTypeError("an AuditLog is not pickled: start one in each process.")

    def _add(self, facts: dict[str, Any], created: float) -> None:
        """Add a line, under the lock that all writers share."""
        with _opened(self._path) as (log, head_file):
            state = self._state(log, head_file)
            by, key = self._by, self._keys[self._by]
            when = datetime.fromtimestamp(created, UTC).isoformat(timespec="microseconds")
            body = json.dump(facts | {"seq": state.count + 1, "time": when, "by": by})
            mac = _mac(key, state.mac, body)
            line = _with_mac(body, mac)
            if len(line) > _LONGEST:
                raise ParameterError(f"{self._path}: an event of {len(line)} bytes is too long for a line of the log.")
            after = _State(state.count + 1, state.size + len(line), mac, by)
            head = after.write(key)
            try:
                _write(log, line, state.size)
                _write(head_file, head, 0)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(log.fileno(), state.size)  # the old state, whole
                raise
            self._known = (head, after)

    def _state(self, log: BinaryIO, head_file: BinaryIO) -> "_State":
        """Give where the log stands, by its head and whatever a writer that died left behind it."""
        head = _read_at_start(head_file)
        size = os.fstat(log.fileno()).st_size
        if self._known is not None and self._known[0] == head:
            state = self._known[1]
        elif head:
            state = _State.read(head, self._keys, self._path)
        elif size:
            raise SealedFileError(
                f"{self._path}: its head is empty, and the log is not. Keep it, and start another log."
            )
        else:
            state = _State(0, 0, _NO_MAC, self._by)
            _write(head_file, state.write(self._keys[self._by]), 0)
        if size < state.size:
            raise SealedFileError(f"{self._path}: the log is shorter than its head says: it was cut. Run verify on it.")
        if size > state.size:
            state = self._catch_up(log, state)
        return state

    def _catch_up(self, log: BinaryIO, state: "_State") -> "_State":
        """Take up whole lines behind the head; drop half a line, which never counted."""
        log.seek(state.size)
        count, size, mac = state.count, state.size, state.mac
        for line in io.BytesIO(log.read()):
            if not line.endswith(b"\n"):
                os.ftruncate(log.fileno(), size)
                break
            mac, by = _check_line(line, count + 1, mac, self._keys, f"{self._path}, line {count + 1}")
            count, size = count + 1, size + len(line)
            state = _State(count, size, mac, by)
        return state


def verify(log: Path_, *, key: object, expected_head: Head | str | None = None, grant: str | None = None) -> Head:
    """Check every line of an audit log, and that none is missing.

    Parameters
    ----------
    log : path-like
        The log; its head is read from beside it.
    key : Keyring, ScopedKeyring or str
        The keyring that it was written with; for the log of a scoped keyring, that or its ring.
    expected_head : Head or str, optional
        A head that was noted earlier, elsewhere. Without it, log and head that were both put back to an earlier state
        look whole.
    grant : str, optional
        For the ring's owner, whose log it is to be: that of the holder of the grant with this id, who has the key that
        it is written under. By default the ring's own, in which no holder of a grant can have written.

    Returns
    -------
    head : Head
        Where the log stands.

    Raises
    ------
    SealedFileError
        A line was edited, removed, swapped or added, or the end was cut; the message names the first such line.
    KeyUnavailableError
        The keyring does not hold a key that lines were written under, or the log is somebody else's.
    ParameterError
        ``expected_head`` or ``grant`` is none.
    OSError
        The log or its head cannot be read.
    """
    path, keyring = Path(log), resolve(key)
    if grant is not None and not scoped.ID.fullmatch(str(grant)):
        raise ParameterError("grant must be the id of a grant, 16 hexadecimal digits.")
    keys = _Keys(keyring, _by(keyring).partition("/")[2] if grant is None else grant)
    expected = Head.read(expected_head) if isinstance(expected_head, str) else expected_head
    head_path = path.with_name(path.name + _HEAD_SUFFIX)
    if path.exists() and not head_path.exists():
        raise SealedFileError(f"{path}: its head {head_path.name!r} is not there, so a cut could not be found.")
    with head_path.open("rb") as head_file, files.locked(head_file, _HEAD, shared=True), path.open("rb") as file:
        state = _State.read(_read_at_start(head_file), keys, str(path))
        wanted = {state.count, *([] if expected is None else [expected.count])}
        count, mac, macs = 0, _NO_MAC, {0: _NO_MAC}
        for count, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), 1):
            mac, _ = _check_line(line, count, mac, keys, f"{path}, line {count}")
            if count in wanted:
                macs[count] = mac
    for head, name in ((Head(state.count, state.mac), "its head"), (expected, "the expected head")):
        if head is not None and head.count > count:
            raise SealedFileError(
                f"{path}, line {count + 1}: the log ends before it, and {name} counts {head.count}: it was cut."
            )
        if head is not None and not hmac.compare_digest(macs[head.count], head.mac):
            raise SealedFileError(f"{path}, line {head.count}: it is not the line that {name} was made of.")
    return Head(count, mac)


class _Keys(dict[str, bytes]):
    """The audit keys of one writer, the ring's owner or the holder of a scope, by what names them in a line.

    The ring could derive the keys of all. But then whoever holds a grant could write in the owner's log, or put one of
    their own in its place.
    """

    def __init__(self, keyring: AnyKeyring, scope_id: str) -> None:
        super().__init__()
        self._keyring, self._scope_id = keyring, scope_id

    def __repr__(self) -> str:
        return f"<audit keys of {self._keyring!r}>"  # and not what a dict shows

    def __missing__(self, by: str) -> bytes:
        if not _BY.fullmatch(by):
            raise KeyError
        key_id, _, scope_id = by.partition("/")
        if isinstance(self._keyring, Keyring) and scope_id != self._scope_id:
            whose = f"the holder of grant {scope_id}: verify that one's log with grant={scope_id!r}"
            raise KeyUnavailableError(f"it is by {whose if scope_id else 'the owner of the whole ring'}.")
        self[by] = key = self._keyring.audit_key(key_id=key_id, scope_id=scope_id or None)
        return key


@dataclass(frozen=True)
class _State:
    """What the head file says: lines, bytes, the MAC of the last line, and under which key."""

    count: int
    size: int
    mac: bytes
    by: str

    def write(self, key: bytes) -> bytes:
        body = f'{{"by":"{self.by}","count":{self.count},"last":"{to_base64(self.mac)}","size":{self.size}}}'.encode()
        seal = hmac.digest(key, enc(VERSION, "audit head", body), "sha256")
        return _with_mac(body, seal).ljust(_HEAD)

    @classmethod
    def read(cls, head: bytes, keys: _Keys, name: str) -> Self:
        try:
            fields = json.load(head)
            state = cls(fields["count"], fields["size"], from_base64(fields["last"]), fields["by"])
            genuine = hmac.compare_digest(state.write(keys[state.by]), head)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, KeyUnavailableError):
                raise KeyUnavailableError(f"{name}: its head was altered, or {error}") from None
            genuine = False
        if not genuine:
            raise SealedFileError(f"{name}: the head of the log was altered, or belongs to another keyring.")
        return state


def _check_line(line: bytes, count: int, before: bytes, keys: _Keys, name: str) -> tuple[bytes, str]:
    """Check one line; give its MAC and who wrote it."""
    try:
        fields = json.load(line)
        seq, by, mac = fields["seq"], fields["by"], from_base64(fields["mac"])
        key = keys[by]
    except KeyUnavailableError as error:
        raise KeyUnavailableError(f"{name}: it was altered, or {error}") from None
    except (ValueError, KeyError, TypeError):
        raise SealedFileError(f"{name}: it is no line of an audit log, or was altered or cut.") from None
    if seq != count:
        raise SealedFileError(f"{name}: it says that it is line {seq}: lines were removed, added or swapped.")
    body = line[:-_TAIL] + b"}"
    if _with_mac(body, mac) != line or not hmac.compare_digest(_mac(key, before, body), mac):
        raise SealedFileError(
            f"{name}: it was altered, added, or is not the one that was written after the line before."
        )
    return mac, by


def _with_mac(body: bytes, mac: bytes) -> bytes:
    """Add the last field to an object, and end the line."""
    return b'%b,"mac":"%b"}\n' % (body[:-1], to_base64(mac).encode())


def _mac(key: bytes, before: bytes, body: bytes) -> bytes:
    return hmac.digest(key, enc(VERSION, "audit line", before, body), "sha256")


def _by(keyring: AnyKeyring) -> str:
    """Name the key that a keyring writes under: its primary's id, and the scope's if it has one."""
    return f"{keyring.primary}/{keyring.scope.id}" if isinstance(keyring, ScopedKeyring) else keyring.primary


@contextlib.contextmanager
def _opened(path: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open log and head, new if they are not there, under the lock; anew each time, so that a fork shares nothing."""
    with _open(path + _HEAD_SUFFIX, os.O_CREAT) as head, files.locked(head, _HEAD):
        try:
            log = _open(path, 0 if os.fstat(head.fileno()).st_size else os.O_CREAT)
        except FileNotFoundError:
            raise SealedFileError(
                f"{path} is not there, and its head is. Remove the head to start a new log."
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
    return file.read(_HEAD + 1)
