"""The head of an audit log: where it ends, kept in a file next to it, and what you note elsewhere to find a rollback.

``LOG.head`` holds the log's id, the number of its current file, the number of lines in all files, the number of bytes
of the current file and the MAC of the last line. It is authenticated under the same key as the lines.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Self

from modelpriv._core import json
from modelpriv.audit.chain import NO_MAC, with_mac
from modelpriv.audit.keys import LineKeys
from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError
from modelpriv.keys.derivation import VERSION, enc
from modelpriv.keys.text import from_base64, to_base64

__all__ = ["HEAD_SIZE", "ChainState", "Head", "check_id", "head_path"]

HEAD_SIZE = 512
_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Head:
    """A log's id, how many lines it had, and the MAC of the last one. Keep its text elsewhere to find a rollback.

    It protects against another log in the place of this one, and against an older state of log and head, if you keep
    the text where the log's writer cannot change it. It leaks the number of lines. It does not say when it was taken.

    Examples
    --------
    >>> from modelpriv.audit import AuditLog, verify
    >>> from modelpriv.keys import Keyring
    >>> keys = Keyring.generate()
    >>> with AuditLog("noted.jsonl", key=keys) as log:
    ...     noted = str(log.head())
    >>> verify("noted.jsonl", key=keys, expected_head=noted).count
    3
    """

    log_id: str
    count: int
    mac: bytes

    def __str__(self) -> str:
        return f"{self.log_id}:{self.count}:{to_base64(self.mac)}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the text of a head.

        Raises
        ------
        ParameterError
            It is something else.
        """
        try:
            log_id, count, mac = text.split(":")
            head = cls(log_id, int(count), from_base64(mac))
        except ValueError:
            head = cls("", -1, b"")
        if not _ID.fullmatch(head.log_id) or head.count < 0 or len(head.mac) != len(NO_MAC):
            raise ParameterError("expected_head is not the text of a head: it reads ID:COUNT:MAC.")
        return head


@dataclass(frozen=True, slots=True)
class ChainState:
    """What the head says: the log, its current file, lines in all, bytes of that file, the last MAC and its key."""

    log_id: str
    file: int
    count: int
    size: int
    mac: bytes
    by: str

    def write(self, key: bytes) -> bytes:
        """Return the head's bytes."""
        body = (
            f'{{"by":"{self.by}","count":{self.count},"file":{self.file},"last":"{to_base64(self.mac)}",'
            f'"log":"{self.log_id}","size":{self.size}}}'
        ).encode()
        seal = hmac.digest(key, enc(VERSION, "audit head", body), "sha256")
        return with_mac(body, seal).ljust(HEAD_SIZE)

    @classmethod
    def read(cls, head: bytes, keys: LineKeys, name: str) -> Self:
        """Read and authenticate the head's bytes."""
        try:
            fields = json.load(head)
            last = from_base64(fields["last"])
            state = cls(fields["log"], fields["file"], fields["count"], fields["size"], last, fields["by"])
            genuine = hmac.compare_digest(state.write(keys[state.by]), head)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, KeyUnavailableError):
                raise KeyUnavailableError(f"{name}: its head was altered, or {error}") from None
            genuine = False
        if not genuine:
            raise SealedFileError(f"{name}: the head of the log was altered, or belongs to another keyring.")
        return state


def check_id(expected_id: object) -> None:
    """Check what a caller gives as the id of a log.

    Raises
    ------
    ParameterError
        It is something else.
    """
    if expected_id is not None and not _ID.fullmatch(str(expected_id)):
        raise ParameterError("expected_id must be the id of a log, 32 hexadecimal digits: verify returns it as log_id.")


def head_path(log: str) -> str:
    """Return where the head of a log is kept."""
    return log + ".head"
