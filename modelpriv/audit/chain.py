"""The chain of an audit log: what its lines are, and how each is authenticated.

A line is one JSON object. Its last field, ``mac``, is HMAC-SHA256 under the keyring's audit key over
``enc("modelpriv/1", "audit line", the MAC of the line before, the line without its last field)``. ``seq`` counts from
1, and ``by`` names the key: the ring's primary key id, and for a scoped keyring the scope's id too.

A log is one chain in any number of files. Each file begins with a line that opens it. That line holds the random id of
the log, the number and the name of the file, and where the chain was when it began. Rotation ends a file with a line
that closes it::

    {"action": "open", "after": {"mac": ZEROS, "seq": 0}, "file": 1, "log": ID, ..., "seq": 1, "mac": MAC_1}
    {"action": "transform", ..., "by": "3fa1c2d4", "seq": 2, "mac": MAC_2}    MAC_2 covers MAC_1
    {"action": "close", ..., "seq": 3, "mac": MAC_3}

    {"action": "open", "after": {"mac": MAC_3, "seq": 3}, "file": 2, "log": ID, ..., "seq": 4, "mac": MAC_4}
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from modelpriv._core import json
from modelpriv.audit.keys import LineKeys
from modelpriv.errors import KeyUnavailableError, SealedFileError
from modelpriv.keys.derivation import VERSION, enc
from modelpriv.keys.text import from_base64, to_base64

__all__ = ["CLOSE", "LONGEST_LINE", "NO_MAC", "SUBJECT", "Line", "Opening", "check_line", "line_mac", "with_mac"]

NO_MAC = bytes(32)
LONGEST_LINE = 1 << 26  # bytes: a line that names every column of a table of a million
SUBJECT, CLOSE, _OPEN = "AuditLog", "close", "open"
_TAIL = len(',"mac":""}\n') + len(to_base64(NO_MAC))


@dataclass(frozen=True)
class Opening:
    """The first line of a file: which log it is, the number and name of the file, and the line that it follows."""

    log_id: str
    file: int
    name: str
    count: int  # of the line before
    mac: bytes  # of the line before
    time: datetime

    @property
    def facts(self) -> dict[str, Any]:
        """What is recorded, besides the time."""
        after = {"seq": self.count, "mac": to_base64(self.mac)}
        known = {"log": self.log_id, "file": self.file, "name": self.name, "after": after}
        return {"action": _OPEN, "subject": SUBJECT, **known}

    @classmethod
    def read(cls, line: bytes) -> Self:
        """Read a line that may be one, not verified.

        Raises
        ------
        ValueError
            It is something else.
        """
        try:
            fields = json.load(line)
            after, when = fields["after"], datetime.fromisoformat(fields["time"])
            texts, numbers = (fields["log"], fields["name"]), (fields["file"], after["seq"])
            mac = from_base64(after["mac"])
        except (KeyError, TypeError):
            raise ValueError("no opening line") from None
        if {*map(type, texts)} != {str} or {*map(type, numbers)} != {int}:
            raise ValueError("no opening line")
        return cls(texts[0], numbers[0], texts[1], numbers[1], mac, when)


class Line(NamedTuple):
    """What a checked line says: its MAC, the name of its key, and whether it closes its file."""

    mac: bytes
    by: str
    closes: bool


def check_line(line: bytes, count: int, before: bytes, keys: LineKeys, name: str) -> Line:
    """Check one line that follows the line with the MAC `before`."""
    try:
        fields = json.load(line)
        seq, by, mac = fields["seq"], fields["by"], from_base64(fields["mac"])
        closes = fields.get("action") == CLOSE and fields.get("subject") == SUBJECT
        key = keys[by]
    except KeyUnavailableError as error:
        raise KeyUnavailableError(f"{name}: it was altered, or {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SealedFileError(f"{name}: it is not a line of an audit log, or it was altered or cut.") from None
    if seq != count:
        raise SealedFileError(f"{name}: it says that it is line {seq}: lines were removed, added or swapped.")
    body = line[:-_TAIL] + b"}"
    if with_mac(body, mac) != line or not hmac.compare_digest(line_mac(key, before, body), mac):
        raise SealedFileError(
            f"{name}: it was altered, added, or is not the one that was written after the line before."
        )
    return Line(mac, by, closes)


def with_mac(body: bytes, mac: bytes) -> bytes:
    """Add the last field to an object, and end the line."""
    return b'%b,"mac":"%b"}\n' % (body[:-1], to_base64(mac).encode())


def line_mac(key: bytes, before: bytes, body: bytes) -> bytes:
    """Return the MAC of a line that follows the line with the MAC `before`."""
    return hmac.digest(key, enc(VERSION, "audit line", before, body), "sha256")
