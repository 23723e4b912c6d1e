"""The signal SIGHUP, by which logrotate and operators tell the logs of a process to rotate."""

import contextlib
import signal
import threading
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any, Protocol

from modelpriv._core import process
from modelpriv.errors import AuditWarning, ModelprivError, ParameterError

__all__ = ["Rotates", "listen", "listen_no_more"]


class Rotates(Protocol):
    """A log's writer."""

    hears_hangup: bool

    def hang_up(self) -> None:
        """Rotate once."""


def listen(writer: Rotates) -> None:
    """Let a writer rotate at each SIGHUP from now on; what the program did at the signal is still done.

    Raises
    ------
    ParameterError
        The system has no such signal, or this is not the main thread.
    """
    if not hasattr(signal, "SIGHUP"):
        raise ParameterError("rotate_on_sighup=True needs the signal SIGHUP, which this system does not have.")
    if not any(_writers()):
        try:
            process.settings.sighup = signal.signal(signal.SIGHUP, _handle)
        except ValueError:
            raise ParameterError(
                "rotate_on_sighup=True needs a log that is started in the main thread: start it there."
            ) from None
    writer.hears_hangup = True


def listen_no_more(writer: Rotates) -> None:
    """Let a writer rotate no more; after the last one the signal does what it did before."""
    if not writer.hears_hangup:
        return
    writer.hears_hangup = False
    if not any(_writers()) and signal.getsignal(signal.SIGHUP) is _handle:
        with contextlib.suppress(ValueError):  # not in the main thread: then it does nothing
            signal.signal(signal.SIGHUP, process.settings.sighup or signal.SIG_DFL)


def _writers() -> Iterator[Rotates]:
    return (writer for writer in process.audit_writers if writer.hears_hangup)


def _handle(number: int, frame: FrameType | None) -> None:
    """Rotate in a thread: the main thread may hold a log's lock at this moment."""
    threading.Thread(target=_rotate_all, name="modelpriv audit", daemon=True).start()
    before: Any = process.settings.sighup
    if callable(before):
        before(number, frame)


def _rotate_all() -> None:
    for writer in list(_writers()):
        try:
            writer.hang_up()
        except (ModelprivError, OSError) as error:  # the next event meets it too, and fails where it must
            warnings.warn(f"the audit log was not rotated: {error}", AuditWarning, stacklevel=1)
