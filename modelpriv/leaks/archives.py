"""Archives: every member of a zip or tar file, and what is around them."""

from __future__ import annotations

import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from modelpriv.leaks.content import Content, inside
from modelpriv.leaks.findings import Leak
from modelpriv.leaks.outline import KEPT, Blob, Group, NotReadError, shorten
from modelpriv.leaks.skops_files import SCHEMA, read_skops
from modelpriv.leaks.stream import PIECE, Stream
from modelpriv.leaks.walk import Walker

_LOCAL = struct.Struct("<4s5H3I2H")
_DESCRIPTOR = re.compile(rb"(?:PK\x07\x08)?.{12}(?:.{8})?", re.DOTALL)
_ENCRYPTED, _UTF_8 = 1, 0x800
_ENTRY, _END, _END_64 = 46, 22, 76  # bytes: of an entry of the directory, and of its end
_MOST_MEMBERS = 100_000
_LISTED = 20
# Extra fields that only repeat what zip itself needs: sizes above 4 GiB, times, and owners.
_EXTRA_LENGTHS = {1: 28, 0x5455: 13, 0x7875: 15, 0x000A: 32}
_PAX = {"path", "linkpath", "size", "mtime", "atime", "ctime", "uid", "gid", "uname", "gname"}
_LARGEST_OWNER = 2**16
_LONGEST_READ = 2**26
_FAULTS = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
)
Look = Callable[[Content], Iterator[Leak]]


def in_zip(content: Content, look: Look) -> Iterator[Leak]:
    """Find what a zip archive shows: as skops wrote it, or member by member; and what is around the members."""
    with content.seekable() as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield from _in_archive(content, archive, look)
                yield from Walker().walk("archive", Group(_around(file, archive)))
        except (*_FAULTS, struct.error):
            raise NotReadError("it is an archive that is cut or damaged") from None


def _in_archive(content: Content, archive: zipfile.ZipFile, look: Look) -> Iterator[Leak]:
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise NotReadError("it is an archive of more members than are looked into")
    named: set[str] = set()
    if sum(member.filename == SCHEMA for member in members) == 1:
        try:
            root, named = read_skops(archive)
            yield from Walker().walk("model", root)
        except NotReadError as refusal:
            yield Leak("model", "unread", 0, reason=str(refusal))
    seen: set[str] = set()
    for index, member in enumerate(members):
        if member.filename in named and member.filename not in seen:
            seen.add(member.filename)
            continue
        place = f"member[{index}]" if len(members) <= _LISTED else "member[…]"
        yield from Walker().walk(f"{place} name", shorten(member.filename))
        yield from inside(place, _in_member(content, archive, member, look))


def _in_member(content: Content, archive: zipfile.ZipFile, member: zipfile.ZipInfo, look: Look) -> Iterator[Leak]:
    if member.flag_bits & _ENCRYPTED:
        yield Leak("", "unread", member.file_size, reason="it is encrypted by zip")
    elif not member.is_dir() or member.file_size:
        yield from look(content.part(member.filename, lambda: _unpack(archive, member)))


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(member) as file:
            while piece := file.read(PIECE):
                yield piece
    except _FAULTS:
        raise NotReadError("it is a member of an archive that is cut or damaged") from None


def _around(file: BinaryIO, archive: zipfile.ZipFile) -> list[Any]:
    """Find comments, extra fields, and bytes that belong to no member."""
    found: list[Any] = [_text(archive.comment)] if archive.comment else []
    at = 0
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        found += _gap(file, at, member.header_offset)
        found += [_text(part) for part in (member.comment, *_odd_extra(member.extra)) if part]
        file.seek(member.header_offset)
        header = _LOCAL.unpack(file.read(_LOCAL.size))
        name, extra = file.read(header[-2]), file.read(header[-1])
        if name != _raw_name(member):
            found.append(_text(name))
        found += map(_text, _odd_extra(extra))
        at = max(at, file.tell() + member.compress_size)
    return [*found, *_gap(file, at, archive.start_dir), *_behind(file, archive)]


