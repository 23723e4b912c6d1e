"""Reading a sealed file: its head as it claims to be, then the body as far as the key vouches for it."""

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from modelpriv._core import events
from modelpriv.errors import ParameterTypeError, SealedFileError
from modelpriv.keys import stanzas
from modelpriv.sealing.access import Opener
from modelpriv.sealing.format import floe, layout, signature, slots
from modelpriv.sealing.trust import Trust

File = str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True)
class Head:
    """What precedes the body; reading it verifies none of it."""

    prelude: layout.Prelude
    manifest: bytes
    slots: tuple[bytes, bytes]


@dataclass(frozen=True)
class OpenFile:
    """A file whose head is verified, what its manifest says, and what reads and verifies its body."""

    head: Head
    fields: dict[str, Any]
    envelope: slots.OpenEnvelope
    header: bytes
    body: floe.Reader
    length: int
    observed: signature.Observed | None

    @property
    def signed(self) -> bool:
        """Whether there is a signature, by anyone."""
        return self.observed is not None


@contextlib.contextmanager
def opened(file: File) -> Iterator[tuple[floe.Source, int]]:
    """Open a path for reading, or take a file as it is; give it with the number of bytes there are to read."""
    if isinstance(file, str | os.PathLike):
        with Path(file).open("rb", buffering=0) as source:
            yield source, os.fstat(source.fileno()).st_size
        return
    check_file(file, "read")
    if not (hasattr(file, "readinto") and file.seekable()):
        file = io.BytesIO(file.read())  # lengths are checked against the size, which must be known
    start = file.tell()
    size = file.seek(0, io.SEEK_END) - start
    file.seek(start)
    yield file, size


def read_head(source: floe.Source, size: int) -> Head:
    """Read everything that precedes the body."""
    prelude = layout.Prelude.read(_read_bytes(source, min(size, layout.PRELUDE)), size)
    manifest, first, second = (_read_bytes(source, length) for length in (prelude.manifest, prelude.slot, prelude.slot))
    return Head(prelude, manifest, (first, second))


def open_head(source: floe.Source, size: int, opener: Opener) -> OpenFile:
    """Read and verify the head of a file, up to the first segment of its body."""
    head = read_head(source, size)
    fields = layout.read_manifest(head.manifest)
    events.note(file_id=fields["file_id"])
    context = slots.wrap_context(head.manifest)
    envelope = slots.open_(
        head.slots, lambda found: opener.unwrap(found, context), prelude=head.prelude, manifest=head.manifest
    )
    if fields["origin"] == "keyring" and not all(map(stanzas.is_symmetric, envelope.stanzas)):
        raise SealedFileError(
            "the sealed file says that only keys and passphrases open it, but others do too: it was put together from "
            "other files."
        )
    key = slots.derive(envelope.file_key, "body")
    message = floe.Message(key, sha256(head.manifest).digest(), header=_read_bytes(source, floe.HEADER))
    observed = signature.Observed() if head.prelude.trailer else None
    body = floe.Reader(message, head.prelude.body, source, observed)
    length = floe.plaintext_length(head.prelude.body)
    return OpenFile(head, fields, envelope, message.header, body, length, observed)


def finish(source: floe.Source, found: OpenFile, trust: Trust) -> None:
    """Read what follows a body that was read to its end, and check the signature if there is one.

    Raises
    ------
    UntrustedError
        A stranger signed the file.
    SealedFileError
        The signature does not match the file.
    """
    if found.observed is None:
        return
    trailer = _read_bytes(source, found.head.prelude.trailer)
    signature.check(
        trailer,
        manifest=found.head.manifest,
        header=found.header,
        body=found.head.prelude.body,
        read=found.observed.digests,
        trusted=tuple(signer for signer in trust.signers if signer.id == found.fields.get("signer")),
    )


def check_file(file: object, method: str) -> None:
    """Refuse anything that is not a file of bytes."""
    if isinstance(file, io.TextIOBase) or not hasattr(file, method):
        raise ParameterTypeError(f"file must be a path, or a file opened to {method} bytes, got {type(file).__name__}.")


def _read_bytes(source: floe.Source, length: int) -> bytes:
    data = bytearray(length)
    floe.read_exactly(source, memoryview(data))
    return bytes(data)
