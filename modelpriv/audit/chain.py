"""The chain of an audit log: what a line and the head are, and how each is authenticated.

A line is one JSON object. Its last field, ``mac``, is HMAC-SHA256 under the keyring's audit key over
``enc("modelpriv/1", "audit line", the MAC of the line before, the line without its last field)``. ``seq`` counts from
1, and ``by`` names the key: the ring's primary key id, and for a scoped keyring the scope's id too::

    {"action": "transform", ..., "by": "3fa1c2d4", "seq": 1, "mac": MAC_1}
    {"action": "transform", ..., "by": "3fa1c2d4", "seq": 2, "mac": MAC_2}    MAC_2 covers MAC_1

The head, ``LOG.head``, holds the number of lines, the number of bytes and the MAC of the last line, authenticated too.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Self

from modelpriv._core import json
from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError
from modelpriv.keys import AnyKeyring, Keyring, ScopedKeyring
from modelpriv.keys.derivation import VERSION, enc
from modelpriv.keys.text import from_base64, to_base64

__all__ = [
    "HEAD_SIZE",
    "LONGEST_LINE",
    "NO_MAC",
    "ChainState",
    "Head",
    "LineKeys",
    "check_line",
    "head_path",
    "line_mac",
    "with_mac",
    "writer_name",
]

NO_MAC = bytes(32)
HEAD_SIZE = 512
LONGEST_LINE = 1 << 26  # bytes: a line that names every column of a table of a million
_TAIL = len(',"mac":""}\n') + len(to_base64(NO_MAC))
_BY = re.compile("[0-9a-f]{8}(/[0-9a-f]{16})?")


@dataclass(frozen=True)
class Head:
    """How many lines a log had, and the MAC of the last one. Keep its text elsewhere to find a rollback.

    It protects against an older log that was put back together with its head, if you keep the text where the log's
    writer cannot change it. It leaks the number of lines. It does not say when it was taken.

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
            It is something else.
        """
        count, _, mac = text.partition(":")
        try:
            head = cls(int(count), from_base64(mac))
        except ValueError:
            head = cls(-1, b"")
        if head.count < 0 or len(head.mac) != len(NO_MAC):
            raise ParameterError("expected_head is not the text of a head: it reads COUNT:MAC.")
        return head


class LineKeys(dict[str, bytes]):
    """The audit keys of one writer, the ring's owner or the holder of a scope, by the name of the key in a line.

    A whole ring could derive the keys of all scopes. It does not: the holder of a grant could then write in the owner's
    log, or put a log of their own in its place.
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
class ChainState:
    """What the head says: lines, bytes, the MAC of the last line, and the name of the key."""

    count: int
    size: int
    mac: bytes
    by: str

    def write(self, key: bytes) -> bytes:
        """Return the head's bytes."""
        body = f'{{"by":"{self.by}","count":{self.count},"last":"{to_base64(self.mac)}","size":{self.size}}}'.encode()
        seal = hmac.digest(key, enc(VERSION, "audit head", body), "sha256")
        return with_mac(body, seal).ljust(HEAD_SIZE)

    @classmethod
    def read(cls, head: bytes, keys: LineKeys, name: str) -> Self:
        """Read and authenticate the head's bytes."""
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


def check_line(line: bytes, count: int, before: bytes, keys: LineKeys, name: str) -> tuple[bytes, str]:
    """Check one line. Return its MAC and the name of its key."""
    try:
        fields = json.load(line)
        seq, by, mac = fields["seq"], fields["by"], from_base64(fields["mac"])
        key = keys[by]
    except KeyUnavailableError as error:
        raise KeyUnavailableError(f"{name}: it was altered, or {error}") from None
    except (ValueError, KeyError, TypeError):
        raise SealedFileError(f"{name}: it is not a line of an audit log, or it was altered or cut.") from None
    if seq != count:
        raise SealedFileError(f"{name}: it says that it is line {seq}: lines were removed, added or swapped.")
    body = line[:-_TAIL] + b"}"
    if with_mac(body, mac) != line or not hmac.compare_digest(line_mac(key, before, body), mac):
        raise SealedFileError(
            f"{name}: it was altered, added, or is not the one that was written after the line before."
        )
    return mac, by


def with_mac(body: bytes, mac: bytes) -> bytes:
    """Add the last field to an object, and end the line."""
    return b'%b,"mac":"%b"}\n' % (body[:-1], to_base64(mac).encode())


def line_mac(key: bytes, before: bytes, body: bytes) -> bytes:
    """Return the MAC of a line that follows the line with the MAC `before`."""
    return hmac.digest(key, enc(VERSION, "audit line", before, body), "sha256")


def writer_name(keyring: AnyKeyring) -> str:
    """Return the name of the key that a keyring writes under: the primary id, and the scope's id if it has one."""
    return f"{keyring.primary}/{keyring.scope.id}" if isinstance(keyring, ScopedKeyring) else keyring.primary


def head_path(log: str) -> str:
    """Return where the head of a log is kept."""
    return log + ".head"
