"""Verification of an audit log: every line, and that none is missing."""

import hmac
import os
from pathlib import Path

from modelpriv._core import files
from modelpriv.audit.chain import (
    HEAD_SIZE,
    LONGEST_LINE,
    NO_MAC,
    ChainState,
    Head,
    LineKeys,
    check_line,
    head_path,
    writer_name,
)
from modelpriv.errors import ParameterError, SealedFileError
from modelpriv.keys import resolve, scoped

__all__ = ["verify"]


def verify(
    log: str | os.PathLike[str], *, key: object, expected_head: Head | str | None = None, grant: str | None = None
) -> Head:
    """Check every line of an audit log, and that none is missing.

    Parameters
    ----------
    log : path-like
        The log. Its head is read from the same folder.
    key : Keyring, ScopedKeyring or str
        The keyring that it was written with; for the log of a scoped keyring, that or its ring.
    expected_head : Head or str, optional
        A head that you noted earlier and kept elsewhere. Without it, a log and head that were both put back to an
        earlier state look whole.
    grant : str, optional
        For the ring's owner: the id of the grant whose holder wrote the log. By default the log is the ring's own,
        which no holder of a grant can write.

    Returns
    -------
    head : Head
        The number of lines, and the MAC of the last.

    Raises
    ------
    SealedFileError
        A line was edited, removed, swapped or added, or the end was cut; the message names the first such line.
    KeyUnavailableError
        The keyring does not hold a key that lines were written under, or the log is another writer's.
    ParameterError
        ``expected_head`` or ``grant`` is malformed.
    OSError
        The log or its head cannot be read.
    """
    path, keyring = Path(log), resolve(key)
    if grant is not None and not scoped.ID.fullmatch(str(grant)):
        raise ParameterError("grant must be the id of a grant, 16 hexadecimal digits.")
    keys = LineKeys(keyring, writer_name(keyring).partition("/")[2] if grant is None else grant)
    expected = Head.read(expected_head) if isinstance(expected_head, str) else expected_head
    return _compare(path, expected, *_read(path, keys, expected))


def _read(path: Path, keys: LineKeys, expected: Head | None) -> tuple[Head, Head, dict[int, bytes]]:
    """Check all lines. Return what the head says, the last line, and the MACs of the lines that heads name."""
    head_at = Path(head_path(str(path)))
    if path.exists() and not head_at.exists():
        raise SealedFileError(
            f"{path}: its head {head_at.name!r} is missing, so lines that were cut off could not be found."
        )
    with (
        head_at.open("rb") as head_file,
        files.locked(head_file, HEAD_SIZE, shared=True),
        path.open("rb") as file,
    ):
        state = ChainState.read(head_file.read(HEAD_SIZE + 1), keys, str(path))
        wanted = {state.count, *([] if expected is None else [expected.count])}
        count, mac, macs = 0, NO_MAC, {0: NO_MAC}
        for count, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
            mac, _ = check_line(line, count, mac, keys, f"{path}, line {count}")
            if count in wanted:
                macs[count] = mac
    return Head(state.count, state.mac), Head(count, mac), macs


def _compare(path: Path, expected: Head | None, written: Head, last: Head, macs: dict[int, bytes]) -> Head:
    """Compare the lines with the heads that name them."""
    for head, name in ((written, "its head"), (expected, "the expected head")):
        if head is not None and head.count > last.count:
            raise SealedFileError(
                f"{path}, line {last.count + 1}: the log ends before it, but {name} counts {head.count}: it was cut."
            )
        if head is not None and not hmac.compare_digest(macs[head.count], head.mac):
            raise SealedFileError(f"{path}, line {head.count}: it is not the line that {name} was made from.")
    return last
