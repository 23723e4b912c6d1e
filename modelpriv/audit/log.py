"""The audit log: it records who used which key for what, line by line, as `modelpriv.audit.chain` describes."""

import os
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from modelpriv._core import events
from modelpriv._core.checks import Flag, Satisfies, Whole, check
from modelpriv.audit import hangup
from modelpriv.audit.chain import SUBJECT
from modelpriv.audit.head import ChainState, Head, check_id
from modelpriv.audit.writer import Limits, LogWriter
from modelpriv.errors import ParameterTypeError, SealedFileError

__all__ = ["AuditLog"]

_AGE = Satisfies(lambda age: isinstance(age, timedelta) and age > timedelta(0), "a timedelta above zero")


class AuditLog:
    """Writes each use of a key as one line of a file, chained so that a change to any line is found.

    While it is started, it records every call of a transformer, every sealed file that is written or opened, and every
    use of a keyring or private key: the action, the columns, the number of rows, key ids, the user as the process knows
    it, the person whom `acting_as` names, and the result. What cannot be recorded is not done: on a full disk the call
    fails. Several processes can write to one log; each starts it for itself.

    It protects against lines that are edited, removed, swapped or added, against a tail that is cut, and against
    another log of the keyring in its place, by anyone without the audit key; `verify` finds them. It leaks names of
    columns and files, key ids, user, host and process id; never a cell or a key. It does not find a log and head that
    were both put back to an earlier state, unless you noted a head elsewhere. It does not find what a holder of the key
    wrote again, nor what was done while it was not started.

    Parameters
    ----------
    path : path-like
        The log. Lines are added to one that exists. Its head is kept in the same folder, with ``.head`` added to the
        name, and so are the files that it was rotated to.
    key : Keyring, ScopedKeyring or str
        Authenticates the lines, with a key of its own that opens nothing. A scoped keyring has another audit key than
        its ring, and so needs its own log. The ring's owner can verify that log too, with the grant's id.
    expected_id : str, optional
        The id of the log, which must exist: as `id` or `verify` gave it. Another log in its place is then refused, also
        one of the same name that was written in another folder.
    max_bytes : int, optional
        Rotate before a file grows beyond this size.
    max_age : datetime.timedelta, optional
        Rotate with the first event after a file has had this age.
    rotate_on_sighup : bool, default=False
        Whether the signal SIGHUP rotates the log, as logrotate sends it. Start the log in the main thread.
    buffer : int, default=1000
        How many events may wait in memory while the log is emptied or replaced by an empty file, as logrotate does it
        with ``create`` and ``copytruncate``. They are lost if the process dies. With 0 such a call fails at once.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import FieldEncryptor, Keyring
    >>> from modelpriv.audit import AuditLog, verify
    >>> keys = Keyring.generate()
    >>> with AuditLog("audit.jsonl", key=keys):
    ...     released = FieldEncryptor(key=keys).fit_transform(pd.DataFrame({"email": ["ada@example.org"]}))
    >>> verify("audit.jsonl", key=keys).count
    4
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: object,
        expected_id: str | None = None,
        max_bytes: int | None = None,
        max_age: timedelta | None = None,
        rotate_on_sighup: bool = False,
        buffer: int = 1000,
    ) -> None:
        check_id(expected_id)
        check("max_bytes", max_bytes, Whole(1), None)
        check("max_age", max_age, _AGE, None)
        check("rotate_on_sighup", rotate_on_sighup, Flag())
        check("buffer", buffer, Whole(0))
        limits = Limits(max_bytes, max_age, buffer)
        self._writer = LogWriter(str(Path(os.fsdecode(path)).absolute()), key, expected_id, limits)
        self._rotate_on_sighup = rotate_on_sighup
        self._listener = events.Listener(self._writer.add)

    @property
    def id(self) -> str:
        """The log's random id, 32 hexadecimal digits: it is in its head and in the first line of each of its files."""
        return self._writer.end().log_id

    def start(self) -> Self:
        """Record from now on.

        Raises
        ------
        SealedFileError
            The log does not fit its head, or is another one.
        KeyUnavailableError
            It was written under another key.
        ParameterError
            ``rotate_on_sighup`` cannot be done here.
        OSError
            It cannot be written.
        """
        if not self._listener.attached:
            self._note("start")
            if self._rotate_on_sighup:
                hangup.listen(self._writer)
            self._writer.keep_open(True)
            self._listener.attach()
        return self

    def stop(self) -> None:
        """Record no more.

        Raises
        ------
        SealedFileError
            Events are still in memory, since the log is not in its place. Put it right, and start and stop it again.
        """
        if self._listener.attached:
            self._listener.detach()
            hangup.listen_no_more(self._writer)
            self._writer.keep_open(False)
            self._note("stop")
        if self._writer.waiting:
            raise SealedFileError(
                f"{self._writer.path}: {self._writer.waiting} events are in memory only, since the log is not in its "
                "place. Do what the warning said, and call start() and stop() again."
            )

    def rotate(self) -> Head:
        """Close the current file, rename it to ``PATH.000001`` and so on, and go on in a new file at the path.

        A file that another program renamed already keeps that name. The new file follows the last line that the head
        counts, so that `verify` reads all files as one chain; if the current file is missing, it names that file. Other
        processes that write the log go on in the new file. One that dies in between leaves the old or the new state.

        Returns
        -------
        head : Head
            The log's head with the first line of the new file.

        Raises
        ------
        SealedFileError
            The log does not fit its head, or a file with the new name is there.
        OSError
            It cannot be written.
        """
        return _head(self._writer.rotate())

    def head(self) -> Head:
        """Return the log's id, how many lines it has and the MAC of the last, for `verify`."""
        return _head(self._writer.end())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<AuditLog {self._writer.path!r} by={self._writer.by}>"

    def __reduce__(self) -> str:
        raise ParameterTypeError("an AuditLog cannot be pickled: start one in each process.")

    def _note(self, action: str) -> None:
        self._writer.add(events.facts_of({"action": action, "subject": SUBJECT}), time.time())


def _head(end: ChainState) -> Head:
    return Head(end.log_id, end.count, end.mac)
