"""Verification of an audit log: every line of all its files, and that none is missing."""

import hmac
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from modelpriv._core import files
from modelpriv._core.checks import Whole, check
from modelpriv.audit.chain import LONGEST_LINE, NO_MAC, Opening, check_line
from modelpriv.audit.head import HEAD_SIZE, ChainState, Head, check_id, head_path
from modelpriv.audit.keys import LineKeys, writer_name
from modelpriv.audit.parts import find_parts, is_compressed, lines_of, one_part, opened
from modelpriv.errors import KeyUnavailableError, ModelprivError, ParameterError, SealedFileError
from modelpriv.keys import resolve, scoped

__all__ = ["Verified", "examine", "verify"]


class Verified(NamedTuple):
    """What was found whole: where the log ends, and its files."""

    head: Head
    paths: tuple[Path, ...]


def verify(
    log: str | os.PathLike[str],
    *,
    key: object,
    expected_head: Head | str | None = None,
    expected_id: str | None = None,
    grant: str | None = None,
    first_file: int = 1,
) -> Head:
    """Check every line of an audit log, in all files that it was rotated to, and that none is missing.

    Parameters
    ----------
    log : path-like
        The log, or its folder. Its head and its other files are in the same folder, whatever their names are, also
        compressed by gzip.
    key : Keyring, ScopedKeyring or str
        The keyring that it was written with; for the log of a scoped keyring, that or its ring.
    expected_head : Head or str, optional
        A head that you noted earlier and kept elsewhere. Without it, a log and head that were both put back to an
        earlier state look whole. It names the log's id too.
    expected_id : str, optional
        The log's id. Without it, and without a head, a log must have the name that it was written under: another log
        of the same keyring is refused in its place, unless it had the same name in another folder.
    grant : str, optional
        For the ring's owner: the id of the grant whose holder wrote the log. By default the log is the ring's own,
        which no holder of a grant can write.
    first_file : int, default=1
        The number of the oldest file that you still keep. Those before it are not looked at.

    Returns
    -------
    head : Head
        The log's id, the number of lines, and the MAC of the last.

    Raises
    ------
    SealedFileError
        A line was edited, removed, swapped or added, or the end was cut; the message names the first such line. Or a
        file is missing, or this is another log.
    KeyUnavailableError
        The keyring does not hold a key that lines were written under, or the log is another writer's.
    ParameterError
        ``expected_head``, ``expected_id`` or ``grant`` is malformed, or the folder holds several logs of the keyring.
    OSError
        The log or its head cannot be read.
    """
    return examine(
        log, key=key, expected_head=expected_head, expected_id=expected_id, grant=grant, first_file=first_file
    ).head


def examine(
    log: str | os.PathLike[str],
    *,
    key: object,
    expected_head: Head | str | None = None,
    expected_id: str | None = None,
    grant: str | None = None,
    first_file: int = 1,
) -> Verified:
    """Check a log as `verify` does, and return its files too."""
    keyring = resolve(key)
    if grant is not None and not scoped.ID.fullmatch(str(grant)):
        raise ParameterError("grant must be the id of a grant, 16 hexadecimal digits.")
    check("first_file", first_file, Whole(1))
    check_id(expected_id)
    keys = LineKeys(keyring, writer_name(keyring).partition("/")[2] if grant is None else grant)
    expected = Head.read(expected_head) if isinstance(expected_head, str) else expected_head
    wanted = expected.log_id if expected_id is None and expected is not None else expected_id
    path = Path(log)
    if path.is_dir():
        path = _log_in(path, keys, wanted)
    with ExitStack() as stack:
        with _locked_head(path, keys) as end:
            chain = _Chain(path, keys, end, expected)
            chain.open_last(stack)
        if wanted is not None and end.log_id != wanted:
            raise SealedFileError(f"{path}: it is log {end.log_id}, not log {wanted}, which you expected.")
        return chain.read(first_file, named=wanted is None)


