"""The place in which an audit log is written: its current file, and the line with which each file ends and begins."""

import time
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from modelpriv._core import events, json
from modelpriv.audit.chain import CLOSE, LONGEST_LINE, SUBJECT, Opening, line_mac, with_mac
from modelpriv.audit.head import ChainState
from modelpriv.audit.held import OpenFiles
from modelpriv.audit.keys import LineKeys, writer_name
from modelpriv.errors import ParameterError
from modelpriv.keys import AnyKeyring

__all__ = ["Current", "LogPlace", "new_id"]


class Current(NamedTuple):
    """The file that is open: its number, the length of its first line, and when it was begun."""

    file: int
    first: int
    begun: datetime


NOTHING = Current(0, 0, datetime.fromtimestamp(0, UTC))


class LogPlace:
    """Writes lines and heads, under the lock that the caller holds."""

    def __init__(self, path: str, keyring: AnyKeyring, source: object = None) -> None:
        self.path = path
        self.name = Path(path).name.encode(errors="backslashreplace").decode()
        self.keys = LineKeys(keyring, writer_name(keyring).partition("/")[2], source)
        self.held = OpenFiles(path)
        self.current = NOTHING
        self.known: tuple[bytes, ChainState] | None = None
        """The head that was written last, and what it says."""

    @property
    def by(self) -> str:
        """The name of the key that lines are written under."""
        return writer_name(self.keys.keyring)

    def line(self, end: ChainState, facts: dict[str, Any], created: float) -> tuple[bytes, ChainState]:
        """Return the line of an event, and where the chain ends behind it."""
        when = datetime.fromtimestamp(created, UTC).isoformat(timespec="microseconds")
        body = json.dump(facts | {"seq": end.count + 1, "time": when, "by": self.by})
        mac = line_mac(self.keys[self.by], end.mac, body)
        line = with_mac(body, mac)
        if len(line) > LONGEST_LINE:
            raise ParameterError(f"{self.path}: an event of {len(line)} bytes is too long for a line of the log.")
        return line, ChainState(end.log_id, end.file, end.count + 1, end.size + len(line), mac, self.by)

    def append(self, end: ChainState, line: bytes, after: ChainState) -> None:
        """Write a line, and the head that counts it."""
        head = self.head_of(after)
        self.held.append(line, end.size, head)
        self.known = (head, after)

    def rotate(self, end: ChainState) -> ChainState:
        """Close the file, put it away, and open the next one: each step can be repeated after a death."""
        line, closed = self.line(end, events.facts_of({"action": CLOSE, "subject": SUBJECT}), time.time())
        self.held.append(line, end.size, None)
        self.held.put_away(end.file)
        return self.open_next(closed)

    def open_next(self, end: ChainState) -> ChainState:
        """Begin a file behind the last line; the head counts it last."""
        now = time.time()
        log_id = end.log_id if end.file else new_id()
        opening = Opening(log_id, end.file + 1, self.name, end.count, end.mac, datetime.fromtimestamp(now, UTC))
        empty = ChainState(log_id, opening.file, end.count, 0, end.mac, self.by)
        line, after = self.line(empty, events.facts_of(opening.facts), now)
        self.held.begin_next(line)
        head = self.head_of(after)
        self.held.write_head(head)
        self.known = (head, after)
        self.current = Current(after.file, len(line), opening.time)
        return after

    def head_of(self, end: ChainState) -> bytes:
        """Return the bytes of the head that says where the chain ends."""
        return end.write(self.keys[self.by])


def new_id() -> str:
    """Return a random id for a log."""
    return token_hex(16)
