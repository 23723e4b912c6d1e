"""The writing end of an audit log: it adds lines, rotates, and keeps a few events while the log is not in its place."""

import os
import time
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from modelpriv._core import process
from modelpriv.audit.ending import Ending, MisplacedError
from modelpriv.audit.head import ChainState
from modelpriv.audit.place import LogPlace
from modelpriv.errors import AuditWarning, SealedFileError
from modelpriv.keys import resolve

__all__ = ["Limits", "LogWriter"]

_SAME_HANGUP = 10.0
"""Seconds: a signal this soon after another process rotated the log is the one that made it do so."""


@dataclass(frozen=True)
class Limits:
    """When a log rotates by itself, and how many events wait in memory for a log that is not in its place."""

    max_bytes: int | None
    max_age: timedelta | None
    buffer: int


class LogWriter:
    """Adds lines to a log; safe to use from several threads, and next to writers in other processes."""

    def __init__(self, path: str, key: object, expected_id: str | None, limits: Limits) -> None:
        self._place = LogPlace(path, resolve(key), key)
        self._held, self._ending, self._limits = self._place.held, Ending(self._place, expected_id), limits
        self.path, self.by = path, self._place.by
        self.hears_hangup = False
        self._waiting: list[tuple[dict[str, Any], float]] = []
        self._file, self._followed = 0, float("-inf")
        process.audit_writers.add(self)

    @property
    def waiting(self) -> int:
        """How many events are in memory only."""
        return len(self._waiting)

    def forked(self) -> None:
        """Share nothing with the process that this one was forked from, which writes what is waiting."""
        self._held.forked()
        self._waiting = []

    def keep_open(self, keeps: bool) -> None:  # noqa: FBT001 - a switch
        """Keep the files open between two events, or no more."""
        self._held.keeps = keeps

    def add(self, facts: dict[str, Any], created: float) -> None:
        """Add a line, or keep the event for a log that is not in its place."""
        with self._held.locked():
            try:
                end = self._end()
            except MisplacedError as error:
                warning = self._wait(error, facts, created)
            else:
                warning = None
                while self._waiting:
                    end = self._append(end, *self._waiting[0])
                    del self._waiting[0]
                self._append(end, facts, created)
        if warning is not None:  # told without the lock: what shows warnings may use keys itself
            warnings.warn(warning, AuditWarning, stacklevel=2)

    def end(self) -> ChainState:
        """Return where the chain ends."""
        with self._held.locked():
            return self._end()

    def rotate(self) -> ChainState:
        """Close the current file and open the next one, also where the current one is missing."""
        with self._held.locked():
            try:
                opened = self._place.rotate(self._end())
            except MisplacedError as error:
                found = self._ending.find_again(error.end)
                # Where there is nothing to close, verify names what is missing.
                opened = self._place.open_next(error.end) if found is None else self._place.rotate(found)
            self._file = opened.file
            return opened

    def hang_up(self) -> None:
        """Rotate once for a signal that all processes of a service get."""
        with self._held.locked():
            end = self._end()
            renamed = not self._held.holds(self._held.named())
            if renamed or time.monotonic() - self._followed > _SAME_HANGUP:
                self._file = self._place.rotate(end).file

    def _end(self) -> ChainState:
        end = self._ending.find()
        if end.file != self._file:  # another process rotated
            self._file, self._followed = end.file, time.monotonic() if self._file else self._followed
        return end

    def _append(self, end: ChainState, facts: dict[str, Any], created: float) -> ChainState:
        line, after = self._place.line(end, facts, created)
        if self._is_due(end, after):
            end = self._place.rotate(end)
            self._file = end.file
            line, after = self._place.line(end, facts, created)
        self._place.append(end, line, after)
        return after

    def _is_due(self, end: ChainState, after: ChainState) -> bool:
        """Tell whether a line belongs in the next file; a file holds at least one, however long that is."""
        limits, current = self._limits, self._place.current
        if limits.max_bytes is not None and after.size > limits.max_bytes and end.size > current.first:
            return True
        return limits.max_age is not None and datetime.now(UTC) - current.begun >= limits.max_age

    def _wait(self, error: MisplacedError, facts: dict[str, Any], created: float) -> str | None:
        """Keep an event, or refuse it; return the warning that goes with the first."""
        if not error.waits or len(self._waiting) >= self._limits.buffer:
            raise SealedFileError(str(error)) from None
        self._waiting.append((facts, created))
        if len(self._waiting) > 1:
            return None
        return f"{error} Until then up to {self._limits.buffer} events wait in memory; then calls fail."


def _after_fork() -> None:
    for writer in process.audit_writers:
        writer.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
