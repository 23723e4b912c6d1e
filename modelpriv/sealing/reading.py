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
from modelpriv.sealing.format import floe, layout, signature
from modelpriv.sealing.format import slots as envelope
from modelpriv.sealing.trust import Trust

File = str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True)
class Head:
    """What stands before the body; none of it is verified by having been read."""

    prelude: layout.Prelude
    manifest: bytes
    slots: tuple[bytes, bytes]


@dataclass(frozen=True)
class Opened:
    """A file whose head is verified, with what its manifest says and what reads and verifies its body."""

    head: Head
    fields: dict[str, Any]
    envelope: envelope.Opened
    header: bytes
    body: floe.Reader
    length: int
    observed: signature.Observed | None

    @property
    def signed(self) -> bool:
        """Whether there is a signature, whoever's."""
        return self.observed is not None


@contextlib.contextmanager
def opened(file: File) -> Iterator[tuple[floe.Source, int]]:
    """Open a file for reading if it is a path, and say how many bytes there are to read."""
    if isinstance(file, str | os.PathLike):
        with Path(file).open("rb", buffering=0) as source:
            yield source, os.fstat(source.fileno()).st_size
        return
    check_file(file, "read")
    if not (hasattr(file, "readinto") and file.seekable()):
        file = io.BytesIO(file.read())  # the parts are held against what is there, so that must be known
    start = file.tell()
    size = file.seek(0, io.SEEK_END) - start
    file.seek(start)
    yield file, size


def read_head(source: floe.Source, size: int) -> Head:
    """Read all that stands before the body."""
    prelude = layout.Prelude.read(_read_bytes(source, min(size, layout.PRELUDE)), size)
    manifest, first, second = (_read_bytes(source, length) for length in (prelude.manifest, prelude.slot, prelude.slot))
    return Head(prelude, manifest, (first, second))


def open_head(source: floe.Source, size: int, opener: Opener) -> Opened:
    """Read and verify the head of a file, and stop where the segments of its body begin."""
    head = read_head(source, size)
    fields = layout.read_manifest(head.manifest)
    events.note(file_id=fields["file_id"])
    context = envelope.wrap_context(head.manifest)
    opened_envelope = envelope.open_(
        head.slots, lambda found: opener.unwrap(found, context), prelude=head.prelude, manifest=head.manifest
    )
    if fields["origin"] == "keyring" and not all(map(stanzas.is_symmetric, opened_envelope.stanzas)):
        raise SealedFileError(
            "the sealed file opens for others than those who can have written it, and says that it does not: it was "
            "put together."
        )
    key = envelope.derive(opened_envelope.file_key, "body")
    message = floe.Message(key, sha256(head.manifest).digest(), header=_read_bytes(source, floe.HEADER))
    observed = signature.Observed() if head.prelude.trailer else None
    body = floe.Reader(message, head.prelude.body, source, observed)
    length = floe.plaintext_length(head.prelude.body)
    return Opened(head, fields, opened_envelope, message.header, body, length, observed)


def finish(source: floe.Source, found: Opened, trust: Trust) -> None:
    """Read what stands behind a body that was read whole, and check the signature if it is that which counts.

    Raises
    ------
    UntrustedError
        The file is signed by a stranger.
    SealedFileError
        The signature does not fit.
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
    """Refuse what is no file of bytes."""
    if isinstance(file, io.TextIOBase) or not hasattr(file, method):
        raise ParameterTypeError(f"file must be a path, or a file opened to {method} bytes, got {type(file).__name__}.")


def _read_bytes(source: floe.Source, length: int) -> bytes:
    data = bytearray(length)
    floe.read_exactly(source, memoryview(data))
    return bytes(data)
