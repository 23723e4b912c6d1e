"""Reading a sealed file: its head as it claims to be, then the body as far as the key vouches for it."""

import contextlib
import hmac
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from modelpriv._core import events
from modelpriv._core.warn import warn
from modelpriv.errors import ParameterTypeError, SealedFileError, SealedFileWarning
from modelpriv.keys import stanzas
from modelpriv.sealing.access import Opener
from modelpriv.sealing.artifacts import locate
from modelpriv.sealing.format import floe, layout, signature, slots
from modelpriv.sealing.format.digest import Digest
from modelpriv.sealing.trust import Trust

File = str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True)
class FileHead:
    """What precedes the body; reading it verifies none of it."""

    prelude: layout.Prelude
    manifest: bytes
    slots: tuple[bytes, bytes]


@dataclass(frozen=True, repr=False)  # a repr would show the file key
class OpenFile:
    """A file whose head is verified, what its manifest says, and what reads and verifies its body."""

    head: FileHead
    fields: dict[str, Any]
    envelope: slots.OpenEnvelope
    body: floe.Reader
    length: int
    digest: Digest | None

    @property
    def signed(self) -> bool:
        """Whether there is a signature, by anyone."""
        return bool(self.head.prelude.trailer)


@contextlib.contextmanager
def opened(file: File, action: str) -> Iterator[tuple[floe.Source, int]]:
    """Open a path for reading, or take a file as it is; give it with the number of bytes there are to read."""
    if isinstance(file, str | os.PathLike):
        with Path(locate(file, action)).open("rb", buffering=0) as source:
            yield source, os.fstat(source.fileno()).st_size
        return
    check_file(file, "read")
    if not (hasattr(file, "readinto") and file.seekable()):
        file = io.BytesIO(file.read())  # lengths are checked against the size, which must be known
    start = file.tell()
    size = file.seek(0, io.SEEK_END) - start
    file.seek(start)
    yield file, size


def read_head(source: floe.Source, size: int) -> FileHead:
    """Read everything that precedes the body."""
    prelude = layout.Prelude.read(_read_bytes(source, min(size, layout.PRELUDE)), size)
    manifest, first, second = (_read_bytes(source, length) for length in (prelude.manifest, prelude.slot, prelude.slot))
    return FileHead(prelude, manifest, (first, second))


def open_head(source: floe.Source, size: int, opener: Opener) -> OpenFile:
    """Read and verify the head of a file, up to the first segment of its body."""
    head = read_head(source, size)
    fields = layout.read_manifest(head.manifest)
    events.note(file_id=fields["file_id"])
    context = slots.wrap_context(head.manifest, fields["origin"])
    envelope = slots.open_(
        head.slots, lambda found: opener.unwrap(found, context), prelude=head.prelude, manifest=head.manifest
    )
    _check_origin(fields["origin"], envelope)
    key = slots.derive(envelope.file_key, "body")
    message = floe.Message(key, sha256(head.manifest).digest(), header=_read_bytes(source, floe.HEADER))
    digest = Digest(message.header) if head.prelude.trailer or "body" in envelope.stanza else None
    body = floe.Reader(message, head.prelude.body, source, digest)
    return OpenFile(head, fields, envelope, body, floe.plaintext_length(head.prelude.body), digest)


def finish(source: floe.Source, found: OpenFile, trust: Trust) -> None:
    """Verify a body that was read to its end: by the stanza that is bound to it, or by the signature that follows.

    Raises
    ------
    UntrustedError
        A stranger signed the file.
    SealedFileError
        The body is not the one that the stanza was made for, or the signature does not match the file.
    """
    if found.digest is None:
        return
    read, bound = found.digest.value(), stanzas.body_of(found.envelope.stanza)
    if bound and not hmac.compare_digest(bound, read):
        raise SealedFileError(
            "the body of the sealed file is not the one that its key was wrapped for: someone else who can open the "
            "file put it there."
        )
    if found.signed:
        trusted = tuple(signer for signer in trust.signers if signer.id == found.fields.get("signer"))
        signature.check(_read_bytes(source, found.head.prelude.trailer), found.head.manifest, read, trusted)


def report_damage(source: floe.Source, found: OpenFile) -> None:
    """Warn about a slot that is not authentic: the file opened by the other one."""
    if found.envelope.damaged and not _was_being_written(source, found):
        events.note(damaged_slot=True)
        warn(
            "one of the two envelope slots of the sealed file is damaged: a rewrap was interrupted, or someone changed "
            "it. The other one opened the file; rewrap(...) without changes writes both again.",
            SealedFileWarning,
        )


def check_pinned(fields: dict[str, Any], file_id: object) -> None:
    """Refuse a file whose id is not the one that the caller pinned, if they pinned any.

    Raises
    ------
    SealedFileError
        It is another one.
    ParameterTypeError
        The pinned id is not text.
    """
    if file_id is not None and not isinstance(file_id, str):
        raise ParameterTypeError(f"file_id must be a str or None, got {type(file_id).__name__}.")
    if file_id not in {None, fields["file_id"]}:
        raise SealedFileError(
            f"the sealed file has the id {fields['file_id']!a}, and file_id={file_id!a} asks for another one: an older "
            "or another model is in its place."
        )


def check_file(file: object, method: str) -> None:
    """Refuse anything that is not a file of bytes."""
    if isinstance(file, io.TextIOBase) or not hasattr(file, method):
        raise ParameterTypeError(f"file must be a path, or a file opened to {method} bytes, got {type(file).__name__}.")


def _was_being_written(source: floe.Source, found: OpenFile) -> bool:
    """Tell whether both slots of a file on a disk are whole by now: then a rewrap was writing one as it was read."""
    if not isinstance(source, io.FileIO):
        return False
    head = found.head
    source.seek(layout.PRELUDE + head.prelude.manifest)
    pair = [_read_bytes(source, head.prelude.slot) for _ in range(2)]
    return all(slots.is_authentic(found.envelope.file_key, head.prelude, head.manifest, slot) for slot in pair)


def _check_origin(origin: str, envelope: slots.OpenEnvelope) -> None:
    """Check that the stanzas are those that a file of this origin can have."""
    kinds = [way["type"] for way in envelope.stanzas]
    symmetric = all(map(stanzas.is_symmetric, envelope.stanzas))
    fits = {
        layout.SOLE: symmetric and (len(kinds) == 1 or set(kinds) == {stanzas.KEYRING}),
        layout.SHARED: symmetric and "body" in envelope.stanza,
        layout.SIGNED: True,
    }
    if not fits[origin]:
        raise SealedFileError(
            f"the sealed file does not open by what a file of origin {origin!r} opens by: it was put together from "
            "other files."
        )


def _read_bytes(source: floe.Source, length: int) -> bytes:
    data = bytearray(length)
    floe.read_exactly(source, memoryview(data))
    return bytes(data)
