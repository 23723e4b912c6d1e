"""The event of a key's use: one record on the logger ``modelpriv.audit``, off by default, and free when it is off."""

import functools
import getpass
import logging
import os
import socket
from collections.abc import Callable, Iterable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

__all__ = ["LEVEL", "LOGGER", "OFF", "Listener", "audited", "event", "note", "note_columns", "note_keys", "recording"]

P = ParamSpec("P")
T = TypeVar("T")

LOGGER = logging.getLogger("modelpriv.audit")
LEVEL = logging.INFO
OFF = logging.CRITICAL + 1
if LOGGER.level == logging.NOTSET:  # else somebody configured it before this was imported
    LOGGER.setLevel(OFF)

_current: ContextVar[dict[str, Any] | None] = ContextVar("modelpriv.event", default=None)


def recording() -> bool:
    """Tell whether anybody listens."""
    return LOGGER.isEnabledFor(LEVEL)


class event:  # noqa: N801 - used as a function, in a with statement
    """A block that is one event: what is done, on what, and in the end with what result.

    It protects nothing; it makes seen what was done. It leaks the names of columns and files to the log, and never
    holds a cell, a key or the words of an error. It does not stop anybody from turning the log off.

    Parameters
    ----------
    action : str
        What is done: ``"transform"``, ``"open"``.
    subject : str
        What it is done by or on: a class.
    **facts
        What is known at the start, for JSON.

    Examples
    --------
    >>> import logging
    >>> from modelpriv._events import LOGGER, event, note
    >>> with event("open", "model"):
    ...     note(file="model.mpriv")
    """

    __slots__ = ("_facts", "_token")

    def __init__(self, action: str, subject: str, **facts: Any) -> None:
        self._token: Token[dict[str, Any] | None] | None = None
        self._facts = {"action": action, "subject": subject, **facts} if recording() else None

    def __enter__(self) -> Self:
        if self._facts is not None:
            self._token = _current.set(self._facts)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._facts is None or self._token is None:
            return
        _current.reset(self._token)
        facts = (
            _plain(self._facts) | _process() | {"pid": os.getpid(), "result": "ok" if kind is None else kind.__name__}
        )
        # Here, before the block's result is given out: what cannot be recorded is not done.
        LOGGER.log(LEVEL, "%(action)s %(subject)s: %(result)s", facts, extra={"event": facts})


def audited(method: Callable[P, T]) -> Callable[P, T]:
    """Make each call of a method an event."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if not recording():
            return method(*args, **kwargs)
        with event(method.__name__, type(args[0]).__name__):
            return method(*args, **kwargs)

    return call


def note(**facts: Any) -> None:
    """Add facts to the event that is going on, if there is one."""
    if (current := _current.get()) is not None:
        current.update(facts)


def note_columns(columns: Iterable[object], rows: int) -> None:
    """Add the names of columns, and their number of rows, to what the event is about."""
    if (current := _current.get()) is not None:
        current.update(columns=[*current.get("columns", ()), *map(str, columns)], rows=rows)


def note_keys(*key_ids: str) -> None:
    """Add ids of keys that the event used."""
    if (current := _current.get()) is not None:
        current["key_ids"] = sorted({*current.get("key_ids", ()), *key_ids})


def _plain(value: Any) -> Any:
    """Replace what UTF-8, and so a log, cannot say: names of columns and files may hold anything."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items()}
    return [_plain(held) for held in value] if isinstance(value, list) else value


class Listener(logging.Handler):
    """Hears each event while it is attached; what goes wrong in it is seen by the caller of what is recorded.

    It protects nothing by itself. It leaks nothing: events hold no values. It does not hear what happened before.

    Parameters
    ----------
    hear : callable
        Takes an event's facts and the time as a POSIX timestamp.

    Examples
    --------
    >>> from modelpriv._events import Listener, event
    >>> listener = Listener(lambda facts, created: print(facts["action"], facts["result"]))
    >>> listener.attach()
    >>> with event("open", "model"):
    ...     pass
    open ok
    >>> listener.detach()
    """

    def __init__(self, hear: Callable[[dict[str, Any], float], None]) -> None:
        super().__init__(LEVEL)
        self._hear = hear
        self._turned_on = False

    @property
    def attached(self) -> bool:
        """Whether it hears."""
        return self in LOGGER.handlers

    def attach(self) -> None:
        """Hear from now on, and turn the events on if they are off."""
        if not recording():
            LOGGER.setLevel(LEVEL)
            self._turned_on = True
        LOGGER.addHandler(self)

    def detach(self) -> None:
        """Hear no more; the last one that leaves turns the events off if one of them turned them on."""
        LOGGER.removeHandler(self)
        others = [handler for handler in LOGGER.handlers if isinstance(handler, Listener)]
        if self._turned_on and others:
            others[0]._turned_on = True  # noqa: SLF001 - one of its own kind
        elif self._turned_on:
            LOGGER.setLevel(OFF)
        self._turned_on = False

    def emit(self, record: logging.LogRecord) -> None:
        """Hand an event on; a record that is none is somebody else's."""
        facts = getattr(record, "event", None)
        if isinstance(facts, dict):
            self._hear(facts, record.created)


@functools.cache
def _process() -> dict[str, str]:
    """Say who this is, as the process knows it."""
    try:
        user = getpass.getuser() if os.name != "posix" else _user_by_id()
    except (KeyError, OSError):
        user = str(os.geteuid()) if os.name == "posix" else "?"
    return {"user": user, "host": socket.gethostname()}


def _user_by_id() -> str:
    import pwd  # noqa: PLC0415 - not on Windows

    return pwd.getpwuid(os.geteuid()).pw_name  # and not the environment, which anybody can set
