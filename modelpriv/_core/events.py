"""The event of a key's use: for listeners, and on the logger ``modelpriv.audit``; off by default, and free when off."""

import contextlib
import functools
import getpass
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from modelpriv._core import process
from modelpriv.errors import ParameterError, ParameterTypeError

if TYPE_CHECKING:
    from contextvars import Token

__all__ = [
    "LEVEL",
    "LOGGER",
    "OFF",
    "Listener",
    "acting_as",
    "audited",
    "audited_alone",
    "commit",
    "direct",
    "event",
    "facts_of",
    "note",
    "note_columns",
    "note_keys",
    "recording",
    "rows_of",
    "unrecorded",
]

P = ParamSpec("P")
T = TypeVar("T")

LOGGER = logging.getLogger("modelpriv.audit")
LEVEL = logging.INFO
OFF = logging.CRITICAL + 1
_OK = "ok"
_WHOLE = "whole"  # marks, in what is known of an event, that those inside of it are its steps
_LONGEST_NAME = 256
if LOGGER.level == logging.NOTSET:  # otherwise the program configured it before this import
    LOGGER.setLevel(OFF)

# Listeners do not hang on the logger: any program may turn that off, as logging.config does with each that it does not
# name.


def recording() -> bool:
    """Return whether anything listens."""
    return bool(process.listeners) or LOGGER.isEnabledFor(LEVEL)


class event:  # noqa: N801 - used as a function, in a with statement
    """A block that is one event: what is done, on what, and in the end with what result.

    It protects nothing; it makes seen what was done. It leaks the names of columns and files to the log, and never
    holds a cell, a key or the words of an error. It does not stop anyone from turning the log off.

    Parameters
    ----------
    action : str
        What is done: ``"transform"``, ``"open"``.
    subject : str
        What it is done by or on: a class.
    whole : bool, default=False
        Whether the events inside of it are its steps: they are not recorded, but their key ids are among its own.
    **facts
        What is known at the start, for JSON.

    Examples
    --------
    >>> import logging
    >>> from modelpriv._core.events import LOGGER, event, note
    >>> with event("open", "model"):
    ...     note(file="model.mpriv")
    """

    __slots__ = ("_facts", "_token")

    def __init__(self, action: str, subject: str, *, whole: bool = False, **facts: Any) -> None:
        self._token: Token[dict[str, Any] | None] | None = None
        self._facts = {"action": action, "subject": subject, **facts} if recording() else None
        if whole and self._facts is not None:
            self._facts[_WHOLE] = True

    def __enter__(self) -> Self:
        if self._facts is not None:
            self._token = process.event.set(self._facts)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._facts is None or self._token is None:
            return
        process.event.reset(self._token)
        outer = process.event.get()
        if outer is not None and _WHOLE in outer:
            note_keys(*self._facts.get("key_ids", ()))
            return
        result = _OK if kind is None else kind.__name__
        if self._facts.get("result") != result:  # else it was committed, and that was the end of it
            _record(self._facts, result)  # before the block's result is given out


def direct(action: str, subject: str, **facts: Any) -> contextlib.AbstractContextManager[event | None]:
    """Return an event, unless it would be a step of another one, such as a transformer's call."""
    return contextlib.nullcontext() if process.event.get() is not None else event(action, subject, **facts)


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """Record nothing of this block: a log that fetches its own keys cannot record that while it writes."""
    token = process.event.set({_WHOLE: True})
    try:
        yield
    finally:
        process.event.reset(token)


def commit() -> None:
    """Record the event that is going on, if there is one, as done: just before the step that cannot be undone.

    What cannot be recorded is not done: an error of a listener keeps that step from being taken. If it fails itself,
    the end of the event is recorded too.
    """
    if (current := process.event.get()) is not None:
        _record(current, _OK)
        current["result"] = _OK


def audited(method: Callable[P, T]) -> Callable[P, T]:
    """Make each call of a method an event."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if not recording():
            return method(*args, **kwargs)
        with event(method.__name__, type(args[0]).__name__):
            return method(*args, **kwargs)

    return call


def audited_alone(method: Callable[P, T]) -> Callable[P, T]:
    """Make each call of a method an event, unless it is a step of another one."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with direct(method.__name__, type(args[0]).__name__):
            return method(*args, **kwargs)

    return call


def note(**facts: Any) -> None:
    """Add facts to the event that is going on, if there is one."""
    if (current := process.event.get()) is not None:
        current.update(facts)


def note_columns(columns: Iterable[object], rows: int) -> None:
    """Add the names of columns, and their number of rows, to what the event is about."""
    if (current := process.event.get()) is not None:
        current.update(columns=[*current.get("columns", ()), *map(str, columns)], rows=rows)


