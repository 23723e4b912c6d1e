"""Where an audit log ends: found by its head, in the file that the head speaks of, which may have been renamed."""

import contextlib
import io
import os
from pathlib import Path
from typing import BinaryIO

from modelpriv.audit.chain import NO_MAC, Opening, check_line, with_mac
from modelpriv.audit.head import ChainState
from modelpriv.audit.parts import find_parts, is_compressed, one_part
from modelpriv.audit.place import NOTHING, Current, LogPlace, new_id
from modelpriv.errors import SealedFileError

__all__ = ["Ending", "MisplacedError"]


class MisplacedError(SealedFileError):
    """The log is not in its place; rotating it goes on from where the head says that the chain ends."""

    def __init__(self, message: str, end: ChainState, *, waits: bool) -> None:
        super().__init__(message)
        self.end, self.waits = end, waits


class Ending:
    """Finds the end of a log under the lock, and checks that it is the log that was written before."""

    def __init__(self, place: LogPlace, expected_id: str | None) -> None:
        self._place, self._held = place, place.held
        self._path, self._expected_id = place.path, expected_id

    def find(self) -> ChainState:
        """Return where the chain ends: by the head, and by whole lines that a writer that died left behind it."""
        head, known = self._held.read_head(), self._place.known
        end = known[1] if known is not None and known[0] == head else self._learnt(head)
        named = self._held.named()
        if not self._held.holds(named) or self._place.current.file != end.file:
            end = self._located(end, named)
            named = None
        size = self._held.size if named is None else named.st_size
        if known is not None and end is not known[1]:
            self._check_continued(known[1], end)
        if size < end.size:
            raise self._shorter(end, size)
        return end if size == end.size else self._caught_up(end)

    def find_again(self, end: ChainState) -> ChainState | None:
        """Open the current file where a program moved or copied it to, if it is whole."""
        path = one_part(find_parts(Path(self._path).parent, end.log_id), end.file)
        if path is None:
            return None
        with contextlib.suppress(SealedFileError):
            self._accepted(path, end)
            self._check_continued(end, end)
            return self._caught_up(end) if self._held.size > end.size else end
        return None

    def _learnt(self, head: bytes) -> ChainState:
        """Read a head that this writer did not write."""
        before = None if self._place.known is None else self._place.known[1]
        wanted = self._expected_id if before is None else before.log_id
        if head:
            end = ChainState.read(head, self._place.keys, self._path)
        elif wanted is not None:
            raise SealedFileError(f"{self._path}: its head is empty or missing. Keep both, and start another log.")
        else:
            end = self._begun()
        if wanted is not None and end.log_id != wanted:
            raise SealedFileError(
                f"{self._path}: it is log {end.log_id}, and not log {wanted}, the one that was written here before. "
                "Keep it, find out who replaced it, and start another log."
            )
        if before is not None and end.count < before.count:
            raise self._older()
        return end

    def _begun(self) -> ChainState:
        """Begin a log: a head that counts nothing, so that one that dies here can be begun again."""
        if (named := self._held.named()) is not None and named.st_size:
            raise SealedFileError(
                f"{self._path}: its head is empty, but the log is not. Keep both files, and start another log."
            )
        end = ChainState(new_id(), 0, 0, 0, NO_MAC, self._place.by)
        self._held.write_head(self._place.head_of(end))
        return end

    def _located(self, end: ChainState, named: os.stat_result | None) -> ChainState:
        """Open the file in which the chain ends: under its name, or where it was renamed to."""
        if not end.file and (named is None or not named.st_size):
            return self._place.open_next(end)
        if named is None:
            if self._held.exists and self._place.current.file == end.file:
                return end
            moved = self._moved(end)
            return self._place.open_next(end) if is_compressed(moved) else self._accepted(moved, end)
        if not named.st_size:
            raise self._shorter(end, 0)
        return self._accepted(Path(self._path), end)

    def _moved(self, end: ChainState) -> Path:
        """Find the current file by its first line: a program renamed it."""
        parts = find_parts(Path(self._path).parent, end.log_id)
        for number in (end.file + 1, end.file):
            if (path := one_part(parts, number)) is not None:
                return path
        raise MisplacedError(
            f"{self._path} is missing, but its head is there. Put the log back. If it is lost, run 'python -m "
            f"modelpriv audit rotate {self._path} --key URI': the log goes on, and verify names the missing lines.",
            end,
            waits=False,
        )

    def _accepted(self, path: Path, end: ChainState) -> ChainState:
        """Open a file, and check by its first line that the chain ends in it."""
        self._place.current = NOTHING  # until it is checked
        self._held.open_log(path)
        line = self._held.first_line()
        try:
            opening = Opening.read(line)
        except ValueError:
            raise SealedFileError(f"{path}, line 1: it does not open a log, or it was altered. Keep both.") from None
        found = check_line(line, opening.count + 1, opening.mac, self._place.keys, f"{path}, its first line")
        self._check_opening(opening, end)
        self._place.current = Current(opening.file, len(line), opening.time)
        if opening.file == end.file:
            return end
        return ChainState(opening.log_id, opening.file, opening.count + 1, len(line), found.mac, found.by)

    def _check_opening(self, opening: Opening, end: ChainState) -> None:
        """Refuse another log, one that was written under another name, and another file than that of the head."""
        if opening.log_id != end.log_id and end.file:
            raise SealedFileError(
                f"{self._path}: it is log {opening.log_id}, but its head is that of log {end.log_id}. Keep both."
            )
        if opening.name != self._place.name and self._expected_id is None:
            raise SealedFileError(
                f"{self._path}: it is log {opening.log_id}, which was written as {opening.name!r}. If you renamed it, "
                "pass that id as expected_id."
            )
        died = opening.file == end.file + 1 and opening.count >= end.count
        if opening.file != end.file and not died:
            raise self._older()

    def _check_continued(self, before: ChainState, end: ChainState) -> None:
        """Refuse a log without the last line that this one wrote or read: another one, or an older state of it."""
        if end.file == before.file:
            continued = not before.count or _ends_with(self._held.log, before)
        else:  # where the file is gone or compressed by now, verify finds it
            path = one_part(find_parts(Path(self._path).parent, end.log_id), before.file)
            if path is None or is_compressed(path):
                return
            with path.open("rb") as file:
                continued = _ends_with(file, before)
        if not continued:
            raise self._older()

    def _caught_up(self, end: ChainState) -> ChainState:
        """Count whole lines behind the head, drop half a line, which never counted, and finish a rotation."""
        self._held.log.seek(end.size)
        for line in io.BytesIO(self._held.log.read()):
            if not line.endswith(b"\n"):
                self._held.truncate(end.size)
                break
            count = end.count + 1
            found = check_line(line, count, end.mac, self._place.keys, f"{self._path}, line {count}")
            end = ChainState(end.log_id, end.file, count, end.size + len(line), found.mac, found.by)
            if found.closes:
                self._held.put_away(end.file)
                return self._place.open_next(end)
        return end

    def _older(self) -> SealedFileError:
        return SealedFileError(
            f"{self._path}: it is not the log that was written here before, or an older state of it. Keep it, find out "
            "who replaced it, and start another log."
        )

    def _shorter(self, end: ChainState, size: int) -> SealedFileError:
        if size:
            return SealedFileError(
                f"{self._path}: the log is shorter than its head says: it was cut. Run modelpriv.audit.verify on it."
            )
        return MisplacedError(
            f"{self._path} is empty, but its head counts {end.count} lines. If logrotate did this, write 'nocreate' in "
            "its stanza in the place of 'create' or 'copytruncate', and rotate in 'postrotate'. Now run 'python -m "
            f"modelpriv audit rotate {self._path} --key URI'.",
            end,
            waits=True,
        )


def _ends_with(file: BinaryIO, end: ChainState) -> bool:
    """Tell whether the line that a chain ended with is in its place."""
    line_end = with_mac(b"}", end.mac)
    file.seek(max(end.size - len(line_end), 0))
    return file.read(len(line_end)) == line_end
