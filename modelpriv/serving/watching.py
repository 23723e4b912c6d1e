"""A thread that looks at something every so often, in each process that has the object, as long as the object lives."""

from __future__ import annotations

import os
import threading
import weakref

from modelpriv.errors import ModelprivError

__all__ = ["Watched", "described"]


class Watched:
    """An object at whose place a thread looks until it is closed or gone. After a fork the child has its own thread."""

    _error: str | None = None

    def _look(self) -> None:
        """Look once."""
        raise NotImplementedError

    def _watch(self, every: float) -> None:
        """Begin to look every so many seconds; 0 means never."""
        self._every = every
        self._begin()
        _watched.add(self)

    def _begin(self) -> None:
        # Of this process's own: a child of a fork has no threads, and may find locks taken.
        self._lock = threading.RLock()
        self._closed = threading.Event()
        if self._every:
            target = (weakref.ref(self), self._closed, self._every)
            threading.Thread(target=_follow, args=target, name="modelpriv-watch", daemon=True).start()

    def close(self) -> None:
        """Stop watching. The model stays usable; closing twice does no harm."""
        self._closed.set()


def described(error: BaseException) -> str:
    """Say what went wrong, for a health check: the words of a model's own errors may quote a cell of its sample."""
    if isinstance(error, ModelprivError | OSError):
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}, raised by the model: its words may quote a cell. Call reload() to see them."


def _follow(reference: weakref.ref[Watched], closed: threading.Event, every: float) -> None:
    while not closed.wait(every):
        watched = reference()
        if watched is None:
            return
        try:
            watched._look()  # noqa: SLF001 - of this module
        except Exception as error:  # noqa: BLE001 - the thread must go on, whatever a model's unpickling raises
            watched._error = described(error)  # noqa: SLF001
        del watched


def _after_fork() -> None:
    for watched in list(_watched):
        closed = watched._closed.is_set()  # noqa: SLF001
        watched._begin()  # noqa: SLF001
        if closed:
            watched.close()


_watched: weakref.WeakSet[Watched] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