class _Chain:
    """A chain that is read from file to file."""

    def __init__(self, path: Path, keys: LineKeys, end: ChainState, expected: Head | None) -> None:
        self.path, self.keys, self.end = path, keys, end
        self.count, self.mac = 0, NO_MAC
        named = (("its head", Head(end.log_id, end.count, end.mac)), ("the expected head", expected))
        self.heads = [(name, head) for name, head in named if head is not None]
        self.wanted = {head.count for _, head in self.heads}
        self.macs = {0: NO_MAC}
        self.parts = find_parts(path.parent, end.log_id)
        self.last = end.file + (end.file + 1 in self.parts)  # a writer that died in between opened the next
        self.last_file: BinaryIO | None = None
        self.size: int | None = None

    def open_last(self, stack: ExitStack) -> None:
        """Open the newest file, and note its size: then others can write while it is read."""
        if (path := self._path(self.last)) is not None:
            self.last_file = stack.enter_context(opened(path))
            self.size = None if is_compressed(path) else path.stat().st_size

    def read(self, first_file: int, *, named: bool) -> Verified:
        """Check all lines, and compare them with the heads that name some."""
        read = []
        for number in range(first_file, self.last + 1):
            path = self._path(number)
            if path is None:
                raise self._missing(number)
            with self.last_file if number == self.last and self.last_file is not None else opened(path) as file:
                size = self.size if number == self.last else None
                lines = lines_of(file, str(path), LONGEST_LINE, size)
                self._read_file(path, lines, number, first=number == first_file, named=named)
            read.append(path)
        self._compare(first_file)
        return Verified(Head(self.end.log_id, self.count, self.mac), tuple(read))

    def _path(self, number: int) -> Path | None:
        """Return where a file of the log is; at the log's own path, its first line says why it was not found."""
        if self.path in self.parts.get(number, []):
            return self.path
        found = one_part(self.parts, number)
        return self.path if found is None and number == self.last and self.path.exists() else found

    def _read_file(self, path: Path, lines: Iterator[bytes], number: int, *, first: bool, named: bool) -> None:
        line = next(lines, b"")
        opening = self._opening(path, line, number, named=named)
        if first and number > 1:
            self.count, self.mac = opening.count, opening.mac
        if opening.count > self.count:
            raise SealedFileError(
                f"{path}, line {self.count + 1}: the log ends before it, but file {number} follows line "
                f"{opening.count}: it was cut."
            )
        self._take(path, line)
        for line in lines:
            self._take(path, line)

    def _opening(self, path: Path, line: bytes, number: int, *, named: bool) -> Opening:
        place = f"{path}, line {self.count + 1}"
        if not line:
            raise SealedFileError(f"{place}: the log ends before it, but its head counts {self.end.count}: it was cut.")
        try:
            opening = Opening.read(line)
        except ValueError:
            raise SealedFileError(f"{place}: it does not open a file of the log, or it was altered.") from None
        if (opening.log_id, opening.file) != (self.end.log_id, number):
            raise SealedFileError(
                f"{place}: it opens file {opening.file} of log {opening.log_id}, in the place of file {number} of log "
                f"{self.end.log_id}."
            )
        if named and opening.name != _plain(self.path.name):
            raise SealedFileError(
                f"{path}: it is log {opening.log_id}, which was written as {opening.name!r}. If you renamed it, pass "
                "that id as expected_id."
            )
        return opening

    def _take(self, path: Path, line: bytes) -> None:
        count = self.count + 1
        self.mac, _, _ = check_line(line, count, self.mac, self.keys, f"{path}, line {count}")
        self.count = count
        if count in self.wanted:
            self.macs[count] = self.mac

    def _missing(self, number: int) -> SealedFileError:
        later = [held for held in sorted(self.parts) if held > number]
        there = f" The next one here is file {later[0]}, {self.parts[later[0]][0].name!r}." if later else ""
        return SealedFileError(
            f"{self.path}: file {number} of the log is missing, which begins with line {self.count + 1}.{there} If "
            "you removed the older files on purpose, pass the number of the first that you keep as first_file."
        )

    def _compare(self, first_file: int) -> None:
        for name, head in self.heads:
            if head.count > self.count:
                raise SealedFileError(
                    f"{self.path}, line {self.count + 1}: the log ends before it, but {name} counts {head.count}: it "
                    "was cut."
                )
            if head.count not in self.macs:
                raise ParameterError(
                    f"{name} counts {head.count} lines, and file {first_file} begins after them: pass a smaller "
                    "first_file, or a head that was noted later."
                )
            if not hmac.compare_digest(self.macs[head.count], head.mac):
                raise SealedFileError(f"{self.path}, line {head.count}: it is not the line that {name} was made from.")


@contextmanager
def _locked_head(path: Path, keys: LineKeys) -> Iterator[ChainState]:
    """Read the head, and let no one write meanwhile."""
    head = Path(head_path(str(path)))
    if path.exists() and not head.exists():
        raise SealedFileError(
            f"{path}: its head {head.name!r} is missing, so lines that were cut off could not be found. If this is a "
            "file that was rotated away, verify the log, or its folder."
        )
    with head.open("rb") as file, files.locked(file, HEAD_SIZE, shared=True):
        yield ChainState.read(file.read(HEAD_SIZE + 1), keys, str(path))


def _log_in(folder: Path, keys: LineKeys, wanted: str | None) -> Path:
    """Return the one log in a folder that has a head of this keyring, or the one with the wanted id."""
    found: dict[Path, str] = {}
    for head in sorted(folder.glob("*.head")):
        log = head.with_name(head.name.removesuffix(".head"))
        with suppress(ModelprivError), _locked_head(log, keys) as end:
            if wanted in {None, end.log_id}:
                found[log] = end.log_id
    if not found:
        raise KeyUnavailableError(f"{folder}: no head in it is of a log of this keyring that you expect.")
    if len(found) > 1:
        names = ", ".join(f"{log.name} ({log_id})" for log, log_id in found.items())
        raise ParameterError(f"{folder} holds several logs, {names}: pass one of them, or its id as expected_id.")
    return next(iter(found))


def _plain(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()