def rows_of(X: object) -> int | None:
    """Return how many rows something has, for an event; None if it does not say."""
    shape = getattr(X, "shape", None)
    if shape:
        return int(shape[0])
    return len(X) if isinstance(X, Sized) else None


def note_keys(*key_ids: str) -> None:
    """Add ids of keys that the event used."""
    if (current := process.event.get()) is not None:
        current["key_ids"] = sorted({*current.get("key_ids", ()), *key_ids})


def _record(known: dict[str, Any], result: str) -> None:
    """Tell the listeners and the logger of an event."""
    facts, now = facts_of(known, result), time.time()
    for listener in tuple(process.listeners):
        listener.hear(facts, now)
    LOGGER.log(LEVEL, "%(action)s %(subject)s: %(result)s", facts, extra={"event": facts})


def facts_of(known: dict[str, Any], result: str = _OK) -> dict[str, Any]:
    """Return all facts of an event: those that are known, for whom and by which process it was done, and the result."""
    known = {name: fact for name, fact in known.items() if name != _WHOLE} if _WHOLE in known else known
    facts: dict[str, Any] = _plain(known) | _process() | {"pid": os.getpid(), "result": result}
    if (actor := process.actor.get()) is not None:
        facts["who"] = actor
    return facts


@contextlib.contextmanager
def acting_as(who: str) -> Iterator[None]:
    """Say for whom the code in this block acts: each event in it is recorded with this name as ``who``.

    A service runs as one user of the system and acts for many people. The name is kept in a context variable: an
    `asyncio` task and `asyncio.to_thread` take over that of the code that started them, each for itself. A thread that
    you start, or one of a pool, takes over nothing: name the person there.

    It protects nothing: it records the name that you give, and does not check it. It leaks that name to the log, and to
    all who may read it. It does not name those who act outside of the block.

    Parameters
    ----------
    who : str
        The person or the program, such as ``"ada@example.org"``: 1 to 256 characters.

    Raises
    ------
    ParameterError, ParameterTypeError
        The name is empty, too long, or not a str.

    Examples
    --------
    >>> from modelpriv import AuditLog, Keyring
    >>> from modelpriv.audit import acting_as
    >>> keys = Keyring.generate()
    >>> with AuditLog("requests.jsonl", key=keys), acting_as("ada@example.org"):
    ...     newer = keys.rotate()
    """
    if not isinstance(who, str):
        raise ParameterTypeError(f"who must be a str, got {type(who).__name__}.")
    if not 0 < len(who) <= _LONGEST_NAME:
        raise ParameterError(f"who must have 1 to {_LONGEST_NAME} characters, got {len(who)}.")
    token = process.actor.set(_plain(who))
    try:
        yield
    finally:
        process.actor.reset(token)


def _plain(value: Any) -> Any:
    """Replace what UTF-8, and so a log, cannot say: names of columns and files may hold anything."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items()}
    return [_plain(held) for held in value] if isinstance(value, list) else value


class Listener:
    """Hears each event while it is attached; what goes wrong in it is seen by the caller of what is recorded.

    It protects nothing by itself. It leaks nothing: events hold no values. It does not hear what happened before.

    Parameters
    ----------
    hear : callable
        Takes an event's facts and the time as a POSIX timestamp.

    Examples
    --------
    >>> from modelpriv._core.events import Listener, event
    >>> listener = Listener(lambda facts, created: print(facts["action"], facts["result"]))
    >>> listener.attach()
    >>> with event("open", "model"):
    ...     pass
    open ok
    >>> listener.detach()
    """

    def __init__(self, hear: Callable[[dict[str, Any], float], None]) -> None:
        self.hear = hear

    @property
    def attached(self) -> bool:
        """Whether it hears."""
        return self in process.listeners

    def attach(self) -> None:
        """Hear from now on; events are on while anything hears."""
        process.listeners.append(self)

    def detach(self) -> None:
        """Hear no more."""
        process.listeners.remove(self)


@functools.cache
def _process() -> dict[str, str]:
    """Say which user runs this process, and on which machine."""
    try:
        user = getpass.getuser() if os.name != "posix" else _user_by_id()
    except (KeyError, OSError):
        user = str(os.geteuid()) if os.name == "posix" else "?"
    return {"user": user, "host": socket.gethostname()}


def _user_by_id() -> str:
    import pwd  # noqa: PLC0415 - not on Windows

    return pwd.getpwuid(os.geteuid()).pw_name  # and not the environment, which anyone can set