def _raw_name(member: zipfile.ZipInfo) -> bytes:
    return member.orig_filename.encode("utf-8" if member.flag_bits & _UTF_8 else "cp437", "replace")


def _gap(file: BinaryIO, start: int, end: int) -> list[Any]:
    """Give what is between two members, unless it is the sizes that zip writes behind one."""
    file.seek(start)
    data = file.read(max(0, min(end - start, KEPT)))
    usual = not data or (start and end - start <= KEPT and _DESCRIPTOR.fullmatch(data))
    return [] if usual else [Blob("bytes", end - start, data[:80])]


def _behind(file: BinaryIO, archive: zipfile.ZipFile) -> list[Any]:
    """Give what is behind the archive's directory, unless it is only the directory's end."""
    entries = sum(
        _ENTRY + len(_raw_name(member)) + len(member.extra) + len(member.comment) for member in archive.infolist()
    )
    rest = file.seek(0, 2) - archive.start_dir - entries - _END - len(archive.comment)
    return [] if rest in {0, _END_64} else [Blob("bytes", abs(rest), b"")]


def _odd_extra(extra: bytes) -> list[bytes]:
    odd = []
    while len(extra) >= 4:  # noqa: PLR2004 - of id and length
        kind, length = struct.unpack_from("<2H", extra)
        if length > _EXTRA_LENGTHS.get(kind, -1):
            odd.append(extra[: 4 + length])
        extra = extra[4 + length :]
    return [*odd, extra] if extra else odd


def _text(data: bytes) -> Any:
    return shorten(data.decode("utf-8", "replace"))


# --- tar ---


class _Limited(NamedTuple):
    """A stream that gives tarfile no more at once than is held in memory."""

    stream: Stream

    def read(self, length: int) -> bytes:
        """Read some bytes."""
        if length > _LONGEST_READ:
            raise NotReadError("a part of it is larger than what is held in memory")
        return self.stream.read(length)


def in_tar(content: Content, look: Look) -> Iterator[Leak]:
    """Find what a tar archive shows, member by member, and what follows it."""
    stream = content.stream()
    try:
        with tarfile.open(fileobj=_Limited(stream), mode="r|") as archive:  # type: ignore[call-overload]
            for index, member in enumerate(archive):
                yield from _in_tar_member(content, archive, member, index, look)
    except (tarfile.TarError, EOFError, ValueError, LookupError):
        raise NotReadError("it is an archive that is cut or damaged") from None
    while piece := stream.some(PIECE):
        if any(piece):
            yield Leak("behind the archive", "bytes", len(piece))


def _in_tar_member(
    content: Content, archive: tarfile.TarFile, member: tarfile.TarInfo, index: int, look: Look
) -> Iterator[Leak]:
    if index >= _MOST_MEMBERS:
        raise NotReadError("it is an archive of more members than are looked into")
    place = f"member[{index}]" if index < _LISTED else "member[…]"
    owners: list[Any] = [name for name in (member.uname, member.gname) if name != "root"]
    owners += [number for number in (member.uid, member.gid) if number > _LARGEST_OWNER]
    said = [
        member.name,
        member.linkname,
        *owners,
        *(value for name, value in member.pax_headers.items() if name not in _PAX),
    ]
    yield from Walker().walk(f"{place} name", Group([shorten(text) for text in said if text]))
    file = archive.extractfile(member) if member.isreg() and not member.issparse() else None
    if file is not None and member.size <= _LONGEST_READ:
        data = file.read()
        yield from inside(place, look(content.part(member.name, lambda: iter([data] if data else []))))
    elif not member.isdir():
        reason = "it is larger than what is held in memory" if file is not None else "it is no regular file"
        yield Leak(place, "unread", member.size, reason=reason)
